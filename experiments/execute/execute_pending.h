/* What is known of a round before its time is: its rows in the making, and how the log of the rounds keeps them. */
#ifndef RH_EXECUTE_PENDING_H
#define RH_EXECUTE_PENDING_H

#include "model.h"
#include "oplog.h"
#include "record.h"

typedef struct rh_pending_round {
  rh_round_row row;
  rh_phase_row phase; /* phase NULL: the method has none */
  int32_t rank_count;
  int64_t ranks[RH_SEGMENTS_MAX];
  const char *rank_names[RH_SEGMENTS_MAX]; /* borrowed from the method's state, or from the log */
  bool evaluated;
  rh_evaluation_row evaluation;
} rh_pending_round;

/* The note of a round in the log: its values, whether it was the last one, and why (NULL: it was not, or rounds were
 * over). */
void rh_pending_note(const rh_pending_round *pending, bool more, const char *reason, rh_oplog *log);
/* Round t as its note has it; *reason is borrowed from the log. RH_EFORMAT for a note that is none. */
RH_CHECKED rh_status rh_pending_read(const rh_oplog *log, int64_t t, rh_pending_round *pending, bool *more,
                                     const char **reason);

#endif
