/* Messages per second: the schedule against a bare SimGrid loop of the same messages. And what skipping steady states
 * saves: seconds, memory and messages of large rings and of many rounds, with the ratio to full runs where those end.
 *
 *     bench_network [HOSTS [MESSAGES]]      hosts of platforms/ideal.xml, least number of messages per run
 *     bench_network --steady PLATFORM KIND HOSTS BYTES ROUNDS      one run with skipping; up to 1024 hosts one without
 *     bench_network --orders PLATFORM HOSTS       when a ring all-reduce settles, by the order of its ranks
 *     bench_network --targets               what is asked of large networks, with the targets beside the figures
 *
 * Each run is a process of its own, since SimGrid's engine is global. What counts is its seconds of the processor: it
 * has one thread and waits for nothing, so they are those of the clock on a machine of its own. Bare and scheduled
 * runs alternate, so that a load on the machine hits both; the ratio is the median over such pairs. Scheduled runs
 * start twice: with the C library's allocator as it is, as the bare loop has it, and as `rehearse` starts its runs
 * (RH_PROCESS_TUNABLES).
 */
#include <signal.h>
#include <simgrid/actor.h>
#include <simgrid/comm.h>
#include <simgrid/engine.h>
#include <simgrid/host.h>
#include <simgrid/mailbox.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "collectives.h"
#include "orders.h"
#include "process.h"
#include "schedule.h"

enum { REPEATS = 7 };

typedef struct work {
  rh_collective collective;
  int64_t rounds;
  rh_schedule *schedule;
} work;

static double clock_s(clockid_t clock)
{
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double now_s(void)
{
  return clock_s(CLOCK_MONOTONIC);
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

/* Neighbours one step away along each of the sides of a grid with wrap-around, the first side fastest; 0 ends them. */
static rh_neighbours new_grid_graph(const int32_t *sides)
{
  int32_t N = 1, degree = 0;
  for (int d = 0; sides[d] > 0; d++, degree += 2)
    N *= sides[d];
  int32_t *offset = malloc(((size_t)N + 1) * sizeof *offset);
  RH_ASSERT(degree > 0);
  int32_t *list = malloc((size_t)degree * (size_t)N * sizeof *list);
  for (int32_t p = 0; p <= N; p++)
    offset[p] = degree * p;
  for (int32_t p = 0; p < N; p++) {
    int32_t *mine = list + degree * p, stride = 1;
    for (int d = 0; sides[d] > 0; stride *= sides[d++]) {
      const int32_t n = sides[d], place = p / stride % n;
      *mine++ = p + ((place + n - 1) % n - place) * stride;
      *mine++ = p + ((place + 1) % n - place) * stride;
    }
  }
  return (rh_neighbours){.workers = N, .out_offset = offset, .out = list, .in_offset = offset, .in = list};
}

/* The graph of an exchange between N ranks: "exchange-cube", three equal sides; "exchange-torus", two, as equal as N
 * allows; a ring for whatever else, all-reduces too, which need none. */
static rh_neighbours new_graph(const char *kind, int32_t N)
{
  int32_t side = 1, rows = 1;
  while ((side + 1) * (side + 1) * (side + 1) <= N)
    side++;
  for (int32_t i = 2; i * i <= N; i++)
    if (N % i == 0) rows = i;
  if (strcmp(kind, "exchange-cube") == 0 && side * side * side == N)
    return new_grid_graph((int32_t[]){side, side, side, 0});
  if (strcmp(kind, "exchange-torus") == 0 && rows > 1) return new_grid_graph((int32_t[]){N / rows, rows, 0});
  return new_grid_graph((int32_t[]){N, 0});
}

/* The child: prints messages and the processor's seconds of the simulation alone. */
static int child(const char *kind, bool bare, int32_t N, int64_t least)
{
  const rh_neighbours graph = new_graph(kind, N);
  work w = {.collective = {.kind = rh_collective_find(kind),
                           .size = N,
                           .bytes = 82088, /* the small CNN: 20,522 floats */
                           .element_bytes = 4,
                           .neighbours = &graph}};
  const int64_t messages = w.collective.kind->messages(&w.collective);
  w.rounds = (least + messages - 1) / messages;
  rh_platform *platform;
  check(rh_platform_load(&(rh_platform_def){.file = RH_SOURCE_DIR "/platforms/ideal.xml", .workers = N}, &platform));
  const double start_s = clock_s(CLOCK_PROCESS_CPUTIME_ID);
  if (bare)
    run_bare(&w, platform);
  else
    run_schedule(&w, platform);
  printf("%lld %.9g %.17g\n", (long long)(w.rounds * messages), clock_s(CLOCK_PROCESS_CPUTIME_ID) - start_s,
         simgrid_get_clock());
  return 0;
}

/* --- steady states -------------------------------------------------------------------------------------------------
 */

enum { FULL_MOST = 1024 }; /* hosts up to which the full run is awaited */

/* The child: prints what a run took, loading the platform included. */
static int steady_child(char **argv, bool steady)
{
  const int32_t N = atoi(argv[2]);
  const rh_neighbours graph = new_graph(argv[1], N);
  const char *kind = strncmp(argv[1], "exchange-", 9) == 0 ? "neighbour-exchange" : argv[1];
  work w = {.rounds = atoll(argv[4])};
  w.collective = (rh_collective){
      .kind = rh_collective_find(kind), .size = N, .bytes = atoll(argv[3]), .element_bytes = 4, .neighbours = &graph};
  const double start_s = now_s();
  rh_platform *platform;
  check(rh_platform_load(&(rh_platform_def){.file = argv[0], .hostfile = argv[5], .workers = N}, &platform));
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
  bool done; /* within its limit; else nothing else is known */
  double simulated_s, wall_s;
  long memory_MiB;
  long long simulated, skipped;
} steady_run;

/* argv: platform, kind, hosts, bytes, rounds, host file or "". limit_s: of the clock, then it is ended; 0: none. */
static steady_run run_steady_child(const char *self, const char *how, char *const *argv, unsigned limit_s)
{
  char command[4096];
  snprintf(command, sizeof command, "exec '%s' --child-steady %s %u '%s' '%s' '%s' '%s' '%s' '%s'", self, how, limit_s,
           argv[0], argv[1], argv[2], argv[3], argv[4], argv[5]);
  FILE *output = popen(command, "r");
  steady_run r;
  if (output == NULL) exit(1);
  r.done =
      fscanf(output, "%lf %lf %ld %lld %lld", &r.simulated_s, &r.wall_s, &r.memory_MiB, &r.simulated, &r.skipped) == 5;
  const int status = pclose(output);
  const bool late = limit_s > 0 && WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
  if (!late && (!r.done || status != 0)) exit(1);
  return r;
}

static double load_average(void)
{
  double load;
  return getloadavg(&load, 1) == 1 ? load : -1;
}

static steady_run tell_steady(const char *self, char *const *argv, unsigned limit_s)
{
  const steady_run on = run_steady_child(self, "on", argv, limit_s);
  const char *name = strrchr(argv[0], '/');
  if (!on.done) {
    printf("%s, %s, %s hosts, %s bytes, %s rounds: not done within %u s, where it was ended; load %.2f\n", argv[1],
           name != NULL ? name + 1 : argv[0], argv[2], argv[3], argv[4], limit_s, load_average());
    fflush(stdout);
    return on;
  }
  printf(
      "%s, %s, %s hosts%s, %s bytes, %s rounds: %.9g s simulated in %.2f s and %ld MiB, %lld of %lld messages one by "
      "one; load %.2f\n",
      argv[1], name != NULL ? name + 1 : argv[0], argv[2], *argv[5] ? " in another order" : "", argv[3], argv[4],
      on.simulated_s, on.wall_s, on.memory_MiB, on.simulated, on.simulated + on.skipped, load_average());
  fflush(stdout);
  return on;
}

static void tell_full(const char *self, char *const *argv, const steady_run *on)
{
  const steady_run off = run_steady_child(self, "off", argv, 0);
  printf("  in full: %.2f s, %.1f times as long; simulated seconds differ by %.1e of them\n", off.wall_s,
         off.wall_s / on->wall_s, (on->simulated_s - off.simulated_s) / off.simulated_s);
  fflush(stdout);
}

static int compare_steady(const char *self, char *const *argv)
{
  const steady_run on = tell_steady(self, argv, 0);
  if (atoi(argv[2]) <= FULL_MOST) tell_full(self, argv, &on);
  return 0;
}

/* --- targets -------------------------------------------------------------------------------------------------------
 */

/* A flat network of any size. */
static char *flat_platform(int hosts)
{
  static char path[] = "/tmp/bench-flat-XXXXXX";
  const int fd = mkstemp(path);
  FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
  if (file == NULL) exit(1);
  fprintf(file,
          "<?xml version='1.0'?>\n<!DOCTYPE platform SYSTEM \"https://simgrid.org/simgrid.dtd\">\n"
          "<platform version=\"4.1\"><config><prop id=\"network/model\" value=\"CM02\"/>"
          "<prop id=\"network/TCP-gamma\" value=\"-1\"/><prop id=\"network/crosstraffic\" value=\"0\"/></config>"
          "<cluster id=\"flat\" prefix=\"n\" suffix=\"\" radical=\"0-%d\" speed=\"1Tf\" bw=\"12.5GBps\" lat=\"1us\""
          " sharing_policy=\"SPLITDUPLEX\"/></platform>\n",
          hosts - 1);
  fclose(file);
  return path;
}

enum { LIMIT_S = 60 }; /* of a run that has a target of some seconds: what takes longer has missed it */

#define CATALOGUE(name) (RH_SOURCE_DIR "/platforms/" name ".xml")

static int tell_targets(const char *self)
{
  char *flat = flat_platform(4096), *none = "";
  char *late = orders_file("swap 4", 512, "node-"), *swapped = orders_file("swap 1", 512, "node-"),
       *named = orders_file("names", 512, "node-");
  const struct target {
    const char *asked;
    char *argv[6];
    bool full;
  } targets[] = {
      {"(a) under 1 s", {flat, "allreduce-ring", "4096", "100000000", "1", none}, false},
      {"(a) under 1 s", {flat, "allreduce-ring", "4096", "82088", "1", none}, false},
      {"(a) under 4 s, 400 MiB", {CATALOGUE("fat-tree-4096"), "allreduce-ring", "4096", "100000000", "1", none}, false},
      {"(a) under 4 s, 400 MiB", {CATALOGUE("fat-tree-4096"), "allreduce-ring", "4096", "82088", "1", none}, false},
      {"(a) under 400 MiB", {CATALOGUE("torus-4096"), "allreduce-ring", "4096", "100000000", "1", none}, false},
      {"(a) 10 times, 1e-9", {flat, "allreduce-ring", "512", "100000000", "1", none}, true},
      {"(a) 10 times, 1e-9", {CATALOGUE("fat-tree-1024"), "allreduce-ring", "512", "100000000", "1", none}, true},
      {"(a) 10 times, 1e-9", {CATALOGUE("torus-4096"), "allreduce-ring", "512", "100000000", "1", none}, true},
      {"(a) 10 times, 1e-9", {CATALOGUE("fat-tree-1024"), "allreduce-ring", "512", "100000000", "1", late}, true},
      {"(a) 10 times, 1e-9",
       {CATALOGUE("fat-tree-1024-4to1"), "allreduce-ring", "512", "100000000", "1", swapped},
       true},
      {"(a) decided by roundings: as long",
       {CATALOGUE("fat-tree-1024"), "allreduce-ring", "512", "100000000", "1", named},
       true},
      {"(b) under 2 s", {flat, "allreduce-halving-doubling", "4096", "100000000", "1", none}, false},
      {"(b) under 2 s",
       {CATALOGUE("fat-tree-4096"), "allreduce-halving-doubling", "4096", "100000000", "1", none},
       false},
      {"(b) under 2 s", {flat, "allreduce-halving-doubling", "4096", "82088", "1", none}, false},
      {"(b) under 2 s", {CATALOGUE("fat-tree-4096"), "allreduce-halving-doubling", "4096", "82088", "1", none}, false},
      {"(c) under 5 s", {CATALOGUE("torus-4096"), "exchange-ring", "4096", "82088", "1000", none}, false},
      {"(c) under 5 s", {CATALOGUE("torus-4096"), "exchange-cube", "4096", "82088", "1000", none}, false},
  };
  for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
    printf("%s: ", targets[i].asked);
    const steady_run on = tell_steady(self, targets[i].argv, LIMIT_S);
    if (targets[i].full && on.done) tell_full(self, targets[i].argv, &on);
  }
  remove(flat);
  remove(late);
  remove(swapped);
  remove(named);
  return 0;
}

/* --- messages a second ---------------------------------------------------------------------------------------------
 */

enum { BARE, SCHEDULE, AS_RUN, WAYS };
static const char *const ways[WAYS] = {[BARE] = "bare", [SCHEDULE] = "schedule", [AS_RUN] = "schedule"};

/* Messages a second; *simulated_s so that all ways can be seen to simulate the same. */
static double run_child(char *self, const char *kind, int way, const char *N, const char *least, double *simulated_s)
{
  char command[4096];
  snprintf(command, sizeof command, "%s exec '%s' --child %s %s %s %s", way == AS_RUN ? RH_PROCESS_TUNABLES : "", self,
           kind, ways[way], N, least);
  FILE *output = popen(command, "r");
  long long messages;
  double seconds;
  if (output == NULL || fscanf(output, "%lld %lf %lf", &messages, &seconds, simulated_s) != 3 || pclose(output) != 0)
    exit(1);
  return (double)messages / seconds;
}

static int compare_numbers(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *values, int count)
{
  qsort(values, (size_t)count, sizeof *values, compare_numbers);
  return values[count / 2];
}

static void compare_ways(char *self, const char *kind, const char *N, const char *least)
{
  double rate[WAYS][REPEATS], ratio[WAYS][REPEATS], simulated_s[WAYS];
  for (int repeat = 0; repeat < REPEATS; repeat++)
    for (int way = 0; way < WAYS; way++) {
      rate[way][repeat] = run_child(self, kind, way, N, least, &simulated_s[way]);
      ratio[way][repeat] = rate[way][repeat] / rate[BARE][repeat];
    }
  printf("%-20s %s hosts, medians of %d: bare %.0f messages/s, schedule %.0f, ratio %.2f; as run %.0f, ratio %.2f; "
         "simulated %.9g, %.9g and %.9g s; load %.2f\n",
         kind, N, REPEATS, median(rate[BARE], REPEATS), median(rate[SCHEDULE], REPEATS),
         median(ratio[SCHEDULE], REPEATS), median(rate[AS_RUN], REPEATS), median(ratio[AS_RUN], REPEATS),
         simulated_s[BARE], simulated_s[SCHEDULE], simulated_s[AS_RUN], load_average());
  fflush(stdout);
}

/* A child that nobody waits for any longer would take a core for minutes. */
static void end_with_parent(void)
{
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() == 1) exit(1); /* it was gone before */
}

int main(int argc, char **argv)
{
  if (argc == 6 && strcmp(argv[1], "--child") == 0) {
    end_with_parent();
    return child(argv[2], strcmp(argv[3], "bare") == 0, atoi(argv[4]), atoll(argv[5]));
  }
  if (argc == 10 && strcmp(argv[1], "--child-steady") == 0) {
    end_with_parent();
    alarm((unsigned)atoi(argv[3]));
    return steady_child(argv + 4, strcmp(argv[2], "on") == 0);
  }
  if (argc == 2 && strcmp(argv[1], "--targets") == 0) return tell_targets(argv[0]);
  if (argc == 4 && strcmp(argv[1], "--orders") == 0) {
    check(orders_tell(argv[2], atoi(argv[3])));
    return 0;
  }
  if (argc == 7 && strcmp(argv[1], "--steady") == 0) {
    char *const all[] = {argv[2], argv[3], argv[4], argv[5], argv[6], ""};
    return compare_steady(argv[0], all);
  }
  const char *N = argc > 1 ? argv[1] : "256", *least = argc > 2 ? argv[2] : "200000";
  compare_ways(argv[0], "neighbour-exchange", N, least);
  compare_ways(argv[0], "allreduce-ring", N, least);
  return 0;
}
