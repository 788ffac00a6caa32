/* The time of AB-training's rounds.
 *
 * Compute lane          FULL: forward, backward, update. AB: weights out of factors, forward, backward, gradients of
 *                       the trained factor, update of what is trained; when AB is entered: the SVD
 * Communication lane    FULL: an all-reduce over all ranks; AB: one in each group. At a phase change: the averages that
 *                       the mode asks for, then what papers leave out: rank indices, parameters broadcast, a barrier
 *
 * All gradients travel in one message when the backward pass is done: nothing overlaps, as in `allreduce` with one
 * bucket. Models here have no batch normalisation, so there is none to synchronise.
 */
#include "collectives.h"
#include "method_ab.h"

enum { VALUE_BYTES = 4, INDEX_BYTES = 8 };

/* All ranks of a group, or of all (NULL), add `values` values; each starts when its lanes are done. */
static void append_sum(rh_world *w, ab_state *s, const ab_group *g, int64_t values)
{
  const rh_collective c =
      rh_world_allreduce(w, g ? g->ranks : NULL, g ? g->count : w->workers, VALUE_BYTES * values, VALUE_BYTES);
  for (int32_t p = 0; p < c.size; p++)
    s->after[p] = rh_schedule_last(w->schedule, rh_collective_rank(&c, p), RH_LANE_COMPUTE);
  if (c.size > 1) rh_schedule_collective(w->schedule, &c, s->after);
}

static void append_all(rh_world *w, ab_state *s, const rh_collective_kind *kind, int64_t bytes, int64_t element_bytes)
{
  const rh_collective c = {.kind = kind, .size = w->workers, .bytes = bytes, .element_bytes = element_bytes};
  for (int32_t i = 0; i < w->workers; i++)
    s->after[i] = rh_schedule_last(w->schedule, i, RH_LANE_COMPUTE);
  if (w->workers > 1) rh_schedule_collective(w->schedule, &c, s->after);
}

/* What a phase change costs whatever the mode: everybody takes rank 0's parameters and waits for all. */
static void append_broadcast(rh_world *w, ab_state *s, int64_t values)
{
  append_all(w, s, &rh_broadcast_binomial, VALUE_BYTES * values, VALUE_BYTES);
  append_all(w, s, &rh_barrier_dissemination, 0, 1);
}

/* Position 0 of `ranks` sends to all others of them. */
static void append_factor(rh_world *w, const int32_t *ranks, int64_t values)
{
  const rh_collective c = {.kind = &rh_broadcast_binomial,
                           .size = w->workers,
                           .group = ranks,
                           .bytes = VALUE_BYTES * values,
                           .element_bytes = VALUE_BYTES};
  rh_schedule_collective(w->schedule, &c, NULL);
}

/* Each factor is averaged where it was learned, then everybody gets both. */
static void append_only_learned(rh_world *w, ab_state *s)
{
  const rh_factors *f = &s->factors;
  int32_t *a_first = s->order, *b_first = s->order + s->a_ranks;
  const ab_group a = {.count = s->a_ranks, .ranks = a_first};
  const ab_group b = {.count = w->workers - s->a_ranks, .ranks = b_first};
  append_sum(w, s, NULL, f->dense_values);
  append_sum(w, s, &a, f->a_values);
  append_sum(w, s, &b, f->b_values);
  append_factor(w, a_first, f->a_values);
  append_factor(w, b_first, f->b_values);
}

void ab_append_synchronise(rh_world *w, ab_state *s)
{
  const rh_factors *f = &s->factors;
  const ab_options *o = w->method_options;
  switch (o->sync) {
  case AB_SYNC_WITH_STALE:
    append_sum(w, s, NULL, f->a_values + f->b_values + f->dense_values);
    break;
  case AB_SYNC_ONLY_LEARNED:
    append_only_learned(w, s);
    break;
  case AB_SYNC_FULL:
    append_sum(w, s, NULL, w->model->parameters);
    break;
  case AB_SYNC_ONLY_B:
    break; /* one group: nothing to average */
  default:
    RH_ASSERT(!"no such mode");
  }
}

/* Share of the products' time at full rank: they cost 2 m r n. */
static double product_share(const ab_state *s)
{
  double now = 0, full = 0;
  for (int k = 0; k < s->factors.count; k++) {
    const rh_factor *f = &s->factors.list[k];
    now += (double)f->m * (double)f->rank * (double)f->n;
    full += (double)f->m * (double)f->n * (double)f->n;
  }
  return now / full;
}

void ab_append_leave(rh_world *w, ab_state *s)
{
  for (int32_t i = 0; i < w->workers; i++)
    rh_schedule_compute(w->schedule, i, rh_world_seconds(w, i)->compose_s * product_share(s), "compose",
                        rh_schedule_last(w->schedule, i, RH_LANE_COMMUNICATION));
  append_broadcast(w, s, w->model->parameters);
}

void ab_append_enter(rh_world *w, ab_state *s, bool cut)
{
  for (int32_t i = 0; i < w->workers; i++)
    rh_schedule_compute(w->schedule, i, rh_world_seconds(w, i)->split_s, "factorise",
                        rh_schedule_last(w->schedule, i, RH_LANE_COMMUNICATION));
  for (int k = 0; cut && k < s->factors.count; k++)
    append_all(w, s, &rh_allreduce_doubling, INDEX_BYTES, INDEX_BYTES);
  append_broadcast(w, s, s->factors.a_values + s->factors.b_values + s->factors.dense_values);
}

void ab_append_step(rh_world *w, ab_state *s)
{
  const double product = s->in_ab ? product_share(s) : 0;
  for (int32_t i = 0; i < w->workers; i++) {
    const rh_step_seconds *sec = rh_world_seconds(w, i);
    rh_schedule_compute(w->schedule, i,
                        sec->forward_s + sec->backward_total_s + (sec->compose_s + sec->project_s) * product,
                        "gradient", rh_schedule_last(w->schedule, i, RH_LANE_COMMUNICATION));
  }
  if (!s->in_ab) append_sum(w, s, NULL, w->model->parameters);
  for (int32_t k = 0; s->in_ab && k < s->group_count; k++) {
    const ab_group *g = &s->groups[k];
    append_sum(w, s, g, (g->trains_a ? s->factors.a_values : s->factors.b_values) + s->factors.dense_values);
  }
  for (int32_t i = 0; i < w->workers; i++) {
    const bool a = s->groups[s->group_of[i]].trains_a;
    const int64_t values = (a ? s->factors.a_values : s->factors.b_values) + s->factors.dense_values;
    const double share = s->in_ab ? (double)values / (double)w->model->parameters : 1;
    rh_schedule_compute(w->schedule, i, rh_world_seconds(w, i)->update_s * share, "update",
                        rh_schedule_last(w->schedule, i, RH_LANE_COMMUNICATION));
  }
}
