#include "fixture.h"

#include <dirent.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int fixture_make_folder(void **state)
{
  char name[] = "/tmp/rehearse-test-XXXXXX";
  if (!mkdtemp(name)) return -1;
  *state = rh_text_duplicate(name);
  return 0;
}

int fixture_remove_folder(void **state)
{
  DIR *folder = opendir(*state);
  for (struct dirent *entry; folder && (entry = readdir(folder));) {
    const char *path = fixture_path(state, entry->d_name);
    if (unlink(path) != 0 && entry->d_name[0] != '.') rmdir(path);
  }
  if (folder) closedir(folder);
  rmdir(*state);
  free(*state);
  return 0;
}

enum { KEPT = 8 };

const char *fixture_path(void **state, const char *name)
{
  static char paths[KEPT][11000];
  static int next;
  char *path = paths[next++ % KEPT];
  snprintf(path, sizeof paths[0], "%s/%s", (const char *)*state, name);
  return path;
}

int fixture_count_files(void **state)
{
  int count = 0;
  DIR *folder = opendir(*state);
  assert_non_null(folder);
  for (struct dirent *entry; (entry = readdir(folder));)
    count += entry->d_name[0] != '.';
  closedir(folder);
  return count;
}

void fixture_write(const char *path, const char *content)
{
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(content, 1, strlen(content), file), strlen(content));
  assert_int_equal(fclose(file), 0);
}

rh_text fixture_read(const char *path)
{
  rh_text text = {0};
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  char buffer[65536];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, file)) > 0;)
    rh_text_append_bytes(&text, buffer, n);
  fclose(file);
  return text;
}

const char *fixture_sql(const char *path, const char *sql)
{
  static char results[KEPT][16384];
  static int next;
  char *result = results[next++ % KEPT];
  sqlite3 *db;
  sqlite3_stmt *statement;
  assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
  if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK) fail_msg("%s: %s", sql, sqlite3_errmsg(db));
  int code = sqlite3_step(statement);
  if (code != SQLITE_ROW && code != SQLITE_DONE) fail_msg("%s: %s", sql, sqlite3_errmsg(db));
  const char *text = code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : "no row";
  snprintf(result, sizeof results[0], "%s", text ? text : "NULL");
  sqlite3_finalize(statement);
  sqlite3_close(db);
  return result;
}

rh_run_header fixture_header(const char *id)
{
  return (rh_run_header){
      .id = id,
      .study = "edge-vs-hpc",
      .question = "Does 8 bits pay?",
      .configuration = "platform.file=ring.xml\nplatform.workers=2\ntrain.method=allreduce\nrun.seed=7\n",
      .platform = "ring",
      .platform_file = "platforms/ring.xml",
      .platform_hash = 0xfedcba9876543210u,
      .network_model = "CM02",
      .protocol = "rendezvous",
      .precision_s = 1e-12,
      .workers = 2,
      .zones = 2,
      .method = "allreduce",
      .compressor = "none",
      .model = "cnn",
      .dataset = "glyphs",
      .partition = "iid",
      .graph = "",
      .lambda2 = (double)NAN,
      .parameters = 20522,
      .step_flop = 1.5e8,
      .step_int8_op = 2.5e8,
      .weight_bytes = 20586,
      .activation_bytes = 70000,
      .batch = 32,
      .seed = 7,
      .rounds_planned = 400,
      .backend = "cpu",
      .kernel = "OpenBLAS 0.3.21 SkylakeX",
      .threads = 2,
      .time_source = "measured",
      .profile_json = "{\"device\": \"test device\", \"durations\": ["
                      "{\"name\": \"forward\", \"samples\": 200, \"median_s\": 0.0012345678901234567, \"low_s\": 0.001,"
                      " \"high_s\": null}]}",
      .profile_hash = 0xabc,
      .target_accuracy = 0.8,
      .versions = "rehearse 0.1.0, SimGrid 3.32",
      .command = "rehearse run study.yaml --index 1",
  };
}

void fixture_record(rh_recorder r)
{
  rh_round_row rounds[] = {{1, 0.5, 0.25, 2.25, 0.05, 4, 700, 300}, {2, 1.0, 0.75, (double)NAN, 0.05, 4, 0, 1500}};
  rh_evaluation_row evaluations[] = {{1, 0.5, 2.0, 2.125, 0.5, 1, 0.5, 0.5, 0.5, 0.0},
                                     {2, 1.0, 1.0, 1.125, 0.875, 2, 0.75, 0.8, 0.9, 0.0625}};
  rh_collective_row collective = {2, "allreduce-ring", 2, 82088, 4, 82088, 0.5, 1.0, 0.4};
  const uint8_t loads[] = {213, 0, 255};
  rh_link_row links[] = {{"up", 1e9, 1e-6, 0.5, 0.0625, 2000, 0.25, 0.125, 0.5, "rank 0", "rank 1", NULL, 0},
                         {"down", 1e9, 1e-6, 0, 0, 500, 0.5, 0.25, 1.0, NULL, "zone a", loads, 3}};
  const int64_t bytes[] = {125000000, 0, 250000000};
  rh_rank_row ranks[] = {{0, "n0", 1e9, 0.5, 0.25, 0.125, 0.375, 0.125, 0.0625, 1250, 1250, 4, 3000},
                         {1, "n1", 2e9, 0.25, 0.25, 0.0, 0.5, 0.0, 0.03125, 1250, 1250, 4, 3000}};
  must(r.class_count(r.context, &(rh_class_count_row){1, 9, 3000}));
  must(r.round(r.context, &rounds[0]));
  must(r.phase(r.context, &(rh_phase_row){1, "FULL", 1.0}));
  must(r.evaluation(r.context, &evaluations[0]));
  must(r.round(r.context, &rounds[1]));
  must(r.phase(r.context, &(rh_phase_row){2, "AB", 0.5}));
  must(r.factor_rank(r.context, &(rh_factor_rank_row){2, "conv2.weight", 24}));
  must(r.factor_rank(r.context, &(rh_factor_rank_row){2, "dense1.weight", 7}));
  must(r.collective(r.context, &collective));
  must(r.evaluation(r.context, &evaluations[1]));
  for (int i = 0; i < 2; i++) {
    must(r.link(r.context, &links[i]));
    must(r.rank(r.context, &ranks[i]));
  }
  must(r.series(r.context, &(rh_series_row){"down", 3, bytes, (const double[]){0.5, 0, 1}}));
  must(r.event(r.context, &(rh_event_row){1, 0, true, "gradient", -1, 0, 0.0, 0.25}));
  must(r.event(r.context, &(rh_event_row){1, 1, false, "allreduce-ring", 0, 500, 0.25, 0.5}));
  const rh_node_row nodes[] = {{"host", "n0", 0, 0.25, 1}, {"switch", "", -1, 0.5, 0}};
  must(r.network(r.context, &(rh_network_row){.layout = "star",
                                              .lines_left_out = 3,
                                              .node_count = 2,
                                              .line_count = 1,
                                              .nodes = nodes,
                                              .lines = &(rh_line_row){"up", 0, 1}}));
  must(r.pair(r.context, &(rh_pair_row){0, 1, 1, 1250}));
  must(r.warning(r.context, "the graph is sparse"));
  must(r.flush(r.context));
}

rh_run_end fixture_end(const char *status)
{
  return (rh_run_end){.status = status,
                      .reason = "all rounds done",
                      .simulated_s = 1.0,
                      .wall_s = 12.5,
                      .rounds = 2,
                      .peak_memory_bytes = 123456789,
                      .parameters_hash = 0x8000000000000001u,
                      .bin_s = 0.25,
                      .simulated_messages = 123,
                      .skipped_messages = 4567,
                      .skipped_rounds = 1,
                      .skipped_s = 0.5,
                      .simulated_in_full = "2 collectives did not settle"};
}

void fixture_make(const char *path, const char *id, const char *status)
{
  rh_store *store;
  rh_run_header header = fixture_header(id);
  rh_run_end end = fixture_end(status);
  must(rh_store_open(path, RH_STORE_NEW, &store));
  must(rh_store_begin_run(store, &header));
  fixture_record(rh_store_recorder(store));
  must(rh_store_end_run(store, &end));
  must(rh_store_close(store));
}
