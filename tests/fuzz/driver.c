/* Stands in for libFuzzer where the compiler has none: every file of the corpus, then blind mutations of them for some
 * seconds. With a number of mutations, which is reached before, a fast machine tries no others than a slow one. The
 * input at work is in a file of this process's own, fuzz-input-PID, which a crash leaves behind: a name that several
 * targets side by side shared would let one cut off what another has mapped.
 *
 *     fuzz_study CORPUS SECONDS [SEED [MUTATIONS]]     a corpus is a folder, or one file to repeat
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>

#include "fuzz.h"

enum { SIZE_MAX_BYTES = 1 << 16, INPUTS_MAX = 256, HANG_S = 20 };

typedef struct input {
  uint8_t *data;
  size_t size;
} input;

static input inputs[INPUTS_MAX];
static size_t input_count;
static uint8_t *current;
static int current_fd;
static uint64_t state;

static uint64_t draw(uint64_t below)
{
  state ^= state << 13; /* Marsaglia's xorshift64: this repeats, and needs to be no better */
  state ^= state >> 7;
  state ^= state << 17;
  return state % below;
}

static void run(size_t size)
{
  /* of this process's own seconds: a machine may have much else to do */
  static const struct itimerval hang = {.it_value = {.tv_sec = HANG_S}}, none = {0};
  memset(current + size, 0, SIZE_MAX_BYTES - size); /* what is left behind is the input and zeros */
  uint8_t *copy = malloc(size ? size : 1); /* of exactly this size, so that a sanitizer sees what is read behind it */
  if (!copy) abort();
  memcpy(copy, current, size);
  setitimer(ITIMER_PROF, &hang, NULL);
  (void)LLVMFuzzerTestOneInput(copy, size);
  setitimer(ITIMER_PROF, &none, NULL);
  free(copy);
}

static void load(const char *path)
{
  struct stat info;
  FILE *file = fopen(path, "rb");
  if (!file || fstat(fileno(file), &info) != 0 || !S_ISREG(info.st_mode) || input_count == INPUTS_MAX) {
    if (file) fclose(file);
    return;
  }
  input *i = &inputs[input_count++];
  i->data = malloc(SIZE_MAX_BYTES);
  if (!i->data) abort();
  i->size = fread(i->data, 1, SIZE_MAX_BYTES, file);
  fclose(file);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
  return strcmp((*a)->d_name, (*b)->d_name);
}

static void load_all(const char *path)
{
  struct dirent **entries = NULL;
  const int count = scandir(path, &entries, NULL, by_name);
  if (count < 0) load(path);
  for (int i = 0; i < count; i++) {
    char name[1024];
    snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
    load(name);
    free(entries[i]);
  }
  free(entries);
}

/* One change in place. Returns the new size. */
static size_t mutate(size_t size)
{
  static const char *const tokens[] = {"{",     "}",
                                       "[",     "]",
                                       ":",     ",",
                                       "\"",    "\n",
                                       "1e999", "-1",
                                       "..",    "9223372036854775807",
                                       "null",  "\xff\xff\xff\xff",
                                       "&a",    "*a",
                                       "0",     "\t",
                                       "%s%n",  "\\",
                                       "# "};
  const size_t at = size ? draw(size) : 0;
  size_t length;
  switch (draw(6)) {
  case 0:
    if (size) current[at] ^= (uint8_t)(1u << draw(8));
    return size;
  case 1:
    if (size) current[at] = (uint8_t)draw(256);
    return size;
  case 2:
    return at; /* cut off */
  case 3: {    /* a piece of another input */
    const input *other = &inputs[draw(input_count)];
    const size_t from = other->size ? draw(other->size) : 0;
    length = other->size > from ? 1 + draw(other->size - from) : 0;
    if (at + length > SIZE_MAX_BYTES) length = SIZE_MAX_BYTES - at;
    memcpy(current + at, other->data + from, length);
    return at + length > size ? at + length : size;
  }
  case 4: /* leave a piece out */
    length = size ? draw(size - at) : 0;
    memmove(current + at, current + at + length, size - at - length);
    return size - length;
  default: { /* put a token in */
    const char *token = tokens[draw(sizeof tokens / sizeof *tokens)];
    length = strlen(token);
    if (size + length > SIZE_MAX_BYTES) return size;
    memmove(current + at + length, current + at, size - at);
    memcpy(current + at, token, length);
    return size + length;
  }
  }
}

int main(int argc, char **argv)
{
  if (argc < 3) {
    fprintf(stderr, "usage: %s CORPUS SECONDS [SEED [MUTATIONS]]\n", argv[0]);
    return 2;
  }
#ifndef RH_SANITIZED /* whose shadow memory is larger than any limit */
  const struct rlimit limit = {(rlim_t)4 << 30, (rlim_t)4 << 30};
  setrlimit(RLIMIT_AS, &limit);
#endif
  state = argc > 3 ? strtoull(argv[3], NULL, 10) | 1 : (uint64_t)time(NULL) * 2654435761u | 1;
  const double end_s = (double)time(NULL) + strtod(argv[2], NULL);
  const long mutations = argc > 4 ? strtol(argv[4], NULL, 10) : LONG_MAX / 2;
  char input_path[64];
  snprintf(input_path, sizeof input_path, "fuzz-input-%ld", (long)getpid());
  current_fd = open(input_path, O_RDWR | O_CREAT | O_TRUNC, 0666);
  if (current_fd < 0 || ftruncate(current_fd, SIZE_MAX_BYTES) != 0) return 2;
  current = mmap(NULL, SIZE_MAX_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, current_fd, 0);
  if (current == MAP_FAILED) return 2;
  printf("seed %llu\n", (unsigned long long)state);
  fflush(stdout);
  load_all(argv[1]);
  if (input_count == 0) {
    fprintf(stderr, "%s: no corpus\n", argv[1]);
    return 2;
  }
  long runs = 0;
  for (size_t i = 0; i < input_count; i++, runs++) {
    memcpy(current, inputs[i].data, inputs[i].size);
    run(inputs[i].size);
  }
  for (const long most = runs + mutations; runs < most && (double)time(NULL) < end_s; runs++) {
    const input *from = &inputs[draw(input_count)];
    size_t size = from->size;
    memcpy(current, from->data, size);
    for (uint64_t changes = 1 + draw(4); changes > 0; changes--)
      size = mutate(size);
    run(size);
  }
  printf("%ld inputs of %zu in the corpus\n", runs, input_count);
  unlink(input_path);
  for (size_t i = 0; i < input_count; i++)
    free(inputs[i].data);
  return 0;
}
