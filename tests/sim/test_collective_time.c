/* On a platform without contention the simulated time of every collective is its closed form. */
#include "collective_time.h"

#define IDEAL RH_SOURCE_DIR "/platforms/ideal.xml"
enum { RANKS = 64 };

static const int32_t sizes[] = {1, 2, 3, 5, 6, 7, 8, 12, 16, 64};
enum { SIZES = sizeof sizes / sizeof sizes[0] };

/* Nothing, which still takes latencies, one float, cnn's parameters, and more than any of the sizes divides. Short ones
 * first: their seconds are differences of clocks that the long ones move far ahead. */
static const int64_t lengths[] = {0, 1, 20522, 1000003};
enum { LENGTHS = sizeof lengths / sizeof lengths[0] };

static int32_t zone_of[RANKS];

static bool power_of_two(int32_t N)
{
  return (N & (N - 1)) == 0;
}

/* Both neighbours on a ring of N: one of two, and none alone. Made once for each size. */
static const rh_neighbours *ring_of(int32_t N)
{
  static rh_neighbours graphs[RANKS + 1];
  static int32_t offset[RANKS + 1][RANKS + 1], list[RANKS + 1][2 * RANKS];
  const int32_t degree = N < 3 ? N - 1 : 2;
  for (int32_t p = 0; p <= N; p++)
    offset[N][p] = degree * p;
  for (int32_t p = 0; p < N; p++)
    for (int32_t i = 0; i < degree; i++)
      list[N][degree * p + i] = (p + (i == 0 ? 1 : N - 1)) % N;
  graphs[N] =
      (rh_neighbours){.workers = N, .out_offset = offset[N], .out = list[N], .in_offset = offset[N], .in = list[N]};
  return &graphs[N];
}

/* Nodes of four (of sizes that four does not divide the last one is smaller); as many shards as make parts unequal. */
static rh_collective collective_of(const rh_collective_kind *kind, int32_t N, int64_t n)
{
  for (int32_t rank = 0; rank < RANKS; rank++)
    zone_of[rank] = rank / 4;
  rh_collective c = {.kind = kind,
                     .size = N,
                     .bytes = 4 * n,
                     .element_bytes = 4,
                     .neighbours = ring_of(N),
                     .zone_of = zone_of,
                     .sides = {N},
                     .shards = N < 3 ? N : 3};
  if (N % 3 == 0) memcpy(c.sides, (int32_t[]){3, N / 3}, 2 * sizeof(int32_t));
  if (N % 8 == 0) memcpy(c.sides, (int32_t[]){2, N / 4, 2}, 3 * sizeof(int32_t));
  return c;
}

static void assert_relative(const timed *t, double value, double expected)
{
  if (!(fabs(value - expected) <= 1e-9 * fabs(expected)))
    fail_msg("%s, N = %d, %lld bytes: %.17g s is not %.17g s: relative difference %.3g", t->collective.kind->name,
             t->collective.size, (long long)t->collective.bytes, value, expected, value / expected - 1);
}

static void assert_closed_form(const timed *t)
{
  const rh_collective *c = &t->collective;
  const double seconds = c->size > 1 ? c->kind->closed_form_s(c, latency_s, bandwidth_Bps) : 0;
  assert_relative(t, t->seconds, seconds);
  assert_relative(t, t->closed_form_s, seconds);
  assert_int_equal(t->messages, c->kind->messages(c));
  assert_int_equal(t->wire_bytes, c->kind->wire_bytes(c));
}

/* All sizes and lengths of a kind in one simulation; the argument is "kind protocol". */
static void every_kind_takes_its_closed_form(void **state)
{
  (void)state;
  /* eager: kinds that never share a receiver's port and whose ranks all wait alike, at all sizes */
  static const struct row {
    const char *kind;
    bool eager;
  } rows[] = {{"allreduce-ring", true},         {"allreduce-halving-doubling", false},
              {"allreduce-doubling", false},    {"allreduce-tree", false},
              {"allreduce-double-tree", false}, {"allreduce-two-level", false},
              {"allreduce-torus", true},        {"allreduce-server", true},
              {"reduce-scatter-ring", true},    {"reduce-scatter-halving", false},
              {"allgather-ring", true},         {"allgather-bruck", true},
              {"broadcast-binomial", true},     {"broadcast-chain", true},
              {"alltoall-pairwise", true},      {"neighbour-exchange", true},
              {"gather-direct", true},          {"broadcast-direct", true},
              {"barrier-dissemination", true}};
  for (size_t i = 0, found = 0; rh_collective_kinds[i] != NULL; i++, found = 0) {
    for (size_t k = 0; k < sizeof rows / sizeof rows[0]; k++)
      found += strcmp(rows[k].kind, rh_collective_kinds[i]->name) == 0;
    if (found != 1) fail_msg("%s is not in the table above", rh_collective_kinds[i]->name);
  }
  if (in_process_argument == NULL) {
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
      for (int eager = 0; eager < 2; eager++) {
        char argument[64];
        snprintf(argument, sizeof argument, "%s %d", rows[i].kind, eager);
        if (!eager || rows[i].eager) in_process_with(__func__, argument);
      }
    return;
  }
  char name[64];
  int eager;
  assert_int_equal(sscanf(in_process_argument, "%63s %d", name, &eager), 2);
  timed list[SIZES * LENGTHS];
  int count = 0;
  for (int l = 0; l < LENGTHS; l++)
    for (int s = 0; s < SIZES; s++)
      list[count++] = (timed){.collective = collective_of(rh_collective_find(name), sizes[s], lengths[l])};
  simulate_series(load_64(IDEAL), 1, list, count, eager ? RH_PROTOCOL_EAGER : RH_PROTOCOL_RENDEZVOUS);
  for (int i = 0; i < count; i++)
    assert_closed_form(&list[i]);
}

/* Under the eager protocol folding kinds are exact on powers of two, where nothing folds. */
static void folding_kinds_are_exact_on_powers_of_two_when_eager(void **state)
{
  (void)state;
  IN_PROCESS();
  static const rh_collective_kind *const kinds[] = {&rh_allreduce_halving_doubling, &rh_allreduce_doubling,
                                                    &rh_reduce_scatter_halving};
  timed list[3 * SIZES];
  int count = 0;
  for (int i = 0; i < 3 * SIZES; i++)
    if (power_of_two(sizes[i % SIZES]))
      list[count++] = (timed){.collective = collective_of(kinds[i / SIZES], sizes[i % SIZES], 20522)};
  simulate_series(load_64(IDEAL), 1, list, count, RH_PROTOCOL_EAGER);
  assert_int_equal(count, 3 * 5);
  for (int i = 0; i < count; i++)
    assert_closed_form(&list[i]);
}

/* Every size, with 1, 2 and 16 chunks in each tree: the bound is reached (allreduce_double_tree.c). */
static void double_tree_reaches_its_bound_at_every_size(void **state)
{
  (void)state;
  IN_PROCESS();
  static const int64_t elements[] = {2, 65536, 500000};
  timed list[3 * RANKS];
  for (int i = 0; i < 3 * RANKS; i++)
    list[i] = (timed){.collective = collective_of(&rh_allreduce_double_tree, i % RANKS + 1, elements[i / RANKS])};
  simulate_series(load_64(IDEAL), 1, list, 3 * RANKS, RH_PROTOCOL_RENDEZVOUS);
  for (int i = 0; i < 3 * RANKS; i++)
    assert_closed_form(&list[i]);
}

/* Messages of different lengths: the form adds up the longest send of each step, which need not lie on one way. No rank
 * is done before it has sent and received everything through its port. */
static void bruck_with_unequal_messages_keeps_its_bound(void **state)
{
  (void)state;
  IN_PROCESS();
  int64_t bytes_of[RANKS], sum[SIZES] = {0}, shortest = INT64_MAX;
  for (int p = 0; p < RANKS; p++) {
    bytes_of[p] = 1000 + 12345 * (int64_t)(p * 37 % RANKS);
    if (bytes_of[p] < shortest) shortest = bytes_of[p];
  }
  timed list[SIZES];
  for (int i = 0; i < SIZES; i++) {
    list[i] = (timed){.collective = collective_of(&rh_allgather_bruck, sizes[i], 0)};
    list[i].collective.element_bytes = 1;
    list[i].collective.bytes_of = bytes_of;
    for (int p = 0; p < sizes[i]; p++)
      sum[i] += bytes_of[p];
  }
  simulate_series(load_64(IDEAL), 1, list, SIZES, RH_PROTOCOL_RENDEZVOUS);
  for (int i = 1; i < SIZES; i++) {
    list[i].collective.bytes_of = bytes_of; /* the schedule's copy is gone */
    const rh_collective *c = &list[i].collective;
    int64_t shortest_here = INT64_MAX;
    for (int p = 0; p < sizes[i]; p++)
      if (bytes_of[p] < shortest_here) shortest_here = bytes_of[p];
    const double least = rh_collective_log2(sizes[i]) * latency_s + (double)(sum[i] - shortest_here) / bandwidth_Bps;
    assert_true(list[i].seconds <= (1 + 1e-9) * c->kind->closed_form_s(c, latency_s, bandwidth_Bps));
    assert_true(list[i].seconds >= (1 - 1e-9) * least);
    assert_int_equal(list[i].wire_bytes, (sizes[i] - 1) * sum[i]);
  }
}

/* Sixteen nodes of four, 100 GB/s and .5 us between any two ranks inside, one port of 24.84 GB/s and 1 us between
 * nodes, which four ranks share in the steps across: by hand, since the closed form knows one route and no sharing.
 * Halves of 3 steps of 16 blocks inside and 15 of one block across; 64 blocks of 1,562,500 bytes. */
static void two_levels_take_the_sum_of_both(void **state)
{
  (void)state;
  IN_PROCESS();
  rh_platform *platform = load_64(RH_SOURCE_DIR "/platforms/horeka-like-16x4.xml");
  assert_int_equal(rh_platform_zone_count(platform), 16);
  timed list[1] = {{.collective = collective_of(&rh_allreduce_two_level, RANKS, 25000000)}};
  list[0].collective.zone_of = rh_platform_zones(platform);
  simulate_series(platform, 50, list, 1, RH_PROTOCOL_RENDEZVOUS);
  const double block = 1562500, inside_s = .5e-6 + 16 * block / 100e9, across_s = 1e-6 + 4 * block / 24.84e9;
  assert_relative(list, list[0].seconds, 2 * (3 * inside_s + 15 * across_s));
  assert_relative(list, list[0].closed_form_s, 2 * (18e-6 + 63 * block / 24.84e9));
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_kind_takes_its_closed_form),
      cmocka_unit_test(folding_kinds_are_exact_on_powers_of_two_when_eager),
      cmocka_unit_test(double_tree_reaches_its_bound_at_every_size),
      cmocka_unit_test(bruck_with_unequal_messages_keeps_its_bound),
      cmocka_unit_test(two_levels_take_the_sum_of_both),
  };
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
