/* Weights as products of two factors: which ones, where their factors lie, and the way there and back. */
#include "factor.h"

#include <inttypes.h>
#include <math.h>
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

/* RH_EINVAL where the weight is not finite. */
static rh_status check_finite(const rh_model *model, const rh_factor *f, const float *parameters)
{
  const rh_segment *segment = &model->segments[f->segment];
  const float *w = parameters + segment->offset;
  for (int64_t i = 0; i < segment->count; i++)
    if (!isfinite(w[i]))
      return rh_error(RH_EINVAL,
                      "model %s: %s cannot be split into factors: its value %" PRId64 " is %g; the training diverged, "
                      "try a lower train.lr",
                      model->name, segment->name, i, (double)w[i]);
  return RH_OK;
}

static rh_tensor one(const float *data)
{
  return (rh_tensor){(float *)(uintptr_t)data, 0};
}

rh_status rh_factor_split(const rh_model *model, const rh_backend *backend, const rh_factor *f, const float *parameters,
                          float *a, float *b, float *room, float *s)
{
  rh_status status = RH_OK;
  const rh_segment *segment = &model->segments[f->segment];
  const rh_svd split = {f->m, f->n, f->transposed};
  int32_t result;
  if (rh_backend_on_host(backend)) RH_TRY(check_finite(model, f, parameters));
  backend->split(&split, 1, one(parameters + segment->offset), one(a), one(b), one(room), (int32_t *)(room + f->n));
  rh_backend_download(backend, s, room, (size_t)(f->n + 1) * sizeof *s);
  RH_TRY(rh_backend_check(backend));
  memcpy(&result, s + f->n, sizeof result);
  if (result == RH_SPLIT_NO_MEMORY)
    return rh_error(RH_ENOMEM, "no memory to factorise %s", model->segments[f->segment].name);
  if (result != RH_SPLIT_DONE)
    return rh_error(RH_EINVAL,
                    "model %s: the singular values of %s (%" PRId64 " x %" PRId64 ") do not converge; the training "
                    "may be diverging, try a lower train.lr",
                    model->name, segment->name, f->m, f->n);
done:
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

void rh_factor_crop(const rh_backend *backend, const rh_factor *factor, int64_t count, const float *a_full,
                    const float *b_full, rh_tensor a, rh_tensor b)
{
  rh_factor_resize_a(backend, factor->m, count, factor->n, one(a_full), factor->rank, a);
  rh_factor_resize_b(backend, factor->n, count, factor->n, one(b_full), factor->rank, b);
}

void rh_factor_resize_a(const rh_backend *backend, int64_t m, int64_t count, int64_t from_rank, rh_tensor from,
                        int64_t to_rank, rh_tensor to)
{
  backend->resize(m, from_rank, to_rank, count, from, to);
}

void rh_factor_resize_b(const rh_backend *backend, int64_t n, int64_t count, int64_t from_rank, rh_tensor from,
                        int64_t to_rank, rh_tensor to)
{
  backend->resize(1, from_rank * n, to_rank * n, count, from, to);
}

static rh_tensor at(rh_tensor x, int64_t offset)
{
  return (rh_tensor){x.data + offset, x.stride};
}

/* In memory a weight that is seen transposed is (A B)^T = B^T A^T. */
void rh_factor_compose(const rh_model *model, const rh_backend *backend, const rh_factor *f, int64_t count, rh_tensor a,
                       rh_tensor b, rh_tensor parameters)
{
  const rh_product as_it_is = {f->m, f->n, f->rank, false, false}, transposed = {f->n, f->m, f->rank, true, true};
  const rh_tensor w = at(parameters, model->segments[f->segment].offset);
  a = at(a, f->a_offset);
  b = at(b, f->b_offset);
  if (f->transposed)
    backend->product(&transposed, count, b, a, w);
  else
    backend->product(&as_it_is, count, a, b, w);
}

void rh_factor_gradient_a(const rh_model *model, const rh_backend *backend, const rh_factor *f, int64_t count,
                          rh_tensor gradient, rh_tensor b, rh_tensor da)
{
  const rh_product product = {f->m, f->rank, f->n, f->transposed, true};
  backend->product(&product, count, at(gradient, model->segments[f->segment].offset), at(b, f->b_offset),
                   at(da, f->a_offset));
}

void rh_factor_gradient_b(const rh_model *model, const rh_backend *backend, const rh_factor *f, int64_t count,
                          rh_tensor gradient, rh_tensor a, rh_tensor db)
{
  const rh_product product = {f->rank, f->n, f->m, true, f->transposed};
  backend->product(&product, count, at(a, f->a_offset), at(gradient, model->segments[f->segment].offset),
                   at(db, f->b_offset));
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
