/* Element-wise operations of the cpu backend and pooling: loops that the compiler vectorises. Each element is computed
 * by the same operations in the same order as in backend_ref.c, so the two agree in every bit. */
#include "backend_cpu.h"

#include <string.h>

RH_CLONES static void relu(int64_t n, const float *x, float *y)
{
  for (int64_t i = 0; i < n; i++)
    y[i] = x[i] < 0 ? 0 : x[i];
}

void rh_cpu_relu_forward(int64_t n, int64_t count, rh_tensor x, rh_tensor y)
{
  for (int64_t r = 0; r < count; r++)
    relu(n, x.data + r * x.stride, y.data + r * y.stride);
}

RH_CLONES static void relu_gradient(int64_t n, const float *y, const float *dy, float *dx)
{
  for (int64_t i = 0; i < n; i++) {
    const float g = dy[i]; /* read without a condition: a masked load would not vectorise */
    dx[i] = y[i] > 0 ? g : 0;
  }
}

void rh_cpu_relu_backward(int64_t n, int64_t count, rh_tensor y, rh_tensor dy, rh_tensor dx)
{
  for (int64_t r = 0; r < count; r++)
    relu_gradient(n, y.data + r * y.stride, dy.data + r * dy.stride, dx.data + r * dx.stride);
}

/* A value takes the place of the best so far; a NaN always does, so that it is not lost. */
RH_INLINE bool is_better(float value, float best)
{
  return (value > best) | (value != value);
}

/* One row of outputs from `side` rows of x, `width` apart. Inlined with a constant side where it matters. */
RH_INLINE void pool_row(int64_t side, int64_t columns, int64_t width, const float *restrict x, float *restrict y)
{
  for (int64_t column = 0; column < columns; column++) {
    float best = x[column * side];
    for (int64_t i = 0; i < side; i++)
      for (int64_t j = 0; j < side; j++) {
        const float value = x[i * width + column * side + j];
        best = is_better(value, best) ? value : best;
      }
    y[column] = best;
  }
}

RH_INLINE void pool_row_gradient(int64_t side, int64_t columns, int64_t width, const float *restrict x,
                                 const float *restrict dy, float *restrict dx)
{
  for (int64_t column = 0; column < columns; column++) {
    float best = x[column * side];
    int32_t place = 0;
    for (int64_t i = 0; i < side; i++)
      for (int64_t j = 0; j < side; j++) {
        const float value = x[i * width + column * side + j];
        const bool better = is_better(value, best);
        best = better ? value : best;
        place = better ? (int32_t)(i * side + j) : place;
      }
    const float g = dy[column];
    for (int64_t i = 0; i < side; i++)
      for (int64_t j = 0; j < side; j++)
        dx[i * width + column * side + j] = place == (int32_t)(i * side + j) ? g : 0;
  }
}

RH_CLONES static void pool_planes(const rh_pool *p, const float *restrict x, float *restrict y)
{
  const int64_t rows = p->height / p->side, columns = p->width / p->side;
  for (int64_t plane = 0; plane < p->batch * p->channels; plane++, x += p->height * p->width)
    for (int64_t row = 0; row < rows; row++, y += columns) {
      if (p->side == 2)
        pool_row(2, columns, p->width, x + row * 2 * p->width, y);
      else
        pool_row(p->side, columns, p->width, x + row * p->side * p->width, y);
    }
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
      if (p->side == 2)
        pool_row_gradient(2, columns, p->width, x + first, dy, dx + first);
      else
        pool_row_gradient(p->side, columns, p->width, x + first, dy, dx + first);
    }
}

void rh_cpu_pool_backward(const rh_pool *p, int64_t count, rh_tensor x, rh_tensor dy, rh_tensor dx)
{
  for (int64_t r = 0; r < count; r++)
    pool_planes_gradient(p, x.data + r * x.stride, dy.data + r * dy.stride, dx.data + r * dx.stride);
}

RH_CLONES static void sgd(int64_t n, float *restrict x, float *restrict u, const float *restrict g, float lr,
                          float momentum, float decay)
{
  for (int64_t i = 0; i < n; i++) {
    const float next = momentum * u[i] + (g[i] + decay * x[i]);
    u[i] = next;
    x[i] -= lr * next;
  }
}

void rh_cpu_sgd_step(int64_t n, int64_t count, rh_tensor x, rh_tensor u, rh_tensor g, double lr, double momentum,
                     double decay)
{
  for (int64_t r = 0; r < count; r++)
    sgd(n, x.data + r * x.stride, u.data + r * u.stride, g.data + r * g.stride, (float)lr, (float)momentum,
        (float)decay);
}

RH_CLONES static void add_row(int64_t n, float a, const float *restrict x, float *restrict y)
{
  for (int64_t i = 0; i < n; i++)
    y[i] = a * x[i] + y[i];
}

void rh_cpu_add_scaled(int64_t n, int64_t count, double a, rh_tensor x, rh_tensor y)
{
  for (int64_t r = 0; r < count; r++)
    add_row(n, (float)a, x.data + r * x.stride, y.data + r * y.stride);
}

RH_CLONES static void scale_row(int64_t n, float a, const float *x, float *y)
{
  for (int64_t i = 0; i < n; i++)
    y[i] = a * x[i];
}

void rh_cpu_scale(int64_t n, int64_t count, double a, rh_tensor x, rh_tensor y)
{
  for (int64_t r = 0; r < count; r++)
    scale_row(n, (float)a, x.data + r * x.stride, y.data + r * y.stride);
}

void rh_cpu_weighted_sum(int64_t n, int64_t terms, const double *weights, const float *const *rows, float *y)
{
  enum { BLOCK = 2048 }; /* 8 KiB of y stay in the first-level cache while the rows pass by */
  for (int64_t first = 0; first < n; first += BLOCK) {
    const int64_t length = n - first < BLOCK ? n - first : BLOCK;
    scale_row(length, (float)weights[0], rows[0] + first, y + first);
    for (int64_t k = 1; k < terms; k++)
      add_row(length, (float)weights[k], rows[k] + first, y + first);
  }
}
