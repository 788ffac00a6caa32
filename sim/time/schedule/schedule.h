/* The schedule: what ranks do, in which order, executed by SimGrid.
 *
 * Each rank has two lanes, compute and communication; a lane does its operations in the order in which they were
 * appended, and an operation may also wait for one of the same rank's other lane (`after`). There is no barrier: a rank
 * runs ahead as far as its own operations and messages let it. Operations are appended by a producer, one round after
 * the other, at most `lead` rounds ahead of the slowest rank; they are dropped when they are done.
 *
 * Everything here knows seconds and bytes only; no value of a model ever comes by.
 */
#ifndef RH_SCHEDULE_H
#define RH_SCHEDULE_H

#include <signal.h>

#include "collective.h"
#include "pairs.h"
#include "platform.h"

typedef struct rh_schedule rh_schedule;
struct rh_oplog;

/* An operation of one rank, to be waited for by a later one; RH_AT_ONCE: nothing to wait for. Tokens of a collective
 * are per rank: `rh_schedule_last` gives them. */
typedef int64_t rh_token;
#define RH_AT_ONCE ((rh_token)0)

typedef enum rh_lane { RH_LANE_COMPUTE, RH_LANE_COMMUNICATION } rh_lane;

/* One executed computing operation, or one transfer, for tests, Gantt charts and traces. A transfer is one event, of
 * the rank that receives it. Times are SimGrid's. */
typedef struct rh_event {
  int32_t rank;
  rh_lane lane;
  const char *label; /* "gradient", "allreduce-ring"; borrowed */
  int64_t round;
  int32_t peer;  /* of a transfer: the sender's rank; else -1 */
  int64_t bytes; /* of the transfer; 0 for compute */
  double start_s, finish_s;
} rh_event;

/* A collective after its last rank was done. */
typedef struct rh_collective_time {
  const rh_collective *collective; /* borrowed for the call */
  int64_t round;
  double start_s;               /* when its last rank entered */
  double finish_s;              /* when its last rank was done */
  double closed_form_s;         /* over the slowest route it used */
  int64_t messages, wire_bytes; /* counted, not computed */
} rh_collective_time;

typedef struct rh_round_time {
  int64_t round;
  double first_finish_s; /* when the first rank finished its operations of the round */
  double finish_s;       /* when the last one did: final */
  /* sent in operations of this round, all ranks */
  int64_t messages, wire_bytes;
  int64_t within_bytes, between_bytes; /* of wire_bytes: both ranks in the same innermost zone, or in different ones */
} rh_round_time;

/* Labels of the computing that is told apart in a rank's seconds: making messages of what is sent, and making use of
 * those that arrive. */
#define RH_LABEL_ENCODE "encode"
#define RH_LABEL_DECODE "decode"

/* Seconds of one rank from 0 to its last operation's end. compute + communication - both + waiting = elapsed. */
typedef struct rh_rank_time {
  double compute_s;       /* compute lane busy */
  double communication_s; /* at least one of its transfers (either direction) under way */
  double both_s;          /* both of the above at the same time */
  double waiting_s;       /* neither */
  int64_t sent_bytes, received_bytes, sent_messages;
  double encode_s, decode_s; /* of compute_s: with what is labelled RH_LABEL_ENCODE, RH_LABEL_DECODE */
} rh_rank_time;

enum { RH_NOBODY = -1, RH_SEVERAL = -2 };

/* Where the transfers over a link come from and go to, each where all agree; else RH_SEVERAL, RH_NOBODY without any. */
typedef struct rh_link_ends {
  int32_t from_rank, to_rank;
  int32_t from_zone, to_zone; /* as rh_platform_zone_of */
} rh_link_ends;

typedef struct rh_link_time {
  int64_t bytes;      /* sum over transfers whose route holds the link */
  double busy_s;      /* union of their intervals */
  double stalled_s;   /* of it, while the link was down */
  int64_t peak_bytes; /* of the fullest bin */
  rh_link_ends ends;
} rh_link_time;

/* All callbacks run on one big stack, while no rank does; only `produce` may append. */
typedef struct rh_schedule_def {
  rh_platform *platform; /* borrowed */
  rh_protocol protocol;
  /* Round t is produced when the slowest rank has done round t - lead - 1; at least 1. Ranks that could run further
   * ahead wait: collectives never let them, gossip by as many rounds as the graph is wide. */
  int32_t lead;
  /* Steady states are skipped: same times, bytes and busy seconds, to 1e-9 (steady.h). Not before all events that are
   * asked for were told, nor where the platform changes with time. */
  bool steady;
  const volatile sig_atomic_t *stop; /* non-zero ends the execution soon, with RH_EINTERRUPTED; NULL: never */
  void *context;                     /* handed to the callbacks */
  /* Appends the operations of one round; *more = false when this was the last (or there is none). A failure ends the
   * execution with that status, here and below. */
  rh_status (*produce)(void *context, int64_t round, bool *more);
  rh_status (*round_done)(void *context, const rh_round_time *time);           /* in round order; may be NULL */
  rh_status (*collective_done)(void *context, const rh_collective_time *time); /* may be NULL */
  void (*event)(void *context, const rh_event *event);                         /* may be NULL */
  /* Events are told of rounds from event_first on and before event_end, event_max of them at most; 0: no limit. */
  int64_t event_first, event_end, event_max;
  /* Every round that `produce` appends and that this does not hold yet is recorded in it (oplog.h). NULL: none are. */
  struct rh_oplog *log;
} rh_schedule_def;

RH_CHECKED rh_status rh_schedule_new(const rh_schedule_def *def, rh_schedule **schedule);
void rh_schedule_free(rh_schedule *schedule);

/* Appends computing of `seconds` on the fastest host of the platform (scaled by the rank's speed), after the previous
 * operation of the compute lane and `after`. seconds >= 0 and finite. label is borrowed; RH_LABEL_ENCODE and
 * RH_LABEL_DECODE are counted apart. */
rh_token rh_schedule_compute(rh_schedule *schedule, int32_t rank, double seconds, const char *label, rh_token after);

/* Appends one message: a send on `from`'s and a receive on `to`'s communication lane. bytes >= 0. */
void rh_schedule_send(rh_schedule *schedule, int32_t from, int32_t to, int64_t bytes, const char *label,
                      rh_token after_from, rh_token after_to);

/* Appends a collective to the communication lane of all ranks of its group. after[position]: what each waits for, or
 * NULL: nothing. The label is the kind's name. */
void rh_schedule_collective(rh_schedule *schedule, const rh_collective *collective, const rh_token *after);

/* The last operation appended to a rank's lane, for `after`. */
rh_token rh_schedule_last(const rh_schedule *schedule, int32_t rank, rh_lane lane);

/* Executes everything that `produce` appends, to the end.
 *
 * returns     RH_EINVAL for a deadlock: the message names who waits for whom, in which operation and round;
 *             RH_EINTERRUPTED when `stop` was raised; what the callbacks returned
 */
RH_CHECKED rh_status rh_schedule_run(rh_schedule *schedule);

/* What was simulated, and what was skipped in steady states. */
typedef struct rh_steady_total {
  int64_t simulated_messages, skipped_messages; /* skipped: calculated ones, too (lone.h) */
  double skipped_s;
  int64_t collectives_skipped; /* in part */
  int64_t collectives_full;
  int64_t rounds_skipped; /* as a whole */
} rh_steady_total;

/* After (or during) the run: */
rh_steady_total rh_schedule_steady(const rh_schedule *schedule);
/* Were there more events than event_max? */
bool rh_schedule_events_cut(const rh_schedule *schedule);
/* Appends, in words, why collectives were simulated in full, and why no round was skipped: "37 collectives did not
 * settle, no round: their operations differ"; nothing if there is nothing to say. */
void rh_schedule_steady_reasons(const rh_schedule *schedule, rh_text *out);
double rh_schedule_elapsed_s(const rh_schedule *schedule);
rh_rank_time rh_schedule_rank_time(const rh_schedule *schedule, int32_t rank);
rh_link_time rh_schedule_link_time(const rh_schedule *schedule, int32_t link);
/* Bytes of a link over time, in bins of rh_schedule_bin_s from 0 on, *count of them (at most 200); NULL and 0 for a
 * link without traffic. Borrowed. See bins.h. */
const int64_t *rh_schedule_link_bins(const rh_schedule *schedule, int32_t link, int32_t *count);
double rh_schedule_bin_s(const rh_schedule *schedule);
/* Who sent how much to whom; borrowed. */
const rh_pairs *rh_schedule_pairs(const rh_schedule *schedule);

#endif
