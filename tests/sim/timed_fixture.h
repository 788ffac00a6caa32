/* The small world of method_fixture.h in simulated time, on ideal.xml: hosts of equal speed, and a network without
 * contention but for a host's own port. */
#ifndef RH_TIMED_FIXTURE_H
#define RH_TIMED_FIXTURE_H

#include "method_fixture.h"

typedef struct timed {
  fixture fixture;
  int64_t rounds;
  double elapsed_s;
  int64_t wire_bytes, messages; /* of the last round */
} timed;

static inline rh_status produce(void *context, int64_t t, bool *more)
{
  timed *run = context;
  *more = t + 1 < run->rounds;
  return run->fixture.method->round(&run->fixture.world, run->fixture.state, t, 0.1);
}

static inline rh_status keep_time(void *context, const rh_round_time *time)
{
  timed *run = context;
  run->elapsed_s = time->finish_s;
  run->wire_bytes = time->wire_bytes;
  run->messages = time->messages;
  return RH_OK;
}

/* latency and bandwidth between two hosts of ideal.xml, which are all alike */
static double pair_latency_s, pair_bandwidth_Bps;

static inline void load_ideal(void)
{
  load();
  const rh_route *route;
  RH_ASSERT(rh_platform_route(platform, 0, 1, &route) == RH_OK);
  pair_latency_s = route->latency_s;
  pair_bandwidth_Bps = route->bandwidth_Bps;
}

/* SimGrid's clock, which a second run of a process continues. */
static double clock_s;

/* Trains and simulates so many rounds; the fixture in it is gone afterwards. */
static inline timed run_timed(const choice *c, int64_t rounds)
{
  timed run = {.rounds = rounds};
  rh_schedule_def def = {.platform = platform, .lead = 2, .context = &run, .produce = produce, .round_done = keep_time};
  RH_ASSERT(rh_schedule_new(&def, &schedule) == RH_OK);
  fixture_init(&run.fixture, c);
  for (int b = 0; !run.fixture.world.compressor->sum && b < 3; b++)
    run.fixture.world.seconds.encode_s[b][1] = 0; /* as in a run: a second phase is charged where there is one */
  if (rh_schedule_run(schedule) != RH_OK) fail_msg("%s", rh_error_message());
  fixture_clear(&run.fixture);
  rh_schedule_free(schedule);
  run.elapsed_s -= clock_s;
  clock_s += run.elapsed_s;
  return run;
}

static inline void check_seconds(const choice *c, int64_t rounds, double seconds)
{
  const timed run = run_timed(c, rounds);
  if (fabs(run.elapsed_s - seconds) >= 1e-9 * seconds)
    fail_msg("%s took %.12g s, not %.12g s", c->method, run.elapsed_s, seconds);
}

static const double parameters = 6 * 6 * 16 + 16 + 16 * 3 + 3;

static inline double exchange_s(void)
{
  return pair_latency_s + 2 * 4 * parameters / pair_bandwidth_Bps; /* two messages share the way out */
}

#endif
