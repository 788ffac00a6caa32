/* Graphs: who gossips with whom, and with which weights.
 *
 * Symbols     N workers, W mixing matrix (W_ij: weight that i gives to what j sends), deg out-degree, P period,
 *             |lambda_2| second largest modulus of W's eigenvalues (second singular value if W is not symmetric)
 *
 *     uniform       W_ij = 1 / (in-degree of i + 1)       rows sum to 1
 *     metropolis    W_ij = 1 / (1 + max(deg_i, deg_j))    undirected graphs only; rows and columns sum to 1
 *     push          W_ij = 1 / (out-degree of j + 1)      columns sum to 1, for push-sum
 *
 * On regular graphs the three are one and doubly stochastic: the workers' mean is what an exchange leaves as it is.
 */
#ifndef RH_GRAPH_H
#define RH_GRAPH_H

#include "collective.h"
#include "graph_kind.h"

/* The graph of one round. */
typedef struct rh_graph {
  const char *name; /* of the kind */
  int32_t workers;
  bool directed;
  int weights;              /* enum rh_weights */
  rh_neighbours neighbours; /* arrays owned by the graph; neighbours ascend within a row, no self-loops */
  /* Mixing rows in the order of `in`, with the own weight apart: x_i <- own[i] x_i + sum_k weight[k] x_in[k] */
  double *own;    /* [N] */
  double *weight; /* [in_offset[N]] */
  double lambda2; /* |lambda_2| in closed form; negative when the kind has none for these weights */
} rh_graph;

/* The graphs of all rounds: round t has graph t mod P. */
typedef struct rh_graph_sequence {
  int32_t period;    /* P; 1: the same graph in every round */
  rh_graph *graphs;  /* [P]; owned */
  rh_neighbours all; /* edges of any round; its arrays are the first graph's if P = 1, else owned */
  double lambda2;    /* per round, in closed form; negative when there is none */
} rh_graph_sequence;

/* Builds graphs and weights of every round of a period.
 *
 * returns     RH_EINVAL: all rounds' edges together are not strongly connected, metropolis on a directed graph, a
 *             direction that the kind has not, fewer than 2 workers, what the kind refuses; RH_EIO, RH_EFORMAT: its
 *             file
 * source      Xiao, Boyd, Kim, Distributed average consensus with least-mean-square deviation, JPDC 67(1), 2007
 */
RH_CHECKED rh_status rh_graph_sequence_new(const rh_graph_def *def, rh_graph_sequence *sequence);
void rh_graph_sequence_clear(rh_graph_sequence *sequence);

static inline const rh_graph *rh_graph_at(const rh_graph_sequence *sequence, int64_t t)
{
  return &sequence->graphs[t % sequence->period];
}

/* The same for a kind whose graph is the same in every round. RH_EUNSUPPORTED for another. */
RH_CHECKED rh_status rh_graph_new(const rh_graph_kind *kind, const void *options, int32_t workers, bool directed,
                                  int weights, rh_graph *graph);
void rh_graph_clear(rh_graph *graph);

/* What a method asks of W. Doubly: rows and columns sum to 1; the mean of the models is conserved, agreement too. */
enum rh_mixing { RH_MIXING_DOUBLY, RH_MIXING_ROWS, RH_MIXING_COLUMNS };

/* Whether W is that, to rounding: no sum differs from 1 by more than 1e-9. */
bool rh_graph_mixes(const rh_graph *graph, int mixing);

/* RH_EINVAL, with a sum that is not 1 and the cure, if the weights of some round are not what method `who` asks for. */
RH_CHECKED rh_status rh_graph_sequence_require(const rh_graph_sequence *sequence, int mixing, const char *who);

/* |lambda_2|: the closed form where the graph has one, else numerically. */
RH_CHECKED rh_status rh_graph_lambda2(const rh_graph *graph, double *lambda2);

/* |lambda_2| by power iteration on (W - J)^T (W - J), J = 1/N everywhere: for symmetric W the second largest modulus of
 * an eigenvalue, else the second singular value, which of a W that is not doubly stochastic may be above 1.
 * Relative error below 1e-6, or RH_EUNSUPPORTED (not converged). */
RH_CHECKED rh_status rh_graph_lambda2_numeric(const rh_graph *graph, double *lambda2);

/* Per round: of the product W_P-1 ... W_0 of a period, to the power 1/P. With P = 1 as above. */
RH_CHECKED rh_status rh_graph_sequence_lambda2(const rh_graph_sequence *sequence, double *lambda2);
RH_CHECKED rh_status rh_graph_sequence_lambda2_numeric(const rh_graph_sequence *sequence, double *lambda2);

#endif
