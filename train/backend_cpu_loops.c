/* Element-wise operations of the cpu backend: loops that the compiler vectorises. Each element is computed
 * by the same operations in the same order as in backend_ref.c, so the two agree in every bit. */
#include <math.h>

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

/* An optimiser's rows may lie far away: parts of them are fetched while earlier ones are worked on. */
enum { PART = 64, PARTS_AHEAD = 16 /* elements; parts */ };

RH_INLINE void fetch_part(const float *row)
{
  for (int64_t i = 0; i < PART; i += 16)
    __builtin_prefetch(row + PARTS_AHEAD * PART + i);
}

RH_INLINE int64_t end_of_part(int64_t from, int64_t n)
{
  return n - from < PART ? n : from + PART;
}

RH_CLONES static void sgd(int64_t n, float *restrict x, float *restrict u, const float *restrict g, float lr,
                          float momentum, float decay)
{
  for (int64_t from = 0; from < n; from += PART) {
    fetch_part(x + from);
    fetch_part(u + from);
    for (int64_t i = from; i < end_of_part(from, n); i++) {
      const float next = momentum * u[i] + (g[i] + decay * x[i]);
      u[i] = next;
      x[i] -= lr * next;
    }
  }
}

RH_CLONES static void nesterov(int64_t n, float *restrict x, float *restrict u, const float *restrict g, float lr,
                               float momentum, float decay)
{
  for (int64_t from = 0; from < n; from += PART) {
    fetch_part(x + from);
    fetch_part(u + from);
    for (int64_t i = from; i < end_of_part(from, n); i++) {
      const float full = g[i] + decay * x[i], next = momentum * u[i] + full;
      u[i] = next;
      x[i] -= lr * (full + momentum * next);
    }
  }
}

void rh_cpu_sgd_step(const rh_sgd *s, int64_t n, int64_t count, rh_tensor x, rh_tensor u, rh_tensor g)
{
  void (*const step)(int64_t, float *restrict, float *restrict, const float *restrict, float, float, float) =
      s->nesterov ? nesterov : sgd;
  for (int64_t r = 0; r < count; r++)
    step(n, x.data + r * x.stride, u.data + r * u.stride, g.data + r * g.stride, (float)s->lr, (float)s->momentum,
         (float)s->decay);
}

/* The constants of a step of AdamW in f32. */
typedef struct adamw_constants {
  float lr, decay, epsilon, keep_m, take_m, unbias_m, keep_v, take_v, unbias_v;
} adamw_constants;

RH_CLONES static void adamw(int64_t n, adamw_constants c, float *restrict x, float *restrict m, float *restrict v,
                            const float *restrict g)
{
  for (int64_t from = 0; from < n; from += PART) {
    fetch_part(x + from);
    fetch_part(m + from);
    fetch_part(v + from);
    for (int64_t i = from; i < end_of_part(from, n); i++) {
      const float mean = c.keep_m * m[i] + c.take_m * g[i], square = c.keep_v * v[i] + c.take_v * (g[i] * g[i]);
      m[i] = mean;
      v[i] = square;
      x[i] -= c.lr * (c.decay * x[i] + c.unbias_m * mean / (sqrtf(c.unbias_v * square) + c.epsilon));
    }
  }
}

void rh_cpu_adamw_step(const rh_adamw *a, int64_t n, int64_t count, rh_tensor x, rh_tensor m, rh_tensor v, rh_tensor g)
{
  const adamw_constants c = {.lr = (float)a->lr,
                             .decay = (float)a->decay,
                             .epsilon = (float)a->epsilon,
                             .keep_m = (float)a->beta1,
                             .take_m = (float)(1 - a->beta1),
                             .unbias_m = (float)(1 / (1 - pow(a->beta1, (double)a->step))),
                             .keep_v = (float)a->beta2,
                             .take_v = (float)(1 - a->beta2),
                             .unbias_v = (float)(1 / (1 - pow(a->beta2, (double)a->step)))};
  for (int64_t r = 0; r < count; r++)
    adamw(n, c, x.data + r * x.stride, m.data + r * m.stride, v.data + r * v.stride, g.data + r * g.stride);
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

RH_CLONES static void combine_rows(int64_t n, float a, const float *x, float b, const float *y, float *z)
{
  for (int64_t i = 0; i < n; i++)
    z[i] = a * x[i] + b * y[i];
}

void rh_cpu_combine(int64_t n, int64_t count, double a, rh_tensor x, double b, rh_tensor y, rh_tensor z)
{
  for (int64_t r = 0; r < count; r++)
    combine_rows(n, (float)a, x.data + r * x.stride, (float)b, y.data + r * y.stride, z.data + r * z.stride);
}

RH_CLONES static void divide_row(int64_t n, float divisor, const float *x, float *y)
{
  for (int64_t i = 0; i < n; i++)
    y[i] = x[i] / divisor;
}

void rh_cpu_divide(int64_t n, int64_t count, const float *divisors, rh_tensor x, rh_tensor y)
{
  for (int64_t r = 0; r < count; r++)
    divide_row(n, divisors[r], x.data + r * x.stride, y.data + r * y.stride);
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
