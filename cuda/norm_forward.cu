/* Norm layers, forward: a block is one sample's group of one replica. */
#include "norm_group.h"

static __global__ void norm_forward(norm_plan p, int64_t count, rh_tensor x, rh_tensor gain, rh_tensor bias,
                                    rh_tensor v, rh_tensor y)
{
  __shared__ norm_shared shared;
  for (int64_t r = blockIdx.y; r < count; r += gridDim.y)
    for (int64_t k = blockIdx.x; k < p.batch * p.groups; k += gridDim.x) {
      const float *const in = rh_at(x, r) + k * p.values;
      const int64_t first = k % p.groups * p.in_group;
      const norm_scale of = norm_measure(&p, &shared, in);
      for (int64_t i = threadIdx.x; i < p.values; i += RH_BLOCK) {
        const int64_t channel = first + i / p.places;
        const double slope = v.data ? rh_at(v, r)[channel] : 0;
        rh_at(y, r)[k * p.values + i] =
            (float)(rh_at(gain, r)[channel] * norm_gate_of(p.kind, in[i], slope, of.mean).q / of.s +
                    rh_at(bias, r)[channel]);
      }
      __syncthreads(); /* the extremes are read until here */
    }
}

extern "C" void rh_cuda_norm_forward(const rh_norm *n, int64_t count, rh_tensor x, rh_tensor gain, rh_tensor bias,
                                     rh_tensor v, rh_tensor y)
{
  const norm_plan p = norm_plan_of(n);
  const int64_t blocks = p.batch * p.groups;
  const dim3 grid((unsigned)(blocks < 65535 ? blocks : 65535), (unsigned)(count < 65535 ? count : 65535));
  RH_LAUNCH(norm_forward, grid, RH_BLOCK, p, count, x, gain, bias, v, y);
}
