/* Durations: which ones a run charges, what is timed for them, and what the cost model charges instead. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "measure.h"

static char directory[] = "/tmp/rehearse-measure-XXXXXX";

static int make_directory(void **state)
{
  (void)state;
  char path[64];
  if (!mkdtemp(directory)) return -1;
  snprintf(path, sizeof path, "%s/p.xml", directory);
  FILE *file = fopen(path, "w"); /* its name is looked for, its content is not */
  return file ? fclose(file) : -1;
}

static int remove_directory(void **state)
{
  (void)state;
  char path[64];
  snprintf(path, sizeof path, "%s/p.xml", directory);
  unlink(path);
  return rmdir(directory);
}

typedef struct fixture {
  rh_run run;
  rh_setup setup;
  rh_names names;
} fixture;

/* A run of logreg on 28 x 28 pixels: one matrix of 10 x 784, 10 biases. `more`: "key=value" texts, NULL-terminated. */
static void fixture_init(fixture *f, const char *const *more)
{
  static const char *const texts[] = {"platform.file=p.xml", "platform.workers=4", "model.name=logreg",
                                      "data.train=40",       "data.test=10",       "train.batch=4"};
  rh_settings settings = {0};
  char with_slash[64];
  *f = (fixture){0};
  snprintf(with_slash, sizeof with_slash, "%s/", directory);
  for (size_t i = 0; i < RH_COUNT(texts) || *more; i++) {
    const char *text = i < RH_COUNT(texts) ? texts[i] : *more++, *equals = strchr(text, '=');
    char key[64];
    snprintf(key, sizeof key, "%.*s", (int)(equals - text), text);
    rh_settings_set(&settings, key, equals + 1, "test", "");
  }
  rh_status status = rh_run_resolve(&settings, "study", "", with_slash, &f->run);
  rh_settings_clear(&settings);
  if (status == RH_OK) status = rh_setup_init(&f->run, &f->setup);
  if (status != RH_OK) fail_msg("%s", rh_error_message());
  rh_measure_names(&f->run, &f->setup, NULL, &f->names);
}

static void fixture_clear(fixture *f)
{
  rh_names_clear(&f->names);
  rh_setup_clear(&f->setup);
  rh_run_clear(&f->run);
}

/* Whether the run charges a duration whose name ends so. */
static bool charges(const fixture *f, const char *end)
{
  const size_t length = strlen(end);
  for (int i = 0; i < f->names.count; i++) {
    const char *name = f->names.list[i];
    if (strlen(name) >= length && strcmp(name + strlen(name) - length, end) == 0) return true;
  }
  return false;
}

static void a_run_charges_what_it_does(void **state)
{
  (void)state;
  static const struct {
    const char *settings[4];
    bool encode, again, decode, feedback, mix;
  } cases[] = {
      {{"compress.name=none"}, false, false, false, false, false},
      {{"compress.name=none", "train.method=dpsgd"}, false, false, false, false, true},
      {{"compress.name=fp16"}, true, false, true, false, false},
      {{"compress.name=lowrank"}, true, true, true, false, false},
      {{"compress.name=lowrank", "compress.error_feedback=classic"}, true, true, true, true, false},
      {{"compress.name=lowrank", "compress.error_feedback=step-ahead"}, true, true, true, true, true},
      {{"compress.name=qsgd"}, true, false, true, false, true}, /* gathered messages are added */
      {{"compress.name=topk", "compress.error_feedback=classic"}, true, false, true, true, true},
      {{"compress.name=lowrank", "train.method=dpsgd"}, true, true, true, false, true},
  };
  for (size_t i = 0; i < RH_COUNT(cases); i++) {
    fixture f;
    fixture_init(&f, cases[i].settings);
    assert_true(charges(&f, "/forward") && charges(&f, "/backward dense1") && charges(&f, "/update"));
    assert_int_equal(charges(&f, "/encode"), cases[i].encode);
    assert_int_equal(charges(&f, "/encode again"), cases[i].again);
    assert_int_equal(charges(&f, "/decode"), cases[i].decode);
    assert_int_equal(charges(&f, "/feedback"), cases[i].feedback);
    assert_int_equal(charges(&f, "/mix"), cases[i].mix);
    fixture_clear(&f);
  }
}

/* A pass in int8 is another duration; an update works on f32 either way. */
static void names_tell_the_arithmetic(void **state)
{
  (void)state;
  fixture f;
  fixture_init(&f, (const char *const[]){"train.arithmetic=int8", NULL});
  assert_true(charges(&f, "/batch 4 int8/forward") && charges(&f, "/batch 4 int8/backward dense1"));
  assert_true(charges(&f, "7850/sgd/update"));
  fixture_clear(&f);
}

/* Forward in int8: 4 x (2 x 7840 + 10) operations on 8-bit values, which count a fourth; and on f32 the loss 4 x 50,
 * nearest rounding of the parameters 9 x 7850, stochastic rounding of the inputs 12.5 x 4 x 784. Backward: the weights'
 * gradients alone, in f32. */
static void operations_on_8_bits_have_their_own_speed(void **state)
{
  (void)state;
  fixture f;
  rh_step_seconds seconds;
  fixture_init(&f, (const char *const[]){"train.arithmetic=int8", "time.source=flops", "time.efficiency=0.5",
                                         "time.int8_speedup=4", NULL});
  assert_int_equal(rh_measure_seconds(&f.run, &f.setup, NULL, 2e9, &seconds), RH_OK);
  const double forward = 62760 / 4.0 + 200 + 70650 + 39200;
  assert_true(fabs(seconds.forward_s - forward / 1e9) < 1e-15);
  assert_true(fabs(seconds.backward_s[0] - 62760 / 1e9) < 1e-15);
  fixture_clear(&f);
}

/* Each duration arrives where the method takes it from: the second phase's beside the first's. */
static void seconds_come_from_the_profile(void **state)
{
  (void)state;
  fixture f;
  rh_step_seconds seconds;
  rh_profile profile = {0};
  fixture_init(&f, (const char *const[]){"compress.name=lowrank", "compress.error_feedback=step-ahead", NULL});
  static const char *const ends[] = {"/forward", "/backward dense1", "/update",   "/mix",
                                     "/encode",  "/encode again",    "/feedback", "/decode"};
  assert_int_equal(f.names.count, RH_COUNT(ends));
  for (int i = 0; i < f.names.count; i++)
    for (size_t k = 0; k < RH_COUNT(ends); k++) {
      const size_t length = strlen(f.names.list[i]), end = strlen(ends[k]);
      if (length >= end && strcmp(f.names.list[i] + length - end, ends[k]) == 0)
        rh_profile_set(&profile, f.names.list[i], 1, (double)(k + 1), 0, 0);
    }
  assert_int_equal(rh_measure_seconds(&f.run, &f.setup, &profile, 1, &seconds), RH_OK);
  assert_true(seconds.forward_s == 1 && seconds.backward_s[0] == 2 && seconds.backward_total_s == 2);
  assert_true(seconds.update_s == 3 && seconds.mix_s == 4 && seconds.feedback_s == 7);
  assert_true(seconds.encode_s[0][0] == 5 && seconds.encode_s[0][1] == 6 && seconds.decode_s[0] == 8);
  rh_profile_clear(&profile);
  rh_profile empty = {0};
  assert_int_equal(rh_measure_seconds(&f.run, &f.setup, &empty, 1, &seconds), RH_EINVAL);
  assert_non_null(strstr(rh_error_message(), "/forward"));
  fixture_clear(&f);
}

/* Source flops: 2 Gflop/s at an efficiency of a quarter. Rank 3 of 10 x 784: products of 2 x 3 x 7840, columns of P and
 * Q made orthonormal for 4 x 3 x 2 + 5 x 3 = 39 a row, factors on P's 30 values and the 10 biases (test_lowrank.c). */
static void flops_charge_operations(void **state)
{
  (void)state;
  fixture f;
  rh_step_seconds s;
  fixture_init(&f, (const char *const[]){"compress.name=lowrank", "compress.rank=3", "compress.error_feedback=classic",
                                         "time.source=flops", "time.efficiency=0.25", NULL});
  assert_int_equal(f.names.count, 0); /* nothing is timed */
  const rh_profile none = {0};
  assert_int_equal(rh_measure_seconds(&f.run, &f.setup, &none, 2e9, &s), RH_OK);
  const double flop_s = 1 / (2e9 * 0.25), batch = 4, values = 7850, product = 2 * 3 * 7840;
  const struct {
    double seconds, flop;
  } expected[] = {
      {s.forward_s, batch * (2 * 7840 + 10 + 50)}, /* 5 a class for the loss, as in test_replicas.c */
      {s.backward_total_s, batch * (2 * 7840 + 10)},
      {s.update_s, 6 * values},
      {s.feedback_s, 2 * values},
      {s.encode_s[0][0], product},
      {s.encode_s[0][1], 39 * 10 + product},
      {s.decode_s[0], 39 * 784 + product + 30 + 10},
      {s.mix_s, 0}, /* sums are not added one by one */
  };
  for (size_t i = 0; i < RH_COUNT(expected); i++)
    if (!(fabs(expected[i].seconds - expected[i].flop * flop_s) <= 1e-12 * expected[i].flop * flop_s))
      fail_msg("step %zu: %g s instead of %g", i, expected[i].seconds, expected[i].flop * flop_s);
  fixture_clear(&f);
}

/* What a compressor that only keeps books is called with. */
static struct {
  int64_t step, contributions[2], takes[2], decodes;
  bool before_take; /* a second phase was contributed to without the first one's sum */
  bool taken;
} book;

static void book_contribute(rh_coding *coding, const float *common, int phase, const float *x, void *wire)
{
  (void)common;
  (void)wire;
  assert_non_null(x);
  book.step = coding->step;
  book.contributions[phase]++;
  if (phase == 1 && !book.taken) book.before_take = true;
  book.taken = false;
}

static void book_take(rh_coding *coding, float *common, int phase, const void *sum, int32_t workers)
{
  (void)coding;
  (void)common;
  (void)sum;
  assert_int_equal(workers, 1);
  book.takes[phase]++;
  book.taken = phase == 0;
}

static void book_decode(rh_coding *coding, const float *common, const void *wire, double factor, float *x)
{
  (void)coding;
  (void)common;
  (void)wire;
  assert_true(factor == 1);
  x[0] = 0;
  book.decodes++;
}

static int64_t one(const void *options, const rh_layout *layout, int phase)
{
  (void)options;
  (void)layout;
  (void)phase;
  return 1;
}

static int64_t four_bytes(const void *options, const rh_layout *layout)
{
  (void)options;
  (void)layout;
  return 4;
}

/* Every second phase that is timed begins with taking the first one's sum, every decoding with taking the second's. */
static void second_phases_are_timed_with_what_they_begin_with(void **state)
{
  (void)state;
  static const rh_summable sum = {.phases = 2,
                                  .element_bytes = 4,
                                  .elements = one,
                                  .contribute = book_contribute,
                                  .take = book_take,
                                  .decode = book_decode};
  static const rh_compressor keeper = {.name = "keeper", .bound_bytes = four_bytes, .sum = &sum};
  fixture f;
  rh_profile profile = {0};
  memset(&book, 0, sizeof book);
  fixture_init(&f, (const char *const[]){"compress.name=lowrank", NULL});
  f.run.compressor = &keeper;
  assert_int_equal(rh_measure(&f.run, &f.setup, RH_SAMPLES_MEDIAN, &profile), RH_OK);
  assert_false(book.before_take);
  assert_true(book.contributions[0] > 25 && book.takes[0] > 25 && book.decodes > 25); /* 25 samples each */
  assert_int_equal(book.takes[0], book.contributions[1]);
  assert_int_equal(book.takes[1], book.decodes);
  rh_profile_clear(&profile);
  fixture_clear(&f);
}

/* What travels for dgc while its share falls is timed as what travels afterwards: rounds of a warm-up are few. Runs
 * with and without one are timed apart all the same, since their names differ. */
static void warm_ups_are_charged_as_the_rounds_after_them(void **state)
{
  (void)state;
  static const rh_summable sum = {
      .phases = 1, .element_bytes = 4, .elements = one, .contribute = book_contribute, .decode = book_decode};
  static const rh_compressor keeper = {.name = "keeper", .bound_bytes = four_bytes, .sum = &sum};
  fixture f, cold, warm;
  rh_profile profile = {0};
  fixture_init(&f, (const char *const[]){"compress.name=dgc", "compress.warmup=1000000", NULL});
  f.run.compressor = &keeper;
  assert_int_equal(rh_measure(&f.run, &f.setup, RH_SAMPLES_MEDIAN, &profile), RH_OK);
  assert_true(book.step >= 1000000000); /* the longest warm-up that an option can have */
  rh_profile_clear(&profile);
  fixture_clear(&f);

  fixture_init(&cold, (const char *const[]){"compress.name=dgc", NULL});
  fixture_init(&warm, (const char *const[]){"compress.name=dgc", "compress.warmup=10", NULL});
  assert_int_equal(cold.names.count, warm.names.count);
  int same = 0;
  for (int i = 0; i < cold.names.count; i++)
    for (int k = 0; k < warm.names.count; k++)
      same += strcmp(cold.names.list[i], warm.names.list[k]) == 0;
  assert_int_equal(same, cold.names.count - 2); /* encode and decode differ */
  fixture_clear(&cold);
  fixture_clear(&warm);
}

/* Everything that a run asks for is timed, under the name that it asks for. */
static void what_is_charged_is_timed(void **state)
{
  (void)state;
  static const char *const compressors[] = {"compress.name=lowrank", "compress.name=topk", "compress.name=none"};
  for (size_t i = 0; i < RH_COUNT(compressors); i++) {
    fixture f;
    rh_profile profile = {0};
    rh_step_seconds seconds;
    fixture_init(&f, (const char *const[]){compressors[i], "compress.error_feedback=step-ahead", NULL});
    assert_int_equal(rh_measure(&f.run, &f.setup, RH_SAMPLES_MEDIAN, &profile), RH_OK);
    assert_int_equal(profile.count, f.names.count);
    assert_int_equal(rh_measure_seconds(&f.run, &f.setup, &profile, 1, &seconds), RH_OK);
    assert_true(seconds.forward_s > 0 && seconds.update_s > 0 && seconds.mix_s > 0);
    rh_profile_clear(&profile);
    fixture_clear(&f);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_run_charges_what_it_does),
      cmocka_unit_test(seconds_come_from_the_profile),
      cmocka_unit_test(flops_charge_operations),
      cmocka_unit_test(names_tell_the_arithmetic),
      cmocka_unit_test(operations_on_8_bits_have_their_own_speed),
      cmocka_unit_test(second_phases_are_timed_with_what_they_begin_with),
      cmocka_unit_test(warm_ups_are_charged_as_the_rounds_after_them),
      cmocka_unit_test(what_is_charged_is_timed),
  };
  return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
