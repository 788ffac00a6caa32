/* The values of AB-training's phases: splitting, stepping, averaging and joining factors, for all groups. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "method_ab.h"

static const rh_replicas_def *def_of(const rh_world *w)
{
  return rh_replicas_get_def(w->replicas);
}

/* The factor that a group trains, and how long it is at the current ranks. */
static float *trained(const ab_group *g)
{
  return g->trains_a ? g->a : g->b;
}

static int64_t trained_values(const ab_state *s, const ab_group *g)
{
  return g->trains_a ? s->factors.a_values : s->factors.b_values;
}

/* All parameters of group 0, which holds rank 0, go to the others: what the broadcast at a phase change does. */
static void broadcast_parameters(rh_world *w, const ab_state *s)
{
  for (int32_t k = 1; k < s->group_count; k++)
    memcpy(rh_replicas_copy(w->replicas, k), rh_replicas_copy(w->replicas, 0),
           (size_t)w->model->stride * sizeof(float));
}

static void compose(rh_world *w, const ab_state *s, int32_t group)
{
  const ab_group *g = &s->groups[group];
  for (int k = 0; k < s->factors.count; k++)
    rh_factor_compose(w->model, def_of(w)->backend, &s->factors.list[k], g->a, g->b,
                      rh_replicas_copy(w->replicas, group));
}

/* A group's moments follow from the old ranks to the new ones; `scratch` holds a factor of any rank. */
static void resize_moments(const rh_world *w, const rh_factors *old, const rh_factors *new, const ab_group *g,
                           float *scratch)
{
  for (int m = 0; m < rh_optimiser_moments(&def_of(w)->optimiser); m++) {
    const int64_t values = g->trains_a ? old->a_values : old->b_values;
    memcpy(scratch, g->moments[m], (size_t)values * sizeof *scratch);
    for (int k = 0; k < new->count; k++) {
      const rh_factor *from = &old->list[k], *to = &new->list[k];
      if (g->trains_a)
        rh_factor_resize_a(to->m, from->rank, scratch + from->a_offset, to->rank, g->moments[m] + to->a_offset);
      else
        rh_factor_resize_b(to->n, from->rank, scratch + from->b_offset, to->rank, g->moments[m] + to->b_offset);
    }
  }
}

/* Splits all weights of group 0 into full factors, which go to a_full and b_full, and finds the ranks. The weights of
 * all groups are the same bits when AB is entered, so the largest rank over all of them is group 0's. */
static rh_status split(rh_world *w, double cut, const rh_factors *full, float *a_full, float *b_full, float *values,
                       int64_t *ranks)
{
  const float *x = rh_replicas_copy(w->replicas, 0);
  for (int k = 0; k < full->count; k++) {
    const rh_factor *f = &full->list[k];
    rh_status status = rh_factor_split(w->model, f, x, a_full + f->a_offset, b_full + f->b_offset, values);
    if (status != RH_OK) return status;
    ranks[k] = cut > 0 ? rh_factor_rank(values, f->n, cut) : f->n;
  }
  return RH_OK;
}

bool ab_finite(rh_world *w)
{
  return isfinite(rh_squared_norm(w->model->parameters, rh_replicas_copy(w->replicas, 0)));
}

/* Full A, full B, moments of A, singular values of one weight. */
int64_t ab_enter_values(const rh_factors *factors)
{
  int64_t n = 0;
  for (int k = 0; k < factors->count; k++)
    if (factors->list[k].n > n) n = factors->list[k].n;
  return 2 * rh_factors_a_room(factors) + rh_factors_b_room(factors) + n;
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
  const int64_t a_room = full.a_values, b_room = full.b_values; /* B's is the smaller: m >= n */
  float *work = malloc((size_t)ab_enter_values(&full) * sizeof *work);
  if (!work) return rh_error(RH_ENOMEM, "no memory to factorise model %s", w->model->name);
  float *a_full = work, *b_full = a_full + a_room, *scratch = b_full + b_room, *values = scratch + a_room;

  RH_TRY(split(w, cut ? o->rank_cut : 0, &full, a_full, b_full, values, ranks));
  rh_factors_set_ranks(&s->factors, ranks);
  broadcast_parameters(w, s);
  for (int32_t g = 0; g < s->group_count; g++) {
    const ab_group *group = &s->groups[g];
    for (int k = 0; k < full.count; k++) {
      const rh_factor *f = &s->factors.list[k];
      rh_factor_crop(f, a_full + full.list[k].a_offset, b_full + full.list[k].b_offset, group->a + f->a_offset,
                     group->b + f->b_offset);
    }
    resize_moments(w, &old, &s->factors, group, scratch);
    compose(w, s, g);
  }
  s->in_ab = true;
done:
  free(work);
  return status;
}

/* Averages `n` values of the groups in [first, last), weighed by their ranks, which go to all groups. */
static void average(rh_world *w, ab_state *s, int64_t n, int32_t first, int32_t last, float *(*of)(const ab_group *g))
{
  double sum = 0, *weight = s->weight + s->group_count; /* scratch beside the shares themselves */
  for (int32_t g = first; g < last; g++)
    sum += s->weight[g];
  for (int32_t g = first; g < last; g++) {
    weight[g - first] = s->weight[g] / sum;
    s->rows[g - first] = of(&s->groups[g]);
  }
  def_of(w)->backend->weighted_sum(n, last - first, weight, s->rows, s->factor_grads);
  for (int32_t g = 0; g < s->group_count; g++)
    memcpy(of(&s->groups[g]), s->factor_grads, (size_t)n * sizeof(float));
}

static float *a_of(const ab_group *g)
{
  return g->a;
}

static float *b_of(const ab_group *g)
{
  return g->b;
}

/* Whole parameter rows; what is not wanted of it is overwritten by ab_leave. */
static void average_parameters(rh_world *w, ab_state *s)
{
  for (int32_t g = 0; g < s->group_count; g++)
    s->rows[g] = rh_replicas_copy(w->replicas, g);
  def_of(w)->backend->weighted_sum(w->model->stride, s->group_count, s->weight, s->rows, s->mean);
  memcpy(rh_replicas_copy(w->replicas, 0), s->mean, (size_t)w->model->stride * sizeof(float));
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
  average(w, s, s->factors.a_values, 0, stale ? all : half, a_of);
  average(w, s, s->factors.b_values, stale ? 0 : half, all, b_of);
}

void ab_leave(rh_world *w, ab_state *s)
{
  const ab_options *o = w->method_options;
  if (o->sync != AB_SYNC_FULL) compose(w, s, 0);
  broadcast_parameters(w, s);
  s->in_ab = false;
}

/* What a gradient of the trained values is multiplied with, so that they are clipped together. */
static double clip(const rh_world *w, const ab_state *s, const float *mean, int64_t n, const float *factor)
{
  double squared = rh_squared_norm(n, factor);
  for (int i = 0; i < s->span_count; i++)
    squared += rh_squared_norm(s->spans[i].count, mean + s->spans[i].offset);
  return rh_optimiser_clip(&def_of(w)->optimiser, squared);
}

static void scale(const rh_world *w, double factor, int64_t n, float *x)
{
  if (factor != 1) def_of(w)->backend->scale(n, 1, factor, (rh_tensor){x, 0}, (rh_tensor){x, 0});
}

/* A step on part of a group's parameter row. */
static void step_span(rh_world *w, int32_t group, ab_span span, const float *gradient, double lr, int64_t step)
{
  const rh_optimiser *optimiser = &def_of(w)->optimiser;
  float *moments[RH_MOMENTS_MAX];
  for (int m = 0; m < rh_optimiser_moments(optimiser); m++)
    moments[m] = rh_replicas_copy_moment(w->replicas, group, m) + span.offset;
  rh_optimiser_step(optimiser, def_of(w)->backend, span.count, rh_replicas_copy(w->replicas, group) + span.offset,
                    moments, gradient + span.offset, lr, step);
}

void ab_step_factors(rh_world *w, ab_state *s, int32_t group, int thread, int64_t t, double lr)
{
  const rh_backend *backend = def_of(w)->backend;
  const ab_group *g = &s->groups[group];
  const int64_t n = trained_values(s, g), room = rh_factors_a_room(&s->factors); /* m >= n: A's room is the larger */
  float *mean = s->mean + thread * w->model->stride, *d = s->factor_grads + thread * room;
  rh_tree_sum_end(g->sum, 1.0 / g->count, mean);
  for (int k = 0; k < s->factors.count; k++) {
    const rh_factor *f = &s->factors.list[k];
    if (g->trains_a)
      rh_factor_gradient_a(w->model, backend, f, mean, g->b, d);
    else
      rh_factor_gradient_b(w->model, backend, f, mean, g->a, d);
  }
  const double factor = clip(w, s, mean, n, d);
  scale(w, factor, n, d);
  scale(w, factor, w->model->stride, mean);
  rh_optimiser_step(&def_of(w)->optimiser, backend, n, trained(g), g->moments, d, lr, s->factor_steps);
  for (int i = 0; i < s->span_count; i++)
    step_span(w, group, s->spans[i], mean, lr, t + 1);
  compose(w, s, group);
}

void ab_step_full(rh_world *w, ab_state *s, int32_t group, int64_t t, const float *mean, double lr)
{
  int64_t from = 0; /* factored weights fill what the dense spans leave */
  for (int i = 0; i <= s->span_count; i++) {
    const ab_span dense = i < s->span_count ? s->spans[i] : (ab_span){w->model->parameters, 0};
    if (dense.offset > from) step_span(w, group, (ab_span){from, dense.offset - from}, mean, lr, s->full_steps);
    if (dense.count > 0) step_span(w, group, dense, mean, lr, t + 1);
    from = dense.offset + dense.count;
  }
}

void ab_spread(rh_world *w, ab_state *s)
{
  const size_t row_bytes = (size_t)w->model->stride * sizeof(float);
  broadcast_parameters(w, s);
  for (int32_t k = 1; k < s->group_count; k++)
    for (int m = 0; m < rh_optimiser_moments(&def_of(w)->optimiser); m++)
      memcpy(rh_replicas_copy_moment(w->replicas, k, m), rh_replicas_copy_moment(w->replicas, 0, m), row_bytes);
}
