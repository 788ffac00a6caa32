/* Element-wise operations, in the order of backend_ref.c and without fused products: the same bits. */
#include "launch.h"

static __global__ void relu_forward(int64_t n, int64_t count, rh_tensor x, rh_tensor y)
{
  RH_EACH(r, count, i, n)
  {
    const float value = rh_at(x, r)[i];
    rh_at(y, r)[i] = value < 0 ? 0 : value; /* a NaN stays one */
  }
}

static __global__ void relu_forward_4(int64_t n, int64_t count, rh_tensor x, rh_tensor y)
{
  RH_EACH(r, count, i, n)
  {
    const float4 a = rh_four_at(x, r)[i];
    float4 value;
    value.x = a.x < 0 ? 0 : a.x;
    value.y = a.y < 0 ? 0 : a.y;
    value.z = a.z < 0 ? 0 : a.z;
    value.w = a.w < 0 ? 0 : a.w;
    rh_four_at(y, r)[i] = value;
  }
}

extern "C" void rh_cuda_relu_forward(int64_t n, int64_t count, rh_tensor x, rh_tensor y)
{
  if (rh_by_four(n, x) && rh_by_four(n, y)) {
    RH_LAUNCH(relu_forward_4, rh_grid(n / 4, count), RH_BLOCK, n / 4, count, x, y);
    return;
  }
  RH_LAUNCH(relu_forward, rh_grid(n, count), RH_BLOCK, n, count, x, y);
}

static __global__ void relu_backward(int64_t n, int64_t count, rh_tensor y, rh_tensor dy, rh_tensor dx)
{
  RH_EACH(r, count, i, n)
  rh_at(dx, r)[i] = rh_at(y, r)[i] > 0 ? rh_at(dy, r)[i] : 0;
}

static __global__ void relu_backward_4(int64_t n, int64_t count, rh_tensor y, rh_tensor dy, rh_tensor dx)
{
  RH_EACH(r, count, i, n)
  {
    const float4 a = rh_four_at(y, r)[i], d = rh_four_at(dy, r)[i];
    float4 value;
    value.x = a.x > 0 ? d.x : 0;
    value.y = a.y > 0 ? d.y : 0;
    value.z = a.z > 0 ? d.z : 0;
    value.w = a.w > 0 ? d.w : 0;
    rh_four_at(dx, r)[i] = value;
  }
}

extern "C" void rh_cuda_relu_backward(int64_t n, int64_t count, rh_tensor y, rh_tensor dy, rh_tensor dx)
{
  if (rh_by_four(n, y) && rh_by_four(n, dy) && rh_by_four(n, dx)) {
    RH_LAUNCH(relu_backward_4, rh_grid(n / 4, count), RH_BLOCK, n / 4, count, y, dy, dx);
    return;
  }
  RH_LAUNCH(relu_backward, rh_grid(n, count), RH_BLOCK, n, count, y, dy, dx);
}

static __global__ void add_scaled(int64_t n, int64_t count, float a, rh_tensor x, rh_tensor y)
{
  RH_EACH(r, count, i, n)
  rh_at(y, r)[i] = a * rh_at(x, r)[i] + rh_at(y, r)[i];
}

extern "C" void rh_cuda_add_scaled(int64_t n, int64_t count, double a, rh_tensor x, rh_tensor y)
{
  RH_LAUNCH(add_scaled, rh_grid(n, count), RH_BLOCK, n, count, (float)a, x, y);
}

static __global__ void scale(int64_t n, int64_t count, float a, rh_tensor x, rh_tensor y)
{
  RH_EACH(r, count, i, n)
  rh_at(y, r)[i] = a * rh_at(x, r)[i];
}

extern "C" void rh_cuda_scale(int64_t n, int64_t count, double a, rh_tensor x, rh_tensor y)
{
  RH_LAUNCH(scale, rh_grid(n, count), RH_BLOCK, n, count, (float)a, x, y);
}

static __global__ void combine(int64_t n, int64_t count, float a, rh_tensor x, float b, rh_tensor y, rh_tensor z)
{
  RH_EACH(r, count, i, n)
  rh_at(z, r)[i] = a * rh_at(x, r)[i] + b * rh_at(y, r)[i];
}

static __global__ void combine_4(int64_t n, int64_t count, float a, rh_tensor x, float b, rh_tensor y, rh_tensor z)
{
  RH_EACH(r, count, i, n)
  {
    const float4 u = rh_four_at(x, r)[i], v = rh_four_at(y, r)[i];
    float4 value;
    value.x = a * u.x + b * v.x;
    value.y = a * u.y + b * v.y;
    value.z = a * u.z + b * v.z;
    value.w = a * u.w + b * v.w;
    rh_four_at(z, r)[i] = value;
  }
}

extern "C" void rh_cuda_combine(int64_t n, int64_t count, double a, rh_tensor x, double b, rh_tensor y, rh_tensor z)
{
  if (rh_by_four(n, x) && rh_by_four(n, y) && rh_by_four(n, z)) {
    RH_LAUNCH(combine_4, rh_grid(n / 4, count), RH_BLOCK, n / 4, count, (float)a, x, (float)b, y, z);
    return;
  }
  RH_LAUNCH(combine, rh_grid(n, count), RH_BLOCK, n, count, (float)a, x, (float)b, y, z);
}

/* Replica: a sample. */
static __global__ void gather(int64_t n, int64_t size, const uint8_t *pixels, const int32_t *labels,
                              const int32_t *indices, float mean, float deviation, float *x, int32_t *picked)
{
  RH_EACH(sample, n, i, size)
  {
    const int64_t index = indices[sample];
    x[sample * size + i] = ((float)pixels[index * size + i] / 255.0f - mean) / deviation;
    if (i == 0) picked[sample] = labels[index];
  }
}

extern "C" void rh_cuda_gather(int64_t n, int64_t size, const uint8_t *pixels, const int32_t *labels,
                               const int32_t *indices, float mean, float deviation, float *x, int32_t *picked)
{
  RH_LAUNCH(gather, rh_grid(size, n), RH_BLOCK, n, size, pixels, labels, indices, mean, deviation, x, picked);
}
