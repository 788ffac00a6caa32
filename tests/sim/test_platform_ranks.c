/* Which host is which rank, and platforms that are refused. */
#include "platform_fixture.h"

/* ---- ranks ---- */

static void hostfile_gives_the_order(void **state)
{
  (void)state;
  IN_PROCESS();
  char *xml = write_file(HEAD CM02 THREE_HOSTS TAIL);
  char *hosts = write_file("# fastest last\n\n  b  # one core\na\na\n");
  rh_platform *platform = load(&(rh_platform_def){.file = xml, .hostfile = hosts, .workers = 3});
  assert_string_equal(rh_platform_host(platform, 0), "b");
  assert_string_equal(rh_platform_host(platform, 1), "a");
  assert_string_equal(rh_platform_host(platform, 2), "a");
  assert_close(rh_platform_speed(platform, 0), 1e9);
  assert_close(rh_platform_fastest(platform), 2e9);
  assert_int_equal(rh_platform_host_count(platform), 3);
}

static void hostfile_with_an_unknown_host_is_refused(void **state)
{
  (void)state;
  IN_PROCESS();
  expect_refusal(&(rh_platform_def){.file = CATALOGUE "wan-ring-16.xml",
                                    .hostfile = write_file("site-1\nsite-2\nsite_3\n"),
                                    .workers = 3},
                 RH_EINVAL, ":3:", "no host 'site_3'", "did you mean 'site-");
}

static void hostfile_with_a_host_named_too_often_is_refused(void **state)
{
  (void)state;
  IN_PROCESS();
  expect_refusal(&(rh_platform_def){.file = write_file(HEAD CM02 THREE_HOSTS TAIL),
                                    .hostfile = write_file("a\na\nb\nb\n"),
                                    .workers = 4},
                 RH_EINVAL, ":4:", "'b' is named 2 times", "1 core");
}

static void short_hostfile_is_refused(void **state)
{
  (void)state;
  IN_PROCESS();
  expect_refusal(
      &(rh_platform_def){.file = CATALOGUE "wan-ring-16.xml", .hostfile = write_file("site-1\n"), .workers = 3},
      RH_EINVAL, "names 1 host", "3 workers", "rehearse-test");
}

static void deployment_gives_the_order(void **state)
{
  (void)state;
  IN_PROCESS();
  char *actors = write_file(HEAD "<!-- <actor host=\"site-9\" function=\"f\"/> -->\n"
                                 "<actor host=\"site-5\" function=\"worker\"><argument value=\"1\"/></actor>\n"
                                 "<process\n  function='worker' host='site-0'/>\n"
                                 "<actor  function = \"worker\"  host = \"site-11\" />\n" TAIL);
  rh_platform *platform =
      load(&(rh_platform_def){.file = CATALOGUE "wan-ring-16.xml", .deployment = actors, .workers = 3});
  assert_string_equal(rh_platform_host(platform, 0), "site-5");
  assert_string_equal(rh_platform_host(platform, 1), "site-0");
  assert_string_equal(rh_platform_host(platform, 2), "site-11");
  assert_int_equal(route(platform, 0, 1)->link_count, 5);
}

static void deployment_with_an_unknown_host_is_refused(void **state)
{
  (void)state;
  IN_PROCESS();
  expect_refusal(&(rh_platform_def){.file = CATALOGUE "wan-ring-16.xml",
                                    .deployment = write_file(HEAD "<actor host=\"nowhere\" function=\"f\"/>\n" TAIL),
                                    .workers = 1},
                 RH_EINVAL, ":4:", "no host 'nowhere'", "wan-ring-16.xml");
}

/* ---- zones ---- */

/* Two nodes of two hosts, and a <cluster> of two hosts whose links are its own, in one zone. */
#define THREE_ZONES                                                                                                    \
  "<zone id=\"all\" routing=\"Floyd\">"                                                                                \
  "<zone id=\"left\" routing=\"Full\"><host id=\"n0\" speed=\"1Gf\"/><host id=\"n3\" speed=\"1Gf\"/></zone>"           \
  "<zone id=\"right\" routing=\"Full\"><host id=\"n1\" speed=\"1Gf\"/><host id=\"n2\" speed=\"1Gf\"/></zone>"          \
  "<cluster id=\"rack\" prefix=\"r\" suffix=\"\" radical=\"0-1\" speed=\"1Gf\" bw=\"1GBps\" lat=\"1us\"/></zone>\n"

/* Natural order: n0 n1 n2 n3 r0 r1. */
static void zones_are_the_innermost_ones_by_first_rank(void **state)
{
  (void)state;
  IN_PROCESS();
  rh_platform *platform = load(&(rh_platform_def){.file = write_file(HEAD CM02 THREE_ZONES TAIL), .workers = 6});
  static const int32_t expected[] = {0, 1, 1, 0, 2, 2};
  static const char *const names[] = {"left", "right", "rack"};
  assert_int_equal(rh_platform_zone_count(platform), 3);
  for (int32_t rank = 0; rank < 6; rank++) {
    assert_int_equal(rh_platform_zone_of(platform, rank), expected[rank]);
    assert_int_equal(rh_platform_zones(platform)[rank], expected[rank]);
    assert_string_equal(rh_platform_zone(platform, rank), names[expected[rank]]);
  }
  rh_text text = {0};
  assert_int_equal(rh_platform_describe(platform, false, "test", NULL, &text), RH_OK);
  if (!strstr(text.data, "; workers in 3\n")) fail_msg("%s", text.data);
  rh_text_clear(&text);
  assert_int_equal(rh_platform_describe(platform, true, "test", NULL, &text), RH_OK);
  if (!strstr(text.data, "\"zones_with_workers\": 3,")) fail_msg("%s", text.data);
  rh_text_clear(&text);
}

/* The order of ranks decides the numbers, and a zone without a rank has none. */
static void zones_follow_the_hostfile(void **state)
{
  (void)state;
  IN_PROCESS();
  rh_platform *platform = load(&(rh_platform_def){
      .file = write_file(HEAD CM02 THREE_ZONES TAIL), .hostfile = write_file("r1\nn0\nr0\nn3\n"), .workers = 4});
  static const int32_t expected[] = {0, 1, 0, 1};
  assert_int_equal(rh_platform_zone_count(platform), 2);
  assert_memory_equal(rh_platform_zones(platform), expected, sizeof expected);
}

/* Hosts of a cluster are in the cluster, whatever its topology: no zone of their own, none of their switch. */
static void a_cluster_is_one_zone(void **state)
{
  (void)state;
  static const char *const files[] = {"ideal.xml", "fat-tree-64.xml"};
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
    assert_int_equal(rh_platform_zone_count(platform), 1);
    for (int32_t rank = 0; rank < 64; rank++)
      assert_int_equal(rh_platform_zone_of(platform, rank), 0);
    return;
  }
  assert_true(parent);
}

/* ---- refusals ---- */

static void more_workers_than_hosts_are_refused(void **state)
{
  (void)state;
  IN_PROCESS();
  expect_refusal(&(rh_platform_def){.file = CATALOGUE "edge-wifi-16.xml", .workers = 17}, RH_EINVAL, "16 hosts",
                 "17 workers", "edge-wifi-16.xml");
}

static void missing_file_is_refused(void **state)
{
  (void)state;
  IN_PROCESS();
  expect_refusal(&(rh_platform_def){.file = CATALOGUE "nowhere.xml", .workers = 2}, RH_EIO, "nowhere.xml",
                 "No such file", "");
}

static void malformed_file_is_refused(void **state)
{
  (void)state;
  IN_PROCESS();
  expect_refusal(&(rh_platform_def){.file = write_file(HEAD "<zone id=\"z\" routing=\"Full\">\n"), .workers = 2},
                 RH_EFORMAT, "Premature EOF", "</zone>", "rehearse-test");
}

static void missing_model_is_refused_for_runs(void **state)
{
  (void)state;
  IN_PROCESS();
  expect_refusal(&(rh_platform_def){.file = write_file(HEAD THREE_HOSTS TAIL), .workers = 2}, RH_EINVAL,
                 "no network model", "network.model", "CM02");
}

static void missing_model_is_described(void **state)
{
  (void)state;
  IN_PROCESS();
  rh_platform *platform = load(&(rh_platform_def){.file = write_file(HEAD THREE_HOSTS TAIL)});
  rh_text text = {0};
  assert_int_equal(rh_platform_describe(platform, false, NULL, NULL, &text), RH_OK);
  assert_non_null(strstr(text.data, "not set by the file"));
  assert_non_null(strstr(text.data, "hosts           3: a .. c, 4 cores"));
  assert_non_null(strstr(text.data, "all 6 pairs: latency 1.00 ms, bandwidth 1.00 MBps"));
  assert_non_null(strstr(text.data, "no route        4 of these pairs, for example from a to c"));
  rh_text_clear(&text);
}

static void unknown_model_is_refused(void **state)
{
  (void)state;
  IN_PROCESS();
  expect_refusal(&(rh_platform_def){.file = CATALOGUE "ideal.xml", .model = "CM03", .workers = 2}, RH_EINVAL,
                 "network.model", "'CM03'", "did you mean 'CM02'");
}

static void models_that_cannot_serve_are_refused_with_the_reason(void **state)
{
  (void)state;
  static const char *const models[][2] = {{"Constant", "same duration"}, {"IB", "SMPI"}, {"ns-3", "packets"}};
  for (size_t i = 0; i < 3; i++) {
    if (in_process_with(__func__, models[i][0])) continue;
    if (strcmp(in_process_argument, models[i][0]) != 0) continue;
    expect_refusal(&(rh_platform_def){.file = CATALOGUE "ideal.xml", .model = models[i][0], .workers = 2},
                   RH_EUNSUPPORTED, models[i][0], models[i][1], "use CM02");
  }
}

static void pair_without_route_is_an_error(void **state)
{
  (void)state;
  IN_PROCESS();
  rh_platform *platform = load(&(rh_platform_def){.file = write_file(HEAD CM02 THREE_HOSTS TAIL), .workers = 3});
  const rh_route *r;
  assert_int_equal(rh_platform_route(platform, 1, 2, &r), RH_EINVAL);
  assert_non_null(strstr(rh_error_message(), "hosts 'b' and 'c' have no route"));
  assert_int_equal(route(platform, 1, 0)->link_count, 1);
}

static void route_without_links_is_unsupported(void **state)
{
  (void)state;
  IN_PROCESS();
  rh_platform *platform = load(&(rh_platform_def){
      .file = write_file(HEAD CM02 "<zone id=\"v\" routing=\"Vivaldi\">"
                                   "<host id=\"a\" speed=\"1Gf\" coordinates=\"25.5 9.4 1.4\"/>"
                                   "<host id=\"b\" speed=\"1Gf\" coordinates=\"-12.7 -9.9 2.1\"/></zone>\n" TAIL),
      .workers = 2});
  const rh_route *r;
  assert_int_equal(rh_platform_route(platform, 0, 1, &r), RH_EUNSUPPORTED);
  assert_non_null(strstr(rh_error_message(), "no link"));
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(hostfile_gives_the_order),
      cmocka_unit_test(hostfile_with_an_unknown_host_is_refused),
      cmocka_unit_test(hostfile_with_a_host_named_too_often_is_refused),
      cmocka_unit_test(short_hostfile_is_refused),
      cmocka_unit_test(deployment_gives_the_order),
      cmocka_unit_test(deployment_with_an_unknown_host_is_refused),
      cmocka_unit_test(zones_are_the_innermost_ones_by_first_rank),
      cmocka_unit_test(zones_follow_the_hostfile),
      cmocka_unit_test(a_cluster_is_one_zone),
      cmocka_unit_test(more_workers_than_hosts_are_refused),
      cmocka_unit_test(missing_file_is_refused),
      cmocka_unit_test(malformed_file_is_refused),
      cmocka_unit_test(missing_model_is_refused_for_runs),
      cmocka_unit_test(missing_model_is_described),
      cmocka_unit_test(unknown_model_is_refused),
      cmocka_unit_test(models_that_cannot_serve_are_refused_with_the_reason),
      cmocka_unit_test(pair_without_route_is_an_error),
      cmocka_unit_test(route_without_links_is_unsupported),
  };
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
