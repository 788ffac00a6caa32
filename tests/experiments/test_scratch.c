/* The folder of the runs' files: who is at work, and what is taken over. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmocka_all.h"
#include "run_merge.h"

static char folder[64], db[80];

static int make_folder(void **state)
{
  (void)state;
  snprintf(folder, sizeof folder, "/tmp/rehearse-scratch-XXXXXX");
  if (!mkdtemp(folder)) return -1;
  snprintf(db, sizeof db, "%s/x.db", folder);
  return 0;
}

static int remove_folder(void **state)
{
  (void)state;
  static const char *const suffixes[] = {"", "-wal", "-shm"};
  for (size_t i = 0; i < 3; i++) {
    char path[96];
    snprintf(path, sizeof path, "%s%s", db, suffixes[i]);
    unlink(path);
  }
  return rmdir(folder); /* fails if a test left something */
}

static bool exists(const char *path)
{
  return access(path, F_OK) == 0;
}

static void the_folder_goes_with_its_last_user(void **state)
{
  (void)state;
  rh_scratch first, second;
  assert_int_equal(rh_scratch_open(db, &first), RH_OK);
  assert_int_equal(rh_scratch_open(db, &second), RH_OK);
  char *path = rh_text_duplicate(first.path);
  assert_false(rh_scratch_alone(&first));
  rh_scratch_close(&first);
  assert_true(exists(path));
  assert_true(rh_scratch_alone(&second));
  rh_scratch_close(&second);
  assert_false(exists(path));
  free(path);
}

static void a_link_to_nowhere_is_no_folder(void **state)
{
  (void)state;
  rh_scratch scratch;
  char path[96];
  snprintf(path, sizeof path, "%s.runs", db);
  assert_int_equal(symlink("/nonexistent/folder", path), 0);
  assert_int_equal(rh_scratch_open(db, &scratch), RH_EIO);
  assert_non_null(strstr(rh_error_message(), "x.db.runs/: cannot be created"));
  unlink(path);
}

static void a_lock_has_one_holder_who_is_named(void **state)
{
  (void)state;
  rh_scratch scratch;
  int fd, other;
  pid_t holder;
  char **names;
  size_t count;
  assert_int_equal(rh_scratch_open(db, &scratch), RH_OK);
  assert_int_equal(rh_scratch_lock(&scratch, "run", &fd, &holder), RH_OK);
  assert_true(fd >= 0);
  assert_int_equal(rh_scratch_lock(&scratch, "run", &other, &holder), RH_OK);
  assert_int_equal(other, -1);
  assert_int_equal(holder, getpid());
  rh_scratch_set_holder(fd, 7);
  assert_int_equal(rh_scratch_lock(&scratch, "run", &other, &holder), RH_OK);
  assert_int_equal(holder, 7);
  assert_int_equal(rh_scratch_names(&scratch, &names, &count), RH_OK);
  assert_int_equal(count, 1);
  assert_string_equal(names[0], "run");
  free(names[0]);
  free(names);
  rh_scratch_unlock(&scratch, "run", fd);
  assert_int_equal(rh_scratch_lock(&scratch, "run", &fd, &holder), RH_OK);
  assert_true(fd >= 0);
  rh_scratch_unlock(&scratch, "run", fd);
  rh_scratch_close(&scratch);
}

/* A process that ended with status 0 has not done its run if it left no rows. */
static void a_run_without_rows_is_not_done(void **state)
{
  (void)state;
  rh_scratch scratch;
  rh_store *store;
  rh_plan_entry entry = {.run = {.id = "0123456789abcdef"}};
  char status[RH_RUN_STATUS_SIZE] = "done";
  assert_int_equal(rh_scratch_open(db, &scratch), RH_OK);
  assert_int_equal(rh_store_open(db, RH_STORE_WRITE, &store), RH_OK);
  assert_int_equal(rh_merge_run(store, &scratch, &entry, false, status), RH_OK);
  assert_string_equal(status, "");
  char *path = rh_scratch_path(&scratch, entry.run.id, "db");
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  fputs("torn", file);
  fclose(file);
  snprintf(status, sizeof status, "done");
  assert_int_equal(rh_merge_run(store, &scratch, &entry, true, status), RH_OK);
  assert_string_equal(status, "");
  assert_false(exists(path));
  free(path);
  assert_int_equal(rh_store_close(store), RH_OK);
  rh_scratch_close(&scratch);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(the_folder_goes_with_its_last_user, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(a_link_to_nowhere_is_no_folder, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(a_lock_has_one_holder_who_is_named, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(a_run_without_rows_is_not_done, make_folder, remove_folder),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
