/* What quantisers share: the numbers they round with, and what they ask of a segment. */
#include "dither.h"
#include "extent.h"

#include <float.h>

#include "bits.h"
#include "quantisers.h"
#include "segment.h"

static uint64_t rotated(uint64_t x, int k)
{
  return x << k | x >> (64 - k);
}

/* One generator of 64 bits as its authors write it. */
static uint64_t next_scalar(uint64_t s[2])
{
  const uint64_t result = rotated(s[0] + s[1], 17) + s[0];
  s[1] ^= s[0];
  s[0] = rotated(s[0], 49) ^ s[1] ^ s[1] << 21;
  s[1] = rotated(s[1], 28);
  return result;
}

/* The first numbers of state {1, 2}, made by others with the authors' reference (tests of the Rust crate rand_xoshiro);
 * beside it, lanes of other states follow the scalar generator. */
static void generators_give_the_published_numbers(void **state)
{
  (void)state;
  static const uint64_t published[] = {393217,
                                       669327710093319,
                                       1732421326133921491U,
                                       11394790081659126983U,
                                       9555452776773192676U,
                                       3586421180005889563U,
                                       1691397964866707553U,
                                       10735626796753111697U,
                                       15216282715349408991U,
                                       14247243556711267923U};
  rh_dither d = {.a = {1, 2, 3, 4, 5, 6, 7, 8}, .b = {2, 9, 8, 7, 6, 5, 4, 3}};
  uint64_t lanes[8][2];
  for (int k = 0; k < 8; k++) {
    lanes[k][0] = d.a[k];
    lanes[k][1] = d.b[k];
  }
  for (size_t n = 0; n < RH_COUNT(published); n++) {
    uint8_t bytes[RH_DITHERS];
    rh_dither_next(&d, bytes);
    uint64_t words[8];
    memcpy(words, bytes, sizeof words);
    assert_true(words[0] == published[n]);
    for (int k = 0; k < 8; k++)
      assert_true(words[k] == next_scalar(lanes[k]));
  }
}

/* 2^k + w is exact, w's first 23 - k bits, and below 2^k + 1. */
static void shared_part_is_exact_above_any_power(void **state)
{
  (void)state;
  static const int32_t shares[] = {0, 1, 255, 65536, 0x800000, 0xABCDEF, 0xFFFFFF};
  for (size_t n = 0; n < RH_COUNT(shares); n++)
    for (int k = 0; k <= 15; k++) {
      const rh_dither d = {.shared = shares[n]};
      const double w = (double)shares[n] * 0x1p-24, above = (double)rh_dither_above(&d, k);
      assert_true((double)rh_dither_shared(&d) == w);
      assert_true(above == ldexp(1, k) + floor(ldexp(w, 23 - k)) * ldexp(1, k - 23));
      assert_true(above < ldexp(1, k) + 1);
    }
}

/* Messages of qsgd, value by value from the formula: scalar generators, floors in f64, bits packed one by one. */
static void qsgd_messages_follow_the_formula(void **state)
{
  (void)state;
  enum { N = 1000, BUCKET = 512 };
  const int64_t length = N;
  const rh_layout layout = {1, &length, &length, N};
  float x[N];
  uint8_t wire[WIRE], codes[N];
  fill(x, N, RANDOM);
  for (int bits = 2; bits <= 8; bits++) {
    const char text[2] = {(char)('0' + bits), 0};
    const variant v = {&rh_compressor_qsgd, "compress.bits", text, NULL, NULL};
    void *options = options_new(&v);
    encode(&rh_compressor_qsgd, options, &layout, 0, 0, x, wire);
    rh_rng rng = rh_rng_stream(1, RH_PURPOSE_TEST, 0, 0);
    uint32_t seeds[33];
    for (int k = 0; k < 33; k++)
      seeds[k] = rh_rng_u32(&rng);
    uint64_t lanes[8][2], draws[8];
    for (int k = 0; k < 8; k++)
      for (int half = 0; half < 2; half++)
        lanes[k][half] = (uint64_t)seeds[16 * half + 2 * k + 1] << 32 | seeds[16 * half + 2 * k];
    const double up = ldexp(1, bits + 7) + floor(ldexp(seeds[32] >> 8, -8 - bits)) * ldexp(1, bits - 16);
    const uint8_t *at = wire;
    for (int first = 0; first < N; first += BUCKET) {
      const int n = N - first < BUCKET ? N - first : BUCKET;
      float norm;
      memcpy(&norm, at, 4);
      assert_true(fabs((double)norm - norm_of(x + first, n)) <= 0x1p-22 * (double)norm);
      rh_bits_unpack(at + 4, n, bits, codes);
      at += 4 + rh_bits_bytes(n, bits);
      const float scale = (float)(256 * ((1 << (bits - 1)) - 1)) / norm;
      for (int i = 0; i < n; i++) {
        for (int k = 0; i % RH_DITHERS == 0 && k < 8; k++)
          draws[k] = next_scalar(lanes[k]);
        const int draw = (int)(draws[i % RH_DITHERS / 8] >> 8 * (i % 8) & 255);
        const float raised = x[first + i] * scale + (float)up; /* rounded to f32, as it is there */
        const int level = (int)floor((floor((double)raised) + draw) / 256) - (1 << (bits - 1));
        assert_int_equal(codes[i], level < 0 ? -level | 1 << (bits - 1) : level);
      }
    }
    free(options);
  }
}

/* Lengths around the rows and lanes that sums are made of, and sizes up to where squares leave f32's range. */
static void segments_are_measured(void **state)
{
  (void)state;
  static const int lengths[] = {1, 15, 63, 64, 65, 1000, 1023, 1024, 1025, 1500};
  static const float sizes[] = {1, 1e-12F, 1e-19F, 1e-30F, 1e-44F, 1e15F, 1e19F, 1e30F, FLT_MAX / 8};
  float x[MOST];
  for (size_t l = 0; l < RH_COUNT(lengths); l++)
    for (size_t k = 0; k < RH_COUNT(sizes); k++) {
      const int n = lengths[l];
      double squares = 0, absolute = 0, low = INFINITY, high = -INFINITY;
      fill(x, n, RANDOM);
      for (int i = 0; i < n; i++) {
        x[i] *= sizes[k];
        squares += (double)x[i] * (double)x[i];
        absolute += fabs((double)x[i]);
        low = fmin(low, (double)x[i]);
        high = fmax(high, (double)x[i]);
      }
      float lo, hi;
      assert_true(rh_extent(x, n, &lo, &hi));
      assert_true((double)lo == low && (double)hi == high);
      /* lanes of 16 squares and four sums of them: 21 roundings of f32 at most */
      assert_true(fabs(rh_segment_squares(x, n) - squares) <= squares * 21 * 0x1p-24);
      const rh_magnitudes m = rh_segment_magnitudes(x, n);
      assert_true(m.squares == rh_segment_squares(x, n) && (double)m.largest == fmax(-low, high));
      assert_true(fabs(rh_segment_absolute(x, n) - absolute) <= absolute * 1e-12);
      for (int place = 0; place < n; place += n / 3 + 1) {
        const float kept = x[place];
        x[place] = NAN;
        assert_false(rh_extent(x, n, &lo, &hi));
        assert_true(isnan(rh_segment_squares(x, n)) && isnan(rh_segment_magnitudes(x, n).largest));
        x[place] = -INFINITY;
        assert_false(rh_extent(x, n, &lo, &hi));
        assert_true(isinf(rh_segment_squares(x, n)) && isinf(rh_segment_magnitudes(x, n).largest));
        x[place] = kept;
      }
    }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(generators_give_the_published_numbers),
      cmocka_unit_test(shared_part_is_exact_above_any_power),
      cmocka_unit_test(qsgd_messages_follow_the_formula),
      cmocka_unit_test(segments_are_measured),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
