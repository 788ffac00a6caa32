/* Dense layers, by products of matrices (product.cu). */
#include "launch.h"

static __global__ void add_bias(int64_t n, int64_t outputs, int64_t count, rh_tensor b, rh_tensor y)
{
  RH_EACH(r, count, i, n)
  rh_at(y, r)[i] += rh_at(b, r)[(uint32_t)i % (uint32_t)outputs]; /* 32 bits: see conv.cu */
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
