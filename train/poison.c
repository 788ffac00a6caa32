#include "poison.h"

#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ALIGNMENT = 64, PATTERN = 0xA5, RELEASED_MOST = 1024 };

typedef struct block {
  char *map;        /* first guard page */
  size_t map_bytes; /* with both guard pages */
  char *start;
  size_t bytes;
  bool live;
  char *behind; /* of a device's address: the block that holds its bytes; else NULL */
} block;

static struct {
  block *list; /* by address */
  int64_t count, size;
  int64_t live;
  char *released[RELEASED_MOST]; /* maps whose addresses are kept from use, the oldest at `next` */
  int64_t next;
  size_t page;
} all;

/* The block whose pages hold an address, guards included; NULL: none. */
static block *find(const void *address)
{
  const char *at = address;
  int64_t low = 0, high = all.count;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    if (all.list[middle].map <= at)
      low = middle + 1;
    else
      high = middle;
  }
  block *b = low > 0 ? &all.list[low - 1] : NULL;
  return b && at < b->map + b->map_bytes ? b : NULL;
}

static void say(const char *text)
{
  if (write(STDERR_FILENO, text, strlen(text)) < 0) return;
}

static const char *why_not(const block *b)
{
  if (!b->live) return "which was released before";
  return b->behind ? "which lies on the device: use upload, download or an operation" : "which is outside of it";
}

/* What was touched, then what the system does with such programs. */
static void on_fault(int number, siginfo_t *info, void *context)
{
  (void)context;
  char text[256];
  const block *b = find(info->si_addr);
  if (b) {
    const int64_t at = (char *)info->si_addr - b->start;
    snprintf(text, sizeof text, "poison: byte %" PRId64 " of a block of %zu was touched, %s\n", at, b->bytes,
             why_not(b));
    say(text);
  }
  signal(number, SIG_DFL); /* the instruction is tried again, and ends the program */
}

static void watch_faults(void)
{
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  sigemptyset(&action.sa_mask);
  sigaction(SIGSEGV, &action, NULL);
  all.page = (size_t)sysconf(_SC_PAGESIZE);
}

static void insert(block b)
{
  if (all.count == all.size) {
    all.size = all.size ? 2 * all.size : 256;
    all.list = realloc(all.list, (size_t)all.size * sizeof *all.list);
    RH_ASSERT(all.list && "memory is exhausted");
  }
  int64_t at = all.count++;
  for (; at > 0 && all.list[at - 1].map > b.map; at--)
    all.list[at] = all.list[at - 1];
  all.list[at] = b;
}

void *rh_poison_alloc(size_t bytes)
{
  if (!all.page) watch_faults();
  if (bytes > SIZE_MAX / 2) return NULL;
  const size_t aligned = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  const size_t inside = (aligned + all.page - 1) / all.page * all.page, map_bytes = inside + 2 * all.page;
  char *map = mmap(NULL, map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) return NULL;
  if (inside > 0 && mprotect(map + all.page, inside, PROT_READ | PROT_WRITE) != 0) {
    munmap(map, map_bytes);
    return NULL;
  }
  const block b = {map, map_bytes, map + all.page + inside - aligned, bytes, true, NULL};
  memset(b.start + bytes, PATTERN, aligned - bytes);
  insert(b);
  all.live++;
  return b.start;
}

static void fail(const char *text)
{
  say(text);
  abort();
}

static void forget(const char *map)
{
  block *b = find(map);
  RH_ASSERT(b && !b->live);
  munmap(b->map, b->map_bytes);
  const int64_t at = b - all.list;
  memmove(b, b + 1, (size_t)(--all.count - at) * sizeof *b);
}

/* The live block that begins there; ends the program if there is none. */
static block *find_to_release(void *memory, bool on_device)
{
  block *b = find(memory);
  if (!b || (b->behind != NULL) != on_device) fail("poison: release of memory that is none of this backend's\n");
  if (!b->live) fail("poison: a block was released twice\n");
  if (b->start != memory) fail("poison: release of memory that does not begin a block\n");
  return b;
}

/* Its addresses are kept from use for a while. */
static void retire(char *map)
{
  if (all.released[all.next]) forget(all.released[all.next]);
  all.released[all.next] = map;
  all.next = (all.next + 1) % RELEASED_MOST;
}

void rh_poison_release(void *memory)
{
  char text[256];
  if (!memory) return;
  block *b = find_to_release(memory, false);
  const char *end = b->map + b->map_bytes - all.page;
  for (const char *at = b->start + b->bytes; at < end; at++)
    if ((unsigned char)*at != PATTERN) {
      snprintf(text, sizeof text, "poison: byte %td of a block of %zu was written\n", at - b->start, b->bytes);
      fail(text);
    }
  b->live = false;
  all.live--;
  char *map = b->map;
  /* new pages that nobody may touch take the place of the old ones, whose memory goes back to the system */
  RH_ASSERT(mmap(map, b->map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == map);
  retire(map);
}

void *rh_poison_device_alloc(size_t bytes)
{
  char *const behind = rh_poison_alloc(bytes);
  if (!behind) return NULL;
  const size_t map_bytes = (bytes + all.page - 1) / all.page * all.page + all.page;
  char *map = mmap(NULL, map_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) {
    rh_poison_release(behind);
    return NULL;
  }
  insert((block){map, map_bytes, map, bytes, true, behind});
  return map;
}

void rh_poison_device_release(void *memory)
{
  if (!memory) return;
  block *b = find_to_release(memory, true);
  rh_poison_release(b->behind);
  b = find(memory); /* the list may have moved */
  b->live = false;
  retire(b->map);
}

void *rh_poison_device_memory(const char *operation, const char *argument, const void *address, int64_t bytes)
{
  char text[256];
  const block *b = find(address);
  if (!address) return NULL;
  if (!b || !b->behind) {
    snprintf(text, sizeof text, "poison: %s: %s lies in the program's memory, not on the device\n", operation,
             argument);
    fail(text);
  }
  rh_poison_check(operation, argument, address, bytes);
  return b->behind + ((const char *)address - b->start);
}

void rh_poison_check_of_program(const char *operation, const char *argument, const void *address)
{
  char text[256];
  const block *b = find(address);
  if (!b || !b->behind) return;
  snprintf(text, sizeof text, "poison: %s: %s lies on the device, not in the program's memory\n", operation, argument);
  fail(text);
}

void rh_poison_check(const char *operation, const char *argument, const void *from, int64_t bytes)
{
  char text[256];
  const block *b = bytes > 0 ? find(from) : NULL;
  if (!b) return;
  const int64_t at = (const char *)from - b->start;
  const char *what = NULL;
  if (!b->live) what = "lies in a block that was released";
  if (b->live && (at < 0 || at + bytes > (int64_t)b->bytes)) what = "reaches outside its block";
  if (!what) return;
  snprintf(text, sizeof text, "poison: %s: %s, %" PRId64 " bytes from byte %" PRId64 " of a block of %zu, %s\n",
           operation, argument, bytes, at, b->bytes, what);
  fail(text);
}

int64_t rh_poison_live(void)
{
  return all.live;
}
