/* Sums over rows and within rows, in the orders that the host has: the same bits; values of rows at given places. */
#include "launch.h"

/* A thread has one column: it carries each row upwards through its levels as rh_fold_add (train/base/fold.c) does. Four
 * rows are read ahead, since a column waits for memory most of the time. */
static __global__ void fold_rows(int64_t n, int64_t count, rh_tensor x, uint64_t before, float *levels)
{
  const int64_t AHEAD = 4;
  for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x) {
    for (int64_t first = 0; first < count; first += AHEAD) {
      float row[AHEAD];
      const int64_t rows = count - first < AHEAD ? count - first : AHEAD;
      for (int64_t r = 0; r < rows; r++)
        row[r] = rh_at(x, first + r)[i];
      for (int64_t r = 0; r < rows; r++) {
        const uint64_t so_far = before + (uint64_t)(first + r);
        float sum = row[r];
        int64_t k = 0;
        for (; so_far >> k & 1; k++)
          sum = sum + levels[k * n + i];
        levels[k * n + i] = sum;
      }
    }
  }
}

extern "C" void rh_cuda_fold_rows(int64_t n, int64_t count, rh_tensor x, uint64_t before, float *levels)
{
  RH_LAUNCH(fold_rows, rh_grid(n, 1), RH_BLOCK, n, count, x, before, levels);
}

enum { LANES = 16, ROWS = RH_BLOCK / LANES };

/* 16 threads a row, each with its partial sum; the first adds them in order. */
static __global__ void squared_distances(int64_t n, int64_t count, rh_tensor x, const float *y, double *out)
{
  __shared__ double lanes[RH_BLOCK];
  const int lane = threadIdx.x % LANES;
  for (int64_t first = (int64_t)blockIdx.x * ROWS; first < count; first += (int64_t)gridDim.x * ROWS) {
    const int64_t r = first + threadIdx.x / LANES;
    double sum = 0;
    for (int64_t i = lane; r < count && i < n; i += LANES) {
      const double d = (double)rh_at(x, r)[i] - (y ? (double)y[i] : 0);
      sum += d * d;
    }
    lanes[threadIdx.x] = sum;
    __syncthreads();
    if (lane == 0 && r < count) {
      double all = 0;
      for (int k = 0; k < LANES; k++)
        all += lanes[threadIdx.x + k];
      out[r] = all;
    }
    __syncthreads();
  }
}

extern "C" void rh_cuda_squared_distances(int64_t n, int64_t count, rh_tensor x, const float *y, double *out)
{
  const int64_t blocks = (count + ROWS - 1) / ROWS;
  RH_LAUNCH(squared_distances, dim3((unsigned)(blocks < 65535 ? blocks : 65535)), RH_BLOCK, n, count, x, y, out);
}

static __global__ void pick(int64_t n, int64_t count, const int32_t *places, rh_tensor x, rh_tensor y)
{
  RH_EACH(r, count, i, n)
  {
    const int32_t place = places[i];
    rh_at(y, r)[i] = place < 0 ? 0 : rh_at(x, r)[place];
  }
}

extern "C" void rh_cuda_pick(int64_t n, int64_t count, const int32_t *places, rh_tensor x, rh_tensor y)
{
  RH_LAUNCH(pick, rh_grid(n, count), RH_BLOCK, n, count, places, x, y);
}

static __global__ void add_doubles(int64_t count, const double *terms, double *sums)
{
  RH_EACH(r, 1, i, count)
  sums[i] += terms[i];
}

extern "C" void rh_cuda_add_doubles(int64_t count, const double *terms, double *sums)
{
  RH_LAUNCH(add_doubles, rh_grid(count, 1), RH_BLOCK, count, terms, sums);
}
