/* Merging: idempotent, takes in the runs of killed processes, never replaces what is done. */
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

static void expect(const char *path, const char *sql, const char *value)
{
  const char *found = fixture_sql(path, sql);
  if (strcmp(found, value) != 0) fail_msg("%s\n gives '%s', not '%s'", sql, found, value);
}

static void merge(const char *into, const char *from, int merged, int skipped)
{
  rh_store *store;
  int m = -1, s = -1;
  must(rh_store_open(into, RH_STORE_WRITE, &store));
  must(rh_store_merge(store, from, &m, &s));
  must(rh_store_close(store));
  assert_int_equal(m, merged);
  assert_int_equal(s, skipped);
}

static void dump_rows(sqlite3 *db, const char *sql, rh_text *out)
{
  sqlite3_stmt *rows;
  assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &rows, NULL), SQLITE_OK);
  while (sqlite3_step(rows) == SQLITE_ROW) {
    for (int c = 0; c < sqlite3_column_count(rows); c++) {
      const char *text = (const char *)sqlite3_column_text(rows, c);
      rh_text_append(out, "%s|", text ? text : "NULL");
    }
    rh_text_append(out, "\n");
  }
  sqlite3_finalize(rows);
}

/* All rows of all tables. */
static rh_text dump(const char *path)
{
  static const char *const queries[] = {
      "SELECT rowid, * FROM runs",  "SELECT * FROM studies",     "SELECT * FROM profiles",
      "SELECT * FROM durations",    "SELECT * FROM rounds",      "SELECT * FROM links",
      "SELECT * FROM evaluations",  "SELECT * FROM collectives", "SELECT * FROM ranks",
      "SELECT * FROM class_counts", "SELECT * FROM warnings",    "SELECT * FROM phases",
      "SELECT * FROM factor_ranks", "SELECT * FROM link_bins",   "SELECT * FROM events",
      "SELECT * FROM networks",     "SELECT * FROM nodes",       "SELECT * FROM lines",
      "SELECT * FROM pairs"};
  rh_text text = {0};
  sqlite3 *db;
  assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
  for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
    dump_rows(db, queries[i], &text);
  sqlite3_close(db);
  return text;
}

static void merging_twice_gives_the_same(void **state)
{
  const char *a = fixture_path(state, "a.db"), *b = fixture_path(state, "b.db"), *all = fixture_path(state, "all.db");
  fixture_make(a, "1", "done");
  fixture_make(b, "2", "done");
  merge(all, a, 1, 0);
  merge(all, b, 1, 0);
  rh_text once = dump(all), source = dump(a);
  merge(all, a, 0, 1);
  merge(all, b, 0, 1);
  rh_text twice = dump(all);
  assert_string_equal(rh_text_get(&once), rh_text_get(&twice));
  rh_text after = dump(a);
  assert_string_equal(rh_text_get(&source), rh_text_get(&after));
  expect(all, "SELECT count(*) FROM rounds", "4");
  expect(all, "SELECT count(*) FROM pragma_foreign_key_check", "0");
  assert_int_equal(fixture_count_files(state), 3);
  rh_text_clear(&once);
  rh_text_clear(&twice);
  rh_text_clear(&source);
  rh_text_clear(&after);
}

static void merged_rows_are_the_recorded_ones(void **state)
{
  const char *a = fixture_path(state, "a.db"), *all = fixture_path(state, "all.db");
  fixture_make(a, "1", "done");
  merge(all, a, 1, 0);
  rh_text before = dump(a), after = dump(all);
  assert_string_equal(rh_text_get(&before), rh_text_get(&after));
  rh_text_clear(&before);
  rh_text_clear(&after);
}

static void done_stays_and_the_rest_is_replaced(void **state)
{
  const char *a = fixture_path(state, "a.db"), *b = fixture_path(state, "b.db"), *all = fixture_path(state, "all.db");
  fixture_make(a, "1", "interrupted");
  fixture_make(b, "1", "done");
  merge(all, a, 1, 0);
  expect(all, "SELECT status FROM runs", "interrupted");
  merge(all, b, 1, 0);
  expect(all, "SELECT status || ' ' || (SELECT count(*) FROM rounds) FROM runs", "done 2");
  merge(all, a, 0, 1);
  expect(all, "SELECT status FROM runs", "done");
}

/* A process that is killed in the middle of a run, with a transaction open. */
static void run_and_die(const char *path)
{
  pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    rh_store *store;
    rh_run_header header = fixture_header("1");
    rh_round_row row = {1, 1, 1, 1, 0.1, 1, 1000, 0};
    if (rh_store_open(path, RH_STORE_NEW, &store) != RH_OK || rh_store_begin_run(store, &header) != RH_OK) _exit(1);
    rh_recorder r = rh_store_recorder(store);
    if (r.round(r.context, &row) != RH_OK) _exit(1);
    usleep(1100 * 1000);
    if (r.flush(r.context) != RH_OK) _exit(1);
    row.round = 2;
    if (r.round(r.context, &row) != RH_OK) _exit(1);
    raise(SIGKILL);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status));
}

static void killed_run_becomes_interrupted(void **state)
{
  const char *a = fixture_path(state, "a.db"), *all = fixture_path(state, "all.db");
  run_and_die(a);
  merge(all, a, 1, 0);
  expect(all, "SELECT status || ': ' || reason FROM runs",
         "interrupted: its process ended without a word; the rows it had committed are kept");
  expect(all, "SELECT rounds || ' ' || simulated_s || ' ' || wire_bytes FROM run_summary", "1 1.0 1000");
  expect(a, "SELECT status FROM runs", "running"); /* the other file is read, not written */
  merge(all, a, 1, 0);
  expect(all, "SELECT count(*) FROM rounds", "1");
}

static void writer_of_the_source_is_not_disturbed(void **state)
{
  const char *a = fixture_path(state, "a.db"), *all = fixture_path(state, "all.db");
  rh_store *store;
  rh_run_header header = fixture_header("1");
  must(rh_store_open(a, RH_STORE_NEW, &store));
  must(rh_store_begin_run(store, &header));
  rh_recorder r = rh_store_recorder(store);
  fixture_record(r); /* an open transaction */
  merge(all, a, 1, 0);
  rh_run_end end = fixture_end("done");
  must(rh_store_end_run(store, &end));
  must(rh_store_close(store));
  merge(all, a, 1, 0);
  expect(all, "SELECT status || ' ' || (SELECT count(*) FROM rounds) FROM runs", "done 2");
}

static void durations_of_a_study_stay_and_grow(void **state)
{
  const char *a = fixture_path(state, "a.db"), *b = fixture_path(state, "b.db");
  rh_store *store;
  must(rh_store_open(a, RH_STORE_NEW, &store));
  must(rh_store_save_profile(store, "s", "why?",
                             "{\"device\":\"A\",\"durations\":[{\"name\":\"x\",\"samples\":20,"
                             "\"median_s\":1.0,\"low_s\":1.0,\"high_s\":1.0}]}"));
  must(rh_store_close(store));
  must(rh_store_open(b, RH_STORE_NEW, &store));
  must(rh_store_save_profile(store, "s", "how?",
                             "{\"device\":\"B\",\"durations\":[{\"name\":\"x\",\"samples\":20,"
                             "\"median_s\":2.0,\"low_s\":2.0,\"high_s\":2.0},{\"name\":\"y\","
                             "\"samples\":20,\"median_s\":3.0,\"low_s\":3.0,\"high_s\":3.0}]}"));
  must(rh_store_close(store));
  merge(a, b, 0, 0);
  merge(a, b, 0, 0);
  expect(a, "SELECT group_concat(name || ' ' || median_s, '; ') FROM durations", "x 1.0; y 3.0");
  expect(a, "SELECT question || ' ' || device FROM profiles JOIN studies USING (study)", "why? A; B");
}

static void wrong_files_change_nothing(void **state)
{
  const char *a = fixture_path(state, "a.db"), *other = fixture_path(state, "other.db"),
             *text = fixture_path(state, "text.db"), *broken = fixture_path(state, "broken.db");
  fixture_make(a, "1", "done");
  fixture_make(other, "2", "done");
  fixture_sql(other, "PRAGMA user_version = 99");
  fixture_write(text, "hello");
  fixture_make(broken, "3", "done");
  fixture_sql(broken, "DROP TABLE links");
  rh_text before = dump(a);
  rh_store *store;
  must(rh_store_open(a, RH_STORE_WRITE, &store));
  must_refuse(rh_store_merge(store, other, NULL, NULL), RH_EFORMAT, "other.db: has schema version 99");
  must_refuse(rh_store_merge(store, text, NULL, NULL), RH_EFORMAT, "text.db: not a database");
  must_refuse(rh_store_merge(store, broken, NULL, NULL), RH_EFORMAT, "broken.db: the database is damaged");
  must_refuse(rh_store_merge(store, a, NULL, NULL), RH_EINVAL, "into itself");
  must_refuse(rh_store_merge(store, fixture_path(state, "none.db"), NULL, NULL), RH_EIO, "no such database");
  must(rh_store_close(store));
  rh_text after = dump(a);
  assert_string_equal(rh_text_get(&before), rh_text_get(&after));
  assert_int_equal(fixture_count_files(state), 4);
  rh_text_clear(&before);
  rh_text_clear(&after);
}

int main(void)
{
#define in_folder(test) cmocka_unit_test_setup_teardown(test, fixture_make_folder, fixture_remove_folder)
  const struct CMUnitTest tests[] = {
      in_folder(merging_twice_gives_the_same),
      in_folder(merged_rows_are_the_recorded_ones),
      in_folder(done_stays_and_the_rest_is_replaced),
      in_folder(killed_run_becomes_interrupted),
      in_folder(writer_of_the_source_is_not_disturbed),
      in_folder(durations_of_a_study_stay_and_grow),
      in_folder(wrong_files_change_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
