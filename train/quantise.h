/* The quantiser of training in 8 bits: uniform and affine, 256 levels, kept as f32.
 *
 * Symbols     x a value, lo and hi the ends of its range, q its level, x^ what it becomes
 *
 *     scale = max((hi - lo) / 255, 1e-8)
 *     q     = round(clamp((x - lo) / scale + noise, 0, 255))    noise 0 (nearest), or uniform in (-.5, .5) (stochastic)
 *     x^    = q scale + lo
 *
 * A constant tensor has the scale 1e-8 and is given back as it is. A range that is not finite makes every value NaN: a
 * training that diverged must show as one.
 * Memory      of the host
 * bits        the same on every machine; of stochastic rounding, functions of the stream
 * Source      Aketi et al., Low precision decentralized training over heterogeneous data, arXiv 2111.09389, after
 *             Banner et al., Scalable methods for 8-bit training of neural networks, NeurIPS 2018
 */
#ifndef RH_QUANTISE_H
#define RH_QUANTISE_H

#include <stdbool.h>

#include "rng.h"

typedef struct rh_range {
  float lo, hi; /* lo > hi: none was measured; NaN: something was not finite */
} rh_range;

#define RH_RANGE_NONE ((rh_range){3.402823466e+38F, -3.402823466e+38F})

/* Whether something was measured, finite or not. */
bool rh_range_is_known(rh_range range);

/* Range of the values of x [n], n > 0. */
rh_range rh_range_of(const float *x, int64_t n);
/* Range of those that are not 0; RH_RANGE_NONE if all are. */
rh_range rh_range_of_nonzero(const float *x, int64_t n);
/* Mean over the samples of x [samples][n] of a sample's smallest, and of its largest value. */
rh_range rh_range_of_samples(const float *x, int64_t samples, int64_t n);
/* The running range after a batch: .1 old + .9 new, or the new one where nothing was known. */
rh_range rh_range_follow(rh_range running, rh_range batch);
/* Mean of those of ranges [count], `step` apart, that are known; RH_RANGE_NONE if there is none. */
rh_range rh_range_mean(const rh_range *ranges, int64_t count, int64_t step);

/* y [n] = x^ of x [n]; y may be x. Levels halfway between two go to the even one. */
void rh_quantise_nearest(rh_range range, int64_t n, const float *x, float *y);
/* The same, but zeros stay zero: what a sparse tensor does not hold needs no level. */
void rh_quantise_nearest_nonzero(rh_range range, int64_t n, const float *x, float *y);
/* rh_quantise_nearest with noise: up or down by chance, so that the mean of x^ is x where x lies in the range. Draws of
 * 16 bits: a level is cut into 65,536 parts, to the nearest of which x is brought first. */
void rh_quantise_stochastic(rh_range range, rh_rng *rng, int64_t n, const float *x, float *y);

/* Floating point operations a value of a quantisation: range 2, into levels 2, clamp 2, round 1, back 2; and with
 * stochastic rounding the draw 2.5 (ten rounds of two products for eight values) and its addition. */
#define RH_QUANTISE_NEAREST_FLOP    9.0
#define RH_QUANTISE_STOCHASTIC_FLOP 12.5

#endif
