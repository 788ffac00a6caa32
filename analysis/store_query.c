/* Reading the store: run summaries and look-ups. */
#include "store_private.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

rh_status rh_store_run_status(rh_store *store, const char *id, char *buffer, size_t size)
{
  static const char sql[] = "SELECT status FROM runs WHERE id = ?";
  bool row;
  rh_binder b = {0};
  rh_status status;
  RH_TRY(rh_store_prepare(store, sql, &b.statement));
  rh_bind_text(&b, id);
  RH_TRY(rh_store_next(store, b.statement, &row));
  snprintf(buffer, size, "%s", row ? (const char *)sqlite3_column_text(b.statement, 0) : "");
  sqlite3_reset(b.statement);
done:
  return status;
}

/* Columns in the order in which read_summary takes them. NULL parameters pass every run. */
static const char select_summaries[] =
    "SELECT id, study, platform, network_model, method, compressor, model, dataset, graph, status, reason,"
    " configuration, workers, seed, rounds, parameters, timing_only, accuracy, target_accuracy, time_to_target_s, "
    "bytes_to_target,"
    " simulated_s, wall_s, wire_bytes, closed_form_ratio, busiest_link, busiest_load, peak_memory_bytes,"
    " parameters_hash "
    "FROM run_summary "
    "WHERE (?1 IS NULL OR study = ?1) AND (?2 IS NULL OR substr(id, 1, length(?2)) = ?2) "
    "ORDER BY start_utc, sequence";

static void read_summary(sqlite3_stmt *s, rh_run_summary *run)
{
  int c = 0;
  run->id = rh_column_text(s, c++);
  run->study = rh_column_text(s, c++);
  run->platform = rh_column_text(s, c++);
  run->network_model = rh_column_text(s, c++);
  run->method = rh_column_text(s, c++);
  run->compressor = rh_column_text(s, c++);
  run->model = rh_column_text(s, c++);
  run->dataset = rh_column_text(s, c++);
  run->graph = rh_column_text(s, c++);
  run->status = rh_column_text(s, c++);
  run->reason = rh_column_text(s, c++);
  run->configuration = rh_column_text(s, c++);
  run->workers = sqlite3_column_int(s, c++);
  run->seed = sqlite3_column_int64(s, c++);
  run->rounds = sqlite3_column_int64(s, c++);
  run->parameters = sqlite3_column_int64(s, c++);
  run->timing_only = sqlite3_column_int(s, c++) != 0;
  run->accuracy = rh_column_real(s, c++);
  run->target_accuracy = rh_column_real(s, c++);
  run->time_to_target_s = rh_column_real(s, c++);
  run->bytes_to_target = rh_column_real(s, c++);
  run->simulated_s = rh_column_real(s, c++);
  run->wall_s = rh_column_real(s, c++);
  run->wire_bytes = sqlite3_column_int64(s, c++);
  run->closed_form_ratio = rh_column_real(s, c++);
  run->busiest_link = rh_column_text(s, c++);
  run->busiest_load = rh_column_real(s, c++);
  run->peak_memory_bytes = sqlite3_column_int64(s, c++);
  run->parameters_hash = rh_column_text(s, c++);
}

static void free_summary(rh_run_summary *run)
{
  char *texts[] = {run->id,         run->study,         run->platform,     run->network_model,  run->method,
                   run->compressor, run->model,         run->dataset,      run->graph,          run->status,
                   run->reason,     run->configuration, run->busiest_link, run->parameters_hash};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
    free(texts[i]);
}

/* A zeroed element at the end of the list; NULL when memory is exhausted. */
static rh_run_summary *append(rh_run_list *list)
{
  if (list->count == list->size) {
    int32_t size = list->size ? 2 * list->size : 16;
    rh_run_summary *grown = realloc(list->list, (size_t)size * sizeof *grown);
    if (!grown) return NULL;
    list->list = grown;
    list->size = size;
  }
  rh_run_summary *run = &list->list[list->count++];
  *run = (rh_run_summary){0};
  return run;
}

rh_status rh_store_list(rh_store *store, const char *study, const char *id, rh_run_list *list)
{
  int32_t before = list->count;
  rh_status status;
  sqlite3_stmt *statement = NULL;
  RH_TRY(rh_store_prepare(store, select_summaries, &statement));
  if (study) sqlite3_bind_text(statement, 1, study, -1, SQLITE_TRANSIENT); /* not bound: NULL */
  if (id) sqlite3_bind_text(statement, 2, id, -1, SQLITE_TRANSIENT);
  for (bool row = true;;) {
    RH_TRY(rh_store_next(store, statement, &row));
    if (!row) break;
    rh_run_summary *run = append(list);
    if (!run) {
      status = rh_error(RH_ENOMEM, "%s: out of memory after %d runs", store->path, (int)list->count);
      goto done;
    }
    read_summary(statement, run);
  }
done:
  if (statement) sqlite3_reset(statement);
  while (status != RH_OK && list->count > before)
    free_summary(&list->list[--list->count]);
  return status;
}

int32_t rh_run_list_drop_timing_only(rh_run_list *list)
{
  int32_t kept = 0;
  for (int32_t i = 0; i < list->count; i++)
    if (list->list[i].timing_only)
      free_summary(&list->list[i]);
    else
      list->list[kept++] = list->list[i];
  const int32_t dropped = list->count - kept;
  list->count = kept;
  return dropped;
}

void rh_run_list_clear(rh_run_list *list)
{
  for (int32_t i = 0; i < list->count; i++)
    free_summary(&list->list[i]);
  free(list->list);
  *list = (rh_run_list){0};
}

rh_status rh_store_find_run(rh_store *store, const char *prefix, char **id)
{
  static const char sql[] = "SELECT id FROM runs WHERE substr(id, 1, length(?1)) = ?1 ORDER BY id LIMIT 9";
  enum { LISTED = 8 };
  *id = NULL;
  rh_text matches = {0};
  rh_binder b = {0};
  int count = 0;
  rh_status status;
  RH_TRY(rh_store_prepare(store, sql, &b.statement));
  rh_bind_text(&b, prefix);
  for (bool row = true;; count++) {
    RH_TRY(rh_store_next(store, b.statement, &row));
    if (!row) break;
    if (count == 0) *id = rh_column_text(b.statement, 0);
    if (count < LISTED) rh_text_append(&matches, " %s", (const char *)sqlite3_column_text(b.statement, 0));
  }
  if (count == 0) status = rh_error(RH_EINVAL, "%s: no run whose id starts with '%s'", store->path, prefix);
  if (count > 1)
    status = rh_error(RH_EINVAL, "%s: several runs start with '%s':%s%s", store->path, prefix, rh_text_get(&matches),
                      count > LISTED ? " ..." : "");
done:
  if (b.statement) sqlite3_reset(b.statement);
  if (status != RH_OK) {
    free(*id);
    *id = NULL;
  }
  rh_text_clear(&matches);
  return status;
}

bool rh_run_diverged(const rh_run_summary *run)
{
  return strcmp(run->status, "done") == 0 && strncmp(run->reason, "diverged", 8) == 0;
}

rh_status rh_store_reached(rh_store *store, const char *id, double accuracy, rh_reached *reached)
{
  static const char sql[] = "SELECT simulated_s, wire_bytes, round FROM time_to_accuracy "
                            "WHERE run_id = ? AND accuracy >= ? ORDER BY round LIMIT 1";
  bool row;
  rh_binder b = {0};
  rh_status status;
  *reached = (rh_reached){INFINITY, INFINITY, INFINITY};
  RH_TRY(rh_store_prepare(store, sql, &b.statement));
  rh_bind_text(&b, id);
  rh_bind_finite(&b, "accuracy", accuracy);
  RH_TRY(rh_store_next(store, b.statement, &row));
  if (row)
    *reached = (rh_reached){sqlite3_column_double(b.statement, 0), sqlite3_column_double(b.statement, 1),
                            sqlite3_column_double(b.statement, 2)};
  sqlite3_reset(b.statement);
done:
  return status;
}
