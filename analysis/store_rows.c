/* Rows of the run wait in a queue and go to SQLite many at a time. Between two rows a run computes for milliseconds,
 * after which SQLite's code and pages are no longer in the cache: one by one, a row costs several times what it
 * costs among others (tests/bench/README.md, scale.sh).
 *
 * A waiting row is its statement's address and its values, each after a letter for its kind.
 */
#include <string.h>

#include "store_private.h"

/* Rows are committed when this long has passed since the last commit: what a reader sees is at most this old. */
static const double commit_every_s = 1.0;

enum { QUEUE_BYTES = 1 << 18 }; /* more than this does not wait */

typedef enum value_kind { INTEGER = 'i', REAL = 'r', TEXT = 't', BLOB = 'b', NOTHING = 'n', ROW_END = '.' } value_kind;

static void push(rh_text *queue, value_kind kind, const void *data, size_t bytes)
{
  const char letter = (char)kind;
  rh_text_append_bytes(queue, &letter, 1);
  rh_text_append_bytes(queue, data, bytes);
}

static void push_sized(rh_text *queue, value_kind kind, const void *data, size_t bytes)
{
  push(queue, kind, &bytes, sizeof bytes);
  rh_text_append_bytes(queue, data, bytes);
}

void rh_queue_integer(rh_text *queue, int64_t value)
{
  push(queue, INTEGER, &value, sizeof value);
}

void rh_queue_real(rh_text *queue, double value)
{
  push(queue, REAL, &value, sizeof value);
}

void rh_queue_text(rh_text *queue, const char *value)
{
  push_sized(queue, TEXT, value, strlen(value));
}

void rh_queue_blob(rh_text *queue, const void *data, size_t bytes)
{
  push_sized(queue, BLOB, data, bytes);
}

void rh_queue_null(rh_text *queue)
{
  push(queue, NOTHING, "", 0);
}

static const char *pop(const char *at, void *value, size_t bytes)
{
  memcpy(value, at, bytes);
  return at + bytes;
}

/* Binds the value at `at` as the parameter `index`; returns where the next one is, NULL after the row's last. Texts are
 * not copied: the queue outlives the statement's step. */
static const char *bind_value(sqlite3_stmt *statement, int index, const char *at)
{
  int64_t integer;
  double real;
  size_t bytes;
  switch ((value_kind)*at++) {
  case INTEGER:
    at = pop(at, &integer, sizeof integer);
    sqlite3_bind_int64(statement, index, integer);
    return at;
  case REAL:
    at = pop(at, &real, sizeof real);
    sqlite3_bind_double(statement, index, real);
    return at;
  case TEXT:
    at = pop(at, &bytes, sizeof bytes);
    sqlite3_bind_text64(statement, index, at, bytes, SQLITE_STATIC, SQLITE_UTF8);
    return at + bytes;
  case BLOB:
    at = pop(at, &bytes, sizeof bytes);
    sqlite3_bind_blob64(statement, index, at, bytes, SQLITE_STATIC);
    return at + bytes;
  case NOTHING:
    sqlite3_bind_null(statement, index);
    return at;
  case ROW_END:
    break;
  }
  return NULL;
}

/* Steps the row at *at, and moves *at behind it. */
static rh_status write_row(rh_store *store, const char **at)
{
  const char *sql;
  sqlite3_stmt *statement;
  const char *value = pop(*at, &sql, sizeof sql);
  rh_status status = rh_store_prepare(store, sql, &statement);
  if (status != RH_OK) return status;
  int count = 1;
  sqlite3_bind_text(statement, count, store->run_id, -1, SQLITE_STATIC);
  for (const char *next = bind_value(statement, count + 1, value); next; count++) {
    value = next;
    next = bind_value(statement, count + 2, value);
  }
  RH_ASSERT(count == sqlite3_bind_parameter_count(statement));
  *at = value + 1;
  return rh_store_finish(store, statement);
}

rh_status rh_store_write_rows(rh_store *store)
{
  if (store->queue.length == 0) return RH_OK;
  const double start_s = rh_store_clock();
  rh_status status = rh_store_begin(store);
  const char *at = store->queue.data, *const end = at + store->queue.length;
  while (at < end && status == RH_OK)
    status = write_row(store, &at);
  store->queue.length = 0; /* after a failure, too: the transaction is not to be tried again */
  store->spent_s += rh_store_clock() - start_s;
  return status;
}

rh_status rh_store_flush_rows(rh_store *store)
{
  rh_status status = rh_store_write_rows(store);
  const double start_s = rh_store_clock();
  if (status == RH_OK) status = rh_store_commit(store);
  store->spent_s += rh_store_clock() - start_s;
  return status;
}

rh_status rh_store_flush_in_time(void *context)
{
  rh_store *store = context;
  return rh_store_clock() - store->committed_s < commit_every_s ? RH_OK : rh_store_flush_rows(store);
}

void rh_store_begin_row(rh_store *store, const char *sql, rh_binder *binder)
{
  RH_ASSERT(store->run_id);
  store->row_s = rh_store_clock();
  *binder = (rh_binder){.queue = &store->queue, .row = store->queue.length};
  rh_text_append_bytes(&store->queue, (const char *)&sql, sizeof sql);
}

rh_status rh_store_end_row(rh_store *store, const rh_binder *binder)
{
  if (binder->bad) {
    store->queue.length = binder->row;
    return rh_error(RH_EINVAL, "%s: %s of a row is not finite", store->path, binder->bad);
  }
  push(&store->queue, ROW_END, "", 0);
  store->spent_s += rh_store_clock() - store->row_s;
  const rh_status status = store->queue.length < QUEUE_BYTES ? RH_OK : rh_store_write_rows(store);
  return status == RH_OK ? rh_store_flush_in_time(store) : status;
}
