/* Weights as products of two factors: which ones, where their factors lie, and the way there and back.
 *
 * LAPACK's matrices are column-major, ours row-major: in the same memory it sees M^T. It is asked for that one's SVD,
 * M^T = V S U^T, and leaves V and U^T, which in our order are V^T and U: nothing but a weight that is seen transposed
 * is ever moved. */
#include "factor.h"

#include <inttypes.h>
#include <lapacke.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_weight(const rh_segment *segment)
{
  return segment->columns > 1;
}

void rh_factors_set_ranks(rh_factors *factors, const int64_t *ranks)
{
  factors->a_values = factors->b_values = 0;
  for (int k = 0; k < factors->count; k++) {
    rh_factor *f = &factors->list[k];
    RH_ASSERT(ranks[k] >= 1 && ranks[k] <= f->n);
    f->rank = ranks[k];
    f->a_offset = factors->a_values;
    f->b_offset = factors->b_values;
    factors->a_values += f->m * f->rank;
    factors->b_values += f->rank * f->n;
  }
}

void rh_factors_plan_segments(const rh_segment *segments, int count, bool dense_ends, rh_factors *factors)
{
  RH_ASSERT(count <= RH_SEGMENTS_MAX);
  int first = -1, last = -1;
  for (int i = 0; i < count; i++)
    if (is_weight(&segments[i])) {
      first = first < 0 ? i : first;
      last = i;
    }
  *factors = (rh_factors){0};
  int64_t ranks[RH_SEGMENTS_MAX] = {0};
  for (int i = 0; i < count; i++) {
    const rh_segment *s = &segments[i];
    if (!is_weight(s) || (dense_ends && (i == first || i == last))) {
      factors->dense_values += s->count;
      continue;
    }
    const bool transposed = s->columns > s->rows;
    ranks[factors->count] = transposed ? s->rows : s->columns;
    factors->list[factors->count++] = (rh_factor){.segment = i,
                                                  .transposed = transposed,
                                                  .m = transposed ? s->columns : s->rows,
                                                  .n = transposed ? s->rows : s->columns};
    factors->full_values += s->count;
  }
  rh_factors_set_ranks(factors, ranks);
}

void rh_factors_plan(const rh_model *model, bool dense_ends, rh_factors *factors)
{
  rh_factors_plan_segments(model->segments, model->segment_count, dense_ends, factors);
}

int64_t rh_factors_a_room(const rh_factors *factors)
{
  int64_t room = 0;
  for (int k = 0; k < factors->count; k++)
    room += factors->list[k].m * factors->list[k].n;
  return room;
}

int64_t rh_factors_b_room(const rh_factors *factors)
{
  int64_t room = 0;
  for (int k = 0; k < factors->count; k++)
    room += factors->list[k].n * factors->list[k].n;
  return room;
}

double rh_factors_ratio(const rh_factors *factors)
{
  const int64_t now = factors->a_values + factors->b_values + factors->dense_values;
  return (double)now / (double)(factors->full_values + factors->dense_values);
}

/* matrix [m][n] = the factor's matrix in a parameter row, or RH_EINVAL where it is not finite. */
static rh_status read_matrix(const rh_model *model, const rh_factor *f, const float *parameters, float *matrix)
{
  const rh_segment *segment = &model->segments[f->segment];
  const float *w = parameters + segment->offset;
  for (int64_t i = 0; i < segment->count; i++)
    if (!isfinite(w[i]))
      return rh_error(RH_EINVAL,
                      "model %s: %s cannot be split into factors: its value %" PRId64 " is %g; the training diverged, "
                      "try a lower train.lr",
                      model->name, segment->name, i, (double)w[i]);
  if (!f->transposed) {
    memcpy(matrix, w, (size_t)segment->count * sizeof *matrix);
    return RH_OK;
  }
  for (int64_t i = 0; i < f->m; i++)
    for (int64_t j = 0; j < f->n; j++)
      matrix[i * f->n + j] = w[j * f->m + i];
  return RH_OK;
}

/* Scales column k of U and row k of V^T by sqrt(s[k]), with the sign that makes U's largest entry positive. */
static void share_singular_values(const rh_factor *f, float *u, float *vt, const float *s)
{
  const int64_t m = f->m, n = f->n;
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

rh_status rh_factor_split(const rh_model *model, const rh_factor *f, const float *parameters, float *a, float *b,
                          float *s)
{
  rh_status status = RH_OK;
  RH_ASSERT(f->m <= INT_MAX && f->n <= INT_MAX);
  float *matrix = malloc((size_t)(f->m * f->n) * sizeof *matrix);
  if (!matrix) return rh_error(RH_ENOMEM, "no memory to factorise %s", model->segments[f->segment].name);
  RH_TRY(read_matrix(model, f, parameters, matrix));
  const lapack_int m = (lapack_int)f->m, n = (lapack_int)f->n;
  const lapack_int info = LAPACKE_sgesdd(LAPACK_COL_MAJOR, 'S', n, m, matrix, n, s, b, n, a, n);
  if (info == LAPACK_WORK_MEMORY_ERROR) {
    status = rh_error(RH_ENOMEM, "no memory to factorise %s", model->segments[f->segment].name);
    goto done;
  }
  RH_ASSERT(info >= 0); /* else an argument is wrong */
  if (info > 0) {
    status = rh_error(RH_EINVAL,
                      "model %s: the singular values of %s (%" PRId64 " x %" PRId64 ") do not converge; the training "
                      "may be diverging, try a lower train.lr",
                      model->name, model->segments[f->segment].name, f->m, f->n);
    goto done;
  }
  share_singular_values(f, a, b, s);
done:
  free(matrix);
  return status;
}

int64_t rh_factors_split_values(const rh_factors *factors)
{
  int64_t most = 0;
  for (int k = 0; k < factors->count; k++) {
    const rh_factor *f = &factors->list[k];
    const int64_t values = f->m * f->n + 4 * f->n * f->n;
    if (values > most) most = values;
  }
  return most;
}

int64_t rh_factor_rank(const float *s, int64_t n, double cut)
{
  int64_t rank = 1;
  while (rank < n && (double)s[rank] > cut * (double)s[0])
    rank++;
  return rank;
}

void rh_factor_crop(const rh_factor *factor, const float *a_full, const float *b_full, float *a, float *b)
{
  rh_factor_resize_a(factor->m, factor->n, a_full, factor->rank, a);
  rh_factor_resize_b(factor->n, factor->n, b_full, factor->rank, b);
}

void rh_factor_resize_a(int64_t m, int64_t from_rank, const float *from, int64_t to_rank, float *to)
{
  const int64_t kept = from_rank < to_rank ? from_rank : to_rank;
  for (int64_t i = 0; i < m; i++) {
    memcpy(to + i * to_rank, from + i * from_rank, (size_t)kept * sizeof *to);
    memset(to + i * to_rank + kept, 0, (size_t)(to_rank - kept) * sizeof *to);
  }
}

void rh_factor_resize_b(int64_t n, int64_t from_rank, const float *from, int64_t to_rank, float *to)
{
  const int64_t kept = from_rank < to_rank ? from_rank : to_rank;
  memcpy(to, from, (size_t)(kept * n) * sizeof *to);
  memset(to + kept * n, 0, (size_t)((to_rank - kept) * n) * sizeof *to);
}

/* c = op(a) op(b) of a single copy; inputs are not written. */
static void multiply(const rh_backend *backend, rh_product product, const float *a, const float *b, float *c)
{
  backend->product(&product, 1, (rh_tensor){(float *)a, 0}, (rh_tensor){(float *)b, 0}, (rh_tensor){c, 0});
}

/* In memory a weight that is seen transposed is (A B)^T = B^T A^T. */
void rh_factor_compose(const rh_model *model, const rh_backend *backend, const rh_factor *f, const float *a,
                       const float *b, float *parameters)
{
  float *w = parameters + model->segments[f->segment].offset;
  a += f->a_offset;
  b += f->b_offset;
  if (f->transposed)
    multiply(backend, (rh_product){f->n, f->m, f->rank, true, true}, b, a, w);
  else
    multiply(backend, (rh_product){f->m, f->n, f->rank, false, false}, a, b, w);
}

void rh_factor_gradient_a(const rh_model *model, const rh_backend *backend, const rh_factor *f, const float *gradient,
                          const float *b, float *da)
{
  const rh_product product = {f->m, f->rank, f->n, f->transposed, true};
  multiply(backend, product, gradient + model->segments[f->segment].offset, b + f->b_offset, da + f->a_offset);
}

void rh_factor_gradient_b(const rh_model *model, const rh_backend *backend, const rh_factor *f, const float *gradient,
                          const float *a, float *db)
{
  const rh_product product = {f->rank, f->n, f->m, true, f->transposed};
  multiply(backend, product, a + f->a_offset, gradient + model->segments[f->segment].offset, db + f->b_offset);
}

double rh_factors_product_flop(const rh_factors *factors)
{
  double flop = 0;
  for (int k = 0; k < factors->count; k++) {
    const rh_factor *f = &factors->list[k];
    flop += 2.0 * (double)f->m * (double)f->rank * (double)f->n;
  }
  return flop;
}

double rh_factors_split_flop(const rh_factors *factors)
{
  double flop = 0;
  for (int k = 0; k < factors->count; k++) {
    const double m = (double)factors->list[k].m, n = (double)factors->list[k].n;
    flop += 14 * m * n * n + 8 * n * n * n;
  }
  return flop;
}
