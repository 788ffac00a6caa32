/* Collectives that are calculated (lone.h) against full simulation, at 1e-9 relative, on times, bytes and
 * busy seconds. */
#include "steady_compare.h"

/* A cluster as in `cluster`, with what LV08 adds to a lone transfer, but no cross traffic. */
static const char *windowed(const char *model, const char *latency, const char *topology)
{
  char text[2048];
  snprintf(text, sizeof text,
           HEAD
           "<config><prop id=\"network/model\" value=\"%s\"/><prop id=\"network/crosstraffic\" value=\"0\"/></config>"
           "<cluster id=\"c\" prefix=\"n\" suffix=\"\" radical=\"0-63\" speed=\"1Tf\" bw=\"1.25GBps\" lat=\"%s\""
           " sharing_policy=\"SPLITDUPLEX\" %s/>" TAIL,
           model, latency, topology);
  remove_temporary();
  return write_file(text);
}

/* Nothing of it may have been simulated. */
static void expect_calculated(const scenario *sc)
{
  outcome *o = compare(sc);
  if (o->steady.simulated_messages != 0)
    fail_msg("%s, protocol %d: %lld messages were simulated", sc->kind, (int)sc->protocol,
             (long long)o->steady.simulated_messages);
  assert_int_equal(o->steady.collectives_full, 0);
  assert_true(o->steady.skipped_s > 0 && o->steady.skipped_messages > 0);
  free_outcome(o);
}

/* Neighbours in the order of the hosts never share a cable, whatever the network; 40 or 48 of 64 leave
 * some of it out. */
static void rings_are_calculated(void **state)
{
  (void)state;
  static const char *const topologies[] = {flat, torus, fat_tree, oversubscribed};
  for (size_t i = 0; i < 4; i++)
    for (int protocol = 0; protocol < 2; protocol++) {
      scenario sc = {.platform = cluster("CM02", 64, topologies[i]),
                     .kind = i % 2 ? "allreduce-ring" : "reduce-scatter-ring",
                     .workers = 48,
                     .bytes = 4000000,
                     .protocol = protocol ? RH_PROTOCOL_EAGER : RH_PROTOCOL_RENDEZVOUS,
                     .lead = 1 + (int32_t)i % 3,
                     .rounds = 1};
      expect_calculated(&sc);
      sc.rounds = 2;
      sc.compute_s = 1e-3;
      expect_calculated(&sc);
      sc.spread_s = 3e-3; /* the last ranks enter when the first ones could have sent all they have */
      expect_calculated(&sc);
      sc.workers = 40;
      sc.changing = true;
      expect_calculated(&sc);
    }
}

/* On a flat network whatever hears one message at a time owns its port. */
static void one_peer_a_step_is_calculated_on_a_flat_network(void **state)
{
  (void)state;
  static const char *const kinds[] = {
      "allreduce-doubling", "allreduce-halving-doubling", "allreduce-tree",         "allgather-bruck",
      "alltoall-pairwise",  "barrier-dissemination",      "reduce-scatter-halving", "allreduce-torus"};
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
    for (int workers = 6; workers <= 48; workers += 42)
      expect_calculated(&(scenario){.platform = cluster("CM02", 64, flat),
                                    .kind = kinds[i],
                                    .workers = workers,
                                    .bytes = 82088,
                                    .sides = {2, workers / 2},
                                    .lead = 2,
                                    .rounds = 3,
                                    .compute_s = 1e-4,
                                    .spread_s = 1e-4 * (double)(i % 3)});
}

/* Latency factor, bandwidth factor and the TCP window: from rates that the window bounds to those that links do. */
static void lone_transfers_take_what_the_model_says(void **state)
{
  (void)state;
  static const char *const latencies[] = {"0us", "1us", "300us", "1ms", "5ms"};
  for (size_t i = 0; i < sizeof latencies / sizeof latencies[0]; i++)
    for (int model = 0; model < 2; model++)
      expect_calculated(&(scenario){.platform = windowed(model ? "LV08" : "CM02", latencies[i], i % 2 ? torus : flat),
                                    .kind = "allreduce-ring",
                                    .workers = 16,
                                    .bytes = 4000000,
                                    .lead = 1,
                                    .rounds = 2,
                                    .compute_s = 1e-3});
}

/* Cables that several cross, but not at the same time: all ranks begin together, as in the first round. */
static void gaps_between_transfers_are_seen(void **state)
{
  (void)state;
  const scenario sc = {.platform = cluster("CM02", 64, fat_tree),
                       .kind = "allreduce-halving-doubling",
                       .workers = 64,
                       .bytes = 4000000,
                       .lead = 1,
                       .rounds = 1};
  expect_calculated(&sc);
}

/* Every stride-th host, then those beside them, and so on: neighbours in the ring are on other leaves. */
static const char *strided_hosts(int hosts, int stride)
{
  static char text[2048];
  text[0] = '\0';
  for (int first = 0; first < stride; first++)
    for (int i = first; i < hosts; i += stride)
      snprintf(text + strlen(text), 16, "n%d\n", i);
  return write_file(text);
}

/* Rings that share cables, and end before anything else begins. */
static void shared_links_are_calculated(void **state)
{
  (void)state;
  static const struct row {
    const char *topology;
    int stride;
  } rows[] = {{oversubscribed, 8}, {oversubscribed, 4}, {fat_tree, 9}, {oversubscribed, 7}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    for (int protocol = 0; protocol < 2; protocol++)
      expect_calculated(&(scenario){.platform = cluster("CM02", 64, rows[i].topology),
                                    .hostfile = strided_hosts(64, rows[i].stride),
                                    .kind = "allreduce-ring",
                                    .workers = 64,
                                    .bytes = 4000000,
                                    .protocol = protocol ? RH_PROTOCOL_EAGER : RH_PROTOCOL_RENDEZVOUS,
                                    .lead = 1 + protocol,
                                    .rounds = 1,
                                    .compute_s = 1e-2 * protocol});
}

/* Both neighbours of a ring at once: each message has cables of its own, all ranks begin and end together. */
static void exchanges_are_calculated(void **state)
{
  (void)state;
  for (int32_t lead = 1; lead <= 2; lead++)
    for (int protocol = 0; protocol < 2; protocol++)
      expect_calculated(&(scenario){.platform = cluster("CM02", 64, torus),
                                    .kind = "neighbour-exchange",
                                    .workers = 4,
                                    .bytes = 82088,
                                    .protocol = protocol ? RH_PROTOCOL_EAGER : RH_PROTOCOL_RENDEZVOUS,
                                    .lead = lead,
                                    .rounds = 20,
                                    .beside_s = protocol ? 3e-5 : 0,
                                    .compute_s = lead == 1 ? 1e-4 : 0});
}

/* Where messages meet, what comes before is calculated and the rest simulated, or all of it. */
static void contention_is_simulated(void **state)
{
  (void)state;
  static const char *const topologies[] = {oversubscribed, torus, fat_tree};
  static const char *const kinds[] = {"allreduce-halving-doubling", "alltoall-pairwise", "allreduce-doubling",
                                      "allreduce-two-level"};
  int64_t simulated = 0;
  for (size_t i = 0; i < 3; i++)
    for (size_t j = 0; j < 4; j++)
      for (int protocol = 0; protocol < 2; protocol++) {
        outcome *o = compare(&(scenario){.platform = cluster("CM02", 64, topologies[i]),
                                         .hostfile = j % 2 ? lexicographic_hosts(64) : NULL,
                                         .kind = kinds[j],
                                         .workers = 30 + 17 * (int32_t)i,
                                         .bytes = 400000,
                                         .protocol = protocol ? RH_PROTOCOL_EAGER : RH_PROTOCOL_RENDEZVOUS,
                                         .lead = 2,
                                         .rounds = 3,
                                         .compute_s = 1e-4});
        simulated += o->steady.simulated_messages;
        free_outcome(o);
      }
  assert_true(simulated > 0);
}

/* Rounds of exchanges between collectives: who leaves early must not meet what is only calculated. */
static void ends_are_simulated_before_other_messages(void **state)
{
  (void)state;
  for (int32_t lead = 1; lead <= 2; lead++)
    for (int cycle = 0; cycle < 2; cycle++) {
      outcome *o = compare(&(scenario){.platform = cluster("CM02", 64, torus),
                                       .kind = "allreduce-ring",
                                       .workers = 64,
                                       .bytes = 82088,
                                       .lead = lead,
                                       .rounds = 30,
                                       .cycle = cycle ? 3 : 0,
                                       .exchange = true});
      assert_true(o->steady.skipped_messages > 0);
      free_outcome(o);
    }
}

/* Computing that the collective does not wait for: seconds of both at once are wanted, so every message is. */
static void computing_beside_is_simulated(void **state)
{
  (void)state;
  outcome *o = compare(&(scenario){.platform = cluster("CM02", 64, flat),
                                   .kind = "allreduce-halving-doubling",
                                   .workers = 32,
                                   .bytes = 4000000,
                                   .lead = 2,
                                   .rounds = 3,
                                   .compute_s = 1e-4,
                                   .beside_s = 2e-3});
  assert_true(o->steady.collectives_full >= 2); /* it may end before the last one */
  free_outcome(o);
}

/* 20 rounds of unequal computing: nothing repeats, and nothing of the network needs to be simulated. */
static void jitter_is_calculated(void **state)
{
  (void)state;
  expect_calculated(&(scenario){.platform = cluster("CM02", 64, fat_tree),
                                .kind = "allreduce-ring",
                                .workers = 64,
                                .bytes = 82088,
                                .lead = 2,
                                .rounds = 20,
                                .compute_s = 1e-4,
                                .jitter_s = 1e-4});
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rings_are_calculated),
      cmocka_unit_test(one_peer_a_step_is_calculated_on_a_flat_network),
      cmocka_unit_test(lone_transfers_take_what_the_model_says),
      cmocka_unit_test(gaps_between_transfers_are_seen),
      cmocka_unit_test(shared_links_are_calculated),
      cmocka_unit_test(exchanges_are_calculated),
      cmocka_unit_test(contention_is_simulated),
      cmocka_unit_test(ends_are_simulated_before_other_messages),
      cmocka_unit_test(computing_beside_is_simulated),
      cmocka_unit_test(jitter_is_calculated),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
