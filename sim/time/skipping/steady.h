/* Steady state inside a collective: whole periods of its steps are taken out, exactly. Private to the schedule.
 *
 * Symbols     k step of a rank, p period in steps (1..16), T period in seconds, S and F start and finish of the
 *             transfer that a rank sends in a step, t time, m number of periods
 *
 * Why it is exact. SimGrid is deterministic, and what happens after t depends on the steps that the ranks are in, on
 * which transfers are under way and on what is left of each. What is left of a transfer is its bytes less its rates
 * since S, and rates follow from the transfers under way. So let every rank have a stretch of steps that do what the
 * steps p before did (same peers and bytes, S and F later by the same T for all ranks), let A be the time by which
 * every rank has begun its stretch, and t a time up to which all transfers of the stretches have ended or are under
 * way: then from A to t the same transfers were under way as from A - T to t - T. If each transfer under way at t began
 * after A, what is left of it is the same, too: the state at t is that at t - T with p added to all steps, and from t
 * on everything repeats until the first rank comes to a step that differs from those before, or to its last one.
 *
 * Who decides. Not a rank: the last one to record a step looks at all (every N records). The proof holds for some t in
 * the past, and therefore for now. Then all ranks' steps are moved by m p at the same instant of SimGrid's clock,
 * between two switches of actors; transfers under way stay, as those of the later steps. SimGrid's clock cannot jump,
 * so m T is kept in `skipped_s` and added to every time that the schedule tells. The end of the collective is
 * simulated.
 *
 * What is added. Messages and bytes: those of p steps of every rank along their routes, m times, as integers. Busy
 * seconds: one more period is simulated with the unions of intervals measured before and after it, then m of them are
 * put in where it ends (rh_traffic_skip).
 *
 * What forbids it. Anything else under way, be it computing (its end would come too late) or another operation; steps
 * that are not alike (messages of different lengths, kinds other than rings); profiles of the platform (hosts and
 * links that change with SimGrid's clock); events asked for one by one, until the last of them (each would be missing).
 *
 * Equal means within 1e-14 of T and a few roundings of the clock; differences are taken to the last step of the
 * stretch, so a drift that stays below that on each step does not pass. T is the mean over all ranks and the longest
 * stretch that is remembered.
 *
 * What rounding does. Where no two transfers of a step share a link, times are sums and maxima of other times: a
 * rounding stays what it is, and three equal steps are enough. Where transfers share a link, one that starts later lets
 * another one end sooner, and a state may repeat and yet be unstable: a rounding doubles with every step until the ring
 * leaves that state for another one (seen on a fat-tree in a bad rank order: exact for ten steps, gone after thirty).
 * Then the simulation in full is decided by roundings. So with shared links 48 steps must agree, in which a growth by a
 * tenth a step would show, and once such a collective has not settled none that shares links is skipped: it would make
 * the difference of a rounding grow in the next one.
 *
 * source      Uniform steps settle as max-plus systems do, in finite time with a common period: Baccelli, Cohen, Olsder
 *             & Quadrat, Synchronization and Linearity, 1992, section 3.7. With shared bandwidth there is no theorem,
 *             hence the proof by what was seen.
 */
#ifndef RH_STEADY_H
#define RH_STEADY_H

#include <stdbool.h>
#include <stdint.h>

#include "traffic.h"

enum { STEADY_PERIODS = 16 };  /* longest period in steps */
enum { STEADY_HISTORY = 128 }; /* steps remembered of each rank; a power of two */
/* Steps that must have matched where no two transfers share a link (one would be enough for the proof, more keep a
 * chance agreement within the tolerance out), and where they do. */
enum { STEADY_MATCHES = 3, STEADY_MATCHES_SHARING = 48 };

/* Why a collective was simulated in full; the first that applies. */
typedef enum steady_reason {
  STEADY_SKIPPED,   /* it was not */
  STEADY_UNSETTLED, /* it was watched */
  STEADY_BESIDE,    /* it was never alone */
  STEADY_UNLIKE,    /* its steps are too few, or not alike */
  STEADY_RESTLESS,  /* a calculation showed that its roundings grow (lone.h) */
  STEADY_TRACED,    /* its events, or those of later ones, were asked for */
  STEADY_REASONS
} steady_reason;

/* The last steps of one position. */
typedef struct steady_rank {
  int64_t first, next;                                      /* steps [first, next) were recorded; -1: none */
  double start_s[STEADY_HISTORY], finish_s[STEADY_HISTORY]; /* of step k at k % STEADY_HISTORY; SimGrid's times */
  /* of the period that was looked at last: since which step everything came later than a period before by span_s */
  int64_t begin;
  double span_s;
} steady_rank;

struct use;

typedef struct steady {
  bool on;
  int64_t active;        /* operations under way, on all lanes */
  struct use *candidate; /* the last collective that all ranks have entered, and none has left */
  bool watching;         /* the candidate, which is alone */
  int64_t first, end;    /* the stretch of like steps that is watched; end 0: none yet */
  int32_t sharing;       /* do transfers of a step share links? -1: not known yet */
  bool unsettled;        /* a collective that does has not settled */
  int32_t *users;        /* [links], for finding out; owned */
  bool over;             /* nothing more to do in this stretch */
  double since_s;        /* the watch began then (SimGrid's time) */
  steady_rank *ranks;    /* [size], of the candidate; owned */
  int32_t size;
  int64_t told; /* records since the last look */
  /* while a period is measured; 0: not */
  int32_t period;
  double span_s;
  rh_traffic_mark mark;
  /* what it came to */
  int64_t skipped_messages, collectives[STEADY_REASONS];
  double calculated_s; /* of collectives, from their last rank's entering to its leaving (lone.h) */
} steady;

void steady_clear(steady *steady);
/* An operation begins or ends on some lane. */
void steady_begin(rh_schedule *schedule);
void steady_end(rh_schedule *schedule);
/* Simulated time was given an offset; what is measured is given up. */
void steady_clock_moved(rh_schedule *schedule);
/* A rank enters, or has left, a collective. */
void steady_enter(rh_schedule *schedule, struct use *use);
void steady_leave(rh_schedule *schedule, struct use *use);
/* A position of a collective has done step k, whose transfer took from start_s to finish_s (SimGrid's times). May move
 * all positions: `skipped` of the collective is then larger. */
void steady_record(rh_schedule *schedule, struct use *use, int32_t position, int64_t k, double start_s,
                   double finish_s);

/* steady_proof.c: */
void steady_rank_reset(steady_rank *rank);
void steady_rank_note(steady_rank *rank, int64_t k, double start_s, double finish_s);
/* Is period p proven for the collective that is watched, with so many steps that match? *from_s is A, *span_s T. */
bool steady_proven(const steady *steady, int32_t p, int64_t matches, double *from_s, double *span_s);

#endif
