#include "statistics.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"
#include "status.h"

enum { RESAMPLES = 10000 };

/* Of sorted values; halves of INFINITY stay INFINITY. */
static double sorted_median(const double *x, int n)
{
  return n % 2 ? x[n / 2] : x[n / 2 - 1] / 2 + x[n / 2] / 2;
}

double rh_median(const double *x, int n)
{
  if (n == 0) return NAN;
  double *sorted = malloc((size_t)n * sizeof *sorted);
  RH_ASSERT(sorted && "memory is exhausted");
  memcpy(sorted, x, (size_t)n * sizeof *sorted);
  gsl_sort(sorted, 1, (size_t)n);
  const double median = sorted_median(sorted, n);
  free(sorted);
  return median;
}

/* The value at share q of sorted ones, without interpolation: it may be INFINITY. */
static double quantile(const double *sorted, int n, double q)
{
  const int i = (int)floor(q * n);
  return sorted[i < 0 ? 0 : i >= n ? n - 1 : i];
}

rh_interval rh_median_interval(const double *x, int n, double level, uint64_t seed)
{
  rh_interval interval = {rh_median(x, n), NAN, NAN};
  if (n < RH_BOOTSTRAP_LEAST) return interval;
  double *medians = malloc(RESAMPLES * sizeof *medians), *sample = malloc((size_t)n * sizeof *sample);
  RH_ASSERT(medians && sample && "memory is exhausted");
  rh_rng rng = rh_rng_stream(seed, RH_PURPOSE_BOOTSTRAP, 0, 0);
  for (int r = 0; r < RESAMPLES; r++) {
    for (int i = 0; i < n; i++)
      sample[i] = x[rh_rng_below(&rng, (uint32_t)n)];
    gsl_sort(sample, 1, (size_t)n);
    medians[r] = sorted_median(sample, n);
  }
  gsl_sort(medians, 1, RESAMPLES);
  interval.low = quantile(medians, RESAMPLES, (1 - level) / 2);
  interval.high = quantile(medians, RESAMPLES, (1 + level) / 2);
  free(medians);
  free(sample);
  return interval;
}

rh_interval rh_mean_interval(const double *x, int n, double level)
{
  rh_interval interval = {n > 0 ? gsl_stats_mean(x, 1, (size_t)n) : NAN, NAN, NAN};
  if (n < 2) return interval;
  const double half = gsl_cdf_tdist_Pinv((1 + level) / 2, n - 1) * gsl_stats_sd(x, 1, (size_t)n) / sqrt(n);
  interval.low = interval.estimate - half;
  interval.high = interval.estimate + half;
  return interval;
}

/* P(T > (mean - at) / standard error), NaN for n < 2. */
static double upper_tail(const double *d, int n, double at)
{
  if (n < 2) return NAN;
  const double distance = gsl_stats_mean(d, 1, (size_t)n) - at, error = gsl_stats_sd(d, 1, (size_t)n) / sqrt(n);
  if (error == 0) return distance > 0 ? 0 : distance < 0 ? 1 : 0.5;
  return gsl_cdf_tdist_Q(distance / error, n - 1);
}

double rh_paired_t(const double *d, int n)
{
  const double upper = upper_tail(d, n, 0);
  return 2 * fmin(upper, 1 - upper);
}

double rh_equivalence(const double *d, int n, double margin)
{
  const double above_low = upper_tail(d, n, -margin), below_high = 1 - upper_tail(d, n, margin);
  return isnan(above_low) ? NAN : fmax(above_low, below_high);
}

double rh_sign_test(const double *a, const double *b, int n)
{
  unsigned smaller = 0, larger = 0;
  for (int i = 0; i < n; i++) {
    smaller += a[i] < b[i];
    larger += a[i] > b[i];
  }
  const unsigned least = smaller < larger ? smaller : larger;
  return smaller + larger ? fmin(1, 2 * gsl_cdf_binomial_P(least, 0.5, smaller + larger)) : 1;
}

static int by_value(const void *a, const void *b)
{
  const double *x = *(double *const *)a, *y = *(double *const *)b;
  return (*x > *y) - (*x < *y);
}

void rh_holm(double *p, int n)
{
  double **order = malloc((size_t)(n > 0 ? n : 1) * sizeof *order), largest = 0;
  int count = 0;
  RH_ASSERT(order && "memory is exhausted");
  for (int i = 0; i < n; i++)
    if (!isnan(p[i])) order[count++] = &p[i];
  qsort(order, (size_t)count, sizeof *order, by_value);
  for (int i = 0; i < count; i++)
    *order[i] = largest = fmax(largest, fmin(1, *order[i] * (count - i)));
  free(order);
}
