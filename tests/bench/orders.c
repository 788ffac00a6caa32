/* See orders.h. Rings are calculated (sim/time/skipping/fluid.h), which takes no time and knows each transfer. */
#include "orders.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "collectives.h"
#include "fluid.h"

static int compare_digits(const void *a, const void *b)
{
  char x[16], y[16];
  snprintf(x, sizeof x, "%d", *(const int *)a);
  snprintf(y, sizeof y, "%d", *(const int *)b);
  return strcmp(x, y);
}

static int reversed_bits(int value, int bits)
{
  int result = 0;
  for (int i = 0; i < bits; i++)
    result |= (value >> i & 1) << (bits - 1 - i);
  return result;
}

/* splitmix64 (Steele, Lea & Flood, OOPSLA 2014) */
static uint64_t draw(uint64_t *state)
{
  uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
  z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
  z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
  return z ^ z >> 31;
}

/* Host numbers. */
static void order_hosts(const char *name, int hosts, int *order)
{
  const char *digits = strpbrk(name, "0123456789");
  const int number = digits != NULL ? atoi(digits) : 0;
  uint64_t state = (uint64_t)number;
  int bits = 0, count = 0;
  while (1 << bits < hosts)
    bits++;
  for (int i = 0; i < hosts; i++)
    order[i] = *name == 'b' ? reversed_bits(i, bits) : i;
  for (int first = 0; strncmp(name, "stride", 6) == 0 && first < number; first++)
    for (int i = first; i < hosts; i += number)
      order[count++] = i;
  if (*name == 'n') qsort(order, (size_t)hosts, sizeof *order, compare_digits);
  const bool random = *name == 'r';
  const int swaps = random ? hosts - 1 : strncmp(name, "swap", 4) == 0 ? number : 0;
  for (int k = 0; k < swaps; k++) {
    const int i = random ? hosts - 1 - k : (int)(draw(&state) % (uint64_t)hosts);
    const int j = (int)(draw(&state) % (uint64_t)(random ? i + 1 : hosts)), moved = order[i];
    order[i] = order[j];
    order[j] = moved;
  }
}

char *orders_file(const char *name, int hosts, const char *prefix)
{
  char *path = strdup("/tmp/bench-order-XXXXXX");
  const int fd = path != NULL ? mkstemp(path) : -1;
  FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
  int *order = malloc((size_t)hosts * sizeof *order);
  if (file == NULL || order == NULL) exit(1);
  order_hosts(name, hosts, order);
  for (int i = 0; i < hosts; i++)
    fprintf(file, "%s%d\n", prefix, order[i]);
  free(order);
  fclose(file);
  return path;
}

enum { LONGEST_PERIOD = 64, STEPS_ALIKE = 48 };

/* When all ranks begin each step. */
typedef struct step_times {
  double *start_s; /* [N, steps] */
  int64_t steps;
} step_times;

static void note_start(void *context, const fluid *fluid, const fluid_transfer *t)
{
  (void)fluid;
  step_times *times = context;
  times->start_s[t->from * times->steps + t->step] = t->start_s;
}

/* The time of the whole. */
static double flow(const fluid_def *def)
{
  fluid *f = fluid_new(def);
  const double *end_s = fluid_until(f, fluid_marks(f) - 1);
  double last_s = 0;
  for (int32_t p = 0; p < def->collective->size; p++)
    last_s = fmax(last_s, end_s[p]);
  fluid_free(f);
  return last_s;
}

/* Has everybody begun step k the same time after step k - period, to 1e-10 of it? */
static bool repeats(const step_times *t, int32_t N, int64_t k, int64_t period)
{
  const double span_s = t->start_s[k] - t->start_s[k - period];
  for (int32_t p = 1; p < N; p++) {
    const double *mine = t->start_s + p * t->steps + k;
    if (!(fabs(mine[0] - mine[-period] - span_s) <= 1e-10 * span_s)) return false;
  }
  return true;
}

/* The longest run of steps that repeat, with the shortest period that has one. */
static void tell_settling(const step_times *t, int32_t N)
{
  for (int64_t period = 1; period <= LONGEST_PERIOD; period++) {
    int64_t from = 0, count = 0, run = 0;
    for (int64_t k = period; k < t->steps; k++) {
      run = repeats(t, N, k, period) ? run + 1 : 0;
      if (run > count) count = run, from = k - run + 1;
    }
    if (count < STEPS_ALIKE) continue;
    printf("period %lld from step %lld to %lld of %lld", (long long)period, (long long)from, (long long)(from + count),
           (long long)t->steps);
    return;
  }
  printf("never settles");
}

/* One order: what a fluid (sim/time/skipping/fluid.h) makes of a ring, and of the same with other roundings. */
static void tell_order(rh_platform *platform, int32_t N, int64_t bytes, const char *name)
{
  int *order = malloc((size_t)N * sizeof *order);
  order_hosts(name, N, order);
  const rh_collective c = {
      .kind = rh_collective_find("allreduce-ring"), .size = N, .group = order, .bytes = bytes, .element_bytes = 4};
  step_times once = {.steps = c.kind->steps(&c)}, again = once;
  const size_t size = (size_t)N * (size_t)once.steps;
  once.start_s = calloc(size, sizeof *once.start_s);
  again.start_s = calloc(size, sizeof *again.start_s);
  double *enter_s = calloc((size_t)N, sizeof *enter_s), apart_s = 0;
  fluid_def def = {.collective = &c, .platform = platform, .enter_s = enter_s, .visit = note_start, .context = &once};
  if (!fluid_knows(&c, platform)) exit(1);
  const clock_t began = clock();
  const double last_s = flow(&def), cpu_s = (double)(clock() - began) / CLOCKS_PER_SEC;
  def.context = &again;
  def.rounding_s = 1e-17; /* of a clock of .1 s */
  const double other_s = flow(&def);
  for (size_t i = 0; i < size; i++)
    apart_s = fmax(apart_s, fabs(once.start_s[i] - again.start_s[i]));
  printf("  %-10s %.6g s: ", name, last_s);
  tell_settling(&once, N);
  printf("; other roundings move steps by %.1e of all, the end by %.1e; calculated in %.2f s\n", apart_s / last_s,
         fabs(other_s - last_s) / last_s, cpu_s);
  fflush(stdout);
  free(again.start_s);
  free(once.start_s);
  free(enter_s);
  free(order);
}

/* When rings settle on a platform, order by order. */
rh_status orders_tell(const char *file, int32_t N)
{
  static const char *const names[] = {"stride 1", "stride 2",  "stride 4",  "stride 8", "stride 16", "stride 32",
                                      "stride 7", "stride 31", "stride 33", "bits",     "swap 1",    "swap 4",
                                      "swap 32",  "names",     "random 1",  "random 2"};
  rh_platform *platform;
  rh_status status;
  RH_TRY(rh_platform_load(&(rh_platform_def){.file = file, .workers = N}, &platform));
  printf("%s, ring all-reduce of 100 MB, %d hosts\n", file, (int)N);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    tell_order(platform, N, 100000000, names[i]);
done:
  return status;
}
