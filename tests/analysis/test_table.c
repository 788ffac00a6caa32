/* The closing table, the line about options varied in vain, `list`, and the grid that they are written with. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fixture.h"
#include "grid.h"

static const double nan_value = (double)NAN;

/* A finished run on a fat-tree: 40 MB by 16 workers, target reached. */
static rh_run_summary known_run(void)
{
  return (rh_run_summary){.id = "0123456789abcdef",
                          .study = "quickstart",
                          .platform = "fattree-64",
                          .network_model = "CM02",
                          .method = "allreduce",
                          .compressor = "none",
                          .model = "cnn",
                          .dataset = "glyphs",
                          .graph = "",
                          .status = "done",
                          .reason = "target reached",
                          .configuration = "platform.file=fattree-64.xml\ntrain.lr=0.05\ncompress.name=none\n"
                                           "train.method=allreduce\nrun.threads=1\n",
                          .workers = 16,
                          .seed = 1,
                          .rounds = 40,
                          .parameters = 20522,
                          .accuracy = 0.9125,
                          .target_accuracy = 0.9,
                          .time_to_target_s = 0.123,
                          .bytes_to_target = 40e6,
                          .simulated_s = 0.25,
                          .wall_s = 12.34,
                          .wire_bytes = 40000000,
                          .closed_form_ratio = 1.0042,
                          .busiest_link = "node-3_UP",
                          .busiest_load = 0.8765,
                          .peak_memory_bytes = 123000000,
                          .parameters_hash = "00000000000000aa"};
}

static void expect_table(const rh_run_summary *runs, int32_t count, const char *expected)
{
  rh_run_list list = {(rh_run_summary *)runs, count, count};
  rh_text text = {0};
  rh_table_write(&list, &text);
  assert_string_equal(rh_text_get(&text), expected);
  int width = 0;
  for (const char *c = rh_text_get(&text); *c; c++) {
    width = *c == '\n' ? 0 : width + 1;
    assert_true(width <= 120);
  }
  rh_text_clear(&text);
}

#define LEGEND                                                                                                         \
  "\ntime: simulated. load: bytes / (bandwidth x total time). closed form: seconds of the collectives\n"               \
  "divided by those of their formula, which knows no contention. memory: peak of the process.\n"

static void make_failed(rh_run_summary *run)
{
  run->status = "failed";
  run->reason = "study.yaml:3:7: no such file\n  file: x.idx\n        ^";
  run->accuracy = run->simulated_s = run->time_to_target_s = run->wall_s = nan_value;
  run->closed_form_ratio = run->busiest_load = nan_value;
  run->busiest_link = "";
  run->rounds = run->wire_bytes = run->peak_memory_bytes = 0;
}

static void known_runs_give_a_known_table(void **state)
{
  (void)state;
  rh_run_summary runs[3] = {known_run(), known_run(), known_run()};
  runs[1].platform = "edge-wifi-16";
  runs[1].network_model = "LV08";
  runs[1].method = "dpsgd";
  runs[1].graph = "ring";
  runs[1].compressor = "qsgd";
  runs[1].time_to_target_s = nan_value; /* not reached */
  runs[1].accuracy = 0.5;
  runs[1].simulated_s = 1234;
  runs[1].closed_form_ratio = nan_value;
  runs[1].busiest_load = 0.0421;
  runs[1].wire_bytes = 1600;
  make_failed(&runs[2]);
  expect_table(
      runs, 3,
      "3 runs of study quickstart: 16 workers, cnn with 20522 parameters, data glyphs, graph ring, seed 1, target "
      "accuracy 90 %\n"
      "network model: CM02 (fattree-64), LV08 (edge-wifi-16)\n"
      "\n"
      "                         com-                   time to   total  MB per  busiest      its  closed    wall\n"
      "platform      method     pressor  accuracy       target    time  worker  link        load    form    time  "
      "memory\n"
      "fattree-64    allreduce  none       91.2 %       123 ms  250 ms    2.50  node-3_UP   88 %   1.004  12.3 s  123 "
      "MB\n"
      "edge-wifi-16  dpsgd      qsgd       50.0 %  not reached  1234 s  0.0001  node-3_UP  4.2 %       -  12.3 s  123 "
      "MB\n"
      "fattree-64    allreduce  none            -       failed       -       -  -              -       -       -       "
      "-\n" LEGEND "failed: run 01234567, fattree-64 allreduce none: study.yaml:3:7: no such file\n"
      "      file: x.idx\n"
      "            ^\n");
}

/* Seeds and a learning rate that differ become columns; nothing asks for an accuracy. */
static void only_what_differs_is_a_column(void **state)
{
  (void)state;
  rh_run_summary runs[2] = {known_run(), known_run()};
  for (int i = 0; i < 2; i++)
    runs[i].target_accuracy = runs[i].time_to_target_s = nan_value;
  runs[1].seed = 2;
  runs[1].configuration = "platform.file=fattree-64.xml\ntrain.lr=0.1\ncompress.name=none\n";
  runs[1].status = "interrupted";
  runs[1].reason = "Ctrl-C";
  expect_table(
      runs, 2,
      "2 runs of study quickstart: 16 workers, cnn with 20522 parameters, data glyphs\n"
      "network model: CM02 (fattree-64)\n"
      "\n"
      "                       com-                                 total  MB per  busiest     its  closed    wall\n"
      "platform    method     pressor  seed    lr  accuracy         time  worker  link       load    form    time  "
      "memory\n"
      "fattree-64  allreduce  none        1  0.05    91.2 %       250 ms    2.50  node-3_UP  88 %   1.004  12.3 s  "
      "123 MB\n"
      "fattree-64  allreduce  none        2   0.1    91.2 %  interrupted    2.50  node-3_UP  88 %   1.004  12.3 s  "
      "123 MB\n" LEGEND "interrupted: run 01234567, fattree-64 allreduce none: Ctrl-C\n");
}

static void no_runs_are_said_to_be_none(void **state)
{
  (void)state;
  expect_table(NULL, 0, "no runs\n");
}

/* Names of 10 kB and many varied options: every line of the table still fits. */
static void long_names_are_shortened(void **state)
{
  (void)state;
  static char name[10241];
  memset(name, 'y', 10240);
  rh_run_summary runs[2] = {known_run(), known_run()};
  runs[1].platform = runs[1].busiest_link = name;
  runs[1].method = "decentralised-parallel";
  runs[0].configuration = "a.alpha=1\na.beta=22\na.gamma=333\na.delta=1\na.epsilon=1\na.zeta=1\n";
  runs[1].configuration = "a.alpha=2\na.beta=23\na.gamma=334\na.delta=2\na.epsilon=2\na.zeta=2\n";
  rh_run_list list = {runs, 2, 2};
  rh_text text = {0};
  rh_table_write(&list, &text);
  const char *end = strstr(rh_text_get(&text), "\ntime: simulated");
  assert_non_null(strstr(rh_text_get(&text), " = decentralised-parallel\n"));
  assert_non_null(strstr(rh_text_get(&text), "not shown for want of width: "));
  assert_non_null(strstr(rh_text_get(&text), " yyy..yyy "));
  const char *table = strstr(rh_text_get(&text), "\n\n");
  int width = 0;
  for (const char *c = table; c < end; c++) {
    width = *c == '\n' ? 0 : width + 1;
    assert_true(width <= 120);
  }
  rh_text_clear(&text);
}

/* Three options in vain and one that matters, in all combinations: without its column rows could not be told apart. */
static void options_in_vain_are_left_out_first(void **state)
{
  (void)state;
  enum { RUNS = 16 };
  rh_run_summary runs[RUNS];
  char configuration[RUNS][128];
  for (int i = 0; i < RUNS; i++) {
    runs[i] = known_run();
    snprintf(configuration[i], sizeof configuration[i],
             "a.first=in-vain-%d\nb.second=in-vain-%d\nc.third=in-vain-%d\nd.bits=%d\n", i & 1, i >> 1 & 1, i >> 2 & 1,
             i >> 3);
    runs[i].configuration = configuration[i];
    runs[i].wire_bytes = i >> 3 ? 1600 : 3200;
    if (i >> 3) { /* no name is the same in all rows, so that none makes room */
      runs[i].platform = "edge-wifi-16";
      runs[i].method = "dpsgd";
      runs[i].compressor = "qsgd";
      runs[i].busiest_link = "wifi";
    }
  }
  rh_run_list list = {runs, RUNS, RUNS};
  rh_text text = {0};
  rh_table_write(&list, &text);
  assert_non_null(strstr(rh_text_get(&text), " bits  "));
  const char *left_out = strstr(rh_text_get(&text), "not shown for want of width: ");
  assert_non_null(left_out);
  assert_null(strstr(left_out, "bits"));
  rh_text_clear(&text);
}

/* Too wide by a column for each of two options: what is the same in every row goes above the table, and only as much as
 * is needed; nothing is shortened. */
static void constant_columns_go_above_a_wide_table(void **state)
{
  (void)state;
  rh_run_summary runs[2] = {known_run(), known_run()};
  runs[0].configuration = "train.learning_rate=0.05\ngraph.neighbours=2\n";
  runs[1].configuration = "train.learning_rate=0.1\ngraph.neighbours=4\n";
  runs[1].wire_bytes /= 2;
  rh_run_list list = {runs, 2, 2};
  rh_text text = {0};
  rh_table_write(&list, &text);
  assert_non_null(strstr(rh_text_get(&text), ", target accuracy 90 %, platform fattree-64, method allreduce\n"));
  assert_non_null(strstr(rh_text_get(&text), "\npressor  learning_rate  neighbours  accuracy"));
  assert_null(strstr(rh_text_get(&text), "..")); /* no cell is shortened */
  assert_null(strstr(rh_text_get(&text), "not shown"));
  rh_text_clear(&text);
  static char name[81];
  memset(name, 'y', 80);
  runs[0].busiest_link = runs[1].busiest_link = name;
  rh_table_write(&list, &text);
  assert_non_null(strstr(rh_text_get(&text), ", method allreduce, compressor none, busiest link yyyy"));
  assert_null(strstr(rh_text_get(&text), ".."));
  rh_text_clear(&text);
}

static void expect_unchanged(rh_run_summary *runs, int32_t count, const char *expected)
{
  rh_run_list list = {runs, count, count};
  rh_text text = {0};
  rh_table_write_unchanged(&list, &text);
  assert_string_equal(rh_text_get(&text), expected);
  rh_text_clear(&text);
}

/* Two learning rates by two numbers of threads: the rate matters, the threads do not. */
static void option_varied_in_vain_is_named(void **state)
{
  (void)state;
  rh_run_summary runs[4] = {known_run(), known_run(), known_run(), known_run()};
  runs[0].configuration = "train.lr=0.05\nrun.threads=1\n";
  runs[1].configuration = "train.lr=0.05\nrun.threads=2\n";
  runs[2].configuration = "train.lr=0.1\nrun.threads=1\n";
  runs[3].configuration = "train.lr=0.1\nrun.threads=2\n";
  runs[2].accuracy = runs[3].accuracy = 0.95;
  expect_unchanged(runs, 4, "run.threads changed nothing: 1, 2 give the same accuracy, simulated time and bytes\n");
  runs[3].parameters_hash = "00000000000000bb"; /* accuracies may agree by chance; models do not */
  expect_unchanged(runs, 4, "");
  runs[3].status = "failed"; /* tells nothing */
  expect_unchanged(runs, 4, "run.threads changed nothing: 1, 2 give the same accuracy, simulated time and bytes\n");
}

/* An option of one compressor is no difference between the compressors; options varied together are judged together. */
static void dependent_options_are_told_apart(void **state)
{
  (void)state;
  rh_run_summary runs[2] = {known_run(), known_run()};
  runs[0].configuration = "compress.name=none\nlink.file=a.xml\n";
  runs[1].configuration = "compress.name=qsgd\ncompress.bits=8\nlink.file=b.xml\n";
  expect_unchanged(runs, 2,
                   "compress.name changed nothing: none, qsgd give the same accuracy, simulated time and bytes\n"
                   "link.file changed nothing: a.xml, b.xml give the same accuracy, simulated time and bytes\n");
  runs[1].wire_bytes /= 4;
  expect_unchanged(runs, 2, "");
  runs[1].wire_bytes *= 4;
  runs[0].accuracy = runs[1].accuracy = nan_value; /* never evaluated: still equal */
  runs[1].configuration = "compress.name=none\ncompress.bits=8\nlink.file=a.xml\n";
  expect_unchanged(runs, 2, "");
}

static void list_is_json(void **state)
{
  (void)state;
  rh_run_summary run = known_run();
  run.study = "a \"b\"\n";
  run.time_to_target_s = nan_value;
  run.configuration = "train.lr=0.05\nplatform.file=a=b.xml\n";
  rh_run_list list = {&run, 1, 1}, none = {0};
  rh_text text = {0};
  rh_list_write_json(&none, &text);
  assert_string_equal(rh_text_get(&text), "[]\n");
  rh_text_clear(&text);
  rh_list_write_json(&list, &text);
  assert_string_equal(
      rh_text_get(&text),
      "[\n  {\"id\": \"0123456789abcdef\", \"study\": \"a \\\"b\\\"\\n\", \"platform\": \"fattree-64\", "
      "\"network_model\": \"CM02\", \"workers\": 16, \"method\": \"allreduce\", \"compressor\": \"none\", \"model\": "
      "\"cnn\", \"dataset\": \"glyphs\", \"graph\": \"\", \"seed\": 1, \"status\": \"done\", \"reason\": \"target "
      "reached\", \"rounds\": 40, \"parameters\": 20522, \"timing_only\": false, \"accuracy\": 0.9125, "
      "\"target_accuracy\": 0.9, "
      "\"time_to_target_s\": null, \"bytes_to_target\": 4e+07, \"simulated_s\": 0.25, \"wire_bytes\": 40000000, "
      "\"closed_form_ratio\": 1.0042, \"busiest_link\": \"node-3_UP\", \"busiest_load\": 0.8765, \"wall_s\": 12.34, "
      "\"peak_memory_bytes\": 123000000, \"parameters_hash\": \"00000000000000aa\", \"configuration\": "
      "{\"train.lr\": \"0.05\", \"platform.file\": \"a=b.xml\"}}\n]\n");
  rh_text_clear(&text);
}

static void list_is_one_line_per_run(void **state)
{
  (void)state;
  rh_run_summary run = known_run();
  rh_run_list list = {&run, 1, 1};
  rh_text text = {0};
  rh_list_write(&list, &text);
  assert_string_equal(rh_text_get(&text),
                      "id        study       platform    workers  method     compressor  seed  status  "
                      "accuracy  simulated     sent    wall\n"
                      "01234567  quickstart  fattree-64       16  allreduce  none           1  done    "
                      "  91.2 %     250 ms  40.0 MB  12.3 s\n");
  rh_text_clear(&text);
}

/* The accuracy of a model that is not finite is that of a constant guess: nobody may read it as a result. */
static void diverged_run_is_called_so(void **state)
{
  (void)state;
  rh_run_summary runs[6];
  for (int i = 0; i < 6; i++) {
    runs[i] = known_run();
    runs[i].seed = i;
    if (i == 0) continue;
    runs[i].reason = "diverged: the training loss is no longer finite";
    runs[i].time_to_target_s = nan_value;
    runs[i].accuracy = 0.1;
    runs[i].rounds = 7;
  }
  rh_run_list list = {runs, 6, 6}, fine = {runs, 1, 1};
  rh_text text = {0};
  rh_table_write(&list, &text);
  assert_null(strstr(rh_text_get(&text), "10.0 %"));
  assert_non_null(strstr(rh_text_get(&text), "diverged  not reached"));
  assert_non_null(strstr(rh_text_get(&text), "diverged: run 01234567, fattree-64 allreduce none: its training loss was "
                                             "no longer finite in round 7\n"));
  assert_non_null(strstr(rh_text_get(&text), "diverged: 1 more\n    a smaller train.lr"));
  rh_text_clear(&text);
  rh_list_write(&list, &text);
  assert_null(strstr(rh_text_get(&text), "10.0 %"));
  assert_non_null(strstr(rh_text_get(&text), "done    diverged"));
  rh_text_clear(&text);
  rh_table_write(&fine, &text);
  assert_null(strstr(rh_text_get(&text), "diverged"));
  rh_text_clear(&text);
}

static void control_characters_become_visible(void **state)
{
  (void)state;
  rh_text text = {0};
  /* NOLINTNEXTLINE(misc-misleading-bidirectional): such a character is what this test is about */
  rh_text_append_visible(&text, "a\nb\x1b[2J\x7f\xc2\x85\xe2\x80\xae\xff\xc3\xa4\xf0\x9f\x98\x80 \xe2\x82");
  assert_string_equal(rh_text_get(&text), "a\\nb\\x1b[2J\\x7f\\x85\\u202e\\xff\xc3\xa4\xf0\x9f\x98\x80 \\xe2\\x82");
  rh_text_clear(&text);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(known_runs_give_a_known_table),
      cmocka_unit_test(only_what_differs_is_a_column),
      cmocka_unit_test(no_runs_are_said_to_be_none),
      cmocka_unit_test(long_names_are_shortened),
      cmocka_unit_test(options_in_vain_are_left_out_first),
      cmocka_unit_test(constant_columns_go_above_a_wide_table),
      cmocka_unit_test(option_varied_in_vain_is_named),
      cmocka_unit_test(dependent_options_are_told_apart),
      cmocka_unit_test(list_is_json),
      cmocka_unit_test(list_is_one_line_per_run),
      cmocka_unit_test(diverged_run_is_called_so),
      cmocka_unit_test(control_characters_become_visible),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
