/* Messages of values at places that all know: the bytes of train/compress/compress_randomk.c. A block has a section of
 * a message. */
#include "code_topk.h"

static __global__ void randomk_write(topk_plan plan, const uint32_t *places, int64_t count, rh_tensor in,
                                     uint8_t *wires, int64_t stride)
{
  __shared__ int bad[CODE_THREADS];
  const topk_section section = plan.section[blockIdx.x];
  const uint32_t *const place = places + section.index;
  for (int64_t r = blockIdx.y; r < count; r += gridDim.y) {
    const float *const x = rh_at(in, r) + section.first;
    uint8_t *const wire = wires + r * stride + 4 * section.index;
    int any = 0;
    for (int64_t i = threadIdx.x; i < section.d; i += CODE_THREADS)
      any |= !code_is_finite(x[i]);
    bad[threadIdx.x] = any;
    for (int64_t j = threadIdx.x; j < section.k; j += CODE_THREADS)
      code_put(wire + 4 * j, __float_as_uint(x[place[j]]));
    __syncthreads();
    for (unsigned width = CODE_THREADS / 2; width > 0; width /= 2) {
      if (threadIdx.x < width) bad[threadIdx.x] |= bad[threadIdx.x + width];
      __syncthreads();
    }
    if (threadIdx.x == 0 && bad[0]) code_put(wire, 0x7FC00000); /* a draw that misses it does not hide it */
    __syncthreads();
  }
}

static __global__ void set_lengths(int64_t count, int64_t length, int64_t *bytes)
{
  RH_EACH(r, 1, i, count)
  bytes[i] = length;
}

void rh_cuda_randomk_encode(const rh_code *code, int64_t count, rh_tensor x, uint8_t *wire, int64_t stride,
                            int64_t *bytes)
{
  topk_plan plan;
  if (!rh_cuda_topk_plan(code, &plan) || plan.sections == 0) return;
  const dim3 grid((unsigned)plan.sections, (unsigned)(count < 65535 ? count : 65535));
  RH_LAUNCH(randomk_write, grid, CODE_THREADS, plan, code->places, count, x, wire, stride);
  RH_LAUNCH(set_lengths, rh_grid(count, 1), RH_BLOCK, count, 4 * plan.indices, bytes);
}

static __global__ void randomk_read(topk_plan plan, const uint32_t *places, bool scaled, double factor, int64_t count,
                                    const uint8_t *wires, int64_t stride, rh_tensor out)
{
  const topk_section section = plan.section[blockIdx.x];
  const uint32_t *const place = places + section.index;
  const double scale = scaled ? (double)section.d / (double)section.k : 1;
  for (int64_t r = blockIdx.y; r < count; r += gridDim.y) {
    float *const x = rh_at(out, r) + section.first;
    const uint8_t *const wire = wires + r * stride + 4 * section.index;
    for (int64_t i = threadIdx.x; i < section.d; i += CODE_THREADS)
      x[i] = 0;
    __syncthreads();
    for (int64_t j = threadIdx.x; j < section.k; j += CODE_THREADS)
      x[place[j]] = (float)(factor * scale * (double)__uint_as_float(code_get(wire + 4 * j)));
    __syncthreads();
  }
}

void rh_cuda_randomk_decode(const rh_code *code, int64_t count, const uint8_t *wire, int64_t stride, rh_tensor x)
{
  topk_plan plan;
  if (!rh_cuda_topk_plan(code, &plan) || plan.sections == 0) return;
  const dim3 grid((unsigned)plan.sections, (unsigned)(count < 65535 ? count : 65535));
  RH_LAUNCH(randomk_read, grid, CODE_THREADS, plan, code->places, code->scaled, code->factor, count, wire, stride, x);
}
