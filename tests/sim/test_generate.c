/* Generators of platform files: what they write, what they refuse, and that the catalogue's files are what their own
 * heads say. SimGrid is not asked here: see tests/experiments/test_platform_files.c. */
#include "cmocka_all.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "generate.h"
#include "orbit.h"

#define CATALOGUE RH_SOURCE_DIR "/platforms/"
#define PI        3.14159265358979323846

static rh_generated generate(const char *kind, size_t count, const char *const *assignments, const char *file)
{
  rh_generated generated = {0};
  if (rh_generate(kind, count, assignments, file, &generated) != RH_OK) fail_msg("%s: %s", kind, rh_error_message());
  return generated;
}

/* ---- refusals ---- */

static const struct bad {
  const char *kind, *assignment;
  rh_status code;
  const char *words[3];
} bads[] = {
    {"fat-treee", NULL, RH_EINVAL, {"'fat-treee'", "did you mean 'fat-tree'?", "dragonfly"}},
    {"fat-tree", "host=64", RH_EINVAL, {"key of fat-tree 'host'", "did you mean 'hosts'?", "oversubscription"}},
    {"fat-tree", "64", RH_EINVAL, {"'64'", "key=value", "hosts=64"}},
    {"fat-tree", "hosts=1000000", RH_EINVAL, {"hosts=1000000", "from 4 to 32768", ""}},
    {"fat-tree", "hosts=100.5", RH_EINVAL, {"hosts=100.5", "whole number", ""}},
    {"fat-tree", "hosts=many", RH_EINVAL, {"hosts=many", "", ""}},
    {"fat-tree", "hosts=65", RH_EINVAL, {"hosts=65", "k^2 or k^3", "64 (8^2)"}},
    {"fat-tree", "oversubscription=3", RH_EINVAL, {"oversubscription=3", "does not divide", "8 hosts"}},
    {"fat-tree", "bandwidth=12", RH_EUNIT, {"bandwidth=12", "GBps", ""}},
    {"fat-tree", "latency=1m", RH_EUNIT, {"latency=1m", "", ""}},
    {"dragonfly", "groups=13", RH_EINVAL, {"groups=13 switches=12", "switches=13", "fewer groups"}},
    {"dragonfly", "nodes=60", RH_EINVAL, {"nodes=60", "64 ports", "fewer"}},
    {"torus", "sizes=16x1", RH_EINVAL, {"sizes=16x1", "from 2 to 1024", ""}},
    {"torus", "sizes=16by16", RH_EINVAL, {"sizes=16by16", "16x16x16", ""}},
    {"torus", "sizes=2x2x2x2x2x2x2", RH_EINVAL, {"up to 6 sizes", "", ""}},
    {"torus", "sizes=1024x1024", RH_EINVAL, {"1048576 hosts", "at most 131072", ""}},
    {"boards", "shape=mesh", RH_EINVAL, {"shape=mesh", "ring torus", ""}},
    {"boards", "boards=2", RH_EINVAL, {"boards=2", "from 3", ""}},
    {"wifi-edge", "access-points=5", RH_EINVAL, {"stations=64 access-points=5", "divisor", ""}},
    {"leo", "satellites=3", RH_EINVAL, {"satellites=3", "behind the earth", "more satellites"}},
    {"leo", "range-km=3000", RH_EINVAL, {"satellites=11", "larger range-km", ""}},
};

static void bad_arguments_are_refused_with_the_cure(void **state)
{
  (void)state;
  for (size_t i = 0; i < sizeof bads / sizeof *bads; i++) {
    const struct bad *bad = &bads[i];
    rh_generated generated = {0};
    rh_status status = rh_generate(bad->kind, bad->assignment ? 1 : 0, &bad->assignment, "a.xml", &generated);
    if (status != bad->code)
      fail_msg("%s %s: %s: %s", bad->kind, bad->assignment, rh_status_name(status), rh_error_message());
    for (int w = 0; w < 3; w++)
      if (!strstr(rh_error_message(), bad->words[w]))
        fail_msg("%s %s: '%s' is not in: %s", bad->kind, bad->assignment, bad->words[w], rh_error_message());
    assert_int_equal(generated.xml.length, 0);
    rh_generated_clear(&generated);
  }
}

static void boards_that_make_no_torus_are_refused(void **state)
{
  (void)state;
  rh_generated generated = {0};
  const char *const prime[] = {"shape=torus", "boards=13"};
  assert_int_equal(rh_generate("boards", 2, prime, "a.xml", &generated), RH_EINVAL);
  assert_non_null(strstr(rh_error_message(), "take for example 9, 12 or 16"));
}

/* Two planes 90 degrees apart see each other near the poles alone. */
static void planes_that_never_meet_are_refused(void **state)
{
  (void)state;
  rh_generated generated = {0};
  const char *const far[] = {"planes=2", "polar-limit=10"};
  assert_int_equal(rh_generate("leo", 2, far, "a.xml", &generated), RH_EINVAL);
  assert_non_null(strstr(rh_error_message(), "planes=2: neighbouring planes never see each other"));
  assert_non_null(strstr(rh_error_message(), "larger polar-limit"));
}

/* XML comments hold no two dashes in a row. */
static void names_that_break_the_comment_are_refused(void **state)
{
  (void)state;
  rh_generated generated = {0};
  assert_int_equal(rh_generate("torus", 0, NULL, "a--b.xml", &generated), RH_EINVAL);
  assert_non_null(strstr(rh_error_message(), "two dashes"));
  assert_int_equal(rh_generate("torus", 0, NULL, "a--b/c.xml", &generated), RH_OK); /* the folder is not in it */
  rh_generated_clear(&generated);
}

/* ---- what is written ---- */

static void every_kind_says_when_why_and_how(void **state)
{
  (void)state;
  for (size_t i = 0; rh_generator_at(i); i++) {
    const rh_generator *kind = rh_generator_at(i);
    rh_generated generated = generate(kind->name, 0, NULL, "folder/mine.xml");
    const char *xml = rh_text_get(&generated.xml);
    char command[128];
    snprintf(command, sizeof command, "Made by   rehearse platform -g %s ", kind->name);
    const char *const words[] = {command,
                                 "\nWhen      ",
                                 "\nHosts     ",
                                 "\nModel     ",
                                 "\n-->\n<platform version=\"4.1\">",
                                 "<prop id=\"network/model\" value=\"",
                                 "mine.xml"};
    for (size_t w = 0; w < sizeof words / sizeof *words; w++)
      if (!strstr(xml, words[w])) fail_msg("%s: no '%s'", kind->name, words[w]);
    assert_null(strstr(xml, "folder/")); /* the command says where from nothing */
    for (const char *line = xml; *line; line += strcspn(line, "\n"), line += *line == '\n')
      if (line < strstr(xml, "-->") && strcspn(line, "\n") > 120) fail_msg("%s: long line: %.130s", kind->name, line);
    rh_generated_clear(&generated);
  }
}

static void a_seed_draws_the_same_devices_and_another_one_others(void **state)
{
  (void)state;
  const char *one = "seed=7", *two = "seed=8";
  rh_generated a = generate("unequal", 1, &one, "u.xml"), b = generate("unequal", 1, &one, "u.xml");
  rh_generated c = generate("unequal", 1, &two, "u.xml");
  assert_string_equal(rh_text_get(&a.xml), rh_text_get(&b.xml));
  assert_string_not_equal(strstr(rh_text_get(&a.xml), "<zone"), strstr(rh_text_get(&c.xml), "<zone"));
  rh_generated_clear(&a);
  rh_generated_clear(&b);
  rh_generated_clear(&c);
}

static int count_of(const char *text, const char *word)
{
  int count = 0;
  for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
    count++;
  return count;
}

/* 30 % of 1024 lines are VDSL2's: 307 with a standard deviation of 14.7; four of them are chance's one in 16,000. */
static void shares_of_lines_are_drawn(void **state)
{
  (void)state;
  rh_generated a = generate("unequal", 0, NULL, "u.xml");
  assert_in_range(count_of(rh_text_get(&a.xml), "\"5MBps\" latency=\"6ms\""), 307 - 59, 307 + 59);
  assert_int_equal(count_of(rh_text_get(&a.xml), "<host id="), 1024);
  rh_generated_clear(&a);
}

/* ---- the catalogue ---- */

/* The command in a file's head, taken apart at blanks: kind, then assignments up to -o. `text` is cut up. */
static size_t read_command(char *text, const char **kind, const char **assignments, size_t most)
{
  size_t count = 0;
  bool in_kind = false;
  for (char *word = strtok(text, " \n"); word && strcmp(word, "-o") != 0; word = strtok(NULL, " \n")) {
    if (strcmp(word, "-g") == 0) {
      in_kind = true;
    } else if (in_kind) {
      *kind = word;
      in_kind = false;
    } else if (strchr(word, '=')) {
      assert_true(count < most);
      assignments[count++] = word;
    }
  }
  return count;
}

static void expect_same_file(const char *path, const rh_text *text)
{
  rh_text stored = {0};
  assert_int_equal(rh_text_read_file(&stored, path), RH_OK);
  if (strcmp(rh_text_get(&stored), rh_text_get(text)) != 0) fail_msg("%s is not what its head says", path);
  rh_text_clear(&stored);
}

static void catalogue_files_are_what_their_commands_make(void **state)
{
  (void)state;
  DIR *folder = opendir(CATALOGUE);
  int files = 0;
  assert_non_null(folder);
  for (const struct dirent *entry; (entry = readdir(folder));) {
    char path[1024];
    rh_text text = {0};
    const char *kind = NULL, *assignments[16];
    if (!strstr(entry->d_name, ".xml")) continue;
    snprintf(path, sizeof path, CATALOGUE "%s", entry->d_name);
    assert_int_equal(rh_text_read_file(&text, path), RH_OK);
    char *made = strstr(text.data, "Made by   ");
    if (made) {
      const size_t count = read_command(made, &kind, assignments, 16);
      rh_generated generated = generate(kind, count, assignments, entry->d_name);
      expect_same_file(path, &generated.xml);
      for (int32_t i = 0; i < generated.file_count; i++) {
        snprintf(path, sizeof path, CATALOGUE "%s", generated.files[i].name);
        expect_same_file(path, &generated.files[i].text);
      }
      rh_generated_clear(&generated);
      files++;
    }
    rh_text_clear(&text);
  }
  closedir(folder);
  assert_int_equal(files, 15);
}

/* ---- orbits ---- */

static void assert_near(double value, double expected, double relative)
{
  if (!(fabs(value - expected) <= relative * fabs(expected))) fail_msg("%.12g, expected %.12g", value, expected);
}

/* Iridium's period is 100.4 minutes (6027 s at 780 km); the ISS's, at 420 km, 92.9 minutes. */
static void periods_are_kepler_s(void **state)
{
  (void)state;
  assert_near(orbit_period_s(780e3), 100.4 * 60, 1e-3);
  assert_near(orbit_period_s(420e3), 92.9 * 60, 1e-3);
}

/* Neighbours of one plane: a chord, 2 a sin(angle / 2). Satellites of two planes: the spherical law of cosines with
 * their latitudes and longitudes, by hand for a polar orbit, whose meridians are the planes. */
static void distances_are_those_of_the_sphere(void **state)
{
  (void)state;
  const double a = ORBIT_EARTH_M + 780e3;
  for (int i = 0; i < 12; i++) {
    const double u = 0.1 + i * 0.5, du = 2 * PI / 11, node = PI / 6;
    assert_near(orbit_distance_m(orbit_at(780e3, 1.5, 0.3, u), orbit_at(780e3, 1.5, 0.3, u + du)), 2 * a * sin(du / 2),
                1e-12);
    const double cosine = sin(u) * sin(u + 0.2) + cos(u) * cos(u + 0.2) * cos(node);
    assert_near(orbit_distance_m(orbit_at(780e3, PI / 2, 0, u), orbit_at(780e3, PI / 2, node, u + 0.2)),
                2 * a * sin(acos(cosine) / 2), 1e-9);
    assert_near(sin(orbit_latitude(orbit_at(780e3, PI / 2, node, u))), sin(u), 1e-9);
  }
}

/* Opposite satellites look through the middle of the earth; very near ones along their own height. */
static void clearance_is_that_of_the_middle(void **state)
{
  (void)state;
  assert_near(orbit_clearance_m(orbit_at(780e3, 1, 0, 0), orbit_at(780e3, 1, 0, PI)), -ORBIT_EARTH_M, 1e-9);
  assert_near(orbit_clearance_m(orbit_at(780e3, 1, 0, 0), orbit_at(780e3, 1, 0, 1e-6)), 780e3, 1e-9);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(bad_arguments_are_refused_with_the_cure),
                                     cmocka_unit_test(boards_that_make_no_torus_are_refused),
                                     cmocka_unit_test(planes_that_never_meet_are_refused),
                                     cmocka_unit_test(names_that_break_the_comment_are_refused),
                                     cmocka_unit_test(every_kind_says_when_why_and_how),
                                     cmocka_unit_test(a_seed_draws_the_same_devices_and_another_one_others),
                                     cmocka_unit_test(shares_of_lines_are_drawn),
                                     cmocka_unit_test(catalogue_files_are_what_their_commands_make),
                                     cmocka_unit_test(periods_are_kepler_s),
                                     cmocka_unit_test(distances_are_those_of_the_sphere),
                                     cmocka_unit_test(clearance_is_that_of_the_middle)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
