/* The bottleneck of a run: what its simulated seconds were spent on, in a sentence with the numbers behind it.
 *
 * Symbols     T elapsed seconds; of rank i: c computing, m communicating, w neither; C the most that a rank computes;
 *             M how long the run communicated: the longest that any rank or link was busy with transfers; of a link:
 *             q bytes, b its bandwidth, u its busy seconds
 *
 * The rule, in this order:
 *   1. C >= T / 2: computing is the larger part.
 *        straggler     C >= 1.25 median(c): the slowest rank, and how many more are that slow
 *        compute       else: ranks are alike
 *   2. Else time goes into communication. Where profiles change links, d is how long messages waited for one that was
 *      down, at most:
 *        down          d / M >= 1/2: mostly a link was not there
 *      Else the measure is the link with the highest mean load q / (b T):
 *        link          q / (b M) >= 1/2: it is loaded for most of the time that is communicated
 *        waiting       q / (b u) >= 1/2: loaded while it is busy, which is seldom; and ranks wait for one another:
 *                      the mean of w is T / 10 or more
 *        links         likewise, but ranks hardly wait: now one link is loaded, now another
 *        latency       else, or without links: a transfer spends more time on its latency than on its bytes, or, over
 *                      a long path, TCP's window lets through less than the link carries: then that is said, too
 *   3. With T / 3 < C < 2 T / 3 both parts count: the other one is said, too.
 *
 * Of links that are loaded alike, to a thousandth, the one that is busy longest is taken: its transfers are the slow
 * ones.
 *
 * A link is named with what all of its transfers have in common, where they do: a rank (a server's way in) or a zone
 * (a site's way out). The halves and thirds are where one part outweighs the other; jitter of some percent stays below
 * 1.25, however many ranks there are.
 */
#ifndef RH_BOTTLENECK_H
#define RH_BOTTLENECK_H

#include "record.h"
#include "text.h"

typedef enum rh_bottleneck_kind {
  RH_BOTTLENECK_NONE, /* no simulated time, or no ranks: nothing can be said */
  RH_BOTTLENECK_COMPUTE,
  RH_BOTTLENECK_STRAGGLER,
  RH_BOTTLENECK_DOWN,
  RH_BOTTLENECK_LINK,
  RH_BOTTLENECK_WAITING,
  RH_BOTTLENECK_LINKS,
  RH_BOTTLENECK_LATENCY,
  RH_BOTTLENECK_KINDS
} rh_bottleneck_kind;

typedef struct rh_bottleneck {
  rh_bottleneck_kind kind;  /* of the larger part */
  rh_bottleneck_kind other; /* of the other part, if it counts; else NONE */
  double elapsed_s;
  /* shares of T */
  double compute, median_compute; /* of the slowest rank, and of the median one */
  double waiting, hidden;         /* means over ranks: neither computing nor communicating; both at once */
  double coding;                  /* of what the slowest rank computes: encoding and decoding messages */
  const rh_rank_row *slowest;     /* borrowed */
  int32_t straggler_count;        /* ranks that compute 1.25 times as long as the median one, or longer */
  const rh_link_row *link;        /* with the highest mean load; borrowed; NULL: nothing was sent over a link */
  const rh_link_row *stalled;     /* the link that messages waited for longest; borrowed; NULL: for none */
  double communication_stalled;   /* d / M */
  double communication_load;      /* q / (b M), at most 1 where b, which is then a mean over T, changes */
  double busy_load;               /* q / (b u) */
} rh_bottleneck;

/* Finds it. Rows are borrowed by the result. */
void rh_bottleneck_find(const rh_rank_row *ranks, int32_t rank_count, const rh_link_row *links, int32_t link_count,
                        double elapsed_s, rh_bottleneck *bottleneck);
/* Appends it as sentences, without a line's end; nothing for NONE. */
void rh_bottleneck_write(const rh_bottleneck *bottleneck, rh_text *out);
/* "compute", "straggler", ... */
const char *rh_bottleneck_name(rh_bottleneck_kind kind);

#endif
