/* cuSOLVER for a machine without a device: what the module uses of it, by LAPACK. Like cuSOLVER's, the methods
 * overwrite the matrix and leave V in one case, V^T in the other; signs of the vectors are turned, column by column,
 * so that nobody relies on the library's.
 *
 * REHEARSE_EMULATED_GPU: no-solver: it does not open; no-jacobi: gesvdj never comes to its end, and leaves garbage
 */
#ifndef RH_EMULATED_CUSOLVERDN_H
#define RH_EMULATED_CUSOLVERDN_H

#include <lapacke.h>

#include "cuda_runtime.h"

enum cusolverStatus_t {
  CUSOLVER_STATUS_SUCCESS = 0,
  CUSOLVER_STATUS_NOT_INITIALIZED = 1,
  CUSOLVER_STATUS_INVALID_VALUE = 3,
  CUSOLVER_STATUS_EXECUTION_FAILED = 6
};
enum cusolverEigMode_t { CUSOLVER_EIG_MODE_NOVECTOR, CUSOLVER_EIG_MODE_VECTOR };
enum cusolverDeterministicMode_t { CUSOLVER_DETERMINISTIC_RESULTS = 1 };
typedef struct emulated_solver *cusolverDnHandle_t;
typedef struct emulated_jacobi *gesvdjInfo_t;

static inline cusolverStatus_t cusolverDnCreate(cusolverDnHandle_t *handle)
{
  *handle = emulated::asked("no-solver") ? NULL : (cusolverDnHandle_t)(uintptr_t)1;
  return *handle ? CUSOLVER_STATUS_SUCCESS : CUSOLVER_STATUS_NOT_INITIALIZED;
}
static inline cusolverStatus_t cusolverDnSetStream(cusolverDnHandle_t, cudaStream_t)
{
  return CUSOLVER_STATUS_SUCCESS;
}
static inline cusolverStatus_t cusolverDnSetDeterministicMode(cusolverDnHandle_t, cusolverDeterministicMode_t)
{
  return CUSOLVER_STATUS_SUCCESS;
}
static inline cusolverStatus_t cusolverDnCreateGesvdjInfo(gesvdjInfo_t *info)
{
  *info = NULL;
  return CUSOLVER_STATUS_SUCCESS;
}
static inline cusolverStatus_t cusolverDnXgesvdjSetSortEig(gesvdjInfo_t, int)
{
  return CUSOLVER_STATUS_SUCCESS;
}

namespace emulated
{

enum { least_room = 64 }; /* values that both methods ask for beside a row and a column */

struct singular {
  int m, n;
  float *a, *s, *u, *v;
  bool v_transposed; /* what is left in v */
  float *work;
  int lwork;
  int *info;
};

/* On copies: a library's threads have no right to a device's memory. */
inline void decompose(const singular &p)
{
  const size_t m = (size_t)p.m, n = (size_t)p.n;
  std::vector<float> a(p.a, p.a + m * n), s(n), u(m * n), vt(n * n);
  *p.info = LAPACKE_sgesdd(LAPACK_COL_MAJOR, 'S', p.m, p.n, a.data(), p.m, s.data(), u.data(), p.m, vt.data(), p.n);
  memset(p.a, 0xFF, m * n * sizeof(float));
  memset(p.work, 0xFF, (size_t)p.lwork * sizeof(float));
  for (size_t k = 0; k < n; k++) {
    const float sign = k % 3 == 1 ? -1.0F : 1.0F;
    p.s[k] = s[k];
    for (size_t i = 0; i < m; i++)
      p.u[k * m + i] = sign * u[k * m + i];
    for (size_t j = 0; j < n; j++)
      p.v[p.v_transposed ? j * n + k : k * n + j] = sign * vt[j * n + k];
  }
}

inline cusolverStatus_t find(const singular &p)
{
  if (p.m < p.n || p.lwork < p.m + p.n + least_room) return CUSOLVER_STATUS_INVALID_VALUE;
  if (recorded) fail("singular values", "a graph");
  return submit([=] { decompose(p); }) == cudaSuccess ? CUSOLVER_STATUS_SUCCESS : CUSOLVER_STATUS_EXECUTION_FAILED;
}

} // namespace emulated

static inline cusolverStatus_t cusolverDnSgesvdj_bufferSize(cusolverDnHandle_t, cusolverEigMode_t, int, int m, int n,
                                                            const float *, int, const float *, const float *, int,
                                                            const float *, int, int *lwork, gesvdjInfo_t)
{
  *lwork = m + n + emulated::least_room;
  return CUSOLVER_STATUS_SUCCESS;
}
static inline cusolverStatus_t cusolverDnSgesvd_bufferSize(cusolverDnHandle_t, int m, int n, int *lwork)
{
  *lwork = m + n + emulated::least_room;
  return m >= n ? CUSOLVER_STATUS_SUCCESS : CUSOLVER_STATUS_INVALID_VALUE;
}

static inline cusolverStatus_t cusolverDnSgesvdj(cusolverDnHandle_t, cusolverEigMode_t jobz, int econ, int m, int n,
                                                 float *a, int lda, float *s, float *u, int ldu, float *v, int ldv,
                                                 float *work, int lwork, int *info, gesvdjInfo_t)
{
  if (jobz != CUSOLVER_EIG_MODE_VECTOR || econ != 1 || lda != m || ldu != m || ldv != n)
    return CUSOLVER_STATUS_INVALID_VALUE;
  const cusolverStatus_t status = emulated::find({m, n, a, s, u, v, false, work, lwork, info});
  if (!emulated::asked("no-jacobi")) return status;
  emulated::submit([=] {
    *info = n + 1;
    memset(u, 0xFF, (size_t)m * (size_t)n * sizeof(float));
  });
  return status;
}

static inline cusolverStatus_t cusolverDnSgesvd(cusolverDnHandle_t, signed char jobu, signed char jobvt, int m, int n,
                                                float *a, int lda, float *s, float *u, int ldu, float *vt, int ldvt,
                                                float *work, int lwork, float *, int *info)
{
  if (jobu != 'S' || jobvt != 'S' || lda != m || ldu != m || ldvt != n) return CUSOLVER_STATUS_INVALID_VALUE;
  return emulated::find({m, n, a, s, u, vt, true, work, lwork, info});
}

#endif
