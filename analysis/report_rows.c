/* Rows of a query as JSON, column by column: names stand once, however many rows there are. See report_private.h. */
#include <inttypes.h>
#include <stdlib.h>

#include "report_private.h"

static void write_base64(rh_text *out, const unsigned char *data, int length)
{
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  rh_text_append(out, "\"");
  for (int i = 0; i < length; i += 3) {
    const int left = length - i;
    const unsigned group =
        (unsigned)data[i] << 16 | (left > 1 ? (unsigned)data[i + 1] << 8 : 0) | (left > 2 ? (unsigned)data[i + 2] : 0);
    const char text[4] = {digits[group >> 18], digits[group >> 12 & 63], left > 1 ? digits[group >> 6 & 63] : '=',
                          left > 2 ? digits[group & 63] : '='};
    rh_text_append_bytes(out, text, sizeof text);
  }
  rh_text_append(out, "\"");
}

static void write_value(sqlite3_stmt *row, int column, rh_text *out)
{
  switch (sqlite3_column_type(row, column)) {
  case SQLITE_INTEGER:
    rh_text_append(out, "%" PRId64, (int64_t)sqlite3_column_int64(row, column));
    break;
  case SQLITE_FLOAT:
    report_number(out, sqlite3_column_double(row, column), 7);
    break;
  case SQLITE_TEXT:
    rh_text_append_json(out, (const char *)sqlite3_column_text(row, column));
    break;
  case SQLITE_BLOB:
    write_base64(out, sqlite3_column_blob(row, column), sqlite3_column_bytes(row, column));
    break;
  default:
    rh_text_append(out, "null");
  }
}

static rh_status count_rows(report *r, sqlite3_stmt *statement, int64_t *count)
{
  rh_status status = RH_OK;
  *count = 0;
  for (bool row = true;; (*count)++) {
    RH_TRY(rh_store_next(r->store, statement, &row));
    if (!row) break;
  }
  sqlite3_reset(statement);
done:
  return status;
}

/* Of `count` rows at most `most` are kept: each step-th, and the last. */
static bool is_kept(int64_t i, int64_t count, int64_t most)
{
  if (most == 0 || count <= most) return true;
  const int64_t step = (count + most - 1) / most;
  return i % step == 0 || i == count - 1;
}

static void write_columns(sqlite3_stmt *statement, rh_text *columns, int n, rh_text *out)
{
  rh_text_append(out, "{");
  for (int c = 0; c < n; c++) {
    rh_text_append(out, "%s\"%s\": [", c ? ", " : "", sqlite3_column_name(statement, c));
    rh_text_append_bytes(out, rh_text_get(&columns[c]), columns[c].length);
    rh_text_append(out, "]");
  }
  rh_text_append(out, "}");
}

rh_status report_columns(report *r, const char *sql, const char *id, int64_t most, rh_text *out, int64_t *rows)
{
  rh_status status;
  rh_binder b = {0};
  rh_text *columns = NULL;
  int n = 0;
  int64_t count = 0;
  RH_TRY(rh_store_prepare(r->store, sql, &b.statement));
  rh_bind_text(&b, id);
  n = sqlite3_column_count(b.statement);
  columns = calloc((size_t)n, sizeof *columns);
  RH_ASSERT(columns && "memory is exhausted");
  RH_TRY(count_rows(r, b.statement, &count));
  for (int64_t i = 0; i < count; i++) {
    bool row;
    RH_TRY(rh_store_next(r->store, b.statement, &row));
    if (!row) break; /* a writer took rows away meanwhile */
    if (!is_kept(i, count, most)) continue;
    for (int c = 0; c < n; c++) {
      if (columns[c].length) rh_text_append_bytes(&columns[c], ",", 1);
      write_value(b.statement, c, &columns[c]);
    }
  }
  write_columns(b.statement, columns, n, out);
  if (rows) *rows = count;
done:
  if (b.statement) sqlite3_reset(b.statement);
  for (int c = 0; c < n; c++)
    rh_text_clear(&columns[c]);
  free(columns);
  return status;
}

rh_status report_object(report *r, const char *sql, const char *id, rh_text *out)
{
  rh_status status;
  rh_binder b = {0};
  bool row;
  RH_TRY(rh_store_prepare(r->store, sql, &b.statement));
  rh_bind_text(&b, id);
  RH_TRY(rh_store_next(r->store, b.statement, &row));
  rh_text_append(out, "{");
  for (int c = 0; row && c < sqlite3_column_count(b.statement); c++) {
    rh_text_append(out, "%s\"%s\": ", c ? ", " : "", sqlite3_column_name(b.statement, c));
    write_value(b.statement, c, out);
  }
  rh_text_append(out, "}");
done:
  if (b.statement) sqlite3_reset(b.statement);
  return status;
}
