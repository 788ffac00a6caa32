/* Matrices and thin factors in the orders of train/base/thin.c: the same bits, but for the last one of a normal number,
 * where the device's log and cos differ from the host's.
 *
 * With a few columns a product reads its matrix once and computes next to nothing: these kernels read it once for every
 * four columns, and have the host's order of sums, which a library's would not.
 */
#include "launch.h"
#include "philox.h"
#include "thin.h"

enum { THREADS = 128, LANES = 16, ROWS = THREADS / LANES, COLUMNS = 4, DOT_LANES = 8 };

static __device__ inline float *at(rh_tensor x, int64_t r, int64_t offset)
{
  return x.data + r * x.stride + offset;
}

/* 16 threads a row of M, each with a partial sum for each of four columns of Q; they add them up as a tree. */
static __global__ void thin_right(rh_thin t, int64_t count, rh_tensor m, rh_tensor q, rh_tensor p)
{
  __shared__ float parts[COLUMNS][THREADS];
  const int thread = threadIdx.x, lane = thread % LANES;
  for (int64_t r = blockIdx.y; r < count; r += gridDim.y)
    for (int64_t first = (int64_t)blockIdx.x * ROWS; first < t.rows; first += (int64_t)gridDim.x * ROWS)
      for (int64_t k = 0; k < t.rank; k += COLUMNS) {
        const int64_t i = first + thread / LANES, left = t.rank - k, columns = left < COLUMNS ? left : COLUMNS;
        float sum[COLUMNS] = {0, 0, 0, 0};
        for (int64_t j = lane; i < t.rows && j < t.columns; j += LANES) {
          const float value = *at(m, r, i * t.columns + j);
          for (int c = 0; c < COLUMNS; c++)
            if (c < columns) sum[c] += value * *at(q, r, (k + c) * t.columns + j);
        }
        for (int c = 0; c < COLUMNS; c++)
          parts[c][thread] = sum[c];
        __syncthreads();
        for (int half = LANES / 2; half > 0; half /= 2) {
          if (lane < half)
            for (int c = 0; c < COLUMNS; c++)
              parts[c][thread] += parts[c][thread + half];
          __syncthreads();
        }
        if (lane == 0 && i < t.rows)
          for (int c = 0; c < COLUMNS; c++)
            if (c < columns) *at(p, r, (k + c) * t.rows + i) = parts[c][thread];
        __syncthreads(); /* before the next columns overwrite the parts */
      }
}

/* A thread has one column of M and up to four of P. */
static __global__ void thin_left(rh_thin t, int64_t count, rh_tensor m, rh_tensor p, rh_tensor q)
{
  const int64_t n = t.columns;
  RH_EACH(r, count, j, n)
  {
    for (int64_t k = 0; k < t.rank; k += COLUMNS) {
      const int64_t left = t.rank - k, columns = left < COLUMNS ? left : COLUMNS;
      float sum[COLUMNS] = {0, 0, 0, 0};
      int64_t i = 0;
      for (; i + 4 <= t.rows; i += 4) {
        const float *const x = at(m, r, i * n + j);
        const float x0 = x[0], x1 = x[n], x2 = x[2 * n], x3 = x[3 * n];
        for (int c = 0; c < COLUMNS; c++)
          if (c < columns) {
            const float *const w = at(p, r, (k + c) * t.rows + i);
            sum[c] += (w[0] * x0 + w[1] * x1) + (w[2] * x2 + w[3] * x3);
          }
      }
      for (; i < t.rows; i++)
        for (int c = 0; c < COLUMNS; c++)
          if (c < columns) sum[c] += *at(p, r, (k + c) * t.rows + i) * *at(m, r, i * n + j);
      for (int c = 0; c < COLUMNS; c++)
        if (c < columns) *at(q, r, (k + c) * n + j) = sum[c];
    }
  }
}

static __global__ void copy_values(int64_t n, int64_t count, rh_tensor x, rh_tensor y)
{
  RH_EACH(r, count, i, n)
  rh_at(y, r)[i] = rh_at(x, r)[i];
}

static __device__ inline float scaled(double factor, float x)
{
  return (float)(factor * (double)x);
}

static __global__ void thin_expand(rh_thin t, int64_t count, double factor, rh_tensor p, rh_tensor q, rh_tensor m)
{
  const int64_t n = t.columns;
  RH_EACH(r, count, at_m, t.rows * n)
  {
    const int64_t i = at_m / n, j = at_m % n;
    const float *const left = at(p, r, i), *const right = at(q, r, j);
    const bool odd = t.rank % 2 == 1;
    float value = scaled(factor, left[0]) * right[0];
    if (!odd) value = value + scaled(factor, left[t.rows]) * right[n];
    for (int64_t k = odd ? 1 : 2; k < t.rank; k += 2) {
      const float a = scaled(factor, left[k * t.rows]), b = scaled(factor, left[(k + 1) * t.rows]);
      value += a * right[k * n] + b * right[(k + 1) * n];
    }
    rh_at(m, r)[at_m] = value;
  }
}

static __global__ void scale_values(int64_t n, int64_t count, double factor, rh_tensor x, rh_tensor y)
{
  RH_EACH(r, count, i, n)
  rh_at(y, r)[i] = scaled(factor, rh_at(x, r)[i]);
}

/* All threads of a block call the following together. */

static __device__ double dot(const float *a, const float *b, int64_t n, double *lane)
{
  const int t = threadIdx.x;
  __syncthreads(); /* what was written before, and what was read of the last sums */
  if (t < DOT_LANES) {
    double sum = 0;
    for (int64_t i = t; i < n; i += DOT_LANES)
      sum += (double)a[i] * (double)b[i];
    lane[t] = sum;
  }
  __syncthreads();
  return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

static __device__ bool orthonormal_column(float *a, int64_t n, int64_t k, double *lane)
{
  float *const v = a + k * n;
  const double before = sqrt(dot(v, v, n, lane));
  for (int pass = 0; pass < 2; pass++)
    for (int64_t other = 0; other < k; other++) {
      const float *const u = a + other * n;
      const double along = dot(u, v, n, lane);
      for (int64_t i = threadIdx.x; i < n; i += THREADS)
        v[i] = (float)((double)v[i] - along * (double)u[i]);
    }
  const double left = sqrt(dot(v, v, n, lane));
  if (before - before == 0 && left <= 1e-6 * before) return false; /* before is finite */
  const double scale = 1 / left;
  for (int64_t i = threadIdx.x; i < n; i += THREADS)
    v[i] = (float)(scale * (double)v[i]);
  return true;
}

/* rh_rng_normal: a block of four numbers each */
static __device__ float normal(const philox *stream, uint32_t rank, uint32_t i)
{
  uint32_t number[4];
  philox_block(stream, rank, i, number);
  const double u = 1 - (double)((uint64_t)(number[0] >> 5) << 26 | number[1] >> 6) * 0x1p-53;
  const double v = (double)((uint64_t)(number[2] >> 5) << 26 | number[3] >> 6) * 0x1p-53;
  return (float)(sqrt(-2 * log(u)) * cos(6.283185307179586 * v));
}

/* A block: the columns of replica r. */
static __global__ void orthonormalise(int64_t n, int64_t columns, int64_t count, bool draws, philox stream,
                                      int64_t *drawn, rh_tensor x)
{
  __shared__ double lane[DOT_LANES];
  for (int64_t r = blockIdx.x; r < count; r += gridDim.x) {
    float *const a = at(x, r, 0);
    int64_t so_far = draws ? drawn[r] : 0;
    for (int64_t k = 0; k < columns; k++) {
      float *const v = a + k * n;
      bool independent = orthonormal_column(a, n, k, lane);
      if (!independent && draws) {
        for (int64_t i = threadIdx.x; i < n; i += THREADS)
          v[i] = normal(&stream, (uint32_t)r, (uint32_t)(so_far + i));
        so_far += n;
        independent = orthonormal_column(a, n, k, lane);
      }
      for (int64_t i = threadIdx.x; !independent && i < n; i += THREADS)
        v[i] = 0;
    }
    __syncthreads(); /* all have read what was drawn so far */
    if (draws && threadIdx.x == 0) drawn[r] = so_far;
  }
}

extern "C" void rh_cuda_thin_right(const rh_thin *t, int64_t count, rh_tensor m, rh_tensor q, rh_tensor p)
{
  const int64_t most = 1 << 20, blocks = (t->rows + ROWS - 1) / ROWS;
  if (t->rank > 0)
    RH_LAUNCH(thin_right, dim3((unsigned)(blocks < most ? blocks : most), (unsigned)(count < 65535 ? count : 65535)),
              THREADS, *t, count, m, q, p);
}

extern "C" void rh_cuda_thin_left(const rh_thin *t, int64_t count, rh_tensor m, rh_tensor p, rh_tensor q)
{
  const int64_t values = t->rows * t->columns;
  if (t->rank > 0)
    RH_LAUNCH(thin_left, rh_grid(t->columns, count), RH_BLOCK, *t, count, m, p, q);
  else
    RH_LAUNCH(copy_values, rh_grid(values, count), RH_BLOCK, values, count, m, q);
}

extern "C" void rh_cuda_thin_expand(const rh_thin *t, int64_t count, double factor, rh_tensor p, rh_tensor q,
                                    rh_tensor m)
{
  const int64_t values = t->rows * t->columns;
  if (t->rank > 0)
    RH_LAUNCH(thin_expand, rh_grid(values, count), RH_BLOCK, *t, count, factor, p, q, m);
  else
    RH_LAUNCH(scale_values, rh_grid(values, count), RH_BLOCK, values, count, factor, q, m);
}

extern "C" void rh_cuda_thin_orthonormalise(int64_t n, int64_t columns, int64_t count, const struct rh_rng *stream,
                                            int64_t *drawn, rh_tensor x)
{
  const philox none = philox();
  RH_LAUNCH(orthonormalise, dim3((unsigned)(count < 65535 ? count : 65535)), THREADS, n, columns, count, stream != NULL,
            stream ? philox_of(stream) : none, drawn, x);
}
