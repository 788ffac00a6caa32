#include "quantise.h"

#include <math.h>
#include <string.h>

#include "clones.h"
#include "extent.h"

enum { BLOCK = 512 /* values worked on at once: their draws stay in the first-level cache */, LEVELS = 255 };

static const double least_scale = 1e-8; /* of the source: what keeps a constant tensor's quotients finite */

bool rh_range_is_known(rh_range range)
{
  return !(range.lo > range.hi);
}

rh_range rh_range_of(const float *x, int64_t n)
{
  rh_range range = {NAN, NAN};
  rh_extent(x, n, &range.lo, &range.hi);
  return range;
}

rh_range rh_range_of_nonzero(const float *x, int64_t n)
{
  rh_range range = RH_RANGE_NONE;
  bool first = true;
  for (int64_t i = 0; i < n; i++) {
    if (x[i] == 0) continue;
    if (isnan(x[i])) return (rh_range){x[i], x[i]};
    range.lo = first || x[i] < range.lo ? x[i] : range.lo;
    range.hi = first || x[i] > range.hi ? x[i] : range.hi;
    first = false;
  }
  return range;
}

rh_range rh_range_of_samples(const float *x, int64_t samples, int64_t n)
{
  double lo = 0, hi = 0;
  for (int64_t b = 0; b < samples; b++) {
    const rh_range one = rh_range_of(x + b * n, n);
    lo += one.lo;
    hi += one.hi;
  }
  return (rh_range){(float)(lo / (double)samples), (float)(hi / (double)samples)};
}

rh_range rh_range_follow(rh_range running, rh_range batch)
{
  if (!rh_range_is_known(running)) return batch;
  return (rh_range){0.1F * running.lo + 0.9F * batch.lo, 0.1F * running.hi + 0.9F * batch.hi};
}

rh_range rh_range_mean(const rh_range *ranges, int64_t count, int64_t step)
{
  double lo = 0, hi = 0;
  int64_t known = 0;
  for (int64_t i = 0; i < count; i++) {
    const rh_range one = ranges[i * step];
    if (!rh_range_is_known(one)) continue;
    lo += one.lo;
    hi += one.hi;
    known++;
  }
  return known ? (rh_range){(float)(lo / (double)known), (float)(hi / (double)known)} : RH_RANGE_NONE;
}

/* A range as the loops want it. */
typedef struct affine {
  float lo, scale, inverse;
} affine;

static affine affine_of(rh_range range)
{
  const double scale = fmax(((double)range.hi - (double)range.lo) / LEVELS, least_scale);
  return (affine){range.lo, (float)scale, (float)(1 / scale)};
}

static void fill_nan(int64_t n, float *y)
{
  for (int64_t i = 0; i < n; i++)
    y[i] = NAN;
}

/* (x - lo) / scale within the levels; a NaN passes. */
RH_INLINE float level_of(float x, const affine *a)
{
  const float t = (x - a->lo) * a->inverse, low = t < 0 ? 0 : t;
  return low > LEVELS ? LEVELS : low;
}

/* Adding 1.5 x 2^23 to a number below 2^22 leaves its whole part, rounded to even, in the lowest bits. y may be x: each
 * element is read before it is written, which is what the pragma promises. */
RH_CLONES static void nearest(int64_t n, affine a, const float *x, float *y)
{
  const float round = 0x1.8p23F;
#pragma GCC ivdep
  for (int64_t i = 0; i < n; i++)
    y[i] = (level_of(x[i], &a) + round - round) * a.scale + a.lo;
}

/* In parts of 2^-16 of a level, so that the draw is added, and the floor taken, in integers. */
RH_CLONES static void stochastic(int64_t n, affine a, const uint16_t *draws, const float *x, float *y)
{
#pragma GCC ivdep
  for (int64_t i = 0; i < n; i++) {
    const int32_t parts = (int32_t)(level_of(x[i], &a) * 65536 + 0.5F);
    y[i] = (float)((parts + draws[i]) >> 16) * a.scale + a.lo;
  }
}

RH_CLONES static void nearest_nonzero(int64_t n, affine a, const float *x, float *y)
{
  const float round = 0x1.8p23F;
#pragma GCC ivdep
  for (int64_t i = 0; i < n; i++)
    y[i] = x[i] == 0 ? 0 : (level_of(x[i], &a) + round - round) * a.scale + a.lo;
}

void rh_quantise_nearest(rh_range range, int64_t n, const float *x, float *y)
{
  if (!isfinite(range.lo) || !isfinite(range.hi)) {
    fill_nan(n, y);
    return;
  }
  nearest(n, affine_of(range), x, y);
}

void rh_quantise_nearest_nonzero(rh_range range, int64_t n, const float *x, float *y)
{
  if (!rh_range_is_known(range)) { /* nothing but zeros */
    memset(y, 0, (size_t)n * sizeof *y);
    return;
  }
  if (!isfinite(range.lo) || !isfinite(range.hi)) {
    fill_nan(n, y);
    return;
  }
  nearest_nonzero(n, affine_of(range), x, y);
}

void rh_quantise_stochastic(rh_range range, rh_rng *rng, int64_t n, const float *x, float *y)
{
  uint16_t draws[BLOCK];
  if (!isfinite(range.lo) || !isfinite(range.hi)) {
    fill_nan(n, y);
    return;
  }
  const affine a = affine_of(range);
  for (int64_t i = 0; i < n; i += BLOCK) {
    const int64_t m = n - i < BLOCK ? n - i : BLOCK;
    rh_rng_fill_u16(rng, draws, m);
    stochastic(m, a, draws, x + i, y + i);
  }
}
