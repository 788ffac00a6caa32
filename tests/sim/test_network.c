/* The network as a picture: nodes found from routes, positions by kind; and who sent how much to whom. */
#include "platform_fixture.h"

#include "collectives.h"
#include "network.h"
#include "schedule.h"

typedef struct trial {
  rh_schedule *schedule;
  rh_platform *platform;
} trial;

static rh_status one_ring(void *context, int64_t round, bool *more)
{
  (void)round;
  trial *t = context;
  const rh_collective ring = {
      .kind = &rh_allreduce_ring, .size = rh_platform_workers(t->platform), .bytes = 64000000, .element_bytes = 4};
  rh_schedule_collective(t->schedule, &ring, NULL);
  *more = false;
  return RH_OK;
}

/* All neighbours in the ring ask for their routes. */
static rh_network network_of(const char *file, int32_t workers)
{
  rh_platform *platform = load(&(rh_platform_def){.file = file, .workers = workers});
  rh_network network;
  const rh_route *route;
  for (int32_t i = 0; i < rh_platform_workers(platform); i++) {
    assert_int_equal(rh_platform_route(platform, i, (i + 1) % rh_platform_workers(platform), &route), RH_OK);
    assert_int_equal(rh_platform_route(platform, (i + 1) % rh_platform_workers(platform), i, &route), RH_OK);
  }
  rh_network_find(platform, &network);
  return network;
}

static int32_t count_kind(const rh_network *n, rh_node_kind kind)
{
  int32_t count = 0;
  for (int32_t i = 0; i < n->node_count; i++)
    count += n->nodes[i].kind == kind;
  return count;
}

/* 64 hosts, eight to a leaf switch; neighbours on two leaves meet in one of the eight switches above, the same for all
 * with the shortest routes' rule of SimGrid, or in a few. Hosts are below, leaves in the middle, others on top. */
static void fat_trees_are_layers(void **state)
{
  (void)state;
  IN_PROCESS();
  rh_network n = network_of(CATALOGUE "fat-tree-64.xml", 64);
  int32_t leaves = 0;
  assert_string_equal(n.layout, "fat-tree");
  assert_int_equal(count_kind(&n, RH_NODE_HOST), 64);
  for (int32_t i = 0; i < n.node_count; i++) {
    const rh_network_node *node = &n.nodes[i];
    assert_true(node->kind == RH_NODE_HOST ? node->y == 1 : node->y == 0.5 || node->y == 0);
    leaves += node->y == 0.5;
    if (node->rank > 0) assert_true(node->x > n.nodes[i - 1].x); /* in the order of ranks */
  }
  assert_int_equal(leaves, 8);
  for (int32_t i = 0; i < n.line_count; i++) /* cables join neighbouring layers */
    assert_true(fabs(n.nodes[n.lines[i].from].y - n.nodes[n.lines[i].to].y) == 0.5);
  rh_network_clear(&n);
}

/* 4 x 4: every line joins hosts that are neighbours in the grid, or its two ends. */
static void tori_are_grids(void **state)
{
  (void)state;
  IN_PROCESS();
  rh_network n = network_of(CATALOGUE "boards-torus-16.xml", 16);
  assert_string_equal(n.layout, "torus");
  assert_int_equal(n.node_count, 16);
  for (int32_t i = 0; i < 16; i++) {
    const int32_t column = i % 4, row = i / 4;
    assert_true(n.nodes[i].x == column && n.nodes[i].y == row);
  }
  for (int32_t i = 0; i < n.line_count; i++) {
    const rh_network_node *a = &n.nodes[n.lines[i].from], *b = &n.nodes[n.lines[i].to];
    const double far = fabs(a->x - b->x) + fabs(a->y - b->y);
    assert_true((a->x == b->x || a->y == b->y) && (far == 1 || far == 3));
  }
  rh_network_clear(&n);
}

static void stars_have_one_switch_in_the_middle(void **state)
{
  (void)state;
  IN_PROCESS();
  rh_network n = network_of(CATALOGUE "infiniband-200g-64.xml", 64);
  assert_string_equal(n.layout, "star");
  assert_int_equal(count_kind(&n, RH_NODE_SWITCH), 1);
  assert_int_equal(n.line_count, 2 * 64);
  for (int32_t i = 0; i < n.node_count; i++) {
    const double radius = hypot(n.nodes[i].x, n.nodes[i].y);
    assert_true(n.nodes[i].kind == RH_NODE_HOST ? fabs(radius - 1) < 1e-12 : radius < 1e-12);
  }
  rh_network_clear(&n);
}

/* Four access points of 16 stations each, on wires to one switch: every station hangs on its air alone. */
static void wifi_is_a_node_of_its_own(void **state)
{
  (void)state;
  IN_PROCESS();
  rh_network n = network_of(CATALOGUE "wifi-edge-64.xml", 64);
  int32_t stations[128] = {0};
  assert_string_equal(n.layout, "force");
  assert_int_equal(count_kind(&n, RH_NODE_HOST), 64);
  assert_int_equal(count_kind(&n, RH_NODE_AIR), 4);
  assert_int_equal(count_kind(&n, RH_NODE_SWITCH), 1);
  assert_int_equal(n.line_count, 64 + 2 * 4);
  for (int32_t i = 0; i < n.line_count; i++)
    if (n.nodes[n.lines[i].from].kind == RH_NODE_HOST) stations[n.lines[i].to]++;
  for (int32_t i = 0; i < n.node_count; i++) {
    if (n.nodes[i].kind == RH_NODE_AIR) assert_int_equal(stations[i], 16);
    for (int32_t k = 0; k < i; k++) /* no two lie on each other */
      assert_true(hypot(n.nodes[i].x - n.nodes[k].x, n.nodes[i].y - n.nodes[k].y) > 0.05);
  }
  rh_network_clear(&n);
}

/* Each rank of a ring of N sends 2 (N - 1) chunks to the next and nothing to others, skipped or not. */
static void pairs_count_every_byte(void **state)
{
  (void)state;
  IN_PROCESS();
  enum { N = 64 };
  trial t = {.platform = load(&(rh_platform_def){.file = CATALOGUE "ideal.xml", .workers = N})};
  const rh_schedule_def def = {.platform = t.platform, .lead = 1, .steady = true, .context = &t, .produce = one_ring};
  assert_int_equal(rh_schedule_new(&def, &t.schedule), RH_OK);
  if (rh_schedule_run(t.schedule) != RH_OK) fail_msg("%s", rh_error_message());
  assert_true(rh_schedule_steady(t.schedule).skipped_messages > 0);
  const rh_pairs *pairs = rh_schedule_pairs(t.schedule);
  assert_int_equal(pairs->side, N);
  assert_int_equal(pairs->block, 1);
  for (int32_t i = 0; i < N; i++)
    for (int32_t k = 0; k < N; k++)
      assert_int_equal(pairs->bytes[i * N + k], k == (i + 1) % N ? 2 * (N - 1) * (64000000 / N) : 0);
  rh_schedule_free(t.schedule);
}

/* 1000 ranks: 4 to a row, 250 rows. What was counted is added as often as it is said. */
static void pairs_of_many_ranks_share_cells(void **state)
{
  (void)state;
  rh_pairs pairs;
  rh_pairs_init(&pairs, 1000);
  assert_int_equal(pairs.block, 4);
  assert_int_equal(pairs.side, 250);
  rh_pairs_add(&pairs, 3, 999, 5, false);
  rh_pairs_count_begin(&pairs);
  rh_pairs_add(&pairs, 0, 996, 7, true);
  rh_pairs_count_add(&pairs, 10);
  assert_int_equal(pairs.bytes[249], 5 + 7 + 70);
  rh_pairs_clear(&pairs);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fat_trees_are_layers),
      cmocka_unit_test(tori_are_grids),
      cmocka_unit_test(stars_have_one_switch_in_the_middle),
      cmocka_unit_test(wifi_is_a_node_of_its_own),
      cmocka_unit_test(pairs_count_every_byte),
      cmocka_unit_test(pairs_of_many_ranks_share_cells),
  };
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
