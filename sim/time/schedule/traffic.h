/* Traffic: bytes, busy seconds and bytes over time of links, seconds of ranks, from what SimGrid says of each transfer
 * and execution.
 *
 * Bytes are sums along routes, as integers; seconds are unions of intervals. Each transfer is told once, when its
 * sender has seen it end.
 */
#ifndef RH_TRAFFIC_H
#define RH_TRAFFIC_H

#include "bins.h"
#include "busy.h"
#include "pairs.h"
#include "schedule.h"

typedef struct rh_traffic_link {
  int64_t bytes;
  rh_busy busy;
  rh_busy stalled; /* while it was down */
  rh_link_ends ends;
} rh_traffic_link;

typedef struct rh_traffic_rank {
  rh_busy communication; /* first what every transfer needs: 48 bytes, of one line of the cache */
  int64_t sent_bytes, received_bytes, sent_messages;
  rh_busy compute;
  rh_busy encode, decode; /* parts of compute */
  double both_s;          /* of what was folded */
} rh_traffic_rank;

typedef struct rh_traffic {
  int32_t link_count, rank_count;
  rh_traffic_link *links;      /* [link_count], owned */
  rh_traffic_rank *ranks;      /* [rank_count], owned */
  const int32_t *zones;        /* [rank_count], of ranks; borrowed; NULL: not known */
  const rh_platform *changing; /* whose links change with time; borrowed; NULL: none does */
  rh_bins bins;                /* of links */
  rh_pairs pairs;              /* of ranks */
  /* Times that nothing told later can precede: of transfers (any), and of one rank's executions. */
  double (*transfer_floor)(const void *context);
  double (*compute_floor)(const void *context, int32_t rank);
  const void *context;
  double floor_s; /* the last transfer floor */
  int64_t told;   /* transfers and executions since it was asked for */
  double hold_s;  /* nothing behind it is folded; INFINITY: no such time */
  /* What rh_traffic_skip put in last: rh_traffic_add spreads bytes over it. */
  double span_start_s, span_finish_s;
  /* Bytes and messages told or added while `counting`: [links], then three times [ranks]: bytes sent, bytes received,
   * messages sent; owned; NULL until rh_traffic_count_begin */
  int64_t *counts;
  bool counting;
} rh_traffic;

/* Busy seconds of everything before one time, or between two. A rank's time is that of the transfers, or earlier, when
 * its execution under way began. */
typedef struct rh_traffic_mark {
  double at_s;                              /* of the transfers */
  double *links;                            /* [link_count], owned */
  double *compute, *encode, *decode;        /* [rank_count], as the next ones of one allocation that `links` owns */
  double *communication, *both, *rank_at_s; /* likewise */
} rh_traffic_mark;

/* Sizes the tables of a traffic whose floors and context are set. */
void rh_traffic_init(rh_traffic *traffic, int32_t links, int32_t ranks);
/* The links' ends are told apart, since a pair's are always the same. */
void rh_traffic_transfer(rh_traffic *traffic, int32_t from, int32_t to, const rh_route *route, int64_t bytes,
                         double start_s, double finish_s);
/* A pair of ranks that makes transfers: once is enough. */
void rh_traffic_ends(rh_traffic *traffic, int32_t from, int32_t to, const rh_route *route);
/* What computing is counted as: in whole only, or in a part that is told apart as well. */
typedef enum rh_traffic_part { RH_PART_NONE, RH_PART_ENCODE, RH_PART_DECODE } rh_traffic_part;
rh_traffic_part rh_traffic_part_of(const char *label);
void rh_traffic_compute(rh_traffic *traffic, int32_t rank, const char *label, double start_s, double finish_s);
/* `times` transfers of lone_s seconds each, of which no two overlap with each other nor with any other on a link: all
 * of them but their bins and the ranks' seconds. */
void rh_traffic_lone(rh_traffic *traffic, int32_t from, int32_t to, const rh_route *route, int64_t bytes, int64_t times,
                     double lone_s);
/* Communication of a rank: what is folded in `busy` overlaps with nothing else it does; its list begins shift_s earlier
 * than its times here. */
void rh_traffic_busy(rh_traffic *traffic, int32_t rank, const rh_busy *busy, double shift_s);
/* Bytes over a route between two times, in the bins alone: evenly, or as the slowest link's bandwidth changes. */
void rh_traffic_spread(rh_traffic *traffic, const rh_route *route, int64_t bytes, double start_s, double finish_s);
/* The same where links change (traffic_changes.c). */
void traffic_spread_changing(rh_traffic *traffic, const rh_route *route, int64_t bytes, double start_s,
                             double finish_s);
/* A transfer over a link that changes: which part of it found the link down? */
void traffic_stall(rh_traffic *traffic, int32_t link, double start_s, double finish_s);
double traffic_floor(rh_traffic *traffic);
rh_rank_time rh_traffic_rank_time(const rh_traffic *traffic, int32_t rank, double end_s);
rh_link_time rh_traffic_link_time(const rh_traffic *traffic, int32_t link);

/* Sums up what lies before at_s: no transfer told later begins there, nothing behind it was folded. Again after the
 * first time for the same mark. */
void rh_traffic_mark_at(const rh_traffic *traffic, double at_s, rh_traffic_mark *mark);
/* What was marked becomes what lies between then and at_s. Returns by how much a rank's time has moved otherwise than
 * that of the transfers, at most. */
double rh_traffic_mark_since(const rh_traffic *traffic, double at_s, rh_traffic_mark *mark);
/* What lies between, divided by `parts` of equal length. */
void rh_traffic_mark_divide(const rh_traffic *traffic, rh_traffic_mark *mark, int64_t parts);
void rh_traffic_mark_clear(rh_traffic_mark *mark);
/* A transfer told `times` times that took place in the span which rh_traffic_skip put in last: in the bins its bytes
 * are spread evenly over it. */
void rh_traffic_add(rh_traffic *traffic, int32_t from, int32_t to, const rh_route *route, int64_t bytes, int64_t times);
/* Puts in, at at_s, `times` spans of time, each as busy as `busy` (of rh_traffic_mark_since) says. */
void rh_traffic_skip(rh_traffic *traffic, const rh_traffic_mark *busy, double at_s, double span_s, int64_t times);
/* Counts from 0, what is told while `counting` is set. */
void rh_traffic_count_begin(rh_traffic *traffic);
/* Adds what was counted `times` times, in the span which rh_traffic_skip put in last; returns messages. */
int64_t rh_traffic_count_add(rh_traffic *traffic, int64_t times);
void rh_traffic_clear(rh_traffic *traffic);

#endif
