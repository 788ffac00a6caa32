#include "execute_pending.h"

#include <stdlib.h>
#include <string.h>

/* Strings by their numbers in the log; ranks and their names follow. */
typedef struct note {
  double train_loss, learning_rate, compression_ratio;
  rh_evaluation_row evaluation;
  int32_t phase, reason, rank_count;
  uint8_t evaluated, more; /* 0 or 1, whatever a file says */
} note;

typedef struct rank_note {
  int64_t rank, name;
} rank_note;

void rh_pending_note(const rh_pending_round *p, bool more, const char *reason, rh_oplog *log)
{
  const size_t bytes = sizeof(note) + (size_t)p->rank_count * sizeof(rank_note);
  note *n = calloc(1, bytes); /* with its padding: equal notes are equal bytes */
  RH_ASSERT(n && "memory is exhausted");
  rank_note *ranks = (rank_note *)(n + 1);
  n->train_loss = p->row.train_loss;
  n->learning_rate = p->row.learning_rate;
  n->compression_ratio = p->phase.compression_ratio;
  if (p->evaluated) n->evaluation = p->evaluation;
  n->phase = rh_oplog_string(log, p->phase.phase);
  n->reason = rh_oplog_string(log, reason);
  n->rank_count = p->rank_count;
  n->evaluated = p->evaluated;
  n->more = more;
  for (int32_t k = 0; k < p->rank_count; k++)
    ranks[k] = (rank_note){p->ranks[k], rh_oplog_string(log, p->rank_names[k])};
  rh_oplog_note(log, n, bytes);
  free(n);
}

rh_status rh_pending_read(const rh_oplog *log, int64_t t, rh_pending_round *p, bool *more, const char **reason)
{
  size_t bytes;
  const note *n = rh_oplog_note_of(log, t, &bytes);
  if (!n || bytes < sizeof *n || n->rank_count < 0 || n->rank_count > RH_SEGMENTS_MAX ||
      bytes != sizeof *n + (size_t)n->rank_count * sizeof(rank_note))
    return rh_error(RH_EFORMAT, "the log of the rounds is damaged: round %lld has no values", (long long)t + 1);
  const rank_note *ranks = (const rank_note *)(n + 1);
  *p = (rh_pending_round){
      .row = {.round = t + 1, .train_loss = n->train_loss, .learning_rate = n->learning_rate},
      .phase = {.round = t + 1, .phase = rh_oplog_string_at(log, n->phase), .compression_ratio = n->compression_ratio},
      .rank_count = n->rank_count,
      .evaluated = n->evaluated != 0,
      .evaluation = n->evaluation};
  for (int32_t k = 0; k < n->rank_count; k++) {
    p->ranks[k] = ranks[k].rank;
    p->rank_names[k] = rh_oplog_string_at(log, (int32_t)ranks[k].name);
    if (!p->rank_names[k]) p->rank_names[k] = "";
  }
  *more = n->more != 0;
  *reason = rh_oplog_string_at(log, n->reason);
  return RH_OK;
}
