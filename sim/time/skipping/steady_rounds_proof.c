/* Whether rounds repeat. See steady_rounds.h. */
#include <math.h>

#include "schedule_private.h"

/* Rounds that must have matched where messages may share links and make roundings grow (steady.h); in an all-to-all on
 * an oversubscribed fat-tree that was slow enough to agree for several rounds. */
enum { MATCHES_SHARING = 12 };

static int32_t lanes_of(const rh_schedule *schedule)
{
  return 2 * schedule->workers;
}

static bool is_known(const rounds *r, int64_t round)
{
  return round >= r->valid_from && rounds_log(r, round)->round == round;
}

static double first_start_s(const round_log *log, int32_t lanes)
{
  for (int32_t i = 0; i < lanes; i++)
    if (log->lanes[i].count > 0) return log->lanes[i].list[0].start_s;
  return NAN;
}

static bool equal_lanes(const lane_log *now, const lane_log *before, double span_s)
{
  if (now->count != before->count) return false;
  for (int32_t i = 0; i < now->count; i++) {
    const round_record *a = &now->list[i], *b = &before->list[i];
    const double differ_s = steady_tolerance_s(span_s, a->finish_s);
    if (!(fabs(a->start_s - b->start_s - span_s) <= differ_s)) return false;
    if (!(fabs(a->finish_s - b->finish_s - span_s) <= differ_s)) return false;
  }
  return true;
}

/* Has one round done everything span_s after the other? */
static bool equal_rounds(const rh_schedule *schedule, const round_log *now, const round_log *before, double *span_s)
{
  const int32_t lanes = lanes_of(schedule);
  if (now->hash != before->hash || now->lanes == NULL || before->lanes == NULL) return false;
  *span_s = first_start_s(now, lanes) - first_start_s(before, lanes);
  if (!(*span_s > 0)) return false;
  for (int32_t i = 0; i < lanes; i++)
    if (!equal_lanes(&now->lanes[i], &before->lanes[i], *span_s)) return false;
  return true;
}

void rounds_compare(rh_schedule *schedule, int64_t round)
{
  rounds *r = &schedule->rounds;
  bool alike = false, repeated = false;
  bool found = false; /* once a period has held for long its multiples are of no use, and cost time */
  for (int32_t p = 1; p <= r->periods; p++) {
    int64_t *since = &r->since[p - 1];
    const round_log *now = rounds_log(r, round), *before = round >= p ? rounds_log(r, round - p) : NULL;
    double span_s;
    const bool known = !found && before != NULL && is_known(r, round - p);
    alike = alike || (known && now->hash == before->hash);
    if (!known || !equal_rounds(schedule, now, before, &span_s)) {
      *since = round + 1;
      continue;
    }
    repeated = true;
    if (*since == round || fabs(span_s - r->span_s[p - 1]) > steady_tolerance_s(span_s, now->finish_s)) {
      *since = round;
      r->span_s[p - 1] = span_s;
    }
    found = found || *since < round - STEADY_PERIODS;
  }
  r->alike += alike;
  r->repeated += repeated;
}

/* Are the operations of the rounds under way those of p rounds before? */
static bool goes_on(const rh_schedule *schedule, int64_t round, int32_t p)
{
  const rounds *r = &schedule->rounds;
  for (int64_t t = round + 1; t < schedule->produced; t++)
    if (!is_known(r, t) || !is_known(r, t - p) || rounds_log(r, t)->hash != rounds_log(r, t - p)->hash) return false;
  return true;
}

static const lane_log *lane_of_log(const rounds *r, int64_t round, int32_t lane)
{
  static const lane_log nothing;
  const round_log *log = rounds_log(r, round);
  return log->lanes != NULL ? &log->lanes[lane] : &nothing;
}

/* The last time up to which everything that a lane did is in the logs up to `round`; INFINITY: it never
 * does anything. */
static double lane_until_s(const rounds *r, int32_t lane, int64_t round, int32_t p)
{
  for (int64_t t = round; t > round - p; t--) {
    const lane_log *log = lane_of_log(r, t, lane);
    if (log->count > 0) return log->list[log->count - 1].finish_s;
  }
  return INFINITY;
}

/* Is what the lane has under way at until_s in rounds begin .. round, and begun after from_s? */
static bool begun_within(const rounds *r, int32_t lane, int64_t begin, int64_t round, double from_s, double until_s)
{
  for (int64_t t = round; t >= begin; t--) {
    const lane_log *log = lane_of_log(r, t, lane);
    for (int32_t i = log->count - 1; i >= 0; i--)
      if (log->list[i].start_s <= until_s) return log->list[i].finish_s <= until_s || log->list[i].start_s >= from_s;
  }
  return false;
}

/* Seconds of a period, over all lanes and as many periods as are remembered. */
static double mean_span_s(const rh_schedule *schedule, int64_t round, int64_t begin, int32_t p)
{
  const rounds *r = &schedule->rounds;
  const int64_t periods = (round - begin) / p + 1;
  double sum_s = 0;
  int64_t count = 0;
  for (int32_t i = 0; i < lanes_of(schedule); i++) {
    const lane_log *now = &rounds_log(r, round)->lanes[i], *before = &rounds_log(r, round - periods * p)->lanes[i];
    if (now->count == 0) continue;
    sum_s += (now->list[0].start_s - before->list[0].start_s) / (double)periods;
    count++;
  }
  return sum_s / (double)count;
}

static int64_t matches_needed(const rounds *r, int64_t round, int32_t p)
{
  for (int64_t t = round; t > round - p; t--)
    if (rounds_log(r, t)->shares) return MATCHES_SHARING;
  return ROUNDS_MATCHES;
}

bool rounds_proven(const rh_schedule *schedule, int64_t round, int32_t p, int64_t matches, double *from_s,
                   double *span_s)
{
  const rounds *r = &schedule->rounds;
  int64_t begin = r->since[p - 1];
  if (matches == 0) matches = matches_needed(r, round, p);
  if (round - begin + 1 < matches || !goes_on(schedule, round, p)) return false;
  while (!is_known(r, begin - p) || begin < round - r->periods)
    begin++;
  if (begin > round - ROUNDS_MATCHES + 1) return false;
  const double about_s = r->span_s[p - 1];
  *from_s = rounds_log(r, begin)->finish_s;
  /* rounds before `begin` had finished by A, and those p earlier by A - T */
  if (rounds_log(r, begin - p)->finish_s > *from_s - about_s + steady_tolerance_s(about_s, *from_s)) return false;
  double until_s = INFINITY;
  for (int32_t i = 0; i < lanes_of(schedule); i++)
    until_s = fmin(until_s, lane_until_s(r, i, round, p));
  if (until_s < *from_s) return false;
  for (int32_t i = 0; i < lanes_of(schedule); i++)
    if (lane_until_s(r, i, round, p) < INFINITY && !begun_within(r, i, begin + 1 - p, round, *from_s, until_s))
      return false;
  *span_s = mean_span_s(schedule, round, begin, p);
  return true;
}
