/* Star: worker 0 hears of everybody, everybody of worker 0 alone.
 *
 * Formula     metropolis weights: W_0j = W_j0 = W_00 = 1/N, W_jj = 1 - 1/N. A vector over the leaves that sums to 0 has
 *             the eigenvalue 1 - 1/N (N - 2 times), and the trace leaves 0 for the last: |lambda_2| = 1 - 1/N, N > 2.
 *             The other weights are not symmetric here.
 */
#include "graph_kind.h"

static rh_status edges(const rh_graph_def *def, rh_edges *edges)
{
  for (int32_t i = 1; i < def->workers; i++)
    rh_edges_add_both(edges, 0, i);
  return RH_OK;
}

static double lambda2(const rh_graph_def *def)
{
  if (def->workers == 2) return 0; /* all weights are 1/2 */
  return def->weights == RH_WEIGHTS_METROPOLIS ? 1 - 1.0 / def->workers : -1;
}

const rh_graph_kind rh_graph_star = {
    .name = "star",
    .summary = "worker 0 in the middle, all others its neighbours and nobody else's",
    .source = "metropolis weights: Xiao, Boyd, Kim, JPDC 67(1), 2007; eigenvalues worked out in its file",
    .direction = RH_GRAPH_UNDIRECTED,
    .edges = edges,
    .lambda2 = lambda2,
};
