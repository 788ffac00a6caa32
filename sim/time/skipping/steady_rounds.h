/* Steady state across rounds: whole rounds are taken out, exactly. Private to the schedule.
 *
 * Symbols     t round, p period in rounds (1..16), T period in seconds, S and F start and finish of a transfer or an
 *             execution
 *
 * Why it is exact. As inside a collective (steady.h), with all lanes of all ranks in the place of one collective: if
 * from some round on every transfer and execution is that of p rounds before, T later, and a time is found by which
 * everything under way has begun within those rounds, the state at that time is that of T before, and what follows is
 * the same as long as the operations are. So they are compared as well, by a hash over everything that timing and
 * seconds of ranks depend on: of the rounds behind, of those under way, and of each one that is produced.
 *
 * How it is done. A producer is called for every round, at most `lead` ahead, as always, since the mathematics goes on:
 * the times of the past period are told again with T added, in the same order. Each time p rounds have been produced
 * that equal those before, their operations are taken back from the ends of the queues, and all rounds under way count
 * as those p later: nothing moves, rounds and clock are given an offset. When a round differs, or was the last one,
 * what is left is simulated: the rounds under way, up to p - 1 that were told already (they are not told again), and
 * the new one. That includes the end, when a target is reached.
 *
 * What is added. Bytes and messages: those of p whole rounds, counted as integers. Busy seconds: what one period added
 * to the unions of intervals.
 *
 * What forbids it. Operations that differ (lengths of messages, computing times), a state that does not repeat, and
 * what forbids skipping altogether (steady.h).
 */
#ifndef RH_STEADY_ROUNDS_H
#define RH_STEADY_ROUNDS_H

#include <stdbool.h>
#include <stdint.h>

#include "steady.h"

/* Rounds that must have matched: one is enough for the proof, a second keeps a chance agreement out. */
enum { ROUNDS_MATCHES = 2 };

typedef struct round_record {
  double start_s, finish_s;
} round_record;

/* What a lane did in a round: transfers that it sent, or executions, in order. */
typedef struct lane_log {
  round_record *list; /* owned */
  int32_t count, size;
} lane_log;

typedef struct round_log {
  int64_t round;   /* whose log this is; -1: nobody's */
  uint64_t hash;   /* of its operations */
  bool shares;     /* transfers that may have shared links with others */
  double finish_s; /* by then this round and all before it had finished */
  lane_log *lanes; /* [2 ranks]; owned; NULL until something is noted */
} round_log;

/* Something that the caller was told. */
typedef struct told {
  bool is_round;
  union {
    rh_round_time round;
    struct {
      rh_collective_time time;
      rh_collective collective; /* without its arrays, which may be gone */
    };
  };
} told;

typedef enum rounds_stage { ROUNDS_LOOK, ROUNDS_MARKED, ROUNDS_MEASURED } rounds_stage;

/* The last marks that were made: of two events at the same instant either may be told first, and what has begun by then
 * differs, so not every two marks lie a period apart. */
enum { ROUNDS_MARKS = 4 };
typedef struct round_mark {
  int64_t round; /* after which it was made; -1: none */
  rh_traffic_mark mark;
} round_mark;

typedef struct rounds {
  int32_t periods; /* longest period that is looked for; 0: off */
  round_log *logs; /* [log_count], of round t at t % log_count; owned */
  int64_t log_count;
  int64_t bytes;      /* of records */
  int64_t valid_from; /* rounds before are on another clock */
  /* of period p, at p - 1: since which round everything came later than p rounds before by span_s */
  int64_t since[STEADY_PERIODS];
  double span_s[STEADY_PERIODS];

  rounds_stage stage;
  int32_t period;
  round_mark marks[ROUNDS_MARKS];
  int64_t mark_count;   /* made in this period's time, the last ROUNDS_MARKS are kept */
  rh_traffic_mark mark; /* what a period adds to busy seconds, once it is measured */
  int64_t count_from;   /* rounds count_from .. + period - 1 are counted */

  told *told; /* the last rounds' [told_count]; owned */
  int64_t told_count, told_size;
  int64_t again_rounds, again_collectives; /* were told already: so many are kept back */
  int64_t skipped_rounds;                  /* told without being simulated */
  /* for the reason why none was: rounds that had operations as one of the sixteen before, and times as well */
  int64_t alike, repeated;
  bool given_up; /* too many transfers to be noted */
} rounds;

struct lane;
struct operation;

void rounds_init(rh_schedule *schedule);
void rounds_clear(rh_schedule *schedule);
/* An operation is appended to a lane: its round's hash. */
void rounds_hash(struct lane *lane, const struct operation *operation);
/* A transfer that a lane sent, or an execution, took from start_s to finish_s. */
void rounds_note(struct lane *lane, int64_t round, double start_s, double finish_s);
/* Do bytes of this round count for a period? */
bool rounds_counting(const rh_schedule *schedule, int64_t round);
/* Tells the caller, unless it was told before, and remembers. Rounds are counted with the skipped ones. */
rh_status rounds_tell(rh_schedule *schedule, const told *told);
/* A transfer of this round may share links with others. */
void rounds_share(rh_schedule *schedule, int64_t round);
/* A round is done, and was told. */
void rounds_delivered(rh_schedule *schedule, int64_t round, double finish_s);
/* Why no round was skipped, in words; NULL: one was, or there was one only. */
const char *rounds_reason(const rh_schedule *schedule);
/* Skips what can be skipped, once the last round that is done proves it. Only between delivering and producing. */
rh_status rounds_skip(rh_schedule *schedule);

/* steady_rounds_proof.c: round `round`, which is done, against those before; and whether period p is proven then. */
void rounds_compare(rh_schedule *schedule, int64_t round);
/* So many rounds must match; 0: as many as it takes. */
bool rounds_proven(const rh_schedule *schedule, int64_t round, int32_t p, int64_t matches, double *from_s,
                   double *span_s);
double steady_tolerance_s(double span_s, double clock_s); /* steady_proof.c */

static inline round_log *rounds_log(const rounds *r, int64_t round)
{
  return &r->logs[round % r->log_count];
}

#endif
