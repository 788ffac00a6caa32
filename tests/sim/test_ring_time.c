/* On a platform without contention the simulated time of a collective is its closed form. */
#include "in_process.h"

#include <math.h>

#include "collectives.h"
#include "schedule.h"

/* platforms/ideal.xml: two links of 1 us between any two hosts, 12.5 GB/s each. */
static const double latency_s = 2e-6, bandwidth_Bps = 12.5e9;

typedef struct experiment {
  rh_schedule *schedule;
  rh_collective collective;
  int64_t rounds;
  rh_collective_time last;
  int64_t done;
  int64_t messages, wire_bytes; /* of the rounds */
} experiment;

static rh_status produce(void *context, int64_t round, bool *more)
{
  experiment *e = context;
  rh_schedule_collective(e->schedule, &e->collective, NULL);
  *more = round + 1 < e->rounds;
  return RH_OK;
}

static rh_status collective_done(void *context, const rh_collective_time *time)
{
  experiment *e = context;
  e->last = *time;
  e->done++;
  return RH_OK;
}

static rh_status round_done(void *context, const rh_round_time *time)
{
  experiment *e = context;
  e->messages += time->messages;
  e->wire_bytes += time->wire_bytes;
  return RH_OK;
}

static void simulate(experiment *e, rh_protocol protocol)
{
  static rh_platform *platform; /* nothing unloads it */
  const rh_platform_def def = {.file = RH_SOURCE_DIR "/platforms/ideal.xml", .workers = e->collective.size};
  if (rh_platform_load(&def, &platform) != RH_OK) fail_msg("%s", rh_error_message());
  const rh_schedule_def schedule_def = {.platform = platform,
                                        .protocol = protocol,
                                        .lead = 2,
                                        .context = e,
                                        .produce = produce,
                                        .round_done = round_done,
                                        .collective_done = collective_done};
  assert_int_equal(rh_schedule_new(&schedule_def, &e->schedule), RH_OK);
  if (rh_schedule_run(e->schedule) != RH_OK) fail_msg("%s", rh_error_message());
}

static void assert_relative(double value, double expected)
{
  if (!(fabs(value - expected) <= 1e-9 * fabs(expected)))
    fail_msg("%.17g is not %.17g: relative difference %.3g", value, expected, value / expected - 1);
}

/* One ring in a process of its own: "N elements protocol". */
static void ring_allreduce_takes_its_closed_form(void **state)
{
  (void)state;
  static const int sizes[] = {2, 3, 4, 5, 6, 7, 8, 9, 16, 64};
  if (in_process_argument == NULL) {
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
      for (int p = 0; p < 2; p++) {
        const int elements[] = {20522, 1000000, sizes[i]}; /* the last one: chunks of one float */
        for (int e = 0; e < 3; e++) {
          char argument[64];
          snprintf(argument, sizeof argument, "%d %d %d", sizes[i], elements[e], p);
          in_process_with(__func__, argument);
        }
      }
    return;
  }
  int N, elements, protocol;
  assert_int_equal(sscanf(in_process_argument, "%d %d %d", &N, &elements, &protocol), 3);
  experiment e = {
      .collective = {.kind = &rh_allreduce_ring, .size = N, .bytes = 4 * (int64_t)elements, .element_bytes = 4},
      .rounds = 1};
  simulate(&e, protocol ? RH_PROTOCOL_EAGER : RH_PROTOCOL_RENDEZVOUS);

  const int64_t chunk_bytes = 4 * (int64_t)((elements + N - 1) / N), messages = 2 * (int64_t)(N - 1) * N;
  const double seconds = 2 * (N - 1) * (latency_s + (double)chunk_bytes / bandwidth_Bps);
  assert_int_equal(e.done, 1);
  assert_relative(rh_schedule_elapsed_s(e.schedule), seconds);
  assert_relative(e.last.finish_s - e.last.start_s, seconds);
  assert_relative(e.last.closed_form_s, seconds);
  assert_int_equal(e.last.messages, messages);
  assert_int_equal(e.last.wire_bytes, messages * chunk_bytes);
  assert_int_equal(e.messages, messages);
  assert_int_equal(e.wire_bytes, messages * chunk_bytes);
  for (int rank = 0; rank < N; rank++) {
    const rh_rank_time time = rh_schedule_rank_time(e.schedule, rank);
    assert_relative(time.communication_s, seconds); /* it sends and receives all the time */
    assert_true(time.waiting_s <= 1e-9 * seconds);
    assert_int_equal(time.sent_messages, 2 * (N - 1));
    assert_int_equal(time.sent_bytes, 2 * (N - 1) * chunk_bytes);
    assert_int_equal(time.received_bytes, 2 * (N - 1) * chunk_bytes);
  }
  rh_schedule_free(e.schedule);
}

/* Messages of different lengths: the longest one sets the pace (allgather_ring.c says why). */
static void ring_allgather_takes_its_closed_form(void **state)
{
  (void)state;
  IN_PROCESS();
  static const int64_t bytes_of[] = {40000, 123456, 7, 0, 99999};
  experiment e = {
      .collective = {.kind = &rh_allgather_ring, .size = 5, .bytes = 0, .element_bytes = 1, .bytes_of = bytes_of},
      .rounds = 1};
  simulate(&e, RH_PROTOCOL_RENDEZVOUS);
  const double seconds = 4 * (latency_s + 123456 / bandwidth_Bps);
  assert_relative(rh_schedule_elapsed_s(e.schedule), seconds);
  assert_relative(e.last.closed_form_s, seconds);
  assert_int_equal(e.last.messages, 20);
  assert_int_equal(e.last.wire_bytes, 4 * (40000 + 123456 + 7 + 0 + 99999));
  rh_schedule_free(e.schedule);
}

/* Undirected ring of 6, both directions, and 50 rounds of it: 50 (a + 2 S / B). */
static void neighbour_exchange_takes_its_closed_form(void **state)
{
  (void)state;
  IN_PROCESS();
  enum { N = 6 };
  static const int32_t offset[N + 1] = {0, 2, 4, 6, 8, 10, 12};
  static const int32_t list[2 * N] = {1, 5, 0, 2, 1, 3, 2, 4, 3, 5, 0, 4};
  static const rh_neighbours ring = {.workers = N, .out_offset = offset, .out = list, .in_offset = offset, .in = list};
  experiment e = {.collective = {.kind = &rh_neighbour_exchange,
                                 .size = N,
                                 .bytes = 82088,
                                 .element_bytes = 4,
                                 .neighbours = &ring},
                  .rounds = 50};
  simulate(&e, RH_PROTOCOL_RENDEZVOUS);
  const double seconds = latency_s + 2 * 82088 / bandwidth_Bps;
  assert_int_equal(e.done, 50);
  assert_relative(rh_schedule_elapsed_s(e.schedule), 50 * seconds);
  assert_relative(e.last.closed_form_s, seconds);
  assert_int_equal(e.messages, 50 * 12);
  assert_int_equal(e.wire_bytes, 50 * 12 * 82088);
  rh_schedule_free(e.schedule);
}

/* Everybody's message to one server, of different lengths, through the server's one port; and its answer to all. */
static void server_takes_its_closed_form(void **state)
{
  (void)state;
  static const int sizes[] = {2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 32};
  if (in_process_argument == NULL) {
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
      for (int up = 0; up < 2; up++) {
        char argument[64];
        snprintf(argument, sizeof argument, "%d %d", sizes[i], up);
        in_process_with(__func__, argument);
      }
    return;
  }
  int N, up;
  assert_int_equal(sscanf(in_process_argument, "%d %d", &N, &up), 2);
  int64_t bytes_of[32], sum = 0;
  for (int p = 0; p < N; p++) {
    bytes_of[p] = 20000 + 1234 * (int64_t)(p * 7 % N);
    sum += p > 0 ? bytes_of[p] : 0;
  }
  if (!up) sum = (N - 1) * (int64_t)82088;
  experiment e = {.collective = {.kind = up ? &rh_gather_direct : &rh_broadcast_direct,
                                 .size = N,
                                 .bytes = 82088,
                                 .element_bytes = 1,
                                 .bytes_of = up ? bytes_of : NULL},
                  .rounds = 1};
  simulate(&e, RH_PROTOCOL_RENDEZVOUS);
  const double seconds = latency_s + (double)sum / bandwidth_Bps;
  assert_int_equal(e.done, 1);
  assert_relative(rh_schedule_elapsed_s(e.schedule), seconds);
  assert_relative(e.last.closed_form_s, seconds);
  assert_int_equal(e.last.messages, N - 1);
  assert_int_equal(e.last.wire_bytes, sum);
  const rh_rank_time server = rh_schedule_rank_time(e.schedule, 0);
  assert_relative(server.communication_s, seconds);
  assert_int_equal(up ? server.received_bytes : server.sent_bytes, sum);
  assert_int_equal(up ? server.sent_bytes : server.received_bytes, 0);
  rh_schedule_free(e.schedule);
}

/* Trees, doubling and dissemination: every step of their longest path takes a + S / B. Steps and messages by hand: with
 * L = floor(log2 N) and r = N - 2^L, a tree has N-1 messages, a barrier one of each rank a step, doubling 2^L L + 2r.
 * Doubling with r > 0 is exact where transfers wait for their receiver (allreduce_doubling.c). */
static void logarithmic_kinds_take_their_closed_forms(void **state)
{
  (void)state;
  static const struct row {
    int N, up, doubling, doubling_messages;
  } rows[] = {{2, 1, 1, 2},  {3, 2, 3, 4},  {4, 2, 2, 8},   {5, 3, 4, 10},  {6, 3, 4, 12},   {7, 3, 4, 14},
              {8, 3, 3, 24}, {9, 4, 5, 26}, {13, 4, 5, 34}, {16, 4, 4, 64}, {32, 5, 5, 160}, {48, 6, 7, 192}};
  enum { KINDS = 3, S = 82088 };
  if (in_process_argument == NULL) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
      for (int j = 0; j < 2 * KINDS; j++) {
        const bool doubling = j / 2 == 2, eager = j % 2 == 1, power_of_two = rows[i].up == rows[i].doubling;
        if (doubling && eager && !power_of_two) continue;
        char argument[64];
        snprintf(argument, sizeof argument, "%zu %d %d", i, j / 2, j % 2);
        in_process_with(__func__, argument);
      }
    return;
  }
  size_t i;
  int kind, protocol;
  assert_int_equal(sscanf(in_process_argument, "%zu %d %d", &i, &kind, &protocol), 3);
  const struct row r = rows[i];
  static const rh_collective_kind *const kinds[] = {&rh_broadcast_binomial, &rh_barrier_dissemination,
                                                    &rh_allreduce_doubling};
  const int steps[] = {r.up, r.up, r.doubling}, messages[] = {r.N - 1, r.N * r.up, r.doubling_messages};
  const int64_t bytes = kinds[kind] == &rh_barrier_dissemination ? 0 : S;
  experiment e = {.collective = {.kind = kinds[kind], .size = r.N, .bytes = bytes, .element_bytes = 4}, .rounds = 1};
  simulate(&e, protocol ? RH_PROTOCOL_EAGER : RH_PROTOCOL_RENDEZVOUS);
  const double seconds = steps[kind] * (latency_s + (double)bytes / bandwidth_Bps);
  assert_int_equal(e.done, 1);
  assert_relative(rh_schedule_elapsed_s(e.schedule), seconds);
  assert_relative(e.last.finish_s - e.last.start_s, seconds);
  assert_relative(e.last.closed_form_s, seconds);
  assert_int_equal(e.last.messages, messages[kind]);
  assert_int_equal(e.last.wire_bytes, messages[kind] * bytes);
  rh_schedule_free(e.schedule);
}

/* Alone there is nothing to send, and no time passes; the collective is still told. */
static void group_of_one_takes_no_time(void **state)
{
  (void)state;
  static const char *const names[] = {"allreduce-ring", "broadcast-binomial", "barrier-dissemination",
                                      "allreduce-doubling"};
  if (in_process_argument == NULL) {
    for (int i = 0; i < 4; i++)
      in_process_with(__func__, names[i]);
    return;
  }
  const rh_collective_kind *kind = rh_collective_find(in_process_argument);
  experiment e = {.collective = {.kind = kind, .size = 1, .bytes = 400, .element_bytes = 4}, .rounds = 3};
  simulate(&e, RH_PROTOCOL_RENDEZVOUS);
  assert_int_equal(e.done, 3);
  assert_true(rh_schedule_elapsed_s(e.schedule) == 0);
  assert_true(e.last.closed_form_s == 0);
  assert_int_equal(e.messages, 0);
  rh_schedule_free(e.schedule);
}

/* An empty vector still synchronises: its messages carry nothing, but take the latency. */
static void empty_messages_take_the_latency(void **state)
{
  (void)state;
  IN_PROCESS();
  experiment e = {.collective = {.kind = &rh_allreduce_ring, .size = 4, .bytes = 0, .element_bytes = 4}, .rounds = 1};
  simulate(&e, RH_PROTOCOL_RENDEZVOUS);
  assert_relative(rh_schedule_elapsed_s(e.schedule), 6 * latency_s);
  assert_int_equal(e.messages, 24);
  assert_int_equal(e.wire_bytes, 0);
  rh_schedule_free(e.schedule);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ring_allreduce_takes_its_closed_form),
      cmocka_unit_test(ring_allgather_takes_its_closed_form),
      cmocka_unit_test(neighbour_exchange_takes_its_closed_form),
      cmocka_unit_test(server_takes_its_closed_form),
      cmocka_unit_test(logarithmic_kinds_take_their_closed_forms),
      cmocka_unit_test(group_of_one_takes_no_time),
      cmocka_unit_test(empty_messages_take_the_latency),
  };
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
