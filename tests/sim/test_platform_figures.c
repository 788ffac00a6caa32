/* Diameter, bisection and all-reduce of small platforms, by hand, by formula and by brute force; and that profiles of a
 * constellation change how long a transfer takes. */
#include "platform_fixture.h"

#include "platform_figures.h"
#include "schedule.h"

/* ---- formulas against all cuts ---- */

/* The least number of cables between two halves of the hosts of a small network, over all halves and all sides of the
 * switches. Nodes 0 .. hosts-1 are the hosts. */
static int least_cut(int hosts, int nodes, int cables, const int (*cable)[3])
{
  int least = INT32_MAX;
  for (uint32_t side = 0; side < 1u << nodes; side++) {
    if (__builtin_popcount(side & ((1u << hosts) - 1)) != hosts / 2) continue;
    int cut = 0;
    for (int c = 0; c < cables; c++)
      cut += ((side >> cable[c][0] ^ side >> cable[c][1]) & 1) ? cable[c][2] : 0;
    if (cut < least) least = cut;
  }
  return least;
}

static double formula(platform_shape shape)
{
  const char *how;
  shape.bandwidth_Bps = 1;
  return platform_shape_bisection(&shape, &how);
}

static void torus_formula_is_the_least_of_all_cuts(void **state)
{
  (void)state;
  int cable[64][3], count = 0;
  for (int i = 0; i < 16; i++) {
    memcpy(cable[count++], (int[3]){i, i / 4 * 4 + (i + 1) % 4, 1}, sizeof *cable);
    memcpy(cable[count++], (int[3]){i, (i + 4) % 16, 1}, sizeof *cable);
  }
  const platform_shape square = {.kind = SHAPE_TORUS, .hosts = 16, .dimensions = 2, .sizes = {4, 4}};
  assert_true(formula(square) == 8);
  assert_int_equal(least_cut(16, 16, count, cable), 8);
  count = 0;
  for (int i = 0; i < 10; i++)
    memcpy(cable[count++], (int[3]){i, (i + 1) % 10, 1}, sizeof *cable);
  const platform_shape ring = {.kind = SHAPE_TORUS, .hosts = 10, .dimensions = 1, .sizes = {10}};
  assert_true(formula(ring) == 2);
  assert_int_equal(least_cut(10, 10, count, cable), 2);
}

/* Two levels: 4 leaves of 2 hosts; 2 or 1 switches above, 1 or 2 cables to each. */
static void fat_tree_formula_is_the_least_of_all_cuts(void **state)
{
  (void)state;
  for (int up = 1; up <= 2; up++)
    for (int cables = 1; cables <= 2; cables++) {
      int cable[16][3], count = 0;
      for (int host = 0; host < 8; host++)
        memcpy(cable[count++], (int[3]){host, 8 + host / 2, 1}, sizeof *cable);
      for (int leaf = 0; leaf < 4; leaf++)
        for (int core = 0; core < up; core++)
          memcpy(cable[count++], (int[3]){8 + leaf, 12 + core, cables}, sizeof *cable);
      const platform_shape shape = {
          .kind = SHAPE_FAT_TREE, .hosts = 8, .dimensions = 2, .sizes = {2, 4}, .up = {1, up}, .cables = {1, cables}};
      assert_int_equal(least_cut(8, 12 + up, count, cable), (int)formula(shape));
      assert_int_equal((int)formula(shape), up * cables < 2 ? 2 : 4);
    }
}

/* Four groups of four switches with a host each would be 2^32 cuts: two groups of three switches with two hosts. */
static void dragonfly_formula_is_the_least_of_all_cuts(void **state)
{
  (void)state;
  for (int global = 1; global <= 4; global++) {
    int cable[32][3], count = 0;
    for (int host = 0; host < 12; host++)
      memcpy(cable[count++], (int[3]){host, 12 + host / 2, 1}, sizeof *cable);
    for (int a = 0; a < 6; a++)
      for (int b = a + 1; b < 6; b++)
        if (a / 3 == b / 3) memcpy(cable[count++], (int[3]){12 + a, 12 + b, 1}, sizeof *cable);
    memcpy(cable[count++], (int[3]){12 + 1, 12 + 3, global}, sizeof *cable);
    const platform_shape shape = {.kind = SHAPE_DRAGONFLY,
                                  .hosts = 12,
                                  .groups = 2,
                                  .chassis = 1,
                                  .switches = 3,
                                  .nodes = 2,
                                  .global = global,
                                  .green = 1};
    assert_int_equal(least_cut(12, 18, count, cable), (int)formula(shape));
    assert_int_equal((int)formula(shape), global);
  }
}

/* Odd sizes and odd numbers of groups have no straight cut into halves. */
static void shapes_without_halves_have_no_formula(void **state)
{
  (void)state;
  assert_true(formula((platform_shape){.kind = SHAPE_TORUS, .hosts = 15, .dimensions = 2, .sizes = {3, 5}}) == 0);
  assert_true(formula((platform_shape){.kind = SHAPE_TORUS, .hosts = 4, .dimensions = 2, .sizes = {2, 2}}) == 0);
  assert_true(
      formula((platform_shape){
          .kind = SHAPE_FAT_TREE, .hosts = 9, .dimensions = 2, .sizes = {3, 3}, .up = {1, 3}, .cables = {1, 1}}) == 0);
  assert_true(formula((platform_shape){.kind = SHAPE_DRAGONFLY,
                                       .hosts = 9,
                                       .groups = 3,
                                       .chassis = 1,
                                       .switches = 3,
                                       .nodes = 1,
                                       .global = 1,
                                       .green = 1}) == 0);
  assert_true(formula((platform_shape){.kind = SHAPE_OTHER, .hosts = 8}) == 0);
}

/* ---- what SimGrid's routes say ---- */

static const struct regular {
  const char *name, *cluster; /* bandwidth 1 GB/s, latency 1 us */
  double bisection_Bps;
  int32_t diameter_links;
} regulars[] = {{"ring of 8", "radical=\"0-7\" topology=\"TORUS\" topo_parameters=\"8\"", 2e9, 4},
                {"torus 4x4", "radical=\"0-15\" topology=\"TORUS\" topo_parameters=\"4,4\"", 8e9, 4},
                {"torus 3x6", "radical=\"0-17\" topology=\"TORUS\" topo_parameters=\"3,6\"", 6e9, 4},
                {"full fat-tree", "radical=\"0-15\" topology=\"FAT_TREE\" topo_parameters=\"2;4,4;1,4;1,1\"", 8e9, 4},
                {"thin fat-tree", "radical=\"0-15\" topology=\"FAT_TREE\" topo_parameters=\"2;4,4;1,1;1,1\"", 2e9, 4},
                {"dragonfly", "radical=\"0-31\" topology=\"DRAGONFLY\" topo_parameters=\"4,1;1,1;4,1;2\"", 4e9, 0},
                {"star", "radical=\"0-8\"", 4e9, 2},
                {"star with a backbone", "radical=\"0-8\" bb_bw=\"3GBps\" bb_lat=\"5us\"", 3e9, 3}};

/* An upper bound is never below the formula; its cuts find the formula's own where ranks are in the network's order. */
static void bounds_by_routes_meet_the_formulas(void **state)
{
  (void)state;
  bool parent = false;
  for (size_t i = 0; i < sizeof regulars / sizeof *regulars; i++) {
    if (in_process_with(__func__, regulars[i].name)) {
      parent = true;
      continue;
    }
    if (strcmp(in_process_argument, regulars[i].name) != 0) continue;
    char xml[1024];
    snprintf(xml, sizeof xml,
             HEAD CM02 "<cluster id=\"c\" prefix=\"n\" suffix=\"\" speed=\"1Gf\" bw=\"1GBps\" lat=\"1us\" "
                       "sharing_policy=\"SPLITDUPLEX\" %s/>" TAIL,
             regulars[i].cluster);
    rh_platform *platform = load(&(rh_platform_def){.file = write_file(xml)});
    platform_figures figures;
    int32_t cuts;
    bool sampled;
    assert_int_equal(platform_figures_gather(platform, NULL, &figures), RH_OK);
    assert_true(figures.bisection_exact);
    assert_close(figures.bisection_Bps, regulars[i].bisection_Bps);
    assert_int_equal(figures.diameter_links, regulars[i].diameter_links);
    assert_close(platform_bisection_bound(platform, NULL, &cuts, &sampled), regulars[i].bisection_Bps);
    assert_false(sampled);
    return;
  }
  assert_true(parent);
}

/* Three devices: up 1, 2, 3 MB/s, down 10 each. One may be alone: the slowest sender, 1 MB/s. */
static void unequal_star_has_its_slower_half(void **state)
{
  (void)state;
  IN_PROCESS();
  rh_platform *platform = load(&(rh_platform_def){
      .file = write_file(
          HEAD CM02 "<zone id=\"z\" routing=\"Cluster\"><host id=\"a\" speed=\"1Gf\"/><host id=\"b\" speed=\"1Gf\"/>"
                    "<host id=\"c\" speed=\"1Gf\"/><link id=\"ua\" bandwidth=\"1MBps\" latency=\"9ms\"/>"
                    "<link id=\"ub\" bandwidth=\"2MBps\" latency=\"2ms\"/><link id=\"uc\" bandwidth=\"3MBps\" "
                    "latency=\"1ms\"/><link id=\"da\" bandwidth=\"10MBps\" latency=\"8ms\"/><link id=\"db\" "
                    "bandwidth=\"10MBps\" latency=\"4ms\"/><link id=\"dc\" bandwidth=\"10MBps\" latency=\"1ms\"/>"
                    "<host_link id=\"a\" up=\"ua\" down=\"da\"/><host_link id=\"b\" up=\"ub\" down=\"db\"/>"
                    "<host_link id=\"c\" up=\"uc\" down=\"dc\"/></zone>" TAIL)});
  platform_figures figures;
  assert_int_equal(platform_figures_gather(platform, NULL, &figures), RH_OK);
  assert_true(figures.bisection_exact);
  assert_close(figures.bisection_Bps, 1e6);
  assert_int_equal(figures.diameter_links, 2);
  assert_close(figures.diameter_s, 13e-3); /* a to b: 9 + 4 ms; a to itself would be 17 */
  /* ring a b c: latencies 13, 3, 9 ms, bandwidths 1, 2, 3 MB/s: 2 * 2 * (13 ms + 100 MB / (3 * 1 MB/s)) */
  assert_close(figures.allreduce_s, 4 * (13e-3 + 100e6 / 3e6));
}

/* LV08 as SimGrid has it: latency times 13.01, bandwidth times 0.97, a window of 4194304 bytes. Two hosts, 1 GB/s and
 * 10 ms: the window lets through 4194304 / 0.02 byte/s. */
static void all_reduce_knows_the_model(void **state)
{
  (void)state;
  IN_PROCESS();
  rh_platform *platform = load(&(rh_platform_def){
      .file = write_file(HEAD "<config><prop id=\"network/model\" value=\"LV08\"/></config>"
                              "<zone id=\"z\" routing=\"Full\"><host id=\"a\" speed=\"1Gf\"/><host id=\"b\" "
                              "speed=\"1Gf\"/><link id=\"l\" bandwidth=\"1GBps\" latency=\"10ms\"/><route src=\"a\" "
                              "dst=\"b\"><link_ctn id=\"l\"/></route></zone>" TAIL)});
  platform_figures figures;
  assert_int_equal(platform_figures_gather(platform, NULL, &figures), RH_OK);
  assert_close(figures.ring_latency_s, 13.01 * 10e-3);
  assert_close(figures.ring_bandwidth_Bps, 4194304 / 0.02);
  assert_close(figures.allreduce_s, 2 * (0.1301 + 50e6 / (4194304 / 0.02)));
}

/* ---- nodes that no zone can be ---- */

static void property_node_makes_nodes(void **state)
{
  (void)state;
  IN_PROCESS();
  rh_platform *platform = load(&(rh_platform_def){.file = CATALOGUE "gpu-pod-8x8.xml"});
  assert_int_equal(rh_platform_zone_count(platform), 8);
  for (int32_t rank = 0; rank < 64; rank++)
    assert_int_equal(rh_platform_zone_of(platform, rank), rank / 8);
  /* one node: port, switch, port; one rail: one switch; two rails: over the spine, through no other accelerator */
  assert_int_equal(route(platform, 0, 7)->link_count, 3);
  assert_close(route(platform, 0, 7)->bandwidth_Bps, 450e9);
  assert_int_equal(route(platform, 0, 8)->link_count, 2);
  assert_close(route(platform, 0, 8)->latency_s, 0.6e-6);
  assert_int_equal(route(platform, 0, 9)->link_count, 4);
  assert_close(route(platform, 0, 9)->latency_s, 0.78e-6);
}

/* ---- profiles ---- */

typedef struct message {
  rh_schedule *schedule;
  int32_t from, to;
  int64_t bytes;
} message;

static rh_status send_message(void *context, int64_t round, bool *more)
{
  message *m = context;
  (void)round;
  rh_schedule_send(m->schedule, m->from, m->to, m->bytes, "test", RH_AT_ONCE, RH_AT_ONCE);
  *more = false;
  return RH_OK;
}

static double transfer_s(rh_platform *platform, message m)
{
  const rh_schedule_def def = {
      .platform = platform, .protocol = RH_PROTOCOL_EAGER, .lead = 1, .context = &m, .produce = send_message};
  assert_int_equal(rh_schedule_new(&def, &m.schedule), RH_OK);
  if (rh_schedule_run(m.schedule) != RH_OK) fail_msg("%s", rh_error_message());
  const double elapsed_s = rh_schedule_elapsed_s(m.schedule);
  rh_schedule_free(m.schedule);
  return elapsed_s;
}

/* When a profile of leo-66 takes this value for the first time, from its second line on if `later`. */
static double profile_time(const char *name, double value, bool later)
{
  char path[512];
  double time_s, found;
  snprintf(path, sizeof path, CATALOGUE "leo-66/%s.profile", name);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  bool first = true, hit = false;
  while (!hit && fscanf(file, "%lf %lf", &time_s, &found) == 2) {
    hit = found == value && !(first && later);
    first = false;
  }
  fclose(file);
  if (!hit) fail_msg("%s never takes %g", path, value);
  return time_s;
}

static double first_value(const char *name)
{
  char path[512];
  double time_s, value;
  snprintf(path, sizeof path, CATALOGUE "leo-66/%s.profile", name);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  assert_int_equal(fscanf(file, "%lf %lf", &time_s, &value), 2);
  fclose(file);
  assert_true(time_s == 0);
  return value;
}

/* A link that is up: latency and bandwidth of its profiles at the start, which are not the mean of its attribute. */
static void a_transfer_takes_the_latency_of_the_orbit(void **state)
{
  (void)state;
  IN_PROCESS();
  const double latency_s = first_value("latency-0");
  assert_true(fabs(latency_s - 11.1272186e-3) > 1e-3);
  assert_true(first_value("bandwidth-0") == 312.5e6);
  rh_platform *platform = load(&(rh_platform_def){.file = CATALOGUE "leo-66.xml", .workers = 66});
  assert_close(transfer_s(platform, (message){.from = 0, .to = 11, .bytes = 10000000}), latency_s + 10e6 / 312.5e6);
}

/* A link that is down at the start: the message trickles at 1 bit/s until it is back. */
static void a_transfer_waits_for_a_link_that_is_down(void **state)
{
  (void)state;
  IN_PROCESS();
  assert_true(first_value("bandwidth-3") == 0.125);
  const double up_s = profile_time("bandwidth-3", 312.5e6, true), latency_s = first_value("latency-3");
  assert_true(up_s > 60);
  rh_platform *platform = load(&(rh_platform_def){.file = CATALOGUE "leo-66.xml", .workers = 66});
  assert_close(transfer_s(platform, (message){.from = 3, .to = 14, .bytes = 10000000}),
               up_s + (10e6 - 0.125 * (up_s - latency_s)) / 312.5e6);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(torus_formula_is_the_least_of_all_cuts),
                                     cmocka_unit_test(fat_tree_formula_is_the_least_of_all_cuts),
                                     cmocka_unit_test(dragonfly_formula_is_the_least_of_all_cuts),
                                     cmocka_unit_test(shapes_without_halves_have_no_formula),
                                     cmocka_unit_test(bounds_by_routes_meet_the_formulas),
                                     cmocka_unit_test(unequal_star_has_its_slower_half),
                                     cmocka_unit_test(all_reduce_knows_the_model),
                                     cmocka_unit_test(property_node_makes_nodes),
                                     cmocka_unit_test(a_transfer_takes_the_latency_of_the_orbit),
                                     cmocka_unit_test(a_transfer_waits_for_a_link_that_is_down)};
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
