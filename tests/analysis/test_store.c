/* Rows through the recorder, read back with plain SQL by another connection. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"
#include "store_private.h"

static void expect(const char *path, const char *sql, const char *value)
{
  const char *found = fixture_sql(path, sql);
  if (strcmp(found, value) != 0) fail_msg("%s\n gives '%s', not '%s'", sql, found, value);
}

/* What the fixture's run leaves in every table: a query, and its value. */
static const char *const stored[][2] = {
    {"SELECT study || '|' || question FROM studies", "edge-vs-hpc|Does 8 bits pay?"},
    {"SELECT study || '|' || profile_hash || '|' || device FROM profiles", "edge-vs-hpc|0000000000000abc|test device"},
    {"SELECT name || '|' || samples || '|' || low_s FROM durations WHERE profile_hash = '0000000000000abc'",
     "forward|200|0.001"},
    {"SELECT concat FROM (SELECT id || '|' || platform || '|' || platform_file || '|' || platform_hash || '|' ||"
     " network_model || '|' || protocol || '|' || precision_s || '|' || workers || '|' || zones || '|' || method || "
     "'|' ||"
     " compressor || '|' || model || '|' || dataset || '|' || partition || '|' || graph || '|' || parameters ||"
     " '|' || batch || '|' || seed || '|' || rounds_planned || '|' || backend || '|' || kernel || '|' || threads ||"
     " '|' || time_source || '|' || target_accuracy AS concat FROM runs)",
     "0123456789abcdef|ring|platforms/ring.xml|fedcba9876543210|CM02|rendezvous|1.0e-12|2|2|allreduce|none|cnn|glyphs"
     "|iid||20522|32|7|400|cpu|OpenBLAS 0.3.21 SkylakeX|2|measured|0.8"},
    {"SELECT status || '|' || reason || '|' || rounds_done || '|' || simulated_s || '|' || wall_s || '|' ||"
     " peak_memory_bytes || '|' || parameters_hash || '|' || versions || '|' || command FROM runs",
     "done|all rounds done|2|1.0|12.5|123456789|8000000000000001|rehearse 0.1.0, SimGrid 3.32"
     "|rehearse run study.yaml --index 1"},
    {"SELECT step_flop || '|' || step_int8_op || '|' || weight_bytes || '|' || activation_bytes || '|' ||"
     " typeof(weight_bytes) FROM runs",
     "150000000.0|250000000.0|20586|70000|integer"},
    {"SELECT configuration FROM runs",
     "platform.file=ring.xml\nplatform.workers=2\ntrain.method=allreduce\nrun.seed=7\n"},
    {"SELECT start_utc GLOB '20[0-9][0-9]-*T*:*:*.*Z' AND end_utc >= start_utc FROM runs", "1"},
    {"SELECT finish_s || '|' || first_finish_s || '|' || train_loss || '|' || learning_rate || '|' || messages ||"
     " '|' || wire_bytes || '|' || within_bytes || '|' || between_bytes FROM rounds WHERE round = 1",
     "0.5|0.25|2.25|0.05|4|1000|700|300"},
    {"SELECT group_concat(round || ' ' || phase || ' ' || compression_ratio, '; ') FROM phases",
     "1 FULL 1.0; 2 AB 0.5"},
    {"SELECT group_concat(round || ' ' || weight || ' ' || rank, '; ') FROM factor_ranks",
     "2 conv2.weight 24; 2 dense1.weight 7"},
    {"SELECT simulated_s || '|' || train_loss || '|' || test_loss || '|' || test_accuracy || '|' || sample_count ||"
     " '|' || accuracy_min || '|' || accuracy_median || '|' || accuracy_max || '|' || consensus_distance"
     " FROM evaluations WHERE round = 2",
     "1.0|1.0|1.125|0.875|2|0.75|0.8|0.9|0.0625"},
    {"SELECT sequence || '|' || round || '|' || kind || '|' || group_size || '|' || payload_bytes || '|' ||"
     " messages || '|' || wire_bytes || '|' || start_s || '|' || finish_s || '|' || closed_form_s FROM collectives",
     "1|2|allreduce-ring|2|82088|4|82088|0.5|1.0|0.4"},
    {"SELECT bandwidth_Bps || '|' || latency_s || '|' || bytes || '|' || busy_s || '|' || load FROM links"
     " WHERE link = 'up'",
     "1000000000.0|1.0e-06|2000|0.25|0.125"},
    {"SELECT group_concat(peak_load || '|' || from_where || '|' || to_where, '; ') FROM links",
     "1.0||zone a; 0.5|rank 0|rank 1"},
    {"SELECT group_concat(link || ' ' || bin || ' ' || bytes || ' ' || load, '; ') FROM link_bins",
     "down 0 125000000 0.5; down 2 250000000 1.0"},
    {"SELECT group_concat(down_s || '|' || stalled_s, '; ') FROM links", "0.0|0.0; 0.5|0.0625"},
    {"SELECT bin_s FROM runs", "0.25"},
    {"SELECT simulated_messages FROM runs", "123"},
    {"SELECT skipped_messages FROM runs", "4567"},
    {"SELECT skipped_rounds FROM runs", "1"},
    {"SELECT skipped_s FROM runs", "0.5"},
    {"SELECT simulated_in_full FROM runs", "2 collectives did not settle"},
    {"SELECT host || '|' || speed_flops || '|' || compute_s || '|' || communication_s || '|' || both_s || '|' ||"
     " waiting_s || '|' || encode_s || '|' || decode_s || '|' || sent_bytes || '|' || received_bytes || '|' || "
     "sent_messages || '|' || samples"
     " FROM ranks WHERE rank = 0",
     "n0|1000000000.0|0.5|0.25|0.125|0.375|0.125|0.0625|1250|1250|4|3000"},
    {"SELECT rank || '|' || class || '|' || samples FROM class_counts", "1|9|3000"},
    {"SELECT group_concat(sequence || '|' || round || '|' || rank || '|' || lane || '|' || kind || '|' || start_s ||"
     " '|' || finish_s || '|' || coalesce(bytes, '-') || '|' || coalesce(peer, '-'), '; ') FROM events",
     "1|1|0|compute|gradient|0.0|0.25|-|-; 2|1|1|communication|allreduce-ring|0.25|0.5|500|0"},
    {"SELECT sequence || '|' || warning FROM warnings", "1|the graph is sparse"},
    {"SELECT layout || '|' || lines_left_out FROM networks", "star|3"},
    {"SELECT group_concat(node || '|' || kind || '|' || name || '|' || coalesce(rank, '-') || '|' || x || '|' || y,"
     " '; ') FROM nodes",
     "0|host|n0|0|0.25|1.0; 1|switch||-|0.5|0.0"},
    {"SELECT line || '|' || link || '|' || from_node || '|' || to_node FROM lines", "0|up|0|1"},
    {"SELECT from_rank || '|' || to_rank || '|' || block || '|' || bytes FROM pairs", "0|1|1|1250"},
    {"SELECT group_concat(link || '|' || hex(bin_loads), '; ') FROM links", "down|D500FF; up|"},
};

static void every_table_is_written(void **state)
{
  const char *path = fixture_path(state, "a.db");
  fixture_make(path, "0123456789abcdef", "done");
  for (size_t i = 0; i < sizeof stored / sizeof *stored; i++)
    expect(path, stored[i][0], stored[i][1]);
}

/* 42 steps a decade down from 1, and nothing but 0 is 0. */
static void loads_are_bytes(void **state)
{
  (void)state;
  assert_int_equal(rh_load_byte(0), 0);
  assert_int_equal(rh_load_byte(1), 255);
  assert_int_equal(rh_load_byte(1.5), 255);
  assert_int_equal(rh_load_byte(0.1), 255 - 42);
  assert_int_equal(rh_load_byte(1e-6), 255 - 6 * 42);
  assert_int_equal(rh_load_byte(1e-12), 1);
  assert_int_equal(rh_load_byte((double)NAN), 0);
}

static void nan_is_null_and_back(void **state)
{
  const char *path = fixture_path(state, "a.db");
  fixture_make(path, "1", "done");
  expect(path, "SELECT train_loss FROM rounds WHERE round = 2", "NULL");
  expect(path, "SELECT lambda2 FROM runs", "NULL");
  expect(path, "SELECT high_s FROM durations", "NULL");
  rh_store *store;
  must(rh_store_open(path, RH_STORE_NEW, &store));
  rh_run_header header = fixture_header("2");
  header.target_accuracy = (double)NAN;
  must(rh_store_begin_run(store, &header));
  rh_run_list list = {0};
  must(rh_store_list(store, NULL, NULL, &list));
  assert_int_equal(list.count, 1);
  assert_true(isnan(list.list[0].accuracy) && isnan(list.list[0].target_accuracy) && isnan(list.list[0].simulated_s));
  assert_true(isnan(list.list[0].time_to_target_s) && isnan(list.list[0].closed_form_ratio));
  assert_string_equal(list.list[0].status, "running");
  assert_string_equal(list.list[0].busiest_link, "");
  rh_run_list_clear(&list);
  must(rh_store_close(store));
}

static void nan_where_none_may_be_is_refused(void **state)
{
  rh_store *store;
  rh_run_header header = fixture_header("1");
  must(rh_store_open(fixture_path(state, "a.db"), RH_STORE_NEW, &store));
  must(rh_store_begin_run(store, &header));
  rh_recorder r = rh_store_recorder(store);
  rh_round_row row = {1, (double)NAN, 0, 1, 0.1, 1, 1, 0};
  must_refuse(r.round(r.context, &row), RH_EINVAL, "finish_s of a row is not finite");
  must_refuse(r.link(r.context, &(rh_link_row){.bandwidth_Bps = (double)INFINITY}), RH_EINVAL, "bandwidth_Bps");
  const rh_series_row series = {"up", 2, (const int64_t[]){1, 1}, (const double[]){0.5, (double)NAN}};
  must_refuse(r.series(r.context, &series), RH_EINVAL, "load of a row is not finite");
  const rh_network_row network = {"star", 0, 1, 0, &(rh_node_row){"host", "n0", 0, (double)INFINITY, 1}, NULL};
  must_refuse(r.network(r.context, &network), RH_EINVAL, "the picture of the network: node 0 has no place");
  row.finish_s = 1; /* the store goes on, and holds none of them */
  must(r.round(r.context, &row));
  must(rh_store_close(store));
  expect(fixture_path(state, "a.db"),
         "SELECT count(*) FROM (SELECT run_id FROM rounds UNION ALL SELECT run_id FROM links"
         " UNION ALL SELECT run_id FROM link_series UNION ALL SELECT run_id FROM networks)",
         "1");
}

/* Rows wait, and so does what SQLite says of them; one that is too long to wait is written with those before it. */
static void a_row_that_does_not_fit_is_told_later(void **state)
{
  static char text[300001];
  const char *path = fixture_path(state, "a.db");
  rh_store *store;
  rh_run_header header = fixture_header("1");
  must(rh_store_open(path, RH_STORE_NEW, &store));
  must(rh_store_begin_run(store, &header));
  rh_recorder r = rh_store_recorder(store);
  const rh_round_row row = {1, 1, 1, 1, 0.1, 1, 1, 0};
  memset(text, 'x', sizeof text - 1);
  must(r.round(r.context, &row));
  must(r.warning(r.context, text)); /* writes both */
  must(r.round(r.context, &row));   /* a second row of round 1 */
  must_refuse(r.warning(r.context, text), RH_EINVAL, "a row does not fit");
  must(rh_store_end_run(store, &(rh_run_end){.status = "failed", .reason = "a row did not fit"}));
  must(rh_store_close(store));
  expect(path, "SELECT status || count(*) || ' ' || max(length(warning)) FROM runs, rounds, warnings",
         "failed1 300000");
}

static void foreign_keys_hold(void **state)
{
  const char *path = fixture_path(state, "a.db");
  fixture_make(path, "1", "done");
  rh_store *store;
  must(rh_store_open(path, RH_STORE_WRITE, &store));
  rh_run_header header = fixture_header("1");
  must(rh_store_begin_run(store, &header)); /* replaces the run: its rows go with it */
  must(rh_store_close(store));
  expect(path, "SELECT count(*) FROM runs", "1");
  expect(path,
         "SELECT (SELECT count(*) FROM rounds) + (SELECT count(*) FROM evaluations) + (SELECT count(*) FROM links) +"
         " (SELECT count(*) FROM ranks) + (SELECT count(*) FROM collectives) +"
         " (SELECT count(*) FROM phases) + (SELECT count(*) FROM factor_ranks) + (SELECT count(*) FROM warnings)",
         "0");
  expect(path, "SELECT count(*) FROM pragma_foreign_key_check", "0");
}

static void views_say_what_happened(void **state)
{
  const char *path = fixture_path(state, "a.db");
  fixture_make(path, "1", "done");
  /* accuracy 0.875 >= 0.8 in round 2 at 1 s, after 2500 bytes; collective 0.5 s against 0.4 s */
  expect(path,
         "SELECT accuracy || '|' || rounds_to_target || '|' || time_to_target_s || '|' || bytes_to_target || '|' ||"
         " wire_bytes || '|' || closed_form_ratio || '|' || busiest_link || '|' || busiest_load || '|' ||"
         " zones || '|' || within_bytes || '|' || between_bytes FROM run_summary",
         "0.875|2|1.0|2500|2500|1.25|down|0.25|2|700|1800");
  expect(path,
         "SELECT group_concat(accuracy || ' ' || round || ' ' || simulated_s || ' ' || wire_bytes || ' ' ||"
         " target_accuracy || ' ' || target_reached, '; ') FROM time_to_accuracy",
         "0.5 1 0.5 1000 0.8 0; 0.875 2 1.0 2500 0.8 1");
  expect(path,
         "SELECT group_concat(phase || ' ' || first_round || ' ' || rounds || ' ' || share || ' ' ||"
         " mean_compression_ratio || ' ' || messages || ' ' || wire_bytes || ' ' || within_bytes || ' ' ||"
         " between_bytes, '; ') FROM (SELECT * FROM phase_summary ORDER BY first_round)",
         "FULL 1 1 0.5 1.0 4 1000 700 300; AB 2 1 0.5 0.5 4 1500 0 1500");
  expect(path, "SELECT group_concat(link || ' ' || share || ' ' || load, '; ') FROM traffic ORDER BY link",
         "down 0.2 0.25; up 0.8 0.125");
  expect(path,
         "SELECT messages || '|' || wire_bytes || '|' || within_bytes || '|' || between_bytes || '|' || "
         "bytes_per_worker || '|' || bytes_per_round || '|' ||"
         " link_bytes || '|' || busiest_load FROM traffic_total",
         "8|2500|700|1800|1250.0|1250.0|2500|0.25");
}

/* An accuracy that falls and rises again counts from when it was reached first. */
static void time_to_accuracy_is_the_first_time(void **state)
{
  const char *path = fixture_path(state, "a.db");
  rh_store *store;
  rh_run_header header = fixture_header("1");
  must(rh_store_open(path, RH_STORE_NEW, &store));
  must(rh_store_begin_run(store, &header));
  rh_recorder r = rh_store_recorder(store);
  static const double accuracies[] = {0.5, 0.85, 0.7, 0.85, 0.9};
  for (int i = 0; i < 5; i++) {
    rh_evaluation_row row = {.round = i + 1, .simulated_s = i + 1, .test_accuracy = accuracies[i]};
    must(r.evaluation(r.context, &row));
  }
  must(rh_store_close(store));
  expect(path, "SELECT group_concat(accuracy || ' ' || round, '; ') FROM time_to_accuracy", "0.5 1; 0.85 2; 0.9 5");
  expect(path, "SELECT time_to_target_s || '|' || accuracy || '|' || rounds FROM run_summary", "2.0|0.9|0");
}

static void failed_run_keeps_its_rows(void **state)
{
  const char *path = fixture_path(state, "a.db");
  fixture_make(path, "1", "interrupted");
  rh_store *store;
  rh_run_header one = fixture_header("1"), two = fixture_header("2");
  two.profile_json = NULL; /* bad input found before anything was measured */
  must(rh_store_open(path, RH_STORE_WRITE, &store));
  must(rh_store_fail_run(store, &one, "killed by signal 9"));
  must(rh_store_fail_run(store, &two, "labels out of range"));
  must(rh_store_close(store));
  expect(path, "SELECT group_concat(id || ' ' || status || ' ' || reason, '; ') FROM runs",
         "1 failed killed by signal 9; 2 failed labels out of range");
  expect(path, "SELECT count(*) FROM rounds WHERE run_id = '1'", "2");
  expect(path, "SELECT profile_hash FROM runs WHERE id = '2'", "NULL");
  fixture_make(path, "3", "done");
  rh_run_header three = fixture_header("3");
  must(rh_store_open(path, RH_STORE_WRITE, &store));
  must(rh_store_fail_run(store, &three, "too late"));
  must(rh_store_close(store));
  expect(path, "SELECT status FROM runs WHERE id = '3'", "done");
}

static void durations_come_back_bit_for_bit(void **state)
{
  rh_store *store;
  rh_text json = {0};
  must(rh_store_open(fixture_path(state, "a.db"), RH_STORE_NEW, &store));
  must(rh_store_profile(store, "s", &json));
  assert_string_equal(rh_text_get(&json), "");
  must(rh_store_save_profile(store, "s", "why?", "{\"durations\":[]}")); /* a device may come later */
  /* 0.1 + 0.2 and the neighbours of 1/3 need 17 digits; SQLite prints 15 */
  must(rh_store_save_profile(store, "s", "why?",
                             "{\"device\":\"A\",\"durations\":[{\"name\":\"b\",\"samples\":20,\"median_s\":"
                             "0.30000000000000004,\"low_s\":0.33333333333333331,\"high_s\":0.33333333333333337}]}"));
  must(rh_store_save_profile(store, "s", "",
                             "{\"device\":\"B\",\"durations\":[{\"name\":\"a\\\"\",\"samples\":200,"
                             "\"median_s\":1e-300,\"low_s\":null,\"high_s\":5e-324}]}"));
  must(rh_store_profile(store, "s", &json));
  double b, low, high, a, tiny;
  char head[32];
  int n = sscanf(rh_text_get(&json),
                 "{\"device\": \"A; B\", \"durations\": [{\"name\": \"a\\\"\", \"samples\": 200, \"median_s\": %lf,"
                 " \"low_s\": null, \"high_s\": %lf}, {\"name\": \"b\", \"samples\": 20, \"median_s\": %lf, \"low_s\": "
                 "%lf, \"high_s\": %lf%31s",
                 &a, &tiny, &b, &low, &high, head);
  if (n != 6) fail_msg("%d of 6 in: %s", n, rh_text_get(&json));
  assert_true(a == 1e-300 && tiny == 5e-324 && b == 0.1 + 0.2);
  assert_true(low == 0.33333333333333331 && high == 0.33333333333333337);
  assert_string_equal(head, "}]}");
  rh_text_clear(&json);
  must(rh_store_close(store));
}

static void damaged_durations_are_refused(void **state)
{
  static const char *const bad[] = {"",
                                    "{",
                                    "[]",
                                    "{\"device\":\"A\"}",
                                    "{\"durations\":[{\"name\":\"a\"}]}",
                                    "{\"durations\":[{\"name\":\"a\",\"samples\":1,\"median_s\":null,\"low_s\":0,"
                                    "\"high_s\":0}]}",
                                    "{\"durations\":[{\"name\":\"a\",\"samples\":1,\"median_s\":\"1 s\",\"low_s\":0,"
                                    "\"high_s\":0}]}"};
  const char *path = fixture_path(state, "a.db");
  rh_store *store;
  must(rh_store_open(path, RH_STORE_NEW, &store));
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    must_refuse(rh_store_save_profile(store, "s", "", bad[i]), RH_EFORMAT, "the durations of study 's'");
  must(rh_store_close(store));
  expect(path, "SELECT (SELECT count(*) FROM studies) + (SELECT count(*) FROM profiles)", "0");
}

static void readers_see_committed_rows_while_one_writes(void **state)
{
  const char *path = fixture_path(state, "a.db");
  rh_store *store, *reader;
  rh_run_header header = fixture_header("1");
  must(rh_store_open(path, RH_STORE_NEW, &store));
  must(rh_store_begin_run(store, &header));
  rh_recorder r = rh_store_recorder(store);
  rh_round_row row = {1, 1, 1, 1, 0.1, 1, 1, 0};
  must(r.round(r.context, &row));
  must(rh_store_open(path, RH_STORE_READ, &reader));
  char status[16];
  must(rh_store_run_status(reader, "1", status, sizeof status));
  assert_string_equal(status, "running");
  usleep(1100 * 1000);
  must(r.flush(r.context)); /* a second has passed */
  expect(path, "SELECT count(*) FROM rounds", "1");
  row.round = 2;
  must(r.round(r.context, &row)); /* the writer is not held up by the open reader */
  must(rh_store_close(reader));
  must(rh_store_close(store));
  expect(path, "SELECT count(*) FROM rounds", "2");
}

static void hostile_names_are_only_names(void **state)
{
  const char *path = fixture_path(state, "a.db");
  char *huge = malloc(10241);
  assert_non_null(huge);
  memset(huge, 'x', 10240);
  huge[10240] = '\0';
  const char *names[] = {"'; DROP TABLE runs; --",
                         "\"quoted\"",
                         "line\nbreak",
                         "\x1b[2J\x1b]0;title\x07",
                         "%s%n",
                         "\xff\xfe",
                         "NULL",
                         "",
                         huge};
  rh_store *store;
  must(rh_store_open(path, RH_STORE_NEW, &store));
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    char id[17];
    snprintf(id, sizeof id, "%016zx", i);
    rh_run_header header = fixture_header(id);
    header.study = header.platform = header.method = header.compressor = names[i];
    must(rh_store_begin_run(store, &header));
    rh_recorder r = rh_store_recorder(store);
    rh_link_row link = {.name = names[i], .bandwidth_Bps = 1, .bytes = 1, .busy_s = 1, .load = 1};
    must(r.link(r.context, &link));
    rh_run_end end = fixture_end("failed");
    end.reason = names[i];
    must(rh_store_end_run(store, &end));
    rh_run_list list = {0};
    rh_text text = {0};
    must(rh_store_list(store, names[i], NULL, &list));
    assert_int_equal(list.count, 1);
    assert_string_equal(list.list[0].platform, names[i]);
    assert_string_equal(list.list[0].busiest_link, names[i]);
    rh_table_write(&list, &text);
    rh_list_write(&list, &text);
    must(rh_show_write(store, id, false, &text));
    for (const char *c = rh_text_get(&text); *c; c++)
      assert_true(*c == '\n' || (*c & 0x7f) >= 0x20);
    rh_text_clear(&text);
    rh_run_list_clear(&list);
  }
  must(rh_store_close(store));
  free(huge);
}

static void run_is_found_by_its_beginning(void **state)
{
  rh_store *store;
  char *id;
  static const char *const ids[] = {"ab12000000000000", "ab34000000000000", "cd00000000000000"};
  must(rh_store_open(fixture_path(state, "a.db"), RH_STORE_NEW, &store));
  for (int i = 0; i < 3; i++) {
    rh_run_header header = fixture_header(ids[i]);
    must(rh_store_begin_run(store, &header));
  }
  must(rh_store_find_run(store, "c", &id));
  assert_string_equal(id, ids[2]);
  free(id);
  must_refuse(rh_store_find_run(store, "ab", &id), RH_EINVAL,
              "several runs start with 'ab': ab12000000000000 ab34000000000000");
  must_refuse(rh_store_find_run(store, "e", &id), RH_EINVAL, "no run whose id starts with 'e'");
  must_refuse(rh_store_find_run(store, "%", &id), RH_EINVAL, "no run");
  must(rh_store_close(store));
}

/* Fills the disk from within the run until it is full; what was committed before must be there afterwards. */
static void fill(const char *path, bool limit_pages)
{
  rh_store *store;
  rh_run_header header = fixture_header("1");
  must(rh_store_open(path, RH_STORE_NEW, &store));
  must(rh_store_begin_run(store, &header));
  rh_recorder r = rh_store_recorder(store);
  rh_status status = RH_OK;
  char *long_text = malloc(20001);
  assert_non_null(long_text);
  memset(long_text, 'w', 20000);
  long_text[20000] = '\0';
  rh_round_row row = {1, 1, 1, 1, 0.1, 1, 1, 0};
  must(r.round(r.context, &row));
  usleep(1100 * 1000);
  must(r.flush(r.context));
  if (limit_pages) must(rh_store_execute(store, "PRAGMA max_page_count = 100"));
  for (int i = 0; i < 1000 && status == RH_OK; i++)
    status = r.warning(r.context, long_text);
  if (status == RH_OK)
    status = rh_store_close(store); /* the cache held everything until the commit */
  else
    rh_store_close(store);
  free(long_text);
  assert_string_equal(rh_status_name(status), "RH_EIO");
  if (!strstr(rh_error_message(), "the disk is full")) fail_msg("%s", rh_error_message());
}

static void full_disk_keeps_committed_rows(void **state)
{
  const char *disk = fixture_path(state, "disk"), *path = fixture_path(state, "disk/a.db");
  assert_int_equal(mkdir(disk, 0755), 0);
  if (mount("tmpfs", disk, "tmpfs", 0, "size=1m") != 0) {
    rmdir(disk);
    skip(); /* needs root, and a system that lets it mount */
  }
  fill(path, false);
  expect(path, "SELECT count(*) FROM rounds", "1");
  expect(path, "PRAGMA integrity_check", "ok");
  assert_int_equal(umount(disk), 0);
}

/* The same without the right to mount: SQLite reports a full disk at a limit of its own. */
static void full_database_keeps_committed_rows(void **state)
{
  const char *path = fixture_path(state, "a.db");
  fill(path, true);
  expect(path, "SELECT count(*) FROM rounds", "1");
  expect(path, "SELECT count(*) FROM warnings", "0");
  expect(path, "PRAGMA integrity_check", "ok");
}

static void full_disk_makes_no_database(void **state)
{
  const char *disk = fixture_path(state, "disk"), *path = fixture_path(state, "disk/a.db");
  assert_int_equal(mkdir(disk, 0755), 0);
  if (mount("tmpfs", disk, "tmpfs", 0, "size=16k") != 0) {
    rmdir(disk);
    skip();
  }
  rh_store *store;
  must_refuse(rh_store_open(path, RH_STORE_WRITE, &store), RH_EIO, "the disk is full");
  assert_int_not_equal(access(path, F_OK), 0);
  assert_int_equal(umount(disk), 0);
}

int main(void)
{
#define in_folder(test) cmocka_unit_test_setup_teardown(test, fixture_make_folder, fixture_remove_folder)
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(loads_are_bytes),
      in_folder(every_table_is_written),
      in_folder(nan_is_null_and_back),
      in_folder(nan_where_none_may_be_is_refused),
      in_folder(a_row_that_does_not_fit_is_told_later),
      in_folder(foreign_keys_hold),
      in_folder(views_say_what_happened),
      in_folder(time_to_accuracy_is_the_first_time),
      in_folder(failed_run_keeps_its_rows),
      in_folder(durations_come_back_bit_for_bit),
      in_folder(damaged_durations_are_refused),
      in_folder(readers_see_committed_rows_while_one_writes),
      in_folder(hostile_names_are_only_names),
      in_folder(run_is_found_by_its_beginning),
      in_folder(full_disk_keeps_committed_rows),
      in_folder(full_database_keeps_committed_rows),
      in_folder(full_disk_makes_no_database),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
