/* The store: opening and closing, statements, transactions, and SQLite's errors in plain words. */
#include "store_private.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { BUSY_TIMEOUT_MS = 10000 }; /* another run's merge takes well under a second */

/* Did SQLite fail to make the index of the log, which readers share with the writer in a file beside the database? */
static bool is_shared_memory(int code)
{
  return code == SQLITE_IOERR_SHMOPEN || code == SQLITE_IOERR_SHMSIZE || code == SQLITE_IOERR_SHMMAP;
}

rh_status rh_store_error(sqlite3 *db, const char *path)
{
  if (!db) return rh_error(RH_ENOMEM, "%s: out of memory", path);
  switch (sqlite3_errcode(db) & 0xff) {
  case SQLITE_FULL:
    return rh_error(RH_EIO, "%s: the disk is full; what was committed before is kept", path);
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
    return rh_error(RH_EIO, "%s: another process has been writing to it for %d s", path, BUSY_TIMEOUT_MS / 1000);
  case SQLITE_READONLY:
  case SQLITE_PERM:
    return rh_error(RH_EIO, "%s: is read-only", path);
  case SQLITE_NOTADB:
  case SQLITE_CORRUPT:
  case SQLITE_ERROR: /* our statements are right, so a table is missing */
    return rh_error(RH_EFORMAT, "%s: the database is damaged: %s", path, sqlite3_errmsg(db));
  case SQLITE_NOMEM:
    return rh_error(RH_ENOMEM, "%s: out of memory", path);
  case SQLITE_CONSTRAINT:
    return rh_error(RH_EINVAL, "%s: a row does not fit: %s", path, sqlite3_errmsg(db));
  case SQLITE_IOERR:
    if (is_shared_memory(sqlite3_extended_errcode(db)))
      return rh_error(RH_EIO,
                      "%s: '%s-shm', which a reader needs, too, cannot be written; make room on its disk, or copy the "
                      "database to another",
                      path, path);
    return rh_error(RH_EIO, "%s: %s", path, sqlite3_errmsg(db));
  default:
    return rh_error(RH_EIO, "%s: %s", path, sqlite3_errmsg(db));
  }
}

double rh_store_clock(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

rh_status rh_store_execute(rh_store *store, const char *sql)
{
  if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) != SQLITE_OK) return rh_store_error(store->db, store->path);
  return RH_OK;
}

/* Connects to a file that has been checked. */
static rh_status connect(rh_store *store)
{
  rh_text uri = {0};
  rh_store_file_uri(store->path, !store->writable, &uri);
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_URI; /* the URI's mode may take the right to write away */
  int code = sqlite3_open_v2(rh_text_get(&uri), &store->db, flags, NULL);
  rh_text_clear(&uri);
  if (code != SQLITE_OK) return rh_store_error(store->db, store->path);
  sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
  sqlite3_extended_result_codes(store->db, 1);
  sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
  rh_status status;
  /* with WAL, NORMAL loses nothing when a process dies, and keeps the file sound when the power fails */
  RH_TRY(rh_store_execute(store,
                          "PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4000"));
  if (!store->writable) RH_TRY(rh_store_execute(store, "PRAGMA query_only = ON"));
  RH_TRY(rh_store_execute(store, "SELECT count(*) FROM runs")); /* reads the schema: damage shows here */
done:
  return status;
}

/* Closes without a commit. */
static void release(rh_store *store)
{
  for (int i = 0; i < store->statement_count; i++)
    sqlite3_finalize(store->statements[i].statement);
  if (store->db) sqlite3_close(store->db);
  free(store->path);
  free(store->run_id);
  rh_text_clear(&store->queue);
  free(store);
}

/* Makes the file be there as the mode wants it. */
static rh_status prepare_file(const char *path, rh_store_mode mode)
{
  rh_status status;
  bool exists = true;
  if (mode != RH_STORE_READ && path[0] != '\0' && access(path, F_OK) != 0 && errno == ENOENT) {
    RH_TRY(rh_store_file_create(path, false, &exists));
    if (!exists) goto done;
  }
  RH_TRY(rh_store_file_check(path));
  if (mode != RH_STORE_READ) RH_TRY(rh_store_file_check_writable(path));
  if (mode == RH_STORE_NEW) RH_TRY(rh_store_file_create(path, true, &exists));
done:
  return status;
}

rh_status rh_store_open(const char *path, rh_store_mode mode, rh_store **store)
{
  *store = NULL;
  rh_status status;
  rh_store *opened = NULL;
  RH_TRY(rh_store_vfs_register());
  RH_TRY(prepare_file(path, mode));
  opened = calloc(1, sizeof *opened);
  if (!opened) return rh_error(RH_ENOMEM, "%s: out of memory", path);
  opened->path = rh_text_duplicate(path);
  opened->writable = mode != RH_STORE_READ;
  RH_TRY(connect(opened));
  *store = opened;
  opened = NULL;
done:
  if (opened) release(opened);
  return status;
}

rh_status rh_store_close(rh_store *store)
{
  if (!store) return RH_OK;
  const rh_status status = rh_store_flush_rows(store);
  release(store);
  return status;
}

rh_status rh_store_prepare(rh_store *store, const char *sql, sqlite3_stmt **statement)
{
  for (int i = 0; i < store->statement_count; i++) {
    if (store->statements[i].sql != sql) continue;
    *statement = store->statements[i].statement;
    sqlite3_reset(*statement); /* tells the last step's error once more; it was reported then */
    sqlite3_clear_bindings(*statement);
    return RH_OK;
  }
  RH_ASSERT(store->statement_count < RH_STORE_STATEMENTS_MAX);
  if (sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL) != SQLITE_OK)
    return rh_store_error(store->db, store->path);
  store->statements[store->statement_count].sql = sql;
  store->statements[store->statement_count].statement = *statement;
  store->statement_count++;
  return RH_OK;
}

rh_status rh_store_next(rh_store *store, sqlite3_stmt *statement, bool *row)
{
  int code = sqlite3_step(statement);
  *row = code == SQLITE_ROW;
  if (code == SQLITE_ROW) return RH_OK;
  rh_status status = code == SQLITE_DONE ? RH_OK : rh_store_error(store->db, store->path);
  sqlite3_reset(statement);
  return status;
}

rh_status rh_store_finish(rh_store *store, sqlite3_stmt *statement)
{
  bool row = true;
  rh_status status = RH_OK;
  while (row && status == RH_OK)
    status = rh_store_next(store, statement, &row);
  return status;
}

rh_status rh_store_check_place(rh_store *store)
{
  int moved = 0;
  if (sqlite3_file_control(store->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved)
    return rh_error(RH_EIO, "%s: was removed or replaced while it was in use", store->path);
  return RH_OK;
}

rh_status rh_store_begin(rh_store *store)
{
  if (!sqlite3_get_autocommit(store->db)) return RH_OK;
  rh_status status = rh_store_check_place(store);
  if (status != RH_OK) return status;
  /* immediate: who may not write learns it here, not in the middle */
  return rh_store_execute(store, "BEGIN IMMEDIATE");
}

rh_status rh_store_commit(rh_store *store)
{
  store->committed_s = rh_store_clock();
  if (sqlite3_get_autocommit(store->db)) return RH_OK;
  rh_status status = rh_store_execute(store, "COMMIT");
  if (status != RH_OK) rh_store_rollback(store);
  return status;
}

void rh_store_rollback(rh_store *store)
{
  /* a full disk or an I/O error may have rolled back already; nothing can be done if this fails, too */
  if (!sqlite3_get_autocommit(store->db)) sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
}

void rh_bind_text(rh_binder *binder, const char *value)
{
  binder->count++;
  if (binder->queue)
    rh_queue_text(binder->queue, value ? value : "");
  else
    sqlite3_bind_text(binder->statement, binder->count, value ? value : "", -1, SQLITE_TRANSIENT);
}

void rh_bind_integer(rh_binder *binder, int64_t value)
{
  binder->count++;
  if (binder->queue)
    rh_queue_integer(binder->queue, value);
  else
    sqlite3_bind_int64(binder->statement, binder->count, value);
}

static void bind_null(rh_binder *binder)
{
  binder->count++;
  if (binder->queue)
    rh_queue_null(binder->queue);
  else
    sqlite3_bind_null(binder->statement, binder->count);
}

void rh_bind_real(rh_binder *binder, double value)
{
  if (isnan(value)) {
    bind_null(binder);
    return;
  }
  binder->count++;
  if (binder->queue)
    rh_queue_real(binder->queue, value);
  else
    sqlite3_bind_double(binder->statement, binder->count, value);
}

void rh_bind_finite(rh_binder *binder, const char *name, double value)
{
  if (!isfinite(value) && !binder->bad) binder->bad = name;
  rh_bind_real(binder, value);
}

void rh_bind_blob(rh_binder *binder, const void *data, int32_t bytes)
{
  if (bytes <= 0) {
    bind_null(binder);
    return;
  }
  binder->count++;
  if (binder->queue)
    rh_queue_blob(binder->queue, data, (size_t)bytes);
  else
    sqlite3_bind_blob(binder->statement, binder->count, data, bytes, SQLITE_STATIC);
}

void rh_bind_hash(rh_binder *binder, uint64_t value, bool none_is_null)
{
  if (value == 0 && none_is_null) {
    bind_null(binder);
    return;
  }
  char digits[17];
  snprintf(digits, sizeof digits, "%016llx", (unsigned long long)value);
  rh_bind_text(binder, digits);
}

double rh_column_real(sqlite3_stmt *statement, int column)
{
  if (sqlite3_column_type(statement, column) == SQLITE_NULL) return (double)NAN;
  return sqlite3_column_double(statement, column);
}

char *rh_column_text(sqlite3_stmt *statement, int column)
{
  const unsigned char *text = sqlite3_column_text(statement, column);
  return rh_text_duplicate(text ? (const char *)text : "");
}

void rh_store_append_hex(sqlite3_stmt *row, int column, rh_text *out)
{
  const unsigned char *bytes = sqlite3_column_blob(row, column);
  rh_text_append(out, "\"");
  for (int i = 0; i < sqlite3_column_bytes(row, column); i++)
    rh_text_append(out, "%02X", bytes[i]);
  rh_text_append(out, "\"");
}

void rh_store_row_write_json(sqlite3_stmt *row, rh_text *out)
{
  rh_text_append(out, "{");
  for (int c = 0; c < sqlite3_column_count(row); c++) {
    rh_text_append(out, "%s", c ? ", " : "");
    rh_text_append_json(out, sqlite3_column_name(row, c));
    rh_text_append(out, ": ");
    int type = sqlite3_column_type(row, c);
    if (type == SQLITE_INTEGER)
      rh_text_append(out, "%lld", (long long)sqlite3_column_int64(row, c));
    else if (type == SQLITE_FLOAT)
      rh_text_append_json_number(out, sqlite3_column_double(row, c));
    else if (type == SQLITE_BLOB)
      rh_store_append_hex(row, c, out);
    else
      rh_text_append_json(out, (const char *)sqlite3_column_text(row, c)); /* NULL: null */
  }
  rh_text_append(out, "}");
}
