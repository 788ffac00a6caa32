/* One compressor with its options and buffers, for tests of sparsifiers. */
#ifndef SPARSE_RIG_H
#define SPARSE_RIG_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "compressor.h"
#include "index.h"

typedef struct rig {
  const rh_compressor *c;
  rh_layout layout;
  void *options, *scratch;
  float *state;
  uint8_t *wire;
  int64_t bound;
  double momentum;
} rig;

/* Options as "key=value key=value". */
static inline void *options_new(const rh_compressor *c, const char *text)
{
  rh_settings settings = {0};
  char copy[256], *rest = copy;
  snprintf(copy, sizeof copy, "%s", text);
  for (char *word; (word = strsep(&rest, " ")) != NULL;) {
    char key[64], *value = strchr(word, '=');
    if (!value) continue;
    *value = 0;
    snprintf(key, sizeof key, "compress.%s", word);
    rh_settings_set(&settings, key, value + 1, "test", NULL);
  }
  void *options = calloc(1, c->options_size + 1);
  assert_int_equal(rh_option_read(c->options, c->option_count, "compress", &settings, options), RH_OK);
  rh_option_group group = {c->options, c->option_count};
  assert_int_equal(rh_option_check_known(&group, 1, "compress", &settings), RH_OK);
  rh_settings_clear(&settings);
  return options;
}

static inline rig rig_new(const rh_compressor *c, const char *text, rh_layout layout)
{
  rig r = {.c = c, .layout = layout, .options = options_new(c, text)};
  const size_t scratch = (size_t)(c->scratch_bytes ? c->scratch_bytes(r.options, &r.layout) : 0);
  r.bound = c->bound_bytes(r.options, &r.layout);
  r.scratch = aligned_alloc(64, (scratch + 63) / 64 * 64 + 64);
  r.state = calloc((size_t)(c->state_values ? c->state_values(r.options, &r.layout) : 0) + 1, sizeof *r.state);
  r.wire = malloc((size_t)r.bound + 8);
  return r;
}

static inline void rig_free(rig *r)
{
  free(r->options);
  free(r->scratch);
  free(r->state);
  free(r->wire);
}

static inline rh_coding rig_coding(const rig *r, uint32_t rank, int64_t step)
{
  return (rh_coding){.options = r->options,
                     .layout = &r->layout,
                     .rng = rh_rng_stream(1, RH_PURPOSE_TEST, rank, (uint64_t)step),
                     .shared = rh_rng_stream(1, RH_PURPOSE_SHARED, 0, (uint64_t)step),
                     .step = step,
                     .momentum = r->momentum,
                     .scratch = r->scratch};
}

/* Encodes x and decodes it into y; returns the length, which is within the bound. */
static inline int64_t rig_send(rig *r, uint32_t rank, int64_t step, const float *x, float *y)
{
  rh_coding coding = rig_coding(r, rank, step);
  memset(r->wire, 0xA5, (size_t)r->bound + 8);
  const int64_t bytes = r->c->encode(&coding, x, r->state, r->wire);
  assert_true(bytes <= r->bound);
  for (int i = 0; i < 8; i++)
    assert_int_equal(r->wire[r->bound + i], 0xA5);
  coding = rig_coding(r, rank, step);
  r->c->decode(&coding, r->wire, bytes, y);
  return bytes;
}

static inline double squares(const float *x, int64_t n)
{
  double sum = 0;
  for (int64_t i = 0; i < n; i++)
    sum += (double)x[i] * x[i];
  return sum;
}

/* |x - y|^2 */
static inline double distance(const float *x, const float *y, int64_t n)
{
  double sum = 0;
  for (int64_t i = 0; i < n; i++)
    sum += ((double)x[i] - y[i]) * ((double)x[i] - y[i]);
  return sum;
}

static inline void fill(float *x, int64_t n, uint64_t seed)
{
  rh_rng rng = rh_rng_stream(seed, RH_PURPOSE_TEST, 0, 0);
  for (int64_t i = 0; i < n; i++)
    x[i] = (float)rh_rng_normal(&rng);
}

#endif
