/* Neighbour lists from edges: what graph.c builds graphs of. Private to this folder. */
#ifndef RH_EDGES_H
#define RH_EDGES_H

#include "collective.h"
#include "graph_kind.h"

/* Zeroed memory; stops when it is exhausted. */
void *rh_graph_allocate(size_t count, size_t size);

/* Sorts the edges, drops doubles, and makes the lists of both directions; owned by the caller. */
void rh_edges_neighbours(rh_edges *edges, int32_t workers, rh_neighbours *neighbours);
void rh_edges_clear(rh_edges *edges);
void rh_neighbours_clear(rh_neighbours *neighbours);

/* Whether a path leads from everybody to everybody; if not, `missing` says from whom to whom none does. */
bool rh_neighbours_connected(const rh_neighbours *neighbours, rh_edge *missing);

#endif
