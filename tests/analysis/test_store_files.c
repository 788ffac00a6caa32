/* Files of the store: what is refused, what is left untouched, what a new one is like. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"
#include "schema.h"

static const rh_store_mode modes[] = {RH_STORE_READ, RH_STORE_WRITE, RH_STORE_NEW};

/* All modes refuse the file, name it, and leave its bytes and its folder alone. */
static void expect_refused(void **state, const char *path, rh_status code, const char *part)
{
  rh_text before = fixture_read(path);
  int files = fixture_count_files(state);
  for (int i = 0; i < 3; i++) {
    rh_store *store;
    must_refuse(rh_store_open(path, modes[i], &store), code, part);
    assert_non_null(strstr(rh_error_message(), path));
    assert_null(store);
    rh_text after = fixture_read(path);
    assert_int_equal(after.length, before.length);
    assert_memory_equal(rh_text_get(&after), rh_text_get(&before), before.length);
    assert_int_equal(fixture_count_files(state), files);
    rh_text_clear(&after);
  }
  rh_text_clear(&before);
}

static void new_file_has_schema(void **state)
{
  const char *path = fixture_path(state, "a.db");
  rh_store *store;
  must(rh_store_open(path, RH_STORE_WRITE, &store));
  must(rh_store_close(store));
  assert_int_equal(atoi(fixture_sql(path, "PRAGMA application_id")), RH_SCHEMA_APPLICATION);
  assert_int_equal(atoi(fixture_sql(path, "PRAGMA user_version")), RH_SCHEMA_VERSION);
  assert_string_equal(fixture_sql(path, "PRAGMA journal_mode"), "wal");
  assert_string_equal(fixture_sql(path, "SELECT count(*) FROM pragma_table_list WHERE type = 'table' AND NOT strict "
                                        "AND name NOT LIKE 'sqlite_%'"),
                      "0");
  assert_int_equal(fixture_count_files(state), 1);
}

static void other_version_is_refused(void **state)
{
  const char *path = fixture_path(state, "a.db");
  fixture_make(path, "1", "done");
  char other[64], message[128];
  snprintf(other, sizeof other, "PRAGMA user_version = %d", RH_SCHEMA_VERSION + 1);
  snprintf(message, sizeof message, "schema version %d, this program reads and writes version %d",
           RH_SCHEMA_VERSION + 1, RH_SCHEMA_VERSION);
  fixture_sql(path, other);
  expect_refused(state, path, RH_EFORMAT, message);
}

static void other_application_is_refused(void **state)
{
  const char *path = fixture_path(state, "a.db");
  fixture_make(path, "1", "done");
  fixture_sql(path, "PRAGMA application_id = 42");
  expect_refused(state, path, RH_EFORMAT, "another application (application_id 0x0000002a");
}

static void text_file_is_refused(void **state)
{
  const char *path = fixture_path(state, "notes.txt");
  fixture_write(path, "lr: 0.05\n");
  expect_refused(state, path, RH_EFORMAT, "not a database");
}

static void empty_file_is_refused(void **state)
{
  const char *path = fixture_path(state, "empty.db");
  fixture_write(path, "");
  expect_refused(state, path, RH_EFORMAT, "an empty file is no database");
}

static void truncated_database_is_refused(void **state)
{
  const char *path = fixture_path(state, "a.db");
  fixture_make(path, "1", "done");
  assert_int_equal(truncate(path, 3000), 0); /* less than the first page */
  rh_store *store;
  must_refuse(rh_store_open(path, RH_STORE_READ, &store), RH_EFORMAT, "damaged");
  must_refuse(rh_store_open(path, RH_STORE_WRITE, &store), RH_EFORMAT, "damaged");
}

static void directory_is_refused(void **state)
{
  const char *path = fixture_path(state, "folder");
  assert_int_equal(mkdir(path, 0755), 0);
  for (int i = 0; i < 3; i++) {
    rh_store *store;
    must_refuse(rh_store_open(path, modes[i], &store), RH_EFORMAT, "a directory, not a database");
  }
  assert_int_equal(fixture_count_files(state), 1);
}

static void missing_file_is_not_made_by_reading(void **state)
{
  rh_store *store;
  must_refuse(rh_store_open(fixture_path(state, "none.db"), RH_STORE_READ, &store), RH_EIO, "no such database");
  must_refuse(rh_store_open(fixture_path(state, "no/such/folder.db"), RH_STORE_WRITE, &store), RH_EIO,
              "cannot be created");
  must_refuse(rh_store_open("", RH_STORE_WRITE, &store), RH_EIO, "empty");
  assert_int_equal(fixture_count_files(state), 0);
}

static void read_only_file_is_read_but_not_written(void **state)
{
  const char *path = fixture_path(state, "a.db");
  fixture_make(path, "1", "done");
  assert_int_equal(chmod(path, 0444), 0);
  rh_text before = fixture_read(path);
  rh_store *store;
  char status[16];
  must_refuse(rh_store_open(path, RH_STORE_WRITE, &store), RH_EIO, "a.db: is read-only");
  must_refuse(rh_store_open(path, RH_STORE_NEW, &store), RH_EIO, "a.db: is read-only");
  must(rh_store_open(path, RH_STORE_READ, &store));
  must(rh_store_run_status(store, "1", status, sizeof status));
  assert_string_equal(status, "done");
  must(rh_store_close(store));
  rh_text after = fixture_read(path);
  assert_int_equal(after.length, before.length);
  assert_memory_equal(after.data, before.data, before.length);
  assert_int_equal(fixture_count_files(state), 1);
  rh_text_clear(&before);
  rh_text_clear(&after);
}

static void reading_changes_nothing(void **state)
{
  const char *path = fixture_path(state, "a.db");
  fixture_make(path, "1", "done");
  rh_text before = fixture_read(path);
  rh_store *store;
  rh_text json = {0};
  must(rh_store_open(path, RH_STORE_READ, &store));
  must(rh_show_write(store, "1", true, &json));
  must(rh_store_close(store));
  rh_text after = fixture_read(path);
  assert_int_equal(after.length, before.length);
  assert_memory_equal(after.data, before.data, before.length);
  assert_int_equal(fixture_count_files(state), 1);
  rh_text_clear(&before);
  rh_text_clear(&after);
  rh_text_clear(&json);
}

static void new_replaces_our_own(void **state)
{
  const char *path = fixture_path(state, "a.db");
  fixture_make(path, "1", "done");
  rh_store *store;
  must(rh_store_open(path, RH_STORE_NEW, &store));
  must(rh_store_close(store));
  assert_string_equal(fixture_sql(path, "SELECT count(*) FROM runs"), "0");
  assert_int_equal(fixture_count_files(state), 1);
}

static void a_file_that_is_gone_takes_no_rows(void **state)
{
  const char *path = fixture_path(state, "a.db");
  fixture_make(path, "1", "done");
  const char *other = fixture_path(state, "b.db");
  fixture_make(other, "2", "done");
  rh_store *store;
  must(rh_store_open(path, RH_STORE_WRITE, &store));
  assert_int_equal(unlink(path), 0);
  must_refuse(rh_store_merge(store, other, NULL, NULL), RH_EIO, "was removed or replaced while it was in use");
  must_refuse(rh_store_save_profile(store, "study", "", "{\"durations\": []}"), RH_EIO, "was removed or replaced");
  must(rh_store_close(store));
  assert_string_equal(fixture_sql(other, "SELECT count(*) FROM runs"), "1");
}

static void no_file_is_made_beside_a_stray_journal(void **state)
{
  const char *const suffixes[] = {"-wal", "-journal"};
  for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
    char name[32];
    rh_store *store;
    snprintf(name, sizeof name, "%zu.db%s", i, suffixes[i]);
    FILE *file = fopen(fixture_path(state, name), "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    int files = fixture_count_files(state);
    snprintf(name, sizeof name, "%zu.db", i);
    must_refuse(rh_store_open(fixture_path(state, name), RH_STORE_WRITE, &store), RH_EIO,
                "is left of another database");
    assert_int_equal(fixture_count_files(state), files);
  }
}

static void strange_file_names_are_names(void **state)
{
  static const char *const names[] = {"a b?mode=memory#.db", "100%41.db", "file:x.db", "quote'\".db", "\xc3\xa4\n.db"};
  char old[4096];
  assert_non_null(getcwd(old, sizeof old));
  assert_int_equal(chdir(*state), 0);
  fixture_make(":memory:", "1", "done"); /* relative, and no database in memory */
  assert_int_equal(access(":memory:", F_OK), 0);
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    fixture_make(names[i], "2", "done");
    assert_int_equal(access(fixture_path(state, names[i]), F_OK), 0);
    rh_store *store;
    must(rh_store_open(":memory:", RH_STORE_WRITE, &store));
    must(rh_store_merge(store, names[i], NULL, NULL));
    must(rh_store_close(store));
  }
  assert_string_equal(fixture_sql("./:memory:", "SELECT count(*) FROM runs"), "2");
  assert_int_equal(chdir(old), 0);
}

int main(void)
{
#define in_folder(test) cmocka_unit_test_setup_teardown(test, fixture_make_folder, fixture_remove_folder)
  const struct CMUnitTest tests[] = {
      in_folder(new_file_has_schema),
      in_folder(other_version_is_refused),
      in_folder(other_application_is_refused),
      in_folder(text_file_is_refused),
      in_folder(empty_file_is_refused),
      in_folder(truncated_database_is_refused),
      in_folder(directory_is_refused),
      in_folder(missing_file_is_not_made_by_reading),
      in_folder(read_only_file_is_read_but_not_written),
      in_folder(reading_changes_nothing),
      in_folder(new_replaces_our_own),
      in_folder(strange_file_names_are_names),
      in_folder(a_file_that_is_gone_takes_no_rows),
      in_folder(no_file_is_made_beside_a_stray_journal),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
