#include "fit.h"

#include <gsl/gsl_cdf.h>
#include <gsl/gsl_sf_psi.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "status.h"

static const char *const names[] = {
    [RH_FIT_NONE] = "", [RH_FIT_LOGNORMAL] = "lognormal", [RH_FIT_GAMMA] = "gamma", [RH_FIT_EMPIRICAL] = "empirical"};

const char *rh_fit_name(int kind)
{
  return names[kind];
}

int rh_fit_kind_of(const char *name)
{
  for (int kind = RH_FIT_LOGNORMAL; kind <= RH_FIT_EMPIRICAL; kind++)
    if (strcmp(names[kind], name) == 0) return kind;
  return RH_FIT_NONE;
}

double rh_fit_rounded(double value)
{
  char digits[32];
  snprintf(digits, sizeof digits, "%.6g", value);
  return strtod(digits, NULL);
}

/* P(t <= x) */
static double below(const rh_fit *fit, double x)
{
  if (fit->kind == RH_FIT_LOGNORMAL) return gsl_cdf_gaussian_P(log(x) - fit->a, fit->b);
  /* Above a shape of 1e4, where the series get long, Wilson and Hilferty's cube root is normal to 1e-5 (PNAS 17,
   * 1931). */
  if (fit->a > 1e4) return gsl_cdf_ugaussian_P(3 * sqrt(fit->a) * (cbrt(x / (fit->a * fit->b)) - 1 + 1 / (9 * fit->a)));
  return gsl_cdf_gamma_P(x, fit->a, fit->b);
}

/* The largest difference between the fit and the samples' steps, on either side of each. */
static double distance(const rh_fit *fit, const double *sample_s, int32_t count)
{
  double largest = 0;
  for (int32_t i = 0; i < count; i++) {
    const double p = below(fit, sample_s[i]);
    largest = fmax(largest, fmax(p - (double)i / count, (double)(i + 1) / count - p));
  }
  return largest;
}

static void log_moments(const double *sample_s, int32_t count, double *mean, double *deviation)
{
  double sum = 0, squares = 0;
  for (int32_t i = 0; i < count; i++)
    sum += log(sample_s[i]);
  *mean = sum / count;
  for (int32_t i = 0; i < count; i++)
    squares += (log(sample_s[i]) - *mean) * (log(sample_s[i]) - *mean);
  *deviation = sqrt(squares / count);
}

/* The shape k solves ln k - psi(k) = s, with s = ln(mean) - mean of ln: Newton's method from Minka's start, which
 * needs four or five steps (Estimating a Gamma distribution, 2002). */
static double gamma_shape(double s)
{
  double k = (3 - s + sqrt((s - 3) * (s - 3) + 24 * s)) / (12 * s);
  for (int step = 0; step < 20; step++) {
    const double next = k - (log(k) - gsl_sf_psi(k) - s) / (1 / k - gsl_sf_psi_1(k));
    if (!(next > 0) || !isfinite(next)) break;
    if (fabs(next - k) <= 1e-12 * k) return next;
    k = next;
  }
  return k;
}

rh_fit rh_fit_make(const double *sample_s, int32_t count)
{
  rh_fit none = {.kind = RH_FIT_NONE};
  if (count < RH_FIT_SAMPLES) return none;
  RH_ASSERT(sample_s[0] > 0 && sample_s[count - 1] >= sample_s[0]);
  rh_fit lognormal = {.kind = RH_FIT_LOGNORMAL}, gamma = {.kind = RH_FIT_GAMMA};
  log_moments(sample_s, count, &lognormal.a, &lognormal.b);
  const double mean = gsl_stats_mean(sample_s, 1, (size_t)count), s = log(mean) - lognormal.a;
  double best = 1;
  if (lognormal.b > 1e-9 && s > 1e-15) { /* else all samples are equal, and no distribution has a density */
    gamma.a = gamma_shape(s);
    gamma.b = mean / gamma.a;
    lognormal.distance = distance(&lognormal, sample_s, count);
    gamma.distance = distance(&gamma, sample_s, count);
    rh_fit *nearer = lognormal.distance <= gamma.distance ? &lognormal : &gamma;
    nearer->a = rh_fit_rounded(nearer->a);
    nearer->b = rh_fit_rounded(nearer->b);
    nearer->distance = best = rh_fit_rounded(nearer->distance);
    if (best <= 0.886 / sqrt(count)) return *nearer;
  }
  rh_fit empirical = {.kind = RH_FIT_EMPIRICAL, .distance = best};
  for (int q = 0; q < RH_FIT_QUANTILES; q++)
    empirical.quantile_s[q] = rh_fit_rounded(
        gsl_stats_quantile_from_sorted_data(sample_s, 1, (size_t)count, q / (double)(RH_FIT_QUANTILES - 1)));
  return empirical;
}

/* Marsaglia and Tsang, ACM TOMS 26(3), 2000; a shape below 1 takes one more and a power. */
static double draw_gamma(double shape, double scale, rh_rng *rng)
{
  if (shape < 1) {
    const double u = 1 - rh_rng_f64(rng);
    return draw_gamma(shape + 1, scale, rng) * pow(u, 1 / shape);
  }
  const double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
  for (;;) {
    const double x = rh_rng_normal(rng), v = (1 + c * x) * (1 + c * x) * (1 + c * x);
    if (v <= 0) continue;
    const double u = 1 - rh_rng_f64(rng);
    if (log(u) < 0.5 * x * x + d - d * v + d * log(v)) return d * v * scale;
  }
}

double rh_fit_draw(const rh_fit *fit, rh_rng *rng)
{
  if (fit->kind == RH_FIT_LOGNORMAL) return exp(fit->a + fit->b * rh_rng_normal(rng));
  if (fit->kind == RH_FIT_GAMMA) return draw_gamma(fit->a, fit->b, rng);
  RH_ASSERT(fit->kind == RH_FIT_EMPIRICAL);
  const double at = rh_rng_f64(rng) * (RH_FIT_QUANTILES - 1);
  const int q = (int)at;
  return fit->quantile_s[q] + (at - q) * (fit->quantile_s[q + 1] - fit->quantile_s[q]);
}
