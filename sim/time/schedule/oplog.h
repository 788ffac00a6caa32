/* The log of a schedule: what was appended to it, round by round, so that the run's time can be simulated again without
 * its mathematics. The same operations give the same times, bytes and skipped steps.
 *
 * Rounds that append the same are kept once: most runs need one round's operations and a number for each further one.
 * Tokens are kept relative to where the round began. With every round goes a note of the caller's.
 *
 * All that the log holds are blobs: runs of bytes, each kept once, found again by their content.
 */
#ifndef RH_OPLOG_H
#define RH_OPLOG_H

#include <stdio.h>

#include "schedule.h"

typedef struct rh_oplog rh_oplog;

/* An empty log that takes up to `most_bytes`; a round that would go beyond it is not taken, nor any later one. */
RH_CHECKED rh_status rh_oplog_new(int64_t most_bytes, rh_oplog **log);
void rh_oplog_free(rh_oplog *log); /* may be NULL */

int64_t rh_oplog_rounds(const rh_oplog *log); /* taken: round 0 .. rounds - 1 */
bool rh_oplog_is_full(const rh_oplog *log);   /* a round was not taken */

/* --- recording, by the schedule whose def names the log ----------------------------------------------------------- */

void rh_oplog_begin(rh_oplog *log, const rh_schedule *schedule, int32_t workers);
void rh_oplog_compute(rh_oplog *log, int32_t rank, double seconds, const char *label, rh_token after);
void rh_oplog_send(rh_oplog *log, int32_t from, int32_t to, int64_t bytes, const char *label, rh_token after_from,
                   rh_token after_to);
void rh_oplog_collective(rh_oplog *log, const rh_collective *collective, const rh_token *after);
void rh_oplog_end(rh_oplog *log, bool keep); /* keep: else the round is forgotten */

/* Within a round that is recorded: its note, copied. */
void rh_oplog_note(rh_oplog *log, const void *note, size_t bytes);
/* The number by which a note names a string; -1 for NULL. */
int32_t rh_oplog_string(rh_oplog *log, const char *string);

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* What a replay needs to find again. */
typedef struct rh_oplog_world {
  const rh_collective_kind *(*find)(const char *name); /* NULL for a name that is not known */
  const int32_t *zone_of;                              /* of collectives that have one; by rank */
} rh_oplog_world;

/* Appends round t's operations to a schedule that is at it. Strings, groups and graphs are the log's, which must
 * outlive the schedule. RH_EFORMAT for operations that no run on `workers` ranks appends. */
RH_CHECKED rh_status rh_oplog_replay(const rh_oplog *log, int64_t t, const rh_oplog_world *world, int32_t workers,
                                     rh_schedule *schedule);
/* Round t's note; *bytes is 0 if it has none. Borrowed. */
const void *rh_oplog_note_of(const rh_oplog *log, int64_t t, size_t *bytes);
/* NULL for -1 and for numbers that name no string. Borrowed. */
const char *rh_oplog_string_at(const rh_oplog *log, int32_t number);

/* --- files -------------------------------------------------------------------------------------------------------- */

/* Calls `write` with the log's bytes, piece by piece. */
void rh_oplog_write(const rh_oplog *log, void (*write)(void *context, const void *data, size_t bytes), void *context);
/* Reads what rh_oplog_write wrote from data [bytes]; *used is how much that was. RH_EFORMAT if it is no log. */
RH_CHECKED rh_status rh_oplog_read(const void *data, size_t bytes, int64_t most_bytes, rh_oplog **log, size_t *used);

#endif
