/* When to look for a steady state, and moving all ranks when there is one. See steady.h. */
#include "steady.h"

#include <math.h>
#include <stdlib.h>

#include "schedule_private.h"

/* Stretches of like steps that are not worth a look: more than half of them would be simulated anyhow. */
enum { STRETCH_LEAST = 12 };

void steady_clear(steady *w)
{
  free(w->ranks);
  free(w->users);
  rh_traffic_mark_clear(&w->mark);
}

/* --- when to look ------------------------------------------------------------------------------------------------- */

static void forget_measuring(rh_schedule *schedule)
{
  schedule->steady.period = 0;
  schedule->traffic.hold_s = INFINITY;
}

static void stop_watching(rh_schedule *schedule)
{
  schedule->steady.watching = false;
  forget_measuring(schedule);
}

void steady_clock_moved(rh_schedule *schedule)
{
  forget_measuring(schedule);
}

static void start_watching(rh_schedule *schedule)
{
  steady *w = &schedule->steady;
  const use *use = w->candidate;
  if (w->size < use->collective.size) {
    free(w->ranks);
    w->ranks = malloc((size_t)use->collective.size * sizeof *w->ranks);
    RH_ASSERT(w->ranks != NULL);
  }
  w->size = use->collective.size;
  w->watching = true;
  w->end = 0;
  w->since_s = simgrid_get_clock();
  w->told = 0;
}

/* Is the candidate all that happens? */
static void look_for_work(rh_schedule *schedule)
{
  steady *w = &schedule->steady;
  if (w->candidate == NULL || w->watching || w->active != w->candidate->collective.size) return;
  w->candidate->alone = true;
  start_watching(schedule);
}

void steady_begin(rh_schedule *schedule)
{
  schedule->steady.active++;
  if (schedule->steady.watching) stop_watching(schedule);
}

void steady_end(rh_schedule *schedule)
{
  schedule->steady.active--;
  look_for_work(schedule);
}

static bool is_watchable(const use *use)
{
  const rh_collective *c = &use->collective;
  return use->lone.stage != LONE_KNOWN && !use->lone.restless && c->kind->same_until != NULL && c->size > 1 &&
         c->kind->steps(c) >= STRETCH_LEAST;
}

void steady_enter(rh_schedule *schedule, use *use)
{
  steady *w = &schedule->steady;
  if (!w->on || ++use->entered < use->collective.size) return;
  use->traced = schedule_traces(schedule); /* a skipped event would be missing */
  if (use->traced || use->done > 0 || !is_watchable(use)) return;
  w->candidate = use;
  look_for_work(schedule);
}

/* Why a collective that is done was not skipped. */
static steady_reason reason_of(const use *use)
{
  if (use->skipped > 0 || use->lone.stage == LONE_KNOWN) return STEADY_SKIPPED;
  if (use->traced) return STEADY_TRACED;
  if (use->lone.restless) return STEADY_RESTLESS;
  if (!is_watchable(use) || (use->alone && !use->alike)) return STEADY_UNLIKE;
  return use->alone ? STEADY_UNSETTLED : STEADY_BESIDE;
}

void steady_leave(rh_schedule *schedule, use *use)
{
  steady *w = &schedule->steady;
  if (use->done == use->collective.size) w->collectives[reason_of(use)]++;
  if (w->candidate != use) return;
  if (reason_of(use) == STEADY_UNSETTLED && w->sharing != 0) w->unsettled = true;
  stop_watching(schedule);
  w->candidate = NULL;
}

/* --- moving all ranks --------------------------------------------------------------------------------------------- */

/* Messages and bytes of the p steps that follow each position's present one, so many times. */
static void add_messages(rh_schedule *schedule, use *use, int32_t p, int64_t times)
{
  steady *w = &schedule->steady;
  const rh_collective *c = &use->collective;
  round_slot *slot = slot_of(schedule, use->round);
  for (int32_t i = 0; i < c->size; i++)
    for (int64_t k = w->ranks[i].next; k < w->ranks[i].next + p; k++) {
      rh_step step = {0};
      c->kind->step(c, i, k, &step);
      const int32_t from = rh_collective_rank(c, i);
      for (int32_t j = 0; j < step.send_count; j++) {
        const int32_t to = rh_collective_rank(c, step.send_to[j]);
        const rh_route *route = lane_route(schedule, from, to);
        const int64_t bytes = times * step.send_bytes;
        rh_traffic_add(&schedule->traffic, from, to, route, step.send_bytes, times);
        slot_add(schedule, slot, from, to, times, bytes);
        use->messages += times;
        use->wire_bytes += bytes;
        w->skipped_messages += times;
      }
    }
}

static void skip(rh_schedule *schedule, use *use, int64_t times, double at_s)
{
  steady *w = &schedule->steady;
  (void)rh_traffic_mark_since(&schedule->traffic, at_s + schedule->skipped_s, &w->mark);
  schedule->traffic.counting = rounds_counting(schedule, use->round);
  rh_traffic_skip(&schedule->traffic, &w->mark, at_s + schedule->skipped_s, w->span_s, times);
  add_messages(schedule, use, w->period, times);
  schedule->skipped_s += (double)times * w->span_s;
  use->skipped += times * w->period;
}

/* Periods that can be left out: no rank comes to its last like step, which may end otherwise than those before. */
static int64_t periods_left(const steady *w, int32_t p)
{
  int64_t farthest = 0;
  for (int32_t i = 0; i < w->size; i++)
    if (w->ranks[i].next > farthest) farthest = w->ranks[i].next;
  return (w->end - 1 - farthest) / p;
}

/* Do two transfers of the step that each position is in cross one link? All steps of the stretch are alike. With cross
 * traffic a transfer loads its way back, too, which is the way of others. */
static bool share_links(rh_schedule *schedule, const use *use)
{
  steady *w = &schedule->steady;
  const rh_collective *c = &use->collective;
  const int32_t links = rh_platform_link_count(schedule->def.platform);
  if (rh_platform_cross_traffic(schedule->def.platform)) return true;
  if (w->users == NULL) w->users = malloc(((size_t)links + 1) * sizeof *w->users);
  RH_ASSERT(w->users != NULL);
  for (int32_t i = 0; i < links; i++)
    w->users[i] = -1;
  for (int32_t i = 0; i < c->size; i++) {
    rh_step step = {0};
    c->kind->step(c, i, w->ranks[i].next - 1, &step);
    for (int32_t j = 0; j < step.send_count; j++) {
      const rh_route *route = lane_route(schedule, rh_collective_rank(c, i), rh_collective_rank(c, step.send_to[j]));
      const int32_t user = step.send_count > 1 ? -2 : i; /* several of one position share its own link */
      for (int32_t k = 0; k < route->link_count; k++) {
        int32_t *known = &w->users[route->links[k]];
        if (user == -2 || (*known >= 0 && *known != user)) return true;
        *known = user;
      }
    }
  }
  return false;
}

/* The shortest period that is proven; 0: none. */
static int32_t find_period(rh_schedule *schedule, const use *use, double *from_s, double *span_s)
{
  steady *w = &schedule->steady;
  for (int32_t p = 1; p <= STEADY_PERIODS; p++) {
    if (!steady_proven(w, p, STEADY_MATCHES, from_s, span_s)) continue;
    if (w->sharing < 0) w->sharing = share_links(schedule, use);
    if (w->sharing == 0) return p;
    if (!w->unsettled && steady_proven(w, p, STEADY_MATCHES_SHARING, from_s, span_s)) return p;
  }
  return 0;
}

/* First a period is proven, then one is measured, then the rest is left out. */
static void look(rh_schedule *schedule, use *use)
{
  steady *w = &schedule->steady;
  double from_s, span_s;
  const int32_t p = find_period(schedule, use, &from_s, &span_s);
  if (p == 0 || p != w->period) forget_measuring(schedule);
  if (p == 0) return;
  const double floor_s = schedule_floor_s(schedule);
  if (w->period == 0) {
    if (floor_s < from_s) return; /* some of the activity behind it may not repeat */
    w->period = p;
    w->span_s = span_s;
    rh_traffic_mark_at(&schedule->traffic, floor_s + schedule->skipped_s, &w->mark);
    schedule->traffic.hold_s = w->mark.at_s + span_s;
  }
  const double at_s = w->mark.at_s - schedule->skipped_s + w->span_s;
  if (floor_s < at_s) return;
  const int64_t times = periods_left(w, p);
  w->over = true;
  if (times > 0) skip(schedule, use, times, at_s);
  forget_measuring(schedule);
}

/* Step k is the first that a rank tells of a new stretch. */
static void begin_stretch(steady *w, use *use, int64_t k)
{
  w->first = k;
  w->end = use->collective.kind->same_until(&use->collective, k);
  w->over = w->end - w->first < STRETCH_LEAST;
  if (!w->over) use->alike = true;
  w->told = 0;
  w->sharing = -1;
  for (int32_t i = 0; i < w->size; i++)
    steady_rank_reset(&w->ranks[i]);
}

void steady_record(rh_schedule *schedule, use *use, int32_t position, int64_t k, double start_s, double finish_s)
{
  steady *w = &schedule->steady;
  if (!w->watching || w->candidate != use) return;
  if (k >= w->end) begin_stretch(w, use, k);
  if (w->over || k < w->first) return;
  steady_rank_note(&w->ranks[position], k, start_s, finish_s);
  if (++w->told < w->size) return;
  w->told = 0;
  look(schedule, use);
}

/* --- what it came to ---------------------------------------------------------------------------------------------- */

bool rh_schedule_events_cut(const rh_schedule *schedule)
{
  return schedule->events_cut;
}

rh_steady_total rh_schedule_steady(const rh_schedule *schedule)
{
  const steady *w = &schedule->steady;
  rh_steady_total total = {.simulated_messages = schedule->messages,
                           .skipped_messages = w->skipped_messages,
                           .skipped_s = schedule->skipped_s + w->calculated_s,
                           .rounds_skipped = schedule->rounds.skipped_rounds,
                           .collectives_skipped = w->collectives[STEADY_SKIPPED]};
  for (int reason = STEADY_SKIPPED + 1; reason < STEADY_REASONS; reason++)
    total.collectives_full += w->collectives[reason];
  return total;
}

void rh_schedule_steady_reasons(const rh_schedule *schedule, rh_text *out)
{
  static const char *const words[STEADY_REASONS] = {
      [STEADY_UNSETTLED] = "did not settle before their end (for long, where messages share links)",
      [STEADY_BESIDE] = "ran beside computing or other operations",
      [STEADY_UNLIKE] = "have too few like steps",
      [STEADY_RESTLESS] =
          "did not settle, and cannot: where their messages share links every rounding grows to a whole transfer",
      [STEADY_TRACED] = "began before the last event that was asked for",
  };
  const steady *w = &schedule->steady;
  if (!schedule->def.steady) {
    rh_text_append(out, "it was turned off");
    return;
  }
  if (!w->on) {
    rh_text_append(out, "profiles change the platform with time");
    return;
  }
  const char *comma = "";
  for (int reason = STEADY_SKIPPED + 1; reason < STEADY_REASONS; reason++) {
    if (w->collectives[reason] == 0) continue;
    rh_text_append(out, "%s%lld collectives %s", comma, (long long)w->collectives[reason], words[reason]);
    comma = ", ";
  }
  const char *of_rounds = rounds_reason(schedule);
  if (of_rounds != NULL) rh_text_append(out, "%sno round: %s", comma, of_rounds);
}
