#include "segment.h"

#include <math.h>
#include <string.h>

#include "bits.h"
#include "clones.h"
#include "extent.h"

enum { LANES = 8 }; /* partial sums: the loops vectorise and the order is fixed */

RH_INLINE uint32_t float_bits(float x)
{
  uint32_t b;
  memcpy(&b, &x, sizeof b);
  return b;
}

RH_INLINE float bits_float(uint32_t b)
{
  float x;
  memcpy(&x, &b, sizeof x);
  return x;
}

bool rh_segment_range(const float *x, int64_t n, float *lo, float *hi)
{
  return rh_extent(x, n, lo, hi);
}

static double sum_lanes(const double lane[LANES])
{
  return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

RH_CLONES static void magnitudes(const float *x, int64_t n, double *lane, uint32_t *top)
{
  double sum[LANES] = {0};
  uint32_t most[LANES] = {0};
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES)
    for (int k = 0; k < LANES; k++) {
      const uint32_t b = float_bits(x[i + k]) & INT32_MAX;
      sum[k] += (double)x[i + k] * (double)x[i + k];
      most[k] = b > most[k] ? b : most[k];
    }
  for (; i < n; i++) {
    const uint32_t b = float_bits(x[i]) & INT32_MAX;
    sum[i % LANES] += (double)x[i] * (double)x[i];
    most[i % LANES] = b > most[i % LANES] ? b : most[i % LANES];
  }
  memcpy(lane, sum, sizeof sum);
  memcpy(top, most, sizeof most);
}

rh_magnitudes rh_segment_magnitudes(const float *x, int64_t n)
{
  double lane[LANES];
  uint32_t top[LANES], largest = 0;
  magnitudes(x, n, lane, top);
  for (int k = 0; k < LANES; k++)
    largest = top[k] > largest ? top[k] : largest;
  return (rh_magnitudes){sum_lanes(lane), bits_float(largest)};
}

RH_CLONES static void squares(const float *x, int64_t n, double *lane)
{
  double sum[LANES] = {0};
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES)
    for (int k = 0; k < LANES; k++)
      sum[k] += (double)x[i + k] * (double)x[i + k];
  for (; i < n; i++)
    sum[i % LANES] += (double)x[i] * (double)x[i];
  memcpy(lane, sum, sizeof sum);
}

double rh_segment_squares(const float *x, int64_t n)
{
  double lane[LANES];
  squares(x, n, lane);
  return sum_lanes(lane);
}

RH_CLONES static void absolute(const float *x, int64_t n, double *lane)
{
  double sum[LANES] = {0};
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES)
    for (int k = 0; k < LANES; k++)
      sum[k] += (double)fabsf(x[i + k]);
  for (; i < n; i++)
    sum[i % LANES] += (double)fabsf(x[i]);
  memcpy(lane, sum, sizeof sum);
}

double rh_segment_absolute(const float *x, int64_t n)
{
  double lane[LANES];
  absolute(x, n, lane);
  return sum_lanes(lane);
}

float rh_segment_power(double size)
{
  int exponent;
  frexp(size, &exponent);
  if (exponent > 126) exponent = 126;
  if (exponent < -126) exponent = -126;
  return ldexpf(1, -exponent);
}

int64_t rh_segment_longest(const rh_layout *layout)
{
  int64_t longest = 0;
  for (int32_t s = 0; s < layout->count; s++)
    if (layout->length[s] > longest) longest = layout->length[s];
  return longest;
}

int64_t rh_segment_bytes(const rh_layout *layout, int64_t head, int64_t bits)
{
  int64_t bytes = 0;
  for (int32_t s = 0; s < layout->count; s++)
    if (layout->length[s] > 0) bytes += head + rh_bits_bytes(layout->length[s], bits);
  return bytes;
}
