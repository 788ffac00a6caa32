/* The values of AB-training's phase changes: splitting, averaging and joining factors, for all groups. */
#include <math.h>

#include "method_ab.h"

static size_t bytes_of(int64_t values)
{
  return (size_t)values * sizeof(float);
}

static ab_some all_groups(const ab_state *s)
{
  return (ab_some){.count = s->group_count};
}

static rh_tensor at(rh_tensor x, int64_t offset)
{
  return (rh_tensor){x.data + offset, x.stride};
}

/* All parameters of group 0, which holds rank 0, go to the others: what the broadcast at a phase change does. */
static void broadcast_parameters(rh_world *w, const ab_state *s)
{
  for (int32_t k = 1; k < s->group_count; k++)
    rh_backend_copy(s->backend, rh_replicas_copy(w->replicas, k), rh_replicas_copy(w->replicas, 0),
                    bytes_of(w->model->stride));
}

/* Moments of some groups, who train the same factor, follow from the old ranks to the new ones. */
static void resize_moments(const rh_world *w, const rh_factors *old, ab_state *s, ab_some some)
{
  const rh_tensor scratch = {s->factor_grads, s->room};
  const bool of_a = s->groups[some.first].trains_a;
  for (int m = 0; m < rh_optimiser_moments(&rh_replicas_get_def(w->replicas)->optimiser); m++) {
    const rh_tensor moment = ab_moment(s, some.first, m);
    rh_backend_copy(s->backend, scratch.data, moment.data, bytes_of(some.count * s->room));
    for (int k = 0; k < old->count; k++) {
      const rh_factor *from = &old->list[k], *to = &s->factors.list[k];
      if (of_a)
        rh_factor_resize_a(s->backend, to->m, some.count, from->rank, at(scratch, from->a_offset), to->rank,
                           at(moment, to->a_offset));
      else
        rh_factor_resize_b(s->backend, to->n, some.count, from->rank, at(scratch, from->b_offset), to->rank,
                           at(moment, to->b_offset));
    }
  }
}

/* All groups', as many at once as there is scratch for. */
static void resize_all_moments(const rh_world *w, const rh_factors *old, ab_state *s)
{
  for (int32_t first = 0, end; first < s->group_count; first = end) {
    for (end = first + 1; end < s->group_count && end - first < s->slots;)
      if (s->groups[end].trains_a != s->groups[first].trains_a)
        break;
      else
        end++;
    resize_moments(w, old, s, (ab_some){first, end - first, 0});
  }
}

/* Splits all weights of group 0 into full factors, which go to a_full and b_full, and finds the ranks, for which a
 * device's singular values are read. The weights of all groups are the same bits when AB is entered, so the largest
 * rank over all of them is group 0's. */
static rh_status split(rh_world *w, ab_state *s, double cut, const rh_factors *full, float *a_full, float *b_full,
                       int64_t *ranks)
{
  const float *x = rh_replicas_copy(w->replicas, 0);
  for (int k = 0; k < full->count; k++) {
    const rh_factor *f = &full->list[k];
    rh_status status = rh_factor_split(w->model, s->backend, f, x, a_full + f->a_offset, b_full + f->b_offset,
                                       b_full + full->b_values, s->singular);
    if (status != RH_OK) return status;
    ranks[k] = cut > 0 ? rh_factor_rank(s->singular, f->n, cut) : f->n;
  }
  return RH_OK;
}

rh_status ab_finite(rh_world *w, ab_state *s, bool *finite)
{
  const float *x = rh_replicas_copy(w->replicas, 0);
  const int64_t n = w->model->parameters;
  double squared = 0;
  if (ab_on_device(s)) {
    s->backend->squared_distances(n, 1, (rh_tensor){(float *)(uintptr_t)x, 0}, NULL, s->squares);
    rh_backend_download(s->backend, &squared, s->squares, sizeof squared);
  } else {
    squared = rh_squared_norm(n, x);
  }
  *finite = isfinite(squared);
  return rh_backend_check(s->backend);
}

rh_status ab_enter(rh_world *w, ab_state *s, bool cut)
{
  rh_status status = RH_OK;
  const ab_options *o = w->method_options;
  const rh_factors old = s->factors;
  rh_factors full = s->factors;
  int64_t ranks[RH_SEGMENTS_MAX];
  for (int k = 0; k < full.count; k++)
    ranks[k] = full.list[k].n;
  rh_factors_set_ranks(&full, ranks);
  float *const a_full = s->entering, *const b_full = a_full + full.a_values;
  RH_TRY(split(w, s, cut ? o->rank_cut : 0, &full, a_full, b_full, ranks));
  rh_factors_set_ranks(&s->factors, ranks);
  broadcast_parameters(w, s);
  for (int k = 0; k < full.count; k++) {
    const rh_factor *f = &s->factors.list[k], *whole = &full.list[k];
    rh_factor_crop(s->backend, f, s->group_count, a_full + whole->a_offset, b_full + whole->b_offset,
                   at(ab_a(s, 0), f->a_offset), at(ab_b(s, 0), f->b_offset));
  }
  resize_all_moments(w, &old, s);
  ab_compose(w, s, all_groups(s));
  s->in_ab = true;
done:
  return status;
}

/* Averages `n` values of the rows of groups in [first, last), weighed by their ranks, which go to all groups. */
static void average(ab_state *s, int64_t n, int32_t first, int32_t last, rh_tensor (*of)(const ab_state *s, int32_t g))
{
  double sum = 0, *weight = s->weight + s->group_count; /* scratch beside the shares themselves */
  for (int32_t g = first; g < last; g++)
    sum += s->weight[g];
  for (int32_t g = first; g < last; g++) {
    weight[g - first] = s->weight[g] / sum;
    s->rows[g - first] = of(s, g).data;
  }
  s->backend->weighted_sum(n, last - first, weight, s->rows, s->factor_grads);
  for (int32_t g = 0; g < s->group_count; g++)
    rh_backend_copy(s->backend, of(s, g).data, s->factor_grads, bytes_of(n));
}

/* Whole parameter rows; what is not wanted of it is overwritten by ab_leave. */
static void average_parameters(rh_world *w, ab_state *s)
{
  for (int32_t g = 0; g < s->group_count; g++)
    s->rows[g] = rh_replicas_copy(w->replicas, g);
  s->backend->weighted_sum(w->model->stride, s->group_count, s->weight, s->rows, s->mean);
  rh_backend_copy(s->backend, rh_replicas_copy(w->replicas, 0), s->mean, bytes_of(w->model->stride));
  broadcast_parameters(w, s);
}

void ab_synchronise(rh_world *w, ab_state *s)
{
  const int32_t all = s->group_count, half = all / 2;
  const ab_options *o = w->method_options;
  if (o->sync == AB_SYNC_ONLY_B) return; /* one group: everybody has the same */
  average_parameters(w, s);
  if (o->sync == AB_SYNC_FULL) return;
  const bool stale = o->sync == AB_SYNC_WITH_STALE;
  average(s, s->factors.a_values, 0, stale ? all : half, ab_a);
  average(s, s->factors.b_values, stale ? 0 : half, all, ab_b);
}

void ab_leave(rh_world *w, ab_state *s)
{
  const ab_options *o = w->method_options;
  if (o->sync != AB_SYNC_FULL) ab_compose(w, s, (ab_some){.count = 1});
  broadcast_parameters(w, s);
  s->in_ab = false;
}

void ab_spread(rh_world *w, ab_state *s)
{
  broadcast_parameters(w, s);
  for (int32_t k = 1; k < s->group_count; k++)
    for (int m = 0; m < rh_optimiser_moments(&rh_replicas_get_def(w->replicas)->optimiser); m++)
      rh_backend_copy(s->backend, rh_replicas_copy_moment(w->replicas, k, m),
                      rh_replicas_copy_moment(w->replicas, 0, m), bytes_of(w->model->stride));
}
