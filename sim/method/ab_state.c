/* What AB-training keeps: groups of ranks, their factors and moments where the replicas' rows live, sums of
 * gradients. */
#include <inttypes.h>
#include <stdlib.h>

#include "method_ab.h"

enum { DEVICE_SLOTS = 64 }; /* groups that a device steps at once: enough to keep it busy, and little beside the rows */

void ab_free_state(void *opaque)
{
  ab_state *s = opaque;
  if (!s) return;
  for (int32_t k = 0; s->groups && k < s->group_count; k++) {
    free(s->groups[k].ranks);
    rh_tree_sum_free(s->groups[k].sum);
  }
  void *const rows[] = {s->a, s->b, s->moments[0], s->moments[1], s->mean, s->factor_grads, s->squares, s->entering};
  for (size_t i = 0; s->backend && i < RH_COUNT(rows); i++)
    s->backend->release(rows[i]);
  free(s->groups);
  free(s->group_of);
  free(s->order);
  free(s->weight);
  free(s->rows);
  free(s->singular);
  rh_tree_sum_free(s->sum);
  free(s->loss);
  free(s->after);
  free(s);
}

/* Which group each rank is in, and the groups' shares. */
static void assign_groups(const rh_world *w, ab_state *s)
{
  const ab_options *o = w->method_options;
  for (int32_t i = 0; i < w->workers; i++) {
    int32_t k = 0;
    if (o->sync != AB_SYNC_ONLY_B) k = o->groups == AB_GROUPS_ZONES ? w->zone_of[i] : (int32_t)(i / o->group_size);
    ab_group *g = &s->groups[k];
    s->group_of[i] = k;
    g->ranks[g->count++] = i;
  }
  int32_t *order = s->order;
  for (int part = 0; part < 3; part++) /* A's ranks, B's, A's */
    for (int32_t k = 0; k < s->group_count; k++)
      for (int32_t p = 0; s->groups[k].trains_a == (part != 1) && p < s->groups[k].count; p++)
        *order++ = s->groups[k].ranks[p];
  for (int32_t k = 0; k < s->group_count; k++) {
    s->weight[k] = (double)s->groups[k].count / w->workers;
    if (s->groups[k].trains_a) s->a_ranks += s->groups[k].count;
  }
}

/* What stays dense, as runs of values. */
static void plan_spans(const rh_model *model, ab_state *s)
{
  for (int segment = 0, k = 0; segment < model->segment_count; segment++) {
    const rh_segment *part = &model->segments[segment];
    if (k < s->factors.count && s->factors.list[k].segment == segment) {
      s->rank_names[k++] = part->name;
      continue;
    }
    ab_span *last = s->span_count ? &s->spans[s->span_count - 1] : NULL;
    if (last && last->offset + last->count == part->offset)
      last->count += part->count;
    else
      s->spans[s->span_count++] = (ab_span){part->offset, part->count};
  }
}

/* Columns of the widest weight: its singular values. */
static int64_t most_columns(const rh_factors *factors)
{
  int64_t n = 0;
  for (int k = 0; k < factors->count; k++)
    if (factors->list[k].n > n) n = factors->list[k].n;
  return n;
}

/* Full A, full B, singular values of one weight and how its split ended. */
static int64_t entering_values(const rh_factors *factors)
{
  return rh_factors_a_room(factors) + rh_factors_b_room(factors) + most_columns(factors) + 1;
}

/* What the weights' splits will need. */
static bool prepare_splits(const ab_state *s)
{
  for (int k = 0; s->backend->prepare_split && k < s->factors.count; k++) {
    const rh_factor *f = &s->factors.list[k];
    if (!s->backend->prepare_split(&(rh_svd){f->m, f->n, f->transposed})) return false;
  }
  return true;
}

/* Rows where the replicas' rows live. */
static bool allocate_rows(const rh_world *w, ab_state *s)
{
  const rh_replicas_def *def = rh_replicas_get_def(w->replicas);
  const size_t value = sizeof(float), factors = (size_t)(s->group_count * s->room) * value;
  s->slots = def->threads;
  if (ab_on_device(s)) s->slots = s->group_count < DEVICE_SLOTS ? s->group_count : DEVICE_SLOTS;
  const size_t slots = (size_t)s->slots;
  s->a = s->backend->alloc(factors);
  s->b = s->backend->alloc(factors);
  s->mean = s->backend->alloc(slots * (size_t)w->model->stride * value);
  s->factor_grads = s->backend->alloc(slots * (size_t)s->room * value);
  s->entering = s->backend->alloc((size_t)entering_values(&s->factors) * value);
  if (ab_on_device(s) && !(s->squares = s->backend->alloc(2 * slots * sizeof *s->squares))) return false;
  bool there = s->a && s->b && s->mean && s->factor_grads && s->entering;
  for (int m = 0; m < rh_optimiser_moments(&def->optimiser); m++)
    there = (s->moments[m] = s->backend->alloc(factors)) && there;
  return there;
}

static bool allocate(const rh_world *w, ab_state *s)
{
  const size_t workers = (size_t)w->workers, groups = (size_t)s->group_count;
  s->groups = calloc(groups, sizeof *s->groups);
  s->group_of = calloc(workers, sizeof *s->group_of);
  s->order = calloc(2 * workers, sizeof *s->order);
  s->weight = calloc(2 * groups, sizeof *s->weight);
  s->rows = calloc(groups, sizeof *s->rows);
  s->singular = calloc((size_t)most_columns(&s->factors) + 1, sizeof *s->singular);
  s->loss = calloc(workers, sizeof *s->loss);
  s->after = calloc(workers, sizeof *s->after);
  if (!s->groups || !s->group_of || !s->order || !s->weight || !s->rows || !s->singular || !s->loss || !s->after)
    return false;
  const ab_options *o = w->method_options;
  for (int32_t k = 0; k < s->group_count; k++) {
    s->groups[k].trains_a = o->sync != AB_SYNC_ONLY_B && k < s->group_count / 2;
    s->groups[k].ranks = calloc(workers, sizeof *s->groups[k].ranks);
    if (!s->groups[k].ranks) return false;
  }
  return allocate_rows(w, s) && prepare_splits(s);
}

/* Trees with room for the rows that come. */
static rh_status new_sums(const rh_world *w, ab_state *s)
{
  rh_status status = rh_tree_sum_new_of(s->backend, w->model->stride, w->workers, &s->sum);
  for (int32_t k = 0; status == RH_OK && k < s->group_count; k++)
    status = rh_tree_sum_new_of(s->backend, w->model->stride, s->groups[k].count, &s->groups[k].sum);
  return status;
}

rh_status ab_new_state(rh_world *w, const rh_ab_periods *periods, int64_t ramp, int32_t groups, ab_state **state)
{
  rh_status status = RH_OK;
  const ab_options *o = w->method_options;
  ab_state *s = calloc(1, sizeof *s);
  *state = NULL;
  if (!s) return rh_error(RH_ENOMEM, "no memory for the groups of %" PRId32 " workers", w->workers);
  rh_factors_plan(w->model, o->dense_ends, &s->factors);
  plan_spans(w->model, s);
  s->periods = *periods;
  s->ramp = ramp;
  s->ramp_start = -1;
  s->group_count = groups;
  s->backend = rh_replicas_get_def(w->replicas)->backend;
  s->room = rh_factors_a_room(&s->factors);
  if (!allocate(w, s)) {
    RH_TRY(rh_backend_check(s->backend)); /* what the device says, if it failed */
    status =
        rh_error(RH_ENOMEM,
                 "no memory for the factors of model %s in %" PRId32 " groups; take fewer, larger groups, or fewer "
                 "workers",
                 w->model->name, groups);
    goto done;
  }
  assign_groups(w, s);
  RH_TRY(new_sums(w, s));
  rh_replicas_share(w->replicas, 1, NULL);
  *state = s;
done:
  if (status != RH_OK) ab_free_state(s);
  return status;
}

void ab_parts(void *opaque, const rh_parts *p)
{
  ab_state *s = opaque;
  const size_t rows = (size_t)(s->group_count * s->room) * sizeof(float);
  int64_t ranks[RH_SEGMENTS_MAX] = {0};
  for (int k = 0; k < s->factors.count; k++)
    ranks[k] = s->factors.list[k].rank;
  rh_part(p, "ranks", ranks, (size_t)s->factors.count * sizeof *ranks);
  for (int k = 0; k < s->factors.count; k++) /* whatever was read */
    if (ranks[k] < 1 || ranks[k] > s->factors.list[k].n) ranks[k] = s->factors.list[k].n;
  rh_factors_set_ranks(&s->factors, ranks);
  rh_replicas_arena_part(s->backend, p, "a", s->a, rows);
  rh_replicas_arena_part(s->backend, p, "b", s->b, rows);
  for (int m = 0; m < RH_MOMENTS_MAX; m++)
    rh_replicas_arena_part(s->backend, p, "moment", s->moments[m], rows);
  rh_part(p, "in_ab", &s->in_ab, sizeof s->in_ab);
  rh_part(p, "apart", &s->apart, sizeof s->apart);
  rh_part(p, "diverged", &s->diverged, sizeof s->diverged);
  rh_part(p, "full_steps", &s->full_steps, sizeof s->full_steps);
  rh_part(p, "factor_steps", &s->factor_steps, sizeof s->factor_steps);
  rh_part(p, "ramp_start", &s->ramp_start, sizeof s->ramp_start);
  rh_part(p, "ramp_lr", &s->ramp_lr, sizeof s->ramp_lr);
}

int64_t ab_state_bytes(const rh_sizes *z)
{
  const ab_options *o = z->method_options;
  rh_factors f;
  rh_factors_plan(z->model, o->dense_ends, &f);
  const int64_t value = (int64_t)sizeof(float), row = z->model->stride * value;
  const int64_t room = rh_factors_a_room(&f) * value;
  int64_t sums = 2;
  for (int64_t n = z->workers / z->copies; n > 1; n /= 2)
    sums++;
  const int64_t group = (2 + z->moments) * room + sums * row;
  const int64_t entering = (entering_values(&f) + rh_factors_split_values(&f)) * value;
  const int64_t at_once = z->threads < z->copies ? z->threads : z->copies;
  return z->copies * group + at_once * (row + room) + entering + 32 * (int64_t)z->workers;
}
