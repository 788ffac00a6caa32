/* When a collective is calculated, and the ranks' way through it. See lone.h. */
#include "lone.h"

#include <math.h>
#include <simgrid/actor.h>
#include <stdlib.h>
#include <string.h>

#include "schedule_private.h"

/* Most transfers of which the intervals are compared: 24 bytes a link of each. */
#define COMPARED_MOST (INT64_C(1) << 20)

void lone_clear(lone *lone)
{
  free(lone->enter_s);
  lone->enter_s = lone->ready_s = NULL;
}

/* --- what else goes on -------------------------------------------------------------------------------------------- */

static uint64_t who_of(use *use)
{
  if (!use->lone.hashed) use->lone.who = collective_hash_who(&use->collective);
  use->lone.hashed = true;
  return use->lone.who;
}

static use *collective_of(const operation *operation)
{
  return operation->kind == OPERATION_COLLECTIVE ? operation->use : NULL;
}

static operation *queued(const lane *lane, int64_t i)
{
  return &lane->queue[i & (lane->size - 1)];
}

/* The place of the collective in a lane, with nothing before it but itself, on links that it owns; -1: other things. */
static int64_t place_of(const lane *lane, use *mine)
{
  for (int64_t i = lane->done; i < lane->appended; i++) {
    use *other = collective_of(queued(lane, i));
    if (other == mine) return i;
    if (other == NULL || !other->lone.owned || other->lone.who != mine->lone.who) return -1;
  }
  return -1;
}

/* Is what comes after the collective the same on the same links, or nothing at all? */
static bool is_closed(const rh_schedule *schedule, const lane *lane, int64_t place, use *mine)
{
  if (place + 1 == lane->appended) return !schedule->more;
  use *next = collective_of(queued(lane, place + 1));
  return next != NULL && next->collective.size == mine->collective.size && who_of(next) == who_of(mine);
}

/* May the rank compute while it is in the collective, which is number `place` of its communication lane? */
static bool may_compute(const rh_schedule *schedule, int32_t rank, int64_t place)
{
  const lane *compute = &schedule->lanes[2 * rank], *lane = compute + 1;
  const rh_token after = queued(lane, place)->after;
  const int64_t before = token_lane(after) == RH_LANE_COMPUTE ? token_number(after) : 0;
  for (int64_t i = compute->done; i < compute->appended; i++) {
    const rh_token waits_for = queued(compute, i)->after;
    if (token_lane(waits_for) == RH_LANE_COMMUNICATION && token_number(waits_for) > place) return false;
    if (i >= before) return true;
  }
  /* what is produced meanwhile: nothing before the collective's own round is delivered */
  return schedule->more && (schedule->delivered < queued(lane, place)->round ||
                            schedule->produced - schedule->delivered <= schedule->def.lead);
}

/* Will the rank enter now? */
static bool is_ready(rh_schedule *schedule, const lane *lane, int64_t place)
{
  if (place != lane->done || !lane_may_go_on(lane)) return false;
  const rh_token after = lane_current(lane)->after;
  return lane_of(schedule, lane->rank, token_lane(after))->done >= token_number(after);
}

/* Do all ranks wait in it for each other, so that none leaves before the last one has entered? */
static bool waits_for_all(const rh_collective *c)
{
  return strcmp(c->kind->operation, "broadcast") != 0 && strcmp(c->kind->operation, "gather") != 0 &&
         strcmp(c->kind->operation, "neighbour exchange") != 0;
}

/* --- whether it can be calculated --------------------------------------------------------------------------------- */

/* Judging looks at every transfer: once for those with the same peers. */
static lone_cache *cache_of(rh_schedule *schedule, use *use)
{
  return &schedule->judged[who_of(use) % LONE_CACHE];
}

static lone_verdict judge(rh_schedule *schedule, use *use)
{
  const rh_collective *c = &use->collective;
  const uint64_t who = who_of(use);
  lone_cache *cache = cache_of(schedule, use);
  if (cache->known && cache->who == who) return cache->verdict;
  lone_times times;
  lone_times_init(&times, c, schedule->def.protocol == RH_PROTOCOL_EAGER);
  *cache = (lone_cache){.known = true, .who = who, .verdict = lone_links_judge(&times, schedule->def.platform)};
  cache->fluid = cache->verdict != LONE_OWNED && fluid_knows(c, schedule->def.platform);
  lone_times_clear(&times);
  return cache->verdict;
}

/* Would a rounding stay one in all that is to come, as far as it is queued? Where messages share links it may grow. */
static bool others_allow(rh_schedule *schedule, use *mine)
{
  for (int32_t rank = 0; rank < schedule->workers; rank++) {
    const lane *lane = lane_of(schedule, rank, RH_LANE_COMMUNICATION);
    for (int64_t i = lane->done; i < lane->appended; i++) {
      use *other = collective_of(queued(lane, i));
      if (other == NULL || other->collective.size != schedule->workers) return false;
      if (who_of(other) == who_of(mine)) continue;
      const lone_verdict verdict = judge(schedule, other);
      if (verdict != LONE_OWNED && verdict != LONE_APART) return false;
    }
  }
  return true;
}

/* Of a collective that the first rank has come to. */
static bool can_be_calculated(rh_schedule *schedule, use *use)
{
  const rh_collective *c = &use->collective;
  if (!schedule->steady.on || schedule_traces(schedule) || c->size != schedule->workers || c->size < 2) return false;
  const lone_verdict verdict = judge(schedule, use);
  use->lone.owned = verdict == LONE_OWNED || verdict == LONE_APART;
  use->lone.restless = cache_of(schedule, use)->restless;
  use->lone.fluid = cache_of(schedule, use)->fluid;
  const bool compared = verdict == LONE_OWNED || (verdict == LONE_PERHAPS && c->kind->messages(c) <= COMPARED_MOST);
  if (!compared && !use->lone.fluid) return false;
  bool all_ready = true, closed = true, beside = false;
  for (int32_t rank = 0; rank < c->size; rank++) {
    const lane *lane = lane_of(schedule, rank, RH_LANE_COMMUNICATION);
    const int64_t place = place_of(lane, use);
    if (place < 0 || (!use->lone.fluid && may_compute(schedule, rank, place))) return false;
    beside = beside || may_compute(schedule, rank, place);
    all_ready = all_ready && is_ready(schedule, lane, place);
    closed = closed && is_closed(schedule, lane, place, use);
  }
  if (!others_allow(schedule, use)) return false;
  use->lone.closed = closed;
  use->lone.compared = compared && !beside;
  return all_ready || (verdict == LONE_OWNED && closed && waits_for_all(c));
}

/* --- calculating -------------------------------------------------------------------------------------------------- */

typedef struct look {
  double *latest_s; /* [steps + 1] when the last rank is ready for a step */
  int64_t first;    /* step of the stretch */
  lone_intervals *intervals;
} look;

static void see_step(void *context, const lone_times *times, int64_t k)
{
  look *look = context;
  look->latest_s[k + 1] = lone_latest_s(times->ready_s, times->c->size);
  look->first = k + 1;
  if (look->intervals != NULL) lone_intervals_note(look->intervals, times);
}

static void see_jump(void *context, const lone_times *times, double span_s, int64_t count)
{
  look *look = context;
  (void)times;
  for (int64_t i = 1; i <= count; i++)
    look->latest_s[look->first + i] = look->latest_s[look->first] + (double)i * span_s;
}

/* The steps that are over everywhere before anything could meet them. */
static int64_t free_steps(rh_schedule *schedule, const use *use, lone_times *times)
{
  const rh_collective *c = &use->collective;
  const lone *lone = &use->lone;
  const int64_t steps = c->kind->steps(c);
  look look = {.latest_s = malloc(((size_t)steps + 1) * sizeof *look.latest_s)};
  RH_ASSERT(look.latest_s != NULL);
  if (!lone->owned) look.intervals = lone_intervals_new(rh_platform_link_count(schedule->def.platform));
  memcpy(times->ready_s, lone->enter_s, (size_t)c->size * sizeof *lone->enter_s);
  for (int64_t k = 0; k < steps; k = times->stretch.end) {
    const bool known = lone_stretch_at(times, schedule->def.platform, k);
    RH_ASSERT(known); /* it was judged */
    lone_times_run(times, steps, see_step, lone->owned ? see_jump : NULL, &look);
  }
  double limit_s = lone->closed ? INFINITY : lone_earliest_s(times->ready_s, c->size);
  const double conflict_s = lone->owned ? INFINITY : lone_intervals_conflict_s(look.intervals);
  if (conflict_s < INFINITY && schedule->more) limit_s = -INFINITY; /* it will come again, and make roundings grow */
  limit_s = fmin(limit_s, conflict_s);
  int64_t count = steps;
  while (count > 0 && !(look.latest_s[count] <= limit_s))
    count--;
  lone_intervals_free(look.intervals);
  free(look.latest_s);
  return count;
}

/* Without a fluid, or where it does not hold. */
static void calculate_steps(rh_schedule *schedule, use *use)
{
  lone *lone = &use->lone;
  lone_times times;
  lone_times_init(&times, &use->collective, schedule->def.protocol == RH_PROTOCOL_EAGER);
  lone->steps = use->collective.kind->steps(&use->collective);
  if (!lone->owned || !lone->closed) lone->steps = free_steps(schedule, use, &times);
  if (lone->steps > 0) lone_account(schedule, use, &times);
  lone_times_clear(&times);
}

/* The last rank has entered. */
static void calculate(rh_schedule *schedule, use *use)
{
  lone *lone = &use->lone;
  lone_cache *cache = cache_of(schedule, use);
  if (lone->fluid && lone_flow(schedule, use))
    lone->steps = use->collective.kind->steps(&use->collective);
  else if (lone->compared && !lone->restless)
    calculate_steps(schedule, use);
  if (lone->fluid && lone->steps == 0) cache->fluid = false; /* it would be as long the next time, and for nothing */
  cache->restless = cache->restless || lone->restless;
  lone->stage = lone->steps > 0 ? LONE_KNOWN : LONE_NOT;
  if (lone->steps == 0) return;
  const double now_s = simgrid_get_clock() - lone->base_s;
  schedule->steady.calculated_s += lone_latest_s(lone->ready_s, use->collective.size) - now_s;
  const double rounding_s = steady_tolerance_s(now_s, simgrid_get_clock());
  RH_ASSERT(lone_earliest_s(lone->ready_s, use->collective.size) >= now_s - rounding_s);
}

/* --- a rank's way ------------------------------------------------------------------------------------------------- */

static void wake_all(rh_schedule *schedule)
{
  for (int32_t rank = 0; rank < schedule->workers; rank++) {
    lane *lane = lane_of(schedule, rank, RH_LANE_COMMUNICATION);
    if (lane->wait == WAIT_OTHERS) lane_wake(lane);
  }
}

/* Where no two transfers share a link the order of what happens at one instant is of no account: those who would
 * enter now, too, may do so first (a rank's computing ends, its other lane hears of it, and goes on: three turns of
 * the actors). */
static void let_others_enter(rh_schedule *schedule, use *use)
{
  enum { TURNS = 3 };
  if (!schedule->steady.on || schedule_traces(schedule) || use->collective.size != schedule->workers) return;
  if (judge(schedule, use) != LONE_APART || !cache_of(schedule, use)->fluid) return;
  for (int i = 0; i < TURNS; i++)
    sg_actor_yield();
}

static void first_enters(rh_schedule *schedule, use *use)
{
  lone *lone = &use->lone;
  const size_t N = (size_t)use->collective.size;
  lone->stage = LONE_GATHERS;
  lone->base_s = simgrid_get_clock();
  lone->enter_s = malloc(2 * N * sizeof *lone->enter_s);
  RH_ASSERT(lone->enter_s != NULL);
  lone->ready_s = lone->enter_s + N;
  let_others_enter(schedule, use);
  if (can_be_calculated(schedule, use)) return;
  lone->stage = LONE_NOT;
  wake_all(schedule);
}

bool lone_enter(lane *lane, const operation *operation, int64_t *first)
{
  rh_schedule *schedule = lane->schedule;
  use *use = operation->use;
  const int32_t position = operation->peer;
  *first = 0;
  if (use->lone.stage == LONE_UNDECIDED) first_enters(schedule, use);
  if (use->lone.stage == LONE_NOT) return true;
  lane->busy = true;
  lane->start_s = simgrid_get_clock();
  use->lone.enter_s[position] = lane->start_s - use->lone.base_s;
  if (++use->lone.entered == use->collective.size) {
    calculate(schedule, use);
    wake_all(schedule);
  }
  lane->wait = WAIT_OTHERS;
  while (use->lone.stage == LONE_GATHERS) {
    if (schedule_stopped(schedule)) return false;
    lane_sleep(lane);
  }
  lane->wait = WAIT_NOTHING;
  if (use->lone.stage == LONE_KNOWN) {
    const double until_s = use->lone.base_s + use->lone.ready_s[position];
    const double sleep_s = until_s - simgrid_get_clock();
    if (sleep_s > 0) sg_actor_sleep_for(sleep_s);
    rounds_note(lane, operation->round, lane->start_s + schedule->skipped_s, until_s + schedule->skipped_s);
    *first = use->lone.steps;
  }
  lane->busy = false;
  return !schedule_stopped(schedule);
}
