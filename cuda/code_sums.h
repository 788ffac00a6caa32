/* Sums of a piece's values by a block, added in the order of train/compress/segment.c, whose rows of 64 lanes are 64
 * threads here: the host's bits. */
#ifndef RH_CUDA_CODE_SUMS_H
#define RH_CUDA_CODE_SUMS_H

#include "coding.h"

enum { SUBS = CODE_THREADS / CODE_LANES, ROWS = 16, SUMS = 16 };

/* What is found of a piece. */
typedef struct measure_shared {
  float part[SUBS][CODE_LANES], low[SUBS][CODE_LANES], high[SUBS][CODE_LANES];
  double lane[CODE_LANES], total[SUMS], sum;
  uint32_t most[CODE_THREADS];
  float least, greatest;
} measure_shared;

/* fold of segment.c, by one thread */
static __device__ double fold(double *sum)
{
  for (int k = 0; k < 8; k++)
    sum[k] += sum[k + 8];
  for (int k = 0; k < 4; k++)
    sum[k] += sum[k + 4];
  return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

/* s->most[0] = the largest magnitude's bits: not finite if a value is not. */
static __device__ void largest(measure_shared *s, const float *x, int64_t n)
{
  uint32_t most = 0;
  for (int64_t i = threadIdx.x; i < n; i += CODE_THREADS) {
    const uint32_t bits = __float_as_uint(x[i]) & 0x7FFFFFFF;
    most = bits > most ? bits : most;
  }
  s->most[threadIdx.x] = most;
  __syncthreads();
  for (unsigned width = CODE_THREADS / 2; width > 0; width /= 2) {
    if (threadIdx.x < width && s->most[threadIdx.x + width] > s->most[threadIdx.x])
      s->most[threadIdx.x] = s->most[threadIdx.x + width];
    __syncthreads();
  }
}

/* Adds a chunk of up to 16 rows, f32 sums of lanes, to the f64 sums. */
static __device__ void add_chunk(measure_shared *s, int sub)
{
  const int k = (int)threadIdx.x;
  const float *const part = s->part[sub];
  s->total[k] += (double)((part[k] + part[k + 2 * SUMS]) + (part[k + SUMS] + part[k + 3 * SUMS]));
}

/* s->sum = rh_segment_squares; s->most[0] is there. */
static __device__ void squares(measure_shared *s, const float *x, int64_t n)
{
  const int lane = (int)threadIdx.x % CODE_LANES, sub = (int)threadIdx.x / CODE_LANES;
  const int64_t whole = n / CODE_LANES * CODE_LANES, chunk = CODE_LANES * ROWS;
  if (threadIdx.x < SUMS) s->total[threadIdx.x] = 0;
  if (sub == 0) {
    const float value = whole + lane < n ? x[whole + lane] : 0;
    s->part[0][lane] = value * value;
  }
  __syncthreads();
  if (whole < n && threadIdx.x < SUMS) add_chunk(s, 0);
  __syncthreads();
  for (int64_t from = 0; from < whole; from += SUBS * chunk) {
    float sum = 0;
    for (int64_t i = from + sub * chunk + lane, row = 0; row < ROWS && i < whole; row++, i += CODE_LANES)
      sum += x[i] * x[i];
    s->part[sub][lane] = sum;
    __syncthreads();
    for (int k = 0; threadIdx.x < SUMS && k < SUBS && from + k * chunk < whole; k++)
      add_chunk(s, k);
    __syncthreads();
  }
  if (threadIdx.x == 0) s->sum = fold(s->total);
  __syncthreads();
  const bool in_range = s->sum >= 0x1p-80 && s->sum <= 1.7976931348623157e308;
  if (in_range || s->most[0] == 0) return; /* squares_checked */
  __syncthreads();
  if (threadIdx.x < SUMS) {
    double sum = 0;
    for (int64_t i = threadIdx.x; i < n; i += SUMS)
      sum += (double)x[i] * (double)x[i];
    s->total[threadIdx.x] = sum;
  }
  __syncthreads();
  if (threadIdx.x == 0) s->sum = fold(s->total);
  __syncthreads();
}

#endif
