/* The module's one device: its stream, its libraries, its first failure. For the module alone. */
#ifndef RH_CUDA_DEVICE_H
#define RH_CUDA_DEVICE_H

#include <cublas_v2.h>
#include <cublasLt.h>
#include <cuda_runtime.h>
#include <cusolverDn.h>
#include <stdbool.h>

#include "module.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { RH_CUDA_BLAS_WORKSPACE = 32 << 20 }; /* bytes; what cuBLAS's documentation asks for on these devices */

typedef struct rh_cuda_device {
  bool open;
  rh_cuda_products products;
  cudaStream_t stream;       /* all operations, in order */
  cublasHandle_t blas;       /* on that stream, with a workspace of its own */
  cublasLtHandle_t blas_lt;  /* for products whose algorithm is fixed */
  void *blas_workspace;      /* of both; owned */
  cusolverDnHandle_t solver; /* created when it is first asked for */
  char kernel[256];          /* name of device and libraries */
  char failure[512];         /* the first failure, or "" */
  const char *note;          /* what a user should know, until it is taken; NULL */
  bool recording;            /* work goes to a graph (graph.cu), */
  bool recording_failed;     /* which came to nothing; the work will be done again */
} rh_cuda_device;
extern rh_cuda_device rh_cuda;

/* Why there is no device that can be used, into reason [size]; false if there is one. */
bool rh_cuda_unusable(char *reason, size_t size);

/* Notes the first failure of an operation; true while there is none. */
bool rh_cuda_check(cudaError_t error, const char *what);
bool rh_cuda_check_blas(cublasStatus_t status, const char *what);
bool rh_cuda_check_solver(cusolverStatus_t status, const char *what);
/* Keeps a text that lives as long as the program, for rh_cuda_take_note; the last one stays. */
void rh_cuda_note(const char *note);
static inline bool rh_cuda_failed(void)
{
  return rh_cuda.failure[0] != 0;
}

#ifdef __cplusplus
}
#endif
#endif
