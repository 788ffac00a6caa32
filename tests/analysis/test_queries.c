/* The ready queries of analysis/queries run and say what the rows say; views keep their columns; the README knows
 * both. */
#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

#define FOLDER RH_SOURCE_DIR "/analysis/queries/"

/* The first row of each query on the fixture's run, by hand. */
static const struct {
  const char *name, *row;
} queries[] = {
    {"accuracy-steps", "1|0.1|0.5|1|0.001"},
    {"busiest-link-over-time", "1|down|0|0.25|0.5"},
    {"busiest-links", "1|1|down|0.25|1|0.2||zone a"},
    {"class-skew", "1|1|1|1|1|3000|3000"},
    {"closed-forms", "1|allreduce-ring|2|1|0.5|0.4|1.25"},
    {"factor-ranks", "1|conv2.weight|2|24"},
    {"fastest", "edge-vs-hpc|ring|2|allreduce|none|1|1|1|1|0.0025"},
    {"loss-over-time", "1|1|0.5|2.25|0.5"},
    {"over-seeds", "edge-vs-hpc|ring|2|allreduce|none|1|0.875|0.875|0.875|1|1"},
    {"stragglers", "1|0|n0|0.5|0.375|1.33333"},
    {"where-time-goes", "1|0.375|0.1875|0.0625|0.4375|0.0625|0.046875"},
    {"who-sends-to-whom", "1|0|1|1|0.00125|1"},
};
enum { QUERIES = sizeof queries / sizeof queries[0] };

static void append_row(sqlite3_stmt *row, rh_text *out)
{
  for (int c = 0; c < sqlite3_column_count(row); c++) {
    if (c) rh_text_append(out, "|");
    if (sqlite3_column_type(row, c) == SQLITE_FLOAT)
      rh_text_append(out, "%.6g", sqlite3_column_double(row, c));
    else if (sqlite3_column_type(row, c) != SQLITE_NULL)
      rh_text_append(out, "%s", (const char *)sqlite3_column_text(row, c));
  }
}

static void every_query_answers(void **state)
{
  const char *path = fixture_path(state, "a.db");
  fixture_make(path, "1", "done");
  sqlite3 *db;
  assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
  for (int i = 0; i < QUERIES; i++) {
    char file[512];
    const char *rest;
    sqlite3_stmt *rows;
    rh_text found = {0};
    snprintf(file, sizeof file, FOLDER "%s.sql", queries[i].name);
    rh_text sql = fixture_read(file);
    assert_true(strncmp(rh_text_get(&sql), "-- ", 3) == 0 && strchr(rh_text_get(&sql), '?')); /* the question */
    if (sqlite3_prepare_v2(db, rh_text_get(&sql), -1, &rows, &rest) != SQLITE_OK)
      fail_msg("%s: %s", queries[i].name, sqlite3_errmsg(db));
    assert_string_equal(rest, "\n"); /* one statement */
    if (sqlite3_step(rows) == SQLITE_ROW) append_row(rows, &found);
    if (strcmp(rh_text_get(&found), queries[i].row) != 0)
      fail_msg("%s: '%s', not '%s'", queries[i].name, rh_text_get(&found), queries[i].row);
    sqlite3_finalize(rows);
    rh_text_clear(&sql);
    rh_text_clear(&found);
  }
  sqlite3_close(db);
}

static void the_readme_knows_every_query(void **state)
{
  (void)state;
  rh_text readme = fixture_read(RH_SOURCE_DIR "/analysis/README.md");
  DIR *folder = opendir(FOLDER);
  assert_non_null(folder);
  int count = 0;
  for (struct dirent *entry; (entry = readdir(folder));) {
    if (!strstr(entry->d_name, ".sql")) continue;
    count++;
    if (!strstr(rh_text_get(&readme), entry->d_name)) fail_msg("analysis/README.md does not name %s", entry->d_name);
  }
  closedir(folder);
  assert_int_equal(count, QUERIES);
  rh_text_clear(&readme);
}

/* Is a name in the first cell of a row, alone or with others? */
static bool has_row(const char *text, const char *name)
{
  char quoted[80];
  snprintf(quoted, sizeof quoted, "`%s`", name);
  for (const char *line = text; (line = strstr(line, "\n| `")); line++) {
    const char *end = strstr(line + 3, " | "), *found = strstr(line, quoted);
    if (found && end && found < end) return true;
  }
  return false;
}

static void the_readme_knows_every_table_and_view(void **state)
{
  const char *path = fixture_path(state, "a.db");
  fixture_make(path, "1", "done");
  rh_text readme = fixture_read(RH_SOURCE_DIR "/analysis/README.md");
  char *names =
      rh_text_duplicate(fixture_sql(path, "SELECT group_concat(name) FROM sqlite_schema WHERE sql LIKE 'CREATE %'"
                                          " AND type IN ('table', 'view')"));
  int count = 0;
  for (char *name, *rest = names; (name = strsep(&rest, ",")); count++) {
    if (!has_row(rh_text_get(&readme), name)) fail_msg("analysis/README.md has no row of %s", name);
  }
  assert_true(count > 20);
  free(names);
  rh_text_clear(&readme);
}

/* Views may gain columns at their end, and lose or rename none: queries of others stand on these. */
static void views_keep_their_columns(void **state)
{
  static const struct {
    const char *view, *columns;
  } views[] = {
      {"run_summary",
       "sequence,id,study,platform,network_model,protocol,workers,method,compressor,model,dataset,partition,graph,seed,"
       "parameters,configuration,status,reason,start_utc,end_utc,accuracy,target_accuracy,rounds_to_target,"
       "time_to_target_s,bytes_to_target,rounds,simulated_s,wire_bytes,zones,within_bytes,between_bytes,"
       "closed_form_ratio,busiest_link,busiest_load,wall_s,peak_memory_bytes,parameters_hash"},
      {"time_to_accuracy", "run_id,study,accuracy,round,simulated_s,wire_bytes,target_accuracy,target_reached"},
      {"phase_summary", "run_id,study,phase,first_round,rounds,share,mean_compression_ratio,messages,wire_bytes,"
                        "within_bytes,between_bytes"},
      {"traffic", "run_id,study,link,bytes,share,load,busy_s,bandwidth_Bps,latency_s,peak_load,from_where,to_where,"
                  "down_s,stalled_s"},
      {"traffic_over_time", "run_id,study,link,bin,start_s,width_s,bytes,load"},
      {"timing_interval",
       "run_id,study,draws,round,finish_s,least_s,low_s,median_s,high_s,largest_s,mathematics_again"},
      {"traffic_total", "run_id,study,messages,wire_bytes,within_bytes,between_bytes,bytes_per_worker,bytes_per_round,"
                        "link_bytes,busiest_load"},
  };
  const char *path = fixture_path(state, "a.db");
  fixture_make(path, "1", "done");
  for (size_t i = 0; i < sizeof views / sizeof views[0]; i++) {
    char *columns = rh_text_duplicate(views[i].columns), *rest = columns, sql[256];
    for (char *column; (column = strsep(&rest, ","));) {
      snprintf(sql, sizeof sql, "SELECT count(*) FROM pragma_table_info('%s') WHERE name = '%s'", views[i].view,
               column);
      if (strcmp(fixture_sql(path, sql), "1") != 0) fail_msg("%s has no column %s", views[i].view, column);
    }
    free(columns);
  }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, fixture_make_folder, fixture_remove_folder)

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(every_query_answers),
      cmocka_unit_test(the_readme_knows_every_query),
      TEST(the_readme_knows_every_table_and_view),
      TEST(views_keep_their_columns),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
