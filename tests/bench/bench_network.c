/* Messages per second: the schedule against a bare SimGrid loop of the same messages. And what skipping steady states
 * saves: seconds, memory and messages of large rings and of many rounds, with the ratio to full runs where those end.
 *
 *     bench_network [HOSTS [MESSAGES]]      hosts of platforms/ideal.xml, least number of messages per run
 *     bench_network --steady PLATFORM KIND HOSTS BYTES ROUNDS      one run with skipping and, up to 1024 hosts, one without
 *
 * Each run is a process of its own, since SimGrid's engine is global; bare and scheduled runs alternate, so that a load
 * on the machine hits both; the best of three counts.
 */
#include <simgrid/actor.h>
#include <simgrid/comm.h>
#include <simgrid/engine.h>
#include <simgrid/host.h>
#include <simgrid/mailbox.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "collectives.h"
#include "schedule.h"

enum { REPEATS = 3 };

typedef struct work {
  rh_collective collective;
  int64_t rounds;
  rh_schedule *schedule;
} work;

static double now_s(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void check(rh_status status)
{
  if (status == RH_OK) return;
  fprintf(stderr, "bench_network: %s\n", rh_error_message());
  exit(1);
}

/* --- the bare loop: what one would write by hand, with mailboxes looked up once ------------------------------------
 */

typedef struct bare_rank {
  const work *work;
  int32_t rank;
} bare_rank;

static sg_mailbox_t mailbox(int32_t from, int32_t to)
{
  char name[32];
  snprintf(name, sizeof name, "%d>%d", (int)from, (int)to);
  return sg_mailbox_by_name(name);
}

static void bare_main(int argc, char **argv)
{
  (void)argc, (void)argv;
  static char payload;
  static void *sink;
  const bare_rank *self = sg_actor_self_get_data();
  const rh_collective *c = &self->work->collective;
  const int64_t steps = c->kind->steps(c);
  rh_step step;
  c->kind->step(c, self->rank, 0, &step); /* peers and bytes are the same in every step of these two kinds */
  sg_mailbox_t in[2], out[2];
  sg_comm_t comms[4];
  for (int32_t i = 0; i < step.receive_count; i++)
    in[i] = mailbox(step.receive_from[i], self->rank);
  for (int32_t i = 0; i < step.send_count; i++)
    out[i] = mailbox(self->rank, step.send_to[i]);
  for (int64_t k = 0; k < steps * self->work->rounds; k++) {
    int count = 0;
    for (int32_t i = 0; i < step.receive_count; i++)
      comms[count++] = sg_mailbox_get_async(in[i], &sink);
    for (int32_t i = 0; i < step.send_count; i++)
      comms[count++] = sg_mailbox_put_async(out[i], &payload, (long)step.send_bytes);
    for (int i = 0; i < count; i++)
      sg_comm_wait(comms[i]);
  }
}

static void run_bare(const work *work, const rh_platform *platform)
{
  bare_rank *ranks = calloc((size_t)work->collective.size, sizeof *ranks);
  for (int32_t rank = 0; rank < work->collective.size; rank++) {
    ranks[rank] = (bare_rank){.work = work, .rank = rank};
    sg_actor_t actor = sg_actor_init("rank", sg_host_by_name(rh_platform_host(platform, rank)));
    sg_actor_set_data(actor, &ranks[rank]);
    sg_actor_start(actor, bare_main, 0, NULL);
  }
  simgrid_run();
  free(ranks);
}

/* --- the schedule --------------------------------------------------------------------------------------------------
 */

static rh_status produce(void *context, int64_t round, bool *more)
{
  work *w = context;
  rh_schedule_collective(w->schedule, &w->collective, NULL);
  *more = round + 1 < w->rounds;
  return RH_OK;
}

static void run_schedule(work *work, rh_platform *platform)
{
  const rh_schedule_def def = {.platform = platform, .lead = 2, .context = work, .produce = produce};
  check(rh_schedule_new(&def, &work->schedule));
  check(rh_schedule_run(work->schedule));
  rh_schedule_free(work->schedule);
}

/* --- runs ----------------------------------------------------------------------------------------------------------
 */

/* Both neighbours of a ring. */
static rh_neighbours new_ring_graph(int32_t N)
{
  int32_t *offset = malloc(((size_t)N + 1) * sizeof *offset), *list = malloc(2 * (size_t)N * sizeof *list);
  for (int32_t p = 0; p <= N; p++)
    offset[p] = 2 * p;
  for (int32_t p = 0; p < N; p++) {
    list[2 * p] = (p + N - 1) % N;
    list[2 * p + 1] = (p + 1) % N;
  }
  return (rh_neighbours){.workers = N, .out_offset = offset, .out = list, .in_offset = offset, .in = list};
}

/* The child: prints messages and wall seconds of the simulation alone. */
static int child(const char *kind, bool bare, int32_t N, int64_t least)
{
  const rh_neighbours graph = new_ring_graph(N);
  work w = {.collective = {.kind = rh_collective_find(kind),
                           .size = N,
                           .bytes = 82088, /* the small CNN: 20,522 floats */
                           .element_bytes = 4,
                           .neighbours = &graph}};
  const int64_t messages = w.collective.kind->messages(&w.collective);
  w.rounds = (least + messages - 1) / messages;
  rh_platform *platform;
  check(rh_platform_load(&(rh_platform_def){.file = RH_SOURCE_DIR "/platforms/ideal.xml", .workers = N}, &platform));
  const double start_s = now_s();
  if (bare)
    run_bare(&w, platform);
  else
    run_schedule(&w, platform);
  printf("%lld %.9g %.17g\n", (long long)(w.rounds * messages), now_s() - start_s, simgrid_get_clock());
  return 0;
}

/* --- steady states -------------------------------------------------------------------------------------------------
 */

enum { FULL_MOST = 1024 }; /* hosts up to which the full run is awaited */

/* The child: prints what a run took, loading the platform included. */
static int steady_child(char **argv, bool steady)
{
  const int32_t N = atoi(argv[2]);
  const rh_neighbours graph = new_ring_graph(N);
  work w = {.rounds = atoll(argv[4])};
  w.collective = (rh_collective){.kind = rh_collective_find(argv[1]),
                                 .size = N,
                                 .bytes = atoll(argv[3]),
                                 .element_bytes = 4,
                                 .neighbours = &graph};
  const double start_s = now_s();
  rh_platform *platform;
  check(rh_platform_load(&(rh_platform_def){.file = argv[0], .workers = N}, &platform));
  const rh_schedule_def def = {.platform = platform, .lead = 2, .steady = steady, .context = &w, .produce = produce};
  check(rh_schedule_new(&def, &w.schedule));
  check(rh_schedule_run(w.schedule));
  const rh_steady_total total = rh_schedule_steady(w.schedule);
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("%.17g %.9g %ld %lld %lld\n", rh_schedule_elapsed_s(w.schedule), now_s() - start_s, usage.ru_maxrss / 1024,
         (long long)total.simulated_messages, (long long)total.skipped_messages);
  return 0;
}

typedef struct steady_run {
  double simulated_s, wall_s;
  long memory_MiB;
  long long simulated, skipped;
} steady_run;

static steady_run run_steady_child(char *self, const char *how, char **argv)
{
  char command[4096];
  snprintf(command, sizeof command, "'%s' --child-steady %s '%s' '%s' '%s' '%s' '%s'", self, how, argv[0], argv[1],
           argv[2], argv[3], argv[4]);
  FILE *output = popen(command, "r");
  steady_run r;
  if (output == NULL ||
      fscanf(output, "%lf %lf %ld %lld %lld", &r.simulated_s, &r.wall_s, &r.memory_MiB, &r.simulated, &r.skipped) !=
          5 ||
      pclose(output) != 0)
    exit(1);
  return r;
}

static int compare_steady(char *self, char **argv)
{
  double load = 0;
  const steady_run on = run_steady_child(self, "on", argv);
  if (getloadavg(&load, 1) != 1) load = -1;
  printf("%s, %s hosts, %s bytes, %s rounds: %.9g s simulated in %.2f s and %ld MiB, %lld of %lld messages one by one; "
         "load %.2f\n",
         argv[1], argv[2], argv[3], argv[4], on.simulated_s, on.wall_s, on.memory_MiB, on.simulated,
         on.simulated + on.skipped, load);
  if (atoi(argv[2]) > FULL_MOST) return 0;
  const steady_run off = run_steady_child(self, "off", argv);
  printf("  in full: %.2f s, %.1f times as long; simulated seconds differ by %.1e of them\n", off.wall_s,
         off.wall_s / on.wall_s, (on.simulated_s - off.simulated_s) / off.simulated_s);
  return 0;
}

/* Best rate over messages per second; *simulated_s so that both sides can be seen to simulate the same. */
static double run_child(char *self, const char *kind, const char *how, const char *N, const char *least,
                        double *simulated_s)
{
  char command[4096];
  snprintf(command, sizeof command, "'%s' --child %s %s %s %s", self, kind, how, N, least);
  FILE *output = popen(command, "r");
  long long messages;
  double wall_s;
  if (output == NULL || fscanf(output, "%lld %lf %lf", &messages, &wall_s, simulated_s) != 3 || pclose(output) != 0)
    exit(1);
  return (double)messages / wall_s;
}

int main(int argc, char **argv)
{
  if (argc == 6 && strcmp(argv[1], "--child") == 0)
    return child(argv[2], strcmp(argv[3], "bare") == 0, atoi(argv[4]), atoll(argv[5]));
  if (argc == 8 && strcmp(argv[1], "--child-steady") == 0) return steady_child(argv + 3, strcmp(argv[2], "on") == 0);
  if (argc == 7 && strcmp(argv[1], "--steady") == 0) return compare_steady(argv[0], argv + 2);
  const char *N = argc > 1 ? argv[1] : "256", *least = argc > 2 ? argv[2] : "200000";
  static const char *const kinds[] = {"neighbour-exchange", "allreduce-ring"};
  double load = 0;
  for (int i = 0; i < 2; i++) {
    double bare = 0, scheduled = 0, bare_s = 0, scheduled_s = 0;
    for (int repeat = 0; repeat < REPEATS; repeat++) {
      const double b = run_child(argv[0], kinds[i], "bare", N, least, &bare_s);
      const double s = run_child(argv[0], kinds[i], "schedule", N, least, &scheduled_s);
      if (b > bare) bare = b;
      if (s > scheduled) scheduled = s;
    }
    if (getloadavg(&load, 1) != 1) load = -1;
    printf("%-20s %s hosts: bare %.0f messages/s, schedule %.0f messages/s, ratio %.2f; simulated %.9g and %.9g s; "
           "load %.2f\n",
           kinds[i], N, bare, scheduled, scheduled / bare, bare_s, scheduled_s, load);
  }
  return 0;
}
