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

void steady_rank_note(steady_rank *r, int64_t k, double start_s, double finish_s)
{
  if (r->next < 0) r->first = r->next = k;
  RH_ASSERT(k == r->next);
  r->start_s[at(k)] = start_s;
  r->finish_s[at(k)] = finish_s;
  r->next = k + 1;
}

/* Is step k the one p steps before, r->span_s later? */
static bool matches_at(const steady_rank *r, int32_t p, int64_t k)
{
  const double start_s = r->start_s[at(k)] - r->start_s[at(k - p)];
  const double finish_s = r->finish_s[at(k)] - r->finish_s[at(k - p)];
  const double differ_s = steady_tolerance_s(start_s, r->finish_s[at(k)]);
  return fabs(finish_s - start_s) <= differ_s && start_s > 0 && fabs(start_s - r->span_s) <= differ_s;
}

/* Finds the stretch of period p that ends with the last step, as far as it is remembered, p steps before included; has
 * it so many steps? The first step that was recorded is not looked at: it may have begun before the watch. */
static bool find_stretch(steady_rank *r, int32_t p, int64_t matches)
{
  const int64_t remembered = r->next - STEADY_HISTORY, last = r->next - 1;
  const int64_t oldest = p + (r->first + 1 > remembered ? r->first + 1 : remembered);
  if (r->next < 0 || last < oldest) return false;
  r->span_s = r->start_s[at(last)] - r->start_s[at(last - p)];
  r->begin = r->next;
  while (r->begin > oldest && matches_at(r, p, r->begin - 1))
    r->begin--;
  return r->next - r->begin >= matches;
}

/* Did every rank match with one span? Then *from_s is A, and *until_s the last t. */
static bool all_match(const steady *w, int32_t p, int64_t matches, double *from_s, double *until_s)
{
  *from_s = 0;
  *until_s = INFINITY;
  for (int32_t i = 0; i < w->size; i++) {
    steady_rank *r = &w->ranks[i];
    if (!find_stretch(r, p, matches)) return false;
    const double last_s = r->finish_s[at(r->next - 1)], span_s = w->ranks[0].span_s;
    if (fabs(r->span_s - span_s) > steady_tolerance_s(span_s, last_s)) return false;
    *from_s = fmax(*from_s, r->start_s[at(r->begin)]);
    *until_s = fmin(*until_s, last_s);
  }
  return true;
}

/* Is what the rank has under way at until_s of its stretch, and begun after from_s? */
static bool begun_within(const steady_rank *r, double from_s, double until_s)
{
  int64_t k = r->next - 1;
  while (k >= r->begin && r->start_s[at(k)] > until_s)
    k--;
  if (k < r->begin) return false;
  return r->finish_s[at(k)] <= until_s || r->start_s[at(k)] >= from_s;
}

/* Seconds of a period, over all ranks and as many periods as are remembered. */
static double mean_span_s(const steady *w, int32_t p)
{
  double sum_s = 0;
  for (int32_t i = 0; i < w->size; i++) {
    const steady_rank *r = &w->ranks[i];
    const int64_t last = r->next - 1, periods = (last - r->begin) / p + 1;
    sum_s += (r->start_s[at(last)] - r->start_s[at(last - periods * p)]) / (double)periods;
  }
  return sum_s / w->size;
}

bool steady_proven(const steady *w, int32_t p, int64_t matches, double *from_s, double *span_s)
{
  double until_s;
  if (!all_match(w, p, matches, from_s, &until_s)) return false;
  /* a period before A, too, the watched collective was alone */
  if (*from_s - w->ranks[0].span_s < w->since_s) return false;
  for (int32_t i = 0; i < w->size; i++)
    if (!begun_within(&w->ranks[i], *from_s, until_s)) return false;
  *span_s = mean_span_s(w, p);
  return true;
}
