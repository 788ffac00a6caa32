/* Durations: an optimiser's step is named, counted and timed as the one that the run makes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "measure.h"

static char directory[] = "/tmp/rehearse-measure-XXXXXX/";

static int make_directory(void **state)
{
  (void)state;
  char path[64];
  directory[strlen(directory) - 1] = '\0';
  if (!mkdtemp(directory)) return -1;
  directory[strlen(directory)] = '/';
  snprintf(path, sizeof path, "%sp.xml", directory);
  FILE *file = fopen(path, "w");
  return file ? fclose(file) : -1;
}

static int remove_directory(void **state)
{
  (void)state;
  char path[64];
  snprintf(path, sizeof path, "%sp.xml", directory);
  unlink(path);
  return rmdir(directory);
}

typedef struct subject {
  rh_run run;
  rh_setup setup;
} subject;

/* logreg on a little of glyphs: 7,850 parameters. */
static void subject_init(subject *s, const char *optimiser, const char *nesterov, const char *clip, const char *source)
{
  const char *const texts[][2] = {{"platform.file", "p.xml"},   {"platform.workers", "2"},
                                  {"model.name", "logreg"},     {"data.train", "100"},
                                  {"data.test", "50"},          {"train.clip", clip},
                                  {"train.nesterov", nesterov}, {"train.optimiser", optimiser},
                                  {"time.source", source}};
  rh_settings settings = {0};
  for (size_t i = 0; i < RH_COUNT(texts); i++)
    rh_settings_set(&settings, texts[i][0], texts[i][1], "test", NULL);
  if (rh_run_resolve(&settings, "study", "", directory, &s->run) != RH_OK) fail_msg("%s", rh_error_message());
  rh_settings_clear(&settings);
  if (rh_setup_init(&s->run, &s->setup) != RH_OK) fail_msg("%s", rh_error_message());
}

static void subject_clear(subject *s)
{
  rh_setup_clear(&s->setup);
  rh_run_clear(&s->run);
}

/* Operations of a value as the formulas of optim.h have them with their constants known: sgd a product and a sum for
 * the decay, for the momentum and for the step; nesterov a product and a sum more; adamw 3 for m, 4 for v, 2 quotients
 * that are products with a constant, root, sum, quotient, 2 for the decay, 2 for the step. Clipping: square, sum,
 * product. */
static const struct {
  const char *optimiser, *nesterov, *clip, *name;
  double flop;
} cases[] = {
    {"sgd", "off", "0", "/sgd/update", 6},
    {"sgd", "on", "0", "/sgd nesterov/update", 8},
    {"sgd", "off", "1", "/sgd clipped/update", 9},
    {"adamw", "off", "0", "/adamw/update", 16},
    {"adamw", "on", "1", "/adamw clipped/update", 19}, /* nesterov is sgd's */
};

static bool holds(const rh_names *names, const char *end)
{
  for (int i = 0; i < names->count; i++) {
    const size_t length = strlen(names->list[i]), tail = strlen(end);
    if (length > tail && strcmp(names->list[i] + length - tail, end) == 0) return true;
  }
  return false;
}

static void updates_are_named_by_their_optimiser(void **state)
{
  (void)state;
  for (size_t k = 0; k < RH_COUNT(cases); k++) {
    subject s;
    rh_names names;
    subject_init(&s, cases[k].optimiser, cases[k].nesterov, cases[k].clip, "measured");
    rh_measure_names(&s.run, &s.setup, NULL, &names);
    for (size_t i = 0; i < RH_COUNT(cases); i++)
      assert_int_equal(holds(&names, cases[i].name), i == k);
    rh_names_clear(&names);
    subject_clear(&s);
  }
}

static void updates_are_counted(void **state)
{
  (void)state;
  for (size_t k = 0; k < RH_COUNT(cases); k++) {
    subject s;
    rh_step_seconds seconds;
    subject_init(&s, cases[k].optimiser, cases[k].nesterov, cases[k].clip, "flops");
    s.run.time.efficiency = 0.5;
    assert_int_equal(rh_measure_seconds(&s.run, &s.setup, NULL, 2e9, &seconds), RH_OK);
    assert_int_equal(s.setup.model.parameters, 7850);
    assert_true(seconds.update_s == cases[k].flop * 7850 / 1e9);
    subject_clear(&s);
  }
}

/* Every step of a run with adamw and clipping can be timed and is found again. */
static void updates_are_timed(void **state)
{
  (void)state;
  subject s;
  rh_profile profile = {0};
  rh_step_seconds seconds;
  subject_init(&s, "adamw", "off", "1", "measured");
  assert_int_equal(rh_measure_seconds(&s.run, &s.setup, &profile, 1, &seconds), RH_EINVAL);
  assert_int_equal(rh_measure(&s.run, &s.setup, RH_SAMPLES_MEDIAN, &profile), RH_OK);
  assert_int_equal(rh_measure_seconds(&s.run, &s.setup, &profile, 1, &seconds), RH_OK);
  assert_true(seconds.update_s > 0);
  rh_profile_clear(&profile);
  subject_clear(&s);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(updates_are_named_by_their_optimiser),
      cmocka_unit_test(updates_are_counted),
      cmocka_unit_test(updates_are_timed),
  };
  return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
