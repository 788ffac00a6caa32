/* Quantisers: what is decoded against naive formulas in f64, lengths, odd inputs, the packing of bits. */
#include "bits.h"
#include "hash.h"
#include "quantisers.h"

static double largest_of(const float *x, int64_t n)
{
  double most = 0;
  for (int64_t i = 0; i < n; i++)
    most = fmax(most, fabs((double)x[i]));
  return most;
}

/* f32 rounding of values up to `size`: a few units in the last place, or of the smallest subnormal. */
static double slack(double size)
{
  return size * 0x1p-21 + 0x1p-148;
}

static void check_int(const variant *v, const float *x, const float *y, int64_t n)
{
  double lo = INFINITY, hi = -INFINITY;
  for (int64_t i = 0; i < n; i++) {
    lo = fmin(lo, (double)x[i]);
    hi = fmax(hi, (double)x[i]);
  }
  const double step = (hi - lo) / ((1 << bits_of(v)) - 1), eps = slack(fmax(fabs(lo), fabs(hi)));
  for (int64_t i = 0; i < n; i++) {
    /* shares of a step are resolved to 2^-16 and what f32 leaves of them */
    assert_true(fabs((double)y[i] - (double)x[i]) <= step * (is_nearest(v) ? 0.5001 : 1.0001) + eps);
    const double level = step > 0 ? ((double)y[i] - lo) / step : 0;
    assert_true(fabs(level - round(level)) * step <= eps);
    assert_true((double)y[i] >= lo && (double)y[i] <= hi);
    if (hi == lo) assert_true(y[i] == x[i]);
  }
}

static void check_terngrad(const variant *v, const float *x, const float *y, int64_t n)
{
  const double clip = v->key ? 0 : 2.5, rms = norm_of(x, n) / sqrt((double)n), most = largest_of(x, n);
  const double s = clip > 0 ? fmin(most, clip * rms) : most;
  for (int64_t i = 0; i < n; i++) {
    assert_true(y[i] == 0 || fabs(fabs((double)y[i]) - s) <= slack(s));
    assert_true(y[i] == 0 || (y[i] > 0) == (x[i] > 0));
    assert_true(x[i] != 0 || y[i] == 0);
    if (fabs((double)x[i]) >= s * 1.0001 + 0x1p-148) assert_true(y[i] != 0);
  }
}

static void check_sign(const variant *v, const float *x, const float *y, int64_t n)
{
  double sum = 0;
  for (int64_t i = 0; i < n; i++)
    sum += fabs((double)x[i]);
  const double size = v->compressor == &rh_compressor_sign ? 0.001 : sum / (double)n;
  for (int64_t i = 0; i < n; i++)
    assert_true(fabs((double)y[i] - (x[i] < 0 ? -size : size)) <= slack(size));
}

static void check_cosine(const variant *v, const float *x, const float *y, int64_t n)
{
  const double norm = norm_of(x, n), levels = (1 << bits_of(v)) - 1;
  if (norm == 0) {
    for (int64_t i = 0; i < n; i++)
      assert_true(y[i] == 0);
    return;
  }
  const double beta = acos(fmin(largest_of(x, n) / norm, 1)), step = (acos(-1) - 2 * beta) / levels;
  for (int64_t i = 0; i < n; i++) {
    const double q = (acos((double)x[i] / norm) - beta) / step, nearest = floor(q + 0.5);
    /* near the middle between two levels f32 may choose the other */
    const double other = fabs(q + 0.5 - round(q + 0.5)) < 1e-3 ? (nearest > q ? nearest - 1 : nearest + 1) : nearest;
    const double a = norm * cos(beta + nearest * step), b = norm * cos(beta + other * step),
                 eps = norm * 5e-7 + 0x1p-148;
    assert_true(fabs((double)y[i] - a) <= eps || fabs((double)y[i] - b) <= eps);
  }
}

static void check_half(const variant *v, const float *x, const float *y, int64_t n)
{
  const bool fp16 = v->compressor == &rh_compressor_fp16;
  for (int64_t i = 0; i < n; i++) {
    const double size = fabs((double)x[i]);
    if (fp16 && size >= 65520) {
      assert_true(isinf(y[i]) && (y[i] > 0) == (x[i] > 0));
      continue;
    }
    const double unit = fp16 ? fmax(size * 0x1p-11, 0x1p-25) : fmax(size * 0x1p-8, 0x1p-134);
    assert_true(fabs((double)y[i] - (double)x[i]) <= unit);
  }
}

static void check_segment(const variant *v, const float *x, const float *y, int64_t n)
{
  if (v->compressor == &rh_compressor_int8 || v->compressor == &rh_compressor_int)
    check_int(v, x, y, n);
  else if (v->compressor == &rh_compressor_terngrad)
    check_terngrad(v, x, y, n);
  else if (v->compressor == &rh_compressor_sign || v->compressor == &rh_compressor_ef_sign)
    check_sign(v, x, y, n);
  else if (v->compressor == &rh_compressor_cosine)
    check_cosine(v, x, y, n);
  else
    check_half(v, x, y, n);
}

/* Length of the message by the formulas of the headers, tensor by tensor. */
static int64_t length_by_hand(const variant *v, const int64_t *lengths, int count)
{
  const rh_compressor *c = v->compressor;
  int64_t bytes = 0, d = 0;
  for (int s = 0; s < count; s++) {
    const int64_t n = lengths[s];
    d += n;
    if (n == 0) continue;
    if (c == &rh_compressor_fp16 || c == &rh_compressor_bf16) bytes += 2 * n;
    if (c == &rh_compressor_int8) bytes += 8 + n;
    if (c == &rh_compressor_int || c == &rh_compressor_cosine) bytes += 8 + (n * bits_of(v) + 7) / 8;
    if (c == &rh_compressor_terngrad) bytes += 4 + (n + 3) / 4;
    if (c == &rh_compressor_ef_sign) bytes += 4 + (n + 7) / 8;
  }
  return c == &rh_compressor_sign && d > 0 ? 1 + (d + 7) / 8 : bytes;
}

static void messages_decode_by_the_formula_and_have_its_length(void **state)
{
  (void)state;
  static const int64_t several[] = {200, 8, 1, 0, 1500}, one[] = {1}, odd[] = {513};
  const rh_layout layouts[] = {{5, several, several, 1709}, {1, one, one, 1}, {1, odd, odd, 513}, {0}};
  float x[MOST], y[MOST];
  uint8_t *wire = malloc(WIRE), *again = malloc(WIRE);
  for (size_t k = 0; k < RH_COUNT(variants); k++) {
    const variant *v = &variants[k];
    void *options = options_new(v);
    for (size_t l = 0; l < RH_COUNT(layouts); l++) {
      for (int kind = 0; kind < KINDS; kind++) {
        const rh_layout *layout = &layouts[l];
        fill(x, layout->values, kind);
        const int64_t bytes = encode(v->compressor, options, layout, 0, 0, x, wire);
        assert_int_equal(bytes, length_by_hand(v, layout->length, layout->count));
        assert_int_equal(bytes, v->compressor->bound_bytes(options, layout));
        decode(v->compressor, options, layout, wire, bytes, y);
        for (int64_t s = 0, at = 0; s < layout->count; at += layout->length[s++])
          if (layout->length[s] > 0) check_segment(v, x + at, y + at, layout->length[s]);
        assert_int_equal(encode(v->compressor, options, layout, 0, 0, x, again), bytes);
        if (bytes > 0) assert_memory_equal(wire, again, (size_t)bytes);
      }
    }
    free(options);
  }
  free(wire);
  free(again);
}

/* Every code, the middle between two neighbours, and the floats beside it, against values made by ldexp. */
static double value_of(uint32_t code, int exponent_bits, int fraction_bits)
{
  const int exponent = (int)(code >> fraction_bits) & ((1 << exponent_bits) - 1), bias = (1 << (exponent_bits - 1)) - 1;
  const double fraction = (double)(code & ((1U << fraction_bits) - 1)), sign = code & 0x8000 ? -1 : 1;
  if (exponent == 0) return sign * ldexp(fraction, 1 - bias - fraction_bits);
  if (exponent == (1 << exponent_bits) - 1) return fraction > 0 ? (double)NAN : sign * (double)INFINITY;
  return sign * ldexp(fraction + (double)(1 << fraction_bits), exponent - bias - fraction_bits);
}

static uint16_t code_of(const rh_compressor *c, float x)
{
  const int64_t length = 1;
  const rh_layout layout = {1, &length, &length, 1};
  uint8_t wire[WIRE];
  assert_int_equal(encode(c, NULL, &layout, 0, 0, &x, wire), 2);
  return (uint16_t)(wire[0] | wire[1] << 8);
}

static void check_all_codes(const rh_compressor *c, int exponent_bits, int fraction_bits)
{
  const int64_t length = 65536;
  const rh_layout layout = {1, &length, &length, length};
  uint16_t *codes = malloc(2 * 65536), *back = malloc(2 * 65536);
  float *x = malloc(4 * 65536);
  for (uint32_t h = 0; h < 65536; h++)
    codes[h] = (uint16_t)h;
  rh_coding coding = {.layout = &layout};
  c->decode(&coding, (const uint8_t *)codes, 2 * 65536, x);
  assert_int_equal(c->encode(&coding, x, NULL, (uint8_t *)back), 2 * 65536);
  for (uint32_t h = 0; h < 65536; h++) {
    const double value = value_of(h, exponent_bits, fraction_bits);
    if (isnan(value)) {
      assert_true(isnan(x[h]) && isnan(value_of(back[h], exponent_bits, fraction_bits)));
      continue;
    }
    assert_true((double)x[h] == value && (signbit(x[h]) != 0) == (h >= 32768));
    assert_int_equal(back[h], h);
    const uint32_t next = h + 1;
    /* past the largest number the next step of the grid stands for infinity */
    if (isinf(value) || (isinf(value_of(next & 0xFFFF, exponent_bits, fraction_bits)) && fraction_bits != 10)) continue;
    const double above = isinf(value_of(next & 0xFFFF, exponent_bits, fraction_bits))
                             ? copysign(65536, value)
                             : value_of(next, exponent_bits, fraction_bits);
    const float middle = (float)((value + above) / 2);
    assert_int_equal(code_of(c, middle), h % 2 == 0 ? h : next);
    assert_int_equal(code_of(c, nextafterf(middle, (float)value)), h);
    assert_int_equal(code_of(c, nextafterf(middle, (float)above)), next);
  }
  free(codes);
  free(back);
  free(x);
}

static void halves_round_to_nearest_even_for_all_codes(void **state)
{
  (void)state;
  check_all_codes(&rh_compressor_fp16, 5, 10);
  check_all_codes(&rh_compressor_bf16, 8, 7);
}

/* Sums of halves are rounded after each addition: 2048 + 1 is a tie that falls back to 2048 in fp16, 256 + 1 in bf16;
 * 65504 + 65504 overflows and is seen; the halves of 0.1 and 0.2 add up to 1228.5 steps of 2^-12, or 153.75 of 2^-9. */
static void halves_add_in_half_precision(void **state)
{
  (void)state;
  static const rh_compressor *const halves[] = {&rh_compressor_fp16, &rh_compressor_bf16};
  static const float a[4] = {2048, 256, 65504, 0.1F}, b[4] = {1, 1, 65504, 0.2F};
  static const double expected[2][4] = {{2048, 257, INFINITY, 0.2998046875}, {2048, 256, 131072, 0.30078125}};
  const int64_t length = 4;
  const rh_layout layout = {1, &length, &length, 4};
  for (int k = 0; k < 2; k++) {
    const rh_summable *sum = halves[k]->sum;
    uint16_t wire[4], total[4];
    float y[4];
    rh_coding coding = {.layout = &layout};
    assert_int_equal(sum->elements(NULL, &layout, 0) * sum->element_bytes, 8);
    sum->contribute(&coding, NULL, 0, a, total);
    sum->contribute(&coding, NULL, 0, b, wire);
    sum->add(4, wire, total);
    sum->decode(&coding, NULL, total, 0.5, y);
    for (int i = 0; i < 4; i++)
      assert_true((double)y[i] == expected[k][i] / 2);
  }
}

/* A value that is not finite leaves one in what is decoded, wherever it stands. */
static void values_that_are_not_finite_stay_visible(void **state)
{
  (void)state;
  static const int64_t lengths[] = {40, 3, 700}, places[] = {0, 39, 41, 43, 600, 742};
  const rh_layout layout = {3, lengths, lengths, 743};
  const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
  float x[MOST], y[MOST];
  uint8_t wire[WIRE];
  for (size_t k = 0; k < RH_COUNT(variants); k++) {
    void *options = options_new(&variants[k]);
    for (size_t p = 0; p < RH_COUNT(places); p++) {
      for (size_t b = 0; b < RH_COUNT(bad); b++) {
        fill(x, 743, RANDOM);
        x[places[p]] = bad[b];
        const int64_t bytes = encode(variants[k].compressor, options, &layout, 0, 0, x, wire);
        decode(variants[k].compressor, options, &layout, wire, bytes, y);
        assert_true(!isfinite(y[places[p]]));
      }
    }
    free(options);
  }
}

static void vote_is_the_majority_and_ties_are_a_shared_coin(void **state)
{
  (void)state;
  enum { N = 1000 };
  const int64_t length = N;
  const rh_layout layout = {1, &length, &length, N};
  const variant v = {&rh_compressor_sign, "compress.magnitude", "0.1", NULL, NULL};
  void *options = options_new(&v);
  float mean[N], other[N], y[N];
  uint8_t wire[WIRE];
  for (int i = 0; i < N; i++) /* three workers' means of signs, a tie, and a tie that was not summed exactly */
    mean[i] = (float[]){0.1F, -0.1F, 0.1F / 3, -0.1F / 3, 0, 1e-9F}[i % 6];
  mean[N - 1] = NAN;
  memcpy(other, mean, sizeof mean);
  rh_coding coding = {.options = options, .layout = &layout, .shared = rh_rng_stream(3, RH_PURPOSE_TEST, 0, 0)};
  rh_coding same = coding;
  rh_compressor_sign.combine(&coding, mean);
  rh_compressor_sign.combine(&same, other);
  assert_memory_equal(mean, other, sizeof mean);
  int up = 0;
  for (int i = 0; i < N - 1; i++) {
    assert_true(fabsf(mean[i]) == 0.1F);
    if (i % 6 < 4) assert_true((mean[i] > 0) == (i % 2 == 0));
    up += i % 6 >= 4 && mean[i] > 0;
  }
  assert_in_range(up, 130, 203); /* of 333 fair coins: 4 standard deviations of 9.1 around 166.5 */
  assert_true(isnan(mean[N - 1]));
  mean[N - 1] = 0.1F;
  const int64_t bytes = encode(&rh_compressor_sign, options, &layout, 0, 0, mean, wire);
  decode(&rh_compressor_sign, options, &layout, wire, bytes, y);
  assert_memory_equal(y, mean, sizeof y); /* a server's answer takes the same form */
  free(options);
}

static void codes_are_packed_bit_by_bit(void **state)
{
  (void)state;
  uint8_t codes[700], back[700], wire[700 + 16], naive[700 + 16];
  rh_rng rng = rh_rng_stream(9, RH_PURPOSE_TEST, 0, 0);
  for (int bits = 1; bits <= 8; bits++) {
    for (int n = 0; n < 700; n += n < 40 ? 1 : 47) {
      memset(wire, 0xA5, sizeof wire);
      memset(naive, 0, sizeof naive);
      for (int i = 0; i < n; i++) {
        codes[i] = (uint8_t)rh_rng_below(&rng, 1U << bits);
        for (int b = 0; b < bits; b++)
          naive[(i * bits + b) / 8] |= (uint8_t)((codes[i] >> b & 1) << (i * bits + b) % 8);
      }
      const int64_t bytes = rh_bits_bytes(n, bits);
      memset(naive + bytes, 0xA5, 16); /* nothing is written behind */
      rh_bits_pack(codes, n, bits, wire);
      assert_memory_equal(wire, naive, (size_t)bytes + 16);
      rh_bits_unpack(wire, n, bits, back);
      if (n > 0) assert_memory_equal(back, codes, (size_t)n);
    }
  }
}

/* Hashes of each variant's message, in the order of `variants`, of the build with AVX-512: every instruction set, and a
 * build without any choice of them, makes the same bits. */
static void messages_are_the_same_in_every_build(void **state)
{
  (void)state;
  static const int64_t lengths[] = {200, 8, 1, 0, 1500};
  static const uint64_t expected[RH_COUNT(variants)] = {
      0x2c52c4fafe81d37e, 0x4b5b5274e538f161, 0xc31d9ca22be08aae, 0x49cc4723bb56f1fc,
      0xdb307e587a661737, 0x9519e125010044bc, 0x09f539942097481d, 0x49cc4723bb56f1fc,
      0x0083721135e5b621, 0x9b7d54f4d3b57fb3, 0x29ed5398dece41ae, 0xec8af012f1180eb9,
      0xb1e05922bf5c68b4, 0x88e8e58192709feb, 0xeab8bfd92a987e58, 0x246a377522b18ecd};
  const rh_layout layout = {5, lengths, lengths, 1709};
  float x[MOST], y[MOST];
  uint8_t wire[WIRE];
  fill(x, 1709, RANDOM);
  for (size_t k = 0; k < RH_COUNT(variants); k++) {
    void *options = options_new(&variants[k]);
    const int64_t bytes = encode(variants[k].compressor, options, &layout, 0, 0, x, wire);
    decode(variants[k].compressor, options, &layout, wire, bytes, y);
    const uint64_t hash = rh_hash_bytes(y, 1709 * sizeof *y, rh_hash_bytes(wire, (size_t)bytes, 0));
    if (hash != expected[k]) fail_msg("variant %zu: hash 0x%016llx", k, (unsigned long long)hash);
    free(options);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(messages_decode_by_the_formula_and_have_its_length),
      cmocka_unit_test(halves_round_to_nearest_even_for_all_codes),
      cmocka_unit_test(halves_add_in_half_precision),
      cmocka_unit_test(values_that_are_not_finite_stay_visible),
      cmocka_unit_test(vote_is_the_majority_and_ties_are_a_shared_coin),
      cmocka_unit_test(codes_are_packed_bit_by_bit),
      cmocka_unit_test(messages_are_the_same_in_every_build),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
