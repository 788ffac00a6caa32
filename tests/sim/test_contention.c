/* What shares a link, and what a late rank holds up, by hand.
 *
 * Symbols     a latency of a route, B bandwidth of a port, C bandwidth of the trunk, c bytes of a ring's chunk, N ranks
 *             of a ring, D seconds by which ranks start late
 */
#include "platform_fixture.h"

#include "collectives.h"
#include "schedule.h"

enum { RANKS = 64, JOBS = 2, HEADS = 8 };

/* --- platforms ---------------------------------------------------------------------------------------------------- */

/* Two switches, left and right, with 16 hosts each, 12.5 GB/s and 1 us a port, and one cable of trunk_GBps and 1 us
 * between them: a route across takes 3 us. */
static const char *write_two_switches(double trunk_GBps)
{
  rh_text text = {0};
  rh_text_append(&text, HEAD CM02 "<zone id=\"all\" routing=\"Full\">\n");
  for (int z = 0; z < 2; z++)
    rh_text_append(&text,
                   "<cluster id=\"%s\" prefix=\"%s\" suffix=\"\" radical=\"0-15\" speed=\"1Tf\" bw=\"12.5GBps\""
                   " lat=\"1us\" sharing_policy=\"SPLITDUPLEX\"/>\n",
                   z ? "right" : "left", z ? "r" : "l");
  rh_text_append(&text,
                 "<link id=\"trunk\" bandwidth=\"%gGBps\" latency=\"1us\" sharing_policy=\"SPLITDUPLEX\"/>\n"
                 "<zoneRoute src=\"left\" dst=\"right\" gw_src=\"lleft_router\" gw_dst=\"rright_router\">"
                 "<link_ctn id=\"trunk\" direction=\"UP\"/></zoneRoute>\n</zone>\n" TAIL,
                 trunk_GBps);
  const char *path = write_file(rh_text_get(&text));
  rh_text_clear(&text);
  return path;
}

static const double latency_s = 2e-6, bandwidth_Bps = 12.5e9; /* of platforms/ideal.xml, and of the switches' ports */

/* --- one round on a platform -------------------------------------------------------------------------------------- */

typedef struct simulation {
  rh_schedule *schedule;
  rh_collective jobs[JOBS];
  int32_t job_count;
  int64_t rounds;
  double late_s; /* of ranks late_from to late_to - 1, in the first round */
  int32_t late_from, late_to;
  double job_s[JOBS];     /* each job's end */
  double finish_s[RANKS]; /* each rank's last transfer's end, either side */
} simulation;

static rh_status produce(void *context, int64_t round, bool *more)
{
  simulation *s = context;
  for (int32_t j = 0; j < s->job_count; j++) {
    rh_token after[RANKS] = {0};
    for (int32_t p = 0; p < s->jobs[j].size && round == 0 && s->late_s > 0; p++)
      if (p >= s->late_from && p < s->late_to)
        after[p] = rh_schedule_compute(s->schedule, rh_collective_rank(&s->jobs[j], p), s->late_s, "late", RH_AT_ONCE);
    rh_schedule_collective(s->schedule, &s->jobs[j], after);
  }
  *more = round + 1 < s->rounds;
  return RH_OK;
}

static rh_status collective_done(void *context, const rh_collective_time *time)
{
  simulation *s = context;
  for (int32_t j = 0; j < s->job_count; j++)
    if (s->jobs[j].group == time->collective->group) s->job_s[j] = time->finish_s;
  return RH_OK;
}

static void event(void *context, const rh_event *event)
{
  simulation *s = context;
  if (event->lane != RH_LANE_COMMUNICATION) return;
  s->finish_s[event->rank] = fmax(s->finish_s[event->rank], event->finish_s);
  s->finish_s[event->peer] = fmax(s->finish_s[event->peer], event->finish_s);
}

static void simulate(simulation *s, const char *file, int32_t workers, rh_protocol protocol)
{
  if (s->rounds == 0) s->rounds = 1;
  const rh_schedule_def def = {.platform = load(&(rh_platform_def){.file = file, .workers = workers}),
                               .protocol = protocol,
                               .lead = (int32_t)s->rounds, /* ranks run ahead as far as messages let them */
                               .context = s,
                               .produce = produce,
                               .collective_done = collective_done,
                               .event = event};
  assert_int_equal(rh_schedule_new(&def, &s->schedule), RH_OK);
  if (rh_schedule_run(s->schedule) != RH_OK) fail_msg("%s", rh_error_message());
  rh_schedule_free(s->schedule);
}

/* --- two jobs on one trunk ---------------------------------------------------------------------------------------- */

/* Rings of 8, half on each side: in every step one message of each crosses each way, and all wait for it. */
static double ring_across(int32_t jobs, double trunk_GBps, int64_t bytes)
{
  static int32_t groups[JOBS][8];
  simulation s = {.job_count = jobs};
  for (int32_t j = 0; j < jobs; j++) {
    for (int32_t p = 0; p < 8; p++)
      groups[j][p] = 4 * j + p % 4 + (p < 4 ? 0 : 16); /* l0 .. l15 are ranks 0 .. 15, r0 .. r15 16 .. 31 */
    s.jobs[j] =
        (rh_collective){.kind = &rh_allreduce_ring, .size = 8, .group = groups[j], .bytes = bytes, .element_bytes = 4};
  }
  simulate(&s, write_two_switches(trunk_GBps), 32, RH_PROTOCOL_RENDEZVOUS);
  for (int32_t j = 1; j < jobs; j++)
    assert_close(s.job_s[j], s.job_s[0]);
  return s.job_s[0];
}

/* In a child, whose argument is "JOBS TRUNK BYTES". A message across gets its port's bandwidth, or its share of the
 * trunk's: 2 (N-1) (a + c / min(B, C / jobs)). */
static void rings_across_a_trunk_share_it(void **state)
{
  (void)state;
  if (in_process_argument == NULL) {
    static const char *const trials[] = {"1 12.5 8388608", "2 12.5 8388608", "2 25 8388608", "1 6.25 8388608",
                                         "2 6.25 8388608", "2 3.125 64000",  "1 100 64000"};
    for (size_t i = 0; i < sizeof trials / sizeof trials[0]; i++)
      in_process_with(__func__, trials[i]);
    return;
  }
  int jobs, bytes;
  double trunk_GBps;
  assert_int_equal(sscanf(in_process_argument, "%d %lf %d", &jobs, &trunk_GBps, &bytes), 3);
  const double across_Bps = fmin(bandwidth_Bps, 1e9 * trunk_GBps / jobs);
  assert_close(ring_across(jobs, trunk_GBps, bytes), 14 * (3e-6 + bytes / 8.0 / across_Bps));
}

/* --- incast ------------------------------------------------------------------------------------------------------- */

/* `senders` send 4 MiB to rank 0 at once. */
static double incast(int32_t senders, rh_protocol protocol)
{
  static int32_t in[HEADS], out[HEADS], in_offset[HEADS + 2], out_offset[HEADS + 2];
  for (int32_t i = 0; i < senders; i++) {
    in[i] = i + 1;
    out[i] = 0;
  }
  for (int32_t p = 0; p <= senders + 1; p++) {
    in_offset[p] = p > 0 ? senders : 0;
    out_offset[p] = p > 0 ? p - 1 : 0;
  }
  const rh_neighbours neighbours = {
      .workers = senders + 1, .out_offset = out_offset, .out = out, .in_offset = in_offset, .in = in};
  simulation s = {.job_count = 1};
  s.jobs[0] = (rh_collective){.kind = &rh_neighbour_exchange,
                              .size = senders + 1,
                              .bytes = 4 << 20,
                              .element_bytes = 4,
                              .neighbours = &neighbours};
  simulate(&s, CATALOGUE "ideal.xml", senders + 1, protocol);
  return s.job_s[0];
}

/* The port into rank 0 carries one at a time, or all at an eighth of the pace. */
static void eight_to_one_takes_eight_times_as_long(void **state)
{
  (void)state;
  if (in_process_argument == NULL) {
    static const char *const trials[] = {"1 0", "8 0", "1 1", "8 1"};
    for (int i = 0; i < 4; i++)
      in_process_with(__func__, trials[i]);
    return;
  }
  int senders, eager;
  assert_int_equal(sscanf(in_process_argument, "%d %d", &senders, &eager), 2);
  assert_close(incast(senders, eager ? RH_PROTOCOL_EAGER : RH_PROTOCOL_RENDEZVOUS),
               latency_s + senders * (4 << 20) / bandwidth_Bps);
}

/* --- late ranks --------------------------------------------------------------------------------------------------- */

static const double late_s = 1e-3; /* longer than any of the collectives below */

static simulation one_job(const rh_collective_kind *kind, int64_t bytes)
{
  simulation s = {.job_count = 1, .late_s = late_s};
  s.jobs[0] = (rh_collective){.kind = kind, .size = RANKS, .bytes = bytes, .element_bytes = 4};
  return s;
}

/* Ranks 8 to 15 of 64 start late. In 126 steps everybody hears of it, and nobody is done before they are: the whole
 * ring ends later by D. */
static void late_ranks_shift_a_ring_by_their_delay(void **state)
{
  (void)state;
  IN_PROCESS();
  simulation s = one_job(&rh_allreduce_ring, 64 * 4096);
  s.late_from = 8;
  s.late_to = 16;
  simulate(&s, CATALOGUE "ideal.xml", RANKS, RH_PROTOCOL_RENDEZVOUS);
  for (int32_t i = 0; i < RANKS; i++)
    assert_close(s.finish_s[i], late_s + 126 * (latency_s + 4096 / bandwidth_Bps));
}

/* Five rounds with both neighbours on a ring: the delay travels a rank a round, so after five those within five ranks
 * are done later by D, and all others at the time at which they always are. */
static void late_ranks_shift_those_that_hear_of_them(void **state)
{
  (void)state;
  IN_PROCESS();
  static int32_t offset[RANKS + 1], list[2 * RANKS];
  for (int32_t p = 0; p <= RANKS; p++) {
    offset[p] = 2 * p;
    if (p == RANKS) break;
    list[2 * p] = (p + RANKS - 1) % RANKS;
    list[2 * p + 1] = (p + 1) % RANKS;
  }
  const rh_neighbours neighbours = {
      .workers = RANKS, .out_offset = offset, .out = list, .in_offset = offset, .in = list};
  simulation s = one_job(&rh_neighbour_exchange, 4096);
  s.jobs[0].neighbours = &neighbours;
  s.late_from = 0;
  s.late_to = 8;
  s.rounds = 5;
  simulate(&s, CATALOGUE "ideal.xml", RANKS, RH_PROTOCOL_RENDEZVOUS);
  const double rounds_s = 5 * (latency_s + 2 * 4096 / bandwidth_Bps);
  for (int32_t i = 0; i < RANKS; i++) {
    const int32_t far = i < 8 ? 0 : i - 7 < RANKS - i ? i - 7 : RANKS - i; /* from the nearest late rank */
    assert_close(s.finish_s[i], rounds_s + (far <= 5 ? late_s : 0));
  }
}

/* A broadcast from rank 0 over distances 32, 16, ..., 1; ranks 56 to 63, which start late, are one branch of the tree,
 * below 48. Every rank has a part in the last of six steps. Rank 48 waits for 56 to be there before it turns to its
 * nearer children, so all of 48 to 63 are late by four steps after D; eagerly it does not wait, what it sent lies
 * there, and 56 to 63 alone are late by their own three. */
static void late_ranks_shift_their_branch_of_a_broadcast(void **state)
{
  (void)state;
  if (in_process_argument == NULL) {
    in_process_with(__func__, "0");
    in_process_with(__func__, "1");
    return;
  }
  const bool eager = strcmp(in_process_argument, "1") == 0;
  simulation s = one_job(&rh_broadcast_binomial, 4096);
  s.late_from = 56;
  s.late_to = 64;
  simulate(&s, CATALOGUE "ideal.xml", RANKS, eager ? RH_PROTOCOL_EAGER : RH_PROTOCOL_RENDEZVOUS);
  const double step_s = latency_s + 4096 / bandwidth_Bps;
  for (int32_t i = 0; i < RANKS; i++)
    assert_close(s.finish_s[i], i < (eager ? 56 : 48) ? 6 * step_s : late_s + (eager ? 3 : 4) * step_s);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rings_across_a_trunk_share_it),
      cmocka_unit_test(eight_to_one_takes_eight_times_as_long),
      cmocka_unit_test(late_ranks_shift_a_ring_by_their_delay),
      cmocka_unit_test(late_ranks_shift_those_that_hear_of_them),
      cmocka_unit_test(late_ranks_shift_their_branch_of_a_broadcast),
  };
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
