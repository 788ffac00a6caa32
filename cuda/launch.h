/* Launching kernels: every launch is checked, and none is made after a failure. For .cu files. */
#ifndef RH_CUDA_LAUNCH_H
#define RH_CUDA_LAUNCH_H

#include "device.h"
#include "operations.h"

enum { RH_BLOCK = 256 }; /* threads of an element-wise block */

#ifndef RH_LAUNCH
#define RH_LAUNCH(kernel, grid, block, ...)                                                                            \
  do {                                                                                                                 \
    if (rh_cuda_failed()) break;                                                                                       \
    kernel<<<grid, block, 0, rh_cuda.stream>>>(__VA_ARGS__);                                                           \
    rh_cuda_check(cudaGetLastError(), #kernel);                                                                        \
  } while (0)
#endif

/* Blocks for n elements (x) of `count` replicas (y); kernels go on in strides of the grid, so that its limits of 2^31-1
 * and 65,535 are none of theirs. */
static inline dim3 rh_grid(int64_t n, int64_t count)
{
  const int64_t most_x = 1 << 20, most_y = 65535, blocks = (n + RH_BLOCK - 1) / RH_BLOCK;
  const int64_t x = blocks < most_x ? blocks : most_x, y = count < most_y ? count : most_y;
  return dim3((unsigned)(x > 0 ? x : 1), (unsigned)(y > 0 ? y : 1));
}

/* for each replica and element of a grid of rh_grid */
#define RH_EACH(r, count, i, n)                                                                                        \
  for (int64_t r = blockIdx.y; r < (count); r += gridDim.y)                                                            \
    for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < (n); i += (int64_t)gridDim.x * blockDim.x)

/* Whether n values of each replica of x can be taken four at a time: rows of arenas and activations mostly can. */
static inline bool rh_by_four(int64_t n, rh_tensor x)
{
  return n % 4 == 0 && x.stride % 4 == 0 && (uintptr_t)x.data % 16 == 0;
}

/* Four values of replica r. */
static __device__ inline float4 *rh_four_at(rh_tensor x, int64_t r)
{
  return (float4 *)(x.data + r * x.stride);
}

/* Values of replica r; NULL where there are none. */
static __device__ inline float *rh_at(rh_tensor x, int64_t r)
{
  return x.data ? x.data + r * x.stride : nullptr;
}

#endif
