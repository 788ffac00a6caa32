/* (c) of lone.h: whether the transfers of a collective can be calculated as a fluid here, and doing it. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fluid_account.h"
#include "schedule_private.h"

/* Of the time that has passed, thousandfold less than what may differ in the end: by so much times may move when
 * transfers take longer by roundings of the clock, up to so many each. */
#define STEADFAST 1e-12
#define ROUNDINGS 4
#define LEAST_S   0.1 /* of a clock that begins with this collective */

/* A collective that has gone on like this for so many marks, with both roundings, goes on without the other ones: in so
 * many steps roundings that grow by a tenth a step would have shown. */
enum { SETTLED_MARKS = 3 };

/* When the first transfer after the collective can begin, of this rank. It was ready with it at ready_s, and computes
 * first what waits for it, on the fastest host at best. INFINITY: nothing will come, or nothing that is not produced
 * after all ranks were ready. */
static double follows_s(const rh_schedule *schedule, int32_t rank, double ready_s)
{
  const lane *lane = &schedule->lanes[2 * rank + 1], *compute = lane - 1;
  const int64_t place = lane->done;
  if (place + 1 == lane->appended) {
    const operation *mine = lane_current(lane);
    const bool waits =
        schedule->delivered == mine->round && schedule->produced - schedule->delivered > schedule->def.lead;
    return !schedule->more || waits ? INFINITY : ready_s;
  }
  const rh_token after = lane->queue[(place + 1) & (lane->size - 1)].after;
  if (token_lane(after) != RH_LANE_COMPUTE) return ready_s;
  double seconds = 0;
  bool waits = false;
  for (int64_t i = compute->done; i < token_number(after); i++) {
    const operation *o = &compute->queue[i & (compute->size - 1)];
    waits = waits || (token_lane(o->after) == RH_LANE_COMMUNICATION && token_number(o->after) == place + 1);
    if (waits) seconds += o->seconds;
  }
  return ready_s + seconds;
}

/* Is everybody ready before anybody sends something else? */
static bool is_apart(const rh_schedule *schedule, const rh_collective *c, const double *ready_s, double base_s)
{
  double follow_s = INFINITY;
  for (int32_t p = 0; p < c->size; p++)
    follow_s = fmin(follow_s, follows_s(schedule, rh_collective_rank(c, p), ready_s[p]));
  const double latest_s = lone_latest_s(ready_s, c->size);
  return follow_s >= latest_s - steady_tolerance_s(latest_s, base_s);
}

/* Do positions come to the mark when they did with other roundings? */
static bool is_steadfast(const lone *lone, const double *at_s, const double *rounded_s, int32_t N, double most_s)
{
  double moved_s = 0;
  for (int32_t p = 0; p < N; p++)
    moved_s = fmax(moved_s, fabs(at_s[p] - rounded_s[p]));
  return moved_s <= STEADFAST * (lone_latest_s(at_s, N) - lone_earliest_s(lone->enter_s, N)) + most_s;
}

/* Did everybody take the same time from one mark to the other? */
static bool is_settled(const double *at_s, const double *before_s, int32_t N)
{
  const double span_s = at_s[0] - before_s[0];
  for (int32_t p = 1; p < N; p++)
    if (!(fabs(at_s[p] - before_s[p] - span_s) <= STEADFAST * span_s)) return false;
  return true;
}

/* To the end, together with one with other roundings, until both have settled for long; false: it does not hold. Where
 * transfers have links for themselves roundings stay what they are (lone.h). */
static bool flow_together(fluid *flow, fluid *rounded, const fluid_def *def, lone *lone)
{
  const int32_t N = def->collective->size;
  const int64_t last = fluid_marks(flow) - 1;
  const double *before_s = fluid_until(flow, 0);
  int64_t settled = 0; /* marks */
  for (int64_t mark = 1; mark <= last; mark++) {
    const double *at_s = fluid_until(flow, mark);
    if (fluid_doubtful(flow)) return false;
    if (rounded != NULL &&
        !is_steadfast(lone, at_s, fluid_until(rounded, mark), N, (double)(mark * FLUID_MARK) * def->rounding_s)) {
      lone->restless = true;
      return false;
    }
    settled = is_settled(at_s, before_s, N) ? settled + 1 : 0;
    if (settled == SETTLED_MARKS) rounded = NULL;
    before_s = at_s;
  }
  memcpy(lone->ready_s, before_s, (size_t)N * sizeof *before_s);
  return true;
}

bool lone_flow(rh_schedule *schedule, use *use)
{
  lone *lone = &use->lone;
  const rh_collective *c = &use->collective;
  fluid_account *account = fluid_account_new(c, rh_platform_link_count(schedule->def.platform));
  const fluid_def def = {.collective = c,
                         .platform = schedule->def.platform,
                         .eager = schedule->def.protocol == RH_PROTOCOL_EAGER,
                         .enter_s = lone->enter_s,
                         .visit = fluid_account_note,
                         .context = account};
  fluid_def rounded = def;
  rounded.visit = NULL;
  rounded.rounding_s = ROUNDINGS * DBL_EPSILON * fmax(lone->base_s, LEAST_S);
  fluid *flow = fluid_new(&def), *other = lone->owned ? NULL : fluid_new(&rounded);
  const bool holds = flow_together(flow, other, &rounded, lone) && is_apart(schedule, c, lone->ready_s, lone->base_s);
  if (holds) {
    fluid_account_book(account, schedule, use, lone->base_s + schedule->skipped_s);
    if (!lone->owned) rounds_share(schedule, use->round);
  }
  fluid_free(flow);
  fluid_free(other);
  fluid_account_free(account);
  return holds;
}
