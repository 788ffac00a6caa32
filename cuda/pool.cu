/* Max pooling over squares that do not overlap. */
#include "launch.h"

/* Offset in x of the largest value of the square that starts at `first`: of equal ones the first, a NaN before all. */
static __device__ int64_t pool_place(const rh_pool *p, const float *x, int64_t first)
{
  int64_t best = first;
  for (int64_t i = 0; i < p->side; i++)
    for (int64_t j = 0; j < p->side; j++) {
      const int64_t place = first + i * p->width + j;
      if (x[place] > x[best] || x[place] != x[place]) best = place;
    }
  return best;
}

static __global__ void pool_forward(rh_pool p, int64_t n, int64_t count, rh_tensor x, rh_tensor y)
{
  const int64_t rows = p.height / p.side, columns = p.width / p.side;
  RH_EACH(r, count, i, n)
  {
    const int64_t plane = i / (rows * columns), row = i / columns % rows, column = i % columns;
    const float *const in = rh_at(x, r);
    rh_at(y, r)[i] = in[pool_place(&p, in, (plane * p.height + row * p.side) * p.width + column * p.side)];
  }
}

extern "C" void rh_cuda_pool_forward(const rh_pool *p, int64_t count, rh_tensor x, rh_tensor y)
{
  const int64_t n = p->batch * p->channels * (p->height / p->side) * (p->width / p->side);
  RH_LAUNCH(pool_forward, rh_grid(n, count), RH_BLOCK, *p, n, count, x, y);
}

/* Each place of x asks whether it is its square's maximum. */
static __global__ void pool_backward(rh_pool p, int64_t n, int64_t count, rh_tensor x, rh_tensor dy, rh_tensor dx)
{
  const int64_t rows = p.height / p.side, columns = p.width / p.side;
  RH_EACH(r, count, i, n)
  {
    const int64_t plane = i / (p.height * p.width), row = i / p.width % p.height / p.side;
    const int64_t column = i % p.width / p.side;
    float d = 0;
    if (row < rows && column < columns) {
      const int64_t first = (plane * p.height + row * p.side) * p.width + column * p.side;
      if (pool_place(&p, rh_at(x, r), first) == i) d = rh_at(dy, r)[(plane * rows + row) * columns + column];
    }
    rh_at(dx, r)[i] = d;
  }
}

extern "C" void rh_cuda_pool_backward(const rh_pool *p, int64_t count, rh_tensor x, rh_tensor dy, rh_tensor dx)
{
  const int64_t n = p->batch * p->channels * p->height * p->width;
  RH_LAUNCH(pool_backward, rh_grid(n, count), RH_BLOCK, *p, n, count, x, dy, dx);
}
