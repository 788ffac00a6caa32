/* The probe and `rehearse platform`: what SimGrid cannot use becomes one message, nothing crashes. */
#include "cmocka_all.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe.h"
#include "probe_private.h"
#include "process.h"

#define PLATFORMS RH_SOURCE_DIR "/../shared/platforms-simgrid"

#define DOCTYPE      "<?xml version='1.0'?>\n<!DOCTYPE platform SYSTEM \"https://simgrid.org/simgrid.dtd\">\n"
#define HEAD         DOCTYPE "<platform version=\"4.1\">\n"
#define MODEL(name)  "<config><prop id=\"network/model\" value=\"" name "\"/></config>\n"
#define HOSTS        "<host id=\"a\" speed=\"1Gf\"/><host id=\"b\" speed=\"1Gf\"/><host id=\"c\" speed=\"1Gf\"/>"
#define LINK         "<link id=\"l\" bandwidth=\"1MBps\" latency=\"1us\"/>"
#define A_TO_B       "<route src=\"a\" dst=\"b\"><link_ctn id=\"l\"/></route>"
#define B_TO_C       "<route src=\"b\" dst=\"c\"><link_ctn id=\"l\"/></route>"
#define ZONE(r, ...) "<zone id=\"z\" routing=\"" r "\">" __VA_ARGS__ "</zone>\n"
#define TAIL         "</platform>\n"

static char folder[64]; /* of this run's files */

/* The path of a file `name` in the folder; static. */
static const char *path_of(const char *name)
{
  static char path[512];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static const char *write_file(const char *name, const char *content)
{
  FILE *file = fopen(path_of(name), "w");
  assert_non_null(file);
  assert_true(fputs(content, file) >= 0);
  assert_int_equal(fclose(file), 0);
  return path_of(name);
}

static int set_up(void **state)
{
  (void)state;
  rh_process_set_self(RH_PROGRAM);
  snprintf(folder, sizeof folder, "/tmp/rehearse-probe-XXXXXX");
  return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
  (void)state;
  DIR *directory = opendir(folder);
  for (const struct dirent *entry; directory && (entry = readdir(directory));)
    unlink(path_of(entry->d_name)); /* fails for . and .., as it should */
  if (directory) closedir(directory);
  return rmdir(folder);
}

static void expect_words(const char *text, const char *const *words, size_t count)
{
  for (size_t i = 0; i < count; i++)
    if (words[i] && !strstr(text, words[i])) fail_msg("'%s' is not in: %s", words[i], text);
}

/* ---- files that SimGrid does not read ---- */

static const struct bad_file {
  const char *name, *content;
  rh_status code;
  const char *words[4]; /* of the message */
} bad_files[] = {
    {"prose.xml", "no platform at all\n", RH_EFORMAT, {"prose.xml:1:", "no platform file", "Unexpected character"}},
    {"empty.xml", "", RH_EFORMAT, {"empty.xml:1:", "no platform file", "EOF"}},
    {"cut.xml", HEAD "<zone id=\"z\" routing=\"Full\">\n", RH_EFORMAT, {"cut.xml:5:", "malformed", "</zone>"}},
    {"element.xml", HEAD ZONE("Full", "<hosst id=\"a\" speed=\"1Gf\"/>") TAIL, RH_EFORMAT, {"element.xml:4:"}},
    {"old.xml",
     DOCTYPE "<platform version=\"3\">\n<AS id=\"z\" routing=\"Full\"><host id=\"a\" power=\"1E9\"/></AS>\n" TAIL,
     RH_EFORMAT,
     {"old.xml:3:", "TOO OLD (v:3.0)", "simgrid_update_xml", "old.xml"}},
    {"profile.xml",
     HEAD ZONE("Full", "<host id=\"a\" speed=\"1Gf\" state_file=\"gone.profile\"/>") TAIL,
     RH_EIO,
     {"profile.xml:", "missing", "gone.profile", "relative to the platform file"}},
    {"include.xml",
     HEAD "<include file=\"gone.xml\"/>\n" TAIL,
     RH_EFORMAT,
     {"include.xml:", "includes another", "paste"}},
    {"bandwidth.xml",
     HEAD MODEL("CM02") ZONE("Full", HOSTS "<link id=\"l\" bandwidth=\"1000000\" latency=\"1us\"/>" A_TO_B) TAIL,
     RH_EUNIT,
     {"bandwidth.xml:", "no unit", "'1000000' for bandwidth of link l", "Bps"}},
    {"latency.xml",
     HEAD MODEL("CM02") ZONE("Full", HOSTS "<link id=\"l\" bandwidth=\"1MBps\" latency=\"0.1\"/>" A_TO_B) TAIL,
     RH_EUNIT,
     {"latency.xml:", "no unit", "'0.1' for latency of link l", " s"}},
    {"unit.xml",
     HEAD MODEL("CM02") ZONE("Full", HOSTS "\n<link id=\"l\" bandwidth=\"1MBs\" latency=\"1us\"/>" A_TO_B) TAIL,
     RH_EUNIT,
     {"unit.xml:6:", "does not know", "MBs", "12.5GBps"}},
    {"model.xml", HEAD MODEL("CM03") ZONE("Full", HOSTS) TAIL, RH_EINVAL, {"model.xml:", "CM03", "use CM02"}},
    {"config.xml",
     HEAD "<config><prop id=\"network/modle\" value=\"CM02\"/></config>\n" ZONE("Full", HOSTS) TAIL,
     RH_EINVAL,
     {"config.xml:", "network/modle"}},
    {"constant.xml",
     HEAD MODEL("Constant") ZONE("Full", HOSTS LINK A_TO_B) TAIL,
     RH_EUNSUPPORTED,
     {"constant.xml:", "Constant", "same duration", "use CM02"}},
    {"ib.xml", HEAD MODEL("IB") ZONE("Full", HOSTS LINK A_TO_B) TAIL, RH_EUNSUPPORTED, {"ib.xml:", "IB", "SMPI"}},
    {"ns3.xml", HEAD MODEL("ns-3") ZONE("Full", HOSTS LINK A_TO_B) TAIL, RH_EUNSUPPORTED, {"ns3.xml:", "ns-3"}},
    {"ptask.xml",
     HEAD "<config><prop id=\"host/model\" value=\"ptask_L07\"/></config>\n" ZONE("Full", HOSTS) TAIL,
     RH_EUNSUPPORTED,
     {"ptask.xml:", "ptask_L07"}},
    {"modelless.xml",
     HEAD ZONE("Full", HOSTS LINK A_TO_B) TAIL,
     RH_EINVAL,
     {"modelless.xml:", "no network model", "network.model"}},
    {"hostless.xml", HEAD MODEL("CM02") ZONE("Full", "") TAIL, RH_EFORMAT, {"hostless.xml:", "no host"}},
    {"twice.xml",
     HEAD ZONE("Full", "<host id=\"a\" speed=\"1Gf\"/><host id=\"a\" speed=\"1Gf\"/>") TAIL,
     RH_EFORMAT,
     {"twice.xml:", "second host named 'a'"}},
    {"link.xml",
     HEAD ZONE("Full", HOSTS A_TO_B) TAIL,
     RH_EINVAL,
     {"link.xml:", "a route crosses a link that the file does not give", "Link not found: l", "add the <link>"}},
    {"level.xml",
     HEAD MODEL("CM02") ZONE("Wifi", "<prop id=\"access_point\" value=\"ap\"/><host id=\"a\" speed=\"1Gf\">"
                                     "<prop id=\"wifi_level\" value=\"7\"/></host><router id=\"ap\"/>"
                                     "<link id=\"air\" sharing_policy=\"WIFI\" bandwidth=\"9Mbps\" latency=\"0s\"/>")
         TAIL,
     RH_EINVAL,
     {"level.xml:", "wifi_level", "level 7 is invalid", "'air'"}},
};

static void every_bad_file_gets_a_reason(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof bad_files / sizeof *bad_files; i++) {
    const struct bad_file *bad = &bad_files[i];
    rh_probe probe;
    const rh_platform_def def = {.file = write_file(bad->name, bad->content), .workers = 1};
    rh_status status = rh_probe_platform(&def, NULL, false, &probe);
    if (status != bad->code)
      fail_msg("%s: %s, expected %s: %s", bad->name, rh_status_name(status), rh_status_name(bad->code),
               rh_error_message());
    expect_words(rh_error_message(), bad->words, 4);
    if (strchr(rh_error_message(), '\n')) fail_msg("%s: more than one line: %s", bad->name, rh_error_message());
  }
}

static void missing_file_is_named(void **state)
{
  (void)state;
  rh_probe probe;
  const rh_platform_def def = {.file = path_of("nowhere.xml"), .workers = 1};
  assert_int_equal(rh_probe_platform(&def, NULL, false, &probe), RH_EIO);
  expect_words(rh_error_message(), (const char *[]){"nowhere.xml", "No such file"}, 2);
  const rh_platform_def directory = {.file = folder, .workers = 1};
  assert_int_equal(rh_probe_platform(&directory, NULL, false, &probe), RH_EIO);
  expect_words(rh_error_message(), (const char *[]){folder, "Is a directory"}, 2);
}

/* A file that never ends: a pipe that nobody writes to. */
static void platform_that_takes_too_long_is_given_up(void **state)
{
  (void)state;
  char pipe[512];
  snprintf(pipe, sizeof pipe, "%s", path_of("pipe.xml"));
  assert_int_equal(mkfifo(pipe, 0600), 0);
  const char *argv[] = {"rehearse", "_probe", "--timeout", "0.1", "--workers", "1", pipe, NULL};
  rh_text out = {0};
  bool at_pair;
  assert_int_equal(rh_probe_run(pipe, argv, &out, &at_pair), RH_EUNSUPPORTED);
  expect_words(rh_error_message(), (const char *[]){"pipe.xml", "not done with this platform", "1 s by the clock"}, 3);
  assert_false(at_pair);
  rh_text_clear(&out);
}

/* N hosts in a ring of links, with a routing that works for its routes. */
static const char *write_ring(const char *name, const char *routing, int N)
{
  rh_text xml = {0};
  rh_text_append(&xml, HEAD MODEL("CM02") "<zone id=\"z\" routing=\"%s\">", routing);
  for (int i = 0; i < N; i++)
    rh_text_append(&xml, "<host id=\"n%d\" speed=\"1Gf\"/><link id=\"l%d\" bandwidth=\"1MBps\" latency=\"1us\"/>", i,
                   i);
  for (int i = 0; i < N; i++)
    rh_text_append(&xml, "<route src=\"n%d\" dst=\"n%d\"><link_ctn id=\"l%d\"/></route>", i, (i + 1) % N, i);
  rh_text_append(&xml, "</zone>" TAIL);
  const char *file = write_file(name, rh_text_get(&xml));
  rh_text_clear(&xml);
  return file;
}

static double seconds_of_children(void)
{
  struct rusage used;
  assert_int_equal(getrusage(RUSAGE_CHILDREN, &used), 0);
  return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

/* The limit is of loading, and of each route alone: many routes take as long as they take together. Loading takes a
 * tenth of the limit where all routes take three times as long. */
static void limit_is_of_one_route(void **state)
{
  (void)state;
  const double limit_s = 0.3, before_s = seconds_of_children();
  char seconds[16], file[512];
  snprintf(seconds, sizeof seconds, "%g", limit_s);
  snprintf(file, sizeof file, "%s", write_ring("dijkstra.xml", "Dijkstra", 1500));
  const char *argv[] = {"rehearse", "_probe", "--timeout", seconds, "--workers", "1500", "--ring", file, NULL};
  rh_text out = {0};
  bool at_pair;
  const rh_status status = rh_probe_run(file, argv, &out, &at_pair);
  if (status != RH_OK) fail_msg("%s", rh_error_message());
  rh_text_clear(&out);
  if (seconds_of_children() - before_s > limit_s) return;
  print_message("skipped: too fast a machine, more hosts are needed\n");
  skip();
}

/* Floyd's shortest paths are N^3 steps. */
static void loading_that_takes_too_long_is_given_up(void **state)
{
  (void)state;
  char file[512];
  snprintf(file, sizeof file, "%s", write_ring("floyd.xml", "Floyd", 300));
  const char *argv[] = {"rehearse", "_probe", "--timeout", "0.005", "--workers", "1", file, NULL};
  rh_text out = {0};
  bool at_pair;
  assert_int_equal(rh_probe_run(file, argv, &out, &at_pair), RH_EUNSUPPORTED);
  expect_words(rh_error_message(), (const char *[]){"floyd.xml", "not done with this platform", "0.005 s"}, 3);
  assert_false(at_pair);
  rh_text_clear(&out);
}

/* ---- ranks and pairs ---- */

static void catalogue_platform_answers(void **state)
{
  (void)state;
  rh_probe probe = {0};
  const rh_platform_def def = {.file = RH_SOURCE_DIR "/platforms/fat-tree-64.xml", .workers = 64};
  const rh_status status = rh_probe_platform(&def, NULL, true, &probe);
  if (status != RH_OK) fail_msg("%s", rh_error_message());
  assert_string_equal(probe.model, "CM02");
  assert_int_equal(strncmp(probe.version, "SimGrid ", 8), 0);
  assert_int_equal(probe.hosts, 64);
  assert_int_equal(probe.links, 257); /* 64 cables of nodes and 64 of leaves, both ways, and SimGrid's loopback */
}

static void impossible_ranks_are_refused(void **state)
{
  (void)state;
  rh_probe probe;
  rh_platform_def def = {.file = RH_SOURCE_DIR "/platforms/wan-ring-16.xml", .workers = 17};
  assert_int_equal(rh_probe_platform(&def, NULL, true, &probe), RH_EINVAL);
  expect_words(rh_error_message(), (const char *[]){"wan-ring-16.xml", "16 hosts", "17 workers"}, 3);
  def.workers = 0;
  assert_int_equal(rh_probe_platform(&def, NULL, true, &probe), RH_EINVAL);
  expect_words(rh_error_message(), (const char *[]){"workers", "at least one"}, 2);
  def.workers = 2;
  def.hostfile = write_file("hosts", "site-1\nsite-77\n");
  assert_int_equal(rh_probe_platform(&def, NULL, true, &probe), RH_EINVAL);
  expect_words(rh_error_message(), (const char *[]){"hosts:2:", "'site-77'", "did you mean 'site-"}, 3);
}

/* SimGrid gives an empty route, throws, or dies, by the kind of zone: the message is the same. */
static const struct gap {
  const char *name, *content;
  const char *words[4];
} gaps[] = {
    {"full.xml",
     HEAD MODEL("CM02") ZONE("Full", HOSTS LINK A_TO_B) TAIL,
     {"hosts 'b' and 'c' have no route", "zone 'z'"}},
    {"floyd.xml",
     HEAD MODEL("CM02") ZONE("Floyd", HOSTS LINK A_TO_B) TAIL,
     {"hosts 'b' and 'c' have no route", "<route>", "zone 'z'", "platform.hostfile"}},
    {"dijkstra.xml",
     HEAD MODEL("CM02") ZONE("Dijkstra", HOSTS LINK A_TO_B) TAIL,
     {"hosts 'b' and 'c' have no route", "<route>", "zone 'z'", "platform.hostfile"}},
    {"none.xml",
     HEAD MODEL("CM02") ZONE("None", HOSTS) TAIL,
     {"hosts 'a' and 'b' have no route", "zone 'z'", "SimGrid: There can't be route"}},
    {"zones.xml",
     HEAD MODEL("CM02") ZONE("Full", "<cluster id=\"k\" prefix=\"a\" suffix=\"\" radical=\"1-1\" speed=\"1Gf\" "
                                     "bw=\"1GBps\" lat=\"1us\"/><cluster id=\"m\" prefix=\"b\" suffix=\"\" "
                                     "radical=\"1-2\" speed=\"1Gf\" bw=\"1GBps\" lat=\"1us\"/>") TAIL,
     {"hosts 'a1' and 'b1' have no route", "<zoneRoute>", "'k' and 'm'", "platform.hostfile"}},
};

static void pairs_without_a_route_are_named(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof gaps / sizeof *gaps; i++) {
    rh_probe probe;
    const rh_platform_def def = {.file = write_file(gaps[i].name, gaps[i].content), .workers = 3};
    const rh_status status = rh_probe_platform(&def, NULL, true, &probe);
    if (status != RH_EINVAL) fail_msg("%s: %s: %s", gaps[i].name, rh_status_name(status), rh_error_message());
    expect_words(rh_error_message(), gaps[i].words, 4);
  }
}

/* a - b - c is connected as far as the run goes; only with the edge a - c it is refused. */
static void only_pairs_of_the_run_count(void **state)
{
  (void)state;
  const rh_platform_def def = {
      .file = write_file("chain.xml", HEAD MODEL("CM02") ZONE("Full", HOSTS LINK A_TO_B B_TO_C) TAIL), .workers = 3};
  const int32_t offset[] = {0, 1, 3, 4}, chain[] = {1, 0, 2, 1}, open[] = {1, 0, 2, 0};
  rh_neighbours graph = {.workers = 3, .out_offset = offset, .out = chain, .in_offset = offset, .in = chain};
  rh_probe probe;
  const rh_status status = rh_probe_platform(&def, &graph, false, &probe);
  if (status != RH_OK) fail_msg("%s", rh_error_message());
  graph.out = open;
  assert_int_equal(rh_probe_platform(&def, &graph, false, &probe), RH_EINVAL);
  expect_words(rh_error_message(), (const char *[]){"chain.xml", "'c' and 'a' have no route"}, 2);
}

/* ---- the command ---- */

static int command(const char *file, bool json, rh_text *out, rh_text *err)
{
  const char *argv[] = {"rehearse", "platform", file, json ? "--json" : NULL, NULL};
  int exit_code;
  assert_int_equal(rh_process_run(argv, 100, NULL, out, err, &exit_code), RH_OK);
  return exit_code;
}

static void platforms_of_the_catalogue_are_described_by_name(void **state)
{
  (void)state;
  rh_text out = {0}, err = {0};
  assert_int_equal(command("edge-wifi-16.xml", false, &out, &err), 0);
  const char *words[] = {"Wi-Fi edge: 16 small boards", "CM02, set by the file", "16: board-0 .. board-15",
                         "air: 16 stations share 4.88 MBps", "all 240 pairs"};
  expect_words(rh_text_get(&out), words, 5);
  assert_string_equal(rh_text_get(&err), "");
  rh_text_clear(&out);
  assert_int_equal(command("edge-wifi-16.xml", true, &out, &err), 0);
  const char *keys[] = {"\"network_model\": \"CM02\"", "\"hosts\": 16", "\"Wifi\": 1", "\"without_route\": 0"};
  expect_words(rh_text_get(&out), keys, 4);
  rh_text_clear(&out);
  rh_text_clear(&err);
}

/* SimGrid dies at a route: the rest is described all the same. */
static void platform_with_a_deadly_pair_is_described(void **state)
{
  (void)state;
  rh_text out = {0}, err = {0};
  const char *file = write_file("dead.xml", HEAD ZONE("Dijkstra", HOSTS LINK A_TO_B) TAIL);
  assert_int_equal(command(file, false, &out, &err), 0);
  const char *words[] = {"not set by the file", "hosts           3: a .. c",
                         "not looked at: hosts 'a' and 'c' have no route"};
  expect_words(rh_text_get(&out), words, 3);
  rh_text_clear(&out);
  rh_text_clear(&err);
}

static void command_refuses_with_status_2(void **state)
{
  (void)state;
  rh_text out = {0}, err = {0};
  assert_int_equal(command("nowhere.xml", false, &out, &err), 2);
  expect_words(rh_text_get(&err), (const char *[]){"rehearse platform: ", "nowhere.xml"}, 2);
  assert_string_equal(rh_text_get(&out), "");
  rh_text_clear(&err);
  assert_int_equal(command(NULL, false, &out, &err), 2);
  expect_words(rh_text_get(&err), (const char *[]){"FILE"}, 1);
  rh_text_clear(&err);
  assert_int_equal(command("--help", false, &out, &err), 0);
  expect_words(rh_text_get(&out), (const char *[]){"Usage: rehearse platform", "--json"}, 2);
  rh_text_clear(&out);
  rh_text_clear(&err);
}

/* SimGrid's own example platforms, when they lie beside the source tree. */
static void shared_platforms_are_described_and_probed(void **state)
{
  (void)state;
  /* those that no ring can run on: a zone without routes, routes without links, and a host that is off at the start */
  static const char *const refused[] = {"small_platform_routing_none.xml", "vivaldi.xml",
                                        "small_platform_failures.xml"};
  DIR *directory = opendir(PLATFORMS);
  if (!directory) {
    print_message("skipped: no example platforms beside the source tree\n");
    skip();
    return; /* never: skip() has left, but is not declared so */
  }
  int count = 0;
  for (const struct dirent *entry; (entry = readdir(directory));) {
    if (!strstr(entry->d_name, ".xml")) continue;
    char file[4096];
    snprintf(file, sizeof file, PLATFORMS "/%s", entry->d_name);
    rh_text out = {0}, err = {0};
    const int exit_code = command(file, true, &out, &err);
    if (exit_code != 0) fail_msg("%s: status %d: %s", file, exit_code, rh_text_get(&err));
    expect_words(rh_text_get(&out), (const char *[]){"\"hosts\": ", "\"network_model_set_by\": \"nobody\""}, 2);

    rh_probe probe;
    const rh_platform_def def = {.file = file, .model = "LV08", .workers = 2};
    const rh_status status = rh_probe_platform(&def, NULL, true, &probe);
    bool expected = true;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
      if (strcmp(entry->d_name, refused[i]) == 0) expected = false;
    if ((status == RH_OK) != expected) fail_msg("%s: %s", file, status == RH_OK ? "accepted" : rh_error_message());
    rh_text_clear(&out);
    rh_text_clear(&err);
    count++;
  }
  closedir(directory);
  assert_int_equal(count, 14);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(every_bad_file_gets_a_reason),
      cmocka_unit_test(missing_file_is_named),
      cmocka_unit_test(platform_that_takes_too_long_is_given_up),
      cmocka_unit_test(limit_is_of_one_route),
      cmocka_unit_test(loading_that_takes_too_long_is_given_up),
      cmocka_unit_test(catalogue_platform_answers),
      cmocka_unit_test(impossible_ranks_are_refused),
      cmocka_unit_test(pairs_without_a_route_are_named),
      cmocka_unit_test(only_pairs_of_the_run_count),
      cmocka_unit_test(platforms_of_the_catalogue_are_described_by_name),
      cmocka_unit_test(platform_with_a_deadly_pair_is_described),
      cmocka_unit_test(command_refuses_with_status_2),
      cmocka_unit_test(shared_platforms_are_described_and_probed),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
