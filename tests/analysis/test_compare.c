/* Comparisons of recorded runs: who is a configuration, pairs, censoring, and what is refused. */
#include "compare.h"
#include "fixture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* One finished run: reaches 90 % at `seconds` (INFINITY: never), ends at `accuracy`. */
static void record(rh_store *store, const char *platform, const char *compressor, int seed, double seconds,
                   double accuracy)
{
  char id[32], configuration[256];
  static int count;
  snprintf(id, sizeof id, "%016x", ++count);
  snprintf(configuration, sizeof configuration, "platform.file=%s\ncompress.name=%s\nrun.threads=%d\nrun.seed=%d\n",
           platform, compressor, 1 + seed % 2, seed);
  rh_run_header header = fixture_header(id);
  header.configuration = configuration;
  header.platform = platform;
  header.compressor = compressor;
  header.seed = seed;
  header.workers = 4;
  header.target_accuracy = 0.9;
  must(rh_store_begin_run(store, &header));
  rh_recorder r = rh_store_recorder(store);
  const double at = isfinite(seconds) ? seconds : 1;
  for (int64_t round = 1; round <= 2; round++)
    must(r.round(r.context, &(rh_round_row){.round = round, .finish_s = at * (double)round, .within_bytes = 400}));
  must(r.evaluation(r.context, &(rh_evaluation_row){.round = 1,
                                                    .simulated_s = at,
                                                    .test_accuracy = isfinite(seconds) ? 0.92 : 0.5,
                                                    .sample_count = 1}));
  must(r.evaluation(r.context, &(rh_evaluation_row){
                                   .round = 2, .simulated_s = 2 * at, .test_accuracy = accuracy, .sample_count = 1}));
  rh_run_end end = fixture_end("done");
  if (isinf(seconds)) end.reason = "diverged: the training loss is no longer finite";
  must(rh_store_end_run(store, &end));
}

/* Two platforms; `none` and `qsgd`, seeds 1 .. 8; on `slow` qsgd needs half the time and its seed 3 never
 * gets there. */
static rh_store *study(void **state)
{
  rh_store *store;
  must(rh_store_open(fixture_path(state, "c.db"), RH_STORE_NEW, &store));
  for (int seed = 8; seed >= 1; seed--) {
    record(store, "slow", "none", seed, seed, 0.95);
    record(store, "slow", "qsgd", seed, seed == 3 ? INFINITY : seed / 2.0,
           seed == 3 ? 0.5 : 0.951 + 0.001 * (seed % 2));
    record(store, "fast", "none", seed, 0.1, 0.95);
  }
  return store;
}

static const rh_compared *find(const rh_comparison *c, const char *setting, const char *label)
{
  for (int i = 0; i < c->count; i++)
    if (strstr(c->list[i].setting, setting) && strstr(c->list[i].label, label)) return &c->list[i];
  fail_msg("no %s in %s", label, setting);
  return NULL;
}

static void test_pairs_by_seed_within_a_setting(void **state)
{
  rh_store *store = study(state);
  rh_comparison c;
  const rh_compare_def def = {.target_accuracy = NAN, .margin = 0.01, .level = 0.95};
  must(rh_compare(store, &def, &c));
  assert_int_equal(c.count, 3);
  assert_true(c.target_accuracy == 0.9);
  const rh_compared *none = find(&c, "slow", "none"), *qsgd = find(&c, "slow", "qsgd");
  assert_string_equal(qsgd->setting, "platform.file=slow");
  assert_string_equal(qsgd->label, "compress.name=qsgd");
  assert_true(none->baseline && !qsgd->baseline);
  assert_int_equal(qsgd->runs, 8);
  assert_int_equal(qsgd->reached, 7);
  assert_int_equal(qsgd->pairs, 8);
  assert_true(none->time_s.estimate == 4.5);     /* of 1 .. 8 */
  assert_true(qsgd->time_s.estimate == 2.75);    /* of .5 1 2 2.5 3 3.5 4 and never: the mean of the 4th and 5th */
  assert_true(none->wire_bytes.estimate == 100); /* 400 of 4 workers in one round */
  assert_true(qsgd->time_ratio.estimate == 0.5 && qsgd->time_ratio.high == 0.5);
  assert_true(fabs(qsgd->time_p - 2 * 9.0 / 256) < 1e-12); /* 7 of 8 faster */
  assert_true(isnan(find(&c, "fast", "none")->time_p));    /* a baseline is not compared with itself */
  rh_comparison_clear(&c);
  rh_store_close(store);
}

static void test_by_baseline_and_target_are_chosen(void **state)
{
  rh_store *store = study(state);
  rh_comparison c;
  rh_compare_def def = {.by = "platform.file,compress.name",
                        .baseline = "platform.file=fast",
                        .target_accuracy = 0.99,
                        .margin = 0.01,
                        .level = 0.95};
  must(rh_compare(store, &def, &c));
  assert_int_equal(c.count, 3);
  assert_true(find(&c, "", "platform.file=fast")->baseline);
  assert_int_equal(find(&c, "", "qsgd")->reached, 0);
  assert_true(isinf(find(&c, "", "qsgd")->time_s.estimate));
  rh_comparison_clear(&c);
  def.baseline = "nobody";
  must_refuse(rh_compare(store, &def, &c), RH_EINVAL, "is in no configuration's label");
  def.by = "compres.name";
  must_refuse(rh_compare(store, &def, &c), RH_EINVAL, "did you mean compress.name");
  def = (rh_compare_def){.study = "no such", .target_accuracy = NAN};
  must_refuse(rh_compare(store, &def, &c), RH_EINVAL, "no runs of study");
  rh_store_close(store);
}

/* Runs end in any order; configurations stand in that of names, and so the baseline is the same in every setting. */
static void test_order_is_that_of_names(void **state)
{
  rh_store *store;
  rh_comparison c;
  const rh_compare_def def = {.target_accuracy = NAN, .margin = 0.01, .level = 0.95};
  static const char *const settings[] = {"ring-4", "ring-4", "ring-16", "ring-16"};
  must(rh_store_open(fixture_path(state, "o.db"), RH_STORE_NEW, &store));
  record(store, "ring-16", "qsgd", 1, 1, 0.95);
  record(store, "ring-4", "none", 1, 1, 0.95);
  record(store, "ring-4", "qsgd", 1, 1, 0.95);
  record(store, "ring-16", "none", 1, 1, 0.95);
  must(rh_compare(store, &def, &c));
  assert_int_equal(c.count, 4);
  for (int i = 0; i < 4; i++) {
    assert_string_equal(c.list[i].setting + strlen("platform.file="), settings[i]);
    assert_string_equal(c.list[i].label, i % 2 ? "compress.name=qsgd" : "compress.name=none");
    assert_int_equal(c.list[i].baseline, i % 2 == 0);
  }
  rh_comparison_clear(&c);
  rh_store_close(store);
}

/* Two runs that differ in platform and seed alone, and never get there: nothing to choose a baseline from, and "not
 * reached" is said once. */
static void test_settings_alone_are_no_configurations(void **state)
{
  rh_store *store;
  rh_comparison c;
  rh_text text = {0};
  must(rh_store_open(fixture_path(state, "s.db"), RH_STORE_NEW, &store));
  for (int seed = 1; seed <= 2; seed++) {
    record(store, "slow", "none", seed, INFINITY, 0.5);
    record(store, "fast", "none", seed, INFINITY, 0.5);
  }
  rh_compare_def def = {.target_accuracy = NAN, .margin = 0.01, .level = 0.95, .baseline = "none"};
  must_refuse(rh_compare(store, &def, &c), RH_EINVAL, "'none': the runs differ in platform and network alone");
  def.baseline = NULL;
  must(rh_compare(store, &def, &c));
  rh_comparison_write(&c, &text);
  assert_non_null(strstr(rh_text_get(&text), "0 of 2             not reached             not reached"));
  rh_text_clear(&text);
  rh_comparison_clear(&c);
  rh_store_close(store);
}

static void test_all_forms_say_the_same(void **state)
{
  rh_store *store = study(state);
  rh_comparison c;
  rh_text text = {0}, json = {0}, csv = {0};
  const rh_compare_def def = {.target_accuracy = NAN, .margin = 0.01, .level = 0.95};
  must(rh_compare(store, &def, &c));
  rh_comparison_write(&c, &text);
  rh_comparison_write_json(&c, &json);
  rh_comparison_write_csv(&c, &csv);
  assert_non_null(strstr(rh_text_get(&text), "7 of 8"));
  assert_non_null(strstr(rh_text_get(&text), "1 of 8"));
  assert_non_null(strstr(rh_text_get(&text), "  Diverged: runs whose"));
  assert_non_null(strstr(rh_text_get(&text), "0.500 [0.500, 0.500]"));
  assert_non_null(strstr(rh_text_get(&json), "\"reached\": 7, \"diverged\": 1, \"pairs\": 8"));
  assert_non_null(strstr(rh_text_get(&csv), "\"platform.file=slow\",\"compress.name=qsgd\",0,8,7,1,8,2.75,"));
  rh_text_clear(&text);
  rh_text_clear(&json);
  rh_text_clear(&csv);
  rh_comparison_clear(&c);
  rh_store_close(store);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, fixture_make_folder, fixture_remove_folder)
  const struct CMUnitTest tests[] = {
      IN_FOLDER(test_pairs_by_seed_within_a_setting), IN_FOLDER(test_by_baseline_and_target_are_chosen),
      IN_FOLDER(test_order_is_that_of_names),         IN_FOLDER(test_settings_alone_are_no_configurations),
      IN_FOLDER(test_all_forms_say_the_same),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
