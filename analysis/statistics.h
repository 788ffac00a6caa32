/* Statistics of few runs: medians that stand censoring, paired differences, equivalence, many comparisons.
 *
 * Symbols     n observations, d_i paired differences, alpha = 1 - level
 * An observation may be INFINITY: "not reached". Orders hold with it, means do not, so what is about time or bytes to a
 * target uses medians and signs, what is about accuracies uses means.
 */
#ifndef RH_STATISTICS_H
#define RH_STATISTICS_H

#include <stdint.h>

/* An estimate with its interval; NaN where there is none. */
typedef struct rh_interval {
  double estimate, low, high;
} rh_interval;

/* Below this many observations a bootstrap says nothing: the points themselves are shown. */
enum { RH_BOOTSTRAP_LEAST = 6 };

/* Median; the mean of the two in the middle of an even number. NaN for n = 0; INFINITY counts as the largest. */
double rh_median(const double *x, int n);

/* Median and its percentile bootstrap interval from 10,000 resamples, seeded; low and high NaN below 6 observations.
 * Source: Efron, Tibshirani, An introduction to the bootstrap, 1993, ch. 13. */
rh_interval rh_median_interval(const double *x, int n, double level, uint64_t seed);

/* Mean and Student's interval; n >= 2, finite. low and high are NaN for n < 2. Source: Student, Biometrika 6, 1908. */
rh_interval rh_mean_interval(const double *x, int n, double level);

/* Two-sided p of "the mean of d is 0" by Student's t; NaN for n < 2; 1 or 0 without any spread. */
double rh_paired_t(const double *d, int n);

/* p of "the mean of d is at least `margin` away from 0": the larger of two one-sided t tests. Small: equivalent.
 * Source: Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15, 1987. */
double rh_equivalence(const double *d, int n, double margin);

/* Two-sided exact p of "as often smaller as larger", ties left out; 1 when all are ties. Source: Conover, Practical
 * nonparametric statistics, 3rd ed., 3.4. */
double rh_sign_test(const double *a, const double *b, int n);

/* Adjusts p values of a family of tests in place: Holm, Scand. J. Statistics 6, 1979. NaN ones are left out. */
void rh_holm(double *p, int n);

#endif
