/* Compressors: what is decoded, how long messages are, and the claims of each. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "compressor.h"

/* Options of a compressor from "key=value" pairs. */
static void *options_new(const rh_compressor *c, const char *bits, const char *bucket)
{
  rh_settings settings = {0};
  if (bits) rh_settings_set(&settings, "compress.bits", bits, "test", NULL);
  if (bucket) rh_settings_set(&settings, "compress.bucket", bucket, "test", NULL);
  void *options = calloc(1, c->options_size + 1);
  assert_int_equal(rh_option_read(c->options, c->option_count, "compress", &settings, options), RH_OK);
  rh_settings_clear(&settings);
  return options;
}

/* Encodes and decodes through a coding of these options; the stream is (seed 1, test, rank, step). */
static int64_t encode(const rh_compressor *c, const void *options, const rh_layout *layout, uint32_t rank,
                      uint64_t step, const float *x, uint8_t *wire)
{
  rh_coding coding = {.options = options, .layout = layout, .rng = rh_rng_stream(1, RH_PURPOSE_TEST, rank, step)};
  return c->encode(&coding, x, NULL, wire);
}

static void decode(const rh_compressor *c, const void *options, const rh_layout *layout, const uint8_t *wire,
                   int64_t bytes, float *x)
{
  rh_coding coding = {.options = options, .layout = layout};
  c->decode(&coding, wire, bytes, x);
}

static void fill(float *x, int64_t n, uint64_t seed)
{
  rh_rng rng = rh_rng_stream(seed, RH_PURPOSE_TEST, 0, 0);
  for (int64_t i = 0; i < n; i++)
    x[i] = (float)rh_rng_normal(&rng);
}

static void none_is_a_copy(void **state)
{
  (void)state;
  int64_t lengths[] = {3, 0, 5};
  rh_layout layout = {3, lengths, lengths, 8};
  float x[8], y[8];
  uint8_t wire[32];
  fill(x, 8, 1);
  assert_int_equal(encode(&rh_compressor_none, NULL, &layout, 0, 0, x, wire), 32);
  decode(&rh_compressor_none, NULL, &layout, wire, 32, y);
  assert_memory_equal(x, y, sizeof x);
}

/* Length of the wire format's formula, bucket by bucket, written without the compressor's own arithmetic. */
static int64_t length_by_hand(const int64_t *lengths, int count, int64_t bits, int64_t bucket)
{
  int64_t bytes = 0;
  for (int s = 0; s < count; s++)
    for (int64_t left = lengths[s]; left > 0;) {
      int64_t n = bucket > 0 && bucket < left ? bucket : left;
      bytes += 4 + (n * bits + 7) / 8;
      left -= n;
    }
  return bytes;
}

static void qsgd_length_is_the_formula_and_levels_are_on_the_grid(void **state)
{
  (void)state;
  static const char *const bits_texts[] = {"2", "3", "4", "5", "6", "7", "8"}, *const buckets[] = {"0", "1", "7",
                                                                                                   "512"};
  int64_t lengths[] = {200, 8, 1, 0, 1500};
  rh_layout layout = {5, lengths, lengths, 1709};
  float x[1709], y[1709];
  uint8_t *wire = malloc(20000);
  fill(x, 1709, 2);
  for (size_t b = 0; b < RH_COUNT(bits_texts); b++) {
    for (size_t k = 0; k < RH_COUNT(buckets); k++) {
      void *options = options_new(&rh_compressor_qsgd, bits_texts[b], buckets[k]);
      int64_t bits = atol(bits_texts[b]), bucket = atol(buckets[k]);
      int64_t bytes = encode(&rh_compressor_qsgd, options, &layout, 3, 0, x, wire);
      assert_int_equal(bytes, length_by_hand(lengths, 5, bits, bucket));
      assert_int_equal(bytes, rh_compressor_qsgd.bound_bytes(options, &layout));
      decode(&rh_compressor_qsgd, options, &layout, wire, bytes, y);
      double levels = (double)((1 << (bits - 1)) - 1);
      int64_t n = bucket > 0 ? bucket : 200; /* the first bucket */
      n = n < 200 ? n : 200;
      double norm = 0;
      for (int64_t i = 0; i < n; i++)
        norm += (double)x[i] * x[i];
      norm = sqrt(norm);
      for (int64_t i = 0; i < n; i++) {
        double level = fabs(y[i]) / norm * levels; /* a whole number: f32 rounding of norm and step, 4 ulp of 127 */
        assert_true(fabs(level - round(level)) < 127 * 4 * 6e-8);
        assert_true(fabs(fabs(y[i]) - fabs(x[i])) <= norm / levels * (1 + 1e-6)); /* one of the two levels around it */
        assert_true(y[i] == 0 || (y[i] > 0) == (x[i] > 0));
      }
      free(options);
    }
  }
  free(wire);
}

/* |v| = 5, s = 3 levels of 3 bits: 3 is level 1.8, 4 is level 2.4; decoded values are 5/3 times a level. */
static void qsgd_by_hand(void **state)
{
  (void)state;
  int64_t lengths[] = {2};
  rh_layout layout = {1, lengths, lengths, 2};
  float x[2] = {3, -4}, y[2];
  uint8_t wire[16];
  void *options = options_new(&rh_compressor_qsgd, "3", "0");
  rh_rng same = rh_rng_stream(1, RH_PURPOSE_TEST, 0, 0);
  int level0 = (int)floor(1.8 + rh_rng_f32(&same)), level1 = (int)floor(2.4 + rh_rng_f32(&same));
  assert_int_equal(encode(&rh_compressor_qsgd, options, &layout, 0, 0, x, wire), 5);
  float norm;
  memcpy(&norm, wire, 4);
  assert_true(norm == 5.0F);
  assert_int_equal(wire[4], level0 | (level1 | 4) << 3);
  decode(&rh_compressor_qsgd, options, &layout, wire, 5, y);
  assert_true(fabs(y[0] - level0 * 5.0 / 3) < 1e-6);
  assert_true(fabs(y[1] + level1 * 5.0 / 3) < 1e-6);
  free(options);
}

/* The mean of 1e5 decoded draws equals each value to 4.5 standard errors, and the standard error is under 1 % of a
 * level; 64 values x 4 widths leave one failure in 500 seeds, and the seed is fixed. */
static void qsgd_is_unbiased(void **state)
{
  (void)state;
  enum { N = 64, DRAWS = 100000 };
  static const char *const bits_texts[] = {"2", "3", "4", "8"};
  int64_t lengths[] = {N};
  rh_layout layout = {1, lengths, lengths, N};
  float x[N], y[N];
  uint8_t wire[128];
  fill(x, N, 5);
  double norm = 0;
  for (int i = 0; i < N; i++)
    norm += (double)x[i] * x[i];
  norm = sqrt(norm);
  for (size_t b = 0; b < RH_COUNT(bits_texts); b++) {
    void *options = options_new(&rh_compressor_qsgd, bits_texts[b], "0");
    double sum[N] = {0}, squares[N] = {0}, level = norm / ((1 << (atol(bits_texts[b]) - 1)) - 1);
    for (uint64_t draw = 0; draw < DRAWS; draw++) {
      int64_t bytes = encode(&rh_compressor_qsgd, options, &layout, (uint32_t)b, draw, x, wire);
      decode(&rh_compressor_qsgd, options, &layout, wire, bytes, y);
      for (int i = 0; i < N; i++) {
        sum[i] += y[i];
        squares[i] += (double)y[i] * y[i];
      }
    }
    for (int i = 0; i < N; i++) {
      double mean = sum[i] / DRAWS, error = sqrt(fmax(squares[i] / DRAWS - mean * mean, 0) / DRAWS);
      assert_true(error < 0.01 * level);
      assert_true(fabs(mean - x[i]) < 4.5 * error + 1e-6 * level); /* a value on a level has no variance, only f32 */
    }
    free(options);
  }
}

static void qsgd_takes_odd_inputs(void **state)
{
  (void)state;
  int64_t lengths[] = {5};
  rh_layout layout = {1, lengths, lengths, 5}, empty = {0};
  float zeros[5] = {0}, tiny[5] = {1e-44F, -1e-44F, 0, 0, 0}, huge[5] = {1e38F, -1e38F, 1e38F, 0, 1}, y[5];
  uint8_t wire[64];
  void *options = options_new(&rh_compressor_qsgd, NULL, NULL);
  float *inputs[] = {zeros, tiny, huge};
  for (size_t k = 0; k < RH_COUNT(inputs); k++) {
    int64_t bytes = encode(&rh_compressor_qsgd, options, &layout, 0, k, inputs[k], wire);
    assert_int_equal(bytes, 9);
    decode(&rh_compressor_qsgd, options, &layout, wire, bytes, y);
    for (int i = 0; i < 5; i++)
      assert_true(isfinite(y[i]));
    assert_true(y[3] == 0);
  }
  assert_int_equal(encode(&rh_compressor_qsgd, options, &empty, 0, 9, NULL, wire), 0);
  assert_true(zeros[0] == 0);
  free(options);
}

/* A gradient that is not finite must stay visible: the run ends as diverged instead of training on zeros. */
static void qsgd_keeps_nan_visible(void **state)
{
  (void)state;
  int64_t lengths[] = {4};
  rh_layout layout = {1, lengths, lengths, 4};
  float x[4] = {1, NAN, 2, 3}, y[4];
  uint8_t wire[64];
  void *options = options_new(&rh_compressor_qsgd, NULL, NULL);
  int64_t bytes = encode(&rh_compressor_qsgd, options, &layout, 0, 0, x, wire);
  decode(&rh_compressor_qsgd, options, &layout, wire, bytes, y);
  assert_true(isnan(y[0]) && isnan(y[1]));
  free(options);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(none_is_a_copy),        cmocka_unit_test(qsgd_length_is_the_formula_and_levels_are_on_the_grid),
      cmocka_unit_test(qsgd_by_hand),          cmocka_unit_test(qsgd_is_unbiased),
      cmocka_unit_test(qsgd_takes_odd_inputs), cmocka_unit_test(qsgd_keeps_nan_visible),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
