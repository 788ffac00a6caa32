/* NumPy arrays of runs. See export.h; npz.c is the file. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "export_private.h"

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ORDER "<"
#else
#define ORDER ">"
#endif

enum { COLUMNS_MAX = 16 };

typedef struct arrays {
  rh_npz *npz;
  bool many; /* runs: an id precedes each name */
  const char *run;
} arrays;

/* --- columns ------------------------------------------------------------------------------------------------------ */

typedef enum column_kind { COLUMN_INTEGER, COLUMN_REAL, COLUMN_TEXT } column_kind;

/* One column of a statement's rows. Texts lie one after the other, each with its terminator. */
typedef struct column {
  char *name; /* owned */
  column_kind kind;
  rh_text data;
  size_t longest; /* text */
} column;

static void append_value(column *column, sqlite3_stmt *row, int c)
{
  const int64_t integer = sqlite3_column_int64(row, c);
  const double real = rh_column_real(row, c);
  const char *text = column->kind == COLUMN_TEXT ? (const char *)sqlite3_column_text(row, c) : NULL;
  switch (column->kind) {
  case COLUMN_INTEGER:
    rh_text_append_bytes(&column->data, (const char *)&integer, sizeof integer);
    break;
  case COLUMN_REAL:
    rh_text_append_bytes(&column->data, (const char *)&real, sizeof real);
    break;
  case COLUMN_TEXT: {
    const size_t length = text ? strlen(text) : 0;
    rh_text_append_bytes(&column->data, text ? text : "", length + 1);
    if (length > column->longest) column->longest = length;
  }
  }
}

static rh_status add(arrays *a, const char *name, const char *descr, const int64_t *shape, int dimensions,
                     const void *data, size_t bytes)
{
  rh_text whole = {0};
  rh_text_append(&whole, "%s%s%s", a->many ? a->run : "", a->many ? "/" : "", name);
  const rh_status status = rh_npz_add(a->npz, rh_text_get(&whole), descr, shape, dimensions, data, bytes);
  rh_text_clear(&whole);
  return status;
}

/* Texts become byte strings of equal length ('S'), filled up with zeros. */
static rh_status add_column(arrays *a, const char *section, const column *column, int64_t rows)
{
  rh_text name = {0};
  rh_text_append(&name, "%s.%s", section, column->name);
  rh_status status;
  if (column->kind != COLUMN_TEXT) {
    status = add(a, rh_text_get(&name), column->kind == COLUMN_REAL ? ORDER "f8" : ORDER "i8", &rows, 1,
                 rh_text_get(&column->data), column->data.length);
  } else {
    const size_t width = column->longest ? column->longest : 1;
    char descr[32], *equal = calloc((size_t)rows + 1, width);
    RH_ASSERT(equal != NULL);
    const char *text = rh_text_get(&column->data);
    for (int64_t i = 0; i < rows; i++, text++)
      for (char *to = equal + (size_t)i * width; *text != '\0';)
        *to++ = *text++;
    snprintf(descr, sizeof descr, "|S%zu", width);
    status = add(a, rh_text_get(&name), descr, &rows, 1, equal, (size_t)rows * width);
    free(equal);
  }
  rh_text_clear(&name);
  return status;
}

/* An array for each column of the statement, by its declared type; of one without rows if `empty`. Its parameter is the
 * run. */
static rh_status add_columns(arrays *a, rh_store *store, const char *section, const char *sql, bool empty)
{
  column columns[COLUMNS_MAX] = {0};
  rh_binder b = {0};
  int64_t rows = 0;
  int count = 0;
  rh_status status;
  RH_TRY(rh_store_prepare(store, sql, &b.statement));
  rh_bind_text(&b, a->run);
  count = sqlite3_column_count(b.statement);
  RH_ASSERT(count <= COLUMNS_MAX);
  for (int c = 0; c < count; c++) {
    const char *type = sqlite3_column_decltype(b.statement, c);
    columns[c].name = rh_text_duplicate(sqlite3_column_name(b.statement, c));
    columns[c].kind = type && strcmp(type, "TEXT") == 0      ? COLUMN_TEXT
                      : type && strcmp(type, "INTEGER") == 0 ? COLUMN_INTEGER
                                                             : COLUMN_REAL;
  }
  for (bool row = true;; rows++) {
    RH_TRY(rh_store_next(store, b.statement, &row));
    if (!row) break;
    for (int c = 0; c < count; c++)
      append_value(&columns[c], b.statement, c);
  }
  for (int c = 0; c < count && (rows > 0 || empty); c++)
    RH_TRY(add_column(a, section, &columns[c], rows));
done:
  for (int c = 0; c < count; c++) {
    free(columns[c].name);
    rh_text_clear(&columns[c].data);
  }
  return status;
}

/* --- matrices ----------------------------------------------------------------------------------------------------- */

/* The statement's rows are row, column, value, in any order; values of the same place are added up. Its size is one
 * more than the largest row and column, and at least rows x columns. Nothing for a statement without rows. */
static rh_status add_matrix(arrays *a, rh_store *store, const char *name, const char *sql, int64_t rows,
                            int64_t columns)
{
  rh_binder b = {0};
  int64_t *matrix = NULL;
  bool any = false;
  rh_status status;
  for (int pass = 0; pass < 2; pass++) { /* sizes, then values */
    b = (rh_binder){0};
    RH_TRY(rh_store_prepare(store, sql, &b.statement));
    rh_bind_text(&b, a->run);
    for (bool row = true;;) {
      RH_TRY(rh_store_next(store, b.statement, &row));
      if (!row) break;
      const int64_t i = sqlite3_column_int64(b.statement, 0), j = sqlite3_column_int64(b.statement, 1);
      any = true;
      if (i < 0 || j < 0) continue; /* a damaged row */
      if (pass == 0 && i >= rows) rows = i + 1;
      if (pass == 0 && j >= columns) columns = j + 1;
      if (pass == 1) matrix[i * columns + j] += sqlite3_column_int64(b.statement, 2);
    }
    if (!any) goto done;
    if (pass == 0) matrix = calloc((size_t)(rows * columns) + 1, sizeof *matrix);
    RH_ASSERT(matrix != NULL);
  }
  const int64_t shape[] = {rows, columns};
  status = add(a, name, ORDER "i8", shape, 2, matrix, (size_t)(rows * columns) * sizeof *matrix);
done:
  free(matrix);
  return status;
}

static rh_status count_workers(arrays *a, rh_store *store, int64_t *workers)
{
  static const char sql[] = "SELECT workers FROM runs WHERE id = ?";
  rh_binder b = {0};
  bool row;
  rh_status status;
  RH_TRY(rh_store_prepare(store, sql, &b.statement));
  rh_bind_text(&b, a->run);
  RH_TRY(rh_store_next(store, b.statement, &row));
  *workers = row ? sqlite3_column_int64(b.statement, 0) : 0;
  sqlite3_reset(b.statement);
done:
  return status;
}

enum { CURVES = 5 }; /* the first ones, which are always there */
static const struct {
  const char *name, *sql;
} sections[] = {
    {"rounds", "SELECT round, finish_s, first_finish_s, train_loss, learning_rate, messages, wire_bytes, within_bytes,"
               " between_bytes FROM rounds WHERE run_id = ? ORDER BY round"},
    {"evaluations", "SELECT round, simulated_s, train_loss, test_loss, test_accuracy, accuracy_min, accuracy_median,"
                    " accuracy_max, consensus_distance FROM evaluations WHERE run_id = ? ORDER BY round"},
    {"ranks",
     "SELECT rank, host, speed_flops, compute_s, communication_s, both_s, waiting_s, encode_s,"
     " decode_s, sent_bytes, received_bytes, sent_messages, samples FROM ranks WHERE run_id = ? ORDER BY rank"},
    {"links", "SELECT link, bandwidth_Bps, latency_s, bytes, busy_s, load, peak_load FROM links WHERE run_id = ?"
              " ORDER BY link"},
    {"collectives", "SELECT round, kind, group_size, payload_bytes, messages, wire_bytes, start_s, finish_s,"
                    " closed_form_s FROM collectives WHERE run_id = ? ORDER BY sequence"},
    {"timing_draws", "SELECT draw, round, finish_s FROM timing_draws WHERE run_id = ? ORDER BY draw"},
    /* names of the rows of link_bytes and of the columns of factor_ranks; rounds of its rows */
    {"link_bytes", "SELECT DISTINCT link FROM link_bins WHERE run_id = ? ORDER BY link"},
    {"factor_ranks", "SELECT DISTINCT weight FROM factor_ranks WHERE run_id = ? ORDER BY weight"},
    {"factor_ranks", "SELECT DISTINCT round FROM factor_ranks WHERE run_id = ? ORDER BY round"},
};

static rh_status write_run(void *context, rh_store *store, const char *id)
{
  static const char classes[] = "SELECT rank, class, samples FROM class_counts WHERE run_id = ?";
  static const char bins[] = "SELECT dense_rank() OVER (ORDER BY link) - 1, bin, bytes FROM link_bins WHERE run_id = ?";
  static const char factors[] =
      "SELECT dense_rank() OVER (ORDER BY round) - 1, dense_rank() OVER (ORDER BY weight) - 1,"
      " rank FROM factor_ranks WHERE run_id = ?";
  static const char pairs[] =
      "SELECT from_rank / block, to_rank / block, bytes FROM pairs WHERE run_id = ?"
      " UNION ALL SELECT (SELECT max(rank) FROM ranks WHERE run_id = ?1) / block,"
      " (SELECT max(rank) FROM ranks WHERE run_id = ?1) / block, 0 FROM pairs WHERE run_id = ?1";
  static const char block[] = "SELECT block FROM pairs WHERE run_id = ? LIMIT 1";
  static const char kind[] = "SELECT timing_only FROM runs WHERE id = ?";
  static const char width[] = "SELECT bin_s FROM runs WHERE id = ? AND bin_s IS NOT NULL";
  arrays *a = context;
  int64_t workers = 0;
  rh_status status = RH_OK;
  a->run = id;
  for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
    RH_TRY(add_columns(a, store, sections[i].name, sections[i].sql, i < CURVES));
  RH_TRY(add_columns(a, store, "run", kind, true));
  RH_TRY(count_workers(a, store, &workers));
  RH_TRY(add_matrix(a, store, "class_counts", classes, workers, 0));
  RH_TRY(add_matrix(a, store, "link_bytes", bins, 0, 0));
  RH_TRY(add_columns(a, store, "link_bytes", width, false));
  RH_TRY(add_matrix(a, store, "factor_ranks", factors, 0, 0));
  RH_TRY(add_matrix(a, store, "pair_bytes", pairs, 0, 0));
  RH_TRY(add_columns(a, store, "pair_bytes", block, false));
done:
  return status;
}

rh_status rh_export_arrays(rh_store *store, const rh_export_runs *runs, FILE *out)
{
  arrays a = {.npz = rh_npz_new(out), .many = runs->count != 1};
  rh_status status;
  RH_TRY(rh_export_each(store, runs, write_run, &a));
  status = rh_npz_finish(a.npz);
done:
  rh_npz_free(a.npz);
  return status;
}
