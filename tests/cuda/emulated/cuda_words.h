/* The words of CUDA that need no machine: qualifiers, vectors, functions of single words, codes. See cuda_runtime.h. */
#ifndef RH_EMULATED_CUDA_WORDS_H
#define RH_EMULATED_CUDA_WORDS_H

#include <stddef.h>
#include <string.h>

#define __global__
#ifdef RH_EMULATED_WATCHED /* by races.cu: what a function returns into a shared variable is written by its caller */
#define __device__ __attribute__((always_inline))
#else
#define __device__
#endif
#define __host__
#define __forceinline__ inline
/* All variables of all blocks lie side by side, for what looks at all of them. */
#define __shared__ static __attribute__((section("emulated_shared")))
extern "C" {
extern __attribute__((visibility("hidden"))) char __start_emulated_shared[], __stop_emulated_shared[];
}
#define RH_EMULATED_UNWATCHED __attribute__((noinline, no_sanitize("thread"))) /* by races.cu */
#define __launch_bounds__(...)

struct dim3 {
  unsigned x, y, z;
  dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
  {
  }
};
struct alignas(16) float4 {
  float x, y, z, w;
};
static inline float4 make_float4(float x, float y, float z, float w)
{
  return {x, y, z, w};
}

inline dim3 threadIdx, blockIdx, blockDim, gridDim;

/* Bits of numbers, and the integers' operations that are functions on a device. */
static inline float __uint_as_float(unsigned bits)
{
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}
static inline unsigned __float_as_uint(float x)
{
  unsigned bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}
static inline int __popc(unsigned x)
{
  return __builtin_popcount(x);
}
/* A thread has the processor to itself between barriers. */
template <typename T> RH_EMULATED_UNWATCHED static T atomicAdd(T *to, T value)
{
  const T old = *to;
  *to += value;
  return old;
}
RH_EMULATED_UNWATCHED static inline unsigned atomicOr(unsigned *to, unsigned value)
{
  const unsigned old = *to;
  *to |= value;
  return old;
}

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInsufficientDriver = 35,
  cudaErrorDevicesUnavailable = 46,
  cudaErrorNoDevice = 100,
  cudaErrorDeviceUninitialized = 201,
  cudaErrorECCUncorrectable = 214,
  cudaErrorIllegalAddress = 700,
  cudaErrorLaunchTimeout = 702,
  cudaErrorLaunchFailure = 719,
  cudaErrorNotSupported = 801,
  cudaErrorStreamCaptureUnsupported = 900,
  cudaErrorUnknown = 999
};
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost, cudaMemcpyDeviceToDevice };
enum { cudaStreamNonBlocking = 1 };
enum cudaStreamCaptureMode { cudaStreamCaptureModeRelaxed = 2 };
struct cudaDeviceProp {
  char name[256];
  int major, minor;
};
#define CUDART_VERSION 13000

#endif
