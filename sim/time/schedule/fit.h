/* How the time of a step spreads: a distribution fitted to its samples, and draws from it.
 *
 * Lognormal and gamma are fitted by maximum likelihood. The one whose largest distance from the samples' own
 * distribution (Kolmogorov-Smirnov) is smaller is taken, if samples of such a distribution would lie further away in
 * one case of twenty or more. Otherwise the samples' quantiles are kept instead, with straight lines between them.
 *
 * source      critical distance .886 / sqrt(n): Lilliefors, JASA 62(318), 1967, for a normal distribution (here of the
 *             logarithm) whose parameters come from the same samples, n > 30; gammas of timings are nearly normal
 */
#ifndef RH_FIT_H
#define RH_FIT_H

#include <stdint.h>

#include "rng.h"

typedef enum rh_fit_kind { RH_FIT_NONE, RH_FIT_LOGNORMAL, RH_FIT_GAMMA, RH_FIT_EMPIRICAL } rh_fit_kind;

/* Quantiles at 0, 5, ..., 100 %. */
enum { RH_FIT_QUANTILES = 21, RH_FIT_SAMPLES = 200 };

typedef struct rh_fit {
  int kind;        /* enum rh_fit_kind */
  double a, b;     /* lognormal: mean and standard deviation of ln(t / s); gamma: shape, and scale in s */
  double distance; /* Kolmogorov-Smirnov distance, 0..1; of an empirical fit that of the better one that was refused */
  double quantile_s[RH_FIT_QUANTILES]; /* of an empirical fit; of others 0 */
} rh_fit;

const char *rh_fit_name(int kind);    /* "lognormal"; "" for none */
int rh_fit_kind_of(const char *name); /* RH_FIT_NONE for an unknown name */

/* To six significant digits: more than clocks give, and short in a file. */
double rh_fit_rounded(double value);

/* Fits count >= RH_FIT_SAMPLES positive samples in rising order; kind RH_FIT_NONE for fewer. */
rh_fit rh_fit_make(const double *sample_s, int32_t count);

/* A time > 0 from the distribution; kind is not RH_FIT_NONE. */
double rh_fit_draw(const rh_fit *fit, rh_rng *rng);

#endif
