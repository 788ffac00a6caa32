/* Steady states: skipped against simulated in full, at 1e-9 relative, on times, bytes and busy seconds. Collectives
 * that are calculated have a test of their own (test_lone.c); LV08 with its cross traffic keeps them away here. */
#include "steady_compare.h"

/* --- tests -------------------------------------------------------------------------------------------------------- */

/* A million floats, which 64 ranks divide, or one more, which they do not; nor do 31, 62 or 72. */
static void ring_is_skipped_exactly(void **state)
{
  (void)state;
  static const struct row {
    const char *topology, *model;
    int hosts, workers;
    bool lexicographic;
  } rows[] = {
      {flat, "CM02", 64, 64, false},          {flat, "LV08", 64, 62, false},
      {flat, "CM02", 64, 31, true},           {fat_tree, "CM02", 64, 64, false},
      {fat_tree, "CM02", 64, 64, true},       {fat_tree, "LV08", 64, 62, false},
      {fat_tree, "LV08", 64, 64, false},      {oversubscribed, "CM02", 64, 64, true},
      {oversubscribed, "LV08", 64, 64, true}, {torus, "CM02", 64, 64, false},
      {torus, "LV08", 64, 64, false},         {dragonfly, "CM02", 72, 72, false},
      {dragonfly, "CM02", 72, 64, false},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    for (int protocol = 0; protocol < 2; protocol++) {
      const struct row *r = &rows[i];
      const char *platform = cluster(r->model, r->hosts, r->topology);
      const scenario sc = {.platform = platform,
                           .hostfile = r->lexicographic ? lexicographic_hosts(r->workers) : NULL,
                           .kind = "allreduce-ring",
                           .workers = r->workers,
                           .bytes = 4 * (1000000 + (int64_t)i % 2),
                           .protocol = protocol ? RH_PROTOCOL_EAGER : RH_PROTOCOL_RENDEZVOUS,
                           .lead = 1 + (int32_t)i % 3,
                           .rounds = 2,
                           .compute_s = 1e-3 * (double)(i % 2)};
      outcome *o = compare(&sc);
      if (o->steady.collectives_skipped == 0) fail_msg("row %zu, protocol %d: nothing was skipped", i, protocol);
      assert_true(o->steady.skipped_messages > 0 && o->steady.skipped_s > 0);
      free_outcome(o);
    }
}

/* Other kinds with like steps. Along each dimension of the torus 2 x 22 or 22 steps are alike. */
static void other_kinds_are_skipped_exactly(void **state)
{
  (void)state;
  static const scenario scenarios[] = {
      {.kind = "allgather-ring", .workers = 64, .bytes = 20000},
      {.kind = "reduce-scatter-ring", .workers = 64, .bytes = 82088},
      {.kind = "broadcast-chain", .workers = 8, .bytes = 20 << 20},
      {.kind = "allreduce-torus", .workers = 56, .bytes = 82088, .sides = {2, 28}},
      {.kind = "allreduce-torus", .workers = 56, .bytes = 82088, .sides = {28, 2}},
      {.kind = "broadcast-chain",
       .workers = 4,
       .bytes = 4000004,
       .protocol = RH_PROTOCOL_EAGER,
       .rounds = 20,
       .spread_s = 3e-4}, /* executions that end while their rank's intervals are folded */
  };
  for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
    scenario sc = scenarios[i];
    sc.platform = cluster("CM02", 64, flat);
    sc.lead = 2;
    if (sc.rounds == 0) sc.rounds = 2;
    outcome *o = compare(&sc);
    if (o->steady.skipped_messages == 0) fail_msg("%s (%zu): nothing was skipped", sc.kind, i);
    free_outcome(o);
  }
}

/* Rounds that repeat: one after the other, in a cycle of three, with late ranks, without computing; the last one falls
 * into the midst of a cycle. */
static void rounds_are_skipped_exactly(void **state)
{
  (void)state;
  static const scenario scenarios[] = {
      {.kind = "allreduce-ring", .workers = 16, .bytes = 4000000, .rounds = 100, .compute_s = 1e-3},
      {.kind = "allreduce-doubling", .workers = 64, .bytes = 82088, .rounds = 101, .compute_s = 1e-5, .spread_s = 1e-6},
      {.kind = "allreduce-doubling", .workers = 13, .bytes = 82088, .rounds = 500, .compute_s = 1e-5, .cycle = 3},
      {.kind = "allreduce-doubling", .workers = 8, .bytes = 82088, .rounds = 81, .compute_s = 1e-5, .alternate = true},
      {.kind = "neighbour-exchange", .workers = 64, .bytes = 82088, .rounds = 150},
      {.kind = "neighbour-exchange", .workers = 64, .bytes = 82088, .rounds = 151, .compute_s = 1e-5, .cycle = 4},
      {.kind = "neighbour-exchange", .workers = 20, .bytes = 8000, .rounds = 150, .compute_s = 1e-5, .spread_s = 1e-4},
      {.kind = "allreduce-doubling", .workers = 8, .bytes = 82088, .rounds = 80, .compute_s = 1e-5, .beside_s = 1e-5},
      {.kind = "broadcast-binomial", .workers = 24, .bytes = 82088, .rounds = 200, .compute_s = 1e-5},
  };
  static const char *const topologies[] = {flat, torus, fat_tree};
  for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++)
    for (int32_t lead = 1; lead <= 3; lead++) {
      scenario sc = scenarios[i];
      sc.platform = cluster(i % 2 ? "LV08" : "CM02", 64, topologies[(i + (size_t)lead) % 3]);
      sc.protocol = lead == 2 ? RH_PROTOCOL_EAGER : RH_PROTOCOL_RENDEZVOUS;
      sc.lead = lead;
      outcome *o = compare(&sc);
      if (o->steady.rounds_skipped < sc.rounds / 4)
        fail_msg("scenario %zu, lead %d: only %lld rounds were skipped", i, (int)lead,
                 (long long)o->steady.rounds_skipped);
      free_outcome(o);
    }
}

/* Messages of other lengths in every round. */
static void changing_rounds_run_in_full(void **state)
{
  (void)state;
  const scenario sc = {.platform = cluster("LV08", 64, flat),
                       .kind = "allreduce-doubling",
                       .workers = 16,
                       .bytes = 82088,
                       .lead = 2,
                       .rounds = 90,
                       .compute_s = 1e-5,
                       .changing = true};
  outcome *o = compare(&sc);
  assert_int_equal(o->steady.rounds_skipped, 0);
  assert_int_equal(o->steady.skipped_messages, 0);
  free_outcome(o);
}

/* Ranks that come one after the other, up to 0.2 ms apart: the transient is longer, the rest is skipped. */
static void late_ranks_are_waited_for(void **state)
{
  (void)state;
  const scenario sc = {.platform = cluster("CM02", 64, flat),
                       .kind = "allreduce-ring",
                       .workers = 64,
                       .bytes = 4000000,
                       .lead = 2,
                       .rounds = 3,
                       .compute_s = 1e-3,
                       .spread_s = 2e-4};
  outcome *o = compare(&sc);
  assert_int_equal(o->steady.collectives_skipped, 3);
  free_outcome(o);
}

static void expect_in_full(const scenario *sc, const char *reason)
{
  outcome *o = compare(sc);
  assert_int_equal(o->steady.collectives_skipped, 0);
  assert_int_equal(o->steady.skipped_messages, 0);
  assert_int_equal(o->steady.collectives_full, sc->rounds);
  if (!strstr(o->reasons, reason)) fail_msg("'%s' is not in: %s", reason, o->reasons);
  free_outcome(o);
}

/* On a torus whose ranks follow the names a ring's messages share links in ever changing ways, which
 * roundings decide. */
static void what_never_settles_runs_in_full(void **state)
{
  (void)state;
  const char *platform = cluster("CM02", 64, torus);
  expect_in_full(&(scenario){.platform = platform,
                             .hostfile = lexicographic_hosts(64),
                             .kind = "allreduce-ring",
                             .workers = 64,
                             .bytes = 4000000,
                             .lead = 1,
                             .rounds = 1},
                 "did not settle, and cannot: where their messages share links every rounding grows");
}

static void unequal_messages_run_in_full(void **state)
{
  (void)state;
  expect_in_full(&(scenario){.platform = cluster("LV08", 64, flat),
                             .kind = "allgather-ring",
                             .workers = 64,
                             .bytes = 20000,
                             .lead = 1,
                             .rounds = 2,
                             .unequal = true},
                 "too few like steps");
}

/* Computing that ends in the midst of what would be skipped: 1 ms, where the ring takes .88 ms after computing
 * .5 ms. */
static void nothing_is_skipped_beside_computing(void **state)
{
  (void)state;
  expect_in_full(&(scenario){.platform = cluster("CM02", 64, flat),
                             .kind = "allreduce-ring",
                             .workers = 64,
                             .bytes = 4000000,
                             .lead = 3,
                             .rounds = 1,
                             .beside_s = 2e-3},
                 "beside computing");
}

/* A host's port slows down 0.4 ms after the start: with the profile's change ahead nothing may be skipped. */
static void nothing_is_skipped_before_a_change_of_the_platform(void **state)
{
  (void)state;
  rh_text text = {0};
  rh_text_append(&text, "%s",
                 HEAD "<config><prop id=\"network/model\" value=\"CM02\"/></config>"
                      "<zone id=\"z\" routing=\"Full\">");
  enum { N = 8 };
  for (int i = 0; i < N; i++)
    rh_text_append(&text, "<host id=\"n%d\" speed=\"1Gf\"/>", i);
  const char *trace = strrchr(write_file("0.0004 500000000\n"), '/') + 1; /* SimGrid looks beside the platform */
  for (int i = 0; i < N; i++)
    rh_text_append(&text, "<link id=\"l%d\" bandwidth=\"1GBps\" latency=\"1us\" %s%s%s/>", i,
                   i == 3 ? "bandwidth_file=\"" : "", i == 3 ? trace : "", i == 3 ? "\"" : "");
  for (int i = 0; i < N; i++)
    for (int j = i + 1; j < N; j++)
      rh_text_append(&text, "<route src=\"n%d\" dst=\"n%d\"><link_ctn id=\"l%d\"/><link_ctn id=\"l%d\"/></route>", i, j,
                     i, j);
  rh_text_append(&text, "%s", "</zone>" TAIL);
  const char *file = write_file(rh_text_get(&text));
  rh_text_clear(&text);
  scenario sc = {.platform = file, .kind = "allreduce-ring", .workers = N, .bytes = 400000, .lead = 1, .rounds = 1};
  expect_in_full(&sc, "profiles change the platform");
  remove_temporary();
}

/* A ring of 1024 in its closed form, with less than 2 % of its 2,095,104 messages simulated. */
static void large_ring_takes_its_closed_form(void **state)
{
  (void)state;
  const scenario sc = {.platform = CATALOGUE "ideal.xml",
                       .kind = "allreduce-ring",
                       .workers = 1024,
                       .bytes = 100000000,
                       .lead = 1,
                       .rounds = 1};
  outcome *o = simulate_apart(&sc, true);
  const double chunk_bytes = 4 * 24415; /* ceil(25e6 / 1024) floats */
  assert_close(o->elapsed_s, 2 * 1023 * (2e-6 + chunk_bytes / 12.5e9));
  assert_int_equal(o->steady.simulated_messages + o->steady.skipped_messages, 2 * 1023 * 1024);
  assert_true(o->steady.simulated_messages < 2 * 1023 * 1024 / 50);
  for (int i = 0; i < 1024; i++)
    assert_int_equal(o->ranks[i].sent_bytes, 2 * 1023 * 4 * 24415);
  free_outcome(o);
}

/* What a kind says of its steps: those that it calls alike are, for every position. */
static void like_steps_are_alike(void **state)
{
  (void)state;
  int checked = 0;
  for (int i = 0; rh_collective_kinds[i] != NULL; i++) {
    const rh_collective_kind *kind = rh_collective_kinds[i];
    if (kind->same_until == NULL) continue;
    static const int sizes[] = {2, 3, 4, 6, 12, 30};
    for (size_t j = 0; j < sizeof sizes / sizeof sizes[0]; j++)
      for (int64_t bytes = 0; bytes <= 4 << 20; bytes = 4 * bytes + 1000) {
        const int N = sizes[j];
        rh_collective c = {.kind = kind, .size = N, .bytes = bytes, .element_bytes = 4, .sides = {N}};
        if (N % 6 == 0) c.sides[0] = 2, c.sides[1] = N / 6, c.sides[2] = 3;
        for (int64_t k = 0; k < kind->steps(&c); k++) {
          const int64_t end = kind->same_until(&c, k);
          assert_true(end > k && end <= kind->steps(&c));
          if (k + 1 == end) continue;
          for (int32_t p = 0; p < N; p++) {
            rh_step a = {0}, b = {0};
            kind->step(&c, p, k, &a);
            kind->step(&c, p, k + 1, &b);
            assert_int_equal(a.send_count, b.send_count);
            assert_int_equal(a.receive_count, b.receive_count);
            assert_int_equal(a.send_count > 0 ? a.send_bytes : 0, b.send_count > 0 ? b.send_bytes : 0);
            for (int32_t m = 0; m < a.send_count; m++)
              assert_int_equal(a.send_to[m], b.send_to[m]);
            for (int32_t m = 0; m < a.receive_count; m++)
              assert_int_equal(a.receive_from[m], b.receive_from[m]);
            checked++;
          }
        }
      }
  }
  assert_true(checked > 1000);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ring_is_skipped_exactly),
      cmocka_unit_test(other_kinds_are_skipped_exactly),
      cmocka_unit_test(rounds_are_skipped_exactly),
      cmocka_unit_test(changing_rounds_run_in_full),
      cmocka_unit_test(late_ranks_are_waited_for),
      cmocka_unit_test(what_never_settles_runs_in_full),
      cmocka_unit_test(unequal_messages_run_in_full),
      cmocka_unit_test(nothing_is_skipped_beside_computing),
      cmocka_unit_test(nothing_is_skipped_before_a_change_of_the_platform),
      cmocka_unit_test(large_ring_takes_its_closed_form),
      cmocka_unit_test(like_steps_are_alike),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
