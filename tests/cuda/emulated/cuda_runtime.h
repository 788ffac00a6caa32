/* CUDA for a machine without one: what the module's sources use of it, for a host compiler.
 *
 * Kernels run as they are written: blocks one after the other, the threads of a block each on a stack of its own, which
 * they leave at a barrier; a barrier that not all threads of a block reach ends the program. Between two barriers
 * threads run in an order that is another one each time, and what they share holds NaN when a block begins. Memory of
 * the device lies page by page in a region that can be touched within a kernel or a copy alone, each piece up to a page
 * that never can: a pointer of the wrong side, a read or write beyond a piece's end, and a use after its release are
 * faults. What it cannot show: the device's own rounding of exp, log and pow, and its speed. Races are found where each
 * access is watched (races.cu), which takes longer.
 *
 * The environment may ask for what devices do now and then, REHEARSE_EMULATED_GPU being one or more of
 *     no-driver, old-driver, no-device, old-device, memory=BYTES, lost=LAUNCH, no-graphs, no-solver, no-jacobi
 */
#ifndef RH_EMULATED_CUDA_RUNTIME_H
#define RH_EMULATED_CUDA_RUNTIME_H

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <map>
#include <type_traits>
#include <vector>

#include "cuda_words.h"

namespace emulated
{

/* The value of a word of REHEARSE_EMULATED_GPU; NULL: it is not there. */
inline const char *asked(const char *word)
{
  const char *all = getenv("REHEARSE_EMULATED_GPU"), *at = all ? strstr(all, word) : NULL;
  return at ? at + strlen(word) : NULL;
}

[[noreturn]] inline void fail(const char *what, const char *kernel)
{
  fprintf(stderr, "emulated GPU: %s in %s\n", what, kernel);
  abort();
}

/* Memory: pieces of one region of addresses, none of which is given twice. */
struct piece {
  size_t pages; /* bytes of whole pages */
  size_t bytes;
};
inline std::map<char *, piece> pieces;
inline char *next_address;
inline size_t used_bytes;
#ifdef RH_EMULATED_WATCHED
static const size_t alignment = 16; /* a piece ends nearer to the page that cannot be touched */
#else
static const size_t alignment = 256; /* as CUDA's */
#endif
static const size_t page = 4096, poisoned = (size_t)1 << 20;

/* By a protection key where the processor has them, which costs nothing; else page by page. */
inline int key = -2; /* -1: there is none */

inline void open_memory(bool open)
{
  if (key == -2) key = pkey_alloc(0, PKEY_DISABLE_ACCESS);
  if (key >= 0) {
    pkey_set(key, open ? 0 : PKEY_DISABLE_ACCESS);
    return;
  }
  for (const auto &p : pieces)
    mprotect(p.first, p.second.pages, open ? PROT_READ | PROT_WRITE : PROT_NONE);
}

inline size_t all_bytes()
{
  const char *limit = asked("memory=");
  return limit ? strtoull(limit, NULL, 10) : (size_t)1 << 30;
}

/* Work that a stream was given: kernels and copies, done at once, or kept by a graph that is being recorded. */
struct work {
  virtual void run() = 0;
  virtual ~work()
  {
  }
};
template <typename body> struct work_of : work {
  body f;
  work_of(const body &f_) : f(f_)
  {
  }
  void run() override
  {
    f();
  }
};
typedef std::vector<work *> graph;
inline graph *recorded;
inline cudaError_t sticky = cudaSuccess;
inline long launches;

template <typename body> cudaError_t submit(const body &f)
{
  if (sticky != cudaSuccess) return sticky;
  const char *lost = asked("lost=");
  if (lost && ++launches >= atol(lost)) return sticky = cudaErrorECCUncorrectable;
  if (recorded) {
    recorded->push_back(new work_of<body>(f));
    return cudaSuccess;
  }
  open_memory(true);
  f();
  open_memory(false);
  return cudaSuccess;
}

/* The threads of the block at work. */
struct thread {
  ucontext_t context;
  char *stack;
  bool ended;
};
inline std::vector<thread *> threads;
inline ucontext_t scheduler;
inline thread *running; /* NULL: no thread has a stack of its own */
inline const char *kernel_name;
inline void (*kernel_call)(void *context);
inline void *kernel_context; /* NULL: none runs */
inline unsigned kernels;     /* that have run, this one too */
inline unsigned phase;       /* barriers that the block has passed */

/* Threads of a block in another order each time: every stride that is odd visits all of 2^k. */
struct order {
  unsigned threads, first, stride;
  unsigned operator[](unsigned i) const
  {
    return (first + i * stride) % threads;
  }
};
inline order next_order(unsigned threads)
{
  static uint32_t state = 2463534242U; /* xorshift: Marsaglia, J. Stat. Software 8(14), 2003 */
  state ^= state << 13;
  state ^= state >> 17;
  state ^= state << 5;
  return {threads, state % threads, (threads & (threads - 1)) == 0 ? state >> 8 | 1 : 1};
}

inline void thread_main()
{
  kernel_call(kernel_context);
  running->ended = true;
  swapcontext(&running->context, &scheduler);
}

inline void resume(thread *t)
{
  running = t;
  swapcontext(&scheduler, &t->context);
  running = NULL;
}

inline thread *start(unsigned index)
{
  static const size_t stack_bytes = 128 << 10;
  while (threads.size() <= index) {
    thread *t = new thread();
    t->stack = (char *)malloc(stack_bytes);
    threads.push_back(t);
  }
  thread *t = threads[index];
  t->ended = false;
  getcontext(&t->context);
  t->context.uc_stack.ss_sp = t->stack;
  t->context.uc_stack.ss_size = stack_bytes;
  t->context.uc_link = NULL;
  makecontext(&t->context, thread_main, 0);
  return t;
}

/* The first thread of a block shows whether its threads wait for each other. */
inline void run_block(dim3 block)
{
  const order begin = next_order(block.x);
  phase = 0;
  threadIdx = dim3(begin[0]);
  resume(start(begin[0]));
  const bool waits = !threads[begin[0]]->ended;
  for (unsigned i = 1; i < block.x; i++) {
    threadIdx = dim3(begin[i]);
    if (waits)
      resume(start(begin[i]));
    else
      kernel_call(kernel_context);
  }
  if (!waits) return;
  for (;;) {
    unsigned ended = 0;
    for (unsigned i = 0; i < block.x; i++)
      ended += threads[i]->ended;
    if (ended == block.x) break;
    if (ended > 0) fail("a barrier that not all threads reach", kernel_name);
    const order next = next_order(block.x);
    phase++;
    for (unsigned i = 0; i < block.x; i++) {
      threadIdx = dim3(next[i]);
      resume(threads[next[i]]);
    }
  }
  memset(__start_emulated_shared, 0xFF, (size_t)(__stop_emulated_shared - __start_emulated_shared));
}

template <typename body> void run_grid(const char *name, dim3 grid, dim3 block, body f)
{
  if (grid.y > 65535 || grid.z > 65535 || block.x > 1024) fail("a grid beyond the device's limits", name);
  kernel_name = name;
  kernel_call = [](void *context) { (*(body *)context)(); };
  kernel_context = &f;
  kernels++;
  gridDim = grid;
  blockDim = block;
  for (unsigned z = 0; z < grid.z; z++)
    for (unsigned y = 0; y < grid.y; y++)
      for (unsigned x = 0; x < grid.x; x++) {
        blockIdx = dim3(x, y, z);
        run_block(block);
      }
  kernel_context = NULL;
}

/* Arguments are taken now, whenever the kernel runs. */
template <typename function, typename... arguments>
cudaError_t launch(const char *name, dim3 grid, dim3 block, function kernel, arguments... values)
{
  return submit([=] { run_grid(name, grid, block, [=] { kernel(values...); }); });
}

} // namespace emulated

static inline void __syncthreads()
{
  if (!emulated::running) emulated::fail("a barrier that the block's first thread has not", emulated::kernel_name);
  emulated::thread *self = emulated::running;
  const dim3 index = threadIdx;
  swapcontext(&self->context, &emulated::scheduler);
  threadIdx = index;
}

#define RH_LAUNCH(kernel, grid, block, ...)                                                                            \
  do {                                                                                                                 \
    if (rh_cuda_failed()) break;                                                                                       \
    rh_cuda_check(emulated::launch(#kernel, dim3(grid), dim3(block), kernel, __VA_ARGS__), #kernel);                   \
  } while (0)

typedef struct emulated_stream *cudaStream_t;
typedef emulated::graph *cudaGraph_t;
typedef emulated::graph *cudaGraphExec_t;

static inline cudaError_t cudaMalloc(void **memory, size_t bytes)
{
  using namespace emulated;
  if (sticky != cudaSuccess) return sticky;
  const size_t whole = (bytes + page - 1) / page * page, reserved = (size_t)1 << 40;
  if (bytes > all_bytes() - used_bytes) return cudaErrorMemoryAllocation;
  if (!next_address) {
    next_address = (char *)mmap(NULL, reserved, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (next_address == MAP_FAILED) fail("no addresses", "cudaMalloc");
  }
  char *const first = next_address;
  next_address += whole + page;
  pieces[first] = {whole, bytes};
  used_bytes += bytes;
  /* what is written first must not be what was never written; the piece ends as near to the next page as it may */
  open_memory(true);
  if (key >= 0)
    pkey_mprotect(first, whole, PROT_READ | PROT_WRITE, key);
  else
    mprotect(first, whole, PROT_READ | PROT_WRITE);
  memset(first, 0xFF, whole < poisoned ? whole : poisoned);
  open_memory(false);
  *memory = first + (whole - bytes) / alignment * alignment;
  return cudaSuccess;
}

static inline cudaError_t cudaFree(void *memory)
{
  using namespace emulated;
  if (!memory) return cudaSuccess;
  char *const first = (char *)((uintptr_t)memory / page * page);
  const auto found = pieces.find(first);
  if (found == pieces.end()) fail("a release of what was not allocated", "cudaFree");
  used_bytes -= found->second.bytes;
  madvise(first, found->second.pages, MADV_DONTNEED);
  mprotect(first, found->second.pages, PROT_NONE);
  pieces.erase(found);
  return cudaSuccess;
}

static inline cudaError_t cudaMallocHost(void **memory, size_t bytes)
{
  *memory = malloc(bytes);
  return *memory ? cudaSuccess : cudaErrorMemoryAllocation;
}

/* Copies are done at once: an event has happened when it is recorded. */
typedef struct emulated_event *cudaEvent_t;
enum { cudaEventDisableTiming = 2 };
static inline cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned)
{
  *event = NULL;
  return emulated::sticky;
}
static inline cudaError_t cudaEventRecord(cudaEvent_t, cudaStream_t)
{
  if (emulated::recorded) emulated::fail("an event", "a graph");
  return emulated::sticky;
}
static inline cudaError_t cudaEventSynchronize(cudaEvent_t)
{
  return emulated::sticky;
}

static inline cudaError_t cudaMemGetInfo(size_t *available, size_t *all)
{
  *all = emulated::all_bytes();
  *available = *all > emulated::used_bytes ? *all - emulated::used_bytes : 0;
  return emulated::sticky;
}

static inline cudaError_t cudaMemsetAsync(void *memory, int value, size_t bytes, cudaStream_t)
{
  return emulated::submit([=] { memset(memory, value, bytes); });
}

static inline cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t)
{
  if (emulated::recorded && kind != cudaMemcpyDeviceToDevice) emulated::fail("a copy of pageable memory", "a graph");
  return emulated::submit([=] { memcpy(to, from, bytes); });
}

static inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned)
{
  *stream = NULL;
  return emulated::sticky;
}
static inline cudaError_t cudaStreamSynchronize(cudaStream_t)
{
  if (emulated::recorded) emulated::fail("a wait", "a graph");
  return emulated::sticky;
}
static inline cudaError_t cudaGetLastError()
{
  return emulated::sticky;
}
static inline const char *cudaGetErrorString(cudaError_t error)
{
  switch (error) {
  case cudaSuccess:
    return "no error";
  case cudaErrorMemoryAllocation:
    return "out of memory";
  case cudaErrorECCUncorrectable:
    return "uncorrectable ECC error encountered";
  case cudaErrorNoDevice:
    return "no CUDA-capable device is detected";
  default:
    return "an error";
  }
}

static inline cudaError_t cudaDriverGetVersion(int *version)
{
  *version = emulated::asked("no-driver") ? 0 : emulated::asked("old-driver") ? 11040 : 13000;
  return cudaSuccess;
}
static inline cudaError_t cudaGetDeviceCount(int *count)
{
  *count = emulated::asked("no-device") ? 0 : 1;
  if (emulated::asked("old-driver")) return cudaErrorInsufficientDriver;
  return *count > 0 ? cudaSuccess : cudaErrorNoDevice;
}
static inline cudaError_t cudaSetDevice(int)
{
  return cudaSuccess;
}
static inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int)
{
  snprintf(properties->name, sizeof properties->name, "a GPU emulated on the host");
  properties->major = emulated::asked("old-device") ? 7 : 9;
  properties->minor = 0;
  return cudaSuccess;
}

static inline cudaError_t cudaStreamBeginCapture(cudaStream_t, cudaStreamCaptureMode)
{
  if (emulated::asked("no-graphs")) return cudaErrorStreamCaptureUnsupported;
  emulated::recorded = new emulated::graph();
  return cudaSuccess;
}
static inline cudaError_t cudaStreamEndCapture(cudaStream_t, cudaGraph_t *graph)
{
  *graph = emulated::recorded;
  emulated::recorded = NULL;
  return cudaSuccess;
}
static inline cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long)
{
  *exec = new emulated::graph(*graph);
  return cudaSuccess;
}
static inline cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t)
{
  for (emulated::work *work : *exec) {
    const cudaError_t error = emulated::submit([=] { work->run(); });
    if (error != cudaSuccess) return error;
  }
  return cudaSuccess;
}
static inline cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
  delete graph;
  return cudaSuccess;
}
static inline cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
  for (emulated::work *work : *exec)
    delete work;
  delete exec;
  return cudaSuccess;
}

#endif
