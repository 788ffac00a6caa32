/* What the store's tests share: a folder of their own, one run's header and rows, SQL by another connection. */
#ifndef RH_TESTS_FIXTURE_H
#define RH_TESTS_FIXTURE_H

#include "cmocka_all.h"
#include "store.h"

#define must(call)                                                                                                     \
  do {                                                                                                                 \
    if ((call) != RH_OK) fail_msg("%s: %s", #call, rh_error_message());                                                \
  } while (0)

/* The call is refused with that code and a message that holds `part`. */
#define must_refuse(call, code, part)                                                                                  \
  do {                                                                                                                 \
    assert_string_equal(rh_status_name(call), rh_status_name(code));                                                   \
    if (!strstr(rh_error_message(), part)) fail_msg("no '%s' in: %s", part, rh_error_message());                       \
  } while (0)

int fixture_make_folder(void **state);   /* cmocka set-up: *state is the folder */
int fixture_remove_folder(void **state); /* its tear-down */

/* "folder/name"; valid until the 8th next call. */
const char *fixture_path(void **state, const char *name);
/* Number of entries of the folder: nothing was left behind. */
int fixture_count_files(void **state);
void fixture_write(const char *path, const char *content);
/* Content of a file, for comparing bytes before and after. */
rh_text fixture_read(const char *path);

/* The first value of a query as text by a connection of its own, "NULL" for NULL; valid until the 8th next call. */
const char *fixture_sql(const char *path, const char *sql);

/* A complete header; id is borrowed. */
rh_run_header fixture_header(const char *id);
/* Rows of two rounds, the first in phase FULL and the second in AB with two factored weights, one evaluation each
 * (accuracies 0.5 and 0.875), one collective, two links, the bins of one
 * of them, two nodes of a network and a line, a pair, two ranks, two events, a warning. */
void fixture_record(rh_recorder recorder);
rh_run_end fixture_end(const char *status);
/* A database with one finished run. */
void fixture_make(const char *path, const char *id, const char *status);

#endif
