/* The oracle of splits: one-sided Jacobi rotations in double, pair after pair, until all columns are orthogonal.
 *
 * M's columns are turned by V until they are U S; the lengths that they have then are the singular values.
 * source      Hestenes, Inversion of matrices by biorthogonalization, J. SIAM 6(1), 1958; Golub, Van Loan, Matrix
 *             computations, 4th ed., section 8.6.3
 */
#include <math.h>
#include <stdlib.h>

#include "backend_ref.h"

enum { SWEEPS = 60 }; /* it takes six to ten */

/* u [m][n] holds the turned columns, v [n][n] the turns. */
typedef struct turning {
  int64_t m, n;
  double *u, *v;
  double least; /* squared length of columns that are rounding alone, as of a matrix of lower rank */
} turning;

static double dot_columns(const turning *t, int64_t p, int64_t q)
{
  double sum = 0;
  for (int64_t i = 0; i < t->m; i++)
    sum += t->u[i * t->n + p] * t->u[i * t->n + q];
  return sum;
}

static void turn(double *x, int64_t rows, int64_t n, int64_t p, int64_t q, double c, double s)
{
  for (int64_t i = 0; i < rows; i++) {
    double *const row = x + i * n;
    const double left = row[p], right = row[q];
    row[p] = c * left - s * right;
    row[q] = s * left + c * right;
  }
}

/* Makes columns p and q orthogonal; false: they were, up to rounding. */
static bool turn_pair(turning *t, int64_t p, int64_t q)
{
  const double pp = dot_columns(t, p, p), qq = dot_columns(t, q, q), pq = dot_columns(t, p, q);
  if (!(fabs(pq) > 1e-14 * sqrt(pp) * sqrt(qq)) || fmin(pp, qq) <= t->least) return false;
  const double zeta = (qq - pp) / (2 * pq);
  const double tangent = copysign(1, zeta) / (fabs(zeta) + sqrt(1 + zeta * zeta));
  const double c = 1 / sqrt(1 + tangent * tangent), s = c * tangent;
  turn(t->u, t->m, t->n, p, q, c, s);
  turn(t->v, t->n, t->n, p, q, c, s);
  return true;
}

static bool orthogonalise(turning *t)
{
  bool turned = true;
  for (int sweep = 0; turned && sweep < SWEEPS; sweep++) {
    turned = false;
    for (int64_t p = 0; p < t->n; p++)
      for (int64_t q = p + 1; q < t->n; q++)
        turned |= turn_pair(t, p, q);
  }
  return !turned;
}

/* The longest column of those that were not taken yet, the first of equal ones; its length becomes negative. */
static int64_t take_longest(int64_t n, double *length, double *longest)
{
  int64_t at = 0;
  for (int64_t k = 1; k < n; k++)
    if (length[k] > length[at]) at = k;
  *longest = length[at];
  length[at] = -1;
  return at;
}

/* Column `from` of the turned ones becomes column k of a and row k of b. */
static void write_factors(const turning *t, int64_t from, int64_t k, double length, float *a, float *b)
{
  double largest = 0;
  for (int64_t i = 0; i < t->m; i++)
    if (fabs(t->u[i * t->n + from]) > fabs(largest)) largest = t->u[i * t->n + from];
  const double root = sqrt(length), share = length > 0 ? copysign(1 / root, largest) : 0;
  for (int64_t i = 0; i < t->m; i++)
    a[i * t->n + k] = (float)(share * t->u[i * t->n + from]);
  for (int64_t j = 0; j < t->n; j++)
    b[k * t->n + j] = (float)(copysign(root, largest) * t->v[j * t->n + from]);
}

static rh_split_result split(const rh_svd *p, const float *x, float *a, float *b, float *s)
{
  const int64_t m = p->m, n = p->n;
  double *const work = calloc((size_t)(m * n + n * n + n), sizeof *work), *length = work + m * n + n * n;
  if (!work) return RH_SPLIT_NO_MEMORY;
  turning t = {.m = m, .n = n, .u = work, .v = work + m * n};
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++)
      t.u[i * n + j] = p->transposed ? x[j * m + i] : x[i * n + j];
  for (int64_t j = 0; j < n; j++)
    t.v[j * n + j] = 1;
  for (int64_t k = 0; k < n; k++)
    t.least += 1e-26 * dot_columns(&t, k, k);
  const bool ended = orthogonalise(&t);
  for (int64_t k = 0; k < n; k++)
    length[k] = sqrt(dot_columns(&t, k, k));
  for (int64_t k = 0; k < n; k++) {
    double longest;
    const int64_t from = take_longest(n, length, &longest);
    s[k] = (float)longest;
    write_factors(&t, from, k, longest, a, b);
  }
  free(work);
  return ended ? RH_SPLIT_DONE : RH_SPLIT_ITERATES;
}

void rh_ref_split(const rh_svd *p, int64_t count, rh_tensor x, rh_tensor a, rh_tensor b, rh_tensor s, int32_t *result)
{
  for (int64_t r = 0; r < count; r++)
    result[r] =
        (int32_t)split(p, x.data + r * x.stride, a.data + r * a.stride, b.data + r * b.stride, s.data + r * s.stride);
}
