#include "thin.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "clones.h"
#include "status.h"

rh_thin rh_thin_of(int64_t length, int64_t rows, int64_t rank)
{
  rh_thin t = {.rows = rows, .columns = rows > 0 ? length / rows : 0};
  RH_ASSERT(t.rows * t.columns == length);
  t.rank = t.rows < t.columns ? t.rows : t.columns;
  if (rank < t.rank) t.rank = rank;
  if (t.rank * (t.rows + t.columns) >= length) t.rank = 0;
  return t;
}

int64_t rh_thin_left_values(const rh_thin *t)
{
  return t->rank * t->rows;
}

int64_t rh_thin_right_values(const rh_thin *t)
{
  return t->rank > 0 ? t->rank * t->columns : t->rows * t->columns;
}

/* Dot product of a row and a column, summed in 16 lanes: the order is the same on every machine. */
enum { LANES = 16 };

RH_INLINE float sum_lanes(float *lane)
{
  for (int half = LANES / 2; half > 0; half /= 2)
    for (int l = 0; l < half; l++)
      lane[l] += lane[l + half];
  return lane[0];
}

RH_INLINE float dot_one(const float *restrict row, const float *restrict q, int64_t n)
{
  float lane[LANES] = {0};
  int64_t j = 0;
  for (; j + LANES <= n; j += LANES)
    for (int l = 0; l < LANES; l++)
      lane[l] += row[j + l] * q[j + l];
  for (int l = 0; j < n; j++, l++)
    lane[l] += row[j] * q[j];
  return sum_lanes(lane);
}

RH_CLONES static void times_right(const rh_thin *t, const float *m, const float *q, float *p)
{
  const int64_t n = t->columns;
  for (int64_t i = 0; i < t->rows; i++)
    for (int64_t k = 0; k < t->rank; k++)
      p[k * t->rows + i] = dot_one(m + i * n, q + k * n, n);
}

/* q += M^T w over four rows of M, w their weights */
RH_INLINE void add_four_rows(const float *restrict m, int64_t n, const float *restrict w, int64_t width,
                             float *restrict q)
{
  for (int64_t j = 0; j < width; j++)
    q[j] += (w[0] * m[j] + w[1] * m[n + j]) + (w[2] * m[2 * n + j] + w[3] * m[3 * n + j]);
}

RH_INLINE void add_row(const float *restrict m, float w, int64_t width, float *restrict q)
{
  for (int64_t j = 0; j < width; j++)
    q[j] += w * m[j];
}

/* q = M^T p, in blocks of columns whose rows and sums stay in the first cache. */
RH_CLONES static void times_left(const rh_thin *t, const float *m, const float *p, float *q)
{
  enum { BLOCK = 1024 };
  const int64_t n = t->columns, rows = t->rows, rank = t->rank;
  memset(q, 0, (size_t)(rank * n) * sizeof *q);
  for (int64_t j = 0; j < n; j += BLOCK) {
    const int64_t width = n - j < BLOCK ? n - j : BLOCK;
    int64_t i = 0;
    for (; i + 4 <= rows; i += 4)
      for (int64_t k = 0; k < rank; k++)
        add_four_rows(m + i * n + j, n, p + k * rows + i, width, q + k * n + j);
    for (; i < rows; i++)
      for (int64_t k = 0; k < rank; k++)
        add_row(m + i * n + j, p[k * rows + i], width, q + k * n + j);
  }
}

/* M = factor p q^T */
RH_CLONES static void expand(const rh_thin *t, const float *p, const float *q, double factor, float *m)
{
  const int64_t n = t->columns;
  for (int64_t i = 0; i < t->rows; i++, m += n) {
    int64_t k = 0;
    const float first = (float)(factor * (double)p[i]);
    if (t->rank & 1) {
      for (int64_t j = 0; j < n; j++)
        m[j] = first * q[j];
      k = 1;
    } else {
      const float second = (float)(factor * (double)p[t->rows + i]);
      for (int64_t j = 0; j < n; j++)
        m[j] = first * q[j] + second * q[n + j];
      k = 2;
    }
    for (; k < t->rank; k += 2) {
      const float a = (float)(factor * (double)p[k * t->rows + i]);
      const float b = (float)(factor * (double)p[(k + 1) * t->rows + i]);
      for (int64_t j = 0; j < n; j++)
        m[j] += a * q[k * n + j] + b * q[(k + 1) * n + j];
    }
  }
}

void rh_thin_right(const rh_thin *t, const float *m, const float *q, float *p)
{
  times_right(t, m, q, p);
}

void rh_thin_left(const rh_thin *t, const float *m, const float *p, float *q)
{
  if (t->rank > 0)
    times_left(t, m, p, q);
  else
    memcpy(q, m, (size_t)(t->rows * t->columns) * sizeof *q);
}

void rh_thin_expand(const rh_thin *t, const float *p, const float *q, double factor, float *m)
{
  if (t->rank > 0)
    expand(t, p, q, factor, m);
  else
    for (int64_t i = 0; i < t->rows * t->columns; i++)
      m[i] = (float)(factor * (double)q[i]);
}

/* In f64 by eight lanes, like every other length here. */
static double dot(const float *a, const float *b, int64_t n)
{
  double lane[8] = {0};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int l = 0; l < 8; l++)
      lane[l] += (double)a[i + l] * (double)b[i + l];
  for (int l = 0; i < n; i++, l++)
    lane[l] += (double)a[i] * (double)b[i];
  return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}

/* Takes from column k of a what the columns before it hold, and scales it to length 1. false: less than 1e-6 of it was
 * left, which f32 sums over some thousand values cannot tell from nothing. What is not finite stays: it must be seen.
 */
static bool orthonormal_column(float *a, int64_t n, int64_t k)
{
  float *v = a + k * n;
  const double before = sqrt(dot(v, v, n));
  for (int pass = 0; pass < 2; pass++) /* the second takes what the first's rounding left: twice is enough (Kahan) */
    for (int64_t other = 0; other < k; other++) {
      const float *u = a + other * n;
      const double along = dot(u, v, n);
      for (int64_t i = 0; i < n; i++)
        v[i] = (float)((double)v[i] - along * (double)u[i]);
    }
  const double left = sqrt(dot(v, v, n));
  if (isfinite(before) && left <= 1e-6 * before) return false;
  const double scale = 1 / left;
  for (int64_t i = 0; i < n; i++)
    v[i] = (float)(scale * (double)v[i]);
  return true;
}

void rh_thin_orthonormalise(float *a, int64_t n, int64_t count, rh_rng *rng)
{
  for (int64_t k = 0; k < count; k++) {
    float *v = a + k * n;
    bool independent = orthonormal_column(a, n, k);
    if (!independent && rng) {
      for (int64_t i = 0; i < n; i++)
        v[i] = (float)rh_rng_normal(rng);
      independent = orthonormal_column(a, n, k);
    }
    if (!independent) memset(v, 0, (size_t)n * sizeof *v);
  }
}
