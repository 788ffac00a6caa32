/* Statistics against published values, and the intervals' coverage by simulation. */
#include "cmocka_all.h"

#include <gsl/gsl_cdf.h>
#include <math.h>

#include "rng.h"
#include "statistics.h"

static void assert_close(double value, double expected, double tolerance)
{
  if (!(fabs(value - expected) <= tolerance)) fail_msg("%.9g, not %.9g", value, expected);
}

/* Hours of sleep gained, second drug less the first: Student 1908. R's t.test prints t = 4.0621, p = 0.002833 and the
 * interval 0.7001142 .. 2.4598858. */
static const double sleep_gained[] = {1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4};

static void test_students_sleep_data(void **state)
{
  (void)state;
  const rh_interval i = rh_mean_interval(sleep_gained, 10, 0.95);
  assert_close(i.estimate, 1.58, 1e-12);
  assert_close(i.low, 0.7001142, 1e-7);
  assert_close(i.high, 2.4598858, 1e-7);
  assert_close(rh_paired_t(sleep_gained, 10), 0.002833, 5e-7);
}

/* Two one-sided tests are t tests against the margins: the larger p of the two. With the mean 1.58 and the standard
 * error .38896, the margin 2 is 1.07979 errors above it: P(T9 > 1.07979) = .1542 (R: pt(-1.07979, 9)). */
static void test_equivalence_is_two_one_sided_tests(void **state)
{
  (void)state;
  assert_close(rh_equivalence(sleep_gained, 10, 2), 0.1542, 1e-4);
  assert_true(rh_equivalence(sleep_gained, 10, 1) > 0.5);
  assert_true(rh_equivalence(sleep_gained, 10, 4) < 0.001);
  const double none[] = {0, 0, 0};
  assert_close(rh_equivalence(none, 3, 0.01), 0, 0);
  assert_close(rh_paired_t(none, 3), 1, 0);
}

/* R: p.adjust(c(.01, .04, .03, .005), "holm") is .03 .06 .06 .02. */
static void test_holms_correction(void **state)
{
  (void)state;
  double p[] = {0.01, NAN, 0.04, 0.03, 0.005};
  rh_holm(p, 5);
  assert_close(p[0], 0.03, 1e-12);
  assert_true(isnan(p[1]));
  assert_close(p[2], 0.06, 1e-12);
  assert_close(p[3], 0.06, 1e-12);
  assert_close(p[4], 0.02, 1e-12);
}

/* 9 of 10 smaller: 2 (1 + 10) / 2^10. "Not reached" is larger than any time; two of them tie. */
static void test_sign_test_counts_what_was_not_reached(void **state)
{
  (void)state;
  const double a[] = {1, 1, 1, 1, 1, 1, 1, 1, 1, INFINITY, INFINITY};
  const double b[] = {2, 2, 2, 2, 2, 2, 2, 2, INFINITY, 3, INFINITY};
  assert_close(rh_sign_test(a, b, 11), 22.0 / 1024, 1e-12);
  assert_close(rh_sign_test(a, a, 11), 1, 0);
}

static void test_medians_stand_what_was_not_reached(void **state)
{
  (void)state;
  const double x[] = {3, INFINITY, 1, 2, INFINITY, INFINITY, 5};
  assert_close(rh_median(x, 7), 5, 0);
  assert_close(rh_median(x, 4), 2.5, 0);
  assert_true(isinf(rh_median(x, 6)) && isnan(rh_median(x, 0)));
  const rh_interval i = rh_median_interval(x, 7, 0.95, 1);
  assert_true(i.low >= 1 && i.low <= 3 && isinf(i.high));
  const rh_interval few = rh_median_interval(x, 5, 0.95, 1);
  assert_true(isnan(few.low) && isnan(few.high));
}

/* Ten observations of a normal distribution: the 95 % percentile bootstrap of a median holds the true one in about 94 %
 * of the cases (the median's interval from order statistics has 97.9 % with x(2) .. x(9) and 89.1 % with x(3) .. x(8),
 * and the bootstrap lies between); 400 cases have a standard error of 1.2 %. */
static void test_bootstrap_covers_the_median(void **state)
{
  (void)state;
  enum { CASES = 400, SAMPLES = 10 };
  rh_rng rng = rh_rng_stream(5, RH_PURPOSE_TEST, 0, 0);
  int covered = 0;
  for (int c = 0; c < CASES; c++) {
    double x[SAMPLES];
    for (int i = 0; i < SAMPLES; i++)
      x[i] = rh_rng_normal(&rng);
    const rh_interval interval = rh_median_interval(x, SAMPLES, 0.95, (uint64_t)c);
    covered += interval.low <= 0 && 0 <= interval.high;
  }
  assert_true(covered >= CASES * 87 / 100 && covered <= CASES * 995 / 1000);
}

/* Survival in days of the seven treated mice of Efron & Tibshirani 1993, table 2.1. The bootstrap distribution of an
 * odd sample's median is known exactly (Efron, Annals of Statistics 7, 1979, section 3): the median of a resample is at
 * most the k-th of n in order with the probability P(Binomial(n, k/n) >= (n + 1) / 2), for n = 7: .0102, .0981, .3,
 * .6531, .9019, .9898 and 1. So the 95 % interval is 23 .. 141, and the ends step where the tails pass these numbers;
 * three standard errors of 10,000 resamples are .003 there. With its probabilities the standard error is 37.83, as
 * table 2.2 of the book has for infinitely many resamples. */
static void test_bootstrap_of_the_mice(void **state)
{
  (void)state;
  static const double days[] = {94, 197, 16, 38, 99, 141, 23}, sorted[] = {16, 23, 38, 94, 99, 141, 197};
  double below = 0, mean = 0, square = 0;
  for (unsigned k = 1; k <= 7; k++) {
    const double until = k < 7 ? gsl_cdf_binomial_Q(3, k / 7.0, 7) : 1;
    mean += (until - below) * sorted[k - 1];
    square += (until - below) * sorted[k - 1] * sorted[k - 1];
    below = until;
  }
  assert_close(sqrt(square - mean * mean), 37.83, 0.005);
  const rh_interval i = rh_median_interval(days, 7, 0.95, 1908);
  assert_true(i.estimate == 94 && i.low == 23 && i.high == 141);
  const double tails[] = {gsl_cdf_binomial_Q(3, 1 / 7.0, 7), gsl_cdf_binomial_Q(3, 2 / 7.0, 7)}, error = 0.003;
  assert_true(rh_median_interval(days, 7, 1 - 2 * (tails[0] - error), 1908).low == 16);
  assert_true(rh_median_interval(days, 7, 1 - 2 * (tails[0] + error), 1908).low == 23);
  assert_true(rh_median_interval(days, 7, 1 - 2 * (tails[1] - 3 * error), 1908).low == 23);
  assert_true(rh_median_interval(days, 7, 1 - 2 * (tails[1] + 3 * error), 1908).low == 38);
  const rh_interval again = rh_median_interval(days, 7, 0.95, 1908); /* the same seed, the same resamples */
  assert_true(again.low == i.low && again.high == i.high);
}

/* Of a normal distribution Student's interval holds the mean in exactly its level; 4,000 cases have a standard error of
 * .34 %, and three of them are allowed. */
static void test_student_covers_the_mean(void **state)
{
  (void)state;
  enum { CASES = 4000, SAMPLES = 5 };
  rh_rng rng = rh_rng_stream(6, RH_PURPOSE_TEST, 0, 0);
  int covered = 0;
  for (int c = 0; c < CASES; c++) {
    double x[SAMPLES];
    for (int i = 0; i < SAMPLES; i++)
      x[i] = 3 + 2 * rh_rng_normal(&rng);
    const rh_interval interval = rh_mean_interval(x, SAMPLES, 0.95);
    covered += interval.low <= 3 && 3 <= interval.high;
  }
  assert_close((double)covered / CASES, 0.95, 3 * 0.0034);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_students_sleep_data),
      cmocka_unit_test(test_equivalence_is_two_one_sided_tests),
      cmocka_unit_test(test_holms_correction),
      cmocka_unit_test(test_sign_test_counts_what_was_not_reached),
      cmocka_unit_test(test_medians_stand_what_was_not_reached),
      cmocka_unit_test(test_bootstrap_covers_the_median),
      cmocka_unit_test(test_bootstrap_of_the_mice),
      cmocka_unit_test(test_student_covers_the_mean),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
