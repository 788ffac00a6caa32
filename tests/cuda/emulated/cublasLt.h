/* cuBLASLt for a machine without a device: what the module uses of it. */
#ifndef RH_EMULATED_CUBLASLT_H
#define RH_EMULATED_CUBLASLT_H

#include "cublas_v2.h"

enum cublasLtMatrixLayoutAttribute_t {
  CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT = 5,
  CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET = 6
};
enum cublasLtMatmulDescAttributes_t { CUBLASLT_MATMUL_DESC_TRANSA = 3, CUBLASLT_MATMUL_DESC_TRANSB = 4 };
enum cublasLtMatmulPreferenceAttributes_t {
  CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES = 1,
  CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK = 3,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES = 5,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES = 6,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES = 7,
  CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES = 8
};
enum { CUBLASLT_REDUCTION_SCHEME_NONE = 0 };

typedef struct emulated_blas_lt *cublasLtHandle_t;
typedef struct emulated_layout {
  int64_t rows, columns, ld, stride;
  int32_t count;
} * cublasLtMatrixLayout_t;
typedef struct emulated_operation {
  cublasOperation_t a, b;
} * cublasLtMatmulDesc_t;
typedef struct emulated_wish {
  uint32_t align[4];
} * cublasLtMatmulPreference_t;
struct cublasLtMatmulAlgo_t {
  uint32_t align[4]; /* bytes that it was promised of A, B, C, D */
};
struct cublasLtMatmulHeuristicResult_t {
  cublasLtMatmulAlgo_t algo;
  cublasStatus_t state;
};

static inline cublasStatus_t cublasLtCreate(cublasLtHandle_t *handle)
{
  *handle = NULL;
  return CUBLAS_STATUS_SUCCESS;
}

static inline cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t *layout, cudaDataType_t, uint64_t rows,
                                                        uint64_t columns, int64_t ld)
{
  *layout = new emulated_layout{(int64_t)rows, (int64_t)columns, ld, 0, 1};
  return CUBLAS_STATUS_SUCCESS;
}
static inline cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t layout,
                                                              cublasLtMatrixLayoutAttribute_t attribute,
                                                              const void *value, size_t)
{
  if (attribute == CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT)
    layout->count = *(const int32_t *)value;
  else
    layout->stride = *(const int64_t *)value;
  return CUBLAS_STATUS_SUCCESS;
}
static inline cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t layout)
{
  delete layout;
  return CUBLAS_STATUS_SUCCESS;
}

static inline cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t *operation, cublasComputeType_t,
                                                      cudaDataType_t)
{
  *operation = new emulated_operation{CUBLAS_OP_N, CUBLAS_OP_N};
  return CUBLAS_STATUS_SUCCESS;
}
static inline cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t operation,
                                                            cublasLtMatmulDescAttributes_t attribute, const void *value,
                                                            size_t)
{
  (attribute == CUBLASLT_MATMUL_DESC_TRANSA ? operation->a : operation->b) = *(const cublasOperation_t *)value;
  return CUBLAS_STATUS_SUCCESS;
}
static inline cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t operation)
{
  delete operation;
  return CUBLAS_STATUS_SUCCESS;
}

static inline cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t *wish)
{
  *wish = new emulated_wish{{256, 256, 256, 256}};
  return CUBLAS_STATUS_SUCCESS;
}
static inline cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t wish,
                                                                  cublasLtMatmulPreferenceAttributes_t attribute,
                                                                  const void *value, size_t)
{
  const int first = CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES;
  if (attribute >= first) wish->align[attribute - first] = *(const uint32_t *)value;
  return CUBLAS_STATUS_SUCCESS;
}
static inline cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t wish)
{
  delete wish;
  return CUBLAS_STATUS_SUCCESS;
}

static inline cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t, cublasLtMatmulDesc_t,
                                                            cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                                            cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                                                            cublasLtMatmulPreference_t wish, int,
                                                            cublasLtMatmulHeuristicResult_t *result, int *results)
{
  memcpy(result->algo.align, wish->align, sizeof wish->align);
  result->state = CUBLAS_STATUS_SUCCESS;
  *results = 1;
  return CUBLAS_STATUS_SUCCESS;
}

namespace emulated
{

inline bool is_aligned(const void *data, const emulated_layout *layout, uint32_t bytes)
{
  return (uintptr_t)data % bytes == 0 && (layout->count == 1 || layout->stride * 4 % bytes == 0);
}

} // namespace emulated

static inline cublasStatus_t cublasLtMatmul(cublasLtHandle_t, cublasLtMatmulDesc_t operation, const void *,
                                            const void *a, cublasLtMatrixLayout_t a_layout, const void *b,
                                            cublasLtMatrixLayout_t b_layout, const void *, const void *,
                                            cublasLtMatrixLayout_t, void *c, cublasLtMatrixLayout_t c_layout,
                                            const cublasLtMatmulAlgo_t *algo, void *, size_t, cudaStream_t)
{
  const int64_t m = operation->a == CUBLAS_OP_N ? a_layout->rows : a_layout->columns;
  const int64_t k = operation->a == CUBLAS_OP_N ? a_layout->columns : a_layout->rows;
  const int64_t n = operation->b == CUBLAS_OP_N ? b_layout->columns : b_layout->rows;
  if (k != (operation->b == CUBLAS_OP_N ? b_layout->rows : b_layout->columns) || m != c_layout->rows ||
      n != c_layout->columns || a_layout->count != c_layout->count || b_layout->count != c_layout->count)
    emulated::fail("layouts that do not fit each other", "cublasLtMatmul");
  if (!emulated::is_aligned(a, a_layout, algo->align[0]) || !emulated::is_aligned(b, b_layout, algo->align[1]) ||
      !emulated::is_aligned(c, c_layout, algo->align[2]))
    emulated::fail("matrices not aligned as was promised", "cublasLtMatmul");
  return emulated::multiply({operation->a, operation->b, m, n, k, (const float *)a, (const float *)b, (float *)c,
                             a_layout->ld, b_layout->ld, c_layout->ld, a_layout->stride, b_layout->stride,
                             c_layout->stride, c_layout->count});
}

#endif
