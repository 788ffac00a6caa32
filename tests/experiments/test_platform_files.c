/* The generated platforms of the catalogue through the whole command: SimGrid loads them, and hosts, links, diameter
 * and bisection are those of the arithmetic beside them. Drawings are well-formed. `-g` writes files that work. */
#include "cmocka_all.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"

#define CATALOGUE RH_SOURCE_DIR "/platforms/"
#define SHARED    RH_SOURCE_DIR "/../shared/platforms-simgrid"

static char folder[64]; /* of this run's files */

static int set_up(void **state)
{
  (void)state;
  rh_process_set_self(RH_PROGRAM);
  snprintf(folder, sizeof folder, "/tmp/rehearse-files-XXXXXX");
  return mkdtemp(folder) ? 0 : -1;
}

static void empty_folder(const char *path)
{
  DIR *directory = opendir(path);
  for (const struct dirent *entry; directory && (entry = readdir(directory));) {
    char inside[512];
    if (entry->d_name[0] == '.') continue;
    snprintf(inside, sizeof inside, "%s/%s", path, entry->d_name);
    if (unlink(inside) != 0) {
      empty_folder(inside);
      rmdir(inside);
    }
  }
  if (directory) closedir(directory);
}

static int tear_down(void **state)
{
  (void)state;
  empty_folder(folder);
  return rmdir(folder);
}

/* Runs the command; its status. */
static int run(const char *const *argv, rh_text *out, rh_text *err)
{
  int exit_code;
  rh_text_clear(out);
  rh_text_clear(err);
  assert_int_equal(rh_process_run(argv, 100, NULL, out, err, &exit_code), RH_OK);
  return exit_code;
}

/* The number after "key": within the object that begins with `object`. */
static double number(const char *json, const char *object, const char *key)
{
  char quoted[64];
  const char *at = strstr(json, object);
  snprintf(quoted, sizeof quoted, "\"%s\": ", key);
  at = at ? strstr(at, quoted) : NULL;
  if (!at) fail_msg("no %s of %s in %s", key, object, json);
  RH_ASSERT(at);
  return strtod(at + strlen(quoted), NULL);
}

/* Files hold quantities to nine digits. */
static void assert_near(const char *file, double value, double expected)
{
  if (!(fabs(value - expected) <= 1e-8 * fabs(expected))) fail_msg("%s: %.15g, expected %.15g", file, value, expected);
}

/* ---- known values ---- */

#define HDR100 12.42e9

/* Links count each way of a cable. Bisection: cables across the middle, one way. */
static const struct known {
  const char *file;
  int hosts, links, diameter;
  double bisection_Bps;
} knowns[] = {
    {"fat-tree-64-4to1.xml", 64, 2 * (64 + 8 * 2), 4, 8 * HDR100},
    {"fat-tree-1024.xml", 1024, 2 * (1024 + 1024), 4, 512 * HDR100},
    {"fat-tree-1024-4to1.xml", 1024, 2 * (1024 + 32 * 8), 4, 128 * HDR100},
    {"fat-tree-4096.xml", 4096, 2 * 3 * 4096, 6, 2048 * HDR100},
    {"fat-tree-4096-4to1.xml", 4096, 2 * (4096 + 256 * 4 + 16 * 4 * 16), 6, 512 * HDR100},
    /* nodes, 66 cables in each of 12 groups, 66 bundles; 6 x 6 bundles of 4 between halves */
    {"dragonfly-1152.xml", 12 * 12 * 8, 2 * (1152 + 12 * 66 + 66), 5, 6 * 6 * 4 * 25e9},
    {"torus-4096.xml", 4096, 2 * 3 * 4096, 8 + 8 + 8, 512 * 50e9},
    /* ports, adapters, rails' cables, and a switch that is never busy a node; half of the adapters */
    {"gpu-pod-8x8.xml", 64, 2 * (64 + 64 + 8) + 8, 4, 32 * 49.68e9},
    {"cloud-4x16.xml", 64, 2 * (64 + 4), 4, 2 * 16 * 3.125e9 / 3},
    {"wan-8x8.xml", 64, 2 * (64 + 28), 3, 4 * 4 * 1.25e9},
    /* two access points send to two: what their air carries, once */
    {"wifi-edge-64.xml", 64, 4 + 2 * 4, 4, 2 * 39e6 / 8},
    {"boards-ring-16.xml", 16, 2 * 16, 8, 2 * 125e6},
    {"boards-torus-16.xml", 16, 2 * 32, 4, 2 * 4 * 125e6},
    {"unequal-1024.xml", 1024, 2 * 1024, 2, 0},
    {"leo-66.xml", 66, 2 * (66 + 55), 0, 0},
};

static void generated_files_are_loaded_and_have_their_numbers(void **state)
{
  (void)state;
  rh_text out = {0}, err = {0};
  for (size_t i = 0; i < sizeof knowns / sizeof *knowns; i++) {
    const struct known *k = &knowns[i];
    const char *argv[] = {"rehearse", "platform", k->file, "--json", NULL};
    if (run(argv, &out, &err) != 0) fail_msg("%s", rh_text_get(&err));
    const char *json = rh_text_get(&out);
    assert_near(k->file, number(json, "{", "hosts"), k->hosts);
    assert_near(k->file, number(json, "{", "links"), k->links);
    assert_near(k->file, number(json, "\"routes\"", "without_route"), 0);
    assert_near(k->file, number(json, "\"routes\"", "without_link"), 0);
    assert_true(number(json, "\"routes\"", "looked_at") >= 240);
    if (k->diameter) assert_near(k->file, number(json, "\"diameter\"", "links"), k->diameter);
    if (k->bisection_Bps > 0) assert_near(k->file, number(json, "\"bisection\"", "bandwidth_Bps"), k->bisection_Bps);
    /* the sample agrees with the formula */
    assert_true(k->diameter == 0 || number(strstr(json, "\"routes\""), "\"links\"", "most") <= k->diameter);
    if (!strstr(json, "\"network_model_set_by\": \"the file\"")) fail_msg("%s has no model", k->file);
  }
  rh_text_clear(&out);
  rh_text_clear(&err);
}

static int count_of(const char *text, const char *word)
{
  int count = 0;
  for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
    count++;
  return count;
}

/* The slowest 512 of 1024 lines up, by the file: ADSL2+, GPON, VDSL2, LTE, DOCSIS; down they are all faster. */
static void unequal_devices_bisection_is_their_slower_half(void **state)
{
  (void)state;
  static const struct {
    const char *up;
    double Bps;
  } lines[] = {{"\"0.175MBps\" latency=\"10ms\"", 175e3},
               {"\"4.8625MBps\" latency=\"1ms\"", 4862500},
               {"\"5MBps\" latency=\"6ms\"", 5e6},
               {"\"6.25MBps\" latency=\"20ms\"", 6250e3},
               {"\"13.5MBps\" latency=\"8ms\"", 13.5e6}};
  rh_text file = {0}, out = {0}, err = {0};
  double sum_Bps = 0;
  int left = 512, all = 0;
  assert_int_equal(rh_text_read_file(&file, CATALOGUE "unequal-1024.xml"), RH_OK);
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    const int count = count_of(rh_text_get(&file), lines[i].up), taken = count < left ? count : left;
    sum_Bps += taken * lines[i].Bps;
    left -= taken;
    all += count;
  }
  assert_int_equal(all, 1024);
  const char *argv[] = {"rehearse", "platform", "unequal-1024.xml", "--json", NULL};
  assert_int_equal(run(argv, &out, &err), 0);
  assert_near("unequal", number(rh_text_get(&out), "\"bisection\"", "bandwidth_Bps"), sum_Bps);
  assert_near("unequal", number(rh_text_get(&out), "\"diameter\"", "latency_s"), 40e-3); /* LTE to LTE */
  rh_text_clear(&file);
  rh_text_clear(&out);
  rh_text_clear(&err);
}

/* 16 boards in a ring: 2 * 15 steps of 13.01 * 10 us and 100 MB / 16 at 0.97 * 125 MB/s. */
static void description_tells_diameter_bisection_and_all_reduce(void **state)
{
  (void)state;
  rh_text out = {0}, err = {0};
  const char *argv[] = {"rehearse", "platform", "boards-ring-16.xml", NULL};
  assert_int_equal(run(argv, &out, &err), 0);
  char expected[64];
  snprintf(expected, sizeof expected, "of 100 MB by ring: %.2f s", 30 * (130.1e-6 + 100e6 / 16 / (0.97 * 125e6)));
  const char *const words[] = {expected, "diameter        8 links (board-0 .. board-8), 80.0 us",
                               "bisection       250 MBps one way: 2 N / k cables"};
  for (int i = 0; i < 3; i++)
    if (!strstr(rh_text_get(&out), words[i])) fail_msg("no '%s' in %s", words[i], rh_text_get(&out));
  rh_text_clear(&out);
  rh_text_clear(&err);
}

/* Links that change are described as the file gives them, not as their profiles begin: some of these begin down. */
static void profiles_are_named_and_left_out(void **state)
{
  (void)state;
  rh_text out = {0}, err = {0};
  const char *argv[] = {"rehearse", "platform", "leo-66.xml", NULL};
  assert_int_equal(run(argv, &out, &err), 0);
  assert_non_null(strstr(rh_text_get(&out), "55 links of the file change over time"));
  assert_non_null(strstr(rh_text_get(&out), "242: 312 MBps, latency 11.1 ms .. 13.5 ms\n"));
  assert_non_null(strstr(rh_text_get(&out), "all-reduce      of 100 MB by ring: 9.61 s"));
  rh_text_clear(&out);
  rh_text_clear(&err);
}

/* ---- drawings ---- */

/* Is this one XML element, its tags nested, its text free of bare '<' and '&'? */
static bool well_formed(const char *xml)
{
  char open[64][32];
  int depth = 0, roots = 0;
  for (const char *at = xml; *at;) {
    if (*at == '&') {
      if (strncmp(at, "&amp;", 5) != 0 && strncmp(at, "&lt;", 4) != 0 && strncmp(at, "&gt;", 4) != 0) return false;
    }
    if (*at != '<') {
      if (depth == 0 && *at != '\n') return false;
      at++;
      continue;
    }
    const char *end = strchr(at, '>');
    if (!end) return false;
    if (at[1] == '?') {
      if (at != xml || end[-1] != '?') return false;
    } else if (at[1] == '/') {
      const size_t length = (size_t)(end - at) - 2;
      if (depth == 0 || strlen(open[--depth]) != length || strncmp(open[depth], at + 2, length) != 0) return false;
    } else if (end[-1] != '/') {
      const size_t length = strcspn(at + 1, " >\n");
      if (depth == 64 || length > 31 || (depth == 0 && roots++ > 0)) return false;
      snprintf(open[depth++], sizeof open[0], "%.*s", (int)length, at + 1);
    }
    at = end + 1;
  }
  return depth == 0 && roots == 1;
}

static void well_formed_knows_better(void **state)
{
  (void)state;
  assert_true(well_formed("<?xml?>\n<a x=\"1\"><b/>c &amp; d</a>\n"));
  assert_false(well_formed("<a><b></a></b>"));
  assert_false(well_formed("<a>"));
  assert_false(well_formed("<a>c & d</a>"));
  assert_false(well_formed("<a></a><b></b>"));
}

/* Draws a platform, and checks what was written. */
static void draw(const char *file, rh_text *svg)
{
  rh_text out = {0}, err = {0};
  char path[128];
  snprintf(path, sizeof path, "%s/drawing.svg", folder);
  const char *argv[] = {"rehearse", "platform", file, "--svg", path, NULL};
  if (run(argv, &out, &err) != 0) fail_msg("%s: %s", file, rh_text_get(&err));
  rh_text_clear(svg);
  assert_int_equal(rh_text_read_file(svg, path), RH_OK);
  if (!well_formed(rh_text_get(svg))) fail_msg("%s: no well-formed XML: %s", file, rh_text_get(svg));
  if (!strstr(rh_text_get(svg), "prefers-color-scheme: dark")) fail_msg("%s: only for light ground", file);
  rh_text_clear(&out);
  rh_text_clear(&err);
}

/* One of each layout: boxes and labels of what is there. */
static const struct layout {
  const char *file;
  int hosts, switches; /* boxes */
  const char *words[2];
} layouts[] = {
    {"fat-tree-64-4to1.xml", 8, 1 + 8, {"2 x", "cables of 12.4 GBps, 195 ns"}},
    {"torus-4096.xml", 12 * 12, 0, {"torus of 16 x 16 x 16 hosts, its first plane", "each cable 50.0 GBps, 500 ns"}},
    {"boards-ring-16.xml", 16, 0, {"torus of 16 hosts", "each cable 125 MBps, 10.0 us"}},
    {"dragonfly-1152.xml", 0, 12, {"12 sw. x 8 hosts", "between two groups 4 cables of 25.0 GBps, 280 ns"}},
    {"unequal-1024.xml", 23, 1, {"... 1001 more", "175 kBps, 10.0 ms up"}},
    {"wan-8x8.xml", 0, 8, {"gpu-56 .. +7", "1.25 GBps, 116 ms"}},
    {"gpu-pod-8x8.xml", 0, 8, {"450 GBps inside", "49.7 GBps, 600 ns"}},
    {"leo-66.xml", 66, 0, {"6 planes of 11", "312 MBps, 13.5 ms"}},
    {"wan-ring-16.xml", 16, 0, {"one link apart", "1.25 GBps, 3.77 ms"}},
};

static void drawings_are_laid_out_by_kind_and_labelled(void **state)
{
  (void)state;
  rh_text svg = {0};
  for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++) {
    const struct layout *l = &layouts[i];
    draw(l->file, &svg);
    for (int w = 0; w < 2; w++)
      if (!strstr(rh_text_get(&svg), l->words[w])) fail_msg("%s: no '%s'", l->file, l->words[w]);
    const int hosts = count_of(rh_text_get(&svg), "<rect class=\"host\"");
    const int switches = count_of(rh_text_get(&svg), "<rect class=\"switch\"");
    if (hosts != l->hosts || switches != l->switches)
      fail_msg("%s: %d hosts and %d switches drawn", l->file, hosts, switches);
    assert_true(count_of(rh_text_get(&svg), "<line ") > 0);
  }
  rh_text_clear(&svg);
}

/* A pair on which SimGrid dies leaves the routes out of the drawing; names are escaped. */
static void platform_with_a_deadly_pair_is_drawn(void **state)
{
  (void)state;
  char path[128];
  rh_text svg = {0};
  snprintf(path, sizeof path, "%s/dead.xml", folder);
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(
      "<?xml version='1.0'?>\n<!DOCTYPE platform SYSTEM \"https://simgrid.org/simgrid.dtd\">\n<platform "
      "version=\"4.1\">"
      "<zone id=\"z\" routing=\"Dijkstra\"><host id=\"a &amp; b\" speed=\"1Gf\"/><host id=\"c\" speed=\"1Gf\"/></zone>"
      "</platform>\n",
      file);
  fclose(file);
  draw(path, &svg);
  assert_int_equal(count_of(rh_text_get(&svg), "<rect class=\"host\""), 2);
  assert_non_null(strstr(rh_text_get(&svg), "a &amp; b"));
  assert_non_null(strstr(rh_text_get(&svg), "no routes told"));
  rh_text_clear(&svg);
}

/* SimGrid's own example platforms, when they lie beside the source tree. */
static void shared_platforms_are_described_and_drawn(void **state)
{
  (void)state;
  DIR *directory = opendir(SHARED);
  rh_text svg = {0};
  int files = 0;
  if (!directory) {
    skip();
    return;
  }
  for (const struct dirent *entry; (entry = readdir(directory));) {
    char path[512];
    if (!strstr(entry->d_name, ".xml")) continue;
    snprintf(path, sizeof path, SHARED "/%s", entry->d_name);
    draw(path, &svg);
    files++;
  }
  closedir(directory);
  assert_true(files > 0);
  rh_text_clear(&svg);
}

/* ---- -g ---- */

static void generated_files_are_written_and_described(void **state)
{
  (void)state;
  rh_text out = {0}, err = {0};
  char path[128];
  snprintf(path, sizeof path, "%s/sky.xml", folder);
  const char *const generate[] = {"rehearse", "platform", "-g", "leo", "planes=2", "-o", path, "polar-limit=10", NULL};
  assert_int_equal(run(generate, &out, &err), 2); /* planes that never see each other */
  assert_non_null(strstr(rh_text_get(&err), "take more planes"));
  assert_int_not_equal(access(path, F_OK), 0);
  const char *const again[] = {"rehearse", "platform", "-g", "leo", "planes=5", "-o", path, "satellites=9", NULL};
  if (run(again, &out, &err) != 0) fail_msg("%s", rh_text_get(&err));
  const char *const describe[] = {"rehearse", "platform", path, NULL};
  if (run(describe, &out, &err) != 0) fail_msg("%s", rh_text_get(&err));
  assert_non_null(strstr(rh_text_get(&out), "hosts           45: sat-0 .. sat-44"));
  assert_non_null(strstr(rh_text_get(&out), "36 links of the file change over time"));
  rh_text_clear(&out);
  rh_text_clear(&err);
}

static void generated_file_can_be_printed(void **state)
{
  (void)state;
  rh_text out = {0}, err = {0};
  const char *const argv[] = {"rehearse", "platform", "--generate", "torus", "sizes=4x4", "-o", "-", NULL};
  assert_int_equal(run(argv, &out, &err), 0);
  assert_non_null(strstr(rh_text_get(&out), "topo_parameters=\"4,4\""));
  rh_text_clear(&out);
  rh_text_clear(&err);
}

static const struct wrong {
  const char *argv[8];
  const char *words;
} wrongs[] = {
    {{"rehearse", "platform", "-g", "fat-tree", NULL}, "Give -o FILE.xml"},
    {{"rehearse", "platform", "-g", "fattree", "-o", "-", NULL}, "did you mean 'fat-tree'?"},
    {{"rehearse", "platform", "-g", "leo", "-o", "-", NULL}, "give -o FILE.xml"},
    {{"rehearse", "platform", "-g", "torus", "-o", "/nowhere/at/all.xml", NULL},
     "/nowhere/at/all.xml: cannot be written"},
    {{"rehearse", "platform", "-g", "leo", "-o", "/nowhere/at/all.xml", NULL},
     "cannot make the folder '/nowhere/at/all'"},
    {{"rehearse", "platform", "-g", "torus", "--json", "-o", "-", NULL}, "-g writes a file"},
    {{"rehearse", "platform", "ideal.xml", "-o", "x.xml", NULL}, "-o is for -g KIND"},
    {{"rehearse", "platform", "ideal.xml", "two.xml", NULL}, "'two.xml' is too many"},
    {{"rehearse", "platform", "wan-8x8.xml", "--svg", "/nowhere/x.svg", NULL}, "/nowhere/x.svg: cannot be written"},
};

static void wrong_commands_end_with_status_2(void **state)
{
  (void)state;
  rh_text out = {0}, err = {0};
  for (size_t i = 0; i < sizeof wrongs / sizeof *wrongs; i++) {
    assert_int_equal(run(wrongs[i].argv, &out, &err), 2);
    if (!strstr(rh_text_get(&err), wrongs[i].words)) fail_msg("'%s' is not in %s", wrongs[i].words, rh_text_get(&err));
  }
  const char *const help[] = {"rehearse", "platform", "--help", NULL};
  assert_int_equal(run(help, &out, &err), 0);
  assert_non_null(strstr(rh_text_get(&out), "wifi-edge: small boards"));
  assert_non_null(strstr(rh_text_get(&out), "oversubscription"));
  rh_text_clear(&out);
  rh_text_clear(&err);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(generated_files_are_loaded_and_have_their_numbers),
                                     cmocka_unit_test(unequal_devices_bisection_is_their_slower_half),
                                     cmocka_unit_test(description_tells_diameter_bisection_and_all_reduce),
                                     cmocka_unit_test(profiles_are_named_and_left_out),
                                     cmocka_unit_test(well_formed_knows_better),
                                     cmocka_unit_test(drawings_are_laid_out_by_kind_and_labelled),
                                     cmocka_unit_test(platform_with_a_deadly_pair_is_drawn),
                                     cmocka_unit_test(shared_platforms_are_described_and_drawn),
                                     cmocka_unit_test(generated_files_are_written_and_described),
                                     cmocka_unit_test(generated_file_can_be_printed),
                                     cmocka_unit_test(wrong_commands_end_with_status_2)};
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
