/* The kinds of collectives: one file each. */
#ifndef RH_COLLECTIVES_H
#define RH_COLLECTIVES_H

#include "collective.h"

extern const rh_collective_kind rh_allreduce_ring, rh_allgather_ring, rh_neighbour_exchange, rh_gather_direct,
    rh_broadcast_direct;
extern const rh_collective_kind *const rh_collective_kinds[]; /* NULL-terminated */
const rh_collective_kind *rh_collective_find(const char *name);

#endif
