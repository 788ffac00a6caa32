/* Hypercube: N = 2^d workers, neighbours differ in one of the d bits of their ranks.
 *
 * Formula     eigenvalues (1 + d - 2k) / (d + 1), k = 0 .. d:  |lambda_2| = (d - 1) / (d + 1)
 */
#include "graph_kind.h"

static rh_status edges(const rh_graph_def *def, rh_edges *edges)
{
  const int32_t n = def->workers;
  if (n & (n - 1))
    return rh_error(RH_EINVAL,
                    "graph 'hypercube': %d workers are no power of two; use %d, or graph: {name: exponential}", n,
                    1 << (31 - __builtin_clz((unsigned)n)));
  for (int32_t i = 0; i < n; i++)
    for (int32_t bit = 1; bit < n; bit *= 2)
      rh_edges_add(edges, i, i ^ bit);
  return RH_OK;
}

static double lambda2(const rh_graph_def *def)
{
  const int dimensions = __builtin_ctz((unsigned)def->workers);
  return (dimensions - 1.0) / (dimensions + 1.0);
}

const rh_graph_kind rh_graph_hypercube = {
    .name = "hypercube",
    .summary = "neighbours differ in one bit of their ranks; for 2^d workers, d neighbours each",
    .source = "eigenvalues: Brouwer and Haemers, Spectra of graphs, 2012, section 1.4.6",
    .direction = RH_GRAPH_UNDIRECTED,
    .edges = edges,
    .lambda2 = lambda2,
};
