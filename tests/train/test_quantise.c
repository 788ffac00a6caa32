/* The quantiser of training in 8 bits: ranges, levels and rounding on values worked by hand, and what chance may do. */
#include "cmocka_all.h"

#include <math.h>
#include <string.h>

#include "option.h"
#include "quantise.h"

static rh_rng test_stream(uint64_t step)
{
  return rh_rng_stream(11, RH_PURPOSE_TEST, 0, step);
}

/* Range -2 .. 253.0 has the scale 1: values are levels less 2. */
static void test_levels_by_hand(void **state)
{
  (void)state;
  const float x[] = {-2, -1.75F, -1.5F, -0.5F, 0.5F, 0.75F, 252.6F, 253};
  /* levels 0, .25, .5, 1.5, 2.5, 2.75, 254.6, 255: halves go to the even one */
  const float expected[] = {-2, -2, -2, 0, 0, 1, 253, 253};
  float y[RH_COUNT(x)];
  const rh_range range = rh_range_of(x, RH_COUNT(x));
  assert_true(range.lo == -2 && range.hi == 253);
  rh_quantise_nearest(range, RH_COUNT(x), x, y);
  for (size_t i = 0; i < RH_COUNT(x); i++)
    if (y[i] != expected[i]) fail_msg("%g becomes %g, not %g", (double)x[i], (double)y[i], (double)expected[i]);
}

/* What lies outside a range becomes its end, whichever way it is rounded. */
static void test_outside_values_are_clamped(void **state)
{
  (void)state;
  const float x[] = {-1e30F, -0.6F, 255.7F, 1e30F}, expected[] = {0, 0, 255, 255};
  float y[RH_COUNT(x)];
  rh_rng rng = test_stream(0);
  rh_quantise_nearest((rh_range){0, 255}, RH_COUNT(x), x, y);
  assert_memory_equal(y, expected, sizeof y);
  for (int repeat = 0; repeat < 100; repeat++) {
    rh_quantise_stochastic((rh_range){0, 255}, &rng, RH_COUNT(x), x, y);
    assert_memory_equal(y, expected, sizeof y);
  }
}

/* Every level of a range with a power of two as its scale is kept, whichever way it is rounded, in place as well. */
static void test_levels_are_kept(void **state)
{
  (void)state;
  float x[256], y[256], z[256];
  for (int q = 0; q < 256; q++)
    x[q] = z[q] = 0.125F * (float)q - 7;
  const rh_range range = rh_range_of(x, 256);
  rh_rng rng = test_stream(1);
  rh_quantise_nearest(range, 256, x, y);
  assert_memory_equal(y, x, sizeof x);
  rh_quantise_nearest(range, 256, z, z);
  assert_memory_equal(z, x, sizeof x);
  rh_quantise_stochastic(range, &rng, 256, x, y);
  assert_memory_equal(y, x, sizeof x);
  rh_quantise_stochastic(range, &rng, 256, z, z);
  assert_memory_equal(z, x, sizeof x);
}

/* A constant tensor has scale 1e-8, and each of its values the level 0. */
static void test_constant_is_kept(void **state)
{
  (void)state;
  const float values[] = {0, 1, -0.3F, 1e-30F, 3e38F, -1e20F};
  float x[700], y[700];
  rh_rng rng = test_stream(2);
  for (size_t k = 0; k < RH_COUNT(values); k++) {
    for (size_t i = 0; i < RH_COUNT(x); i++)
      x[i] = values[k];
    const rh_range range = rh_range_of(x, RH_COUNT(x));
    rh_quantise_nearest(range, RH_COUNT(x), x, y);
    assert_memory_equal(y, x, sizeof x);
    rh_quantise_stochastic(range, &rng, RH_COUNT(x), x, y);
    assert_memory_equal(y, x, sizeof x);
  }
}

/* Below a range of 255e-8 the scale stays 1e-8: a range of 4e-8 has five levels. */
static void test_least_scale(void **state)
{
  (void)state;
  const float x[] = {0, 0.9e-8F, 1.6e-8F, 4e-8F}, expected[] = {0, 1e-8F, 2e-8F, 4e-8F};
  float y[RH_COUNT(x)];
  rh_quantise_nearest(rh_range_of(x, RH_COUNT(x)), RH_COUNT(x), x, y);
  for (size_t i = 0; i < RH_COUNT(x); i++)
    assert_true(fabsf(y[i] - expected[i]) < 1e-14F); /* f32 keeps seven digits */
}

/* Samples {0, 4}, {-2, 2} and {1, 3}: mean of 0, -2, 1 and of 4, 2, 3. */
static void test_range_of_samples_by_hand(void **state)
{
  (void)state;
  const float x[] = {0, 4, 2, -2, 3, 1};
  const rh_range range = rh_range_of_samples(x, 3, 2);
  assert_true(range.lo == (float)(-1.0 / 3) && range.hi == 3);
}

/* Running: the first as it is, then .1 old + .9 new. */
static void test_running_range_by_hand(void **state)
{
  (void)state;
  assert_false(rh_range_is_known(RH_RANGE_NONE));
  rh_range running = rh_range_follow(RH_RANGE_NONE, (rh_range){-1, 2});
  assert_true(rh_range_is_known(running) && running.lo == -1 && running.hi == 2);
  running = rh_range_follow(running, (rh_range){-2, 12});
  assert_true(fabsf(running.lo + 1.9F) < 1e-6F && fabsf(running.hi - 11) < 1e-6F);
  const rh_range list[] = {{0, 1}, {9, 9}, RH_RANGE_NONE, {9, 9}, {2, 5}, {9, 9}}; /* every other one */
  const rh_range mean = rh_range_mean(list, 3, 2);
  assert_true(mean.lo == 1 && mean.hi == 3);
  assert_false(rh_range_is_known(rh_range_mean(&list[2], 1, 1)));
}

/* One value that is not finite makes the range and all values NaN, and is known. */
static void test_what_is_not_finite_shows(void **state)
{
  (void)state;
  const float bad[] = {NAN, INFINITY, -INFINITY};
  for (size_t k = 0; k < RH_COUNT(bad); k++) {
    float x[600] = {1, 2}, y[600];
    x[599] = bad[k];
    rh_rng rng = test_stream(3);
    const rh_range range = rh_range_of(x, 600);
    assert_true(isnan(range.lo) && isnan(range.hi) && rh_range_is_known(range));
    assert_true(isnan(rh_range_of_samples(x, 3, 200).hi));
    assert_true(isnan(rh_range_follow(range, (rh_range){0, 1}).lo));
    rh_quantise_nearest(range, 600, x, y);
    for (int i = 0; i < 600; i++)
      assert_true(isnan(y[i]));
    rh_quantise_stochastic(range, &rng, 600, x, y);
    for (int i = 0; i < 600; i++)
      assert_true(isnan(y[i]));
  }
}

/* The mean of 1e5 draws of a value f between two levels is f within 5 standard errors: a rounding to 0 or 1 has the
 * deviation sqrt(f (1 - f)) <= .5, so one standard error is at most .0016 of a level. Only the two neighbours come. */
static void test_stochastic_rounding_is_unbiased(void **state)
{
  (void)state;
  enum { DRAWS = 100000 };
  static float x[DRAWS], y[DRAWS];
  const double fractions[] = {0.5, 0.25, 0.9, 0.01};
  rh_rng rng = test_stream(4);
  for (size_t k = 0; k < RH_COUNT(fractions); k++) {
    const double f = fractions[k];
    for (int i = 0; i < DRAWS; i++)
      x[i] = (float)(0.25 * (100 + f) - 3); /* scale 1/4, lo -3 */
    rh_quantise_stochastic((rh_range){-3, 60.75F}, &rng, DRAWS, x, y);
    double sum = 0;
    for (int i = 0; i < DRAWS; i++) {
      const double level = (y[i] + 3.0) / 0.25 - 100;
      assert_true(level == 0 || level == 1);
      sum += level;
    }
    const double error = sqrt(f * (1 - f) / DRAWS);
    assert_true(error < 0.01);
    if (!(fabs(sum / DRAWS - f) < 5 * error)) fail_msg("%g is rounded to %g on average", f, sum / DRAWS);
  }
}

/* The same stream gives the same bits, another one others; in pieces that are whole blocks, too. */
static void test_rounding_is_a_function_of_the_stream(void **state)
{
  (void)state;
  enum { N = 3000 };
  float x[N], y[N], z[N];
  rh_rng draws = test_stream(5), one = test_stream(6), same = test_stream(6), other = test_stream(7);
  for (int i = 0; i < N; i++)
    x[i] = rh_rng_f32(&draws);
  rh_quantise_stochastic((rh_range){0, 1}, &one, N, x, y);
  rh_quantise_stochastic((rh_range){0, 1}, &same, 1024, x, z);
  rh_quantise_stochastic((rh_range){0, 1}, &same, N - 1024, x + 1024, z + 1024);
  assert_memory_equal(y, z, sizeof y);
  rh_quantise_stochastic((rh_range){0, 1}, &other, N, x, z);
  assert_memory_not_equal(y, z, sizeof y);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_levels_by_hand),
      cmocka_unit_test(test_outside_values_are_clamped),
      cmocka_unit_test(test_levels_are_kept),
      cmocka_unit_test(test_constant_is_kept),
      cmocka_unit_test(test_least_scale),
      cmocka_unit_test(test_range_of_samples_by_hand),
      cmocka_unit_test(test_running_range_by_hand),
      cmocka_unit_test(test_what_is_not_finite_shows),
      cmocka_unit_test(test_stochastic_rounding_is_unbiased),
      cmocka_unit_test(test_rounding_is_a_function_of_the_stream),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
