/* Chrome's trace JSON. See export.h.
 *
 * Symbols     ph the phase of a trace event: M names a process or a thread, X a slice, s and f the ends of an arrow, C
 *             a counter; pid and tid its process and thread; ts and dur in microseconds
 * A run has a process of its own for rounds, collectives and links, and one for each rank that has events. A thread is
 * a track: of a rank's compute, sent and received slices those that would overlap go on further tracks, each on the
 * first that is free.
 *
 * source      Trace Event Format, Google, 2016 (the document that Chrome's trace viewer names)
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "export_private.h"
#include "grid.h"

typedef enum side { SIDE_COMPUTE, SIDE_SEND, SIDE_RECEIVE, SIDE_COUNT } side;

/* Tracks of one kind: which thread, and until when each is taken. */
typedef struct tracks {
  struct track {
    int64_t end_ns;
    int tid;
  } * list; /* owned */
  int count;
} tracks;

typedef struct trace {
  FILE *out;
  rh_text text;   /* not written yet */
  rh_text *notes; /* borrowed */
  bool first;     /* nothing was written */
  bool many;      /* runs: their ids are told with their processes */
  int next_pid, next_tid;
  int64_t next_arrow;
  /* of the present run */
  const char *run;
  int run_pid;
  int32_t rank_count;
  int *rank_pid; /* [rank_count]; 0: none yet; owned */
  tracks *of;    /* [rank_count][SIDE_COUNT]; owned */
  tracks of_run; /* collectives */
} trace;

/* --- events ------------------------------------------------------------------------------------------------------- */

static int64_t nanoseconds(double seconds)
{
  return (int64_t)llround(seconds * 1e9);
}

static void append_time(rh_text *out, const char *name, int64_t ns)
{
  rh_text_append(out, "\"%s\": %" PRId64 ".%03d", name, ns / 1000, (int)(ns % 1000));
}

/* Begins an event; the caller appends what follows its pid and tid, and the closing brace. */
static rh_text *begin(trace *t, const char *phase, int pid, int tid)
{
  rh_text_append(&t->text, "%s{\"ph\": \"%s\", \"pid\": %d, \"tid\": %d, ", t->first ? "\n" : ",\n", phase, pid, tid);
  t->first = false;
  return &t->text;
}

/* kind: "process_name" or "thread_name". */
static void name(trace *t, const char *kind, int pid, int tid, const char *value)
{
  rh_text *out = begin(t, "M", pid, tid);
  rh_text_append(out, "\"name\": \"%s\", \"args\": {\"name\": ", kind);
  rh_text_append_json(out, value);
  rh_text_append(out, "}}");
}

static int new_process(trace *t, const char *title)
{
  rh_text text = {0};
  const int pid = t->next_pid++;
  rh_text_append(&text, "%s%s%s", t->many ? t->run : "", t->many ? " " : "", title);
  name(t, "process_name", pid, 0, rh_text_get(&text));
  rh_text *out = begin(t, "M", pid, 0);
  rh_text_append(out, "\"name\": \"process_sort_index\", \"args\": {\"sort_index\": %d}}", pid);
  rh_text_clear(&text);
  return pid;
}

/* The first track that is free at `start_ns`, taken until `end_ns`; a new one if there is none. Its thread. */
static int take_track(trace *t, tracks *tracks, int pid, const char *title, int64_t start_ns, int64_t end_ns)
{
  int i = 0;
  while (i < tracks->count && tracks->list[i].end_ns > start_ns)
    i++;
  if (i == tracks->count) {
    tracks->list = realloc(tracks->list, (size_t)(i + 1) * sizeof *tracks->list);
    RH_ASSERT(tracks->list != NULL);
    tracks->list[i].tid = t->next_tid++;
    tracks->count++;
    rh_text text = {0};
    rh_text_append(&text, "%s", title);
    if (i > 0) rh_text_append(&text, " %d", i + 1);
    name(t, "thread_name", pid, tracks->list[i].tid, rh_text_get(&text));
    rh_text_clear(&text);
  }
  tracks->list[i].end_ns = end_ns;
  return tracks->list[i].tid;
}

/* A slice; the caller appends its arguments and two closing braces. */
static rh_text *begin_slice(trace *t, int pid, int tid, const char *title, int64_t start_ns, int64_t end_ns)
{
  rh_text *out = begin(t, "X", pid, tid);
  rh_text_append(out, "\"name\": ");
  rh_text_append_json(out, title);
  rh_text_append(out, ", ");
  append_time(out, "ts", start_ns);
  rh_text_append(out, ", ");
  append_time(out, "dur", end_ns - start_ns);
  rh_text_append(out, ", \"args\": {");
  return out;
}

static void arrow_end(trace *t, const char *phase, int pid, int tid, int64_t at_ns)
{
  rh_text *out = begin(t, phase, pid, tid);
  rh_text_append(out, "\"name\": \"message\", \"cat\": \"message\", \"id\": %" PRId64 ", %s", t->next_arrow,
                 phase[0] == 'f' ? "\"bp\": \"e\", " : "");
  append_time(out, "ts", at_ns);
  rh_text_append(out, "}");
}

/* --- what ranks do ------------------------------------------------------------------------------------------------ */

/* A rank's process, named after its host. */
static rh_status process_of(trace *t, rh_store *store, int32_t rank, int *pid)
{
  static const char sql[] = "SELECT host FROM ranks WHERE run_id = ? AND rank = ?";
  rh_binder b = {0};
  rh_text title = {0};
  bool row;
  rh_status status = RH_OK;
  if (t->rank_pid[rank] == 0) {
    RH_TRY(rh_store_prepare(store, sql, &b.statement));
    rh_bind_text(&b, t->run);
    rh_bind_integer(&b, rank);
    RH_TRY(rh_store_next(store, b.statement, &row));
    rh_text_append(&title, "rank %d", (int)rank);
    if (row) rh_text_append(&title, " on %s", (const char *)sqlite3_column_text(b.statement, 0));
    sqlite3_reset(b.statement);
    t->rank_pid[rank] = new_process(t, rh_text_get(&title));
  }
  *pid = t->rank_pid[rank];
done:
  rh_text_clear(&title);
  return status;
}

typedef struct event {
  int32_t rank, peer; /* peer -1: computing */
  int64_t round, bytes, start_ns, end_ns;
  const char *kind; /* borrowed */
} event;

/* A slice on one of the rank's tracks; tells where. */
static rh_status slice(trace *t, rh_store *store, const event *e, side side, int *pid, int *tid)
{
  static const char *const titles[SIDE_COUNT] = {"compute", "sends", "receives"};
  const int32_t rank = side == SIDE_SEND ? e->peer : e->rank, other = side == SIDE_SEND ? e->rank : e->peer;
  rh_status status;
  RH_TRY(process_of(t, store, rank, pid));
  *tid = take_track(t, &t->of[(int)SIDE_COUNT * rank + (int)side], *pid, titles[side], e->start_ns, e->end_ns);
  rh_text *out = begin_slice(t, *pid, *tid, e->kind, e->start_ns, e->end_ns);
  rh_text_append(out, "\"round\": %" PRId64, e->round);
  if (side != SIDE_COMPUTE)
    rh_text_append(out, ", \"%s\": %d, \"bytes\": %" PRId64, side == SIDE_SEND ? "to" : "from", (int)other, e->bytes);
  rh_text_append(out, "}}");
done:
  return status;
}

static rh_status write_event(trace *t, rh_store *store, const event *e)
{
  int pid, tid, to_pid, to_tid;
  rh_status status;
  if (e->peer < 0) return slice(t, store, e, SIDE_COMPUTE, &pid, &tid);
  RH_TRY(slice(t, store, e, SIDE_SEND, &pid, &tid));
  RH_TRY(slice(t, store, e, SIDE_RECEIVE, &to_pid, &to_tid));
  t->next_arrow++;
  arrow_end(t, "s", pid, tid, e->start_ns);
  arrow_end(t, "f", to_pid, to_tid, e->end_ns > e->start_ns ? e->end_ns - 1 : e->start_ns); /* within the slice */
done:
  return status;
}

static rh_status write_events(trace *t, rh_store *store)
{
  static const char sql[] = "SELECT rank, peer, round, bytes, start_s, finish_s, kind FROM events WHERE run_id = ?"
                            " ORDER BY start_s, finish_s, sequence";
  rh_binder b = {0};
  int64_t count = 0;
  rh_status status;
  RH_TRY(rh_store_prepare(store, sql, &b.statement));
  rh_bind_text(&b, t->run);
  for (bool row = true;; count++) {
    RH_TRY(rh_store_next(store, b.statement, &row));
    if (!row) break;
    const event e = {.rank = sqlite3_column_int(b.statement, 0),
                     .peer =
                         sqlite3_column_type(b.statement, 1) == SQLITE_NULL ? -1 : sqlite3_column_int(b.statement, 1),
                     .round = sqlite3_column_int64(b.statement, 2),
                     .bytes = sqlite3_column_int64(b.statement, 3),
                     .start_ns = nanoseconds(sqlite3_column_double(b.statement, 4)),
                     .end_ns = nanoseconds(sqlite3_column_double(b.statement, 5)),
                     .kind = (const char *)sqlite3_column_text(b.statement, 6)};
    if (e.rank < 0 || e.rank >= t->rank_count || e.peer >= t->rank_count) continue; /* a damaged row */
    RH_TRY(write_event(t, store, &e));
    RH_TRY(rh_export_flush(t->out, &t->text, false));
  }
  if (count == 0)
    rh_text_append(t->notes,
                   "%s: no steps and messages are stored, so there are no tracks of ranks and no arrows; "
                   "--set run.trace=1..3 records those of rounds 1 to 3\n",
                   t->run);
done:
  return status;
}

/* What the run warned of its events: that there were too many. */
static rh_status note_warnings(trace *t, rh_store *store)
{
  static const char sql[] = "SELECT warning FROM warnings WHERE run_id = ? AND instr(warning, 'run.trace') > 0";
  rh_binder b = {0};
  rh_status status;
  RH_TRY(rh_store_prepare(store, sql, &b.statement));
  rh_bind_text(&b, t->run);
  for (bool row = true;;) {
    RH_TRY(rh_store_next(store, b.statement, &row));
    if (!row) break;
    rh_text_append(t->notes, "%s: ", t->run);
    rh_text_append_visible(t->notes, (const char *)sqlite3_column_text(b.statement, 0));
    rh_text_append(t->notes, "\n");
  }
done:
  return status;
}

/* --- of the run as a whole ---------------------------------------------------------------------------------------- */

/* Rounds follow each other: each begins when the one before is done. */
static rh_status write_rounds(trace *t, rh_store *store)
{
  static const char sql[] =
      "SELECT round, finish_s, train_loss, wire_bytes FROM rounds WHERE run_id = ? ORDER BY round";
  rh_binder b = {0};
  int64_t before_ns = 0;
  const int tid = t->next_tid++;
  char title[64];
  rh_status status;
  RH_TRY(rh_store_prepare(store, sql, &b.statement));
  rh_bind_text(&b, t->run);
  name(t, "thread_name", t->run_pid, tid, "rounds");
  for (bool row = true;;) {
    RH_TRY(rh_store_next(store, b.statement, &row));
    if (!row) break;
    int64_t end_ns = nanoseconds(sqlite3_column_double(b.statement, 1));
    if (end_ns < before_ns) end_ns = before_ns;
    snprintf(title, sizeof title, "round %lld", (long long)sqlite3_column_int64(b.statement, 0));
    rh_text *out = begin_slice(t, t->run_pid, tid, title, before_ns, end_ns);
    rh_text_append(out, "\"train_loss\": ");
    rh_text_append_json_number(out, rh_column_real(b.statement, 2));
    rh_text_append(out, ", \"wire_bytes\": %lld}}", (long long)sqlite3_column_int64(b.statement, 3));
    before_ns = end_ns;
    RH_TRY(rh_export_flush(t->out, &t->text, false));
  }
done:
  return status;
}

static rh_status write_collectives(trace *t, rh_store *store)
{
  static const char sql[] = "SELECT kind, start_s, finish_s, round, group_size, payload_bytes, closed_form_s "
                            "FROM collectives WHERE run_id = ? ORDER BY start_s, finish_s, sequence";
  rh_binder b = {0};
  rh_status status;
  RH_TRY(rh_store_prepare(store, sql, &b.statement));
  rh_bind_text(&b, t->run);
  for (bool row = true;;) {
    RH_TRY(rh_store_next(store, b.statement, &row));
    if (!row) break;
    const int64_t start_ns = nanoseconds(sqlite3_column_double(b.statement, 1));
    const int64_t end_ns = nanoseconds(sqlite3_column_double(b.statement, 2));
    const int tid = take_track(t, &t->of_run, t->run_pid, "collectives", start_ns, end_ns);
    rh_text *out = begin_slice(t, t->run_pid, tid, (const char *)sqlite3_column_text(b.statement, 0), start_ns, end_ns);
    rh_text_append(out, "\"round\": %lld, \"ranks\": %d, \"payload_bytes\": %lld, \"closed_form_s\": ",
                   (long long)sqlite3_column_int64(b.statement, 3), sqlite3_column_int(b.statement, 4),
                   (long long)sqlite3_column_int64(b.statement, 5));
    rh_text_append_json_number(out, rh_column_real(b.statement, 6));
    rh_text_append(out, "}}");
    RH_TRY(rh_export_flush(t->out, &t->text, false));
  }
done:
  return status;
}

static void write_load(trace *t, const char *link, double at_s, double load)
{
  rh_text title = {0};
  rh_text_append(&title, "load of %s", link);
  rh_text *out = begin(t, "C", t->run_pid, 0);
  rh_text_append(out, "\"name\": ");
  rh_text_append_json(out, rh_text_get(&title));
  rh_text_append(out, ", ");
  append_time(out, "ts", nanoseconds(at_s));
  rh_text_append(out, ", \"args\": {\"load\": ");
  rh_text_append_json_number(out, load);
  rh_text_append(out, "}}");
  rh_text_clear(&title);
}

/* Bins without a row are empty: where they begin the load falls to zero. */
static rh_status write_loads(trace *t, rh_store *store)
{
  static const char sql[] =
      "SELECT link, bin, width_s, load FROM traffic_over_time WHERE run_id = ? ORDER BY link, bin";
  rh_binder b = {0};
  rh_text link = {0};
  int64_t next = 0;
  double width_s = 0;
  rh_status status;
  RH_TRY(rh_store_prepare(store, sql, &b.statement));
  rh_bind_text(&b, t->run);
  for (bool row = true;;) {
    RH_TRY(rh_store_next(store, b.statement, &row));
    const char *here = row ? (const char *)sqlite3_column_text(b.statement, 0) : "";
    const int64_t bin = row ? sqlite3_column_int64(b.statement, 1) : 0;
    const bool same = row && link.length > 0 && strcmp(here, rh_text_get(&link)) == 0;
    if (link.length > 0 && (!same || bin > next)) write_load(t, rh_text_get(&link), (double)next * width_s, 0);
    if (!row) break;
    width_s = sqlite3_column_double(b.statement, 2);
    write_load(t, here, (double)bin * width_s, sqlite3_column_double(b.statement, 3));
    if (!same) {
      rh_text_clear(&link);
      rh_text_append(&link, "%s", here);
    }
    next = bin + 1;
    RH_TRY(rh_export_flush(t->out, &t->text, false));
  }
done:
  rh_text_clear(&link);
  return status;
}

/* --- all ---------------------------------------------------------------------------------------------------------- */

static rh_status read_run(trace *t, rh_store *store, bool *timing_only)
{
  static const char sql[] = "SELECT workers, timing_only FROM runs WHERE id = ?";
  rh_binder b = {0};
  bool row;
  rh_status status;
  RH_TRY(rh_store_prepare(store, sql, &b.statement));
  rh_bind_text(&b, t->run);
  RH_TRY(rh_store_next(store, b.statement, &row));
  t->rank_count = row ? sqlite3_column_int(b.statement, 0) : 0;
  *timing_only = row && sqlite3_column_int(b.statement, 1) != 0;
  sqlite3_reset(b.statement);
  const size_t ranks = (size_t)t->rank_count + 1;
  t->rank_pid = calloc(ranks, sizeof *t->rank_pid);
  t->of = calloc(ranks * SIDE_COUNT, sizeof *t->of);
  RH_ASSERT(t->rank_pid != NULL && t->of != NULL);
done:
  return status;
}

static rh_status write_run(void *context, rh_store *store, const char *id)
{
  trace *t = context;
  rh_status status;
  bool timing_only;
  t->run = id;
  RH_TRY(read_run(t, store, &timing_only));
  t->run_pid = new_process(t, timing_only ? "run, timing only: no values" : "run");
  RH_TRY(write_rounds(t, store));
  RH_TRY(write_collectives(t, store));
  RH_TRY(write_loads(t, store));
  RH_TRY(write_events(t, store));
  RH_TRY(note_warnings(t, store));
done:
  for (int32_t i = 0; t->of != NULL && i < SIDE_COUNT * t->rank_count; i++)
    free(t->of[i].list);
  free(t->of);
  free(t->rank_pid);
  free(t->of_run.list);
  t->of = NULL;
  t->rank_pid = NULL;
  t->of_run = (tracks){0};
  return status;
}

rh_status rh_export_trace(rh_store *store, const rh_export_runs *runs, FILE *out, rh_text *notes)
{
  trace t = {.out = out, .notes = notes, .first = true, .many = runs->count != 1, .next_pid = 1, .next_tid = 1};
  const size_t before = notes->length;
  rh_status status;
  rh_text_append(&t.text, "{\"displayTimeUnit\": \"ns\", \"traceEvents\": [");
  RH_TRY(rh_export_each(store, runs, write_run, &t));
  rh_text_append(&t.text, "\n], \"otherData\": {\"clock\": \"simulated seconds\", \"missing\": ");
  rh_text_append_json(&t.text, rh_text_get(notes) + before);
  rh_text_append(&t.text, "}}\n");
  status = rh_export_flush(out, &t.text, true);
done:
  rh_text_clear(&t.text);
  return status;
}
