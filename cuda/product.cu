/* Products of matrices: cuBLASLt's strided-batched gemm, one matrix a replica.
 *
 * cuBLAS's matrices are column-major: in the same memory it sees the transposed ones, and C^T = op(B)^T op(A)^T is
 * asked for, with B before A and no copy.
 *
 * Left to itself the library takes another kernel when the number of matrices is another, and a replica's bits would
 * depend on how many are in a call. So for each shape one algorithm is asked for, as if there were NOMINAL matrices,
 * that splits no sum, and every call of the shape takes it. Where the library knows none, or refuses it, its own choice
 * is used.
 * bits        a replica's depend on its matrices, their shape and alignment, the device and the library alone
 */
#include <cublasLt.h>
#include <stdint.h>

#include "launch.h"

enum { NOMINAL = 1024 /* matrices: a full tile */, SHAPES = 64, ALIGNED = 16 /* bytes; kernels ask for no more */ };

typedef struct product_shape {
  int m, n, k;
  bool transpose_a, transpose_b;
  unsigned align_a, align_b, align_c; /* bytes */
  rh_cuda_products products;
} product_shape;

typedef struct product_plan {
  product_shape shape;
  bool found; /* an algorithm */
  cublasLtMatmulDesc_t operation;
  cublasLtMatrixLayout_t a, b, c;
  cublasLtMatmulAlgo_t algorithm;
} product_plan;

static struct {
  product_plan list[SHAPES];
  int count, next; /* to be replaced when all are in use */
} plans;

static cublasComputeType_t compute_type(void)
{
  if (rh_cuda.products == RH_CUDA_TF32) return CUBLAS_COMPUTE_32F_FAST_TF32;
  if (rh_cuda.products == RH_CUDA_BF16) return CUBLAS_COMPUTE_32F_FAST_16BF;
  return CUBLAS_COMPUTE_32F;
}

/* The largest power of two that divides all places where matrices begin. */
static unsigned alignment(rh_tensor x)
{
  const uintptr_t places = (uintptr_t)x.data | (uintptr_t)(x.stride * (int64_t)sizeof(float)) | ALIGNED;
  return (unsigned)(places & (~places + 1));
}

static bool equal(const product_shape *x, const product_shape *y)
{
  return x->m == y->m && x->n == y->n && x->k == y->k && x->transpose_a == y->transpose_a &&
         x->transpose_b == y->transpose_b && x->align_a == y->align_a && x->align_b == y->align_b &&
         x->align_c == y->align_c && x->products == y->products;
}

static cublasStatus_t set_batch(cublasLtMatrixLayout_t layout, int32_t count, int64_t stride)
{
  cublasStatus_t status =
      cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT, &count, sizeof count);
  if (status == CUBLAS_STATUS_SUCCESS)
    status =
        cublasLtMatrixLayoutSetAttribute(layout, CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET, &stride, sizeof stride);
  return status;
}

/* rows x columns in column-major order, without gaps between columns */
static cublasStatus_t new_layout(cublasLtMatrixLayout_t *layout, int64_t rows, int64_t columns)
{
  const cublasStatus_t status = cublasLtMatrixLayoutCreate(layout, CUDA_R_32F, (uint64_t)rows, (uint64_t)columns, rows);
  return status == CUBLAS_STATUS_SUCCESS ? set_batch(*layout, NOMINAL, rows * columns) : status;
}

static cublasStatus_t describe(product_plan *p)
{
  const product_shape *s = &p->shape;
  const cublasOperation_t first = s->transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N;
  const cublasOperation_t second = s->transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N;
  cublasStatus_t status = cublasLtMatmulDescCreate(&p->operation, compute_type(), CUDA_R_32F);
  if (status == CUBLAS_STATUS_SUCCESS)
    status = cublasLtMatmulDescSetAttribute(p->operation, CUBLASLT_MATMUL_DESC_TRANSA, &first, sizeof first);
  if (status == CUBLAS_STATUS_SUCCESS)
    status = cublasLtMatmulDescSetAttribute(p->operation, CUBLASLT_MATMUL_DESC_TRANSB, &second, sizeof second);
  if (status == CUBLAS_STATUS_SUCCESS)
    status = s->transpose_b ? new_layout(&p->b, s->k, s->n) : new_layout(&p->b, s->n, s->k);
  if (status == CUBLAS_STATUS_SUCCESS)
    status = s->transpose_a ? new_layout(&p->a, s->m, s->k) : new_layout(&p->a, s->k, s->m);
  if (status == CUBLAS_STATUS_SUCCESS) status = new_layout(&p->c, s->n, s->m);
  return status;
}

/* The library's first choice that adds no parts of sums of several blocks. */
static cublasStatus_t choose(product_plan *p)
{
  const product_shape *s = &p->shape;
  const size_t workspace = RH_CUDA_BLAS_WORKSPACE;
  const uint32_t reductions = CUBLASLT_REDUCTION_SCHEME_NONE;
  cublasLtMatmulPreference_t wish = nullptr;
  cublasLtMatmulHeuristicResult_t result;
  int results = 0;
  cublasStatus_t status = cublasLtMatmulPreferenceCreate(&wish);
  if (status != CUBLAS_STATUS_SUCCESS) return status;
  const struct {
    cublasLtMatmulPreferenceAttributes_t attribute;
    const void *value;
    size_t bytes;
  } wishes[] = {{CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace, sizeof workspace},
                {CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &reductions, sizeof reductions},
                {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, &s->align_b, sizeof s->align_b},
                {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, &s->align_a, sizeof s->align_a},
                {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, &s->align_c, sizeof s->align_c},
                {CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, &s->align_c, sizeof s->align_c}};
  for (size_t i = 0; i < sizeof wishes / sizeof wishes[0] && status == CUBLAS_STATUS_SUCCESS; i++)
    status = cublasLtMatmulPreferenceSetAttribute(wish, wishes[i].attribute, wishes[i].value, wishes[i].bytes);
  if (status == CUBLAS_STATUS_SUCCESS)
    status = cublasLtMatmulAlgoGetHeuristic(rh_cuda.blas_lt, p->operation, p->b, p->a, p->c, p->c, wish, 1, &result,
                                            &results);
  cublasLtMatmulPreferenceDestroy(wish);
  p->found = status == CUBLAS_STATUS_SUCCESS && results > 0 && result.state == CUBLAS_STATUS_SUCCESS;
  if (p->found) p->algorithm = result.algo;
  return status;
}

static void clear(product_plan *p)
{
  if (p->operation) cublasLtMatmulDescDestroy(p->operation);
  if (p->a) cublasLtMatrixLayoutDestroy(p->a);
  if (p->b) cublasLtMatrixLayoutDestroy(p->b);
  if (p->c) cublasLtMatrixLayoutDestroy(p->c);
  *p = product_plan();
}

static product_plan *plan_of(const product_shape *shape)
{
  for (int i = 0; i < plans.count; i++)
    if (equal(&plans.list[i].shape, shape)) return &plans.list[i];
  product_plan *const p = &plans.list[plans.count < SHAPES ? plans.count++ : plans.next++ % SHAPES];
  clear(p);
  p->shape = *shape;
  if (describe(p) != CUBLAS_STATUS_SUCCESS || choose(p) != CUBLAS_STATUS_SUCCESS) p->found = false;
  return p;
}

/* With the shape's algorithm. False: it has none, or one that does not take these matrices. */
static bool multiply(product_plan *p, int32_t count, rh_tensor a, rh_tensor b, rh_tensor c)
{
  const float one = 1, zero = 0;
  if (!p->found) return false;
  cublasStatus_t status = set_batch(p->b, count, b.stride);
  if (status == CUBLAS_STATUS_SUCCESS) status = set_batch(p->a, count, a.stride);
  if (status == CUBLAS_STATUS_SUCCESS) status = set_batch(p->c, count, c.stride);
  if (status == CUBLAS_STATUS_SUCCESS)
    status =
        cublasLtMatmul(rh_cuda.blas_lt, p->operation, &one, b.data, p->b, a.data, p->a, &zero, c.data, p->c, c.data,
                       p->c, &p->algorithm, rh_cuda.blas_workspace, RH_CUDA_BLAS_WORKSPACE, rh_cuda.stream);
  if (status == CUBLAS_STATUS_NOT_SUPPORTED || status == CUBLAS_STATUS_INVALID_VALUE) {
    p->found = false;
    rh_cuda_note(
        "cuBLAS chooses kernels for some products by the number of replicas: a replica's last bits may depend on "
        "how many others there are");
    return false;
  }
  rh_cuda_check_blas(status, "a product of matrices");
  return true;
}

extern "C" void rh_cuda_product(const rh_product *p, int64_t count, rh_tensor a, rh_tensor b, rh_tensor c)
{
  const int m = (int)p->m, n = (int)p->n, k = (int)p->k;
  const float one = 1, zero = 0;
  if (rh_cuda_failed()) return;
  product_shape shape = product_shape();
  shape.m = m;
  shape.n = n;
  shape.k = k;
  shape.transpose_a = p->transpose_a;
  shape.transpose_b = p->transpose_b;
  shape.align_a = alignment(a);
  shape.align_b = alignment(b);
  shape.align_c = alignment(c);
  shape.products = rh_cuda.products;
  if (multiply(plan_of(&shape), (int32_t)count, a, b, c)) return;
  rh_cuda_check_blas(cublasGemmStridedBatchedEx(rh_cuda.blas, p->transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N,
                                                p->transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N, n, m, k, &one, b.data,
                                                CUDA_R_32F, p->transpose_b ? k : n, b.stride, a.data, CUDA_R_32F,
                                                p->transpose_a ? m : k, a.stride, &zero, c.data, CUDA_R_32F, n,
                                                c.stride, (int)count, compute_type(), CUBLAS_GEMM_DEFAULT),
                     "a product of matrices");
}
