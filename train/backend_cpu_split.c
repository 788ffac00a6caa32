/* Splits by LAPACK.
 *
 * Its matrices are column-major, ours row-major: in the same memory it sees M^T. It is asked for that one's SVD,
 * M^T = V S U^T, and leaves V and U^T, which in our order are V^T and U: nothing but a matrix that lies transposed is
 * ever moved.
 * source      sgesdd: Gu & Eisenstat, A divide-and-conquer algorithm for the bidiagonal SVD, SIAM J. Matrix Anal. Appl.
 *             16(1), 1995
 */
#include <lapacke.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "backend_cpu.h"
#include "status.h"

/* matrix [m][n] = M, which the library overwrites. */
static void read_matrix(const rh_svd *p, const float *x, float *matrix)
{
  if (!p->transposed) {
    memcpy(matrix, x, (size_t)(p->m * p->n) * sizeof *matrix);
    return;
  }
  for (int64_t i = 0; i < p->m; i++)
    for (int64_t j = 0; j < p->n; j++)
      matrix[i * p->n + j] = x[j * p->m + i];
}

/* Scales column k of U and row k of V^T by sqrt(s[k]), with the sign that makes U's largest entry positive. */
static void share_singular_values(const rh_svd *p, float *u, float *vt, const float *s)
{
  const int64_t m = p->m, n = p->n;
  for (int64_t k = 0; k < n; k++) {
    float largest = 0;
    for (int64_t i = 0; i < m; i++)
      if (fabsf(u[i * n + k]) > fabsf(largest)) largest = u[i * n + k];
    const float factor = copysignf(sqrtf(s[k]), largest);
    for (int64_t i = 0; i < m; i++)
      u[i * n + k] *= factor;
    for (int64_t j = 0; j < n; j++)
      vt[k * n + j] *= factor;
  }
}

static rh_split_result split(const rh_svd *p, const float *x, float *a, float *b, float *s)
{
  RH_ASSERT(p->m <= INT_MAX && p->n <= INT_MAX);
  float *const matrix = malloc((size_t)(p->m * p->n) * sizeof *matrix);
  if (!matrix) return RH_SPLIT_NO_MEMORY;
  read_matrix(p, x, matrix);
  const lapack_int m = (lapack_int)p->m, n = (lapack_int)p->n;
  const lapack_int info = LAPACKE_sgesdd(LAPACK_COL_MAJOR, 'S', n, m, matrix, n, s, b, n, a, n);
  free(matrix);
  if (info == LAPACK_WORK_MEMORY_ERROR) return RH_SPLIT_NO_MEMORY;
  RH_ASSERT(info >= 0); /* else an argument is wrong */
  if (info > 0) return RH_SPLIT_ITERATES;
  share_singular_values(p, a, b, s);
  return RH_SPLIT_DONE;
}

void rh_cpu_split(const rh_svd *p, int64_t count, rh_tensor x, rh_tensor a, rh_tensor b, rh_tensor s, int32_t *result)
{
  for (int64_t r = 0; r < count; r++)
    result[r] =
        (int32_t)split(p, x.data + r * x.stride, a.data + r * a.stride, b.data + r * b.stride, s.data + r * s.stride);
}
