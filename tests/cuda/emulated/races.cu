/* Every access of a kernel's threads, watched: what compilers call for -fsanitize=thread, in place of its library.
 *
 * Two threads of a block that touch the same byte between the same two barriers, one of them writing, race; so do
 * threads of two blocks of one launch, whenever they do. Of the shared memory a byte must be written in a block before
 * it is read there; and an access lies at a multiple of its size, as devices demand. The first that does not hold ends
 * the program, with both threads.
 */
#include "cuda_runtime.h"

namespace
{

/* Who touched a byte last; and whether others of the same launch did before, whom it displaced. */
struct touch {
  unsigned kernel, block, phase;
  unsigned short thread;
  bool other_threads; /* of the same block and phase */
  bool other_blocks;
};
struct history {
  touch written, read;
};

const size_t shared_most = (size_t)1 << 20, device_most = (size_t)1 << 34; /* bytes that have a history */
history *shared_bytes, *device_bytes;
char *device_first;

history *reserve(size_t bytes)
{
  void *const memory =
      mmap(NULL, bytes * sizeof(history), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) emulated::fail("no room for what threads touch", emulated::kernel_name);
  return (history *)memory;
}

/* NULL: nobody shares it. */
history *history_of(const char *at, bool *shared)
{
  *shared = at >= __start_emulated_shared && at < __stop_emulated_shared;
  if (!shared_bytes) {
    shared_bytes = reserve(shared_most);
    device_bytes = reserve(device_most);
    device_first = emulated::pieces.empty() ? emulated::next_address : emulated::pieces.begin()->first;
    if ((size_t)(__stop_emulated_shared - __start_emulated_shared) > shared_most)
      emulated::fail("more shared memory than is watched", emulated::kernel_name);
  }
  if (*shared) return &shared_bytes[at - __start_emulated_shared];
  if (at < device_first || at >= emulated::next_address) return NULL;
  if (at >= device_first + device_most) emulated::fail("more memory than is watched", emulated::kernel_name);
  return &device_bytes[at - device_first];
}

bool conflicts(const touch &before, const touch &now)
{
  if (before.kernel != now.kernel) return false;
  if (before.block != now.block || before.other_blocks) return true;
  return before.phase == now.phase && (before.thread != now.thread || before.other_threads);
}

[[noreturn]] void tell(const char *what, const void *at, const touch &before, const touch &now)
{
  if (before.kernel != now.kernel) emulated::fail("a read of what was not written", emulated::kernel_name);
  fprintf(stderr,
          "emulated GPU: thread %u of block %u, after %u barriers, %s; before: thread %u of block %u, after %u: ",
          now.thread, now.block, now.phase, what, before.thread, before.block, before.phase);
  fprintf(stderr, "address %p\n", at);
  emulated::fail("threads that race", emulated::kernel_name);
}

/* What is remembered of two touches of a byte. */
touch join(const touch &before, touch now)
{
  if (before.kernel != now.kernel) return now;
  now.other_blocks = before.other_blocks || before.block != now.block;
  now.other_threads =
      before.block == now.block && before.phase == now.phase && (before.other_threads || before.thread != now.thread);
  return now;
}

void watch(const void *address, size_t bytes, bool writes)
{
  if (!emulated::kernel_context) return;
  const char *const at = (const char *)address;
  bool shared;
  history *const bytes_of = history_of(at, &shared);
  if (!bytes_of) return;
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const touch now = {emulated::kernels, block, emulated::phase, (unsigned short)threadIdx.x, false, false};
  for (size_t i = 0; i < bytes; i++) {
    history *const h = &bytes_of[i];
    if (shared && h->written.block != block) h->written = h->read = touch(); /* of another block's variable */
    if (shared && !writes && h->written.kernel != now.kernel) tell("reads", at + i, h->written, now);
    if (conflicts(h->written, now))
      tell(writes ? "writes what was written" : "reads what was written", at + i, h->written, now);
    if (writes && conflicts(h->read, now)) tell("writes what was read", at + i, h->read, now);
    touch *const kept = writes ? &h->written : &h->read;
    *kept = join(*kept, now);
  }
}

void watch_aligned(const void *address, size_t bytes, bool writes)
{
  if (emulated::kernel_context && (uintptr_t)address % bytes != 0) {
    bool shared;
    if (history_of((const char *)address, &shared)) emulated::fail("a misaligned access", emulated::kernel_name);
  }
  watch(address, bytes, writes);
}

} // namespace

#define RH_EXPORTED extern "C" __attribute__((visibility("hidden")))
#define RH_WATCH(bytes)                                                                                                \
  RH_EXPORTED void __tsan_read##bytes(void *address)                                                                   \
  {                                                                                                                    \
    watch_aligned(address, bytes, false);                                                                              \
  }                                                                                                                    \
  RH_EXPORTED void __tsan_write##bytes(void *address)                                                                  \
  {                                                                                                                    \
    watch_aligned(address, bytes, true);                                                                               \
  }
RH_WATCH(1)
RH_WATCH(2)
RH_WATCH(4)
RH_WATCH(8)

/* Structures of two words of 8 bytes, too. */
RH_EXPORTED void __tsan_read16(void *address)
{
  watch(address, 16, false);
}
RH_EXPORTED void __tsan_write16(void *address)
{
  watch(address, 16, true);
}
RH_EXPORTED void __tsan_read_range(void *address, size_t bytes)
{
  watch(address, bytes, false);
}
RH_EXPORTED void __tsan_write_range(void *address, size_t bytes)
{
  watch(address, bytes, true);
}
RH_EXPORTED void __tsan_vptr_update(void **, void *)
{
}
RH_EXPORTED void __tsan_func_entry(void *)
{
}
RH_EXPORTED void __tsan_func_exit(void *)
{
}
RH_EXPORTED void __tsan_init()
{
}
