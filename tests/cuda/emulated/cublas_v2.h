/* cuBLAS for a machine without a device: what the module uses of it. */
#ifndef RH_EMULATED_CUBLAS_V2_H
#define RH_EMULATED_CUBLAS_V2_H

#include "cuda_runtime.h"

enum cublasStatus_t {
  CUBLAS_STATUS_SUCCESS = 0,
  CUBLAS_STATUS_NOT_INITIALIZED = 1,
  CUBLAS_STATUS_ALLOC_FAILED = 3,
  CUBLAS_STATUS_INVALID_VALUE = 7,
  CUBLAS_STATUS_EXECUTION_FAILED = 13,
  CUBLAS_STATUS_NOT_SUPPORTED = 15
};
enum cublasOperation_t { CUBLAS_OP_N, CUBLAS_OP_T };
enum cublasComputeType_t {
  CUBLAS_COMPUTE_32F = 68,
  CUBLAS_COMPUTE_32F_FAST_16BF = 75,
  CUBLAS_COMPUTE_32F_FAST_TF32 = 77
};
enum cudaDataType_t { CUDA_R_32F = 0 };
enum cublasAtomicsMode_t { CUBLAS_ATOMICS_NOT_ALLOWED };
enum { CUBLAS_GEMM_DEFAULT = -1 };
typedef struct emulated_blas *cublasHandle_t;

static inline const char *cublasGetStatusString(cublasStatus_t status)
{
  return status == CUBLAS_STATUS_SUCCESS ? "success" : "an error";
}
static inline cublasStatus_t cublasCreate(cublasHandle_t *handle)
{
  *handle = NULL;
  return CUBLAS_STATUS_SUCCESS;
}
static inline cublasStatus_t cublasSetStream(cublasHandle_t, cudaStream_t)
{
  return CUBLAS_STATUS_SUCCESS;
}
static inline cublasStatus_t cublasSetWorkspace(cublasHandle_t, void *, size_t)
{
  return CUBLAS_STATUS_SUCCESS;
}
static inline cublasStatus_t cublasSetAtomicsMode(cublasHandle_t, cublasAtomicsMode_t)
{
  return CUBLAS_STATUS_SUCCESS;
}
static inline cublasStatus_t cublasGetVersion(cublasHandle_t, int *version)
{
  *version = 130000;
  return CUBLAS_STATUS_SUCCESS;
}

namespace emulated
{

/* Of a column-major matrix, element (row, column) of op(A). */
inline float element(const float *a, int64_t ld, cublasOperation_t op, int64_t row, int64_t column)
{
  return op == CUBLAS_OP_N ? a[column * ld + row] : a[row * ld + column];
}

struct gemm {
  cublasOperation_t op_a, op_b;
  int64_t m, n, k;
  const float *a, *b;
  float *c;
  int64_t lda, ldb, ldc, stride_a, stride_b, stride_c, count;
};

inline cublasStatus_t multiply(const gemm &g)
{
  const cudaError_t error = submit([=] {
    for (int64_t r = 0; r < g.count; r++)
      for (int64_t column = 0; column < g.n; column++)
        for (int64_t row = 0; row < g.m; row++) {
          float sum = 0;
          for (int64_t i = 0; i < g.k; i++)
            sum += element(g.a + r * g.stride_a, g.lda, g.op_a, row, i) *
                   element(g.b + r * g.stride_b, g.ldb, g.op_b, i, column);
          g.c[r * g.stride_c + column * g.ldc + row] = sum;
        }
  });
  return error == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

} // namespace emulated

static inline cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t, cublasOperation_t op_a, cublasOperation_t op_b,
                                                        int m, int n, int k, const void *, const void *a,
                                                        cudaDataType_t, int lda, int64_t stride_a, const void *b,
                                                        cudaDataType_t, int ldb, int64_t stride_b, const void *,
                                                        void *c, cudaDataType_t, int ldc, int64_t stride_c, int count,
                                                        cublasComputeType_t, int)
{
  return emulated::multiply({op_a, op_b, m, n, k, (const float *)a, (const float *)b, (float *)c, lda, ldb, ldc,
                             stride_a, stride_b, stride_c, count});
}

#endif
