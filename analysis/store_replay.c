/* Both files have the same tables: the query of each is made of what the schema says of its columns. */
#include <stdlib.h>
#include <string.h>

#include "replay.h"
#include "store_private.h"

enum { FIRST_MOST = 80 }; /* characters of a differing value that are told */

rh_status rh_store_stored_run(rh_store *store, const char *prefix, rh_stored_run *run)
{
  static const char sql[] =
      "SELECT id, study, question, status, configuration, command, kernel, versions, time_source, platform_hash,"
      " platform_file, coalesce(profile_hash, '') FROM runs JOIN studies USING (study) WHERE id = ?";
  rh_binder b = {0};
  rh_text profile = {0};
  rh_status status = RH_OK;
  bool row;
  char *id = NULL, *hash = NULL;
  *run = (rh_stored_run){0};
  RH_TRY(rh_store_find_run(store, prefix, &id));
  RH_TRY(rh_store_prepare(store, sql, &b.statement));
  rh_bind_text(&b, id);
  RH_TRY(rh_store_next(store, b.statement, &row));
  RH_ASSERT(row);
  char **const fields[] = {
      &run->id,     &run->study,    &run->question,    &run->status,        &run->configuration, &run->command,
      &run->kernel, &run->versions, &run->time_source, &run->platform_hash, &run->platform_file, &hash};
  for (int i = 0; i < (int)(sizeof fields / sizeof *fields); i++)
    *fields[i] = rh_column_text(b.statement, i);
  sqlite3_reset(b.statement);
  if (*hash) RH_TRY(rh_store_profile_of(store, run->study, hash, &profile));
  run->profile = rh_text_duplicate(rh_text_get(&profile));
done:
  rh_text_clear(&profile);
  free(id);
  free(hash);
  if (status != RH_OK) rh_stored_run_clear(run);
  return status;
}

void rh_stored_run_clear(rh_stored_run *run)
{
  char *const fields[] = {
      run->id,     run->study,    run->question,    run->status,        run->configuration, run->command,
      run->kernel, run->versions, run->time_source, run->platform_hash, run->platform_file, run->profile};
  for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
    free(fields[i]);
  *run = (rh_stored_run){0};
}

rh_status rh_store_round_end(rh_store *store, const char *id, int64_t *round, double *finish_s, int64_t *wire_bytes)
{
  static const char sql[] = "SELECT max(round), max(finish_s), sum(wire_bytes) FROM rounds WHERE run_id = ?1"
                            " AND (?2 = 0 OR round <= ?2)";
  rh_binder b = {0};
  bool row = false;
  rh_status status;
  RH_TRY(rh_store_prepare(store, sql, &b.statement));
  rh_bind_text(&b, id);
  rh_bind_integer(&b, *round);
  RH_TRY(rh_store_next(store, b.statement, &row));
  const int64_t last = row ? sqlite3_column_int64(b.statement, 0) : 0;
  *finish_s = sqlite3_column_double(b.statement, 1);
  *wire_bytes = sqlite3_column_int64(b.statement, 2);
  sqlite3_reset(b.statement);
  if (last == 0 || (*round > 0 && last != *round))
    status = rh_error(RH_EINVAL, "%s: run %s has no round %lld", store->path, id, (long long)*round);
  *round = last;
done:
  return status;
}

const char *rh_fact_name(rh_fact fact)
{
  static const char *const names[] = {[RH_FACT_TIME] = "time",
                                      [RH_FACT_LENGTH] = "length of messages",
                                      [RH_FACT_VALUE] = "value",
                                      [RH_FACT_SETTING] = "setting"};
  return names[fact];
}

static bool is_one_of(const char *name, const char *const *list)
{
  for (; *list; list++)
    if (strcmp(name, *list) == 0) return true;
  return false;
}

/* Columns of a run's own row that its configuration and its platform decide. */
static const char *const settings[] = {
    "platform_hash", "network_model", "protocol",       "precision_s",      "zones",           "lambda2",
    "parameters",    "step_flop",     "step_int8_op",   "workers",          "weight_bytes",    "method",
    "compressor",    "model",         "dataset",        "partition",        "graph",           "timing_only",
    "batch",         "seed",          "rounds_planned", "activation_bytes", "target_accuracy", NULL};

static rh_fact fact_of(const char *table, const char *column)
{
  static const char *const lengths[] = {"messages",       "wire_bytes",  "within_bytes",       "between_bytes",
                                        "payload_bytes",  "sent_bytes",  "received_bytes",     "bytes",
                                        "sent_messages",  "rounds_done", "simulated_messages", "skipped_messages",
                                        "skipped_rounds", NULL};
  static const char *const values[] = {"train_loss", "learning_rate", "parameters_hash", "warning", "reason", NULL};
  static const char *const valued[] = {"phases", "factor_ranks", "class_counts", NULL};
  if (strcmp(table, "runs") == 0 && is_one_of(column, settings)) return RH_FACT_SETTING;
  if (is_one_of(column, values) || is_one_of(table, valued)) return RH_FACT_VALUE;
  if (strcmp(table, "evaluations") == 0 && strcmp(column, "simulated_s") != 0) return RH_FACT_VALUE;
  return is_one_of(column, lengths) ? RH_FACT_LENGTH : RH_FACT_TIME;
}

static void add_difference(rh_differences *c, const char *table, const char *column, rh_fact fact, int64_t rows,
                           char *first)
{
  if (c->count == c->size) {
    c->size = c->size ? 2 * c->size : 8;
    c->list = realloc(c->list, (size_t)c->size * sizeof *c->list);
    RH_ASSERT(c->list && "memory is exhausted");
  }
  c->list[c->count++] = (rh_difference){rh_text_duplicate(table), rh_text_duplicate(column), fact, rows, first};
}

void rh_differences_clear(rh_differences *c)
{
  for (int32_t i = 0; i < c->count; i++) {
    free(c->list[i].table);
    free(c->list[i].column);
    free(c->list[i].first);
  }
  free(c->list);
  *c = (rh_differences){0};
}

/* One statement that is not kept: tables and columns are no parameters. */
static rh_status prepare(rh_store *store, const char *sql, const char *id, sqlite3_stmt **statement)
{
  if (sqlite3_prepare_v2(store->db, sql, -1, statement, NULL) != SQLITE_OK)
    return rh_store_error(store->db, store->path);
  sqlite3_bind_text(*statement, 1, id, -1, SQLITE_TRANSIENT);
  return RH_OK;
}

/* What both have in common to be compared: "a.round = b.round AND ..." of the key beside the run. */
typedef struct table {
  const char *name, *run; /* column with the run's id */
  char *columns[64];      /* not of the key; owned */
  int column_count;
  rh_text join, key; /* "a.round = b.round", "'round ' || a.round" */
} table;

static void table_clear(table *t)
{
  for (int i = 0; i < t->column_count; i++)
    free(t->columns[i]);
  rh_text_clear(&t->join);
  rh_text_clear(&t->key);
}

static rh_status read_columns(rh_store *store, table *t)
{
  /* of a run's own row, beside its settings; the others are what the machine adds */
  static const char *const results[] = {"bin_s",
                                        "reason",
                                        "rounds_done",
                                        "simulated_s",
                                        "parameters_hash",
                                        "simulated_messages",
                                        "skipped_messages",
                                        "skipped_rounds",
                                        "skipped_s",
                                        "simulated_in_full",
                                        NULL};
  const bool own_row = strcmp(t->name, "runs") == 0;
  sqlite3_stmt *statement;
  rh_status status = prepare(store, "SELECT name, pk FROM pragma_table_info(?)", t->name, &statement);
  if (status != RH_OK) return status;
  rh_text_append(&t->join, "a.%s = b.%s", t->run, t->run);
  while (sqlite3_step(statement) == SQLITE_ROW) {
    const char *name = (const char *)sqlite3_column_text(statement, 0);
    if (strcmp(name, t->run) == 0) continue;
    if (sqlite3_column_int(statement, 1) > 0) {
      rh_text_append(&t->join, " AND a.\"%s\" = b.\"%s\"", name, name);
      rh_text_append(&t->key, "%s'%s ' || a.\"%s\"", t->key.length ? " || ', ' || " : "", name, name);
    } else if (!own_row || is_one_of(name, results) || is_one_of(name, settings)) {
      RH_ASSERT(t->column_count < 64);
      t->columns[t->column_count++] = rh_text_duplicate(name);
    }
  }
  sqlite3_finalize(statement);
  if (t->key.length == 0) rh_text_append(&t->key, "''");
  return RH_OK;
}

static void append_differs(const char *column, bool exact, rh_text *sql)
{
  rh_text_append(sql, "a.\"%s\" IS NOT b.\"%s\"", column, column);
  if (!exact)
    rh_text_append(sql,
                   " AND (typeof(a.\"%s\") <> 'real' OR coalesce(abs(a.\"%s\" - b.\"%s\") > 1e-9 * max(abs(a.\"%s\"), "
                   "abs(b.\"%s\")) + 1e-12, 1))",
                   column, column, column, column, column);
}

/* Where a column differs first: "round 10: 0.5 instead of 0.4". */
static rh_status find_first(rh_store *store, const table *t, const char *column, const char *id, bool exact,
                            char **first)
{
  rh_text sql = {0}, text = {0};
  sqlite3_stmt *statement = NULL;
  rh_text_append(&sql, "SELECT %s, b.\"%s\", a.\"%s\" FROM main.%s a JOIN again.%s b ON %s WHERE a.%s = ?1 AND (",
                 t->key.data, column, column, t->name, t->name, t->join.data, t->run);
  append_differs(column, exact, &sql);
  rh_text_append(&sql, ") LIMIT 1");
  rh_status status = prepare(store, sql.data, id, &statement);
  if (status == RH_OK && sqlite3_step(statement) == SQLITE_ROW) {
    const char *key = (const char *)sqlite3_column_text(statement, 0);
    const bool bytes = sqlite3_column_type(statement, 1) == SQLITE_BLOB; /* asked for before it is made a text */
    const char *now = (const char *)sqlite3_column_text(statement, 1);
    const char *before = (const char *)sqlite3_column_text(statement, 2);
    if (bytes)
      rh_text_append(&text, "%s%sother bytes", key, *key ? ": " : "");
    else
      rh_text_append(&text, "%s%s%.*s instead of %.*s", key, *key ? ": " : "", FIRST_MOST, now ? now : "nothing",
                     FIRST_MOST, before ? before : "nothing");
  }
  sqlite3_finalize(statement);
  rh_text_clear(&sql);
  *first = text.data ? text.data : rh_text_duplicate("");
  return status;
}

/* Rows of the run that one of the two lacks. */
static rh_status compare_keys(rh_store *store, const table *t, const char *id, rh_differences *c)
{
  rh_text sql = {0};
  sqlite3_stmt *statement = NULL;
  rh_text_append(&sql,
                 "SELECT (SELECT count(*) FROM main.%s WHERE %s = ?1), (SELECT count(*) FROM again.%s WHERE %s = ?1),"
                 " (SELECT count(*) FROM main.%s a JOIN again.%s b ON %s WHERE a.%s = ?1)",
                 t->name, t->run, t->name, t->run, t->name, t->name, t->join.data, t->run);
  rh_status status = prepare(store, sql.data, id, &statement);
  if (status == RH_OK && sqlite3_step(statement) == SQLITE_ROW) {
    const int64_t before = sqlite3_column_int64(statement, 0), now = sqlite3_column_int64(statement, 1);
    const int64_t common = sqlite3_column_int64(statement, 2), alone = before - common + (now - common);
    c->rows += common;
    if (alone > 0) {
      rh_text first = {0};
      rh_text_append(&first, "%lld rows instead of %lld", (long long)now, (long long)before);
      add_difference(c, t->name, "", RH_FACT_LENGTH, alone, first.data);
    }
  }
  sqlite3_finalize(statement);
  rh_text_clear(&sql);
  return status;
}

static rh_status compare_table(rh_store *store, const char *name, const char *run, const char *id, bool exact,
                               rh_differences *c)
{
  rh_status status = RH_OK;
  table t = {.name = name, .run = run};
  rh_text sql = {0};
  sqlite3_stmt *statement = NULL;
  RH_TRY(read_columns(store, &t));
  RH_TRY(compare_keys(store, &t, id, c));
  if (t.column_count == 0) goto done;
  rh_text_append(&sql, "SELECT ");
  for (int i = 0; i < t.column_count; i++) {
    rh_text_append(&sql, "%stotal(", i ? ", " : "");
    append_differs(t.columns[i], exact, &sql);
    rh_text_append(&sql, ")");
  }
  rh_text_append(&sql, " FROM main.%s a JOIN again.%s b ON %s WHERE a.%s = ?1", name, name, t.join.data, run);
  RH_TRY(prepare(store, sql.data, id, &statement));
  if (sqlite3_step(statement) != SQLITE_ROW) {
    status = rh_store_error(store->db, store->path);
    goto done;
  }
  for (int i = 0; i < t.column_count; i++) {
    const int64_t rows = (int64_t)sqlite3_column_double(statement, i);
    char *first;
    if (rows == 0) continue;
    RH_TRY(find_first(store, &t, t.columns[i], id, exact, &first));
    add_difference(c, name, t.columns[i], fact_of(name, t.columns[i]), rows, first);
  }
done:
  sqlite3_finalize(statement);
  rh_text_clear(&sql);
  table_clear(&t);
  return status;
}

static rh_status compare_all(rh_store *store, const char *id, bool exact, rh_differences *c)
{
  static const char sql[] =
      "SELECT name FROM main.sqlite_master WHERE type = 'table' AND EXISTS"
      " (SELECT 1 FROM pragma_table_info(sqlite_master.name) WHERE name = 'run_id') ORDER BY name";
  sqlite3_stmt *tables = NULL;
  rh_status status = compare_table(store, "runs", "id", id, exact, c);
  if (status != RH_OK) return status;
  if (sqlite3_prepare_v2(store->db, sql, -1, &tables, NULL) != SQLITE_OK) return rh_store_error(store->db, store->path);
  while (status == RH_OK && sqlite3_step(tables) == SQLITE_ROW)
    status = compare_table(store, (const char *)sqlite3_column_text(tables, 0), "run_id", id, exact, c);
  sqlite3_finalize(tables);
  return status;
}

rh_status rh_store_compare_run(rh_store *store, const char *again, const char *id, bool exact,
                               rh_differences *comparison)
{
  rh_text uri = {0};
  sqlite3_stmt *attach = NULL;
  *comparison = (rh_differences){0};
  rh_store_file_uri(again, true, &uri);
  rh_status status = prepare(store, "ATTACH ?1 AS again", uri.data, &attach);
  if (status == RH_OK && sqlite3_step(attach) != SQLITE_DONE) status = rh_store_error(store->db, again);
  sqlite3_finalize(attach);
  rh_text_clear(&uri);
  if (status != RH_OK) return status;
  status = compare_all(store, id, exact, comparison);
  sqlite3_exec(store->db, "DETACH again", NULL, NULL, NULL);
  if (status != RH_OK) rh_differences_clear(comparison);
  return status;
}
