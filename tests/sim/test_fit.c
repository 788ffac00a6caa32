/* Distributions fitted to samples whose distribution is known, and draws from the fits. */
#include "cmocka_all.h"

#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>

#include "fit.h"

enum { MANY = 20000, DRAWS = 100000 };

static int32_t drawn;
static double *draw(const rh_fit *fit, int32_t count, uint64_t seed)
{
  double *x = calloc((size_t)count, sizeof *x);
  assert_non_null(x);
  rh_rng rng = rh_rng_stream(seed, RH_PURPOSE_TEST, 0, 0);
  for (drawn = 0; drawn < count; drawn++)
    x[drawn] = rh_fit_draw(fit, &rng);
  gsl_sort(x, 1, (size_t)count);
  return x;
}

/* Fits find the parameters that the samples were drawn with: errors of a maximum likelihood estimate are about
 * b / sqrt(n) = .7 % of b, and sqrt(2 / n) = 1 % of a gamma's shape; bounds are four times that. */
static void a_fit_finds_its_parameters(void **state)
{
  (void)state;
  const rh_fit lognormal = {.kind = RH_FIT_LOGNORMAL, .a = log(2e-3), .b = 0.5};
  double *x = draw(&lognormal, MANY, 1);
  rh_fit fit = rh_fit_make(x, MANY);
  assert_int_equal(fit.kind, RH_FIT_LOGNORMAL);
  assert_true(fabs(fit.a - lognormal.a) < 0.028 * lognormal.b && fabs(fit.b - lognormal.b) < 0.02 * lognormal.b);
  free(x);
  const rh_fit gamma = {.kind = RH_FIT_GAMMA, .a = 3, .b = 1e-4};
  x = draw(&gamma, MANY, 2);
  fit = rh_fit_make(x, MANY);
  assert_int_equal(fit.kind, RH_FIT_GAMMA);
  assert_true(fabs(fit.a - 3) < 0.04 * 3 && fabs(fit.a * fit.b - 3e-4) < 0.02 * 3e-4);
  assert_true(fit.distance > 0 && fit.distance < 0.886 / sqrt(MANY));
  free(x);
}

/* By hand: of 1, 1, ..., 2, 2, ..., half each, the logarithm is one deviation from its mean; two values are no
 * lognormal, and no gamma, so quantiles are kept. */
static void two_values_are_empirical(void **state)
{
  (void)state;
  double x[RH_FIT_SAMPLES];
  for (int i = 0; i < RH_FIT_SAMPLES; i++)
    x[i] = i < RH_FIT_SAMPLES / 2 ? 1 : 2;
  rh_fit fit = rh_fit_make(x, RH_FIT_SAMPLES);
  assert_int_equal(fit.kind, RH_FIT_EMPIRICAL);
  assert_true(fit.quantile_s[0] == 1 && fit.quantile_s[9] == 1 && fit.quantile_s[11] == 2);
  assert_true(fit.quantile_s[RH_FIT_QUANTILES - 1] == 2);
  /* Phi(-1) = .1587 lies .3413 below the step at 1, which goes to .5 */
  assert_true(fit.distance > 0.3 && fit.distance <= 0.3414);
}

static void equal_samples_are_drawn_again(void **state)
{
  (void)state;
  double x[RH_FIT_SAMPLES];
  for (int i = 0; i < RH_FIT_SAMPLES; i++)
    x[i] = 0.25;
  const rh_fit fit = rh_fit_make(x, RH_FIT_SAMPLES);
  assert_int_equal(fit.kind, RH_FIT_EMPIRICAL);
  rh_rng rng = rh_rng_stream(1, RH_PURPOSE_TEST, 0, 0);
  for (int i = 0; i < 100; i++)
    assert_true(rh_fit_draw(&fit, &rng) == 0.25);
}

static void few_samples_are_not_fitted(void **state)
{
  (void)state;
  double x[RH_FIT_SAMPLES - 1];
  for (int i = 0; i < RH_FIT_SAMPLES - 1; i++)
    x[i] = 1 + i;
  assert_int_equal(rh_fit_make(x, RH_FIT_SAMPLES - 1).kind, RH_FIT_NONE);
}

/* Means and deviations by formula: lognormal exp(a + b^2/2), sqrt(exp(b^2) - 1) of it; gamma a b, sqrt(a) b;
 * empirical of a uniform one on 1..3. The error of a mean of 1e5 draws is deviation / 316; of a deviation less than a
 * per cent here. Shapes: below and above 1, and one as tight as timings are. */
static void draws_have_the_mean_and_the_spread(void **state)
{
  (void)state;
  rh_fit uniform = {.kind = RH_FIT_EMPIRICAL};
  for (int q = 0; q < RH_FIT_QUANTILES; q++)
    uniform.quantile_s[q] = 1 + q / 10.0;
  const struct {
    rh_fit fit;
    double mean, deviation;
  } cases[] = {
      {{.kind = RH_FIT_LOGNORMAL, .a = 1, .b = 0.3}, exp(1.045), exp(1.045) * sqrt(exp(0.09) - 1)},
      {{.kind = RH_FIT_GAMMA, .a = 0.5, .b = 2}, 1, sqrt(0.5) * 2},
      {{.kind = RH_FIT_GAMMA, .a = 7, .b = 0.5}, 3.5, sqrt(7) * 0.5},
      {{.kind = RH_FIT_GAMMA, .a = 1e6, .b = 1e-9}, 1e-3, 1e-6},
      {uniform, 2, 2 / sqrt(12)},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    double *x = draw(&cases[i].fit, DRAWS, 10 + i);
    const double mean = gsl_stats_mean(x, 1, DRAWS), deviation = gsl_stats_sd(x, 1, DRAWS);
    if (!(x[0] > 0) || fabs(mean - cases[i].mean) > 4 * cases[i].deviation / sqrt(DRAWS) ||
        fabs(deviation / cases[i].deviation - 1) > 0.03)
      fail_msg("case %zu: mean %g, deviation %g, least %g", i, mean, deviation, x[0]);
    free(x);
  }
}

/* A tight gamma, as timings of an idle machine are, is found as well, by the cube root that stands for its series. */
static void tight_samples_are_fitted(void **state)
{
  (void)state;
  const rh_fit gamma = {.kind = RH_FIT_GAMMA, .a = 1e6, .b = 1e-9};
  double *x = draw(&gamma, 2000, 3);
  const rh_fit fit = rh_fit_make(x, 2000);
  assert_true(fit.kind == RH_FIT_GAMMA || fit.kind == RH_FIT_LOGNORMAL); /* they hardly differ here */
  assert_true(fit.distance < 0.886 / sqrt(2000));
  double *again = draw(&fit, 2000, 4);
  assert_true(fabs(gsl_stats_mean(again, 1, 2000) / 1e-3 - 1) < 1e-4); /* 1e-3 / sqrt(2000) is 2.2e-5 */
  assert_true(fabs(gsl_stats_sd(again, 1, 2000) / 1e-6 - 1) < 0.1);
  free(x);
  free(again);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_fit_finds_its_parameters),         cmocka_unit_test(two_values_are_empirical),
      cmocka_unit_test(equal_samples_are_drawn_again),      cmocka_unit_test(few_samples_are_not_fitted),
      cmocka_unit_test(draws_have_the_mean_and_the_spread), cmocka_unit_test(tight_samples_are_fitted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
