/* Schedules followed by hand, and their ends: done, deadlocked, stopped, failed. */
#include "in_process.h"

#include <math.h>
#include <signal.h>
#include <sys/time.h>

#include "collectives.h"
#include "schedule.h"

/* Three hosts on one bus: 1 MB/s shared by all that is under way, 0.1 s latency. n2 computes at half speed. */
static const char bus_xml[] =
    "<?xml version='1.0'?>\n"
    "<!DOCTYPE platform SYSTEM \"https://simgrid.org/simgrid.dtd\">\n"
    "<platform version=\"4.1\">\n"
    "  <config>\n"
    "    <prop id=\"network/model\" value=\"CM02\"/>\n"
    "    <prop id=\"network/TCP-gamma\" value=\"-1\"/>\n"
    "    <prop id=\"network/crosstraffic\" value=\"0\"/>\n"
    "  </config>\n"
    "  <zone id=\"all\" routing=\"Full\">\n"
    "    <host id=\"n0\" speed=\"1Gf\"/><host id=\"n1\" speed=\"1Gf\"/><host id=\"n2\" speed=\"500Mf\"/>\n"
    "    <link id=\"bus\" bandwidth=\"1MBps\" latency=\"100ms\"/>\n"
    "    <route src=\"n0\" dst=\"n1\"><link_ctn id=\"bus\"/></route>\n"
    "    <route src=\"n0\" dst=\"n2\"><link_ctn id=\"bus\"/></route>\n"
    "    <route src=\"n1\" dst=\"n2\"><link_ctn id=\"bus\"/></route>\n"
    "  </zone>\n"
    "</platform>\n";

enum { EVENTS = 64 };

typedef struct trial {
  rh_schedule *schedule;
  rh_status (*round)(struct trial *trial, int64_t round, bool *more);
  rh_event events[EVENTS];
  int event_count;
  rh_round_time rounds[16];
  rh_collective_time collectives[16];
  int round_count, collective_count;
  int64_t fail_after; /* rounds done; then round_done fails */
  int64_t stop_after; /* rounds done; then the stop flag is raised */
} trial;

static rh_platform *platform; /* nothing unloads it */
static volatile sig_atomic_t stop;

static rh_status produce(void *context, int64_t round, bool *more)
{
  trial *t = context;
  return t->round(t, round, more);
}

static rh_status round_done(void *context, const rh_round_time *time)
{
  trial *t = context;
  if (t->round_count < 16) t->rounds[t->round_count] = *time;
  t->round_count++;
  if (t->stop_after > 0 && t->round_count == t->stop_after) stop = 1;
  if (t->fail_after > 0 && t->round_count == t->fail_after) return rh_error(RH_EIO, "run.db: the disk is full");
  return RH_OK;
}

static rh_status collective_done(void *context, const rh_collective_time *time)
{
  trial *t = context;
  if (t->collective_count < 16) t->collectives[t->collective_count] = *time;
  t->collective_count++;
  return RH_OK;
}

static void event(void *context, const rh_event *event)
{
  trial *t = context;
  if (t->event_count < EVENTS) t->events[t->event_count] = *event;
  t->event_count++;
}

/* Simulates on the bus and returns what rh_schedule_run said. */
static rh_status simulate(trial *t, rh_protocol protocol, int32_t lead)
{
  char file[] = "/tmp/rehearse-bus-XXXXXX.xml";
  const int descriptor = mkstemps(file, 4);
  assert_true(descriptor >= 0);
  assert_int_equal(write(descriptor, bus_xml, sizeof bus_xml - 1), sizeof bus_xml - 1);
  close(descriptor);
  const rh_status loaded = rh_platform_load(&(rh_platform_def){.file = file, .workers = 3}, &platform);
  unlink(file);
  if (loaded != RH_OK) fail_msg("%s", rh_error_message());
  const rh_schedule_def def = {.platform = platform,
                               .protocol = protocol,
                               .lead = lead,
                               .stop = &stop,
                               .context = t,
                               .produce = produce,
                               .round_done = round_done,
                               .collective_done = collective_done,
                               .event = event};
  assert_int_equal(rh_schedule_new(&def, &t->schedule), RH_OK);
  return rh_schedule_run(t->schedule);
}

static void assert_near(double value, double expected)
{
  if (!(fabs(value - expected) <= 1e-9 * fmax(1, fabs(expected)))) fail_msg("%.15g is not %.15g", value, expected);
}

/* Loop-backs are links, too. */
static rh_link_time bus_time(const trial *t)
{
  for (int32_t i = 0; i < rh_platform_link_count(platform); i++)
    if (strcmp(rh_platform_link_name(platform, i), "bus") == 0) return rh_schedule_link_time(t->schedule, i);
  fail_msg("the platform has no bus");
  return (rh_link_time){0};
}

/* The one event with these properties. */
static void assert_event(const trial *t, int32_t rank, rh_lane lane, const char *label, int64_t round, int32_t peer,
                         int64_t bytes, double start_s, double finish_s)
{
  int found = 0;
  for (int i = 0; i < t->event_count; i++) {
    const rh_event *e = &t->events[i];
    if (e->rank != rank || e->lane != lane || strcmp(e->label, label) != 0 || e->round != round || e->peer != peer)
      continue;
    found++;
    assert_int_equal(e->bytes, bytes);
    assert_near(e->start_s, start_s);
    assert_near(e->finish_s, finish_s);
  }
  if (found != 1) fail_msg("%d events '%s' of rank %d in round %d", found, label, (int)rank, (int)round);
}

static void assert_rank(const trial *t, int32_t rank, rh_rank_time expected)
{
  const rh_rank_time time = rh_schedule_rank_time(t->schedule, rank);
  assert_near(time.compute_s, expected.compute_s);
  assert_near(time.encode_s, expected.encode_s);
  assert_near(time.decode_s, expected.decode_s);
  assert_near(time.communication_s, expected.communication_s);
  assert_near(time.both_s, expected.both_s);
  assert_near(time.waiting_s, expected.waiting_s);
  assert_int_equal(time.sent_bytes, expected.sent_bytes);
  assert_int_equal(time.received_bytes, expected.received_bytes);
  assert_int_equal(time.sent_messages, expected.sent_messages);
}

/* --- a schedule followed by hand ---------------------------------------------------------------------------------- */

/* 0 -> 1 -> 2 -> 0 */
static const int32_t cycle_offset[] = {0, 1, 2, 3}, cycle_out[] = {1, 2, 0}, cycle_in[] = {2, 0, 1};
static const rh_neighbours cycle = {
    .workers = 3, .out_offset = cycle_offset, .out = cycle_out, .in_offset = cycle_offset, .in = cycle_in};

/* Round 0: ranks compute 1 s, 2 s and (1.5 s at half speed) 3 s, then exchange 1.2 MB along the cycle.
 * Round 1: rank 0 computes 1 s at once, without waiting for round 0's exchange; the others compute 2 s and 3 s after
 * it. Then 1 MB from 0 to 1 (rank 1 takes it while it computes), then 0.5 MB from 2 to 1. */
static rh_status two_rounds(trial *t, int64_t round, bool *more)
{
  rh_schedule *s = t->schedule;
  rh_token computed[3];
  for (int32_t rank = 0; rank < 3; rank++) {
    static const double seconds[] = {1, 2, 1.5};
    const rh_token after = rank == 0 ? RH_AT_ONCE : rh_schedule_last(s, rank, RH_LANE_COMMUNICATION);
    computed[rank] = rh_schedule_compute(s, rank, seconds[rank], "gradient", after);
  }
  if (round == 0) {
    const rh_collective exchange = {
        .kind = &rh_neighbour_exchange, .size = 3, .bytes = 1200000, .element_bytes = 4, .neighbours = &cycle};
    rh_schedule_collective(s, &exchange, computed);
  } else {
    rh_schedule_send(s, 0, 1, 1000000, "first", computed[0], RH_AT_ONCE);
    rh_schedule_send(s, 2, 1, 500000, "second", computed[2], RH_AT_ONCE);
  }
  *more = round == 0;
  return RH_OK;
}

static void every_event_of_two_rounds(void **state)
{
  (void)state;
  IN_PROCESS();
  trial t = {.round = two_rounds};
  if (simulate(&t, RH_PROTOCOL_RENDEZVOUS, 2) != RH_OK) fail_msg("%s", rh_error_message());

  assert_int_equal(t.event_count, 11);
  assert_event(&t, 0, RH_LANE_COMPUTE, "gradient", 0, -1, 0, 0, 1);
  assert_event(&t, 1, RH_LANE_COMPUTE, "gradient", 0, -1, 0, 0, 2);
  assert_event(&t, 2, RH_LANE_COMPUTE, "gradient", 0, -1, 0, 0, 3);
  /* rank 0 runs ahead into round 1 while the others still compute round 0 */
  assert_event(&t, 0, RH_LANE_COMPUTE, "gradient", 1, -1, 0, 1, 2);
  /* 0 -> 1 starts when both are there, at 2; its bytes flow from 2.1 on, alone, 1 MB until 3.1. The other two start
   * with rank 2 at 3 and flow from 3.1 on, a third of the bus each: 0 -> 1 sends its last 0.2 MB until 3.1 + 0.6. */
  assert_event(&t, 1, RH_LANE_COMMUNICATION, "neighbour-exchange", 0, 0, 1200000, 2, 3.7);
  /* each of the others has 1.2 - 0.2 MB left for half of the bus: until 3.7 + 2 */
  assert_event(&t, 2, RH_LANE_COMMUNICATION, "neighbour-exchange", 0, 1, 1200000, 3, 5.7);
  assert_event(&t, 0, RH_LANE_COMMUNICATION, "neighbour-exchange", 0, 2, 1200000, 3, 5.7);
  assert_event(&t, 1, RH_LANE_COMPUTE, "gradient", 1, -1, 0, 5.7, 7.7);
  assert_event(&t, 2, RH_LANE_COMPUTE, "gradient", 1, -1, 0, 5.7, 8.7);
  /* 0.1 + 1 MB alone; then 0.1 + 0.5 MB when rank 2 has computed */
  assert_event(&t, 1, RH_LANE_COMMUNICATION, "first", 1, 0, 1000000, 5.7, 6.8);
  assert_event(&t, 1, RH_LANE_COMMUNICATION, "second", 1, 2, 500000, 8.7, 9.3);

  assert_near(rh_schedule_elapsed_s(t.schedule), 9.3);
  assert_int_equal(t.round_count, 2);
  assert_near(t.rounds[0].first_finish_s, 5.7);
  assert_near(t.rounds[0].finish_s, 5.7);
  assert_int_equal(t.rounds[0].messages, 3);
  assert_int_equal(t.rounds[0].wire_bytes, 3600000);
  assert_near(t.rounds[1].first_finish_s, 6.8); /* rank 0 has sent */
  assert_near(t.rounds[1].finish_s, 9.3);
  assert_int_equal(t.rounds[1].messages, 2);
  assert_int_equal(t.rounds[1].wire_bytes, 1500000);

  assert_int_equal(t.collective_count, 1);
  assert_near(t.collectives[0].start_s, 3); /* the last rank enters */
  assert_near(t.collectives[0].finish_s, 5.7);
  assert_near(t.collectives[0].closed_form_s, 0.1 + 1.2);
  assert_int_equal(t.collectives[0].messages, 3);
  assert_int_equal(t.collectives[0].wire_bytes, 3600000);

  /* the bus: 2 to 6.8 without a gap, and 8.7 to 9.3 */
  const rh_link_time bus = bus_time(&t);
  assert_int_equal(bus.bytes, 5100000);
  assert_near(bus.busy_s, 4.8 + 0.6);

  /* 0: computes 0 to 2, transfers 2 to 6.8, and is done */
  assert_rank(&t, 0, (rh_rank_time){2, 4.8, 0, 0, 2200000, 1200000, 2, 0, 0});
  /* 1: computes 0 to 2 and 5.7 to 7.7, transfers 2 to 6.8 and 8.7 to 9.3; waits 7.7 to 8.7 */
  assert_rank(&t, 1, (rh_rank_time){4, 5.4, 1.1, 1, 1200000, 2700000, 1, 0, 0});
  /* 2: computes 0 to 3 and 5.7 to 8.7, transfers 3 to 5.7 and 8.7 to 9.3 */
  assert_rank(&t, 2, (rh_rank_time){6, 3.3, 0, 0, 1700000, 1200000, 2, 0, 0});
  rh_schedule_free(t.schedule);
}

/* Rank 0 sends 1 MB at 1; rank 1 takes it after computing until 3. */
static rh_status late_receiver(trial *t, int64_t round, bool *more)
{
  (void)round;
  const rh_token ready = rh_schedule_compute(t->schedule, 0, 1, "short", RH_AT_ONCE);
  const rh_token busy = rh_schedule_compute(t->schedule, 1, 3, "long", RH_AT_ONCE);
  rh_schedule_send(t->schedule, 0, 1, 1000000, "message", ready, busy);
  *more = false;
  return RH_OK;
}

static void rendezvous_waits_for_the_receiver(void **state)
{
  (void)state;
  IN_PROCESS();
  trial t = {.round = late_receiver};
  assert_int_equal(simulate(&t, RH_PROTOCOL_RENDEZVOUS, 1), RH_OK);
  assert_event(&t, 1, RH_LANE_COMMUNICATION, "message", 0, 0, 1000000, 3, 4.1);
  assert_near(rh_schedule_elapsed_s(t.schedule), 4.1);
  assert_rank(&t, 0, (rh_rank_time){1, 1.1, 0, 2, 1000000, 0, 1, 0, 0});
  assert_rank(&t, 1, (rh_rank_time){3, 1.1, 0, 0, 0, 1000000, 0, 0, 0});
  rh_schedule_free(t.schedule);
}

static void eager_does_not_wait_for_the_receiver(void **state)
{
  (void)state;
  IN_PROCESS();
  trial t = {.round = late_receiver};
  assert_int_equal(simulate(&t, RH_PROTOCOL_EAGER, 1), RH_OK);
  assert_event(&t, 1, RH_LANE_COMMUNICATION, "message", 0, 0, 1000000, 1, 2.1);
  assert_near(rh_schedule_elapsed_s(t.schedule), 3);
  assert_rank(&t, 0, (rh_rank_time){1, 1.1, 0, 0, 1000000, 0, 1, 0, 0});
  assert_rank(&t, 1, (rh_rank_time){3, 1.1, 1.1, 0, 0, 1000000, 0, 0, 0});
  rh_schedule_free(t.schedule);
}

/* Rank 0 computes 1 s a round, rank 1 3 s, and nobody waits for anybody, but for `lead`. */
static rh_status unequal(trial *t, int64_t round, bool *more)
{
  rh_schedule_compute(t->schedule, 0, 1, "fast", RH_AT_ONCE);
  rh_schedule_compute(t->schedule, 1, 3, "slow", RH_AT_ONCE);
  *more = round < 3;
  return RH_OK;
}

static void ranks_run_ahead_by_lead_rounds(void **state)
{
  (void)state;
  IN_PROCESS();
  trial t = {.round = unequal};
  assert_int_equal(simulate(&t, RH_PROTOCOL_RENDEZVOUS, 1), RH_OK);
  assert_event(&t, 0, RH_LANE_COMPUTE, "fast", 1, -1, 0, 1, 2);
  /* rounds 2 and 3 are appended when the slowest rank has done rounds 0 and 1 */
  assert_event(&t, 0, RH_LANE_COMPUTE, "fast", 2, -1, 0, 3, 4);
  assert_event(&t, 0, RH_LANE_COMPUTE, "fast", 3, -1, 0, 6, 7);
  assert_event(&t, 1, RH_LANE_COMPUTE, "slow", 3, -1, 0, 9, 12);
  assert_int_equal(t.round_count, 4);
  assert_near(t.rounds[3].first_finish_s, 7);
  assert_near(t.rounds[3].finish_s, 12);
  rh_schedule_free(t.schedule);
}

/* 0.5 s of computing, the middle of which is decoding and the end encoding, then a cycle of 100 kB: 0.1 + 0.3 s with a
 * third of the bus each. 2000 rounds leave gaps on the bus that cannot be merged, so the interval lists are folded many
 * times. */
static rh_status many_rounds(trial *t, int64_t round, bool *more)
{
  const rh_collective exchange = {
      .kind = &rh_neighbour_exchange, .size = 3, .bytes = 100000, .element_bytes = 4, .neighbours = &cycle};
  rh_token computed[3];
  for (int32_t rank = 0; rank < 3; rank++) {
    const rh_token after = rh_schedule_last(t->schedule, rank, RH_LANE_COMMUNICATION);
    const double all_s = rank == 2 ? 0.25 : 0.5; /* at half speed */
    rh_schedule_compute(t->schedule, rank, 0.5 * all_s, "gradient", after);
    rh_schedule_compute(t->schedule, rank, 0.125 * all_s, RH_LABEL_DECODE, RH_AT_ONCE);
    rh_schedule_compute(t->schedule, rank, 0.125 * all_s, "mix", RH_AT_ONCE);
    computed[rank] = rh_schedule_compute(t->schedule, rank, 0.25 * all_s, RH_LABEL_ENCODE, RH_AT_ONCE);
  }
  rh_schedule_collective(t->schedule, &exchange, computed);
  *more = round + 1 < 2000;
  return RH_OK;
}

static void long_runs_add_up(void **state)
{
  (void)state;
  IN_PROCESS();
  trial t = {.round = many_rounds};
  assert_int_equal(simulate(&t, RH_PROTOCOL_RENDEZVOUS, 2), RH_OK);
  assert_int_equal(t.round_count, 2000);
  assert_near(rh_schedule_elapsed_s(t.schedule), 2000 * 0.9);
  const rh_link_time bus = bus_time(&t);
  assert_int_equal(bus.bytes, 2000 * 300000);
  assert_near(bus.busy_s, 2000 * 0.4);
  for (int32_t rank = 0; rank < 3; rank++)
    assert_rank(&t, rank,
                (rh_rank_time){1000, 800, 0, 0, 200000000, 200000000, 2000, .encode_s = 250, .decode_s = 125});
  rh_schedule_free(t.schedule);
}

/* --- other ends --------------------------------------------------------------------------------------------------- */

/* Rank 1 expects a message that rank 0 does not know of: 2 sends to 0, and 1 receives from 0. */
static rh_status inconsistent_graph(trial *t, int64_t round, bool *more)
{
  static const int32_t out_offset[] = {0, 0, 0, 1}, out[] = {0}, in_offset[] = {0, 1, 2, 2}, in[] = {2, 0};
  static const rh_neighbours graph = {
      .workers = 3, .out_offset = out_offset, .out = out, .in_offset = in_offset, .in = in};
  const rh_collective exchange = {
      .kind = &rh_neighbour_exchange, .size = 3, .bytes = 1000, .element_bytes = 1, .neighbours = &graph};
  rh_schedule_collective(t->schedule, &exchange, NULL);
  rh_schedule_compute(t->schedule, 1, 1, "update", rh_schedule_last(t->schedule, 1, RH_LANE_COMMUNICATION));
  *more = round < 5;
  return RH_OK;
}

static void deadlock_names_who_waits_for_whom(void **state)
{
  (void)state;
  IN_PROCESS();
  /* what SimGrid would say of a deadlock on the terminal is caught, to see that it says nothing */
  FILE *terminal = tmpfile();
  const int saved = dup(STDERR_FILENO);
  assert_true(terminal != NULL && saved >= 0);
  fflush(stderr);
  dup2(fileno(terminal), STDERR_FILENO);
  trial t = {.round = inconsistent_graph};
  const rh_status status = simulate(&t, RH_PROTOCOL_RENDEZVOUS, 1);
  fflush(stderr);
  dup2(saved, STDERR_FILENO);
  assert_int_equal(status, RH_EINVAL);
  const char *message = rh_error_message();
  if (strstr(message, "deadlock at 0.202 s of simulated time: 1 of 3 ranks") == NULL ||
      strstr(message, "rank 1 (n1) waits for rank 0 (n0) to send") == NULL ||
      strstr(message, "'neighbour-exchange' (round 0, step 0)") == NULL ||
      strstr(message, "rank 1 (n1) waits for its own communication lane in 'update' (round 0)") == NULL)
    fail_msg("%s", message);
  assert_int_equal(lseek(fileno(terminal), 0, SEEK_END), 0);
  rh_schedule_free(t.schedule);
}

static rh_status endless(trial *t, int64_t round, bool *more)
{
  const rh_status status = many_rounds(t, round, more);
  *more = true;
  return status;
}

static void stop_flag_ends_the_run(void **state)
{
  (void)state;
  IN_PROCESS();
  trial t = {.round = endless, .stop_after = 7};
  assert_int_equal(simulate(&t, RH_PROTOCOL_RENDEZVOUS, 2), RH_EINTERRUPTED);
  assert_non_null(strstr(rh_error_message(), "interrupted"));
  assert_int_equal(t.round_count, 7);
  rh_schedule_free(t.schedule);
}

static const trial *interrupted; /* by the signal, once a round is over, however slow the machine */

static void raise_stop(int signal)
{
  (void)signal;
  if (interrupted->round_count > 0) stop = 1;
}

/* Anywhere: in the middle of a step, with messages under way and ranks that wait for them. */
static void stop_flag_from_a_signal_ends_the_run(void **state)
{
  (void)state;
  if (in_process_argument == NULL) {
    in_process_with(__func__, "rendezvous");
    in_process_with(__func__, "eager");
    return;
  }
  trial t = {.round = endless};
  interrupted = &t;
  signal(SIGALRM, raise_stop);
  const struct itimerval soon = {.it_value = {.tv_usec = 100000}, .it_interval = {.tv_usec = 20000}};
  setitimer(ITIMER_REAL, &soon, NULL);
  const rh_protocol protocol = in_process_argument[0] == 'e' ? RH_PROTOCOL_EAGER : RH_PROTOCOL_RENDEZVOUS;
  assert_int_equal(simulate(&t, protocol, 2), RH_EINTERRUPTED);
  assert_true(t.round_count > 0);
  rh_schedule_free(t.schedule);
}

static rh_status fails_in_round_three(trial *t, int64_t round, bool *more)
{
  if (round == 3) return rh_error(RH_ENOMEM, "run.memory: 12 MiB are not enough");
  return many_rounds(t, round, more);
}

static void failing_producer_ends_the_run(void **state)
{
  (void)state;
  IN_PROCESS();
  trial t = {.round = fails_in_round_three};
  assert_int_equal(simulate(&t, RH_PROTOCOL_RENDEZVOUS, 2), RH_ENOMEM);
  assert_string_equal(rh_error_message(), "run.memory: 12 MiB are not enough");
  rh_schedule_free(t.schedule);
}

static void failing_recorder_ends_the_run(void **state)
{
  (void)state;
  IN_PROCESS();
  trial t = {.round = many_rounds, .fail_after = 4};
  assert_int_equal(simulate(&t, RH_PROTOCOL_EAGER, 2), RH_EIO);
  assert_string_equal(rh_error_message(), "run.db: the disk is full");
  assert_int_equal(t.round_count, 4);
  rh_schedule_free(t.schedule);
}

static rh_status nothing(trial *t, int64_t round, bool *more)
{
  (void)t;
  (void)round;
  *more = false;
  return RH_OK;
}

static void nothing_to_do_is_done(void **state)
{
  (void)state;
  IN_PROCESS();
  trial t = {.round = nothing};
  assert_int_equal(simulate(&t, RH_PROTOCOL_RENDEZVOUS, 1), RH_OK);
  assert_int_equal(t.round_count, 0);
  assert_true(rh_schedule_elapsed_s(t.schedule) == 0);
  rh_schedule_free(t.schedule);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_event_of_two_rounds),
      cmocka_unit_test(rendezvous_waits_for_the_receiver),
      cmocka_unit_test(eager_does_not_wait_for_the_receiver),
      cmocka_unit_test(ranks_run_ahead_by_lead_rounds),
      cmocka_unit_test(long_runs_add_up),
      cmocka_unit_test(deadlock_names_who_waits_for_whom),
      cmocka_unit_test(stop_flag_ends_the_run),
      cmocka_unit_test(stop_flag_from_a_signal_ends_the_run),
      cmocka_unit_test(failing_producer_ends_the_run),
      cmocka_unit_test(failing_recorder_ends_the_run),
      cmocka_unit_test(nothing_to_do_is_done),
  };
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
