/* Workers among whom PowerSGD's messages go round, for its tests. */
#ifndef RH_LOWRANK_GROUP_H
#define RH_LOWRANK_GROUP_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "compressor.h"

static const rh_compressor *const lowrank = &rh_compressor_lowrank;

/* Some workers' vectors and all that goes between them, as a run holds it. */
typedef struct group {
  rh_layout layout;
  void *options;
  int32_t workers;
  int64_t left, tail;               /* values of the two phases */
  float *x;                         /* [workers][d] */
  float *common, *own, *mean;       /* what all know; each worker's own part decoded [workers][d]; the mean [d] */
  float *sums[2], *wire, *state[8]; /* of the last round; state: of single messages */
  void *scratch;
} group;

static inline void *zeros(int64_t bytes)
{
  void *memory = aligned_alloc(64, (size_t)(bytes / 64 + 1) * 64);
  assert_non_null(memory);
  memset(memory, 0, (size_t)(bytes / 64 + 1) * 64);
  return memory;
}

static inline rh_coding coding_of(const group *g, int32_t worker, int64_t step)
{
  return (rh_coding){.options = g->options,
                     .layout = &g->layout,
                     .rng = rh_rng_stream(1, RH_PURPOSE_TEST, (uint32_t)worker, (uint64_t)step),
                     .shared = rh_rng_stream(1, RH_PURPOSE_SHARED, 0, (uint64_t)step),
                     .step = step,
                     .scratch = g->scratch};
}

static inline group group_new(rh_layout layout, int32_t workers, const char *rank, const char *warm)
{
  group g = {.layout = layout, .workers = workers};
  rh_settings settings = {0};
  if (rank) rh_settings_set(&settings, "compress.rank", rank, "test", NULL);
  if (warm) rh_settings_set(&settings, "compress.warm", warm, "test", NULL);
  g.options = zeros((int64_t)lowrank->options_size);
  assert_int_equal(rh_option_read(lowrank->options, lowrank->option_count, "compress", &settings, g.options), RH_OK);
  rh_settings_clear(&settings);
  g.left = lowrank->sum->elements(g.options, &layout, 0);
  g.tail = lowrank->sum->elements(g.options, &layout, 1);
  g.x = zeros(4 * workers * layout.values);
  g.own = zeros(4 * workers * layout.values);
  g.mean = zeros(4 * layout.values);
  g.common = zeros(4 * lowrank->sum->common_values(g.options, &layout));
  g.scratch = zeros(lowrank->scratch_bytes(g.options, &layout));
  g.sums[0] = zeros(4 * g.left);
  g.sums[1] = zeros(4 * g.tail);
  g.wire = zeros(4 * (g.left + g.tail));
  for (int i = 0; i < 8; i++)
    g.state[i] = zeros(4 * lowrank->state_values(g.options, &layout));
  rh_coding coding = coding_of(&g, -1, 0);
  lowrank->sum->start(&coding, g.common);
  return g;
}

static inline void group_free(group *g)
{
  void *const owned[] = {g->options, g->x, g->own, g->mean, g->common, g->scratch, g->sums[0], g->sums[1], g->wire};
  for (size_t i = 0; i < RH_COUNT(owned); i++)
    free(owned[i]);
  for (int i = 0; i < 8; i++)
    free(g->state[i]);
}

static inline float *x_of(const group *g, int32_t worker)
{
  return g->x + worker * g->layout.values;
}

/* Two phases: contributions, their sum, what all take from it; then own parts and the mean. */
static inline void all_reduce(group *g, int64_t step)
{
  const rh_summable *s = lowrank->sum;
  assert_int_equal(s->phases, 2);
  assert_int_equal(s->element_bytes, 4);
  for (int phase = 0; phase < 2; phase++) {
    const int64_t n = phase == 0 ? g->left : g->tail;
    memset(g->sums[phase], 0, (size_t)n * sizeof(float));
    for (int32_t i = 0; i < g->workers; i++) {
      rh_coding coding = coding_of(g, i, step);
      s->contribute(&coding, g->common, phase, x_of(g, i), g->wire);
      s->add(n, g->wire, g->sums[phase]);
      if (phase == 1) s->decode(&coding, g->common, g->wire, 1, g->own + i * g->layout.values);
    }
    rh_coding coding = coding_of(g, -1, step);
    s->take(&coding, g->common, phase, g->sums[phase], g->workers);
  }
  rh_coding coding = coding_of(g, -1, step);
  s->decode(&coding, g->common, g->sums[1], 1.0 / g->workers, g->mean);
}

/* A worker's single message there and back into g->mean; its length. */
static inline int64_t send(group *g, int32_t worker, int64_t step)
{
  rh_coding coding = coding_of(g, worker, step);
  uint8_t *wire = malloc((size_t)lowrank->bound_bytes(g->options, &g->layout) + 2);
  uint8_t *odd = wire + 1; /* messages may start anywhere */
  const int64_t bytes = lowrank->encode(&coding, x_of(g, worker), g->state[worker], odd);
  memset(g->scratch, 0xff, (size_t)lowrank->scratch_bytes(g->options, &g->layout)); /* lost between calls */
  lowrank->decode(&coding, odd, bytes, g->mean);
  free(wire);
  return bytes;
}

static inline void fill(float *x, int64_t n, uint64_t seed)
{
  rh_rng rng = rh_rng_stream(seed, RH_PURPOSE_TEST, 0, 0);
  for (int64_t i = 0; i < n; i++)
    x[i] = (float)rh_rng_normal(&rng);
}

/* x += the product of two random matrices of this rank. */
static inline void add_low_rank(float *x, int64_t m, int64_t n, int rank, uint64_t seed)
{
  float *a = zeros(4 * m * rank), *b = zeros(4 * n * rank);
  fill(a, m * rank, seed);
  fill(b, n * rank, seed + 1000);
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      double sum = 0;
      for (int k = 0; k < rank; k++)
        sum += (double)a[i * rank + k] * (double)b[j * rank + k];
      x[i * n + j] += (float)sum;
    }
  free(a);
  free(b);
}

static inline double length_of(const float *x, int64_t n)
{
  double sum = 0;
  for (int64_t i = 0; i < n; i++)
    sum += (double)x[i] * (double)x[i];
  return sqrt(sum);
}

/* |a - b| / |b| */
static inline double distance(const float *a, const float *b, int64_t n)
{
  double sum = 0;
  for (int64_t i = 0; i < n; i++)
    sum += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
  return sqrt(sum) / length_of(b, n);
}

static inline void mean_of_workers(const group *g, float *mean)
{
  for (int64_t p = 0; p < g->layout.values; p++) {
    double sum = 0;
    for (int32_t i = 0; i < g->workers; i++)
      sum += (double)x_of(g, i)[p];
    mean[p] = (float)(sum / g->workers);
  }
}

#endif
