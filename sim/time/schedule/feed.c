/* The feeder: an actor with a big stack that runs the caller's code, so that none of it runs on a rank's small one.
 * It has rounds produced as far as `lead` allows, and hands over rounds, collectives and events that are final. */
#include <simgrid/actor.h>
#include <simgrid/engine.h>
#include <string.h>

#include "oplog.h"
#include "schedule_private.h"

double use_closed_form(const use *use)
{
  const rh_collective *c = &use->collective;
  double seconds = use->closed_form_s;
  for (int32_t i = 0; i < use->slowest_count; i++) {
    const double s = c->kind->closed_form_s(c, use->slowest[i].latency_s, use->slowest[i].bandwidth_Bps);
    if (s > seconds) seconds = s;
  }
  return seconds;
}

static void deliver_events(rh_schedule *schedule)
{
  for (int64_t i = 0; i < schedule->event_count; i++)
    schedule->def.event(schedule->def.context, &schedule->events[i]);
  schedule->event_count = 0;
}

static rh_status deliver_collectives(rh_schedule *schedule)
{
  while (schedule->done_first != NULL) {
    use *use = schedule->done_first;
    schedule->done_first = use->next;
    if (use->next == NULL) schedule->done_last = NULL;
    const told what = {.time = {.collective = &use->collective,
                                .round = use->round + schedule->skipped_rounds,
                                .start_s = use->start_s,
                                .finish_s = use->finish_s,
                                .closed_form_s = use_closed_form(use),
                                .messages = use->messages,
                                .wire_bytes = use->wire_bytes}};
    const rh_status status = rounds_tell(schedule, &what);
    schedule_free_use(schedule, use);
    if (status != RH_OK) return status;
  }
  return RH_OK;
}

static rh_status deliver_rounds(rh_schedule *schedule, bool *any)
{
  while (schedule->delivered < schedule->produced) {
    const round_slot *slot = slot_of(schedule, schedule->delivered);
    if (slot->ranks_pending > 0) break;
    const int64_t round = schedule->delivered++;
    told what = {.is_round = true, .round = slot->time};
    what.round.round += schedule->skipped_rounds;
    const rh_status status = rounds_tell(schedule, &what);
    if (status != RH_OK) return status;
    rounds_delivered(schedule, round, slot->time.finish_s);
    *any = true;
  }
  return RH_OK;
}

/* A last round without operations is no round. */
rh_status produce_round(rh_schedule *schedule)
{
  const int64_t round = schedule->produced;
  round_slot *slot = slot_of(schedule, round);
  RH_ASSERT(slot->ranks_pending == 0);
  slot->time = (rh_round_time){.round = round, .first_finish_s = -1};
  schedule->open = true;
  bool more = false;
  rh_oplog *log = schedule->def.log;
  schedule->logs = log && rh_oplog_rounds(log) == round + schedule->skipped_rounds;
  if (schedule->logs) rh_oplog_begin(log, schedule, schedule->workers);
  const rh_status status = schedule->def.produce(schedule->def.context, round + schedule->skipped_rounds, &more);
  if (schedule->logs) rh_oplog_end(log, status == RH_OK);
  schedule->logs = schedule->open = false;
  if (status != RH_OK) return status;
  schedule->more = more;
  if (slot->ranks_pending > 0 || more) schedule->produced++;
  if (slot->ranks_pending == 0) slot->time.first_finish_s = slot->time.finish_s = schedule_now_s(schedule);
  return RH_OK;
}

/* Wakes who waits for work and has some now, or will never have. */
static void wake_lanes(rh_schedule *schedule)
{
  for (int32_t i = 0; i < 2 * schedule->workers; i++) {
    lane *lane = &schedule->lanes[i];
    const bool end = !schedule->more && lane->done == lane->appended;
    if (lane->wait == WAIT_WORK && (end || lane_may_go_on(lane))) lane_wake(lane);
  }
}

static bool may_produce(const rh_schedule *schedule)
{
  return schedule->more && schedule->produced - schedule->delivered <= schedule->def.lead;
}

void feeder_main(int argc, char **argv)
{
  (void)argc, (void)argv;
  rh_schedule *schedule = sg_actor_self_get_data();
  while (!schedule_stopped(schedule)) {
    rh_status status;
    deliver_events(schedule);
    RH_TRY(deliver_collectives(schedule));
    bool any = false;
    RH_TRY(deliver_rounds(schedule, &any));
    if (any) RH_TRY(rounds_skip(schedule));
    const bool produces = may_produce(schedule);
    if (produces) RH_TRY(produce_round(schedule));
    if (produces || any) {
      wake_lanes(schedule);
    } else if (schedule->more || schedule->delivered < schedule->produced) {
      schedule->feeder_asleep = true;
      sg_sem_acquire(schedule->feeder_wake);
    } else {
      break;
    }
    continue;
  done:
    schedule_fail(schedule, status);
  }
}
