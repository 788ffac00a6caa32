/* Norm layers, backward: a block is a group of channels of one replica and takes its samples one after the other, so
 * that what is summed over the batch is summed in one order. */
#include "norm_group.h"

/* One replica's values, from the group's first channel on; v and dv may be NULL, dgain and dbias together, and dx. */
typedef struct norm_pointers {
  const float *gain, *v;
  float *dgain, *dbias, *dv;
} norm_pointers;

/* One channel of one sample: leaves dy gain / s dq/dx in dx, adds to the channel's gradients (set them at the first
 * sample), and gives sums of dy gain and of dy gain q. */
static __device__ void channel_backward(const norm_plan *p, norm_shared *shared, const norm_pointers *at, int64_t c,
                                        const norm_scale *of, const float *x, const float *dy, float *dx, bool first,
                                        double *sum_dy, double *sum_q)
{
  double all = 0, q = 0, dv = 0;
  const double gain = at->gain[c], slope = at->v ? at->v[c] : 0;
  for (int64_t i = threadIdx.x; i < p->places; i += RH_BLOCK) {
    const norm_gate gate = norm_gate_of(p->kind, x[i], slope, of->mean);
    all += dy[i];
    q += dy[i] * gate.q;
    dv += dy[i] * gate.dv;
    if (dx) dx[i] = (float)(dy[i] * gain / of->s * gate.dx);
  }
  all = norm_sum(shared, all);
  q = norm_sum(shared, q);
  dv = norm_sum(shared, dv);
  *sum_dy += gain * all;
  *sum_q += gain * q;
  if (threadIdx.x != 0 || !at->dgain) return;
  at->dbias[c] = (float)((first ? 0 : at->dbias[c]) + all);
  at->dgain[c] = (float)((first ? 0 : at->dgain[c]) + q / of->s);
  if (at->dv) at->dv[c] = (float)((first ? 0 : at->dv[c]) + gain / of->s * dv);
}

/* What a sample's dx gets through the group's scale and mean. */
static __device__ void scale_backward(const norm_plan *p, const norm_shared *shared, const norm_scale *of,
                                      const float *x, double sum_dy, double sum_q, float *dx)
{
  const double ds = -sum_q / (of->s * of->s), n = (double)p->values;
  if (p->kind != RH_NORM_RANGE_EVO) {
    const double shift = p->kind == RH_NORM_GROUP ? sum_dy / of->s / n : 0;
    for (int64_t i = threadIdx.x; i < p->values; i += RH_BLOCK)
      dx[i] = (float)(dx[i] + ds * (x[i] - of->mean) / (n * of->s) - shift);
    return;
  }
  const int64_t k = threadIdx.x, most = k < p->chunks ? shared->most_at[k * NORM_LANES] : 0,
                least = k < p->chunks ? shared->least_at[k * NORM_LANES] : 0;
  if (k >= p->chunks || most == least) return; /* a constant chunk: the two parts are opposite */
  const double part = ds * p->range_factor / (double)p->chunks;
  dx[most] = (float)(dx[most] + part);
  dx[least] = (float)(dx[least] - part);
}

static __global__ void norm_backward(norm_plan p, int64_t count, rh_tensor x, rh_tensor gain, rh_tensor v, rh_tensor dy,
                                     rh_tensor dgain, rh_tensor dbias, rh_tensor dv, rh_tensor dx)
{
  __shared__ norm_shared shared;
  for (int64_t r = blockIdx.y; r < count; r += gridDim.y)
    for (int64_t g = blockIdx.x; g < p.groups; g += gridDim.x) {
      const int64_t channel = g * p.in_group;
      norm_pointers at;
      at.gain = rh_at(gain, r) + channel;
      at.v = v.data ? rh_at(v, r) + channel : nullptr;
      at.dgain = dgain.data ? rh_at(dgain, r) + channel : nullptr;
      at.dbias = dgain.data ? rh_at(dbias, r) + channel : nullptr;
      at.dv = dgain.data && dv.data ? rh_at(dv, r) + channel : nullptr;
      for (int64_t b = 0; b < p.batch; b++) {
        const int64_t first = (b * p.groups + g) * p.values;
        const float *const in = rh_at(x, r) + first;
        float *const out = dx.data ? rh_at(dx, r) + first : nullptr;
        double sum_dy = 0, sum_q = 0;
        const norm_scale of = norm_measure(&p, &shared, in);
        for (int64_t c = 0; c < p.in_group; c++)
          channel_backward(&p, &shared, &at, c, &of, in + c * p.places, rh_at(dy, r) + first + c * p.places,
                           out ? out + c * p.places : nullptr, b == 0, &sum_dy, &sum_q);
        __syncthreads(); /* all of dx is written */
        if (out) scale_backward(&p, &shared, &of, in, sum_dy, sum_q, out);
        __syncthreads();
      }
    }
}

extern "C" void rh_cuda_norm_backward(const rh_norm *n, int64_t count, rh_tensor x, rh_tensor gain, rh_tensor v,
                                      rh_tensor dy, rh_tensor dgain, rh_tensor dbias, rh_tensor dv, rh_tensor dx)
{
  const norm_plan p = norm_plan_of(n);
  const dim3 grid((unsigned)(p.groups < 65535 ? p.groups : 65535), (unsigned)(count < 65535 ? count : 65535));
  RH_LAUNCH(norm_backward, grid, RH_BLOCK, p, count, x, gain, v, dy, dgain, dbias, dv, dx);
}
