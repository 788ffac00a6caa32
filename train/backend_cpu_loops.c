/* Element-wise operations of the cpu backend: loops that the compiler vectorises. Each element is computed
 * by the same operations in the same order as in backend_ref.c, so the two agree in every bit. */
#include "backend_cpu.h"

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
