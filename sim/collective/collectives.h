/* The kinds of collectives: one file each. */
#ifndef RH_COLLECTIVES_H
#define RH_COLLECTIVES_H

#include "collective.h"

extern const rh_collective_kind rh_allreduce_ring, rh_allgather_ring, rh_neighbour_exchange, rh_gather_direct,
    rh_broadcast_direct, rh_broadcast_binomial, rh_barrier_dissemination, rh_allreduce_doubling,
    rh_allreduce_halving_doubling, rh_allreduce_tree, rh_allreduce_double_tree, rh_allreduce_two_level,
    rh_allreduce_torus, rh_allreduce_server, rh_reduce_scatter_ring, rh_reduce_scatter_halving, rh_allgather_bruck,
    rh_broadcast_chain, rh_alltoall_pairwise;
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

/* same_until of kinds whose steps are all alike. */
int64_t rh_collective_all_alike(const rh_collective *c, int64_t k);

#endif
