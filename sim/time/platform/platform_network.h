/* The layouts of a network. For platform_network.c, platform_layout.c and platform_force.c alone. */
#ifndef RH_PLATFORM_NETWORK_H
#define RH_PLATFORM_NETWORK_H

#include "network.h"
#include "platform_shape.h"

/* Neighbours of nodes: of node i those from start[i] to start[i + 1], each once, ascending. */
typedef struct network_graph {
  int32_t *start;      /* [nodes + 1] owned */
  int32_t *neighbours; /* owned with `start` */
} network_graph;

void network_graph_find(const rh_network *network, network_graph *graph);
void network_graph_clear(network_graph *graph);

/* Positions by kind; places: [workers] the rank's host among all hosts of the platform, in natural order. */
void network_layout(rh_network *network, const network_graph *graph, const platform_shape *shape,
                    const int32_t *places);
/* Positions by forces. */
void network_force(rh_network *network, const network_graph *graph);

#endif
