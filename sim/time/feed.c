/* The feeder: an actor with a big stack that runs the caller's code, so that none of it runs on a rank's small one.
 * It has rounds produced as far as `lead` allows, and hands over rounds, collectives and events that are final. */
#include <simgrid/actor.h>
#include <simgrid/engine.h>
#include <string.h>

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
    rh_status status = RH_OK;
    if (schedule->def.collective_done != NULL)
      status = schedule->def.collective_done(schedule->def.context,
                                             &(rh_collective_time){.collective = &use->collective,
                                                                   .round = use->round,
                                                                   .start_s = use->start_s,
                                                                   .finish_s = use->finish_s,
                                                                   .closed_form_s = use_closed_form(use),
                                                                   .messages = use->messages,
                                                                   .wire_bytes = use->wire_bytes});
    schedule_free_use(schedule, use);
    if (status != RH_OK) return status;
  }
  return RH_OK;
}

static rh_status deliver_rounds(rh_schedule *schedule)
{
  while (schedule->delivered < schedule->produced) {
    const round_slot *slot = slot_of(schedule, schedule->delivered);
    if (slot->ranks_pending > 0) break;
    schedule->delivered++;
    if (schedule->def.round_done == NULL) continue;
    const rh_status status = schedule->def.round_done(schedule->def.context, &slot->time);
    if (status != RH_OK) return status;
  }
  return RH_OK;
}

/* Has the next round appended and wakes who waits for work; a last round without operations is no round. */
static rh_status produce(rh_schedule *schedule)
{
  const int64_t round = schedule->produced;
  round_slot *slot = slot_of(schedule, round);
  RH_ASSERT(slot->ranks_pending == 0);
  slot->time = (rh_round_time){.round = round, .first_finish_s = -1};
  schedule->open = true;
  bool more = false;
  const rh_status status = schedule->def.produce(schedule->def.context, round, &more);
  schedule->open = false;
  if (status != RH_OK) return status;
  schedule->more = more;
  if (slot->ranks_pending > 0 || more) schedule->produced++;
  if (slot->ranks_pending == 0) slot->time.first_finish_s = slot->time.finish_s = schedule_now_s(schedule);
  for (int32_t i = 0; i < 2 * schedule->workers; i++) {
    lane *lane = &schedule->lanes[i];
    if (lane->wait == WAIT_WORK && (lane->done < lane->appended || !more)) lane_wake(lane);
  }
  return RH_OK;
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
    RH_TRY(deliver_rounds(schedule));
    if (may_produce(schedule)) {
      RH_TRY(produce(schedule));
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
