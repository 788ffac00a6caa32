/* The values of AB-training's steps, group by group or, of rows on a device, of many groups with each operation. */
#include "method_ab.h"

static const rh_replicas_def *def_of(const rh_world *w)
{
  return rh_replicas_get_def(w->replicas);
}

static rh_tensor at(rh_tensor x, int64_t offset)
{
  return (rh_tensor){x.data + offset, x.stride};
}

static rh_tensor parameters_of(rh_world *w, int32_t group)
{
  return (rh_tensor){rh_replicas_copy(w->replicas, group), w->model->stride};
}

void ab_compose(rh_world *w, ab_state *s, ab_some some)
{
  for (int k = 0; k < s->factors.count; k++)
    rh_factor_compose(w->model, s->backend, &s->factors.list[k], some.count, ab_a(s, some.first), ab_b(s, some.first),
                      parameters_of(w, some.first));
}

/* All gradients, into the sum of all or of each rank's group; neighbours of one group together. */
rh_status ab_sum_gradients(rh_world *w, ab_state *s, int64_t t)
{
  const int32_t chunk = (int32_t)rh_replicas_chunk(w->replicas);
  rh_tree_sum_begin(s->sum);
  for (int32_t k = 0; k < s->group_count; k++)
    rh_tree_sum_begin(s->groups[k].sum);
  for (int32_t first = 0; first < w->workers; first += chunk) {
    const int32_t count = w->workers - first < chunk ? w->workers - first : chunk;
    float *g;
    rh_status status = rh_replicas_gradients(w->replicas, t, first, count, &g, s->loss + first);
    if (status != RH_OK) return status;
    for (int32_t i = 0, end; i < count; i = end) {
      const int32_t group = s->group_of[first + i];
      for (end = i + 1; end < count && (!s->in_ab || s->group_of[first + end] == group);)
        end++;
      rh_tree_sum_add_rows(s->in_ab ? s->groups[group].sum : s->sum, g + i * w->model->stride, end - i);
    }
  }
  return RH_OK;
}

typedef struct step_job {
  rh_world *world;
  ab_state *state;
  int64_t t;
  double lr;
  int32_t first;                                          /* group of item 0 */
  void (*body)(const struct step_job *job, ab_some some); /* of groups that train the same factor */
} step_job;

/* Gradients of the trained values of a group, clipped together. d [n] of the factor, mean of the rest. */
static void clip(const step_job *job, ab_some some, rh_tensor mean, int64_t n, rh_tensor d)
{
  const ab_state *s = job->state;
  const rh_optimiser *o = &def_of(job->world)->optimiser;
  const int64_t stride = job->world->model->stride;
  if (!(o->clip > 0)) return;
  if (ab_on_device(s)) {
    double *const squares = s->squares, *const more = squares + s->slots;
    s->backend->squared_distances(n, some.count, d, NULL, squares);
    for (int i = 0; i < s->span_count; i++) {
      s->backend->squared_distances(s->spans[i].count, some.count, at(mean, s->spans[i].offset), NULL, more);
      s->backend->add_doubles(some.count, more, squares);
    }
    s->backend->clip(n, some.count, o->clip, squares, d);
    s->backend->clip(stride, some.count, o->clip, squares, mean);
    return;
  }
  double squared = rh_squared_norm(n, d.data);
  for (int i = 0; i < s->span_count; i++)
    squared += rh_squared_norm(s->spans[i].count, mean.data + s->spans[i].offset);
  const double factor = rh_optimiser_clip(o, squared);
  if (factor == 1) return;
  s->backend->scale(n, 1, factor, d, d);
  s->backend->scale(stride, 1, factor, mean, mean);
}

/* A step on part of the groups' parameter rows. */
static void step_span(const step_job *job, ab_some some, ab_span span, rh_tensor gradient, int64_t step)
{
  rh_world *w = job->world;
  const rh_optimiser *optimiser = &def_of(w)->optimiser;
  rh_tensor moments[RH_MOMENTS_MAX];
  for (int m = 0; m < rh_optimiser_moments(optimiser); m++)
    moments[m] = (rh_tensor){rh_replicas_copy_moment(w->replicas, some.first, m) + span.offset, w->model->stride};
  rh_optimiser_step_rows(optimiser, job->state->backend, span.count, some.count,
                         at(parameters_of(w, some.first), span.offset), moments, at(gradient, span.offset), job->lr,
                         step);
}

/* In AB: from the sums of the groups' gradients. */
static void step_factors(const step_job *job, ab_some some)
{
  rh_world *w = job->world;
  ab_state *s = job->state;
  const rh_optimiser *optimiser = &def_of(w)->optimiser;
  const bool trains_a = s->groups[some.first].trains_a;
  const int64_t n = trains_a ? s->factors.a_values : s->factors.b_values;
  const rh_tensor mean = {s->mean + some.slot * w->model->stride, w->model->stride};
  const rh_tensor d = {s->factor_grads + some.slot * s->room, s->room};
  rh_tensor moments[RH_MOMENTS_MAX];
  for (int32_t i = 0; i < some.count; i++) {
    const ab_group *g = &s->groups[some.first + i];
    rh_tree_sum_end(g->sum, 1.0 / g->count, mean.data + i * mean.stride);
  }
  for (int k = 0; k < s->factors.count; k++)
    if (trains_a)
      rh_factor_gradient_a(w->model, s->backend, &s->factors.list[k], some.count, mean, ab_b(s, some.first), d);
    else
      rh_factor_gradient_b(w->model, s->backend, &s->factors.list[k], some.count, mean, ab_a(s, some.first), d);
  clip(job, some, mean, n, d);
  for (int m = 0; m < rh_optimiser_moments(optimiser); m++)
    moments[m] = ab_moment(s, some.first, m);
  rh_optimiser_step_rows(optimiser, s->backend, n, some.count, trains_a ? ab_a(s, some.first) : ab_b(s, some.first),
                         moments, d, job->lr, s->factor_steps);
  for (int i = 0; i < s->span_count; i++)
    step_span(job, some, s->spans[i], mean, job->t + 1);
  ab_compose(w, s, some);
}

/* In FULL, groups being apart, from the mean of all gradients. */
static void step_full(const step_job *job, ab_some some)
{
  const ab_state *s = job->state;
  const rh_tensor mean = {s->mean, 0};
  int64_t from = 0; /* factored weights fill what the dense spans leave */
  for (int i = 0; i <= s->span_count; i++) {
    const ab_span dense = i < s->span_count ? s->spans[i] : (ab_span){job->world->model->parameters, 0};
    if (dense.offset > from) step_span(job, some, (ab_span){from, dense.offset - from}, mean, s->full_steps);
    if (dense.count > 0) step_span(job, some, dense, mean, job->t + 1);
    from = dense.offset + dense.count;
  }
}

/* Item: a group. */
static bool step_one(void *context, int64_t item, int thread)
{
  const step_job *job = context;
  job->body(job, (ab_some){job->first + (int32_t)item, 1, thread});
  return true;
}

/* Groups first .. last - 1, who train the same factor. */
static void step_groups(step_job *job, int32_t first, int32_t last)
{
  const ab_state *s = job->state;
  job->first = first;
  if (!ab_on_device(s)) {
    s->backend->parallel(last - first, def_of(job->world)->threads, step_one, job);
    return;
  }
  for (int32_t group = first; group < last; group += s->slots)
    job->body(job, (ab_some){group, last - group < s->slots ? last - group : s->slots, 0});
}

/* Of the mean of all gradients. */
static void clip_mean(const rh_world *w, const ab_state *s)
{
  const rh_optimiser *o = &def_of(w)->optimiser;
  const int64_t stride = w->model->stride;
  const rh_tensor mean = {s->mean, 0};
  if (!(o->clip > 0)) return;
  if (ab_on_device(s)) {
    s->backend->squared_distances(stride, 1, mean, NULL, s->squares);
    s->backend->clip(stride, 1, o->clip, s->squares, mean);
    return;
  }
  const double factor = rh_optimiser_clip(o, rh_squared_norm(stride, s->mean));
  if (factor != 1) s->backend->scale(stride, 1, factor, mean, mean);
}

void ab_step(rh_world *w, ab_state *s, int64_t t, double lr)
{
  step_job job = {.world = w, .state = s, .t = t, .lr = lr, .body = s->in_ab ? step_factors : step_full};
  int32_t a_groups = 0;
  while (a_groups < s->group_count && s->groups[a_groups].trains_a)
    a_groups++;
  if (s->in_ab) {
    s->factor_steps++;
  } else {
    s->full_steps++;
    rh_tree_sum_end(s->sum, 1.0 / w->workers, s->mean);
    if (!s->apart) {
      rh_replicas_step(w->replicas, 0, 1, s->mean, lr, t);
      return;
    }
    clip_mean(w, s);
  }
  step_groups(&job, 0, a_groups);
  step_groups(&job, a_groups, s->group_count);
}
