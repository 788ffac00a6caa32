/* Splits of weights into two factors, by cuSOLVER's singular values.
 *
 * Jacobi's method (gesvdj) is the fast one for the few hundred columns of a layer; where it does not come to its end,
 * as it may on a matrix of nearly lower rank, the QR iteration (gesvd) does the work again. Both take the matrix
 * column-major with at least as many rows as columns, and overwrite it. Their vectors' signs are the libraries' choice:
 * the last kernel makes them those of backend.h while it brings the factors into row-major order.
 *
 * Room is taken by rh_cuda_prepare_split, or else when it is first needed, and kept; one split follows the other.
 * How a split ended is read back at once: it decides what is done next. Never called while work is recorded.
 */
#include "launch.h"

static struct {
  gesvdjInfo_t jacobi; /* its settings */
  float *matrix, *u, *v, *work;
  int *info;
  int64_t matrix_values, v_values, work_values; /* that there is room for; u is as long as matrix */
} room;

static bool open_solver(void)
{
  if (rh_cuda_failed()) return false;
  if (rh_cuda.solver) return true;
  cusolverStatus_t status = cusolverDnCreate(&rh_cuda.solver);
  if (status == CUSOLVER_STATUS_SUCCESS) status = cusolverDnSetStream(rh_cuda.solver, rh_cuda.stream);
  if (status == CUSOLVER_STATUS_SUCCESS)
    status = cusolverDnSetDeterministicMode(rh_cuda.solver, CUSOLVER_DETERMINISTIC_RESULTS);
  if (status == CUSOLVER_STATUS_SUCCESS) status = cusolverDnCreateGesvdjInfo(&room.jacobi);
  if (status == CUSOLVER_STATUS_SUCCESS) status = cusolverDnXgesvdjSetSortEig(room.jacobi, 1);
  return rh_cuda_check_solver(status, "its opening");
}

/* Values that the longer of the two methods works in; -1: it failed. */
static int64_t work_values(int m, int n)
{
  int jacobi = 0, iteration = 0;
  cusolverStatus_t status = cusolverDnSgesvdj_bufferSize(rh_cuda.solver, CUSOLVER_EIG_MODE_VECTOR, 1, m, n, room.matrix,
                                                         m, room.v, room.u, m, room.v, n, &jacobi, room.jacobi);
  if (status == CUSOLVER_STATUS_SUCCESS) status = cusolverDnSgesvd_bufferSize(rh_cuda.solver, m, n, &iteration);
  if (!rh_cuda_check_solver(status, "the size of a split's room")) return -1;
  return jacobi > iteration ? jacobi : iteration;
}

static bool grow(float **values, int64_t *has, int64_t needs)
{
  if (*has >= needs) return true;
  rh_cuda_release(*values);
  *values = (float *)rh_cuda_alloc((size_t)needs * sizeof **values);
  *has = *values ? needs : 0;
  return *values != nullptr;
}

extern "C" bool rh_cuda_prepare_split(const rh_svd *p)
{
  int64_t u_values = room.matrix_values;
  if (!open_solver()) return false;
  if (!room.info && !(room.info = (int *)rh_cuda_alloc(sizeof *room.info))) return false;
  if (!grow(&room.matrix, &room.matrix_values, p->m * p->n) || !grow(&room.u, &u_values, p->m * p->n)) {
    room.matrix_values = 0;
    return false;
  }
  if (!grow(&room.v, &room.v_values, p->n * p->n)) return false;
  const int64_t values = work_values((int)p->m, (int)p->n);
  return values >= 0 && grow(&room.work, &room.work_values, values > 0 ? values : 1);
}

/* matrix, column-major, = M */
static __global__ void read_matrix(int64_t m, int64_t n, bool transposed, const float *x, float *matrix)
{
  RH_EACH(r, 1, i, m * n)
  matrix[i] = transposed ? x[i] : x[i % m * n + i / m];
}

/* The split's method; false: it failed. *info: 0, or it did not come to its end. */
static bool by_jacobi(int m, int n, float *s, int *info)
{
  const cusolverStatus_t status =
      cusolverDnSgesvdj(rh_cuda.solver, CUSOLVER_EIG_MODE_VECTOR, 1, m, n, room.matrix, m, s, room.u, m, room.v, n,
                        room.work, (int)room.work_values, room.info, room.jacobi);
  if (!rh_cuda_check_solver(status, "Jacobi's method for singular values")) return false;
  rh_cuda_download(info, room.info, sizeof *info);
  return !rh_cuda_failed();
}

static bool by_iteration(int m, int n, float *s, int *info)
{
  const cusolverStatus_t status = cusolverDnSgesvd(rh_cuda.solver, 'S', 'S', m, n, room.matrix, m, s, room.u, m, room.v,
                                                   n, room.work, (int)room.work_values, nullptr, room.info);
  if (!rh_cuda_check_solver(status, "the QR iteration for singular values")) return false;
  rh_cuda_download(info, room.info, sizeof *info);
  return !rh_cuda_failed();
}

/* A block: column k of U and of V, scaled by sqrt(s[k]), with the sign that makes U's largest entry positive. v holds
 * V, or its transpose, column-major; a column that belongs to no singular value may be anything, and becomes zeros. */
static __global__ void share(int64_t m, int64_t n, const float *u, const float *v, bool v_transposed, const float *s,
                             float *a, float *b)
{
  __shared__ float largest[RH_BLOCK];
  __shared__ int64_t place[RH_BLOCK];
  const int t = threadIdx.x;
  for (int64_t k = blockIdx.x; k < n; k += gridDim.x) {
    const float *const column = u + k * m;
    float most = 0;
    int64_t at = m;
    for (int64_t i = t; i < m; i += RH_BLOCK)
      if (fabsf(column[i]) > fabsf(most)) {
        most = column[i];
        at = i;
      }
    largest[t] = most;
    place[t] = at;
    __syncthreads();
    for (int half = RH_BLOCK / 2; half > 0; half /= 2) {
      if (t < half) {
        const float mine = fabsf(largest[t]), other = fabsf(largest[t + half]);
        if (other > mine || (other == mine && place[t + half] < place[t])) {
          largest[t] = largest[t + half];
          place[t] = place[t + half];
        }
      }
      __syncthreads();
    }
    const float factor = copysignf(sqrtf(s[k]), largest[0]);
    const bool none = s[k] == 0;
    for (int64_t i = t; i < m; i += RH_BLOCK)
      a[i * n + k] = none ? 0 : factor * column[i];
    for (int64_t j = t; j < n; j += RH_BLOCK)
      b[k * n + j] = none ? 0 : factor * (v_transposed ? v[j * n + k] : v[k * n + j]);
    __syncthreads(); /* before the next column overwrites what was found */
  }
}

static rh_split_result split(const rh_svd *p, const float *x, float *a, float *b, float *s)
{
  const int m = (int)p->m, n = (int)p->n;
  int info = 0;
  RH_LAUNCH(read_matrix, rh_grid(p->m * p->n, 1), RH_BLOCK, p->m, p->n, p->transposed, x, room.matrix);
  if (!by_jacobi(m, n, s, &info)) return RH_SPLIT_ITERATES;
  const bool again = info != 0;
  if (again) {
    RH_LAUNCH(read_matrix, rh_grid(p->m * p->n, 1), RH_BLOCK, p->m, p->n, p->transposed, x, room.matrix);
    if (!by_iteration(m, n, s, &info) || info != 0) return RH_SPLIT_ITERATES;
  }
  RH_LAUNCH(share, dim3((unsigned)(n < 65535 ? n : 65535)), RH_BLOCK, p->m, p->n, room.u, room.v, again, s, a, b);
  return RH_SPLIT_DONE;
}

extern "C" void rh_cuda_split(const rh_svd *p, int64_t count, rh_tensor x, rh_tensor a, rh_tensor b, rh_tensor s,
                              int32_t *result)
{
  const bool there = rh_cuda_prepare_split(p);
  for (int64_t r = 0; r < count; r++) {
    const int32_t ended = there ? (int32_t)split(p, x.data + r * x.stride, a.data + r * a.stride, b.data + r * b.stride,
                                                 s.data + r * s.stride)
                                : (int32_t)RH_SPLIT_NO_MEMORY;
    rh_cuda_upload(result + r, &ended, sizeof ended);
  }
}

static __global__ void resize(int64_t rows, int64_t from, int64_t to, int64_t count, rh_tensor x, rh_tensor y)
{
  RH_EACH(r, count, i, rows * to)
  {
    const int64_t row = i / to, column = i % to;
    rh_at(y, r)[i] = column < from ? rh_at(x, r)[row * from + column] : 0;
  }
}

extern "C" void rh_cuda_resize(int64_t rows, int64_t from, int64_t to, int64_t count, rh_tensor x, rh_tensor y)
{
  RH_LAUNCH(resize, rh_grid(rows * to, count), RH_BLOCK, rows, from, to, count, x, y);
}
