/* The list of collectives. */
#include "collectives.h"

#include <stddef.h>
#include <string.h>

const rh_collective_kind *const rh_collective_kinds[] = {
    &rh_allreduce_ring,        &rh_allgather_ring,     &rh_neighbour_exchange,
    &rh_gather_direct,         &rh_broadcast_direct,   &rh_broadcast_binomial,
    &rh_barrier_dissemination, &rh_allreduce_doubling, NULL};

const rh_collective_kind *rh_collective_find(const char *name)
{
  for (int i = 0; rh_collective_kinds[i] != NULL; i++)
    if (strcmp(rh_collective_kinds[i]->name, name) == 0) return rh_collective_kinds[i];
  return NULL;
}
