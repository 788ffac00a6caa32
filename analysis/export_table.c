/* Rows as CSV and JSON lines. See export.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "export_private.h"
#include "grid.h"

enum { FLUSH_BYTES = 1 << 16 };

rh_status rh_export_flush(FILE *out, rh_text *text, bool all)
{
  if (text->length < FLUSH_BYTES && !all) return RH_OK;
  errno = 0;
  if (fwrite(rh_text_get(text), 1, text->length, out) != text->length || (all && fflush(out) != 0))
    return rh_error(RH_EIO, "the output cannot be written%s%s", errno ? ": " : "", errno ? strerror(errno) : "");
  if (text->data != NULL) text->data[text->length = 0] = '\0';
  return RH_OK;
}

/* --- which rows --------------------------------------------------------------------------------------------------- */

typedef struct names {
  char *list[64]; /* owned */
  size_t count;
} names;

static const char *name_at(const void *context, size_t i)
{
  const names *n = context;
  return i < n->count ? n->list[i] : NULL;
}

static rh_status unknown_table(rh_store *store, const char *table)
{
  static const char sql[] = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE "
                            "'sqlite%' ORDER BY type, name";
  names n = {0};
  rh_text all = {0};
  sqlite3_stmt *rows;
  rh_status status;
  RH_TRY(rh_store_prepare(store, sql, &rows));
  for (bool row = true; n.count < sizeof n.list / sizeof n.list[0];) {
    RH_TRY(rh_store_next(store, rows, &row));
    if (!row) break;
    n.list[n.count] = rh_column_text(rows, 0);
    rh_text_append(&all, "%s%s", n.count ? ", " : "", n.list[n.count]);
    n.count++;
  }
  const char *near = rh_text_nearest(table, name_at, &n);
  if (near)
    status = rh_error(RH_EINVAL, "no table '%s'; did you mean '%s'?", table, near);
  else
    status = rh_error(RH_EINVAL, "no table '%s'; there are: %s", table, rh_text_get(&all));
done:
  for (size_t i = 0; i < n.count; i++)
    free(n.list[i]);
  rh_text_clear(&all);
  return status;
}

static rh_status has_column(rh_store *store, const char *table, const char *column, bool *has)
{
  static const char sql[] = "SELECT 1 FROM pragma_table_info(?) WHERE name = ? COLLATE BINARY";
  rh_binder b = {0};
  rh_status status;
  RH_TRY(rh_store_prepare(store, sql, &b.statement));
  rh_bind_text(&b, table);
  rh_bind_text(&b, column);
  RH_TRY(rh_store_next(store, b.statement, has));
  sqlite3_reset(b.statement);
done:
  return status;
}

/* The one statement that is put together: a table's name cannot be bound. It is quoted, and was found in the schema. */
static rh_status select_rows(rh_store *store, const char *table, const rh_export_runs *runs, sqlite3_stmt **rows)
{
  static const struct {
    const char *column, *condition;
  } keys[] = {{"run_id", "run_id IN (SELECT value FROM json_each(?1))"},
              {"id", "id IN (SELECT value FROM json_each(?1))"}, /* runs, run_summary */
              {"study", "study IN (SELECT study FROM runs WHERE id IN (SELECT value FROM json_each(?1)))"}};
  const char *condition = NULL;
  bool has = false;
  rh_status status;
  for (size_t i = 0; i < sizeof keys / sizeof keys[0] && condition == NULL; i++) {
    RH_TRY(has_column(store, table, keys[i].column, &has));
    if (has) condition = keys[i].condition;
  }
  if (condition == NULL) return unknown_table(store, table);
  rh_text ids = {0};
  for (int i = 0; i < runs->count; i++) {
    rh_text_append(&ids, "%s", i ? ", " : "[");
    rh_text_append_json(&ids, runs->ids[i]);
  }
  rh_text_append(&ids, "]");
  char *sql =
      sqlite3_mprintf("SELECT * FROM \"%w\"%s%s", table, runs->count ? " WHERE " : "", runs->count ? condition : "");
  int code = sql ? sqlite3_prepare_v2(store->db, sql, -1, rows, NULL) : SQLITE_NOMEM;
  int columns = code == SQLITE_OK ? sqlite3_column_count(*rows) : 0;
  if (code == SQLITE_OK) { /* the same with an order, which needs to know the columns */
    sqlite3_finalize(*rows);
    char *ordered = sqlite3_mprintf("%s ORDER BY %s", sql, columns > 3 ? "1, 2, 3, 4" : columns > 2 ? "1, 2, 3" : "1");
    code = ordered ? sqlite3_prepare_v2(store->db, ordered, -1, rows, NULL) : SQLITE_NOMEM;
    sqlite3_free(ordered);
  }
  sqlite3_free(sql);
  if (code == SQLITE_OK && runs->count) sqlite3_bind_text(*rows, 1, rh_text_get(&ids), -1, SQLITE_TRANSIENT);
  status = code == SQLITE_OK ? RH_OK : rh_store_error(store->db, store->path);
  rh_text_clear(&ids);
done:
  return status;
}

/* --- how they are written ----------------------------------------------------------------------------------------- */

static void append_csv_row(sqlite3_stmt *row, bool visible, rh_text *out)
{
  for (int c = 0; c < sqlite3_column_count(row); c++) {
    if (c) rh_text_append(out, ",");
    switch (sqlite3_column_type(row, c)) {
    case SQLITE_INTEGER:
      rh_text_append(out, "%lld", (long long)sqlite3_column_int64(row, c));
      break;
    case SQLITE_FLOAT:
      rh_text_append_json_number(out, sqlite3_column_double(row, c));
      break;
    case SQLITE_NULL:
      break;
    case SQLITE_BLOB:
      rh_store_append_hex(row, c, out);
      break;
    default:
      rh_text_append_csv(out, (const char *)sqlite3_column_text(row, c), visible);
    }
  }
  rh_text_append(out, "\n");
}

rh_status rh_export_table(rh_store *store, const char *table, const rh_export_runs *runs, rh_export_rows format,
                          bool visible, FILE *out)
{
  sqlite3_stmt *rows = NULL;
  rh_text text = {0};
  rh_status status;
  RH_TRY(select_rows(store, table, runs, &rows));
  for (int c = 0; format == RH_EXPORT_CSV && c < sqlite3_column_count(rows); c++) {
    if (c) rh_text_append(&text, ",");
    rh_text_append_csv(&text, sqlite3_column_name(rows, c), visible);
  }
  if (format == RH_EXPORT_CSV) rh_text_append(&text, "\n");
  for (bool row = true;;) {
    RH_TRY(rh_store_next(store, rows, &row));
    if (!row) break;
    if (format == RH_EXPORT_CSV) {
      append_csv_row(rows, visible, &text);
    } else {
      rh_store_row_write_json(rows, &text);
      rh_text_append(&text, "\n");
    }
    RH_TRY(rh_export_flush(out, &text, false));
  }
  status = rh_export_flush(out, &text, true);
done:
  sqlite3_finalize(rows);
  rh_text_clear(&text);
  return status;
}

rh_status rh_export_each(rh_store *store, const rh_export_runs *runs,
                         rh_status (*one)(void *context, rh_store *store, const char *id), void *context)
{
  rh_run_list all = {0};
  rh_status status = RH_OK;
  for (int i = 0; i < runs->count; i++)
    RH_TRY(one(context, store, runs->ids[i]));
  if (runs->count == 0) RH_TRY(rh_store_list(store, NULL, NULL, &all));
  for (int32_t i = 0; i < all.count; i++)
    RH_TRY(one(context, store, all.list[i].id));
done:
  rh_run_list_clear(&all);
  return status;
}
