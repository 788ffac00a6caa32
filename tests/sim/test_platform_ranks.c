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
