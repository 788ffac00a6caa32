/* One simulation in a process of its own, as numbers: what tests of skipping compare with and without. */
#ifndef RH_STEADY_FIXTURE_H
#define RH_STEADY_FIXTURE_H

#include "platform_fixture.h"

#include <sys/mman.h>

#include "collectives.h"
#include "schedule.h"

enum { LINKS_MAX = 1 << 15, RANKS_MAX = 4096, ROUNDS_MAX = 4096, COLLECTIVES_MAX = 4096, EVENTS_MAX = 1 << 16 };

/* What to simulate: every round `kind` on all ranks, after computing of compute_s (rank i: + spread_s i / N). */
typedef struct scenario {
  const char *platform; /* file */
  const char *model;    /* NULL: the file's */
  const char *hostfile; /* NULL: natural order */
  const char *kind;
  int32_t workers;
  int64_t bytes;
  rh_protocol protocol;
  int32_t lead;
  int64_t rounds;
  double compute_s, spread_s;
  bool alternate;   /* what computing is called, from round to round; else from rank to rank alone */
  double beside_s;  /* computing that the collective does not wait for */
  bool unequal;     /* messages of different lengths */
  int32_t cycle;    /* of rounds: every cycle-th one has 8 KiB more; 0: all are alike */
  bool changing;    /* each round has other bytes than those before */
  int32_t sides[3]; /* of a torus collective */
  int32_t shards;   /* of a parameter server */
  bool exchange;    /* a neighbour exchange on the ring follows each collective */
  double jitter_s;  /* more computing, up to that, other in each round */
  bool traced;      /* events are asked for, of rounds as in rh_schedule_def */
  int64_t event_first, event_end, event_max;
  /* in place of the rounds above: appends to ((simulation *)context)->schedule */
  rh_status (*produce)(void *context, int64_t round, bool *more);
  const void *program; /* of produce */
  double delay_s;      /* by which it begins everything later */
} scenario;

/* What it came to. Lives in memory that parent and child share. */
typedef struct outcome {
  char error[512]; /* "": none */
  double elapsed_s;
  int32_t link_count;
  rh_link_time links[LINKS_MAX];
  rh_rank_time ranks[RANKS_MAX];
  int64_t pairs[RH_PAIRS_SIDE * RH_PAIRS_SIDE];
  int64_t rounds, collectives;
  rh_round_time round[ROUNDS_MAX];
  rh_collective_time collective[COLLECTIVES_MAX];
  int64_t events;
  bool events_cut;
  rh_event event[EVENTS_MAX]; /* labels are those of the other process */
  rh_steady_total steady;
  char reasons[512];
} outcome;

typedef struct simulation {
  const scenario *scenario;
  outcome *outcome;
  rh_schedule *schedule;
  rh_collective collective;
  int64_t bytes_of[RANKS_MAX];
  double speeds[RANKS_MAX]; /* over that of the fastest host */
  rh_neighbours neighbours;
  int32_t offset[RANKS_MAX + 1], list[2 * RANKS_MAX];
} simulation;

/* Both neighbours on a ring. */
static inline void simulation_neighbours(simulation *s, int32_t N)
{
  for (int32_t p = 0; p <= N; p++)
    s->offset[p] = 2 * p;
  for (int32_t p = 0; p < N; p++) {
    s->list[2 * p] = (p + N - 1) % N;
    s->list[2 * p + 1] = (p + 1) % N;
  }
  s->neighbours =
      (rh_neighbours){.workers = N, .out_offset = s->offset, .out = s->list, .in_offset = s->offset, .in = s->list};
  s->collective.neighbours = &s->neighbours;
}

static inline rh_status simulation_produce(void *context, int64_t round, bool *more)
{
  simulation *s = context;
  const scenario *sc = s->scenario;
  rh_token *after = calloc((size_t)sc->workers, sizeof *after);
  RH_ASSERT(after != NULL);
  for (int32_t i = 0; i < sc->workers; i++) {
    const uint64_t mixed = ((uint64_t)round * 4096 + (uint64_t)i + 1) * UINT64_C(0x9E3779B97F4A7C15);
    const double seconds =
        sc->compute_s + sc->spread_s * i / sc->workers + sc->jitter_s * 0x1p-64 * (double)(mixed ^ mixed >> 29);
    const rh_token last = rh_schedule_last(s->schedule, i, RH_LANE_COMMUNICATION);
    if (sc->beside_s > 0) rh_schedule_compute(s->schedule, i, sc->beside_s, RH_LABEL_DECODE, RH_AT_ONCE);
    const char *label = (i + sc->alternate * round) % 2 ? "gradient" : RH_LABEL_ENCODE; /* one of them is told apart */
    if (seconds > 0) after[i] = rh_schedule_compute(s->schedule, i, seconds, label, last);
  }
  rh_collective c = s->collective;
  if (sc->cycle > 0 && round % sc->cycle == 0) c.bytes += 8192;
  if (sc->changing) c.bytes += 4 * (round * round % 97);
  rh_schedule_collective(s->schedule, &c, after);
  if (sc->exchange) {
    c.kind = rh_collective_find("neighbour-exchange");
    rh_schedule_collective(s->schedule, &c, NULL);
  }
  free(after);
  *more = round + 1 < sc->rounds;
  return RH_OK;
}

static inline rh_status simulation_round(void *context, const rh_round_time *time)
{
  outcome *o = ((simulation *)context)->outcome;
  assert_true(o->rounds < ROUNDS_MAX);
  assert_int_equal(time->round, o->rounds);
  o->round[o->rounds++] = *time;
  return RH_OK;
}

static inline rh_status simulation_collective(void *context, const rh_collective_time *time)
{
  outcome *o = ((simulation *)context)->outcome;
  assert_true(o->collectives < COLLECTIVES_MAX);
  o->collective[o->collectives++] = *time;
  return RH_OK;
}

static inline void simulation_event(void *context, const rh_event *event)
{
  outcome *o = ((simulation *)context)->outcome;
  assert_true(o->events < EVENTS_MAX);
  o->event[o->events++] = *event;
}

static inline rh_status simulate_here(const scenario *sc, bool steady, outcome *o)
{
  rh_platform *platform;
  static simulation s; /* of a process of its own */
  s = (simulation){.scenario = sc,
                   .outcome = o,
                   .collective = {.kind = sc->kind != NULL ? rh_collective_find(sc->kind) : NULL,
                                  .size = sc->workers,
                                  .bytes = sc->bytes,
                                  .element_bytes = 4,
                                  .bytes_of = sc->unequal ? s.bytes_of : NULL,
                                  .shards = sc->shards,
                                  .sides = {sc->sides[0], sc->sides[1], sc->sides[2]}}};
  simulation_neighbours(&s, sc->workers);
  for (int32_t i = 0; i < sc->workers; i++)
    s.bytes_of[i] = sc->bytes + 4 * (i % 7);
  rh_status status;
  RH_TRY(rh_platform_load(
      &(rh_platform_def){.file = sc->platform, .model = sc->model, .hostfile = sc->hostfile, .workers = sc->workers},
      &platform));
  for (int32_t i = 0; i < sc->workers; i++)
    s.speeds[i] = rh_platform_speed(platform, i) / rh_platform_fastest(platform);
  s.collective.zone_of = rh_platform_zones(platform);
  const rh_schedule_def def = {.platform = platform,
                               .protocol = sc->protocol,
                               .lead = sc->lead,
                               .steady = steady,
                               .context = &s,
                               .produce = sc->produce != NULL ? sc->produce : simulation_produce,
                               .round_done = simulation_round,
                               .collective_done = simulation_collective,
                               .event = sc->traced ? simulation_event : NULL,
                               .event_first = sc->event_first,
                               .event_end = sc->event_end,
                               .event_max = sc->event_max};
  RH_TRY(rh_schedule_new(&def, &s.schedule));
  RH_TRY(rh_schedule_run(s.schedule));
  o->elapsed_s = rh_schedule_elapsed_s(s.schedule);
  o->link_count = rh_platform_link_count(platform);
  assert_true(o->link_count <= LINKS_MAX && sc->workers <= RANKS_MAX);
  for (int32_t i = 0; i < o->link_count; i++)
    o->links[i] = rh_schedule_link_time(s.schedule, i);
  for (int32_t i = 0; i < sc->workers; i++)
    o->ranks[i] = rh_schedule_rank_time(s.schedule, i);
  const rh_pairs *pairs = rh_schedule_pairs(s.schedule);
  memcpy(o->pairs, pairs->bytes, (size_t)pairs->side * (size_t)pairs->side * sizeof *pairs->bytes);
  o->steady = rh_schedule_steady(s.schedule);
  o->events_cut = rh_schedule_events_cut(s.schedule);
  rh_text reasons = {0};
  rh_schedule_steady_reasons(s.schedule, &reasons);
  snprintf(o->reasons, sizeof o->reasons, "%s", rh_text_get(&reasons));
  rh_text_clear(&reasons);
  rh_schedule_free(s.schedule);
done:
  return status;
}

/* Runs it in a child (SimGrid's engine is global). The caller frees with free_outcome. */
static inline outcome *simulate_apart(const scenario *sc, bool steady)
{
  outcome *o = mmap(NULL, sizeof *o, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_true(o != MAP_FAILED);
  fflush(NULL);
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    if (simulate_here(sc, steady, o) != RH_OK) snprintf(o->error, sizeof o->error, "%s", rh_error_message());
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  if (status != 0) fail_msg("the simulation ended with wait status %d", status);
  if (o->error[0] != '\0') fail_msg("%s", o->error);
  return o;
}

static inline void free_outcome(outcome *o)
{
  munmap(o, sizeof *o);
}

#endif
