/* What a link can carry when its bandwidth or its state changes with time: the sum of its bandwidth over seconds.
 *
 * Changes are told in their order, from 0 s on. Up to CAPACITY_STEPS of them are kept as they are; of more, every other
 * one is dropped when the room is used up, and in between the mean of what was there is taken: sums between two kept
 * changes stay exact.
 *
 * A link is *down* while it is off, or slower than a millionth of the fastest that it was: profiles that may not take a
 * link away (of split-duplex links in SimGrid 3.32) let it stall instead.
 */
#ifndef RH_CAPACITY_H
#define RH_CAPACITY_H

#include <stdbool.h>
#include <stdint.h>

enum { RH_CAPACITY_STEPS = 1024 };

typedef struct rh_capacity_step {
  double at_s;
  double bytes; /* that the link could carry before */
} rh_capacity_step;

typedef struct rh_capacity {
  rh_capacity_step steps[RH_CAPACITY_STEPS];
  int32_t count;   /* at least 1 */
  double rate_Bps; /* since the last step; 0: off */
  double most_Bps;
  double down_s; /* until the last change */
  double changed_s;
} rh_capacity;

/* A link of that bandwidth from 0 s on. most_Bps: what it may have at another time; owned by the caller, to free(). */
rh_capacity *rh_capacity_new(double rate_Bps, double most_Bps);
/* Its bandwidth from at_s on, no earlier than the last change; 0: it is off. */
void rh_capacity_change(rh_capacity *capacity, double at_s, double rate_Bps);
/* Bytes between two times, from_s <= to_s. */
double rh_capacity_bytes(const rh_capacity *capacity, double from_s, double to_s);
/* Its bandwidth, byte/s, just after a time; and when it changes next, INFINITY: no more. */
double rh_capacity_rate(const rh_capacity *capacity, double at_s, double *until_s);
/* Does that count as down? */
bool rh_capacity_is_down(const rh_capacity *capacity, double rate_Bps);
/* Seconds before until_s, no earlier than the last change, in which it was down. */
double rh_capacity_down_s(const rh_capacity *capacity, double until_s);

#endif
