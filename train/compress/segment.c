#include "segment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bits.h"
#include "clones.h"
#include "status.h"

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

/* Values looked at side by side, enough to keep a machine's adders busy; f64 sums of them; rows of lanes in a sum. */
enum { LANES = 64, SUMS = 16, ROWS = 16 };

/* The values after the last whole row of lanes, n % LANES of them, as a row that is filled up with `fill`. */
RH_INLINE void last_row(const float *x, int64_t n, float fill, float row[LANES])
{
  for (int k = 0; k < LANES; k++)
    row[k] = fill;
  memcpy(row, x + n / LANES * LANES, (size_t)(n % LANES) * sizeof *row);
}

/* Sums of floats have a fixed order: partial sums side by side are halved until one is left. */
RH_INLINE double fold(double sum[SUMS])
{
  for (int k = 0; k < 8; k++)
    sum[k] += sum[k + 8];
  for (int k = 0; k < 4; k++)
    sum[k] += sum[k + 4];
  return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

RH_INLINE void add_squares(const float row[LANES], float sum[LANES], uint32_t most[LANES], bool want_largest)
{
  for (int k = 0; k < LANES; k++) {
    sum[k] += row[k] * row[k];
    if (!want_largest) continue;
    const uint32_t b = float_bits(row[k]) & INT32_MAX;
    most[k] = b > most[k] ? b : most[k];
  }
}

RH_INLINE void add_sums(float sum[LANES], double total[SUMS])
{
  for (int k = 0; k < LANES / 2; k++)
    sum[k] += sum[k + LANES / 2];
  for (int k = 0; k < SUMS; k++)
    total[k] += (double)(sum[k] + sum[k + SUMS]);
}
_Static_assert(LANES == 4 * SUMS, "lanes are halved twice");

/* Squares are added in f32 over a few rows of lanes, and those sums in f64: half the work of f64 alone. */
RH_INLINE rh_magnitudes measure(const float *x, int64_t n, bool want_largest)
{
  double total[SUMS] = {0};
  float sum[LANES] = {0}, last[LANES];
  uint32_t most[LANES] = {0}, largest = 0;
  if (n % LANES > 0) {
    last_row(x, n, 0, last);
    add_squares(last, sum, most, want_largest);
    add_sums(sum, total);
  }
  for (int64_t i = 0; i + LANES <= n;) {
    memset(sum, 0, sizeof sum);
    for (int row = 0; row < ROWS && i + LANES <= n; row++, i += LANES)
      add_squares(x + i, sum, most, want_largest);
    add_sums(sum, total);
  }
  for (int k = 0; k < LANES; k++)
    largest = most[k] > largest ? most[k] : largest;
  return (rh_magnitudes){fold(total), bits_float(largest)};
}

RH_CLONES static double squares(const float *x, int64_t n)
{
  return measure(x, n, false).squares;
}

RH_CLONES static void magnitudes(const float *x, int64_t n, rh_magnitudes *m)
{
  *m = measure(x, n, true);
}

/* The sum, unless it is out of the range of squares in f32. A square below f32's normal range is off by 2^-150 at most,
 * so that sums of 2^-80 and more do not notice. */
static double squares_checked(const float *x, int64_t n, double sum)
{
  if (sum >= 0x1p-80 && isfinite(sum)) return sum;
  double total[SUMS] = {0};
  for (int64_t i = 0; i < n; i++)
    total[i % SUMS] += (double)x[i] * (double)x[i];
  return fold(total);
}

double rh_segment_squares(const float *x, int64_t n)
{
  return squares_checked(x, n, squares(x, n));
}

rh_magnitudes rh_segment_magnitudes(const float *x, int64_t n)
{
  rh_magnitudes m;
  magnitudes(x, n, &m);
  m.squares = squares_checked(x, n, m.squares);
  return m;
}

RH_CLONES static double absolute(const float *x, int64_t n)
{
  double sum[LANES] = {0};
  for (int64_t i = 0; i + LANES <= n; i += LANES)
    for (int k = 0; k < LANES; k++)
      sum[k] += (double)fabsf(x[i + k]);
  float last[LANES];
  last_row(x, n, 0, last);
  for (int k = 0; k < LANES; k++)
    sum[k] += (double)fabsf(last[k]);
  for (int k = 0; k < LANES / 2; k++)
    sum[k] += sum[k + LANES / 2];
  for (int k = 0; k < SUMS; k++)
    sum[k] += sum[k + SUMS];
  return fold(sum);
}

double rh_segment_absolute(const float *x, int64_t n)
{
  return absolute(x, n);
}

const float *rh_segment_groups(const float *x, int64_t n, float power, float room[RH_BLOCK], int64_t *whole)
{
  RH_ASSERT(n > 0 && n <= RH_BLOCK);
  *whole = (n + RH_GROUP - 1) / RH_GROUP * RH_GROUP;
  if (*whole == n && power == 1) return x;
  for (int64_t i = 0; i < n; i++)
    room[i] = power * x[i];
  for (int64_t i = n; i < *whole; i++)
    room[i] = room[0];
  return room;
}

float rh_segment_power(double size)
{
  int exponent;
  frexp(size, &exponent);
  if (abs(exponent) <= 96) return 1;
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

int64_t rh_segments_encode(rh_coding *coding, const float *x, rh_segment_encode *encode, rh_dither *dither,
                           uint8_t *wire)
{
  const rh_layout *layout = coding->layout;
  uint8_t *at = wire;
  for (int32_t s = 0; s < layout->count; s++) {
    if (layout->length[s] > 0) at = encode(coding->options, x, layout->length[s], dither, at);
    x += layout->length[s];
  }
  return at - wire;
}

void rh_segments_decode(rh_coding *coding, const uint8_t *wire, int64_t wire_bytes, rh_segment_decode *decode, float *x)
{
  const rh_layout *layout = coding->layout;
  const uint8_t *at = wire;
  for (int32_t s = 0; s < layout->count; s++) {
    if (layout->length[s] > 0) at = decode(coding->options, at, layout->length[s], x);
    x += layout->length[s];
  }
  RH_ASSERT(at - wire == wire_bytes);
}
