/* A deadlock in words: who waits for whom, in which operation and round. */
#include <simgrid/engine.h>

#include "schedule_private.h"

enum { PAIRS_TOLD = 4 };

static void tell_lane(rh_schedule *schedule, const lane *lane, rh_text *text)
{
  const operation *operation = lane_current(lane);
  const rh_platform *platform = schedule->def.platform;
  rh_text_append(text, "; rank %d (%s) ", (int)lane->rank, rh_platform_host(platform, lane->rank));
  if (lane->wait == WAIT_NOTHING) {
    rh_text_append(text, "was lost with its host");
  } else if (lane->wait == WAIT_TOKEN) {
    rh_text_append(text, "waits for its own %s lane", lane->kind == RH_LANE_COMPUTE ? "communication" : "compute");
  } else if (lane->wait == WAIT_OTHERS) {
    rh_text_append(text, "waits for the other ranks");
  } else {
    const int32_t peer = lane->wait_peer;
    rh_text_append(text, "waits for rank %d (%s) to %s", (int)peer, rh_platform_host(platform, peer),
                   lane->wait == WAIT_SEND ? "receive" : "send");
    if (lane_of(schedule, peer, RH_LANE_COMMUNICATION)->over) rh_text_append(text, ", which has nothing left to do,");
  }
  rh_text_append(text, " in '%s' (round %lld", operation->label,
                 (long long)(operation->round + schedule->skipped_rounds));
  if (operation->kind == OPERATION_COLLECTIVE) rh_text_append(text, ", step %lld", (long long)lane->wait_step);
  rh_text_append(text, ")");
}

/* A lane that waits for more work does so because others hold the rounds back. */
static bool is_stuck(const lane *lane)
{
  return !lane->over && lane->wait != WAIT_WORK;
}

/* Transfers first: a lane that waits for its rank's other lane is a consequence. */
rh_status deadlock_error(rh_schedule *schedule)
{
  rh_text text = {0};
  int32_t stuck = 0, told = 0;
  for (int pass = 0; pass < 2; pass++)
    for (int32_t i = 0; i < 2 * schedule->workers; i++) {
      const lane *lane = &schedule->lanes[i];
      const bool transfer = lane->wait == WAIT_SEND || lane->wait == WAIT_RECEIVE;
      if (!is_stuck(lane) || transfer != (pass == 0)) continue;
      if (pass == 0 || !is_stuck(&schedule->lanes[i ^ 1])) stuck++;
      if (told++ < PAIRS_TOLD) tell_lane(schedule, lane, &text);
    }
  if (told > PAIRS_TOLD) rh_text_append(&text, "; and %d more", (int)(told - PAIRS_TOLD));
  const rh_status status = rh_error(RH_EINVAL, "deadlock at %.9g s of simulated time: %d of %d ranks cannot go on%s",
                                    schedule_now_s(schedule), (int)stuck, (int)schedule->workers, rh_text_get(&text));
  rh_text_clear(&text);
  return status;
}
