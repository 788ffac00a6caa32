/* Exports: rows, traces and arrays that other tools open. See cmd_export.c for the command.
 *
 * All of them write into a stream as they go; what was written before a failure stays, and the caller removes it.
 */
#ifndef RH_EXPORT_H
#define RH_EXPORT_H

#include <stdio.h>

#include "store.h"

/* Whose rows. ids: full ones, as rh_store_find_run gives them; borrowed. */
typedef struct rh_export_runs {
  const char *const *ids;
  int count; /* 0: every run */
} rh_export_runs;

typedef enum rh_export_rows { RH_EXPORT_CSV, RH_EXPORT_JSONL } rh_export_rows;

/* Any table or view of the schema, ordered by its first columns: those rows that belong to the runs, or to their
 * studies. CSV (RFC 4180): a first line of names, texts with a comma, a quote, a line's end or no letter in quotes,
 * NULL as nothing, a BLOB as hexadecimal digits. JSON lines: an object a row.
 *
 * visible     CSV for a terminal: control characters in texts are written as \n, \x1b
 * returns     RH_EINVAL for a table that is not there, with the nearest name; RH_EIO
 */
RH_CHECKED rh_status rh_export_table(rh_store *store, const char *table, const rh_export_runs *runs,
                                     rh_export_rows format, bool visible, FILE *out);

/* Chrome's trace JSON, which Perfetto opens: the rounds and collectives of each run, its links' loads as counters, and,
 * where run.trace recorded them, each rank as a process with tracks for what it computes, sends and receives, and an
 * arrow for each message. Times in microseconds, rounded to nanoseconds, as Perfetto has them; slices of a track never
 * overlap: what does is put on a further track.
 *
 * notes       appended: a line for each run of which no steps and messages are stored, and what records them, or of
 *             which there were too many
 */
RH_CHECKED rh_status rh_export_trace(rh_store *store, const rh_export_runs *runs, FILE *out, rh_text *notes);

/* NumPy's .npz: an uncompressed zip of one .npy for each column of rounds, evaluations, ranks, links and collectives,
 * named "rounds.finish_s", and for matrices (class_counts, link_bytes, factor_ranks, pair_bytes) with the names of
 * their rows and columns. Of several runs "ID/" precedes each name.
 *
 * returns     RH_EUNSUPPORTED beyond 4 GiB, which this form of zip cannot tell
 */
RH_CHECKED rh_status rh_export_arrays(rh_store *store, const rh_export_runs *runs, FILE *out);

#endif
