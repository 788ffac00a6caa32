/* The module's one device: its stream, its libraries, its first failure. For the module alone. */
#ifndef RH_CUDA_DEVICE_H
#define RH_CUDA_DEVICE_H

#include <cublas_v2.h>
#include <cuda_runtime.h>
#include <cusolverDn.h>
#include <stdbool.h>

#include "module.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct rh_cuda_device {
  bool open;
  rh_cuda_products products;
  cudaStream_t stream;       /* all operations, in order */
  cublasHandle_t blas;       /* on that stream, with a workspace of its own */
  void *blas_workspace;      /* owned */
  cusolverDnHandle_t solver; /* created when it is first asked for */
  char kernel[256];          /* name of device and libraries */
  char failure[512];         /* the first failure, or "" */
} rh_cuda_device;
extern rh_cuda_device rh_cuda;

/* Why there is no device that can be used, into reason [size]; false if there is one. */
bool rh_cuda_unusable(char *reason, size_t size);

/* Notes the first failure of an operation; true while there is none. */
bool rh_cuda_check(cudaError_t error, const char *what);
bool rh_cuda_check_blas(cublasStatus_t status, const char *what);
bool rh_cuda_check_solver(cusolverStatus_t status, const char *what);
static inline bool rh_cuda_failed(void)
{
  return rh_cuda.failure[0] != 0;
}

#ifdef __cplusplus
}
#endif
#endif
