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

/* Values looked at side by side, enough to keep a machine's adders busy. */
enum { LANES = 64 };

/* Integers in the order of floats: NaN lies beyond the infinities, so that one pass finds the range and what is not
 * finite; and minima of integers, unlike those of floats, do not depend on the order. */
RH_INLINE int32_t ordered(int32_t bits)
{
  return bits ^ (bits >> 31 & INT32_MAX);
}

RH_CLONES static void ordered_range(const float *x, int64_t n, int32_t *lo, int32_t *hi)
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

/* The values after the last whole row of lanes, n % LANES of them, as a row that is filled up with `fill`. */
RH_INLINE void last_row(const float *x, int64_t n, float fill, float row[LANES])
{
  for (int k = 0; k < LANES; k++)
    row[k] = fill;
  memcpy(row, x + n / LANES * LANES, (size_t)(n % LANES) * sizeof *row);
}

RH_INLINE void widen(const float row[LANES], float low[LANES], float high[LANES], float sum[LANES])
{
  for (int k = 0; k < LANES; k++) {
    low[k] = row[k] < low[k] ? row[k] : low[k];
    high[k] = row[k] > high[k] ? row[k] : high[k];
    sum[k] += row[k];
  }
}

/* Side by side, so that the loop vectorises. A sum shows what minima pass over: NaN stays in it. */
RH_CLONES static float float_range(const float *x, int64_t n, float *lo, float *hi)
{
  float low[LANES], high[LANES], sum[LANES] = {0}, last[LANES];
  for (int k = 0; k < LANES; k++)
    low[k] = high[k] = x[0];
  for (int64_t i = 0; i + LANES <= n; i += LANES)
    widen(x + i, low, high, sum);
  last_row(x, n, x[0], last);
  widen(last, low, high, sum);
#pragma GCC unroll 6
  for (int half = LANES / 2; half > 0; half /= 2)
    for (int k = 0; k < half; k++) {
      low[k] = low[k + half] < low[k] ? low[k + half] : low[k];
      high[k] = high[k + half] > high[k] ? high[k + half] : high[k];
      sum[k] += sum[k + half];
    }
  *lo = low[0];
  *hi = high[0];
  return sum[0];
}

bool rh_extent(const float *x, int64_t n, float *lo, float *hi)
{
  float least, most;
  if (!isfinite(float_range(x, n, &least, &most))) { /* a value is not finite, or the sum overflowed */
    int32_t low, high;
    ordered_range(x, n, &low, &high);
    least = bits_float(ordered(low));
    most = bits_float(ordered(high));
    if (!isfinite(least) || !isfinite(most)) return false;
  }
  *lo = least;
  *hi = most;
  return true;
}
