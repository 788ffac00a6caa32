/* Graphs: who gossips with whom, and with which weights.
 *
 * Symbols     N workers, W mixing matrix (W_ij: weight that i gives to what j sends), deg out-degree,
 *             |lambda_2| second largest modulus of W's eigenvalues (second singular value if W is not symmetric)
 * W is row-stochastic; on undirected graphs with Metropolis weights, and on regular ones with uniform weights, doubly.
 */
#ifndef RH_GRAPH_H
#define RH_GRAPH_H

#include "collective.h"
#include "option.h"

typedef struct rh_graph {
  const char *name;
  int32_t workers;
  bool directed;
  rh_neighbours neighbours; /* arrays owned by the graph; neighbours ascend within a row, no self-loops */
  /* Mixing rows in the order of `in`, with the own weight apart: x_i <- own[i] x_i + sum_k weight[k] x_in[k] */
  double *own;    /* [N] */
  double *weight; /* [in_offset[N]] */
  double lambda2; /* |lambda_2| in closed form; negative when the kind has none for these weights */
} rh_graph;

enum rh_weights { RH_WEIGHTS_UNIFORM, RH_WEIGHTS_METROPOLIS };

/* One file each: graph_ring.c, graph_torus.c, graph_complete.c. */
typedef struct rh_graph_kind {
  const char *name, *summary, *source;
  const rh_option *options; /* keys of section `graph`, beside name, directed and weights */
  size_t option_count, options_size;
  /* Calls edge(context, i, j) for every directed edge i -> j, at least once each. RH_EINVAL for an impossible N. */
  RH_CHECKED rh_status (*edges)(const void *options, int32_t workers, bool directed,
                                void (*edge)(void *context, int32_t from, int32_t to), void *context);
  /* Closed form of |lambda_2| with weights 1 / (deg + 1), which on regular graphs both schemes give; negative when
   * there is none. NULL: never. */
  double (*lambda2)(const void *options, int32_t workers, bool directed);
} rh_graph_kind;

extern const rh_graph_kind rh_graph_ring, rh_graph_torus, rh_graph_complete;
extern const rh_graph_kind *const rh_graph_kinds[]; /* NULL-terminated */
const rh_graph_kind *rh_graph_find(const char *name);

/* Builds graph and weights. uniform: W_ij = 1 / (deg_in + 1); metropolis: 1 / (1 + max(deg_i, deg_j)), undirected only.
 * returns     RH_EINVAL: not strongly connected, metropolis on a directed graph, fewer than 2 workers
 * source      Xiao, Boyd, Kim, Distributed average consensus with least-mean-square deviation, JPDC 67(1), 2007 */
RH_CHECKED rh_status rh_graph_new(const rh_graph_kind *kind, const void *options, int32_t workers, bool directed,
                                  int weights, rh_graph *graph);
void rh_graph_clear(rh_graph *graph);

/* |lambda_2|: the closed form where the graph has one, else numerically. */
RH_CHECKED rh_status rh_graph_lambda2(const rh_graph *graph, double *lambda2);

/* |lambda_2| by power iteration on (W - J)^T (W - J), J = 1/N everywhere: for symmetric W the second largest modulus of
 * an eigenvalue, else the second singular value. Relative error below 1e-6, or RH_EUNSUPPORTED (not converged). */
RH_CHECKED rh_status rh_graph_lambda2_numeric(const rh_graph *graph, double *lambda2);

#endif
