/* Decentralised methods: what they charge, against timelines worked out by hand and formulas of message lengths. A
 * worker of the ring has two neighbours, so a mixing row has three terms. */
#include "timed_fixture.h"

/* Seconds of the fixture's steps. */
static const double gradient_s = 3e-3, update_s = 1e-4, encode_s = 3e-5, decode_s = 2e-5, term_s = 1e-5;

enum { TENSORS = 4 };
static const int lengths[TENSORS] = {576, 16, 48, 3};

static double int8_bytes(void)
{
  return parameters + 8 * TENSORS;
}

static double travel_s(double message_bytes)
{
  return pair_latency_s + 2 * message_bytes / pair_bandwidth_Bps;
}

static void a_synchronous_round_waits_for_its_messages(void **state)
{
  (void)state;
  IN_PROCESS();
  load_ideal();
  const choice c = {.method = "choco", .graph = "ring"};
  check_seconds(&c, 3, 3 * (gradient_s + update_s + exchange_s() + 3 * term_s));
  const choice lossy = {.method = "choco", .graph = "ring", .compressor = "int8"};
  check_seconds(&lossy, 3, 3 * (gradient_s + update_s + encode_s + travel_s(int8_bytes()) + 3 * decode_s + 3 * term_s));
}

/* The exchange fits into the next gradient: what is seen of it is that of the last round. */
static void a_background_exchange_is_hidden(void **state)
{
  (void)state;
  IN_PROCESS();
  load_ideal();
  static const char *const settings[] = {"train.exchange=background", NULL};
  const choice c = {.method = "choco", .graph = "ring", .settings = settings};
  assert_true(exchange_s() < gradient_s);
  check_seconds(&c, 4, 4 * (gradient_s + update_s + 3 * term_s) + exchange_s());
  /* with loss: the own message is decoded while the last exchange goes on, the neighbours' in the next round */
  const choice lossy = {.method = "choco", .graph = "ring", .compressor = "int8", .settings = settings};
  assert_true(travel_s(int8_bytes()) < decode_s);
  check_seconds(&lossy, 4, 4 * (gradient_s + update_s + 3 * term_s + encode_s + decode_s) + 3 * 2 * decode_s);
}

/* Steps a hundred thousand times faster: the exchange takes longer than the gradient, and rounds follow each other at
 * the network's pace: mixing waits for the last exchange, and the next one starts when it is done. */
static void a_slow_background_exchange_sets_the_pace(void **state)
{
  (void)state;
  IN_PROCESS();
  load_ideal();
  static const char *const settings[] = {"train.exchange=background", NULL};
  const double fast = 1e-5, step_s = fast * (gradient_s + update_s), mix_s = fast * 3 * term_s;
  assert_true(step_s < exchange_s());
  const choice background = {.method = "choco", .graph = "ring", .settings = settings, .seconds_scale = fast};
  check_seconds(&background, 4, step_s + 4 * (mix_s + exchange_s()));
  const choice synchronous = {.method = "choco", .graph = "ring", .seconds_scale = fast};
  check_seconds(&synchronous, 4, 4 * (step_s + mix_s + exchange_s()));
}

/* dcd's models move by their own messages: the neighbours' are needed when the next gradient is there. */
static void dcd_exchanges_in_the_background(void **state)
{
  (void)state;
  IN_PROCESS();
  load_ideal();
  const choice c = {.method = "dcd", .graph = "ring"};
  check_seconds(&c, 3, 3 * (gradient_s + update_s + 3 * term_s) + exchange_s());
  const choice lossy = {.method = "dcd", .graph = "ring", .compressor = "int8"};
  check_seconds(&lossy, 3, 3 * (gradient_s + update_s + 5 * term_s + encode_s + decode_s) + 2 * 2 * decode_s);
}

/* What methods do beside a mixing row is charged in its terms: the kept error 2, the displacement 3, x / w 1. */
static void passes_over_the_model_are_charged(void **state)
{
  (void)state;
  IN_PROCESS();
  load_ideal();
  const double step_s = gradient_s + update_s, lossy_s = step_s + encode_s + 3 * decode_s;
  const choice kept = {.method = "deepsqueeze", .graph = "ring", .compressor = "int8"};
  check_seconds(&kept, 2, 2 * (lossy_s + travel_s(int8_bytes()) + 5 * term_s));
  const choice nothing_lost = {.method = "deepsqueeze", .graph = "ring"};
  check_seconds(&nothing_lost, 2, 2 * (step_s + exchange_s() + 3 * term_s));
  const choice displaced = {.method = "qg-dsgdm", .graph = "ring"};
  check_seconds(&displaced, 2, 2 * (step_s + exchange_s() + 6 * term_s));
  const choice pushed = {.method = "sgp", .graph = "ring", .weights = RH_WEIGHTS_PUSH};
  check_seconds(&pushed, 2, 2 * (step_s + travel_s(4 * (parameters + 1)) + 4 * term_s));
}

/* The last two of five rounds: no gradient, no update; messages and mixing as before. */
static void rounds_of_gossip_alone_charge_no_gradient(void **state)
{
  (void)state;
  IN_PROCESS();
  load_ideal();
  static const char *const alone[] = {"train.gossip_rounds=2", NULL};
  const double gossip_s = exchange_s() + 3 * term_s;
  choice c = {.method = "dpsgd", .graph = "ring", .settings = alone, .rounds = 5};
  check_seconds(&c, 5, 3 * (gradient_s + update_s) + 5 * gossip_s);
  c.method = "choco";
  check_seconds(&c, 5, 3 * (gradient_s + update_s) + 5 * gossip_s);
  c.method = "dcd"; /* the first round of gossip alone cannot hide the exchange before it */
  check_seconds(&c, 5, 3 * (gradient_s + update_s) + 5 * 3 * term_s + 3 * exchange_s());
  c.method = "dpsgd";
  c.order = "combine-then-adapt"; /* the exchange is hidden in the first three */
  check_seconds(&c, 5, 3 * (gradient_s + update_s + 3 * term_s) + 2 * gossip_s);
}

/* One round; every edge carries a message of so many bytes. */
static void check_edge_bytes(const choice *c, double bytes)
{
  const timed run = run_timed(c, 1);
  const double found = (double)run.wire_bytes / (double)run.messages;
  assert_int_equal(run.messages, 2 * N); /* a ring */
  if (found != bytes) fail_msg("%s with %s sends %g bytes an edge, not %g", c->method, c->compressor, found, bytes);
}

static double kept_values(double ratio)
{
  double kept = 0;
  for (int s = 0; s < TENSORS; s++)
    kept += fmax(1, floor(lengths[s] * ratio));
  return kept;
}

/* Each method, each compressor; of topk the largest fiftieth of each tensor, at least one: 11 + 1 + 1 + 1. */
static void check_all_bytes(const char *method, int weights, double extra_bytes)
{
  static const char *const u32[] = {"compress.ratio=.02", "compress.index=u32", NULL};
  static const char *const u16[] = {"compress.ratio=.02", "compress.index=u16", NULL};
  choice c = {.method = method, .graph = "ring", .weights = weights, .compressor = "none"};
  assert_true(kept_values(.02) == 14);
  check_edge_bytes(&c, 4 * parameters + extra_bytes);
  c.compressor = "int8";
  check_edge_bytes(&c, int8_bytes() + extra_bytes);
  c.compressor = "topk";
  c.settings = u32;
  check_edge_bytes(&c, 8 * kept_values(.02) + extra_bytes);
  c.settings = u16;
  check_edge_bytes(&c, 6 * kept_values(.02) + extra_bytes);
}

#define BYTES_TEST(name, method, weights, extra_bytes)                                                                 \
  static void name(void **state)                                                                                       \
  {                                                                                                                    \
    (void)state;                                                                                                       \
    IN_PROCESS();                                                                                                      \
    load_ideal();                                                                                                      \
    check_all_bytes(method, weights, extra_bytes);                                                                     \
  }
BYTES_TEST(choco_sends_what_the_formulas_say, "choco", RH_WEIGHTS_METROPOLIS, 0)
BYTES_TEST(deepsqueeze_sends_what_the_formulas_say, "deepsqueeze", RH_WEIGHTS_METROPOLIS, 0)
BYTES_TEST(dcd_sends_what_the_formulas_say, "dcd", RH_WEIGHTS_METROPOLIS, 0)
BYTES_TEST(qg_dsgdm_sends_what_the_formulas_say, "qg-dsgdm", RH_WEIGHTS_METROPOLIS, 0)
BYTES_TEST(sgp_sends_the_weight_as_well, "sgp", RH_WEIGHTS_PUSH, 4)

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_synchronous_round_waits_for_its_messages),
      cmocka_unit_test(a_background_exchange_is_hidden),
      cmocka_unit_test(a_slow_background_exchange_sets_the_pace),
      cmocka_unit_test(dcd_exchanges_in_the_background),
      cmocka_unit_test(passes_over_the_model_are_charged),
      cmocka_unit_test(rounds_of_gossip_alone_charge_no_gradient),
      cmocka_unit_test(choco_sends_what_the_formulas_say),
      cmocka_unit_test(deepsqueeze_sends_what_the_formulas_say),
      cmocka_unit_test(dcd_sends_what_the_formulas_say),
      cmocka_unit_test(qg_dsgdm_sends_what_the_formulas_say),
      cmocka_unit_test(sgp_sends_the_weight_as_well),
  };
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
