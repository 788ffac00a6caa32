/* Mixing of rows by weights, terms in their order and without fused products: the same bits as the host's. */
#include "launch.h"

static const int64_t TERMS = 64; /* of one launch: weights and rows go along as its arguments */

typedef struct some_terms {
  float weight[TERMS];
  const float *row[TERMS];
} some_terms;

/* y = sum, or y + sum where `goes_on` */
static __global__ void weighted_sum(int64_t n, int terms, bool goes_on, some_terms t, float *y)
{
  for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x) {
    float sum = goes_on ? y[i] + t.weight[0] * t.row[0][i] : t.weight[0] * t.row[0][i];
    for (int k = 1; k < terms; k++)
      sum += t.weight[k] * t.row[k][i];
    y[i] = sum;
  }
}

extern "C" void rh_cuda_weighted_sum(int64_t n, int64_t terms, const double *weights, const float *const *rows,
                                     float *y)
{
  for (int64_t first = 0; first < terms; first += TERMS) {
    some_terms t = some_terms();
    const int64_t here = terms - first < TERMS ? terms - first : TERMS;
    for (int64_t k = 0; k < here; k++) {
      t.weight[k] = (float)weights[first + k];
      t.row[k] = rows[first + k];
    }
    RH_LAUNCH(weighted_sum, rh_grid(n, 1), RH_BLOCK, n, (int)here, first > 0, t, y);
  }
}

/* The sparse matrix on the device, as long as its rows and terms; grows when it must. */
static struct {
  int32_t *offset, *column;
  float *weight;
  int64_t rows, terms; /* that there is room for */
} matrix;

static bool make_room(int64_t rows, int64_t terms)
{
  if (rows > matrix.rows) {
    rh_cuda_release(matrix.offset);
    matrix.offset = (int32_t *)rh_cuda_alloc((size_t)(rows + 1) * sizeof *matrix.offset);
    matrix.rows = matrix.offset ? rows : 0;
  }
  if (terms > matrix.terms) {
    rh_cuda_release(matrix.column);
    rh_cuda_release(matrix.weight);
    matrix.column = (int32_t *)rh_cuda_alloc((size_t)terms * sizeof *matrix.column);
    matrix.weight = (float *)rh_cuda_alloc((size_t)terms * sizeof *matrix.weight);
    matrix.terms = matrix.column && matrix.weight ? terms : 0;
  }
  return matrix.rows >= rows && matrix.terms >= terms;
}

static __global__ void mix(int64_t n, int64_t count, const int32_t *offset, const int32_t *column, const float *weight,
                           rh_tensor own, rh_tensor x, rh_tensor y)
{
  RH_EACH(r, count, i, n)
  {
    const int32_t first = offset[r], end = offset[r + 1];
    float sum = weight[first] * (own.data ? rh_at(own, r)[i] : rh_at(x, column[first])[i]);
    for (int32_t k = first + 1; k < end; k++)
      sum += weight[k] * rh_at(x, column[k])[i];
    rh_at(y, r)[i] = sum;
  }
}

extern "C" void rh_cuda_mix(int64_t n, int64_t count, const int32_t *offset, const int32_t *column,
                            const double *weights, rh_tensor own, rh_tensor x, rh_tensor y)
{
  const int64_t PIECE = 1024; /* weights rounded at once */
  const int64_t terms = offset[count];
  if (!make_room(count, terms)) {
    rh_cuda_check(cudaErrorMemoryAllocation, "a mixing matrix");
    return;
  }
  rh_cuda_upload(matrix.offset, offset, (size_t)(count + 1) * sizeof *offset);
  rh_cuda_upload(matrix.column, column, (size_t)terms * sizeof *column);
  for (int64_t first = 0; first < terms; first += PIECE) {
    float rounded[PIECE];
    const int64_t here = terms - first < PIECE ? terms - first : PIECE;
    for (int64_t k = 0; k < here; k++)
      rounded[k] = (float)weights[first + k];
    rh_cuda_upload(matrix.weight + first, rounded, (size_t)here * sizeof *rounded);
  }
  RH_LAUNCH(mix, rh_grid(n, count), RH_BLOCK, n, count, matrix.offset, matrix.column, matrix.weight, own, x, y);
}

static struct {
  float *row;
  int64_t room;
} divisor;

static __global__ void divide(int64_t n, int64_t count, const float *divisors, rh_tensor x, rh_tensor y)
{
  RH_EACH(r, count, i, n)
  rh_at(y, r)[i] = rh_at(x, r)[i] / divisors[r];
}

extern "C" void rh_cuda_divide(int64_t n, int64_t count, const float *divisors, rh_tensor x, rh_tensor y)
{
  if (count > divisor.room) {
    rh_cuda_release(divisor.row);
    divisor.row = (float *)rh_cuda_alloc((size_t)count * sizeof *divisor.row);
    divisor.room = divisor.row ? count : 0;
    if (!divisor.row) rh_cuda_check(cudaErrorMemoryAllocation, "divisors of rows");
  }
  rh_cuda_upload(divisor.row, divisors, (size_t)count * sizeof *divisors);
  RH_LAUNCH(divide, rh_grid(n, count), RH_BLOCK, n, count, divisor.row, x, y);
}
