/* Merging: one file's finished runs into another, in one transaction. */
#include "store_private.h"

#include <string.h>
#include <sys/stat.h>

/* The other file is attached as `source`. Both have the same schema version, so columns agree in order.
 * The first statement locks the file that is written to, and that one only: BEGIN IMMEDIATE would lock both. */
static const char begin[] = "BEGIN; DELETE FROM main.warnings WHERE 0;";

static const char pick[] = "CREATE TEMP TABLE IF NOT EXISTS picked(id TEXT PRIMARY KEY NOT NULL);"
                           "DELETE FROM picked;"
                           "INSERT INTO picked SELECT id FROM source.runs"
                           " WHERE id NOT IN (SELECT id FROM main.runs WHERE status = 'done');";

/* What a study has already, question and durations, stays as it is: its runs were charged with them. */
static const char copy_studies[] =
    "INSERT OR IGNORE INTO main.studies SELECT * FROM source.studies;"
    "INSERT OR IGNORE INTO main.profiles SELECT * FROM source.profiles;"
    "UPDATE main.profiles AS p SET device = iif(p.device = '', '', p.device || '; ') || s.device FROM source.profiles "
    "AS s"
    " WHERE s.study = p.study AND s.profile_hash = p.profile_hash AND instr(p.device, s.device) = 0"
    " AND EXISTS (SELECT name FROM source.durations AS d WHERE d.study = s.study AND d.profile_hash = s.profile_hash"
    " EXCEPT SELECT name FROM main.durations AS d WHERE d.study = s.study AND d.profile_hash = s.profile_hash);"
    "INSERT OR IGNORE INTO main.durations SELECT * FROM source.durations;";

#define COPY_ROWS(table)                                                                                               \
  "INSERT INTO main." table " SELECT * FROM source." table " WHERE run_id IN (SELECT id FROM picked);"

static const char copy_runs[] =
    "DELETE FROM main.runs WHERE id IN (SELECT id FROM picked);"
    "INSERT INTO main.runs SELECT * FROM source.runs WHERE id IN (SELECT id FROM picked) ORDER BY start_utc;"
    /* clang-format off */
    COPY_ROWS("rounds")
    COPY_ROWS("phases")
    COPY_ROWS("factor_ranks")
    COPY_ROWS("evaluations")
    COPY_ROWS("links")
    COPY_ROWS("link_series")
    COPY_ROWS("ranks")
    COPY_ROWS("class_counts")
    COPY_ROWS("collectives")
    COPY_ROWS("events")
    COPY_ROWS("networks")
    COPY_ROWS("pairs")
    COPY_ROWS("warnings")
    COPY_ROWS("timing_draws")
    /* clang-format on */
    "UPDATE main.runs SET status = 'interrupted',"
    " reason = 'its process ended without a word; the rows it had committed are kept'"
    " WHERE status = 'running' AND id IN (SELECT id FROM picked);";

/* Executes, and blames damage on the file that is read: the other one has just been opened. */
static rh_status execute(rh_store *store, const char *from, const char *sql)
{
  if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK) return RH_OK;
  int code = sqlite3_errcode(store->db) & 0xff;
  bool damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR;
  return rh_store_error(store->db, damaged ? from : store->path);
}

static rh_status count_runs(rh_store *store, int *merged, int *skipped)
{
  static const char sql[] = "SELECT (SELECT count(*) FROM picked), (SELECT count(*) FROM source.runs)";
  sqlite3_stmt *statement = NULL; /* not kept: SQLite refuses to detach a database that a statement still names */
  if (sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL) != SQLITE_OK)
    return rh_store_error(store->db, store->path);
  rh_status status = RH_OK;
  if (sqlite3_step(statement) == SQLITE_ROW) {
    if (merged) *merged = sqlite3_column_int(statement, 0);
    if (skipped) *skipped = sqlite3_column_int(statement, 1) - sqlite3_column_int(statement, 0);
  } else {
    status = rh_store_error(store->db, store->path);
  }
  sqlite3_finalize(statement);
  return status;
}

static rh_status attach(rh_store *store, const char *from)
{
  static const char sql[] = "ATTACH ? AS source";
  rh_binder b = {0};
  rh_text uri = {0};
  rh_store_file_uri(from, true, &uri);
  rh_status status = rh_store_prepare(store, sql, &b.statement);
  if (status == RH_OK) {
    rh_bind_text(&b, rh_text_get(&uri));
    if (sqlite3_step(b.statement) != SQLITE_DONE) status = rh_store_error(store->db, from);
    sqlite3_reset(b.statement);
  }
  rh_text_clear(&uri);
  return status;
}

static bool is_same_file(const char *a, const char *b)
{
  struct stat first, second;
  if (stat(a, &first) != 0 || stat(b, &second) != 0) return false;
  return first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

rh_status rh_store_merge(rh_store *into, const char *from, int *merged, int *skipped)
{
  RH_ASSERT(into->writable);
  if (is_same_file(from, into->path)) return rh_error(RH_EINVAL, "%s: cannot be merged into itself", from);
  bool attached = false;
  rh_status status;
  RH_TRY(rh_store_check_place(into));
  RH_TRY(rh_store_file_check(from));
  RH_TRY(rh_store_commit(into)); /* nothing can be attached within a transaction */
  RH_TRY(attach(into, from));
  attached = true;
  RH_TRY(execute(into, from, begin));
  RH_TRY(execute(into, from, pick));
  RH_TRY(count_runs(into, merged, skipped));
  RH_TRY(execute(into, from, copy_studies));
  RH_TRY(execute(into, from, copy_runs));
  status = rh_store_commit(into);
done:
  if (status != RH_OK) rh_store_rollback(into);
  if (attached) sqlite3_exec(into->db, "DETACH source", NULL, NULL, NULL);
  return status;
}
