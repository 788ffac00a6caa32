/* The schedule against SMPI, SimGrid's own MPI: a ring all-reduce written with MPI_Sendrecv (smpi_ring.c), the same
 * ranks on the same hosts, CM02 on both sides.
 *
 * SMPI's stock factors belong to one Grid'5000 cluster of 2013 and inflate a ring 1.3 to 5.6 times; the model CM02
 * leaves smpi/bw-factor and smpi/lat-factor out, and the options below the rest. What remains is MPI's envelope: SMPI
 * adds 16 bytes to every message (tag, destination, communicator; smpi_request.cpp), so the schedule is given chunks
 * that are 16 bytes longer.
 *
 * Protocols. Rendezvous is the same on both sides: a transfer starts when sender and receiver are there. Eagerly,
 * SMPI's sender goes on at once, while ours waits until its message has arrived. Where all transfers of a step take the
 * same time that makes no difference, so eager rings are compared on ideal.xml alone; with the scattered order on the
 * fat-tree SMPI's eager ring takes 93.7 us and 1.69 ms, ours 99.9 us and 1.43 ms (1024 and 1,048,576 floats).
 * RH_PROTOCOL_EAGER says why, and test_smpi_replay.c what each comes to.
 */
#include "in_process.h"

#include <math.h>

#include "collectives.h"
#include "schedule.h"

enum { ENVELOPE_BYTES = 16 };

/* Two programs read the same file and add up the same numbers, in another order. */
static const double tolerance = 1e-6;

/* --- SMPI --------------------------------------------------------------------------------------------------------- */

/* Rank i on host i, or scattered: on host i(i+1)/2 mod 64, a permutation of 64 that lets routes of a ring
 * share links. */
typedef struct trial {
  const char *test; /* which asks for it */
  const char *platform, *prefix;
  int N;
  bool scattered;
  char hosts[32]; /* file */
} trial;

static void temporary_file(char *path, size_t size)
{
  snprintf(path, size, "/tmp/rehearse-test-XXXXXX");
  const int fd = mkstemp(path);
  assert_true(fd >= 0);
  close(fd);
}

static void write_hosts(trial *t)
{
  temporary_file(t->hosts, sizeof t->hosts);
  FILE *file = fopen(t->hosts, "we");
  assert_non_null(file);
  for (int i = 0; i < t->N; i++)
    fprintf(file, "%s%d\n", t->prefix, t->scattered ? i * (i + 1) / 2 % 64 : i);
  assert_int_equal(fclose(file), 0);
}

/* Seconds from the first start to the last finish. */
static double smpi_seconds(const trial *t, int elements, bool eager)
{
  const int threshold = eager ? 1 << 30 : 0;
  char command[2048], line[256];
  snprintf(command, sizeof command,
           "'%s' -np %d -platform '%s/platforms/%s' -hostfile %s --cfg=network/model:CM02 --cfg=network/TCP-gamma:-1"
           " --cfg=network/crosstraffic:0 --cfg=surf/precision:1e-12 --cfg=smpi/simulate-computation:no"
           " --cfg=smpi/wtime:0 --cfg=smpi/privatization:no --cfg=smpi/send-is-detached-thresh:%d"
           " --cfg=smpi/async-small-thresh:%d"
           " --log=root.thres:error '%s' %d",
           RH_SMPIRUN, t->N, RH_SOURCE_DIR, t->platform, t->hosts, threshold, threshold, RH_SMPI_RING, elements);
  FILE *output = popen(command, "re");
  assert_non_null(output);
  double first_s = INFINITY, last_s = 0, start_s, finish_s;
  int ranks = 0;
  while (fgets(line, sizeof line, output) != NULL) {
    if (sscanf(line, "%lf %lf", &start_s, &finish_s) != 2) fail_msg("SMPI says: %s", line);
    first_s = fmin(first_s, start_s);
    last_s = fmax(last_s, finish_s);
    ranks++;
  }
  const int status = pclose(output);
  if (status != 0 || ranks != t->N) fail_msg("wait status %d and %d ranks of: %s", status, ranks, command);
  return last_s - first_s;
}

/* --- the schedule ------------------------------------------------------------------------------------------------- */

typedef struct ring {
  rh_schedule *schedule;
  rh_collective collective;
} ring;

static rh_status produce(void *context, int64_t round, bool *more)
{
  (void)round;
  ring *r = context;
  rh_schedule_collective(r->schedule, &r->collective, NULL);
  *more = false;
  return RH_OK;
}

/* In a child, whose argument is "FILE HOSTS PLATFORM N BYTES EAGER STEADY": its seconds go into FILE. */
static void simulate_in_child(void)
{
  char file[64], hosts[64], name[64], path[4096];
  int N, bytes, eager, steady;
  assert_int_equal(
      sscanf(in_process_argument, "%63s %63s %63s %d %d %d %d", file, hosts, name, &N, &bytes, &eager, &steady), 7);
  snprintf(path, sizeof path, "%s/platforms/%s", RH_SOURCE_DIR, name);
  rh_platform *platform;
  if (rh_platform_load(&(rh_platform_def){.file = path, .hostfile = hosts, .workers = N}, &platform) != RH_OK)
    fail_msg("%s", rh_error_message());
  ring r = {.collective = {.kind = &rh_allreduce_ring, .size = N, .bytes = bytes, .element_bytes = 4}};
  const rh_schedule_def def = {.platform = platform,
                               .protocol = eager ? RH_PROTOCOL_EAGER : RH_PROTOCOL_RENDEZVOUS,
                               .lead = 1,
                               .steady = steady,
                               .context = &r,
                               .produce = produce};
  assert_int_equal(rh_schedule_new(&def, &r.schedule), RH_OK);
  if (rh_schedule_run(r.schedule) != RH_OK) fail_msg("%s", rh_error_message());
  FILE *out = fopen(file, "we");
  assert_non_null(out);
  fprintf(out, "%.17g\n", rh_schedule_elapsed_s(r.schedule));
  assert_int_equal(fclose(out), 0);
  rh_schedule_free(r.schedule);
}

static double schedule_seconds(const trial *t, int bytes, bool eager, bool steady)
{
  char file[32], argument[256];
  temporary_file(file, sizeof file);
  snprintf(argument, sizeof argument, "%s %s %s %d %d %d %d", file, t->hosts, t->platform, t->N, bytes, eager, steady);
  in_process_with(t->test, argument);
  FILE *in = fopen(file, "re");
  double seconds;
  assert_non_null(in);
  assert_int_equal(fscanf(in, "%lf", &seconds), 1);
  fclose(in);
  unlink(file);
  return seconds;
}

/* --- both --------------------------------------------------------------------------------------------------------- */

/* Simulated with and without skipping of steady states. Returns SMPI's seconds. */
static double compare(const trial *t, int elements, bool eager)
{
  const double smpi_s = smpi_seconds(t, elements, eager);
  const int chunk_bytes = 4 * ((elements + t->N - 1) / t->N);
  for (int steady = 0; steady < 2; steady++) {
    const double seconds = schedule_seconds(t, t->N * (chunk_bytes + ENVELOPE_BYTES), eager, steady);
    if (!(fabs(seconds - smpi_s) <= tolerance * smpi_s))
      fail_msg("%s, N = %d, %s order, %d floats, %s%s: SMPI %.9g s, here %.9g s (%.1e off)", t->platform, t->N,
               t->scattered ? "scattered" : "natural", elements, eager ? "eager" : "rendezvous",
               steady ? ", skipping" : "", smpi_s, seconds, seconds / smpi_s - 1);
  }
  return smpi_s;
}

/* In a child: simulates and returns true. Without SMPI: skips. */
static bool handled(void)
{
  if (in_process_argument != NULL) {
    simulate_in_child();
    return true;
  }
  if (RH_SMPIRUN[0] != '\0') return false;
  print_message("no smpicc and smpirun (libsimgrid-dev): skipped\n");
  skip();
  return true;
}

/* Without the envelopes the schedule is at its closed form: they are all that the two differ in. */
static void ring_takes_the_same_time_on_ideal(void **state)
{
  (void)state;
  if (handled()) return;
  static const int ranks[] = {2, 7, 64}, sizes[] = {20522, 1 << 20};
  for (int i = 0; i < 3; i++) {
    trial t = {.test = __func__, .platform = "ideal.xml", .prefix = "n", .N = ranks[i]};
    write_hosts(&t);
    for (int k = 0; k < 4; k++) {
      const int elements = sizes[k / 2];
      const double smpi_s = compare(&t, elements, k % 2 == 1), chunk_bytes = 4 * ceil((double)elements / t.N);
      const double closed_form_s = 2 * (t.N - 1) * (2e-6 + (chunk_bytes + ENVELOPE_BYTES) / 12.5e9);
      assert_true(fabs(smpi_s - closed_form_s) <= tolerance * closed_form_s);
    }
    unlink(t.hosts);
  }
}

/* In the scattered order routes share links: a million floats then take nearly twice as long, on both sides. */
static void ring_takes_the_same_time_on_a_fat_tree(void **state)
{
  (void)state;
  if (handled()) return;
  static const int sizes[] = {1 << 10, 1 << 20};
  double seconds[2] = {0};
  for (int scattered = 0; scattered < 2; scattered++) {
    trial t = {.test = __func__, .platform = "fat-tree-64.xml", .prefix = "node-", .N = 64, .scattered = scattered};
    write_hosts(&t);
    for (int k = 0; k < 2; k++)
      seconds[scattered] = compare(&t, sizes[k], false);
    unlink(t.hosts);
  }
  assert_true(seconds[1] > 1.5 * seconds[0]); /* else the order would show nothing */
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ring_takes_the_same_time_on_ideal),
      cmocka_unit_test(ring_takes_the_same_time_on_a_fat_tree),
  };
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
