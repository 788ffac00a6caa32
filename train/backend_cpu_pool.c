/* Max pooling of the cpu backend: squares of two by blocks of eight columns, other sides by scalar loops.
 *
 * Both find the same place as backend_ref.c: a value takes the place of the best so far if it is larger, so ties go to
 * the first, or if it is a NaN, so that none is lost.
 */
#include "backend_cpu.h"

#include <string.h>

RH_INLINE bool is_better(float value, float best)
{
  return (value > best) | (value != value);
}

/* Place in row-major order, 0 .. side * side - 1, of the best value of the square at x, and that value. */
RH_INLINE int64_t best_of_square(int64_t side, int64_t width, const float *x, float *value)
{
  int64_t place = 0;
  float best = x[0];
  for (int64_t i = 0; i < side; i++)
    for (int64_t j = 0; j < side; j++)
      if (is_better(x[i * width + j], best)) {
        best = x[i * width + j];
        place = i * side + j;
      }
  *value = best;
  return place;
}

/* Eight neighbours of a row: four squares of two. */
typedef float block __attribute__((vector_size(32), aligned(4), may_alias));
typedef float half_block __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t mask __attribute__((vector_size(32))); /* -1: true, 0: false */

enum { BLOCK_SQUARES = 4 };

/* best = the better of two values, lane by lane; is_second says where it is the second. Vectors go by pointer, since
 * how they are passed by value depends on the instruction set. */
RH_INLINE void better_of(const block *first, const block *second, block *best, mask *is_second)
{
  const mask m = (*second > *first) | (*second != *second); /* NOLINT(misc-redundant-expression): true for NaN */
  *best = (block)(((mask)*second & m) | ((mask)*first & ~m));
  *is_second = m;
}

/* The better of each pair of neighbours of x [8], at both places of the pair. */
RH_INLINE void better_of_pairs(const float *x, block *best, mask *is_right)
{
  const block row = *(const block *)x;
  const block left = __builtin_shufflevector(row, row, 0, 0, 2, 2, 4, 4, 6, 6);
  const block right = __builtin_shufflevector(row, row, 1, 1, 3, 3, 5, 5, 7, 7);
  better_of(&left, &right, best, is_right);
}

/* One row of outputs from `side` rows of x, `width` apart. */
RH_INLINE void pool_row(int64_t side, int64_t columns, int64_t width, const float *restrict x, float *restrict y)
{
  int64_t column = 0;
  for (; side == 2 && column + BLOCK_SQUARES <= columns; column += BLOCK_SQUARES) {
    block upper, lower, best;
    mask unused;
    better_of_pairs(x + 2 * column, &upper, &unused);
    better_of_pairs(x + 2 * column + width, &lower, &unused);
    better_of(&upper, &lower, &best, &unused);
    *(half_block *)(y + column) = __builtin_shufflevector(best, best, 0, 2, 4, 6);
  }
  for (; column < columns; column++)
    best_of_square(side, width, x + column * side, y + column);
}

RH_INLINE void pool_row_gradient(int64_t side, int64_t columns, int64_t width, const float *restrict x,
                                 const float *restrict dy, float *restrict dx)
{
  int64_t column = 0;
  for (; side == 2 && column + BLOCK_SQUARES <= columns; column += BLOCK_SQUARES) {
    const mask is_left = {-1, 0, -1, 0, -1, 0, -1, 0};
    const half_block dy_of_squares = *(const half_block *)(dy + column);
    const mask g = (mask)__builtin_shufflevector(dy_of_squares, dy_of_squares, 0, 0, 1, 1, 2, 2, 3, 3);
    block upper, lower, best;
    mask upper_right, lower_right, is_lower;
    better_of_pairs(x + 2 * column, &upper, &upper_right);
    better_of_pairs(x + 2 * column + width, &lower, &lower_right);
    better_of(&upper, &lower, &best, &is_lower);
    *(block *)(dx + 2 * column) = (block)(g & (upper_right ^ is_left) & ~is_lower);
    *(block *)(dx + 2 * column + width) = (block)(g & (lower_right ^ is_left) & is_lower);
  }
  for (; column < columns; column++) {
    float best;
    const int64_t place = best_of_square(side, width, x + column * side, &best);
    for (int64_t i = 0; i < side; i++)
      for (int64_t j = 0; j < side; j++)
        dx[i * width + column * side + j] = place == i * side + j ? dy[column] : 0;
  }
}

RH_CLONES static void pool_planes(const rh_pool *p, const float *restrict x, float *restrict y)
{
  const int64_t rows = p->height / p->side, columns = p->width / p->side;
  for (int64_t plane = 0; plane < p->batch * p->channels; plane++, x += p->height * p->width)
    for (int64_t row = 0; row < rows; row++, y += columns)
      pool_row(p->side, columns, p->width, x + row * p->side * p->width, y);
}

void rh_cpu_pool_forward(const rh_pool *p, int64_t count, rh_tensor x, rh_tensor y)
{
  for (int64_t r = 0; r < count; r++)
    pool_planes(p, x.data + r * x.stride, y.data + r * y.stride);
}

RH_CLONES static void pool_planes_gradient(const rh_pool *p, const float *restrict x, const float *restrict dy,
                                           float *restrict dx)
{
  const int64_t rows = p->height / p->side, columns = p->width / p->side, plane_size = p->height * p->width;
  const int64_t planes = p->batch * p->channels;
  /* Rows and columns that fill no square are written by nobody else. */
  if (rows * p->side != p->height || columns * p->side != p->width)
    memset(dx, 0, (size_t)(planes * plane_size) * sizeof *dx);
  for (int64_t plane = 0; plane < planes; plane++, x += plane_size, dx += plane_size)
    for (int64_t row = 0; row < rows; row++, dy += columns) {
      const int64_t first = row * p->side * p->width;
      pool_row_gradient(p->side, columns, p->width, x + first, dy, dx + first);
    }
}

void rh_cpu_pool_backward(const rh_pool *p, int64_t count, rh_tensor x, rh_tensor dy, rh_tensor dx)
{
  for (int64_t r = 0; r < count; r++)
    pool_planes_gradient(p, x.data + r * x.stride, dy.data + r * dy.stride, dx.data + r * dx.stride);
}
