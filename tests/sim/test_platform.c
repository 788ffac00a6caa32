/* The catalogue of platforms, routes with known values, network models, Wi-Fi: by simulating a few messages. */
#include "platform_fixture.h"

#include "collectives.h"
#include "schedule.h"

typedef struct experiment {
  rh_schedule *schedule;
  rh_collective collective; /* kind NULL: one message from rank 0 to rank 1 */
  int64_t bytes;
} experiment;

static rh_status produce(void *context, int64_t round, bool *more)
{
  experiment *e = context;
  (void)round;
  if (e->collective.kind)
    rh_schedule_collective(e->schedule, &e->collective, NULL);
  else
    rh_schedule_send(e->schedule, 0, 1, e->bytes, "test", RH_AT_ONCE, RH_AT_ONCE);
  *more = false;
  return RH_OK;
}

static double simulate(rh_platform *platform, experiment e)
{
  const rh_schedule_def def = {
      .platform = platform, .protocol = RH_PROTOCOL_EAGER, .lead = 1, .context = &e, .produce = produce};
  assert_int_equal(rh_schedule_new(&def, &e.schedule), RH_OK);
  if (rh_schedule_run(e.schedule) != RH_OK) fail_msg("%s", rh_error_message());
  double elapsed_s = rh_schedule_elapsed_s(e.schedule);
  rh_schedule_free(e.schedule);
  return elapsed_s;
}

static double simulate_message(rh_platform *platform, int64_t bytes)
{
  return simulate(platform, (experiment){.bytes = bytes});
}

/* Every rank sends one message to the next one, all at once. */
static double simulate_shift(rh_platform *platform, int64_t bytes)
{
  enum { MOST = 64 };
  const int32_t N = rh_platform_workers(platform);
  int32_t offset[MOST + 1], next[MOST], previous[MOST];
  assert_true(N <= MOST);
  for (int32_t i = 0; i < N; i++) {
    offset[i] = i;
    next[i] = (i + 1) % N;
    previous[i] = (i + N - 1) % N;
  }
  offset[N] = N;
  const rh_neighbours ring = {.workers = N, .out_offset = offset, .out = next, .in_offset = offset, .in = previous};
  return simulate(
      platform,
      (experiment){
          .collective = {
              .kind = &rh_neighbour_exchange, .size = N, .bytes = bytes, .element_bytes = 1, .neighbours = &ring}});
}

/* ---- the catalogue ---- */

static const struct catalogue_entry {
  const char *file, *model;
  int32_t hosts;
} catalogue[] = {
    {"ideal.xml", "CM02", 1024},         {"fat-tree-64.xml", "CM02", 64},      {"infiniband-200g-64.xml", "CM02", 64},
    {"ethernet-25g-64.xml", "LV08", 64}, {"horeka-like-16x4.xml", "CM02", 64}, {"ethernet-25g-16x4.xml", "LV08", 64},
    {"wan-ring-16.xml", "LV08", 16},     {"edge-wifi-16.xml", "CM02", 16}};

static void catalogue_files_load_with_a_model_and_a_ring(void **state)
{
  (void)state;
  bool parent = false;
  for (size_t i = 0; i < sizeof catalogue / sizeof *catalogue; i++) {
    if (in_process_with(__func__, catalogue[i].file)) {
      parent = true;
      continue;
    }
    if (strcmp(in_process_argument, catalogue[i].file) != 0) continue;
    char path[4096];
    snprintf(path, sizeof path, CATALOGUE "%s", catalogue[i].file);
    const int32_t N = catalogue[i].hosts;
    rh_platform *platform = load(&(rh_platform_def){.file = path, .workers = N});
    assert_string_equal(rh_platform_model(platform), catalogue[i].model);
    assert_int_equal(rh_platform_host_count(platform), N);
    assert_int_equal(rh_platform_workers(platform), N);
    assert_close(rh_platform_precision(platform), 1e-12);
    for (int32_t rank = 0; rank < N; rank++) {
      assert_true(route(platform, rank, (rank + 1) % N)->link_count > 0);
      assert_true(route(platform, (rank + 1) % N, rank)->link_count > 0);
    }
    return;
  }
  assert_true(parent);
}

static void ideal_ranks_are_in_natural_order(void **state)
{
  (void)state;
  IN_PROCESS();
  rh_platform *platform = load(&(rh_platform_def){.file = CATALOGUE "ideal.xml", .workers = 1024});
  for (int32_t rank = 0; rank < 1024; rank++) {
    char name[16];
    snprintf(name, sizeof name, "n%d", rank);
    assert_string_equal(rh_platform_host(platform, rank), name);
  }
  for (int32_t link = 1; link < rh_platform_link_count(platform); link++)
    assert_true(
        rh_text_compare_natural(rh_platform_link_name(platform, link - 1), rh_platform_link_name(platform, link)) < 0);
}

/* Known values: the numbers of the file. */
static void ideal_routes_have_two_links(void **state)
{
  (void)state;
  IN_PROCESS();
  rh_platform *platform = load(&(rh_platform_def){.file = CATALOGUE "ideal.xml", .workers = 16});
  const rh_route *r = route(platform, 3, 12);
  assert_int_equal(r->link_count, 2);
  assert_string_equal(rh_platform_link_name(platform, r->links[0]), "ideal_link_3_UP");
  assert_string_equal(rh_platform_link_name(platform, r->links[1]), "ideal_link_12_DOWN");
  assert_close(r->latency_s, 2e-6);
  assert_close(r->bandwidth_Bps, 12.5e9);
  assert_close(rh_platform_link_latency(platform, r->links[0]), 1e-6);
  assert_close(rh_platform_link_bandwidth(platform, r->links[0]), 12.5e9);
  assert_close(rh_platform_speed(platform, 3), 1e12);
  assert_close(rh_platform_fastest(platform), 1e12);
  assert_ptr_equal(route(platform, 3, 12), r);
  assert_close(simulate_message(platform, 12500000), 2e-6 + 1e-3);
}

/* Many pairs in the table of routes: each keeps its own. */
static void routes_of_many_pairs_are_kept_apart(void **state)
{
  (void)state;
  IN_PROCESS();
  enum { N = 64 };
  rh_platform *platform = load(&(rh_platform_def){.file = CATALOGUE "ideal.xml", .workers = N});
  for (int pass = 0; pass < 2; pass++)
    for (int32_t from = 0; from < N; from++)
      for (int32_t to = 0; to < N; to++) {
        if (from == to) continue;
        char up[32], down[32];
        snprintf(up, sizeof up, "ideal_link_%d_UP", from);
        snprintf(down, sizeof down, "ideal_link_%d_DOWN", to);
        const rh_route *r = route(platform, from, to);
        assert_string_equal(rh_platform_link_name(platform, r->links[0]), up);
        assert_string_equal(rh_platform_link_name(platform, r->links[1]), down);
      }
}

static void fat_tree_routes_cross_the_core_between_leaves(void **state)
{
  (void)state;
  IN_PROCESS();
  rh_platform *platform = load(&(rh_platform_def){.file = CATALOGUE "fat-tree-64.xml", .workers = 64});
  assert_int_equal(route(platform, 0, 7)->link_count, 2);
  assert_close(route(platform, 0, 7)->latency_s, 0.39e-6);
  assert_int_equal(route(platform, 0, 8)->link_count, 4);
  assert_close(route(platform, 0, 8)->latency_s, 0.78e-6);
  assert_close(route(platform, 0, 63)->bandwidth_Bps, 12.42e9);
  /* full bisection: all 64 nodes send at once, each at the speed of its cable */
  assert_close(simulate_shift(platform, 12420000), 0.78e-6 + 1e-3);
}

/* Four hosts a node: one link to each of the other three, four links to another node. */
static void nodes_of_four_are_zones(void **state)
{
  (void)state;
  static const char *const files[] = {"horeka-like-16x4.xml", "ethernet-25g-16x4.xml"};
  bool parent = false;
  for (int i = 0; i < 2; i++) {
    if (in_process_with(__func__, files[i])) {
      parent = true;
      continue;
    }
    if (strcmp(in_process_argument, files[i]) != 0) continue;
    char path[4096];
    snprintf(path, sizeof path, CATALOGUE "%s", files[i]);
    rh_platform *platform = load(&(rh_platform_def){.file = path, .workers = 64});
    assert_int_equal(rh_platform_zone_count(platform), 16);
    for (int32_t a = 0; a < 64; a++) {
      assert_int_equal(rh_platform_zone_of(platform, a), a / 4);
      for (int32_t b = 0; b < 64; b++)
        if (a != b) assert_int_equal(route(platform, a, b)->link_count, a / 4 == b / 4 ? 1 : 4);
    }
    static const char *const names[] = {"pcie-7_UP", "cable-1_UP", "cable-15_DOWN", "pcie-60_DOWN"};
    for (int k = 0; k < 4; k++)
      assert_string_equal(rh_platform_link_name(platform, route(platform, 7, 60)->links[k]), names[k]);
    assert_string_equal(rh_platform_link_name(platform, route(platform, 6, 4)->links[0]), "nvlink-4-6_DOWN");
    return;
  }
  assert_true(parent);
}

/* Sixteen ranks dealt out to four nodes in turn: each message of a shift leaves its node, by the port of all four. */
#define DEALT                                                                                                          \
  "gpu-0\ngpu-4\ngpu-8\ngpu-12\ngpu-1\ngpu-5\ngpu-9\ngpu-13\n"                                                         \
  "gpu-2\ngpu-6\ngpu-10\ngpu-14\ngpu-3\ngpu-7\ngpu-11\ngpu-15\n"

static void horeka_like_accelerators_share_their_nodes_port(void **state)
{
  (void)state;
  IN_PROCESS();
  rh_platform *platform =
      load(&(rh_platform_def){.file = CATALOGUE "horeka-like-16x4.xml", .hostfile = write_file(DEALT), .workers = 16});
  assert_close(route(platform, 0, 1)->latency_s, 1e-6);
  assert_close(route(platform, 0, 1)->bandwidth_Bps, 24.84e9);
  assert_close(simulate_shift(platform, 24840000), 1e-6 + 4e-3);
}

static void horeka_like_nodes_are_fast_inside(void **state)
{
  (void)state;
  IN_PROCESS();
  rh_platform *platform = load(&(rh_platform_def){.file = CATALOGUE "horeka-like-16x4.xml", .workers = 4});
  assert_close(simulate_message(platform, 100000000), .5e-6 + 1e-3);
}

/* LV08's factors are taken out of the numbers inside a node, to the digits that the file has. */
static void ethernet_nodes_are_as_fast_inside(void **state)
{
  (void)state;
  IN_PROCESS();
  rh_platform *platform = load(&(rh_platform_def){.file = CATALOGUE "ethernet-25g-16x4.xml", .workers = 4});
  const double seconds = simulate_message(platform, 100000000);
  if (!(fabs(seconds - (.5e-6 + 1e-3)) <= 1e-3 * seconds)) fail_msg("%.9g s", seconds);
}

static void ethernet_between_nodes_is_tcp(void **state)
{
  (void)state;
  IN_PROCESS();
  rh_platform *platform =
      load(&(rh_platform_def){.file = CATALOGUE "ethernet-25g-16x4.xml", .hostfile = write_file(DEALT), .workers = 16});
  assert_close(simulate_message(platform, 3125000), 13.01 * (2e-6 + 2 * 19.2e-9) + 1e-3 / 0.97);
}

static void wan_ring_goes_the_short_way_in_both_directions(void **state)
{
  (void)state;
  IN_PROCESS();
  rh_platform *platform = load(&(rh_platform_def){.file = CATALOGUE "wan-ring-16.xml", .workers = 16});
  const rh_route *there = route(platform, 0, 1), *back = route(platform, 1, 0);
  assert_int_equal(there->link_count, 1);
  assert_string_equal(rh_platform_link_name(platform, there->links[0]), "ring-0_UP");
  assert_string_equal(rh_platform_link_name(platform, back->links[0]), "ring-0_DOWN");
  assert_close(there->latency_s, 3.77e-3);
  assert_close(back->latency_s, 3.77e-3);
  assert_string_equal(rh_platform_link_name(platform, route(platform, 0, 15)->links[0]), "ring-15_DOWN");
  for (int32_t a = 0; a < 16; a++)
    for (int32_t b = 0; b < 16; b++) {
      int32_t apart = (b - a + 16) % 16;
      if (a != b) assert_int_equal(route(platform, a, b)->link_count, apart < 8 ? apart : 16 - apart);
    }
}

/* CM02 takes the latency as it is; the file's LV08 multiplies it by 13.01. The flow is held to the file's TCP window.
 */
static void caller_overrides_the_model_of_the_file(void **state)
{
  (void)state;
  IN_PROCESS();
  rh_platform *platform = load(&(rh_platform_def){.file = CATALOGUE "wan-ring-16.xml", .model = "CM02", .workers = 2});
  assert_string_equal(rh_platform_model(platform), "CM02");
  const double window_Bps = 4194304 / (2 * 3.77e-3);
  assert_close(simulate_message(platform, 1000000), 3.77e-3 + 1e6 / window_Bps);
}

static void file_keeps_its_model(void **state)
{
  (void)state;
  IN_PROCESS();
  rh_platform *platform = load(&(rh_platform_def){.file = CATALOGUE "wan-ring-16.xml", .workers = 2});
  const double window_Bps = 4194304 / (2 * 3.77e-3); /* below 1.25 GB/s; LV08's factor of .97 applies to it as well */
  assert_close(simulate_message(platform, 1000000), 13.01 * 3.77e-3 + 1e6 / (0.97 * window_Bps));
}

/* ---- Wi-Fi ---- */

static void wifi_messages_cross_the_air_twice(void **state)
{
  (void)state;
  IN_PROCESS();
  rh_platform *platform = load(&(rh_platform_def){.file = CATALOGUE "edge-wifi-16.xml", .workers = 16});
  const rh_route *r = route(platform, 0, 1);
  assert_int_equal(r->link_count, 2);
  assert_int_equal(r->links[0], r->links[1]);
  assert_close(rh_platform_link_bandwidth(platform, r->links[0]), 39e6 / 8);
  assert_close(r->bandwidth_Bps, 39e6 / 16);
  assert_close(simulate_message(platform, 1000000), 8e6 / 39e6 * 2);
}

/* All stations send at once: the air carries 16 messages, twice each. */
static void wifi_stations_share_the_air(void **state)
{
  (void)state;
  IN_PROCESS();
  rh_platform *platform = load(&(rh_platform_def){.file = CATALOGUE "edge-wifi-16.xml", .workers = 16});
  assert_close(simulate_shift(platform, 1000000), 16 * 2 * 8e6 / 39e6);
}

#define WIFI(level_of_b)                                                                                               \
  HEAD CM02 "<zone id=\"w\" routing=\"Wifi\"><prop id=\"access_point\" value=\"ap\"/><host id=\"a\" speed=\"1Gf\"/>"   \
            "<host id=\"b\" speed=\"1Gf\"><prop id=\"wifi_level\" value=\"" level_of_b "\"/></host>"                   \
            "<router id=\"ap\"/><link id=\"air\" sharing_policy=\"WIFI\" bandwidth=\"80Mbps,40Mbps\" latency=\"0s\"/>" \
            "</zone>\n" TAIL

static void wifi_level_of_a_host_sets_its_rate(void **state)
{
  (void)state;
  IN_PROCESS();
  rh_platform *platform = load(&(rh_platform_def){.file = write_file(WIFI("1")), .workers = 2});
  assert_close(rh_platform_link_bandwidth(platform, route(platform, 0, 1)->links[0]), 10e6);
  /* one second of air from a at 10 MB/s, two from the access point to b at 5 MB/s */
  assert_close(simulate_message(platform, 10000000), 1 + 2);
}

static void wifi_level_must_be_a_level(void **state)
{
  (void)state;
  IN_PROCESS();
  expect_refusal(&(rh_platform_def){.file = write_file(WIFI("fast")), .workers = 2}, RH_EINVAL, "host 'b'", "'fast'",
                 "'air'");
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(catalogue_files_load_with_a_model_and_a_ring),
      cmocka_unit_test(ideal_ranks_are_in_natural_order),
      cmocka_unit_test(ideal_routes_have_two_links),
      cmocka_unit_test(routes_of_many_pairs_are_kept_apart),
      cmocka_unit_test(fat_tree_routes_cross_the_core_between_leaves),
      cmocka_unit_test(nodes_of_four_are_zones),
      cmocka_unit_test(horeka_like_accelerators_share_their_nodes_port),
      cmocka_unit_test(horeka_like_nodes_are_fast_inside),
      cmocka_unit_test(ethernet_nodes_are_as_fast_inside),
      cmocka_unit_test(ethernet_between_nodes_is_tcp),
      cmocka_unit_test(wan_ring_goes_the_short_way_in_both_directions),
      cmocka_unit_test(caller_overrides_the_model_of_the_file),
      cmocka_unit_test(file_keeps_its_model),
      cmocka_unit_test(wifi_messages_cross_the_air_twice),
      cmocka_unit_test(wifi_stations_share_the_air),
      cmocka_unit_test(wifi_level_of_a_host_sets_its_rate),
      cmocka_unit_test(wifi_level_must_be_a_level),
  };
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
