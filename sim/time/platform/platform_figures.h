/* Figures of merit of a platform: diameter, bisection bandwidth, an all-reduce in closed form. For
 * `rehearse platform`. */
#ifndef RH_PLATFORM_FIGURES_H
#define RH_PLATFORM_FIGURES_H

#include "platform_shape.h"

typedef struct platform_figures {
  /* links and latency of the longest route, where a formula tells it; 0: none does */
  int32_t diameter_links;
  double diameter_s;
  /* byte/s that can cross between halves of the hosts, one way; 0: not known */
  double bisection_Bps;
  bool bisection_exact; /* else at most so much */
  int32_t cuts;         /* of a bound: how many halves were tried */
  bool cuts_sampled;    /* and whether between them only some pairs were looked at */
  const char *how;      /* formula and source */
  /* a ring all-reduce of 100 MB without contention, in rank order; 0: not known */
  double allreduce_s;
  double ring_latency_s, ring_bandwidth_Bps; /* of the slowest of its routes, with the model's factors */
} platform_figures;

/* Asks for all routes of the ring over all ranks, and for the pairs between some halves. Pairs without a route leave
 * what they concern unknown. `trying` as in rh_platform_describe. */
RH_CHECKED rh_status platform_figures_gather(rh_platform *platform, void (*trying)(int32_t from, int32_t to),
                                             platform_figures *figures);

/* An upper bound of what can cross from one half of the ranks to the other (platform_bisection.c).
 *
 * cuts        out: halves tried
 * sampled     out: were only some pairs of each looked at?
 * returns     byte/s; INFINITY if some route shares no link with another; 0 if a pair has no route
 */
double platform_bisection_bound(rh_platform *platform, void (*trying)(int32_t from, int32_t to), int32_t *cuts,
                                bool *sampled);

#endif
