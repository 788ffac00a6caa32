/* Methods: what they charge, against closed forms and timelines worked out by hand. */
#include "timed_fixture.h"

/* Three rounds. */
static void check_round_seconds(const choice *c, double round_s)
{
  check_seconds(c, 3, 3 * round_s);
}

static void an_allreduce_round_takes_its_closed_form(void **state)
{
  (void)state;
  IN_PROCESS();
  load_ideal();
  choice c = {.method = "allreduce"};
  double chunk_bytes = ceil(parameters / N) * 4;
  double ring_s = 2 * (N - 1) * (pair_latency_s + chunk_bytes / pair_bandwidth_Bps);
  check_round_seconds(&c, 3e-3 + ring_s + 1e-4);
}

/* 643 values of 4 bytes on 8 ranks are beyond what auto takes for short; buckets of 51 values are not. */
static void an_allreduce_round_takes_the_chosen_algorithm(void **state)
{
  (void)state;
  IN_PROCESS();
  load_ideal();
  const double bytes = 4 * parameters, block_bytes = 4 * ceil(parameters / N);
  const double halving_s = 6 * pair_latency_s + 2 * (N - 1) * block_bytes / pair_bandwidth_Bps;
  choice c = {.method = "allreduce", .collective = RH_ALLREDUCE_DOUBLING};
  check_round_seconds(&c, 3e-3 + 3 * (pair_latency_s + bytes / pair_bandwidth_Bps) + 1e-4);
  c.collective = RH_ALLREDUCE_HALVING_DOUBLING;
  check_round_seconds(&c, 3e-3 + halving_s + 1e-4);
  c.collective = RH_ALLREDUCE_AUTO;
  check_round_seconds(&c, 3e-3 + halving_s + 1e-4);
  c.buckets = 2;
  const double first_s = 3 * (pair_latency_s + 4 * 51 / pair_bandwidth_Bps);
  const double second_s = 6 * pair_latency_s + 2 * (N - 1) * 4 * (592 / 8.0) / pair_bandwidth_Bps;
  check_round_seconds(&c, 3e-3 + first_s + second_s + 1e-4);
}

static void an_adapt_then_combine_round_takes_its_closed_form(void **state)
{
  (void)state;
  IN_PROCESS();
  load_ideal();
  choice c = {.method = "dpsgd", .graph = "ring"};
  check_round_seconds(&c, 3e-3 + 1e-4 + exchange_s() + 3 * 1e-5);
}

/* Models travel while the gradient is computed, which takes longer here. */
static void combine_then_adapt_hides_the_exchange(void **state)
{
  (void)state;
  IN_PROCESS();
  load_ideal();
  choice c = {.method = "dpsgd", .graph = "ring", .order = "combine-then-adapt"};
  assert_true(exchange_s() < 3e-3);
  check_round_seconds(&c, 3e-3 + 3 * 1e-5 + 1e-4);
}

static double ring_s(double values)
{
  return 2 * (N - 1) * (pair_latency_s + ceil(values / N) * 4 / pair_bandwidth_Bps);
}

/* Two buckets, the last layer's 51 values first, then 592. Without overlap both travel after all gradients exist. */
static void buckets_travel_one_after_the_other(void **state)
{
  (void)state;
  IN_PROCESS();
  load_ideal();
  choice c = {.method = "allreduce", .buckets = 2};
  check_round_seconds(&c, 3e-3 + ring_s(51) + ring_s(592) + 1e-4);
}

/* Overlap: forward 1 ms, the last layer 1.5 ms, then its bucket travels while the first layer takes its .5 ms. */
static void overlap_hides_the_first_bucket(void **state)
{
  (void)state;
  IN_PROCESS();
  load_ideal();
  choice c = {.method = "allreduce", .buckets = 2, .overlap = "on"};
  assert_true(ring_s(51) < 5e-4);
  check_round_seconds(&c, 1e-3 + 1.5e-3 + 5e-4 + ring_s(592) + 1e-4);
}

/* Three buckets that queue up, by hand: forward 100 us; layer 2 takes 10 us, layer 1 5 us, layer 0 20 us, so they exist
 * at 110, 115 and 135 us; each needs about 28 us on the communication lane, so they follow each other from 110 us on.
 * Without overlap the first starts at 135 us. */
static void check_three_buckets(const char *overlap, double first_s)
{
  load_ideal();
  choice c = {.method = "allreduce", .buckets = 3, .overlap = overlap};
  check_round_seconds(&c, first_s + ring_s(51) + ring_s(16) + ring_s(576) + 1e-4);
}

static void three_buckets_queue_up(void **state)
{
  (void)state;
  IN_PROCESS();
  check_three_buckets("on", 110e-6);
}

static void three_buckets_wait_without_overlap(void **state)
{
  (void)state;
  IN_PROCESS();
  check_three_buckets("off", 135e-6);
}

/* An all-gather of one 8-bit message of every worker. */
static double gather_s(void)
{
  const int lengths[] = {576, 16, 48, 3};
  double bytes = 0;
  for (int s = 0; s < 4; s++)
    for (int left = lengths[s]; left > 0; left -= 512)
      bytes += 4 + fmin(left, 512);
  return (N - 1) * (pair_latency_s + bytes / pair_bandwidth_Bps);
}

/* A lossy message with feedback: encoding, keeping the error, an all-gather of N messages, decoding and adding them. */
static void a_lossy_round_takes_its_closed_form(void **state)
{
  (void)state;
  IN_PROCESS();
  load_ideal();
  choice c = {.method = "allreduce", .compressor = "qsgd", .bits = "8", .feedback = RH_FEEDBACK_CLASSIC};
  check_round_seconds(&c, 3e-3 + 3e-5 + 4e-5 + gather_s() + N * (2e-5 + 1e-5) + 1e-4);
}

/* Step-ahead: momentum, encoding and keeping the error; the all-gather, decoding and adding; where errors are averaged,
 * an all-reduce of the model; then x = x - mean and y = x - e. */
static void a_step_ahead_round_takes_its_closed_form(void **state)
{
  (void)state;
  IN_PROCESS();
  load_ideal();
  choice c = {.method = "allreduce", .compressor = "qsgd", .bits = "8", .feedback = RH_FEEDBACK_STEP_AHEAD};
  c.average_every = 1;
  check_round_seconds(&c, 3e-3 + 1e-4 + 3e-5 + 4e-5 + gather_s() + N * (2e-5 + 1e-5) + ring_s(parameters) + 2 * 1e-5);
}

/* With overlap a bucket's share of the momentum comes before its encoding, so the first one travels early: forward 1
 * ms, the last layer 1.5 ms, 51 of 643 values. */
static void step_ahead_makes_momentum_bucket_by_bucket(void **state)
{
  (void)state;
  IN_PROCESS();
  load_ideal();
  choice c = {.method = "allreduce", .buckets = 2, .overlap = "on", .feedback = RH_FEEDBACK_STEP_AHEAD};
  assert_true(ring_s(51) < 5e-4);
  check_round_seconds(&c, 1e-3 + 1.5e-3 + 5e-4 + 1e-4 + ring_s(592) + 2 * 1e-5);
}

/* Values of a phase's contribution of lowrank, of rank 2, for a bucket of the mlp. */
static double lowrank_values(int buckets, int bucket, int phase)
{
  fixture f = {0};
  const rh_compressor *q = &rh_compressor_lowrank;
  void *options = options_new(q->options, q->option_count, q->options_size, "compress", "rank", "2");
  /* dense of 36 x 16, 16 biases, dense of 16 x 3, 3 biases */
  const int64_t count[] = {576, 16, 48, 3}, rows[] = {16, 16, 3, 3};
  for (int s = 0; s < 4; s++)
    f.model.segments[s] = (rh_segment){.count = count[s], .rows = rows[s], .offset = s < 2 ? 0 : 592};
  f.model.segment_count = 4;
  f.model.parameters = 643;
  cut(&f, buckets);
  const double values = (double)q->sum->elements(options, &f.buckets[bucket].layout, phase);
  free(options);
  return values;
}

/* PowerSGD with feedback: two all-reduces with an encoding before each; then the sum is decoded, and the own message
 * for what it lost. */
static void a_lowrank_round_takes_its_closed_form(void **state)
{
  (void)state;
  IN_PROCESS();
  load_ideal();
  choice c = {.method = "allreduce", .compressor = "lowrank", .feedback = RH_FEEDBACK_CLASSIC};
  const double sums_s = ring_s(lowrank_values(1, 0, 0)) + ring_s(lowrank_values(1, 0, 1));
  check_round_seconds(&c, 3e-3 + 3e-5 + 4e-5 + sums_s + 3e-5 + 2 * 2e-5 + 1e-4);
}

/* Two buckets: no message waits for the decoding of an earlier bucket. */
static void second_phases_do_not_wait_for_decoding(void **state)
{
  (void)state;
  IN_PROCESS();
  load_ideal();
  choice c = {.method = "allreduce", .compressor = "lowrank", .buckets = 2};
  double left_s[2], right_s[2];
  for (int b = 0; b < 2; b++) {
    left_s[b] = ring_s(lowrank_values(2, b, 0));
    right_s[b] = ring_s(lowrank_values(2, b, 1));
  }
  /* arrivals of the first phases; the first bucket travels while the second is encoded */
  const double first_s = 3e-3 + 3e-5 + left_s[0], lefts_s = fmax(first_s, 3e-3 + 2 * 3e-5) + left_s[1];
  const double encoded_s = fmax(first_s, 3e-3 + 2 * 3e-5) + 3e-5, all_encoded_s = fmax(encoded_s, lefts_s) + 3e-5;
  const double arrived_s = fmax(lefts_s, encoded_s) + right_s[0];
  const double all_arrived_s = fmax(arrived_s, all_encoded_s) + right_s[1];
  const double decoded_s = fmax(arrived_s, all_encoded_s) + 2e-5;
  check_round_seconds(&c, fmax(decoded_s, all_arrived_s) + 2e-5 + 1e-4);
}

/* A single message of gossip is made in both phases' time. */
static void gossip_charges_both_phases_of_a_message(void **state)
{
  (void)state;
  IN_PROCESS();
  load_ideal();
  choice c = {.method = "dpsgd", .graph = "ring", .compressor = "lowrank"};
  const double bytes = 4 * (lowrank_values(1, 0, 0) + lowrank_values(1, 0, 1));
  const double travel_s = pair_latency_s + 2 * bytes / pair_bandwidth_Bps;
  check_round_seconds(&c, 3e-3 + 1e-4 + 2 * 3e-5 + travel_s + 3 * (2e-5 + 1e-5));
}

/* Rank 0 gathers N - 1 messages at its port, decodes and adds them, and answers with 4 bytes a value. */
static void a_server_round_takes_its_closed_form(void **state)
{
  (void)state;
  IN_PROCESS();
  load_ideal();
  choice c = {.method = "allreduce", .compressor = "qsgd", .bits = "8", .gather = "server"};
  const double bytes = 4 + 512 + 4 + 64 + 4 + 16 + 4 + 48 + 4 + 3; /* buckets of 512 values; weights 576, 16, 48, 3 */
  const double up_s = pair_latency_s + (N - 1) * bytes / pair_bandwidth_Bps;
  const double down_s = pair_latency_s + (N - 1) * 4 * parameters / pair_bandwidth_Bps;
  check_round_seconds(&c, 3e-3 + 3e-5 + up_s + N * (2e-5 + 1e-5) + down_s + 1e-4);
}

/* Three buckets by hand, with overlap: messages exist at 140, 175 and 225 us (gradients as above, 30 us of encoding
 * each) and all three are gathered before the first answer, which rank 0 can only begin after its own backward pass. So
 * only what is left of the gathering at 225 us is seen; the rest is decoding and answers, one after the other. */
static void a_server_gathers_all_buckets_before_it_answers(void **state)
{
  (void)state;
  IN_PROCESS();
  load_ideal();
  choice c = {.method = "allreduce", .compressor = "qsgd", .bits = "8", .buckets = 3, .overlap = "on"};
  c.gather = "server";
  const double values[] = {51, 16, 576}, bytes[] = {4 + 48 + 4 + 3, 4 + 16, 4 + 512 + 4 + 64};
  const double exists_s[] = {140e-6, 175e-6, 225e-6};
  double up_s[3], arrived_s = 0, decoded_s = 225e-6, answered_s = 0;
  for (int b = 0; b < 3; b++)
    up_s[b] = arrived_s = fmax(arrived_s, exists_s[b]) + pair_latency_s + (N - 1) * bytes[b] / pair_bandwidth_Bps;
  assert_true(up_s[1] < 225e-6); /* hidden */
  for (int b = 0; b < 3; b++) {
    decoded_s = fmax(decoded_s, up_s[b]) + N * (2e-5 + 1e-5 * values[b] / parameters);
    answered_s =
        fmax(fmax(answered_s, arrived_s), decoded_s) + pair_latency_s + (N - 1) * 4 * values[b] / pair_bandwidth_Bps;
  }
  check_round_seconds(&c, answered_s + 1e-4);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_allreduce_round_takes_its_closed_form),
      cmocka_unit_test(an_allreduce_round_takes_the_chosen_algorithm),
      cmocka_unit_test(an_adapt_then_combine_round_takes_its_closed_form),
      cmocka_unit_test(combine_then_adapt_hides_the_exchange),
      cmocka_unit_test(buckets_travel_one_after_the_other),
      cmocka_unit_test(overlap_hides_the_first_bucket),
      cmocka_unit_test(three_buckets_queue_up),
      cmocka_unit_test(three_buckets_wait_without_overlap),
      cmocka_unit_test(a_lossy_round_takes_its_closed_form),
      cmocka_unit_test(a_step_ahead_round_takes_its_closed_form),
      cmocka_unit_test(step_ahead_makes_momentum_bucket_by_bucket),
      cmocka_unit_test(a_server_round_takes_its_closed_form),
      cmocka_unit_test(a_server_gathers_all_buckets_before_it_answers),
      cmocka_unit_test(a_lowrank_round_takes_its_closed_form),
      cmocka_unit_test(second_phases_do_not_wait_for_decoding),
      cmocka_unit_test(gossip_charges_both_phases_of_a_message),
  };
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
