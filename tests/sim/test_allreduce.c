/* Every all-reduce, executed on small integers against the plain sum; what each one's structure promises besides. */
#include "collective_fixture.h"

static const int32_t sizes[] = {1, 2, 3, 5, 6, 7, 8, 9, 12, 13, 16, 32, 64};
enum { SIZES = sizeof sizes / sizeof sizes[0], N_MAX = 64 };

/* All ranks end with the sum, and the messages are as many and as long as the kind says. */
static counts assert_sums(const rh_collective *c, int64_t n, int64_t parts)
{
  const int32_t N = c->size;
  const int64_t block = (n + parts - 1) / parts, length = block * parts;
  int64_t *x = calloc((size_t)(N * length + 1), sizeof *x);
  for (int32_t p = 0; p < N; p++)
    for (int64_t i = 0; i < n; i++)
      x[p * length + i] = value(p, i);
  const counts counted = execute(c, x, length, block, sum_of);
  for (int64_t i = 0; i < n; i++) {
    int64_t sum = 0;
    for (int32_t q = 0; q < N; q++)
      sum += value(q, i);
    for (int32_t p = 0; p < N; p++)
      if (x[p * length + i] != sum)
        fail_msg("%s: N = %d, n = %d, rank %d, element %d: %lld is not %lld", c->kind->name, N, (int)n, p, (int)i,
                 (long long)x[p * length + i], (long long)sum);
  }
  assert_int_equal(counted.messages, c->kind->messages(c));
  assert_int_equal(counted.bytes, c->kind->wire_bytes(c));
  assert_int_equal(counted.misfits, 0);
  free(x);
  return counted;
}

static int32_t power_below(int32_t N)
{
  int32_t power = 1;
  while (2 * power <= N)
    power *= 2;
  return power;
}

/* All sizes and lengths of a kind that is cut into parts_of(N) parts. */
static void assert_sums_at_all_sizes(const rh_collective_kind *kind, int32_t (*parts_of)(int32_t N))
{
  for (int s = 0; s < SIZES; s++) {
    const int32_t N = sizes[s];
    const int64_t lengths[] = {0, 1, N - 1, N, 1000};
    for (int l = 0; l < 5; l++) {
      const rh_collective c = {.kind = kind, .size = N, .bytes = 4 * lengths[l], .element_bytes = 4};
      const counts counted = assert_sums(&c, lengths[l], parts_of(N));
      assert_in_range(counted.most_at_once, 0, 1);
    }
  }
}

static int32_t all(int32_t N)
{
  return N;
}

static int32_t one(int32_t N)
{
  (void)N;
  return 1;
}

static void ring_halving_doubling_and_trees_sum_exactly(void **state)
{
  (void)state;
  assert_sums_at_all_sizes(&rh_allreduce_ring, all);
  assert_sums_at_all_sizes(&rh_allreduce_halving_doubling, power_below);
  assert_sums_at_all_sizes(&rh_allreduce_doubling, one);
  assert_sums_at_all_sizes(&rh_allreduce_tree, one);
}

/* Elements of 1 KiB: 1000 of them are 8 chunks of at most 128 KiB, 4 in each tree. */
static void double_tree_sums_exactly(void **state)
{
  (void)state;
  for (int s = 0; s < SIZES; s++) {
    const int64_t lengths[] = {0, 1, 2, 255, 256, 257, 1000}, halves[] = {1, 1, 1, 1, 1, 2, 4};
    for (int l = 0; l < 7; l++) {
      const rh_collective c = {
          .kind = &rh_allreduce_double_tree, .size = sizes[s], .bytes = 1024 * lengths[l], .element_bytes = 1024};
      const counts counted = assert_sums(&c, lengths[l], 2 * halves[l]);
      assert_int_equal(counted.messages, 4 * halves[l] * (sizes[s] - 1));
      assert_in_range(counted.most_at_once, 0, 1);
    }
  }
}

/* The trees: a rank has children in one of them alone, at most two, and one chunk reaches all in 2 ceil(log2 N). */
static void double_trees_are_balanced_and_share_no_inner_rank(void **state)
{
  (void)state;
  for (int32_t N = 2; N <= 300; N++) {
    rh_collective c = {.kind = &rh_allreduce_double_tree, .size = N, .bytes = 2, .element_bytes = 1};
    void *plan = c.kind->new_plan(&c);
    c.plan = plan;
    const int64_t half = c.kind->steps(&c) / 2;
    assert_in_range(half, 1, 2 * rh_collective_log2(N));
    for (int32_t p = 0; p < N; p++) {
      int sends[2] = {0}, receives[2] = {0}; /* by tree: with two blocks, the block is the tree */
      for (int64_t k = half; k < 2 * half; k++) {
        rh_step step;
        c.kind->step(&c, p, k, &step);
        if (step.send_count > 0) sends[step.send_block]++;
        if (step.receive_count > 0) receives[step.receive_block]++;
      }
      assert_int_equal(receives[0], p > 0);
      assert_int_equal(receives[1], p > 0);
      if (p > 0) assert_true(sends[0] == 0 || sends[1] == 0);
      assert_in_range(sends[0] + sends[1], p == 0 ? 2 : 0, 2);
    }
    free(plan);
  }
}

/* Zones as nodes of four (the last one smaller), dealt out in turn, one rank each, one for all, and one large one. */
static void two_level_sums_exactly_in_any_zones(void **state)
{
  (void)state;
  for (int s = 0; s < SIZES; s++)
    for (int layout = 0; layout < 5; layout++) {
      const int32_t N = sizes[s];
      int32_t zone_of[N_MAX], members[N_MAX] = {0}, zones = 0, least = N;
      for (int32_t p = 0; p < N; p++) {
        const int32_t layouts[] = {p / 4, p % 3, p, 0, p < 2 ? p : 2};
        zone_of[p] = layouts[layout];
        members[zone_of[p]]++;
      }
      for (int32_t z = 0; z < N; z++) {
        zones += members[z] > 0;
        if (members[z] > 0 && members[z] < least) least = members[z];
      }
      const int64_t lengths[] = {0, 1, N - 1, N, 1000};
      for (int l = 0; l < 5; l++) {
        const rh_collective c = {.kind = &rh_allreduce_two_level,
                                 .size = N,
                                 .bytes = 4 * lengths[l],
                                 .element_bytes = 4,
                                 .zone_of = layout == 3 ? NULL : zone_of};
        const counts counted = assert_sums(&c, lengths[l], (int64_t)least * zones);
        assert_in_range(counted.most_at_once, 0, 1);
      }
    }
}

/* A group's zones are its ranks': of ranks 0 .. 15 in nodes of four, those of the second and the last node. Bytes
 * between nodes: of 8 chunks each rank sends one, two rings' steps: 2 (Z-1) c = 2 of 8 blocks. */
static void two_level_takes_the_zones_of_a_groups_ranks(void **state)
{
  (void)state;
  const int32_t group[] = {15, 4, 14, 5, 13, 6, 12, 7};
  int32_t zone_of[16];
  for (int32_t rank = 0; rank < 16; rank++)
    zone_of[rank] = rank / 4;
  rh_collective c = {
      .kind = &rh_allreduce_two_level, .size = 8, .group = group, .bytes = 800, .element_bytes = 4, .zone_of = zone_of};
  assert_sums(&c, 200, 8);
  void *plan = c.kind->new_plan(&c);
  c.plan = plan;
  int64_t between = 0;
  for (int64_t k = 0; k < c.kind->steps(&c); k++)
    for (int32_t p = 0; p < 8; p++) {
      rh_step step;
      c.kind->step(&c, p, k, &step);
      if (step.send_count > 0 && zone_of[group[p]] != zone_of[group[step.send_to[0]]]) between += step.send_bytes;
    }
  assert_int_equal(between, 8 * 2 * 100);
  free(plan);
}

/* Neighbours of the torus alone: each message changes one coordinate by one. */
static void assert_neighbours(const rh_collective *c)
{
  for (int64_t k = 0; k < c->kind->steps(c); k++)
    for (int32_t p = 0; p < c->size; p++) {
      rh_step step;
      c->kind->step(c, p, k, &step);
      int32_t from = p, to = step.send_to[0], changed = 0;
      for (int i = 0; i < RH_TORUS_MAX && c->sides[i] > 0; i++) {
        const int32_t d = c->sides[i], ahead = (to % d - from % d + d) % d;
        assert_in_range(ahead, 0, 1);
        changed += ahead;
        from /= d;
        to /= d;
      }
      assert_int_equal(changed, 1);
    }
}

static void torus_sums_exactly_between_neighbours(void **state)
{
  (void)state;
  static const int32_t sides[][RH_TORUS_MAX] = {
      {1},       {2},    {5},    {3, 2}, {2, 3},    {7, 1},    {1, 7},    {2, 2, 2},       {4, 2},   {3, 2, 2},
      {2, 3, 2}, {6, 2}, {4, 4}, {8, 8}, {4, 4, 4}, {2, 8, 4}, {1, 1, 3}, {2, 2, 2, 2, 4}, {3, 3, 3}};
  for (size_t s = 0; s < sizeof sides / sizeof sides[0]; s++) {
    int32_t N = 1;
    for (int i = 0; i < RH_TORUS_MAX && sides[s][i] > 0; i++)
      N *= sides[s][i];
    const int64_t lengths[] = {0, 1, N - 1, N, 1000};
    for (int l = 0; l < 5; l++) {
      rh_collective c = {.kind = &rh_allreduce_torus, .size = N, .bytes = 4 * lengths[l], .element_bytes = 4};
      memcpy(c.sides, sides[s], sizeof c.sides);
      const counts counted = assert_sums(&c, lengths[l], N);
      assert_in_range(counted.most_at_once, 0, 1);
      assert_int_equal(counted.bytes, 2 * (N - 1) * N * ((lengths[l] + N - 1) / N) * 4); /* a ring's */
      if (N > 1) assert_neighbours(&c);
    }
  }
}

static void server_sums_exactly_with_any_shards(void **state)
{
  (void)state;
  for (int s = 0; s < SIZES; s++) {
    const int32_t N = sizes[s], shards[] = {1, N < 3 ? N : 3, N > 1 ? N - 1 : 1, N};
    for (int t = 0; t < 4; t++) {
      const int64_t lengths[] = {0, 1, N - 1, N, 1000};
      for (int l = 0; l < 5; l++) {
        const rh_collective c = {
            .kind = &rh_allreduce_server, .size = N, .bytes = 4 * lengths[l], .element_bytes = 4, .shards = shards[t]};
        const counts counted = assert_sums(&c, lengths[l], shards[t]);
        assert_int_equal(counted.most_at_once, N - 1);
      }
    }
  }
}

/* 10 elements of 4 bytes, latency 1 s, 2 byte/s, by hand. */
static void costs_by_hand(void **state)
{
  (void)state;
  static const struct row {
    const rh_collective_kind *kind;
    int32_t N;
    int64_t messages, bytes;
    double seconds;
  } rows[] = {
      /* 4 blocks of 3 elements; 2 x (2 blocks, 1 block) by each of 4 */
      {&rh_allreduce_halving_doubling, 4, 16, 4 * 2 * 3 * 12, 2 * ((1 + 12) + (1 + 6))},
      /* one pair folds: two whole vectors more */
      {&rh_allreduce_halving_doubling, 5, 18, 288 + 2 * 40, 40 + 2 * (1 + 20)},
      /* three levels up and down, four messages each */
      {&rh_allreduce_tree, 5, 8, 320, 6 * (1 + 20)},
      /* two trees, one chunk of 5 elements each. N = 2: both along the one edge, in steps 0 and 1 */
      {&rh_allreduce_double_tree, 2, 4, 4 * 20, 2 * 2 * (1 + 10)},
      /* 5 shards of 2 elements; 4 of them come into each port, 4 go out */
      {&rh_allreduce_server, 5, 40, 40 * 8, 2 * (1 + 16)},
      /* 6 blocks of 2 elements on 3 x 2: 3 chunks of 2 blocks, then 2 of 1 */
      {&rh_allreduce_torus, 6, 6 * 6, 2 * 6 * 5 * 8, 2 * (2 * (1 + 8) + (1 + 4))},
      /* zones of 2 and 3 ranks: 4 blocks of 3 elements; the fifth folds. Inside 1 step of 2 blocks, across 1 of 1 */
      {&rh_allreduce_two_level, 5, 2 * 4 * 2 + 2, 2 * 4 * (24 + 12) + 80, 2 * ((1 + 20) + (1 + 12) + (1 + 6))},
  };
  static const int32_t zone_of[] = {0, 1, 1, 0, 1};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    const rh_collective c = {.kind = rows[i].kind,
                             .size = rows[i].N,
                             .bytes = 40,
                             .element_bytes = 4,
                             .zone_of = zone_of,
                             .sides = {3, 2},
                             .shards = 5};
    assert_int_equal(c.kind->messages(&c), rows[i].messages);
    assert_int_equal(c.kind->wire_bytes(&c), rows[i].bytes);
    assert_float_equal(c.kind->closed_form_s(&c, 1, 2), rows[i].seconds, 1e-12);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ring_halving_doubling_and_trees_sum_exactly),
      cmocka_unit_test(double_tree_sums_exactly),
      cmocka_unit_test(double_trees_are_balanced_and_share_no_inner_rank),
      cmocka_unit_test(two_level_sums_exactly_in_any_zones),
      cmocka_unit_test(two_level_takes_the_zones_of_a_groups_ranks),
      cmocka_unit_test(torus_sums_exactly_between_neighbours),
      cmocka_unit_test(server_sums_exactly_with_any_shards),
      cmocka_unit_test(costs_by_hand),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
