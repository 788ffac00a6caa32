/* Base: units, text, options, random numbers, hashes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "hash.h"
#include "option.h"
#include "rng.h"

static void units_parse_to_base_units(void **state)
{
  (void)state;
  struct {
    const char *text;
    rh_unit unit;
    double value;
  } cases[] = {{"25GBps", RH_UNIT_BANDWIDTH, 25e9},
               {"100 Gbps", RH_UNIT_BANDWIDTH, 12.5e9},
               {"8GiB", RH_UNIT_BYTE, 8589934592.0},
               {" 1.5ms ", RH_UNIT_SECOND, 1.5e-3},
               {"2h", RH_UNIT_SECOND, 7200},
               {"13.6Gf", RH_UNIT_SPEED, 13.6e9},
               {"0B", RH_UNIT_BYTE, 0},
               {"-1e-3", RH_UNIT_NONE, -1e-3}};
  for (size_t i = 0; i < RH_COUNT(cases); i++) {
    double value;
    assert_int_equal(rh_unit_parse(cases[i].text, cases[i].unit, &value), RH_OK);
    assert_true(fabs(value - cases[i].value) <= 1e-15 * fabs(cases[i].value));
  }
}

static void units_refuse_with_the_nearest_name(void **state)
{
  (void)state;
  double value;
  assert_int_equal(rh_unit_parse("25GBs", RH_UNIT_BANDWIDTH, &value), RH_EUNIT);
  assert_string_equal(rh_error_message(), "'25GBs' has no known unit; did you mean 'GBps'?");
  assert_int_equal(rh_unit_parse("25", RH_UNIT_BANDWIDTH, &value), RH_EUNIT);
  assert_non_null(strstr(rh_error_message(), "'25' has no unit; a bandwidth needs one of"));
  assert_int_equal(rh_unit_parse("fast", RH_UNIT_NONE, &value), RH_EINVAL);
  assert_string_equal(rh_error_message(), "'fast' is not a number");
  assert_int_equal(rh_unit_parse("nan", RH_UNIT_NONE, &value), RH_EINVAL);
  assert_int_equal(rh_unit_parse("inf s", RH_UNIT_SECOND, &value), RH_EINVAL);
  assert_int_equal(rh_unit_parse("0x10", RH_UNIT_NONE, &value), RH_EINVAL);
  assert_int_equal(rh_unit_parse("1.2.3", RH_UNIT_NONE, &value), RH_EINVAL);
}

static void units_format_with_three_digits(void **state)
{
  (void)state;
  char buffer[32];
  assert_string_equal(rh_unit_format(1.25e9, RH_UNIT_BYTE, buffer, sizeof buffer), "1.25 GB");
  assert_string_equal(rh_unit_format(912e-6, RH_UNIT_SECOND, buffer, sizeof buffer), "912 us");
  assert_string_equal(rh_unit_format(12.5e9, RH_UNIT_BANDWIDTH, buffer, sizeof buffer), "12.5 GBps");
  assert_string_equal(rh_unit_format(4, RH_UNIT_BYTE, buffer, sizeof buffer), "4 B");
  assert_string_equal(rh_unit_format(999.7e-6, RH_UNIT_SECOND, buffer, sizeof buffer), "1.00 ms");
  assert_string_equal(rh_unit_format(0, RH_UNIT_SECOND, buffer, sizeof buffer), "0 s");
  assert_string_equal(rh_unit_format(1e-12, RH_UNIT_SECOND, buffer, sizeof buffer), "0.001 ns");
  assert_string_equal(rh_unit_format(NAN, RH_UNIT_SECOND, buffer, sizeof buffer), "-");
}

static void natural_order_compares_numbers(void **state)
{
  (void)state;
  assert_true(rh_text_compare_natural("n2", "n10") < 0);
  assert_true(rh_text_compare_natural("n10", "n2") > 0);
  assert_true(rh_text_compare_natural("n2-3", "n2-12") < 0);
  assert_true(rh_text_compare_natural("n", "n0") < 0);
  assert_int_equal(rh_text_compare_natural("a7", "a7"), 0);
  assert_true(rh_text_compare_natural("a07", "a7") != 0); /* equal numbers, yet a total order */
  assert_true(rh_text_compare_natural("host9b", "host10a") < 0);
}

static void shell_reads_a_quoted_word_as_it_was(void **state)
{
  (void)state;
  const struct {
    const char *word, *quoted;
  } cases[] = {{"plan/slurm.sh", "plan/slurm.sh"}, {"a b", "'a b'"}, {"", "''"}, {"it's $x", "'it'\\''s $x'"}};
  for (size_t i = 0; i < RH_COUNT(cases); i++) {
    rh_text out = {0};
    rh_text_append_quoted(&out, cases[i].word);
    assert_string_equal(rh_text_get(&out), cases[i].quoted);
    rh_text_clear(&out);
  }
}

static void json_escapes_hostile_text(void **state)
{
  (void)state;
  rh_text out = {0};
  rh_text_append_json(&out, "a\"b\\c\n\x1b[31m\xff</script>\xc3\xa9");
  assert_string_equal(rh_text_get(&out), "\"a\\\"b\\\\c\\n\\u001b[31m\\ufffd</script>\xc3\xa9\"");
  rh_text_clear(&out);
  rh_text_append_json_number(&out, 0.1);
  assert_string_equal(rh_text_get(&out), "0.1");
  rh_text_clear(&out);
  rh_text_append_json_number(&out, 1.0 / 3);
  assert_true(strtod(rh_text_get(&out), NULL) == 1.0 / 3);
  rh_text_clear(&out);
  rh_text_append_json_number(&out, NAN);
  assert_string_equal(rh_text_get(&out), "null");
  rh_text_clear(&out);
}

typedef struct sample_options {
  int64_t rounds;
  double memory, lr;
  bool overlap;
  int order;
  const char *file;
  rh_steps steps;
} sample_options;

static const rh_option rows[] = {
    {.name = "rounds",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(sample_options, rounds),
     .min = 1,
     .max = INFINITY,
     .help = "how many"},
    {.name = "memory",
     .kind = RH_OPTION_REAL,
     .offset = offsetof(sample_options, memory),
     .fallback = "1GiB",
     .unit = RH_UNIT_BYTE,
     .help = "limit"},
    {.name = "lr",
     .kind = RH_OPTION_REAL,
     .offset = offsetof(sample_options, lr),
     .fallback = "0.05",
     .min = 0,
     .max = 10,
     .help = "learning rate"},
    {.name = "overlap",
     .kind = RH_OPTION_SWITCH,
     .offset = offsetof(sample_options, overlap),
     .fallback = "off",
     .help = "whether"},
    {.name = "order",
     .kind = RH_OPTION_CHOICE,
     .offset = offsetof(sample_options, order),
     .fallback = "second",
     .choices = "first second third",
     .help = "which"},
    {.name = "file", .kind = RH_OPTION_TEXT, .offset = offsetof(sample_options, file), .fallback = "", .help = "where"},
    {.name = "steps",
     .kind = RH_OPTION_STEPS,
     .offset = offsetof(sample_options, steps),
     .fallback = "",
     .help = "when"},
};

static rh_status read_one(const char *key, const char *value, sample_options *options)
{
  rh_settings settings = {0};
  rh_settings_set(&settings, "train.rounds", "5", "s.yaml:1:1", NULL);
  rh_settings_set(&settings, key, value, "s.yaml:2:7", "  lr: fast\n      ^\n");
  rh_status status = rh_option_read(rows, RH_COUNT(rows), "train", &settings, options);
  rh_settings_clear(&settings);
  return status;
}

static void options_read_defaults_and_values(void **state)
{
  (void)state;
  sample_options o;
  assert_int_equal(read_one("train.lr", "0.5", &o), RH_OK);
  assert_int_equal(o.rounds, 5);
  assert_true(o.memory == 1073741824.0 && o.lr == 0.5 && !o.overlap);
  assert_int_equal(o.order, 1);
  assert_string_equal(o.file, "");
  assert_int_equal(read_one("train.steps", "100:0.1 150:0.5", &o), RH_OK);
  assert_int_equal(o.steps.count, 2);
  assert_true(o.steps.step[1].from == 150 && o.steps.step[1].factor == 0.5);
  assert_int_equal(read_one("train.overlap", "YES", &o), RH_OK);
  assert_true(o.overlap);
}

static void options_refuse_with_place_and_line(void **state)
{
  (void)state;
  sample_options o;
  assert_int_equal(read_one("train.lr", "fast", &o), RH_EINVAL);
  assert_string_equal(rh_error_message(), "s.yaml:2:7: train.lr: 'fast' is not a number\n  lr: fast\n      ^");
  assert_int_equal(read_one("train.lr", "11", &o), RH_EINVAL);
  assert_non_null(strstr(rh_error_message(), "11 is out of range: 0 to 10"));
  assert_int_equal(read_one("train.memory", "8", &o), RH_EUNIT);
  assert_int_equal(read_one("train.rounds", "0", &o), RH_EINVAL);
  assert_int_equal(read_one("train.rounds", "1.5", &o), RH_EINVAL);
  assert_int_equal(read_one("train.rounds", "99999999999999999999", &o), RH_EINVAL);
  assert_int_equal(read_one("train.overlap", "maybe", &o), RH_EINVAL);
  assert_int_equal(read_one("train.order", "secnd", &o), RH_EINVAL);
  assert_non_null(strstr(rh_error_message(), "did you mean 'second'?"));
  assert_int_equal(read_one("train.steps", "100:0.1 50:0.1", &o), RH_EINVAL);
  assert_int_equal(read_one("train.steps", "100", &o), RH_EINVAL);
  rh_settings none = {0};
  assert_int_equal(rh_option_read(rows, RH_COUNT(rows), "train", &none, &o), RH_EINVAL);
  assert_string_equal(rh_error_message(), "train.rounds is missing: how many");
}

/* 2^53 is where doubles, in which ranges are compared, stop holding every whole number: nobody meant it as a limit. */
static void limits_that_mean_none_are_not_shown(void **state)
{
  (void)state;
  static const rh_option row[] = {
      {.name = "rounds", .kind = RH_OPTION_INTEGER, .fallback = "1", .min = 1, .max = 0x1p53, .help = "how many"}};
  int64_t rounds;
  rh_text text = {0};
  rh_settings settings = {0};
  rh_option_describe(row, 1, false, &text);
  assert_non_null(strstr(rh_text_get(&text), "whole number, at least 1; default 1\n"));
  rh_text_clear(&text);
  rh_settings_set(&settings, "train.rounds", "0", "s.yaml:1:1", NULL);
  assert_int_equal(rh_option_read(row, 1, "train", &settings, &rounds), RH_EINVAL);
  assert_non_null(strstr(rh_error_message(), "0 is out of range: at least 1"));
  rh_settings_set(&settings, "train.rounds", "9007199254740994", "s.yaml:1:1", NULL);
  assert_int_equal(rh_option_read(row, 1, "train", &settings, &rounds), RH_EINVAL);
  assert_non_null(strstr(rh_error_message(), "9007199254740994 is too large"));
  rh_settings_clear(&settings);
}

static const char *name_at(const void *context, size_t i)
{
  return ((const char *const *)context)[i];
}

static void nearest_names_are_alike_or_hold_the_whole(void **state)
{
  (void)state;
  static const char *const names[] = {"allreduce-tree", "allreduce-ring", "allgather-ring", "rinse", NULL};
  assert_string_equal(rh_text_nearest("allreduce-rnig", name_at, names), "allreduce-ring");
  assert_string_equal(rh_text_nearest("rings", name_at, names), "rinse"); /* two of five letters */
  assert_string_equal(rh_text_nearest("-ring", name_at, names), "allreduce-ring");
  assert_null(rh_text_nearest("all", name_at, names));
  assert_null(rh_text_nearest("butterfly", name_at, names));
}

static void text_is_wrapped_at_blanks(void **state)
{
  (void)state;
  rh_text text = {0};
  rh_text_append(&text, "ab ");
  rh_text_append_wrapped(&text, " one two  three fourteen-letters x", 3, 2, 10);
  assert_string_equal(rh_text_get(&text), "ab one two\n  three\n  fourteen-letters\n  x");
  rh_text_clear(&text);
  rh_text_append_wrapped(&text, "", 0, 2, 10);
  assert_int_equal(text.length, 0);
  rh_text_clear(&text);
}

static void unknown_keys_name_the_nearest(void **state)
{
  (void)state;
  rh_settings settings = {0};
  rh_option_group group = {rows, RH_COUNT(rows)};
  rh_settings_set(&settings, "trainer.x", "1", "s.yaml:1:1", NULL); /* another section */
  assert_int_equal(rh_option_check_known(&group, 1, "train", &settings), RH_OK);
  rh_settings_set(&settings, "train.ruonds", "1", "s.yaml:3:3", NULL);
  assert_int_equal(rh_option_check_known(&group, 1, "train", &settings), RH_EINVAL);
  assert_string_equal(rh_error_message(), "s.yaml:3:3: train.ruonds: unknown key; did you mean 'rounds'?");
  rh_settings_clear(&settings);
}

static void canonical_text_reads_back(void **state)
{
  (void)state;
  sample_options first, second;
  rh_text text = {0}, again = {0};
  assert_int_equal(read_one("train.steps", "100:0.1, 150:0.50", &first), RH_OK);
  rh_option_write(rows, RH_COUNT(rows), "train", &first, &text);
  assert_string_equal(rh_text_get(&text), "train.rounds=5\ntrain.memory=1073741824B\ntrain.lr=0.05\ntrain.overlap=off\n"
                                          "train.order=second\ntrain.file=\ntrain.steps=100:0.1 150:0.5\n");
  assert_int_equal(read_one("train.steps", "100:0.1 150:0.5", &second), RH_OK);
  rh_option_write(rows, RH_COUNT(rows), "train", &second, &again);
  assert_string_equal(rh_text_get(&text), rh_text_get(&again));
  rh_text_clear(&text);
  rh_text_clear(&again);
}

/* Known answers of Random123's own test suite (kat_vectors, philox4x32 10). */
static void philox_gives_the_published_numbers(void **state)
{
  (void)state;
  struct {
    uint32_t counter[4], key[2], out[4];
  } cases[] = {
      {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
       {0xa4093822, 0x299f31d0},
       {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (size_t i = 0; i < RH_COUNT(cases); i++) {
    rh_rng rng = {.used = 4};
    memcpy(rng.counter, cases[i].counter, sizeof rng.counter);
    memcpy(rng.key, cases[i].key, sizeof rng.key);
    for (int k = 0; k < 4; k++)
      assert_int_equal(rh_rng_u32(&rng), cases[i].out[k]);
  }
}

static void streams_differ_and_fill_equals_single_draws(void **state)
{
  (void)state;
  rh_rng a = rh_rng_stream(7, RH_PURPOSE_TEST, 3, 5), b = a, c = rh_rng_stream(7, RH_PURPOSE_TEST, 4, 5);
  uint32_t filled[23];
  assert_int_not_equal(rh_rng_u32(&c), rh_rng_u32(&b));
  rh_rng_fill_u32(&b, filled, 23); /* one was drawn already */
  rh_rng_u32(&a);
  for (int i = 0; i < 23; i++)
    assert_int_equal(rh_rng_u32(&a), filled[i]);
}

/* Many blocks at a time, from any place in a block, across the wrap of the block counter. */
static void fills_are_the_same_numbers_as_single_draws(void **state)
{
  (void)state;
  uint32_t words[300];
  for (int skip = 0; skip < 4; skip++) {
    for (int n = 0; n < 300; n += n < 40 ? 1 : 37) {
      rh_rng a = rh_rng_stream(7, RH_PURPOSE_TEST, 3, 5);
      a.counter[0] = UINT32_MAX - 9;
      for (int i = 0; i < skip; i++)
        (void)rh_rng_u32(&a);
      rh_rng b = a;
      rh_rng_fill_u32(&b, words, n);
      for (int i = 0; i < n; i++)
        assert_int_equal(words[i], rh_rng_u32(&a));
      assert_int_equal(rh_rng_u32(&a), rh_rng_u32(&b));
    }
  }
}

/* Means of 1e6 draws lie within 5 standard errors of the distribution's: one failure in 1.7 million seeds. */
static void draws_have_the_stated_moments(void **state)
{
  (void)state;
  enum { N = 1000000 };
  rh_rng rng = rh_rng_stream(1, RH_PURPOSE_TEST, 0, 0);
  double uniform = 0, normal = 0, square = 0, below = 0;
  for (int i = 0; i < N; i++) {
    uniform += rh_rng_f32(&rng);
    double z = rh_rng_normal(&rng);
    normal += z;
    square += z * z;
    below += rh_rng_below(&rng, 3);
  }
  assert_true(fabs(uniform / N - 0.5) < 5 * sqrt(1.0 / 12 / N));
  assert_true(fabs(normal / N) < 5 * sqrt(1.0 / N));
  assert_true(fabs(square / N - 1) < 5 * sqrt(2.0 / N));
  assert_true(fabs(below / N - 1) < 5 * sqrt(2.0 / 3 / N));
}

static void shuffle_keeps_all(void **state)
{
  (void)state;
  int32_t x[100], seen[100] = {0}, moved = 0;
  for (int32_t i = 0; i < 100; i++)
    x[i] = i;
  rh_rng rng = rh_rng_stream(1, RH_PURPOSE_TEST, 0, 0);
  rh_rng_shuffle(&rng, x, 100);
  for (int32_t i = 0; i < 100; i++) {
    seen[x[i]]++;
    moved += x[i] != i;
  }
  for (int i = 0; i < 100; i++)
    assert_int_equal(seen[i], 1);
  assert_true(moved > 80);
}

/* XXH3's published value of the empty input with seed 0. */
static void hashes_are_xxh3(void **state)
{
  (void)state;
  assert_true(rh_hash_bytes("", 0, 0) == 0x2D06800538D394C2ULL);
  assert_true(rh_hash_text("a", 0) != rh_hash_text("a", 1));
  uint64_t hash;
  assert_int_equal(rh_hash_file("/nonexistent/file", &hash), RH_EIO);
  assert_string_equal(rh_error_message(), "/nonexistent/file: cannot be opened: No such file or directory");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(units_parse_to_base_units),
      cmocka_unit_test(units_refuse_with_the_nearest_name),
      cmocka_unit_test(units_format_with_three_digits),
      cmocka_unit_test(natural_order_compares_numbers),
      cmocka_unit_test(shell_reads_a_quoted_word_as_it_was),
      cmocka_unit_test(json_escapes_hostile_text),
      cmocka_unit_test(options_read_defaults_and_values),
      cmocka_unit_test(options_refuse_with_place_and_line),
      cmocka_unit_test(limits_that_mean_none_are_not_shown),
      cmocka_unit_test(nearest_names_are_alike_or_hold_the_whole),
      cmocka_unit_test(text_is_wrapped_at_blanks),
      cmocka_unit_test(unknown_keys_name_the_nearest),
      cmocka_unit_test(canonical_text_reads_back),
      cmocka_unit_test(philox_gives_the_published_numbers),
      cmocka_unit_test(streams_differ_and_fill_equals_single_draws),
      cmocka_unit_test(fills_are_the_same_numbers_as_single_draws),
      cmocka_unit_test(draws_have_the_stated_moments),
      cmocka_unit_test(shuffle_keeps_all),
      cmocka_unit_test(hashes_are_xxh3),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
