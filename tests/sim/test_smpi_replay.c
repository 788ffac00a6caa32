/* Collectives against SMPI, SimGrid's own MPI, in both ways that its replay of traces has:
 *
 * Our messages. The steps of a kind are written as a time-independent trace (irecv, isend, waitall) and replayed:
 * another program that matches them, the same network. SMPI adds 16 bytes to every message (tag, destination,
 * communicator; smpi_request.cpp), so the trace asks for 16 less.
 *
 * Its algorithm. The trace has one line a rank, "allreduce", and SMPI chooses the messages, with smpi/allreduce set to
 * what it calls the same algorithm: lr (ring; its last chunk is shorter where N does not divide the vector, ours are
 * padded), rdb (recursive doubling), rab_rdb (halving-doubling), redbcast with binomial trees both ways. The 16 bytes a
 * message are then on its side alone. SMPI has no all-reduce by dimensions of a torus: of that our messages alone are
 * replayed.
 *
 * Rendezvous on both sides: a transfer starts when sender and receiver are there. Eager transfers start at once on both
 * sides, but SMPI's sender is done as soon as it has started (it buffers; smpi/send-is-detached-thresh, which SMPI does
 * not let be less than smpi/async-small-thresh), and ours when its message has arrived: see RH_PROTOCOL_EAGER. Where
 * all transfers of a step take the same time both are the same; the last test says what the difference is where they do
 * not.
 *
 *     test_smpi_replay           twelve cases
 *     test_smpi_replay --all     every one: five kinds, three networks, 8, 24 and 64 ranks, 4 KiB and 4 MiB, ranks in
 *                                natural and in scattered order; prints how far each is off
 */
#include "steady_fixture.h"

enum { ENVELOPE_BYTES = 16, KIB = 1024, MIB = 1 << 20 };

/* The pattern is the same, message by message: what is left is the order in which two programs add up the same
 * numbers. */
static const double pattern_tolerance = 1e-9;
/* 16 bytes on each message of SMPI's own algorithm. */
static const double algorithm_tolerance = 0.01;

static bool all; /* cases, and their figures */

/* --- platforms: 64 hosts n0 .. n63, cables of 12.5 GB/s and 1 us -------------------------------------------------- */

static const struct {
  const char *name, *topology;
} platforms[] = {
    {"flat", ""},
    {"fat-tree", "topology=\"FAT_TREE\" topo_parameters=\"2;8,8;1,8;1,1\""},
    {"torus", "topology=\"TORUS\" topo_parameters=\"4,4,4\""},
};

static const char *write_platform(const char *topology)
{
  char text[1024];
  snprintf(text, sizeof text,
           HEAD CM02 "<cluster id=\"c\" prefix=\"n\" suffix=\"\" radical=\"0-63\" speed=\"1Tf\" bw=\"12.5GBps\" "
                     "lat=\"1us\" sharing_policy=\"SPLITDUPLEX\" %s/>" TAIL,
           topology);
  return write_file(text);
}

/* Rank i on host i, or scattered: on host i(i+1)/2 mod 64, a permutation of 64 that lets routes share links. */
static const char *write_hosts(int32_t N, bool scattered)
{
  rh_text text = {0};
  for (int i = 0; i < N; i++)
    rh_text_append(&text, "n%d\n", scattered ? i * (i + 1) / 2 % 64 : i);
  const char *path = write_file(rh_text_get(&text));
  rh_text_clear(&text);
  return path;
}

/* --- SMPI --------------------------------------------------------------------------------------------------------- */

typedef struct smpi_kind {
  const char *name;      /* ours */
  const char *algorithm; /* options that make SMPI take it; NULL: it has none */
  bool chunks;           /* which is ours where N divides the vector */
} smpi_kind;

static const smpi_kind kinds[] = {
    {"allreduce-ring", "--cfg=smpi/allreduce:lr", true},
    {"allreduce-doubling", "--cfg=smpi/allreduce:rdb", false},
    {"allreduce-halving-doubling", "--cfg=smpi/allreduce:rab_rdb", false},
    {"allreduce-tree", "--cfg=smpi/allreduce:redbcast --cfg=smpi/reduce:binomial --cfg=smpi/bcast:binomial_tree",
     false},
    {"allreduce-torus", NULL, false},
};
enum { KINDS = sizeof kinds / sizeof kinds[0], PLATFORMS = sizeof platforms / sizeof platforms[0] };

static void append_step(rh_text *out, int32_t p, const rh_step *step)
{
  for (int32_t i = 0; i < step->receive_count; i++)
    rh_text_append(out, "%d irecv %d 0 %d\n", (int)p, (int)step->receive_from[i], 1 << 30); /* room for any */
  for (int32_t i = 0; i < step->send_count; i++)
    rh_text_append(out, "%d isend %d 0 %lld\n", (int)p, (int)step->send_to[i],
                   (long long)step->send_bytes - ENVELOPE_BYTES);
  if (step->send_count + step->receive_count > 0) rh_text_append(out, "%d waitall\n", (int)p);
}

/* own: SMPI's algorithm, by one line a rank. */
static const char *write_trace(const rh_collective *c, bool own)
{
  rh_text text = {0};
  for (int32_t p = 0; p < c->size; p++) {
    rh_text_append(&text, "%d init\n", (int)p);
    if (own) rh_text_append(&text, "%d allreduce %lld 0\n", (int)p, (long long)c->bytes);
    for (int64_t k = 0; !own && k < c->kind->steps(c); k++) {
      rh_step step = {0};
      c->kind->step(c, p, k, &step);
      append_step(&text, p, &step);
    }
    rh_text_append(&text, "%d finalize\n", (int)p);
  }
  const char *trace = write_file(rh_text_get(&text));
  rh_text_clear(&text);
  return trace;
}

typedef struct trial {
  const smpi_kind *kind;
  size_t place; /* in `platforms` */
  int32_t N;
  int64_t bytes;
  bool scattered, eager;
} trial;

/* Writes platform and hosts anew. */
static scenario scenario_of(const trial *t)
{
  remove_temporary();
  scenario sc = {.platform = write_platform(platforms[t->place].topology),
                 .hostfile = write_hosts(t->N, t->scattered),
                 .kind = t->kind->name,
                 .workers = t->N,
                 .bytes = t->bytes,
                 .protocol = t->eager ? RH_PROTOCOL_EAGER : RH_PROTOCOL_RENDEZVOUS,
                 .lead = 1,
                 .rounds = 1};
  if (strcmp(t->kind->name, "allreduce-torus") == 0) { /* 4 x 2, 4 x 6, 4 x 4 x 4 */
    sc.sides[0] = 4;
    sc.sides[1] = t->N == 64 ? 4 : t->N / 4;
    sc.sides[2] = t->N == 64 ? 4 : 0;
  }
  return sc;
}

/* Seconds until the last rank's end, to 15 digits behind the point: the last line of the log is "TIME
 * Simulation time". */
static double replay_seconds(const trial *t, bool own)
{
  const scenario sc = scenario_of(t);
  const rh_collective c = {.kind = rh_collective_find(sc.kind),
                           .size = sc.workers,
                           .bytes = sc.bytes,
                           .element_bytes = 4,
                           .sides = {sc.sides[0], sc.sides[1], sc.sides[2]}};
  char command[2048], line[1024], last[1024] = "", list[128];
  snprintf(list, sizeof list, "%s\n", write_trace(&c, own)); /* what is replayed names the files with the actions */
  snprintf(command, sizeof command,
           "'%s' -np %d -no-privatize -platform %s -hostfile %s -replay %s --cfg=network/model:CM02"
           " --cfg=network/TCP-gamma:-1 --cfg=network/crosstraffic:0 --cfg=surf/precision:1e-12"
           " --cfg=smpi/send-is-detached-thresh:%d --cfg=smpi/async-small-thresh:%d %s"
           " '--log=root.fmt:%%.15r%%e%%m%%n' 2>&1",
           RH_SMPIRUN, (int)t->N, sc.platform, sc.hostfile, write_file(list), t->eager ? 1 << 30 : 0,
           t->eager ? 1 << 30 : 0, own ? t->kind->algorithm : "");
  FILE *output = popen(command, "re");
  assert_non_null(output);
  while (fgets(line, sizeof line, output) != NULL)
    snprintf(last, sizeof last, "%s", line);
  const int status = pclose(output);
  double seconds = NAN, again;
  if (status != 0 || sscanf(last, "%lf Simulation time %lf", &seconds, &again) != 2)
    fail_msg("wait status %d of: %s\n%s", status, command, last);
  return seconds;
}

/* --- both --------------------------------------------------------------------------------------------------------- */

static void expect(const trial *t, const char *whose, double smpi_s, double seconds, double tolerance)
{
  char text[512];
  snprintf(text, sizeof text, "%s, %s, N = %d, %lld bytes, %s order, %s: SMPI with %s %.9g s, here %.9g s (%.1e off)",
           t->kind->name, platforms[t->place].name, (int)t->N, (long long)t->bytes,
           t->scattered ? "scattered" : "natural", t->eager ? "eager" : "rendezvous", whose, smpi_s, seconds,
           seconds / smpi_s - 1);
  if (!(fabs(seconds - smpi_s) <= tolerance * smpi_s)) fail_msg("%s", text);
  if (all) print_message("%s\n", text);
}

static double schedule_seconds(const trial *t, bool steady)
{
  const scenario sc = scenario_of(t);
  outcome *o = simulate_apart(&sc, steady);
  const double seconds = o->elapsed_s;
  free_outcome(o);
  return seconds;
}

/* Simulated with and without skipping of steady states. */
static void compare(const trial *t)
{
  const double pattern_s = replay_seconds(t, false), seconds = schedule_seconds(t, false);
  expect(t, "our messages", pattern_s, seconds, pattern_tolerance);
  expect(t, "our messages", pattern_s, schedule_seconds(t, true), pattern_tolerance);
  if (t->kind->algorithm == NULL || (t->kind->chunks && t->bytes / 4 % t->N != 0)) return;
  expect(t, "its algorithm", replay_seconds(t, true), seconds, algorithm_tolerance);
}

/* Without SMPI: skips. */
static void need_smpi(void)
{
  if (RH_SMPIRUN[0] != '\0') return;
  print_message("no smpirun (libsimgrid-dev): skipped\n");
  skip();
}

/* Four kinds on three networks: each kind with both sizes and both orders of ranks, each network with all numbers of
 * ranks. */
static void twelve_cases(void **state)
{
  (void)state;
  need_smpi();
  static const int32_t ranks[] = {64, 24, 8};
  for (size_t k = 0; k < 4; k++)
    for (size_t p = 0; p < PLATFORMS; p++)
      compare(&(trial){.kind = &kinds[k],
                       .place = p,
                       .N = ranks[(k + p) % 3],
                       .bytes = (k + p) % 2 ? 4 * MIB : 4 * KIB,
                       .scattered = p % 2});
}

static void every_case(void **state)
{
  (void)state;
  need_smpi();
  static const int32_t ranks[] = {8, 24, 64}, sizes[] = {4 * KIB, 4 * MIB};
  for (size_t i = 0; i < KINDS * PLATFORMS * 3 * 2 * 2; i++)
    compare(&(trial){.kind = &kinds[i / 36],
                     .place = i / 12 % PLATFORMS,
                     .N = ranks[i / 4 % 3],
                     .bytes = sizes[i / 2 % 2],
                     .scattered = i % 2});
}

/* Eagerly, a ring takes the slowest of its routes in every step here, since nobody goes on before its own message has
 * arrived; in SMPI's the mean of the routes around the ring. On the fat-tree every eighth route of a ring in natural
 * order leaves its switch: four cables instead of two. In a binomial broadcast SMPI's root sends to all its six
 * children at once, which share its port: the farthest, whose branch is the deepest, gets its message after 6 S / B
 * instead of one, and so on down. Reduced and broadcast: 6 S / B and 6 + 5 + ... + 1 of them, and 6 and 6 here. */
static void eager_senders_wait_here_alone(void **state)
{
  (void)state;
  need_smpi();
  const double steps = 2 * 63, chunk_s = 4.0 * KIB / 64 / 12.5e9;
  trial t = {.kind = &kinds[0], .place = 0, .N = 64, .bytes = 4 * KIB, .eager = true};
  compare(&t); /* on equal routes they are the same */
  t.place = 1;
  const double smpi_s = replay_seconds(&t, false), seconds = schedule_seconds(&t, false);
  expect(&t, "the slowest route", steps * (4e-6 + chunk_s), seconds, pattern_tolerance);
  expect(&t, "our messages and the mean route", smpi_s, steps * (2.25e-6 + chunk_s), algorithm_tolerance);
  const double S_s = 4 * MIB / 12.5e9;
  t = (trial){.kind = &kinds[3], .place = 0, .N = 64, .bytes = 4 * MIB, .eager = true};
  expect(&t, "one child after the other", 12 * (2e-6 + S_s), schedule_seconds(&t, false), pattern_tolerance);
  expect(&t, "our messages and all children at once", replay_seconds(&t, false), (6 + 21) * S_s, algorithm_tolerance);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest few[] = {cmocka_unit_test(twelve_cases), cmocka_unit_test(eager_senders_wait_here_alone)};
  const struct CMUnitTest many[] = {cmocka_unit_test(every_case)};
  all = argc == 2 && strcmp(argv[1], "--all") == 0;
  return all ? cmocka_run_group_tests(many, NULL, NULL) : cmocka_run_group_tests(few, NULL, NULL);
}
