/* The network as a picture: which nodes the links that were used join, and where each node is drawn.
 *
 * SimGrid knows routes, lists of links from host to host; what lies between two links has no name there. So the nodes
 * are found from the routes that the run asked for: two links that follow one another meet in a switch. Links with the
 * names X_UP and X_DOWN are the two directions of one cable. A Wi-Fi link is a node of its own, the air, which every
 * station reaches.
 *
 * Positions follow the platform's kind: layers of a fat-tree, the grid of a torus, groups of a dragonfly, a circle
 * around one switch; all others are laid out by forces (Fruchterman, Reingold, Software: Practice and Experience 21,
 * 1991), with hosts around the switch that they hang on. Coordinates have no unit; y points down.
 */
#ifndef RH_NETWORK_H
#define RH_NETWORK_H

#include "platform.h"

typedef enum rh_node_kind { RH_NODE_HOST, RH_NODE_SWITCH, RH_NODE_AIR } rh_node_kind;

typedef struct rh_network_node {
  rh_node_kind kind;
  const char *name; /* of a host or a Wi-Fi link, borrowed from the platform; "" for a switch */
  int32_t rank;     /* the first on this host; -1: no host */
  double x, y;
} rh_network_node;

/* A link between two nodes, in the direction in which it was first used. A Wi-Fi link has a line for each station. */
typedef struct rh_network_line {
  int32_t link; /* for rh_platform_link_* */
  int32_t from, to;
} rh_network_line;

typedef struct rh_network {
  const char *layout;     /* "star", "fat-tree", "torus", "dragonfly", "force" */
  rh_network_node *nodes; /* [node_count] owned */
  rh_network_line *lines; /* [line_count] owned */
  int32_t node_count, line_count;
} rh_network;

/* The network of all routes asked for so far, in an order that depends on them alone. A platform whose file cannot be
 * read again is laid out by forces. */
void rh_network_find(const rh_platform *platform, rh_network *network);
void rh_network_clear(rh_network *network);

#endif
