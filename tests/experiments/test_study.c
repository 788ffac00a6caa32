/* Studies: what a file says, what `vary` makes of it, and where every mistake is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "study.h"

static char directory[] = "/tmp/rehearse-study-XXXXXX";
static char path[64];

static int make_directory(void **state)
{
  (void)state;
  if (!mkdtemp(directory)) return -1;
  snprintf(path, sizeof path, "%s/s.yaml", directory);
  return 0;
}

static int remove_directory(void **state)
{
  (void)state;
  unlink(path);
  return rmdir(directory);
}

static rh_status read_with(const char *text, const char *const *sets, size_t count, rh_study *study)
{
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs(text, file);
  assert_int_equal(fclose(file), 0);
  return rh_study_read(path, sets, count, study);
}

static rh_study good(const char *text)
{
  rh_study study;
  rh_status status = read_with(text, NULL, 0, &study);
  if (status != RH_OK) fail_msg("%s", rh_error_message());
  return study;
}

/* Reading fails with that code, and the message is `expected` behind the file's name. */
static void bad(const char *text, rh_status code, const char *expected)
{
  rh_study study;
  assert_string_equal(rh_status_name(read_with(text, NULL, 0, &study)), rh_status_name(code));
  const char *message = rh_error_message();
  assert_memory_equal(message, path, strlen(path));
  assert_string_equal(message + strlen(path), expected);
  assert_int_equal(study.count, 0);
}

static void assert_value(const rh_study *study, size_t run, const char *key, const char *value)
{
  const rh_setting *setting = rh_settings_find(&study->runs[run], key);
  assert_non_null(setting);
  assert_string_equal(setting->value, value);
}

static void values_keep_their_places(void **state)
{
  (void)state;
  rh_study study = good("name: edge\nquestion: \"Does é pay?\"\nplatform: {file: a.xml, workers: 16}\n"
                        "train:\n  lr: '0.1'   # comment\n");
  assert_string_equal(study.name, "edge");
  assert_string_equal(study.question, "Does é pay?");
  assert_int_equal(study.count, 1);
  assert_value(&study, 0, "platform.workers", "16");
  assert_value(&study, 0, "train.lr", "0.1");
  char where[80];
  snprintf(where, sizeof where, "%s:3:34", path);
  const rh_setting *workers = rh_settings_find(&study.runs[0], "platform.workers");
  assert_string_equal(workers->where, where);
  assert_string_equal(workers->excerpt, "    platform: {file: a.xml, workers: 16}\n"
                                        "                                     ^\n");
  snprintf(where, sizeof where, "%s:5:7", path);
  assert_string_equal(rh_settings_find(&study.runs[0], "train.lr")->where, where);
  rh_study_clear(&study);
}

static void caret_stands_under_the_character(void **state)
{
  (void)state;
  rh_study study = good("platform: {file: \"é é\", workers: 2}\n");
  const rh_setting *workers = rh_settings_find(&study.runs[0], "platform.workers");
  assert_non_null(strstr(workers->where, ":1:34"));
  assert_string_equal(strchr(workers->excerpt, '\n') + 1, "                                     ^\n");
  rh_study_clear(&study);
}

static void name_defaults_to_the_file(void **state)
{
  (void)state;
  rh_study study = good("platform: {workers: 2}\n");
  assert_string_equal(study.name, "s");
  assert_string_equal(study.question, "");
  assert_string_equal(study.file, path);
  assert_int_equal(strlen(study.directory), strlen(directory) + 1);
  rh_study_clear(&study);
}

static void vary_is_a_product_with_the_last_key_fastest(void **state)
{
  (void)state;
  rh_study study = good("train: {lr: 1, batch: 8}\nvary:\n  compress.name: [none, qsgd]\n  run.seed: [1..3, 7]\n"
                        "  train.lr: [\"0.1\", 0.2]\n");
  static const char *const names[] = {"none", "qsgd"}, *const seeds[] = {"1", "2", "3", "7"},
                           *const rates[] = {"0.1", "0.2"};
  assert_int_equal(study.count, 16);
  for (size_t i = 0; i < 16; i++) {
    assert_value(&study, i, "compress.name", names[i / 8]);
    assert_value(&study, i, "run.seed", seeds[i / 2 % 4]);
    assert_value(&study, i, "train.lr", rates[i % 2]); /* the varied value wins over the section's */
    assert_value(&study, i, "train.batch", "8");
  }
  assert_int_equal(study.varied_count, 3);
  assert_string_equal(study.varied[1], "run.seed");
  rh_study_clear(&study);
}

static void set_overrides_values_and_lists(void **state)
{
  (void)state;
  static const char *const sets[] = {"train.lr=0.5", "run.seed=9", "model.name=mlp"};
  rh_study study;
  assert_int_equal(read_with("train: {lr: 1}\nvary: {run.seed: [1..3], train.batch: [8, 16]}\n", sets, 3, &study),
                   RH_OK);
  assert_int_equal(study.count, 2);
  assert_value(&study, 1, "train.lr", "0.5");
  assert_value(&study, 1, "run.seed", "9");
  assert_value(&study, 1, "model.name", "mlp");
  assert_string_equal(rh_settings_find(&study.runs[1], "run.seed")->where, "--set run.seed=9");
  assert_int_equal(study.varied_count, 1);
  rh_study_clear(&study);
}

static void bad_sets_name_themselves(void **state)
{
  (void)state;
  static const struct {
    const char *set, *message;
  } cases[] = {
      {"train.lr", "--set train.lr: expects section.key=value"},
      {"trian.lr=1", "--set trian.lr=1: 'trian.lr': no section 'trian'; did you mean 'train'?"},
      {"lr=1", "--set lr=1: 'lr' is not a key such as train.lr"},
  };
  for (size_t i = 0; i < RH_COUNT(cases); i++) {
    rh_study study;
    assert_int_equal(read_with("train: {lr: 1}\n", &cases[i].set, 1, &study), RH_EINVAL);
    assert_string_equal(rh_error_message(), cases[i].message);
  }
}

static void pairs_may_be_a_list(void **state)
{
  (void)state;
  rh_study study = good("train: {lr_steps: [100:0.1, 150:0.01]}\n");
  assert_value(&study, 0, "train.lr_steps", "100:0.1 150:0.01");
  rh_study_clear(&study);
}

static void mistakes_in_sections_have_places(void **state)
{
  (void)state;
  bad("plattform: {file: a}\n", RH_EINVAL,
      ":1:1: no section 'plattform'; did you mean 'platform'?\n    plattform: {file: a}\n    ^");
  bad("train: 3\n", RH_EINVAL, ":1:1: train: expects keys with values, such as {key: value}\n    train: 3\n    ^");
  bad("train:\n  lr:\n", RH_EINVAL, ":2:3: train.lr has no value\n      lr:\n      ^");
  bad("train:\n  lr: {a: 1}\n", RH_EINVAL,
      ":2:8: train.lr: expects one value, not a mapping\n      lr: {a: 1}\n           ^");
  bad("train: {lr: [0.1, 0.2]}\n", RH_EINVAL,
      ":1:14: train.lr: expects one value; a list of values to try belongs under vary\n    train: {lr: [0.1, 0.2]}\n"
      "                 ^");
  bad("train: {lr: &a 1, batch: *a}\n", RH_EUNSUPPORTED,
      ":1:27: train.batch: aliases are not read; write the value out\n    train: {lr: &a 1, batch: *a}\n"
      "                              ^");
  bad("name: ''\n", RH_EINVAL, ":1:1: name is empty\n    name: ''\n    ^");
  bad("[1, 2]\n", RH_EFORMAT,
      ":1:2: not a study: expects sections such as 'platform: {file: ..., workers: ...}'\n    [1, 2]\n     ^");
}

/* Two zipped lists of three, values repeated, for each the product of vary; a set key leaves its zip. */
static void zip_advances_its_lists_together(void **state)
{
  (void)state;
  static const char text[] = "zip: {train.method: [dpsgd, choco, choco], compress.name: [none, none, int8]}\n"
                             "vary: {run.seed: [1, 2]}\n";
  static const char *const expected[6][3] = {{"dpsgd", "none", "1"}, {"dpsgd", "none", "2"}, {"choco", "none", "1"},
                                             {"choco", "none", "2"}, {"choco", "int8", "1"}, {"choco", "int8", "2"}};
  rh_study study = good(text);
  assert_int_equal(study.count, 6);
  assert_int_equal(study.varied_count, 3);
  for (size_t i = 0; i < 6; i++) {
    assert_value(&study, i, "train.method", expected[i][0]);
    assert_value(&study, i, "compress.name", expected[i][1]);
    assert_value(&study, i, "run.seed", expected[i][2]);
  }
  rh_study_clear(&study);
  const char *const sets[] = {"compress.name=topk", "train.method=dpsgd"};
  assert_int_equal(read_with(text, sets, 2, &study), RH_OK);
  assert_int_equal(study.count, 2);
  assert_value(&study, 1, "compress.name", "topk");
  rh_study_clear(&study);
  bad("zip:\n  run.seed: [1, 2]\n  train.lr: [.1]\n", RH_EINVAL,
      ":3:3: zip: train.lr has 1 values and run.seed has 2: lists that advance together are equally long\n"
      "      train.lr: [.1]\n      ^");
  bad("vary: {run.seed: [1]}\nzip:\n  run.seed: [1]\n", RH_EINVAL,
      ":3:3: zip: run.seed is under vary already\n      run.seed: [1]\n      ^");
}

static void mistakes_in_vary_have_places(void **state)
{
  (void)state;
  bad("vary: {run.seed: [1, 2, 1]}\n", RH_EINVAL,
      ":1:25: vary: run.seed: '1' is there twice\n    vary: {run.seed: [1, 2, 1]}\n                            ^");
  bad("vary:\n  run.seed: [3..1]\n", RH_EINVAL,
      ":2:14: vary: run.seed: the range 3..1 is empty\n      run.seed: [3..1]\n                 ^");
  bad("vary:\n  run.seed: []\n", RH_EINVAL, ":2:3: vary: run.seed: the list is empty\n      run.seed: []\n      ^");
  bad("vary:\n  run.seed: 1..3\n", RH_EINVAL,
      ":2:13: vary: run.seed: expects a list such as [1, 2] or [1..3]\n      run.seed: 1..3\n                ^");
  bad("vary:\n  seed: [1]\n", RH_EINVAL, ":2:3: vary: 'seed' is not a key such as train.lr\n      seed: [1]\n      ^");
  bad("vary:\n  rnu.seed: [1]\n", RH_EINVAL,
      ":2:3: vary: 'rnu.seed': no section 'rnu'; did you mean 'run'?\n      rnu.seed: [1]\n      ^");
  bad("vary: {run.seed: [1..10001], train.lr: [1..1000]}\n", RH_EINVAL, ": more than 10000000 runs; split the study");
  bad("vary:\n  run.seed: [1..1000001]\n", RH_EINVAL,
      ":2:14: vary: run.seed: more than 1000000 values\n      run.seed: [1..1000001]\n                 ^");
}

static size_t asked;

static bool refuse(const char *file, size_t runs)
{
  assert_string_equal(file, path);
  asked = runs;
  return false;
}

static bool agree(const char *file, size_t runs)
{
  (void)refuse(file, runs);
  return true;
}

static void many_runs_are_asked_about(void **state)
{
  (void)state;
  rh_study study;
  bad("vary: {run.seed: [1..1000000]}\n", RH_EINVAL, ": has 1000000 runs; more than 10000 need --yes");
  assert_int_equal(rh_study_open(path, NULL, 0, refuse, &study), RH_EINVAL);
  assert_int_equal(asked, 1000000);
  rh_study few = good("vary: {run.seed: [1..101], train.lr: [1..99]}\n");
  rh_study_clear(&few);
  bad("vary: {run.seed: [1..101], train.lr: [1..100]}\n", RH_EINVAL, ": has 10100 runs; more than 10000 need --yes");
  assert_int_equal(rh_study_open(path, NULL, 0, agree, &study), RH_OK);
  assert_int_equal(study.count, 10100);
  assert_value(&study, 10099, "train.lr", "100");
  rh_study_clear(&study);
}

static void exclude_leaves_combinations_out(void **state)
{
  (void)state;
  rh_study study = good("train: {method: dpsgd}\nvary: {run.seed: [1..3], compress.name: [none, qsgd]}\n"
                        "exclude:\n- {run.seed: [2, 3], compress.name: qsgd}\n- {train.method: dpsgd, run.seed: 3}\n"
                        "- {train.method: choco, run.seed: 1}\n");
  assert_int_equal(study.count, 3); /* 1 none, 1 qsgd, 2 none */
  assert_value(&study, 1, "compress.name", "qsgd");
  assert_value(&study, 1, "run.seed", "1");
  assert_value(&study, 2, "run.seed", "2");
  assert_value(&study, 2, "compress.name", "none");
  char warning[128];
  snprintf(warning, sizeof warning, "%s:6:4: exclude: this item fits no run\n", path);
  assert_string_equal(rh_text_get(&study.warnings), warning);
  rh_study_clear(&study);
  bad("vary: {run.seed: [1, 2]}\nexclude: [{run.seed: [1, 2]}]\n", RH_EINVAL,
      ":2:1: exclude: leaves none of the 2 runs\n    exclude: [{run.seed: [1, 2]}]\n    ^");
  bad("vary: {run.seed: [1, 2]}\nexclude: [{train.lr: 1}]\n", RH_EINVAL,
      ":2:1: exclude: train.lr is neither varied nor set, so there is nothing to compare with\n"
      "    exclude: [{train.lr: 1}]\n    ^");
  bad("exclude: {run.seed: 1}\n", RH_EINVAL,
      ":1:11: exclude: expects a list of items such as {train.method: dpsgd, run.seed: [1..3]}\n"
      "    exclude: {run.seed: 1}\n              ^");
}

static void include_adds_runs(void **state)
{
  (void)state;
  const char *text = "train: {lr: 1}\nvary: {run.seed: [1, 2]}\nexclude: [{run.seed: 2}]\n"
                     "include: [{train.lr: [2, 3], run.seed: [2, 7..8]}, {compress.name: topk}]\n";
  rh_study study = good(text);
  assert_int_equal(study.count, 1 + 6 + 1);
  assert_value(&study, 0, "train.lr", "1");
  assert_value(&study, 1, "train.lr", "2");
  assert_value(&study, 1, "run.seed", "2");
  assert_value(&study, 6, "train.lr", "3");
  assert_value(&study, 6, "run.seed", "8");
  assert_value(&study, 7, "compress.name", "topk");
  assert_null(rh_settings_find(&study.runs[7], "run.seed"));
  assert_int_equal(study.varied_count, 3);
  rh_study_clear(&study);
  const char *const sets[] = {"run.seed=5"};
  assert_int_equal(read_with(text, sets, 1, &study), RH_OK);
  assert_int_equal(study.count, 1 + 2 + 1); /* the item of exclude compares with 5 now */
  assert_value(&study, 1, "run.seed", "5");
  assert_value(&study, 3, "run.seed", "5");
  rh_study_clear(&study);
  bad("include: [{}]\n", RH_EINVAL, ":1:1: include: an item names no key\n    include: [{}]\n    ^");
  bad("include: [{train.lr: [.1, .1]}]\n", RH_EINVAL,
      ":1:27: include: train.lr: '.1' is there twice\n    include: [{train.lr: [.1, .1]}]\n                            "
      "  ^");
}

static void malformed_yaml_is_refused_with_its_place(void **state)
{
  (void)state;
  bad("platform:\n  file: x\n workers: 3\n", RH_EFORMAT,
      ":3:2: malformed YAML: invalid indentation in mapping\n     workers: 3\n     ^");
  bad("train: {lr: 1}\ntrain: {lr: 2}\n", RH_EFORMAT, ":2:1: malformed YAML: duplicate key\n    train: {lr: 2}\n    ^");
  bad("train: {lr: 1\nrun: {seed: 2}\n", RH_EFORMAT,
      ":2:4: malformed YAML: missing comma in flow mapping\n    run: {seed: 2}\n       ^");
  bad("train: {lr: 1}\n---\nrun: {seed: 2}\n", RH_EFORMAT, ": holds more than one YAML document");
  bad("", RH_EFORMAT, ": is empty or no YAML text");
  bad("a: é\nb: \xff\xfe\n", RH_EFORMAT,
      ":2:4: malformed YAML: a byte that is no UTF-8 text (0xFF)\n    b: \xff\xfe\n       ^");
  bad("%s \x9b\n", RH_EFORMAT, /* at which libfyaml stays for ever */
      ":1:4: malformed YAML: a byte that is no UTF-8 text (0x9B)\n    %s \x9b\n       ^");
}

static void missing_files_and_directories_are_named(void **state)
{
  (void)state;
  rh_study study;
  assert_int_equal(rh_study_read("/nowhere/s.yaml", NULL, 0, &study), RH_EIO);
  assert_string_equal(rh_error_message(), "/nowhere/s.yaml: cannot be opened: No such file or directory");
  assert_int_equal(rh_study_read("/tmp", NULL, 0, &study), RH_EUNSUPPORTED);
  assert_string_equal(rh_error_message(), "/tmp: is a directory; give one study file of it");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_keep_their_places),
      cmocka_unit_test(caret_stands_under_the_character),
      cmocka_unit_test(name_defaults_to_the_file),
      cmocka_unit_test(vary_is_a_product_with_the_last_key_fastest),
      cmocka_unit_test(set_overrides_values_and_lists),
      cmocka_unit_test(bad_sets_name_themselves),
      cmocka_unit_test(pairs_may_be_a_list),
      cmocka_unit_test(mistakes_in_sections_have_places),
      cmocka_unit_test(zip_advances_its_lists_together),
      cmocka_unit_test(mistakes_in_vary_have_places),
      cmocka_unit_test(many_runs_are_asked_about),
      cmocka_unit_test(exclude_leaves_combinations_out),
      cmocka_unit_test(include_adds_runs),
      cmocka_unit_test(malformed_yaml_is_refused_with_its_place),
      cmocka_unit_test(missing_files_and_directories_are_named),
  };
  return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
