/* Sparsifiers: top-k, threshold and random k. What is sent, in how many bytes, and the claims of each. */
#include "sparse_rig.h"

static uint32_t magnitude(float x)
{
  uint32_t bits;
  memcpy(&bits, &x, 4);
  return bits & 0x7FFFFFFF;
}

static const float *sorted; /* of by_magnitude */

static int by_magnitude(const void *a, const void *b)
{
  const uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b, m = magnitude(sorted[i]), n = magnitude(sorted[j]);
  if (m != n) return m > n ? -1 : 1;
  return i < j ? -1 : 1;
}

static int by_place(const void *a, const void *b)
{
  return *(const uint32_t *)a < *(const uint32_t *)b ? -1 : 1;
}

/* y and the indices [k] of top-k by sorting. */
static void naive_topk(const float *x, int64_t d, int64_t k, float *y, uint32_t *index)
{
  for (int64_t i = 0; i < d; i++) {
    index[i] = (uint32_t)i;
    y[i] = 0;
  }
  sorted = x;
  qsort(index, (size_t)d, sizeof *index, by_magnitude);
  qsort(index, (size_t)k, sizeof *index, by_place);
  for (int64_t j = 0; j < k; j++)
    y[index[j]] = x[index[j]];
}

/* Kinds of tensors, with few and with many ties. */
static void fill_kind(float *x, int64_t d, int kind, rh_rng *rng)
{
  for (int64_t i = 0; i < d; i++) {
    const float normal = (float)rh_rng_normal(rng);
    const uint32_t small = rh_rng_below(rng, 7);
    switch (kind) {
    case 0:
      x[i] = normal;
      break;
    case 1:
      x[i] = (float)small - 3;
      break; /* ties */
    case 2:
      x[i] = small == 0 ? normal : 0;
      break; /* sparse */
    case 3:
      x[i] = 0.5F;
      break; /* constant */
    case 4:
      x[i] = normal * 1e-41F;
      break; /* denormal */
    case 5:
      x[i] = normal * 5e37F;
      break; /* huge */
    case 6:
      x[i] = ldexpf(normal, (int)rh_rng_below(rng, 120));
      break;
    default:
      x[i] = small == 0 ? NAN : small == 1 ? -INFINITY : normal;
      break;
    }
  }
}
enum { KINDS = 8 };

static void topk_equals_a_sort(void **state)
{
  (void)state;
  static const int64_t sizes[] = {1, 2, 3, 31, 32, 33, 100, 1000, 20000};
  static const double ratios[] = {0.0001, 0.01, 0.05, 0.25, 0.7, 1};
  static const char *const layouts[] = {"auto", "u32", "u16", "bitmap", "packed"};
  enum { MOST = 20000 };
  float *x = malloc(MOST * sizeof *x), *y = malloc(MOST * sizeof *y), *expected = malloc(MOST * sizeof *expected);
  uint32_t *index = malloc(MOST * sizeof *index);
  rh_rng rng = rh_rng_stream(7, RH_PURPOSE_TEST, 0, 0);
  for (size_t s = 0; s < RH_COUNT(sizes); s++)
    for (size_t r = 0; r < RH_COUNT(ratios); r++)
      for (int kind = 0; kind < KINDS; kind++) {
        const int64_t d = sizes[s];
        int64_t k = (int64_t)(ratios[r] * (double)d);
        k = k > 0 ? k : 1;
        fill_kind(x, d, kind, &rng);
        naive_topk(x, d, k, expected, index);
        const int l = (int)(s + r + (size_t)kind) % 5;
        char text[64];
        snprintf(text, sizeof text, "ratio=%g index=%s", ratios[r], layouts[l]);
        rig rig = rig_new(&rh_compressor_topk, text, (rh_layout){1, &d, &d, d});
        const int64_t bytes = rig_send(&rig, 0, 0, x, y);
        assert_memory_equal(y, expected, (size_t)d * sizeof *y);
        assert_int_equal(bytes, 4 * k + rh_index_bytes((rh_index_layout)l, d, index, k));
        rig_free(&rig);
      }
  free(x);
  free(y);
  free(expected);
  free(index);
}

/* Every 97th of 200,000 values is large, just those that the sample sees, while 10,000 are wanted: the guess that the
 * sample gives is far too high, and the result must not show it. */
static void topk_survives_a_misleading_sample(void **state)
{
  (void)state;
  enum { D = 200000, K = 10000 };
  const int64_t d = D;
  float *x = malloc(D * sizeof *x), *y = malloc(D * sizeof *y), *expected = malloc(D * sizeof *expected);
  uint32_t *index = malloc(D * sizeof *index);
  fill(x, D, 11);
  for (int64_t i = 0; i < D; i += 97)
    x[i] = 100;
  naive_topk(x, D, K, expected, index);
  rig r = rig_new(&rh_compressor_topk, "ratio=0.05", (rh_layout){1, &d, &d, d});
  rig_send(&r, 0, 0, x, y);
  assert_memory_equal(y, expected, D * sizeof *y);
  rig_free(&r);
  free(x);
  free(y);
  free(expected);
  free(index);
}

/* 0.5, 0.25 of 4 and 4 values; the second tensor is 100 times larger. */
static void topk_counts_by_layer_or_over_all(void **state)
{
  (void)state;
  const int64_t lengths[] = {4, 0, 4};
  const rh_layout layout = {3, lengths, lengths, 8};
  const float x[8] = {1, -4, 3, 2, 100, 200, -300, 400}, layer[8] = {0, -4, 3, 0, 0, 0, -300, 400},
              global[8] = {0, 0, 0, 0, 100, 200, -300, 400};
  float y[8];
  rig r = rig_new(&rh_compressor_topk, "ratio=0.5 index=u16", layout);
  assert_int_equal(rig_send(&r, 0, 0, x, y), 2 * 2 * (2 + 4));
  assert_memory_equal(y, layer, sizeof y);
  rig_free(&r);
  r = rig_new(&rh_compressor_topk, "ratio=0.5 scope=global index=bitmap", layout);
  assert_int_equal(rig_send(&r, 0, 0, x, y), 1 + 4 * 4);
  assert_memory_equal(y, global, sizeof y);
  rig_free(&r);
}

/* |C(x) - x|^2 <= (1 - k/d) |x|^2 with k/d the smallest of the tensors, 1/30; equal for a constant tensor alone. */
static void topk_contracts_as_claimed(void **state)
{
  (void)state;
  const int64_t lengths[] = {30, 500, 3};
  const rh_layout layout = {3, lengths, lengths, 533}, one = {1, lengths, lengths, 30};
  float x[533], y[533];
  rh_rng rng = rh_rng_stream(9, RH_PURPOSE_TEST, 0, 0);
  rig r = rig_new(&rh_compressor_topk, "ratio=0.05", layout);
  const double delta = r.c->claims(r.options, &layout).contraction;
  assert_true(fabs(delta - 1.0 / 30) < 1e-15);
  for (int draw = 0; draw < 300; draw++) {
    fill_kind(x, 533, draw % 6, &rng);
    rig_send(&r, 0, draw, x, y);
    assert_true(distance(x, y, 533) <= (1 - delta) * squares(x, 533) * (1 + 1e-12));
  }
  rig_free(&r);
  r = rig_new(&rh_compressor_topk, "ratio=0.05", one);
  fill_kind(x, 30, 3, &rng);
  rig_send(&r, 0, 0, x, y);
  assert_true(fabs(distance(x, y, 30) - 29.0 / 30 * squares(x, 30)) < 1e-12);
  rig_free(&r);
}

/* What is promised of exact_residual: x - C(x) is exact, so C(x) + (x - C(x)) has x's bits. Negative zeros, of which
 * f32 sums keep no sign, are not in these tensors. */
static void residual_and_decoded_are_x(void **state)
{
  (void)state;
  static const char *const texts[] = {"ratio=0.1", "threshold=0.4", "threshold=0.5 relative=on", "ratio=0.3"};
  const rh_compressor *compressors[] = {&rh_compressor_topk, &rh_compressor_threshold, &rh_compressor_threshold,
                                        &rh_compressor_randomk};
  const int64_t lengths[] = {700, 1, 0, 64};
  const rh_layout layout = {4, lengths, lengths, 765};
  float x[765], y[765];
  rh_rng rng = rh_rng_stream(10, RH_PURPOSE_TEST, 0, 0);
  for (size_t c = 0; c < RH_COUNT(texts); c++) {
    rig r = rig_new(compressors[c], texts[c], layout);
    for (int kind = 0; kind < KINDS - 1; kind++) {
      fill_kind(x, 765, kind, &rng);
      for (int i = 0; i < 765; i++)
        x[i] += 0.0F; /* no negative zeros */
      rig_send(&r, 0, kind, x, y);
      int sent = 0;
      for (int i = 0; i < 765; i++) {
        const float e = x[i] - y[i], back = y[i] + e;
        assert_memory_equal(&back, &x[i], 4);
        sent += y[i] != 0;
      }
      assert_true(sent > 0 || (c == 1 && kind == 4)); /* denormals are below an absolute threshold */
    }
    rig_free(&r);
  }
}

static void odd_tensors_pass(void **state)
{
  (void)state;
  const rh_compressor *compressors[] = {&rh_compressor_topk, &rh_compressor_randomk, &rh_compressor_threshold,
                                        &rh_compressor_dgc};
  const int64_t none = 0, one = 1;
  for (size_t c = 0; c < RH_COUNT(compressors); c++) {
    float x = -3, y = 7;
    rig r = rig_new(compressors[c], "", (rh_layout){0});
    assert_int_equal(rig_send(&r, 0, 0, &x, &y), 0);
    assert_true(y == 7);
    rig_free(&r);
    r = rig_new(compressors[c], "", (rh_layout){1, &none, &none, 0});
    assert_int_equal(rig_send(&r, 0, 0, &x, &y), 0);
    rig_free(&r);
    r = rig_new(compressors[c], "", (rh_layout){1, &one, &one, 1});
    rig_send(&r, 0, 0, &x, &y);
    assert_true(y == -3);
    rig_free(&r);
  }
}

/* A NaN or an infinity anywhere makes the decoded vector not finite, also where few values are sent. */
static void not_finite_stays_visible(void **state)
{
  (void)state;
  static const char *const texts[] = {
      "ratio=0.001", "ratio=0.001", "ratio=0.001 scale=on", "threshold=5", "threshold=2 relative=on", "ratio=0.001"};
  const rh_compressor *compressors[] = {&rh_compressor_topk,      &rh_compressor_randomk,   &rh_compressor_randomk,
                                        &rh_compressor_threshold, &rh_compressor_threshold, &rh_compressor_dgc};
  static const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
  const int64_t lengths[] = {3000, 50};
  const rh_layout layout = {2, lengths, lengths, 3050};
  float x[3050], y[3050];
  for (size_t c = 0; c < RH_COUNT(texts); c++)
    for (size_t b = 0; b < RH_COUNT(bad); b++)
      for (int64_t place = 17; place < 3050; place += 1511) {
        fill(x, 3050, 13);
        x[place] = bad[b];
        rig r = rig_new(compressors[c], texts[c], layout);
        rig_send(&r, 0, 0, x, y);
        bool finite = true;
        for (int i = 0; i < 3050; i++)
          finite = finite && isfinite(y[i]);
        assert_false(finite);
        rig_free(&r);
      }
}

static void threshold_sends_what_reaches_it(void **state)
{
  (void)state;
  const int64_t lengths[] = {6, 2000};
  const rh_layout layout = {2, lengths, lengths, 2006}, zeros = {1, lengths, lengths, 6};
  float x[2006], y[2006];
  fill(x, 2006, 14);
  /* the f32 nearest to 0.1 is above 0.1, the next one below is not: only the first reaches the threshold */
  const float edge[6] = {0.1F, nextafterf(0.1F, 0), -0.1F, 0, -nextafterf(0.1F, 0), 5};
  memcpy(x, edge, sizeof edge);
  rig r = rig_new(&rh_compressor_threshold, "threshold=0.1 index=u32", layout);
  assert_true(r.c->claims(r.options, &layout).bounded);
  const int64_t bytes = rig_send(&r, 0, 0, x, y);
  int64_t sent = 0;
  for (int i = 0; i < 2006; i++) {
    assert_true(fabs((double)x[i] - y[i]) < 0.1);
    assert_true((y[i] != 0) == (fabs((double)x[i]) >= 0.1));
    sent += y[i] != 0;
  }
  assert_int_equal(bytes, 2 * 4 + 8 * sent);
  rig_free(&r);
  r = rig_new(&rh_compressor_threshold, "threshold=0.5 relative=on index=u32", zeros);
  memset(x, 0, sizeof edge);
  assert_int_equal(rig_send(&r, 0, 0, x, y), 4); /* zeros are not sent, though their root mean square is 0 */
  rig_free(&r);
}

/* Relative: |C(x) - x|^2 <= t^2 |x|^2, and exactly the values of at least t rms are sent. */
static void relative_threshold_contracts_as_claimed(void **state)
{
  (void)state;
  const int64_t d = 1000;
  const rh_layout layout = {1, &d, &d, d};
  float x[1000], y[1000];
  rh_rng rng = rh_rng_stream(15, RH_PURPOSE_TEST, 0, 0);
  rig r = rig_new(&rh_compressor_threshold, "threshold=0.9 relative=on", layout);
  assert_true(fabs(r.c->claims(r.options, &layout).contraction - 0.19) < 1e-15);
  for (int draw = 0; draw < 60; draw++) {
    fill_kind(x, d, draw % 6, &rng);
    rig_send(&r, 0, draw, x, y);
    const double rms = sqrt(squares(x, d) / (double)d);
    assert_true(distance(x, y, d) <= 0.81 * squares(x, d));
    for (int i = 0; i < d; i++) /* nearer than 1e-9 to the threshold the order of the sum may decide */
      if (fabs(fabs((double)x[i]) - 0.9 * rms) > 1e-9 * rms)
        assert_true((y[i] != 0) == (fabs((double)x[i]) > 0.9 * rms));
  }
  rig_free(&r);
}

/* Which compressors may be wrapped by error feedback, and which must not. */
static void feedback_follows_the_claims(void **state)
{
  (void)state;
  static const struct {
    const rh_compressor *c;
    const char *text;
    rh_status expected;
  } cases[] = {
      {&rh_compressor_topk, "", RH_OK},
      {&rh_compressor_randomk, "scale=off", RH_OK},
      {&rh_compressor_randomk, "scale=on", RH_EUNSUPPORTED},
      {&rh_compressor_randomk, "scale=on ratio=0.8", RH_OK}, /* variance 1 / 0.8 - 1 < 1 */
      {&rh_compressor_threshold, "threshold=100", RH_OK},
      {&rh_compressor_threshold, "threshold=0.99 relative=on", RH_OK},
      {&rh_compressor_threshold, "threshold=1 relative=on", RH_EUNSUPPORTED},
      {&rh_compressor_dgc, "", RH_EUNSUPPORTED},
  };
  const int64_t d = 1000;
  const rh_layout layout = {1, &d, &d, d};
  const rh_feedback_options classic = {.kind = RH_FEEDBACK_CLASSIC};
  for (size_t i = 0; i < RH_COUNT(cases); i++) {
    void *options = options_new(cases[i].c, cases[i].text);
    assert_int_equal(rh_feedback_check(&classic, cases[i].c, options, &layout), cases[i].expected);
    free(options);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(topk_equals_a_sort),
      cmocka_unit_test(topk_survives_a_misleading_sample),
      cmocka_unit_test(topk_counts_by_layer_or_over_all),
      cmocka_unit_test(topk_contracts_as_claimed),
      cmocka_unit_test(residual_and_decoded_are_x),
      cmocka_unit_test(odd_tensors_pass),
      cmocka_unit_test(not_finite_stays_visible),
      cmocka_unit_test(threshold_sends_what_reaches_it),
      cmocka_unit_test(relative_threshold_contracts_as_claimed),
      cmocka_unit_test(feedback_follows_the_claims),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
