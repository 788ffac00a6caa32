/* Simulates collectives one after the other in one process. */
#ifndef RH_COLLECTIVE_TIME_H
#define RH_COLLECTIVE_TIME_H

#include "in_process.h"

#include <math.h>

#include "collectives.h"
#include "schedule.h"

/* platforms/ideal.xml: two links of 1 us between any two hosts, 12.5 GB/s each. */
static const double latency_s = 2e-6, bandwidth_Bps = 12.5e9;

typedef struct timed {
  rh_collective collective;
  double seconds; /* from its last rank's start to its last rank's end */
  double closed_form_s;
  int64_t messages, wire_bytes;
} timed;

typedef struct series {
  double slower; /* than platforms/ideal.xml, at most */
  rh_schedule *schedule;
  timed *list;
  int64_t count, done;
} series;

/* A collective starts on all its ranks at once, after their computing, which takes longer than the collective before it
 * could: that leaves it nothing to share a link with. */
static inline rh_status produce_next(void *context, int64_t round, bool *more)
{
  series *s = context;
  const rh_collective *c = &s->list[round].collective;
  double gap_s = 1e-6;
  if (round > 0) {
    const rh_collective *before = &s->list[round - 1].collective;
    gap_s += 1.5 * s->slower * before->kind->closed_form_s(before, latency_s, bandwidth_Bps);
  }
  rh_token after[64];
  for (int32_t rank = 0; rank < 64; rank++)
    after[rank] = rh_schedule_compute(s->schedule, rank, gap_s, "gap", RH_AT_ONCE);
  rh_schedule_collective(s->schedule, c, after);
  *more = round + 1 < s->count;
  return RH_OK;
}

static inline rh_status note_collective(void *context, const rh_collective_time *time)
{
  series *s = context;
  timed *t = &s->list[time->round];
  t->seconds = time->finish_s - time->start_s;
  t->closed_form_s = time->closed_form_s;
  t->messages = time->messages;
  t->wire_bytes = time->wire_bytes;
  s->done++;
  return RH_OK;
}

/* The 64 ranks of a platform; groups are the first of them. Nothing unloads it. */
static inline rh_platform *load_64(const char *file)
{
  rh_platform *platform;
  const rh_platform_def def = {.file = file, .workers = 64};
  if (rh_platform_load(&def, &platform) != RH_OK) fail_msg("%s", rh_error_message());
  return platform;
}

static inline void simulate_series(rh_platform *platform, double slower, timed *list, int64_t count,
                                   rh_protocol protocol)
{
  series s = {.slower = slower, .list = list, .count = count};
  const rh_schedule_def schedule_def = {.platform = platform,
                                        .protocol = protocol,
                                        .lead = 1,
                                        .context = &s,
                                        .produce = produce_next,
                                        .collective_done = note_collective};
  assert_int_equal(rh_schedule_new(&schedule_def, &s.schedule), RH_OK);
  if (rh_schedule_run(s.schedule) != RH_OK) fail_msg("%s", rh_error_message());
  assert_int_equal(s.done, count);
  rh_schedule_free(s.schedule);
}

#endif
