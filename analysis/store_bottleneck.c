/* The bottleneck of a stored run: its rows of ranks and links, handed to the rule in bottleneck.h. */
#include <stdlib.h>
#include <string.h>

#include "bottleneck.h"
#include "grid.h"
#include "store_private.h"

typedef struct rows {
  rh_rank_row *ranks; /* owned, and so are the names in the rows */
  rh_link_row *links;
  int32_t rank_count, link_count, rank_size, link_size;
  double elapsed_s;
} rows;

/* One more element of a growing array, zeroed. */
#define ADD(array, count, size)                                                                                        \
  do {                                                                                                                 \
    if ((count) == (size)) {                                                                                           \
      (size) = (size) > 0 ? 2 * (size) : 64;                                                                           \
      (array) = realloc((array), (size_t)(size) * sizeof *(array));                                                    \
      RH_ASSERT((array) != NULL);                                                                                      \
    }                                                                                                                  \
    memset(&(array)[(count)++], 0, sizeof *(array));                                                                   \
  } while (0)

static void rows_clear(rows *r)
{
  for (int32_t i = 0; i < r->rank_count; i++)
    free((char *)r->ranks[i].host);
  for (int32_t i = 0; i < r->link_count; i++) {
    free((char *)r->links[i].name);
    free((char *)r->links[i].from_where);
    free((char *)r->links[i].to_where);
  }
  free(r->ranks);
  free(r->links);
}

static void read_rank(sqlite3_stmt *s, rows *r)
{
  ADD(r->ranks, r->rank_count, r->rank_size);
  rh_rank_row *row = &r->ranks[r->rank_count - 1];
  row->rank = sqlite3_column_int(s, 0);
  row->host = rh_column_text(s, 1);
  row->compute_s = sqlite3_column_double(s, 2);
  row->communication_s = sqlite3_column_double(s, 3);
  row->both_s = sqlite3_column_double(s, 4);
  row->waiting_s = sqlite3_column_double(s, 5);
  row->encode_s = sqlite3_column_double(s, 6);
  row->decode_s = sqlite3_column_double(s, 7);
}

static void read_link(sqlite3_stmt *s, rows *r)
{
  ADD(r->links, r->link_count, r->link_size);
  rh_link_row *row = &r->links[r->link_count - 1];
  row->name = rh_column_text(s, 0);
  row->bandwidth_Bps = sqlite3_column_double(s, 1);
  row->bytes = sqlite3_column_int64(s, 2);
  row->busy_s = sqlite3_column_double(s, 3);
  row->load = sqlite3_column_double(s, 4);
  row->peak_load = sqlite3_column_double(s, 5);
  row->from_where = rh_column_text(s, 6);
  row->to_where = rh_column_text(s, 7);
  row->down_s = sqlite3_column_double(s, 8);
  row->stalled_s = sqlite3_column_double(s, 9);
  row->latency_s = sqlite3_column_double(s, 10);
}

static void read_elapsed(sqlite3_stmt *s, rows *r)
{
  r->elapsed_s = sqlite3_column_double(s, 0);
}

static rh_status read_rows(rh_store *store, const char *sql, const char *id, void (*read)(sqlite3_stmt *, rows *),
                           rows *r)
{
  rh_binder b = {0};
  rh_status status;
  RH_TRY(rh_store_prepare(store, sql, &b.statement));
  rh_bind_text(&b, id);
  for (bool row = true;;) {
    RH_TRY(rh_store_next(store, b.statement, &row));
    if (!row) break;
    read(b.statement, r);
  }
done:
  if (b.statement) sqlite3_reset(b.statement);
  return status;
}

/* Finds the bottleneck of a run, in words and as a kind. */
static rh_status find(rh_store *store, const char *id, rh_bottleneck_kind *kind, rh_text *sentence)
{
  static const char of_run[] = "SELECT simulated_s FROM runs WHERE id = ?";
  static const char of_ranks[] = "SELECT rank, host, compute_s, communication_s, both_s, waiting_s, encode_s,"
                                 " decode_s FROM ranks WHERE run_id = ? ORDER BY rank";
  static const char of_links[] = "SELECT link, bandwidth_Bps, bytes, busy_s, load, peak_load, from_where, to_where,"
                                 " down_s, stalled_s, latency_s"
                                 " FROM links WHERE run_id = ? ORDER BY load DESC, bytes DESC, link";
  rows r = {0};
  rh_bottleneck found;
  rh_status status;
  RH_TRY(read_rows(store, of_run, id, read_elapsed, &r));
  RH_TRY(read_rows(store, of_ranks, id, read_rank, &r));
  RH_TRY(read_rows(store, of_links, id, read_link, &r));
  rh_bottleneck_find(r.ranks, r.rank_count, r.links, r.link_count, r.elapsed_s, &found);
  *kind = found.kind;
  rh_bottleneck_write(&found, sentence);
done:
  rows_clear(&r);
  return status;
}

rh_status rh_store_bottleneck(rh_store *store, const char *id, rh_text *sentence)
{
  rh_bottleneck_kind kind;
  return find(store, id, &kind, sentence);
}

rh_status rh_store_bottleneck_name(rh_store *store, const char *id, const char **name)
{
  rh_bottleneck_kind kind;
  rh_text sentence = {0};
  rh_status status = find(store, id, &kind, &sentence);
  *name = status == RH_OK && kind != RH_BOTTLENECK_NONE ? rh_bottleneck_name(kind) : NULL;
  rh_text_clear(&sentence);
  return status;
}

/* --- below the closing table -------------------------------------------------------------------------------------- */

enum { TOLD_RUNS = 4, LINE_WIDTH = 120, INDENT = 4 };

/* "bottlenecks: link in 12 runs, computing in 3" */
static void write_counts(const int *counts, rh_text *out)
{
  bool said = false;
  for (int k = RH_BOTTLENECK_NONE + 1; k < RH_BOTTLENECK_KINDS; k++) {
    if (counts[k] == 0) continue;
    rh_text_append(out, "%s%s in %d run%s", said ? ", " : "\nbottlenecks: ", rh_bottleneck_name((rh_bottleneck_kind)k),
                   counts[k], counts[k] == 1 ? "" : "s");
    said = true;
  }
  if (said) rh_text_append(out, "; 'rehearse show RUN' says more of each\n");
}

rh_status rh_table_write_bottlenecks(rh_store *store, const rh_run_list *runs, rh_text *out)
{
  int counts[RH_BOTTLENECK_KINDS] = {0};
  bool said = false;
  rh_text sentence = {0}, line = {0};
  rh_status status = RH_OK;
  for (int32_t i = 0; i < runs->count; i++) {
    const rh_run_summary *run = &runs->list[i];
    rh_bottleneck_kind kind;
    rh_text_clear(&sentence);
    rh_text_clear(&line);
    if (strcmp(run->status, "done") != 0) continue;
    RH_TRY(find(store, run->id, &kind, &sentence));
    counts[kind]++;
    if (runs->count > TOLD_RUNS || kind == RH_BOTTLENECK_NONE) continue;
    if (!said) rh_text_append(out, "\n");
    said = true;
    if (runs->count > 1) {
      rh_text_append(&line, "run %.8s, ", run->id);
      rh_text_append_visible(&line, run->platform);
      rh_text_append(&line, " ");
      rh_text_append_visible(&line, run->method);
      rh_text_append(&line, " ");
      rh_text_append_visible(&line, run->compressor);
      rh_text_append(&line, ": ");
    }
    rh_text_append(&line, "%s", rh_text_get(&sentence));
    rh_text_append_wrapped(out, rh_text_get(&line), 0, INDENT, LINE_WIDTH);
    rh_text_append(out, "\n");
  }
  if (runs->count > TOLD_RUNS) write_counts(counts, out);
done:
  rh_text_clear(&sentence);
  rh_text_clear(&line);
  return status;
}
