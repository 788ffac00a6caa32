/* Kinds of graphs: what a file of this folder offers, and the edges that it makes.
 *
 * Symbols     N workers, P period: the graph of round t is graph t mod P of the kind, P = 1 unless it says otherwise
 */
#ifndef RH_GRAPH_KIND_H
#define RH_GRAPH_KIND_H

#include "option.h"

typedef struct rh_graph_kind rh_graph_kind;

/* A graph as it is asked for. Everything is borrowed. */
typedef struct rh_graph_def {
  const rh_graph_kind *kind;
  const void *options; /* of the kind */
  const char *file;    /* where the file that the options name was found; NULL: read it as it is named */
  int32_t workers;     /* N */
  bool directed;
  int weights; /* enum rh_weights */
} rh_graph_def;

enum rh_weights { RH_WEIGHTS_UNIFORM, RH_WEIGHTS_METROPOLIS, RH_WEIGHTS_PUSH };

typedef struct rh_edge {
  int32_t from, to;
} rh_edge;

/* Directed edges in the making. */
typedef struct rh_edges {
  int32_t round;   /* whose edges are asked for: 0 .. P - 1 */
  int32_t attempt; /* of a random kind: how many graphs drawn before were not connected */
  rh_edge *list;   /* owned */
  size_t count, size;
} rh_edges;

/* Adds the edge from -> to. Doubles count once, self-loops never: every worker has a weight of its own anyway. */
void rh_edges_add(rh_edges *edges, int32_t from, int32_t to);
/* Adds i -> j and j -> i. */
void rh_edges_add_both(rh_edges *edges, int32_t i, int32_t j);

/* More edges than this are refused: sorted in seconds. Those of a complete graph of 4096. */
#define RH_EDGES_MAX (4096 * 4095)

enum rh_graph_direction { RH_GRAPH_EITHER, RH_GRAPH_UNDIRECTED, RH_GRAPH_DIRECTED };

struct rh_graph_kind {
  const char *name, *summary, *source;
  const rh_option *options; /* keys of section `graph`, beside name, directed and weights */
  size_t option_count, options_size;
  int direction; /* enum rh_graph_direction: which values of `directed` it has */
  bool random;   /* `edges` is asked again, with the next attempt, until the graph is connected or it refuses */
  /* The name of the file that the kind reads, from its options; NULL: none. */
  const char *(*file)(const void *options);
  /* P; NULL: 1. Called after N and the options have passed `edges` for round 0. */
  int32_t (*period)(const rh_graph_def *def);
  /* Adds the edges of edges->round. RH_EINVAL for an impossible N. */
  RH_CHECKED rh_status (*edges)(const rh_graph_def *def, rh_edges *edges);
  /* Closed form of |lambda_2|, for P > 1 as in rh_graph_sequence_lambda2; negative when there is none for these
   * weights. NULL: never. */
  double (*lambda2)(const rh_graph_def *def);
};

/* One file each: graph_ring.c, graph_torus.c, ... */
extern const rh_graph_kind rh_graph_ring, rh_graph_torus, rh_graph_complete, rh_graph_star, rh_graph_hypercube,
    rh_graph_exponential, rh_graph_one_peer, rh_graph_random_regular, rh_graph_erdos_renyi, rh_graph_dyck,
    rh_graph_social, rh_graph_file;
extern const rh_graph_kind *const rh_graph_kinds[]; /* NULL-terminated */
const rh_graph_kind *rh_graph_find(const char *name);

#endif
