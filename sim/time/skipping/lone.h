/* Collectives that are calculated instead of being simulated. Where no two transfers of a collective share a link at
 * the same time, its times are sums and maxima of other times; where they do, SimGrid's model of shared links is
 * followed from event to event, without its actors. Private to the schedule.
 *
 * Symbols     N positions, p position, k step, to_p and from_p whom p sends to and hears in a step, d_p seconds of the
 *             transfer that it sends, S, F its start and finish, R_p(k) when p is ready for step k
 *
 * Formula     S_p = max(R_p(k), R_to(k))        eager: R_p(k)
 *             F_p = S_p + d_p                    R_p(k+1) = max(F_p, F_from)
 * with d = latency x latency factor + bytes / rate, rate = bandwidth factor x min(least bandwidth, TCP-gamma / (2
 * latency)): what CM02 and LV08 give a transfer that is alone on its links. R_p(0) is when p enters; each rank then
 * sleeps until R_p(steps), and is in the same place at the same time as if SimGrid had moved every message.
 *
 * When it is exact. (a) Owned links: over all steps, whatever crosses a link comes from one position, or, where
 * transfers wait for their receiver, goes to one. A position sends (and hears) one message at a time, so no two
 * transfers ever share a link, whenever ranks enter. Rings in the order of the hosts are like this on most networks,
 * everything with one peer a step is on a flat one. (b) Otherwise, where transfers wait for their receiver, all ranks
 * must enter at the same instant; the intervals of each link are compared, and what comes before the first two that
 * overlap is exact: up to then the assumption under which they were calculated holds.
 *
 * (c) As a fluid (fluid.h): several transfers of a rank in a step, and links that are shared, with all ranks entering
 * at the same instant. It holds where nobody sends anything else before all are ready (nothing comes, or each rank
 * computes for longer than it takes the others to end), and where roundings stay small: the same calculation with
 * transfers that take longer by a few roundings each goes along, and must come to every 32nd step at the same times,
 * to 1e-12. Rings in a bad order often do not: a transfer that is late by a rounding shifts the shares of others, and
 * the difference doubles every eight steps or so. Such a collective is simulated in full, its single transfers are
 * decided by SimGrid's roundings, and no steady state is looked for, since there is none. SimGrid 3.32 leaves links
 * out where changes fall together (shares.h); what this may touch is simulated, too.
 *
 * The end. A rank that leaves must not meet transfers of others that are only calculated. Where the next operation of
 * all ranks is the same collective with owned links, or none comes, all steps are calculated; otherwise those that are
 * over everywhere before the first rank leaves, and the last steps are simulated.
 *
 * Roundings. Times are those of a simulation but for roundings. Where messages share links roundings may grow
 * (steady.h), so nothing is calculated while such an operation is queued, and nothing of a collective whose own
 * messages will share links again.
 *
 * What forbids it. Any other transfer under way or possible meanwhile, so the group is all ranks; computing beside the
 * collective, but for (c); several transfers of a rank in a step, but for (c); events asked for; cross traffic, Wi-Fi,
 * profiles and the SMPI model, whose rates are not those above. Such collectives are simulated, or skipped in their
 * steady states (steady.h).
 *
 * What is added. Bytes, messages and busy seconds as simulated. The recursion settles (all ranks a constant later than
 * in the step before): from there a jump leads to the last step of the same peers and bytes, since the next step
 * depends on the differences between ranks alone.
 *
 * source      (max, +) recursions: Baccelli, Cohen, Olsder & Quadrat, Synchronization and Linearity, 1992, chapters 2-3
 */
#ifndef RH_LONE_H
#define RH_LONE_H

#include <stdbool.h>
#include <stdint.h>

#include "busy.h"
#include "collective.h"
#include "platform.h"

struct lane;
struct operation;
struct use;
typedef struct rh_schedule rh_schedule;

typedef enum lone_stage {
  LONE_UNDECIDED, /* nobody has entered */
  LONE_NOT,       /* simulated, or skipped */
  LONE_GATHERS,   /* those who entered wait for the others */
  LONE_KNOWN      /* calculated */
} lone_stage;

/* Of one use of a collective; its arrays live from the first rank that enters to the last that leaves. */
typedef struct lone {
  lone_stage stage;
  bool owned;    /* (a), or LONE_APART: its transfers never share a link */
  bool closed;   /* nothing else can meet its end */
  bool compared; /* (a), or (b) */
  bool fluid;    /* (c) may be tried */
  bool restless; /* it was, and roundings grew: no use in looking for a steady state */
  bool hashed;
  uint64_t who;    /* hash of who sends to whom: equal ones cross the same links */
  int32_t entered; /* ranks */
  int64_t steps;   /* calculated ones, from the first on */
  double base_s;   /* SimGrid's time to which the next two are relative: differences stay exact on a late clock */
  double *enter_s; /* [N] by position; owned */
  double *ready_s; /* [N] when it is ready for step `steps`; in the same block */
} lone;

/* What is known of a collective before it begins. */
typedef enum lone_verdict {
  LONE_NEVER,   /* it cannot be calculated */
  LONE_APART,   /* it cannot, but no two of its transfers share a link */
  LONE_PERHAPS, /* (b) */
  LONE_OWNED    /* (a) */
} lone_verdict;

/* The steps [first, end) in which all have the same peers and bytes. A position that does not send sends to itself, for
 * no time. */
typedef struct lone_stretch {
  int64_t first, end;
  int32_t *to, *from;
  int64_t *bytes;
  double *seconds, *flow_s; /* d, and the part of it in which bytes flow */
  const rh_route **routes;  /* NULL: sends nothing */
} lone_stretch;

/* The recursion over a stretch. */
typedef struct lone_times {
  const rh_collective *c;
  bool eager;
  double *ready_s, *start_s, *finish_s; /* [N] R, S, F */
  double *last_s;                       /* [N] R of the step before */
  double *before_s;                     /* [N] for the visitor */
  double *block;                        /* of all arrays above; owned */
  lone_stretch stretch;
} lone_times;

/* Called with each step that was calculated: times->start_s, finish_s; last_s before it and ready_s after it. */
typedef void (*lone_visit)(void *context, const lone_times *times, int64_t k);
/* Called where `count` steps are left out that are as the last visited one, each span_s later than the one before. */
typedef void (*lone_jump)(void *context, const lone_times *times, double span_s, int64_t count);

/* lone_times.c */
void lone_times_init(lone_times *times, const rh_collective *c, bool eager);
void lone_times_clear(lone_times *times);
/* Fills the stretch that begins with step k; false: this collective cannot be calculated. */
bool lone_stretch_at(lone_times *times, rh_platform *platform, int64_t k);
/* From R of the stretch's first step to R of its end, or of step `until` if that comes before. jump NULL: every step is
 * visited. */
void lone_times_run(lone_times *times, int64_t until, lone_visit visit, lone_jump jump, void *context);
double lone_earliest_s(const double *seconds, int32_t N);
double lone_latest_s(const double *seconds, int32_t N);

/* lone_links.c: looks at all steps. */
lone_verdict lone_links_judge(lone_times *times, rh_platform *platform);
/* (b): the transfers of visited steps, and when the first two of them meet on a link; INFINITY: never. */
typedef struct lone_intervals lone_intervals;
lone_intervals *lone_intervals_new(int32_t links);
void lone_intervals_note(lone_intervals *all, const lone_times *times);
double lone_intervals_conflict_s(lone_intervals *all);
void lone_intervals_free(lone_intervals *all);

/* lone_account.c: calculates and books the steps before lone.steps of a collective that is entered at lone.enter_s, and
 * tells lone.ready_s. */
void lone_account(rh_schedule *schedule, struct use *use, lone_times *times);

/* lone_flow.c: (c), all steps of it, with everything booked; false: it does not hold here. Sets restless. */
bool lone_flow(rh_schedule *schedule, struct use *use);

/* lone.c: a rank comes to a collective. Returns when it is ready for the first step that is to be simulated: *first is
 * its number; false after a failure. */
bool lone_enter(struct lane *lane, const struct operation *operation, int64_t *first);
void lone_clear(lone *lone);

#endif
