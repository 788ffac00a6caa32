/* Inputs and calls shared by the tests of quantisers. */
#ifndef QUANTISERS_H
#define QUANTISERS_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "compressor.h"

enum { MOST = 2048, WIRE = 3 * 4 * MOST };

/* A compressor with one or two options set. */
typedef struct variant {
  const rh_compressor *compressor;
  const char *key, *value, *key2, *value2;
} variant;

static const variant variants[] = {
    {&rh_compressor_fp16, NULL, NULL, NULL, NULL},
    {&rh_compressor_bf16, NULL, NULL, NULL, NULL},
    {&rh_compressor_int8, NULL, NULL, NULL, NULL},
    {&rh_compressor_int8, "compress.rounding", "nearest", NULL, NULL},
    {&rh_compressor_int, "compress.bits", "1", NULL, NULL},
    {&rh_compressor_int, "compress.bits", "3", "compress.rounding", "nearest"},
    {&rh_compressor_int, "compress.bits", "4", NULL, NULL},
    {&rh_compressor_int, "compress.bits", "8", "compress.rounding", "nearest"},
    {&rh_compressor_terngrad, NULL, NULL, NULL, NULL},
    {&rh_compressor_terngrad, "compress.clip", "0", NULL, NULL},
    {&rh_compressor_sign, NULL, NULL, NULL, NULL},
    {&rh_compressor_ef_sign, NULL, NULL, NULL, NULL},
    {&rh_compressor_cosine, NULL, NULL, NULL, NULL},
    {&rh_compressor_cosine, "compress.bits", "1", NULL, NULL},
    {&rh_compressor_cosine, "compress.bits", "3", NULL, NULL},
    {&rh_compressor_cosine, "compress.bits", "6", NULL, NULL},
};

static inline void *options_new(const variant *v)
{
  const rh_compressor *c = v->compressor;
  rh_settings settings = {0};
  if (v->key) rh_settings_set(&settings, v->key, v->value, "test", NULL);
  if (v->key2) rh_settings_set(&settings, v->key2, v->value2, "test", NULL);
  void *options = calloc(1, c->options_size + 1);
  assert_non_null(options);
  assert_int_equal(rh_option_read(c->options, c->option_count, "compress", &settings, options), RH_OK);
  rh_settings_clear(&settings);
  return options;
}

static inline int bits_of(const variant *v)
{
  return v->key && strcmp(v->key, "compress.bits") == 0 ? (int)(v->value[0] - '0') : 8;
}

static inline bool is_nearest(const variant *v)
{
  return (v->key && strcmp(v->value, "nearest") == 0) || (v->key2 && strcmp(v->value2, "nearest") == 0);
}

/* Encodes with the stream (1, test, rank, step) into wire [WIRE], and checks that nothing was written behind the bound.
 */
static inline int64_t encode(const rh_compressor *c, const void *options, const rh_layout *layout, uint32_t rank,
                             uint64_t step, const float *x, uint8_t *wire)
{
  rh_coding coding = {.options = options, .layout = layout, .rng = rh_rng_stream(1, RH_PURPOSE_TEST, rank, step)};
  const int64_t bound = c->bound_bytes(options, layout);
  assert_true(bound + 16 <= WIRE);
  memset(wire + bound, 0xA5, 16);
  const int64_t bytes = c->encode(&coding, x, NULL, wire);
  assert_true(bytes >= 0 && bytes <= bound);
  for (int i = 0; i < 16; i++)
    assert_int_equal(wire[bound + i], 0xA5);
  return bytes;
}

static inline void decode(const rh_compressor *c, const void *options, const rh_layout *layout, const uint8_t *wire,
                          int64_t bytes, float *y)
{
  rh_coding coding = {.options = options, .layout = layout};
  c->decode(&coding, wire, bytes, y);
}

enum kind { RANDOM, SPARSE, CONSTANT, DENORMAL, HUGE_VALUES, ZEROS, SHIFTED, KINDS };

static inline void fill(float *x, int64_t n, int kind)
{
  rh_rng rng = rh_rng_stream(77, RH_PURPOSE_TEST, (uint32_t)kind, 0);
  for (int64_t i = 0; i < n; i++) {
    const double z = rh_rng_normal(&rng);
    switch (kind) {
    case RANDOM:
      x[i] = (float)z;
      break;
    case SPARSE:
      x[i] = i % 17 == 3 ? (float)z : 0;
      break;
    case CONSTANT:
      x[i] = -0.3F;
      break;
    case DENORMAL:
      x[i] = (float)(z * 1e-41);
      break;
    case HUGE_VALUES:
      x[i] = (float)(fmax(fmin(z, 3), -3) * 1e38);
      break;
    case SHIFTED:
      x[i] = 1000 + (float)z * 0.001F;
      break;
    default:
      x[i] = 0;
    }
  }
}

static inline double norm_of(const float *x, int64_t n)
{
  double sum = 0;
  for (int64_t i = 0; i < n; i++)
    sum += (double)x[i] * (double)x[i];
  return sqrt(sum);
}

#endif
