/* Steps of optimisers, element by element as in backend_ref.c: the same bits. */
#include <math.h>

#include "launch.h"

static __global__ void sgd_step(int64_t n, int64_t count, float lr, float momentum, float decay, bool nesterov,
                                rh_tensor x, rh_tensor u, rh_tensor g)
{
  RH_EACH(r, count, i, n)
  {
    const float full = rh_at(g, r)[i] + decay * rh_at(x, r)[i];
    const float next = momentum * rh_at(u, r)[i] + full;
    rh_at(u, r)[i] = next;
    rh_at(x, r)[i] -= lr * (nesterov ? full + momentum * next : next);
  }
}

/* One value of the step above. */
static __device__ inline void sgd_value(float lr, float momentum, float decay, bool nesterov, float *x, float *u,
                                        float g)
{
  const float full = g + decay * *x, next = momentum * *u + full;
  *u = next;
  *x -= lr * (nesterov ? full + momentum * next : next);
}

static __global__ void sgd_step_4(int64_t n, int64_t count, float lr, float momentum, float decay, bool nesterov,
                                  rh_tensor x, rh_tensor u, rh_tensor g)
{
  RH_EACH(r, count, i, n)
  {
    float4 a = rh_four_at(x, r)[i], m = rh_four_at(u, r)[i];
    const float4 d = rh_four_at(g, r)[i];
    sgd_value(lr, momentum, decay, nesterov, &a.x, &m.x, d.x);
    sgd_value(lr, momentum, decay, nesterov, &a.y, &m.y, d.y);
    sgd_value(lr, momentum, decay, nesterov, &a.z, &m.z, d.z);
    sgd_value(lr, momentum, decay, nesterov, &a.w, &m.w, d.w);
    rh_four_at(x, r)[i] = a;
    rh_four_at(u, r)[i] = m;
  }
}

extern "C" void rh_cuda_sgd_step(const rh_sgd *s, int64_t n, int64_t count, rh_tensor x, rh_tensor u, rh_tensor g)
{
  if (rh_by_four(n, x) && rh_by_four(n, u) && rh_by_four(n, g)) {
    RH_LAUNCH(sgd_step_4, rh_grid(n / 4, count), RH_BLOCK, n / 4, count, (float)s->lr, (float)s->momentum,
              (float)s->decay, s->nesterov, x, u, g);
    return;
  }
  RH_LAUNCH(sgd_step, rh_grid(n, count), RH_BLOCK, n, count, (float)s->lr, (float)s->momentum, (float)s->decay,
            s->nesterov, x, u, g);
}

/* The constants of a step of AdamW in f32. */
typedef struct adamw_constants {
  float lr, decay, epsilon, keep_m, take_m, unbias_m, keep_v, take_v, unbias_v;
} adamw_constants;

static __global__ void adamw_step(int64_t n, int64_t count, adamw_constants c, rh_tensor x, rh_tensor m, rh_tensor v,
                                  rh_tensor g)
{
  RH_EACH(r, count, i, n)
  {
    const float gi = rh_at(g, r)[i];
    const float mean = c.keep_m * rh_at(m, r)[i] + c.take_m * gi;
    const float square = c.keep_v * rh_at(v, r)[i] + c.take_v * (gi * gi);
    rh_at(m, r)[i] = mean;
    rh_at(v, r)[i] = square;
    const float move = c.unbias_m * mean / (sqrtf(c.unbias_v * square) + c.epsilon);
    rh_at(x, r)[i] -= c.lr * (c.decay * rh_at(x, r)[i] + move);
  }
}

extern "C" void rh_cuda_adamw_step(const rh_adamw *a, int64_t n, int64_t count, rh_tensor x, rh_tensor m, rh_tensor v,
                                   rh_tensor g)
{
  adamw_constants c;
  c.lr = (float)a->lr;
  c.decay = (float)a->decay;
  c.epsilon = (float)a->epsilon;
  c.keep_m = (float)a->beta1;
  c.take_m = (float)(1 - a->beta1);
  c.unbias_m = (float)(1 / (1 - pow(a->beta1, (double)a->step)));
  c.keep_v = (float)a->beta2;
  c.take_v = (float)(1 - a->beta2);
  c.unbias_v = (float)(1 / (1 - pow(a->beta2, (double)a->step)));
  RH_LAUNCH(adamw_step, rh_grid(n, count), RH_BLOCK, n, count, c, x, m, v, g);
}

static __global__ void clip(int64_t n, int64_t count, double most, const double *squares, rh_tensor x)
{
  RH_EACH(r, count, i, n)
  {
    const double norm = sqrt(squares[r]);
    if (norm > most) rh_at(x, r)[i] = (float)(most / norm) * rh_at(x, r)[i];
  }
}

extern "C" void rh_cuda_clip(int64_t n, int64_t count, double most, const double *squares, rh_tensor x)
{
  RH_LAUNCH(clip, rh_grid(n, count), RH_BLOCK, n, count, most, squares, x);
}
