/* Max pooling over squares that do not overlap. Values of a replica are counted in 32 bits (see conv.cu). */
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

/* A square: its plane, and its row and column among `rows` x `columns` of them. */
typedef struct pool_square {
  uint32_t plane, row, column;
} pool_square;

static __device__ pool_square square_of(int64_t i, uint32_t rows, uint32_t columns)
{
  pool_square s;
  s.plane = (uint32_t)i / (rows * columns);
  s.row = (uint32_t)i / columns % rows;
  s.column = (uint32_t)i % columns;
  return s;
}

static __device__ int64_t first_of(const rh_pool *p, const pool_square *s)
{
  return (s->plane * p->height + s->row * p->side) * p->width + s->column * p->side;
}

static __global__ void pool_forward(rh_pool p, int64_t n, int64_t count, rh_tensor x, rh_tensor y)
{
  const uint32_t rows = (uint32_t)(p.height / p.side), columns = (uint32_t)(p.width / p.side);
  RH_EACH(r, count, i, n)
  {
    const pool_square square = square_of(i, rows, columns);
    const float *const in = rh_at(x, r);
    rh_at(y, r)[i] = in[pool_place(&p, in, first_of(&p, &square))];
  }
}

extern "C" void rh_cuda_pool_forward(const rh_pool *p, int64_t count, rh_tensor x, rh_tensor y)
{
  const int64_t n = p->batch * p->channels * (p->height / p->side) * (p->width / p->side);
  RH_LAUNCH(pool_forward, rh_grid(n, count), RH_BLOCK, *p, n, count, x, y);
}

/* A thread writes a square, or what is left of one at an edge: zeros but at its maximum. n squares, these too. */
static __global__ void pool_backward(rh_pool p, int64_t n, int64_t count, rh_tensor x, rh_tensor dy, rh_tensor dx)
{
  const int64_t rows = p.height / p.side, columns = p.width / p.side;
  const uint32_t all_rows = (uint32_t)((p.height + p.side - 1) / p.side);
  const uint32_t all_columns = (uint32_t)((p.width + p.side - 1) / p.side);
  RH_EACH(r, count, i, n)
  {
    const pool_square square = square_of(i, all_rows, all_columns);
    const int64_t first = first_of(&p, &square);
    const bool whole = square.row < rows && square.column < columns;
    const int64_t best = whole ? pool_place(&p, rh_at(x, r), first) : -1;
    const float d = whole ? rh_at(dy, r)[(square.plane * rows + square.row) * columns + square.column] : 0;
    for (int64_t a = 0; a < p.side && square.row * p.side + a < p.height; a++)
      for (int64_t b = 0; b < p.side && square.column * p.side + b < p.width; b++) {
        const int64_t place = first + a * p.width + b;
        rh_at(dx, r)[place] = place == best ? d : 0;
      }
  }
}

extern "C" void rh_cuda_pool_backward(const rh_pool *p, int64_t count, rh_tensor x, rh_tensor dy, rh_tensor dx)
{
  const int64_t squares = ((p->height + p->side - 1) / p->side) * ((p->width + p->side - 1) / p->side);
  const int64_t n = p->batch * p->channels * squares;
  RH_LAUNCH(pool_backward, rh_grid(n, count), RH_BLOCK, *p, n, count, x, dy, dx);
}
