#include "extent.h"

#include <math.h>
#include <string.h>

#include "clones.h"

RH_INLINE int32_t float_bits(float x)
{
  int32_t b;
  memcpy(&b, &x, sizeof b);
  return b;
}

static float bits_float(int32_t b)
{
  float x;
  memcpy(&x, &b, sizeof x);
  return x;
}

/* Integers in the order of floats: NaN lies beyond the infinities, so that one pass finds the range and what is not
 * finite; and minima of integers, unlike those of floats, do not depend on the order. */
RH_INLINE int32_t ordered(int32_t bits)
{
  return bits ^ (bits >> 31 & INT32_MAX);
}

RH_CLONES static void ordered_extent(const float *x, int64_t n, int32_t *lo, int32_t *hi)
{
  int32_t low = INT32_MAX, high = INT32_MIN;
  for (int64_t i = 0; i < n; i++) {
    const int32_t key = ordered(float_bits(x[i]));
    low = key < low ? key : low;
    high = key > high ? key : high;
  }
  *lo = low;
  *hi = high;
}

bool rh_extent(const float *x, int64_t n, float *lo, float *hi)
{
  int32_t low, high;
  ordered_extent(x, n, &low, &high);
  const float least = bits_float(ordered(low)), most = bits_float(ordered(high));
  if (!isfinite(least) || !isfinite(most)) return false;
  *lo = least;
  *hi = most;
  return true;
}
