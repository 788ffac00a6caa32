/* Dense layers and products of matrices: cuBLAS's strided-batched gemm, one matrix a replica.
 *
 * cuBLAS's matrices are column-major: in the same memory it sees the transposed ones, and C^T = op(B)^T op(A)^T is
 * asked for, with B before A and no copy.
 * bits        a call of the same shape and count on the same device and library repeats; a product may be made by
 *             another kernel of cuBLAS when the count differs
 */
#include "launch.h"

static cublasComputeType_t compute_type(void)
{
  if (rh_cuda.products == RH_CUDA_TF32) return CUBLAS_COMPUTE_32F_FAST_TF32;
  if (rh_cuda.products == RH_CUDA_BF16) return CUBLAS_COMPUTE_32F_FAST_16BF;
  return CUBLAS_COMPUTE_32F;
}

extern "C" void rh_cuda_product(const rh_product *p, int64_t count, rh_tensor a, rh_tensor b, rh_tensor c)
{
  const int m = (int)p->m, n = (int)p->n, k = (int)p->k;
  const float one = 1, zero = 0;
  if (rh_cuda_failed()) return;
  rh_cuda_check_blas(cublasGemmStridedBatchedEx(rh_cuda.blas, p->transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N,
                                                p->transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N, n, m, k, &one, b.data,
                                                CUDA_R_32F, p->transpose_b ? k : n, b.stride, a.data, CUDA_R_32F,
                                                p->transpose_a ? m : k, a.stride, &zero, c.data, CUDA_R_32F, n,
                                                c.stride, (int)count, compute_type(), CUBLAS_GEMM_DEFAULT),
                     "a product of matrices");
}

static __global__ void add_bias(int64_t n, int64_t outputs, int64_t count, rh_tensor b, rh_tensor y)
{
  RH_EACH(r, count, i, n)
  rh_at(y, r)[i] += rh_at(b, r)[i % outputs];
}

/* db[o] = sum over the batch of dy, samples ascending */
static __global__ void sum_batch(int64_t batch, int64_t outputs, int64_t count, rh_tensor dy, rh_tensor db)
{
  RH_EACH(r, count, o, outputs)
  {
    float sum = 0;
    for (int64_t n = 0; n < batch; n++)
      sum += rh_at(dy, r)[n * outputs + o];
    rh_at(db, r)[o] = sum;
  }
}

static rh_product product_of(int64_t m, int64_t n, int64_t k, bool transpose_a, bool transpose_b)
{
  rh_product p;
  p.m = m;
  p.n = n;
  p.k = k;
  p.transpose_a = transpose_a;
  p.transpose_b = transpose_b;
  return p;
}

extern "C" void rh_cuda_dense_forward(const rh_dense *d, int64_t count, rh_tensor x, rh_tensor w, rh_tensor b,
                                      rh_tensor y)
{
  const rh_product p = product_of(d->batch, d->outputs, d->inputs, false, true);
  const int64_t n = d->batch * d->outputs;
  rh_cuda_product(&p, count, x, w, y);
  RH_LAUNCH(add_bias, rh_grid(n, count), RH_BLOCK, n, d->outputs, count, b, y);
}

extern "C" void rh_cuda_dense_backward(const rh_dense *d, int64_t count, rh_tensor x, rh_tensor w, rh_tensor dy,
                                       rh_tensor dw, rh_tensor db, rh_tensor dx)
{
  if (dw.data) {
    const rh_product p = product_of(d->outputs, d->inputs, d->batch, true, false);
    rh_cuda_product(&p, count, dy, x, dw);
    RH_LAUNCH(sum_batch, rh_grid(d->outputs, count), RH_BLOCK, d->batch, d->outputs, count, dy, db);
  }
  if (dx.data) {
    const rh_product p = product_of(d->batch, d->inputs, d->outputs, false, false);
    rh_cuda_product(&p, count, dy, w, dx);
  }
}
