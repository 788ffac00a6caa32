/* The kinds of collectives: one file each. */
#ifndef RH_COLLECTIVES_H
#define RH_COLLECTIVES_H

#include "collective.h"

extern const rh_collective_kind rh_allreduce_ring, rh_allgather_ring, rh_neighbour_exchange, rh_gather_direct,
    rh_broadcast_direct, rh_broadcast_binomial, rh_barrier_dissemination, rh_allreduce_doubling;
extern const rh_collective_kind *const rh_collective_kinds[]; /* NULL-terminated */
const rh_collective_kind *rh_collective_find(const char *name);

/* ceil(log2 n), n >= 1. */
static inline int32_t rh_collective_log2(int32_t n)
{
  int32_t exponent = 0;
  while (INT64_C(1) << exponent < n)
    exponent++;
  return exponent;
}

#endif
