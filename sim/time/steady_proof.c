/* What was seen of each rank's steps, and whether it proves a steady state. See steady.h. */
#include <float.h>
#include <math.h>

#include "schedule_private.h"

/* Of a period's length: far below what a skipped run may differ by, since differences add up over the periods. */
#define EQUAL 1e-14
/* SimGrid adds up its clock: so many roundings lie between two times that would be equal without them. */
#define ROUNDINGS 8
double steady_tolerance_s(double span_s, double clock_s)
{
  return EQUAL * span_s + ROUNDINGS * DBL_EPSILON * clock_s;
}

static int at(int64_t step)
{
  return (int)(step & (STEADY_HISTORY - 1));
}

void steady_rank_reset(steady_rank *r)
{
  r->first = r->next = -1;
}

/* A stretch of period p goes on with step k, or begins with it. Steps below first + 1 are not looked at: the first one
 * that is recorded may have begun before the watch. */
static void match(steady_rank *r, int32_t p, int64_t k)
{
  int64_t *since = &r->since[p - 1];
  if (k - p <= r->first) {
    *since = k + 1;
    return;
  }
  const double start_s = r->start_s[at(k)] - r->start_s[at(k - p)];
  const double finish_s = r->finish_s[at(k)] - r->finish_s[at(k - p)];
  double *span_s = &r->span_s[p - 1];
  const double differ_s = steady_tolerance_s(start_s, r->finish_s[at(k)]);
  if (fabs(finish_s - start_s) > differ_s || !(start_s > 0)) {
    *since = k + 1;
  } else if (*since == k || fabs(start_s - *span_s) > differ_s) {
    *since = k;
    *span_s = start_s;
  }
}

void steady_rank_note(steady_rank *r, int64_t k, double start_s, double finish_s)
{
  if (r->next < 0) r->first = r->next = k;
  RH_ASSERT(k == r->next);
  r->start_s[at(k)] = start_s;
  r->finish_s[at(k)] = finish_s;
  r->next = k + 1;
  for (int32_t p = 1; p <= STEADY_PERIODS; p++)
    match(r, p, k);
}

/* First step of the stretch of which the start is still remembered, p steps before included. */
static int64_t stretch_begin(const steady_rank *r, int32_t p)
{
  const int64_t since = r->since[p - 1], remembered = r->next - STEADY_HISTORY + p;
  return since > remembered ? since : remembered;
}

/* Did every rank match with one span? Then *from_s is A, and *until_s the last t. */
static bool all_match(const steady *w, int32_t p, int64_t matches, double *from_s, double *until_s)
{
  const double span_s = w->ranks[0].span_s[p - 1];
  *from_s = 0;
  *until_s = INFINITY;
  for (int32_t i = 0; i < w->size; i++) {
    const steady_rank *r = &w->ranks[i];
    if (r->next < 0) return false;
    if (r->next - r->since[p - 1] < matches) return false;
    const double last_s = r->finish_s[at(r->next - 1)];
    if (fabs(r->span_s[p - 1] - span_s) > steady_tolerance_s(span_s, last_s)) return false;
    *from_s = fmax(*from_s, r->start_s[at(stretch_begin(r, p))]);
    *until_s = fmin(*until_s, last_s);
  }
  return true;
}

/* Is what the rank has under way at until_s of its stretch, and begun after from_s? */
static bool begun_within(const steady_rank *r, int32_t p, double from_s, double until_s)
{
  const int64_t begin = stretch_begin(r, p);
  int64_t k = r->next - 1;
  while (k >= begin && r->start_s[at(k)] > until_s)
    k--;
  if (k < begin) return false;
  return r->finish_s[at(k)] <= until_s || r->start_s[at(k)] >= from_s;
}

/* Seconds of a period, over all ranks and as many periods as are remembered. */
static double mean_span_s(const steady *w, int32_t p)
{
  double sum_s = 0;
  for (int32_t i = 0; i < w->size; i++) {
    const steady_rank *r = &w->ranks[i];
    const int64_t last = r->next - 1, periods = (last - stretch_begin(r, p)) / p + 1;
    sum_s += (r->start_s[at(last)] - r->start_s[at(last - periods * p)]) / (double)periods;
  }
  return sum_s / w->size;
}

bool steady_proven(const steady *w, int32_t p, int64_t matches, double *from_s, double *span_s)
{
  double until_s;
  if (!all_match(w, p, matches, from_s, &until_s)) return false;
  /* a period before A, too, the watched collective was alone */
  if (*from_s - w->ranks[0].span_s[p - 1] < w->since_s) return false;
  for (int32_t i = 0; i < w->size; i++)
    if (!begun_within(&w->ranks[i], p, *from_s, until_s)) return false;
  *span_s = mean_span_s(w, p);
  return true;
}
