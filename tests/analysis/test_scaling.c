/* Scaling: series are found, shares and the best number of workers are those that the rates were made with. */
#include "fixture.h"
#include "scaling.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* One finished run of ten rounds. */
static void record(rh_store *store, const char *method, int workers, int batch, int seed, double round_s)
{
  char id[32], configuration[256];
  static int count;
  snprintf(id, sizeof id, "%016x", ++count);
  snprintf(configuration, sizeof configuration,
           "platform.workers=%d\ntrain.batch=%d\ntrain.method=%s\nrun.seed=%d\nrun.threads=%d\n", workers, batch,
           method, seed, 1 + seed % 2);
  rh_run_header header = fixture_header(id);
  header.configuration = configuration;
  header.method = method;
  header.workers = workers;
  header.batch = batch;
  header.seed = seed;
  header.target_accuracy = 0.9;
  must(rh_store_begin_run(store, &header));
  rh_recorder r = rh_store_recorder(store);
  must(r.round(r.context, &(rh_round_row){.round = 1, .finish_s = round_s}));
  must(r.evaluation(
      r.context, &(rh_evaluation_row){
                     .round = 1, .simulated_s = round_s, .test_accuracy = seed == 3 ? 0.5 : 0.95, .sample_count = 1}));
  for (int32_t i = 0; i < 2; i++) /* computes 3/4, communicates 1/2, of which 1/4 at the same time: nobody waits */
    must(r.rank(r.context, &(rh_rank_row){.rank = i,
                                          .host = "n",
                                          .speed_flops = 1,
                                          .compute_s = 7.5 * round_s,
                                          .communication_s = 5 * round_s,
                                          .both_s = 2.5 * round_s}));
  rh_run_end end = fixture_end("done");
  end.simulated_s = 10 * round_s;
  end.rounds = 10;
  must(rh_store_end_run(store, &end));
}

/* Seconds of a round of the law: X = gamma N / (1 + sigma (N - 1) + kappa N (N - 1)) = N b / T. */
static double law(double gamma, double sigma, double kappa, int N, int batch)
{
  return batch / gamma * (1 + sigma * (N - 1) + kappa * N * (N - 1));
}

static rh_store *open_new(void **state)
{
  rh_store *store;
  must(rh_store_open(fixture_path(state, "s.db"), RH_STORE_NEW, &store));
  return store;
}

static void close_enough(double value, double expected)
{
  if (!(fabs(value - expected) <= 1e-9 * fabs(expected))) fail_msg("%.12g, not %.12g", value, expected);
}

static const rh_scaling_def plain = {.level = 0.95};

/* Two methods in one study, each with its own law, three seeds each: two series of weak scaling, in which medians do
 * not see that one seed is slower by a tenth. */
static void shares_of_the_law_are_found(void **state)
{
  rh_store *store = open_new(state);
  for (int N = 1; N <= 32; N *= 2)
    for (int seed = 1; seed <= 3; seed++) {
      record(store, "allreduce", N, 32, seed, (seed == 2 ? 1.1 : 1) * law(1000, 0.02, 0.001, N, 32));
      record(store, "dpsgd", N, 32, seed, law(800, 0.1, 0, N, 32));
    }
  rh_scaling scaling;
  must(rh_scaling_find(store, &plain, &scaling));
  assert_int_equal(scaling.count, 2);
  const rh_scaling_series *a = &scaling.list[0], *d = &scaling.list[1];
  assert_string_equal(a->label, "train.method=allreduce");
  assert_true(a->kind == RH_SCALING_WEAK && a->samples == 32 && a->count == 6 && a->fitted && d->fitted);
  close_enough(a->gamma, 1000);
  close_enough(a->serial, 0.02);
  close_enough(a->pairwise, 0.001);
  close_enough(a->best_workers, sqrt(0.98 / 0.001));
  assert_true(a->deviation < 1e-9 && a->serial_error < 1e-9 && a->pairwise_error < 1e-9);
  close_enough(d->serial, 0.1);
  assert_true(fabs(d->pairwise) < 1e-9);
  close_enough(d->gamma, 800);
  const rh_scaling_point *p = &a->points[5];
  assert_int_equal(p->workers, 32);
  assert_int_equal(p->runs, 3);
  close_enough(p->round_s, law(1000, 0.02, 0.001, 32, 32));
  close_enough(p->rate.estimate, 32 * 32 / p->round_s);
  close_enough(p->least, p->most / 1.1);
  close_enough(p->speed_up, 32 / (1 + 0.02 * 31 + 0.001 * 32 * 31));
  close_enough(p->efficiency, p->speed_up / 32);
  close_enough(p->fitted, p->rate.estimate);
  close_enough(p->compute, 0.75);
  close_enough(p->exposed, 0.25);
  assert_true(p->waiting == 0);
  assert_int_equal(p->reached, 2);
  assert_true(isnan(p->rate.low)); /* three runs: no interval */
  rh_text text = {0};
  rh_scaling_write(&scaling, &text);
  assert_non_null(strstr(rh_text_get(&text), "More than 31 workers do not help"));
  assert_null(strstr(rh_text_get(&text), "no run had so many"));
  rh_text_clear(&text);
  rh_scaling_clear(&scaling);
  must(rh_store_close(store));
}

/* The law's best is at sqrt(.92 / .02) = 6.8 workers; 8 were tried, and were faster than the law has them anywhere. */
static void what_was_seen_counts_for_more_than_the_law(void **state)
{
  rh_store *store = open_new(state);
  for (int N = 1; N <= 16; N *= 2)
    record(store, "allreduce", N, 32, 1, (N == 8 ? 0.94 : 1) * law(1000, 0.08, 0.02, N, 32));
  rh_scaling scaling;
  must(rh_scaling_find(store, &plain, &scaling));
  const rh_scaling_series *s = &scaling.list[0];
  assert_true(s->deviation < 0.1 && s->best_workers < 8 && s->ceiling < s->points[3].speed_up);
  rh_text text = {0};
  rh_scaling_write(&scaling, &text);
  assert_non_null(strstr(rh_text_get(&text), "More than 8 workers do not help: the speed-up was "));
  rh_text_clear(&text);
  rh_scaling_clear(&scaling);
  must(rh_store_close(store));
}

/* The samples of a round are 4096 whatever the workers: Amdahl's law with a serial share of a tenth; a point of weak
 * scaling shares its run. What lies beyond the runs is called so. */
static void strong_and_weak_scaling_are_told_apart(void **state)
{
  rh_store *store = open_new(state);
  for (int N = 4; N <= 64; N *= 2)
    record(store, "allreduce", N, 4096 / N, 1, 4096 * law(1000, 0.1, 0.0001, N, 1) / N);
  record(store, "allreduce", 64, 1024, 1, 2);
  rh_scaling scaling;
  must(rh_scaling_find(store, &plain, &scaling));
  assert_int_equal(scaling.count, 2);
  const rh_scaling_series *weak = &scaling.list[0], *strong = &scaling.list[1];
  assert_true(weak->kind == RH_SCALING_WEAK && weak->samples == 1024 && weak->count == 2 && !weak->fitted);
  assert_true(strong->kind == RH_SCALING_STRONG && strong->samples == 4096 && strong->count == 5);
  close_enough(strong->serial, 0.1);
  close_enough(strong->pairwise, 0.0001);
  close_enough(strong->points[0].efficiency, 1); /* of the fewest there are */
  close_enough(strong->points[4].speed_up, 4 * strong->points[0].round_s / strong->points[4].round_s);
  rh_text text = {0};
  rh_scaling_write(&scaling, &text);
  assert_non_null(strstr(rh_text_get(&text), "More than 95 workers do not help")); /* sqrt(.9 / .0001) = 94.9 */
  assert_non_null(strstr(rh_text_get(&text), "extrapolated: no run had so many"));
  assert_non_null(strstr(rh_text_get(&text), "need three numbers of workers; there are 2"));
  rh_text_clear(&text);
  rh_scaling_write_json(&scaling, &text);
  assert_non_null(strstr(rh_text_get(&text), "\"trusted\": true, \"extrapolated\": true"));
  const double N = sqrt(0.9 / 0.0001), one = 1 + 0.1 * 3 + 0.0001 * 12; /* of the best; of the fewest, which count 4 */
  close_enough(strong->ceiling, N / (1 + 0.1 * (N - 1) + 0.0001 * N * (N - 1)) * one);
  rh_text_clear(&text);
  rh_scaling_clear(&scaling);
  must(rh_store_close(store));
}

/* Faster than linear, as with caches: no share is negative, and none is made up. */
static void shares_are_not_negative(void **state)
{
  rh_store *store = open_new(state);
  for (int N = 1; N <= 16; N *= 2)
    record(store, "allreduce", N, 32, 1, 1 - 0.01 * log2(N));
  rh_scaling scaling;
  must(rh_scaling_find(store, &plain, &scaling));
  const rh_scaling_series *s = &scaling.list[0];
  assert_true(s->fitted && s->serial == 0 && s->pairwise == 0);
  assert_true(isinf(s->best_workers) && isinf(s->ceiling));
  rh_text text = {0};
  rh_scaling_write(&scaling, &text);
  assert_non_null(strstr(rh_text_get(&text), "No limit shows up to 16 workers"));
  rh_text_clear(&text);
  rh_scaling_clear(&scaling);
  must(rh_store_close(store));
}

/* A step between 8 and 16, as where a job leaves its switch: no smooth law, and nothing is told of other numbers. */
static void a_bad_fit_is_not_extrapolated(void **state)
{
  rh_store *store = open_new(state);
  for (int N = 2; N <= 64; N *= 2)
    record(store, "allreduce", N, 32, 1, N < 16 ? 1 : 4);
  rh_scaling scaling;
  must(rh_scaling_find(store, &plain, &scaling));
  assert_true(scaling.list[0].fitted && scaling.list[0].deviation > RH_SCALING_TRUSTED);
  rh_text text = {0};
  rh_scaling_write(&scaling, &text);
  assert_non_null(strstr(rh_text_get(&text), "Of those tried, 64 workers do most: 512 samples/s"));
  assert_non_null(strstr(rh_text_get(&text), "The law does not describe these runs"));
  assert_null(strstr(rh_text_get(&text), "xtrapolated"));
  rh_text_clear(&text);
  rh_scaling_clear(&scaling);
  must(rh_store_close(store));
}

static void what_gives_no_series_is_said(void **state)
{
  rh_store *store = open_new(state);
  rh_scaling scaling;
  must_refuse(rh_scaling_find(store, &plain, &scaling), RH_EINVAL, "0 runs are done");
  record(store, "allreduce", 4, 32, 1, 1);
  record(store, "allreduce", 4, 32, 2, 1);
  must_refuse(rh_scaling_find(store, &plain, &scaling), RH_EINVAL, "vary platform.workers");
  rh_scaling_clear(&scaling);
  record(store, "dpsgd", 8, 32, 1, 1);
  must_refuse(rh_scaling_find(store, &plain, &scaling), RH_EINVAL, "these differ as well: train.method; --free KEY");
  const rh_scaling_def free_method = {.level = 0.95, .free = "network.model,train.method"};
  must(rh_scaling_find(store, &free_method, &scaling));
  assert_int_equal(scaling.count, 1);
  assert_string_equal(scaling.list[0].label, "");
  rh_scaling_clear(&scaling);
  must(rh_store_close(store));
}

/* Labels are text in the terminal and quoted in CSV. */
static void hostile_names_are_text(void **state)
{
  rh_store *store = open_new(state);
  for (int N = 1; N <= 2; N++) {
    record(store, "\x1b[2J\"a\",</script>", N, 32, 1, 1);
    record(store, "plain", N, 32, 1, 1);
  }
  rh_scaling scaling;
  must(rh_scaling_find(store, &plain, &scaling));
  rh_text text = {0};
  rh_scaling_write(&scaling, &text);
  assert_null(strchr(rh_text_get(&text), '\x1b'));
  assert_non_null(strstr(rh_text_get(&text), "\\x1b[2J\"a\",</script>"));
  rh_text_clear(&text);
  rh_scaling_write_csv(&scaling, &text);
  assert_non_null(strstr(rh_text_get(&text), "[2J\"\"a\"\",</script>\",1,32,1,1,32,"));
  rh_text_clear(&text);
  rh_scaling_write_json(&scaling, &text);
  assert_non_null(strstr(rh_text_get(&text), "\\u001b[2J\\\"a\\\",</script>"));
  rh_text_clear(&text);
  rh_scaling_clear(&scaling);
  must(rh_store_close(store));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_make_folder, fixture_remove_folder)

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(shares_of_the_law_are_found),
      TEST(what_was_seen_counts_for_more_than_the_law),
      TEST(strong_and_weak_scaling_are_told_apart),
      TEST(shares_are_not_negative),
      TEST(a_bad_fit_is_not_extrapolated),
      TEST(what_gives_no_series_is_said),
      TEST(hostile_names_are_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
