/* The recursion over a collective's steps. See lone.h. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lone.h"
#include "status.h"
#include "steady_rounds.h"

enum { LOOK_EVERY = 8 }; /* steps: looking whether it has settled costs as much as a step */

void lone_times_init(lone_times *times, const rh_collective *c, bool eager)
{
  const size_t N = (size_t)c->size;
  *times = (lone_times){.c = c, .eager = eager};
  double *block = malloc(7 * N * sizeof *block);
  lone_stretch *s = &times->stretch;
  s->to = malloc(2 * N * sizeof *s->to);
  s->bytes = malloc(N * sizeof *s->bytes);
  s->routes = malloc(N * sizeof *s->routes);
  RH_ASSERT(block != NULL && s->to != NULL && s->bytes != NULL && s->routes != NULL);
  times->block = times->ready_s = block;
  times->start_s = block + N;
  times->finish_s = block + 2 * N;
  times->last_s = block + 3 * N;
  times->before_s = block + 4 * N;
  s->seconds = block + 5 * N;
  s->flow_s = block + 6 * N;
  s->from = s->to + N;
  memset(block, 0, 7 * N * sizeof *block);
}

void lone_times_clear(lone_times *times)
{
  free(times->block);
  free(times->stretch.to);
  free(times->stretch.bytes);
  free(times->stretch.routes);
  *times = (lone_times){0};
}

/* A position's part of the step: whom it sends to, and that it hears at most one. */
static bool part_of_step(lone_stretch *s, rh_platform *platform, const rh_collective *c, int32_t p)
{
  rh_step step = {0};
  c->kind->step(c, p, s->first, &step);
  if (step.send_count > 1 || step.receive_count > 1) return false;
  s->from[p] = step.receive_count > 0 ? step.receive_from[0] : p;
  s->to[p] = step.send_count > 0 ? step.send_to[0] : p;
  s->seconds[p] = s->flow_s[p] = 0;
  s->bytes[p] = 0;
  s->routes[p] = NULL;
  if (s->to[p] == p) return true;
  s->bytes[p] = step.send_bytes;
  const int32_t from = rh_collective_rank(c, p), to = rh_collective_rank(c, s->to[p]);
  double latency_s;
  if (rh_platform_route(platform, from, to, &s->routes[p]) != RH_OK ||
      !rh_platform_lone_seconds(platform, s->routes[p], step.send_bytes, &latency_s, &s->flow_s[p]))
    return false;
  s->seconds[p] = latency_s + s->flow_s[p];
  return true;
}

bool lone_stretch_at(lone_times *times, rh_platform *platform, int64_t k)
{
  const rh_collective *c = times->c;
  lone_stretch *s = &times->stretch;
  s->first = k;
  s->end = c->kind->same_until != NULL ? c->kind->same_until(c, k) : k + 1;
  for (int32_t p = 0; p < c->size; p++)
    if (!part_of_step(s, platform, c, p)) return false;
  for (int32_t p = 0; p < c->size; p++) /* what one sends in a step the other hears in the same one */
    if (s->from[s->to[p]] != p && s->to[p] != p) return false;
  for (int32_t p = 0; p < c->size; p++)
    if (s->from[p] != p && s->to[s->from[p]] != p) return false;
  return true;
}

/* S and F of a step, and the next R; the present one becomes last_s. */
static void one_step(lone_times *t)
{
  const int32_t N = t->c->size;
  const lone_stretch *s = &t->stretch;
  double *next = t->last_s;
  t->last_s = t->ready_s;
  t->ready_s = next;
  const double *ready = t->last_s;
  for (int32_t p = 0; p < N; p++) {
    const double other_s = ready[t->eager ? p : s->to[p]];
    t->start_s[p] = ready[p] > other_s ? ready[p] : other_s;
    t->finish_s[p] = t->start_s[p] + s->seconds[p];
  }
  for (int32_t p = 0; p < N; p++) {
    const double own_s = t->finish_s[p], heard_s = t->finish_s[s->from[p]];
    next[p] = own_s > heard_s ? own_s : heard_s;
  }
}

double lone_earliest_s(const double *seconds, int32_t N)
{
  double least_s = seconds[0];
  for (int32_t p = 1; p < N; p++)
    least_s = seconds[p] < least_s ? seconds[p] : least_s;
  return least_s;
}

double lone_latest_s(const double *seconds, int32_t N)
{
  double most_s = seconds[0];
  for (int32_t p = 1; p < N; p++)
    most_s = seconds[p] > most_s ? seconds[p] : most_s;
  return most_s;
}

/* Was the step the same for all? Then all that follow are. *span_s is its length. */
static bool is_settled(const lone_times *t, double *span_s)
{
  const int32_t N = t->c->size;
  const double first_s = t->ready_s[0] - t->last_s[0];
  const double differ_s = steady_tolerance_s(first_s, t->ready_s[0]);
  double sum_s = 0;
  for (int32_t p = 0; p < N; p++) {
    const double step_s = t->ready_s[p] - t->last_s[p];
    if (!(fabs(step_s - first_s) <= differ_s)) return false;
    sum_s += step_s;
  }
  *span_s = sum_s / N;
  return first_s > 0;
}

void lone_times_run(lone_times *times, int64_t until, lone_visit visit, lone_jump jump, void *context)
{
  const lone_stretch *s = &times->stretch;
  const int32_t N = times->c->size;
  int64_t left = (until < s->end ? until : s->end) - s->first, k = s->first;
  double settled_s = INFINITY; /* everything that begins after it is settled */
  while (left > 0) {
    one_step(times);
    visit(context, times, k++);
    left--;
    double span_s = 0;
    if (jump == NULL || left < 2 || (k - s->first) % LOOK_EVERY != 0 || !is_settled(times, &span_s)) continue;
    if (!times->eager) settled_s = -INFINITY; /* ranks do not run ahead of those that they hear */
    if (settled_s == INFINITY) settled_s = lone_latest_s(times->ready_s, N) + span_s;
    if (lone_earliest_s(times->last_s, N) < settled_s) continue;
    jump(context, times, span_s, left);
    for (int32_t p = 0; p < N; p++) {
      times->ready_s[p] += (double)left * span_s;
      times->last_s[p] += (double)left * span_s;
    }
    left = 0;
  }
}
