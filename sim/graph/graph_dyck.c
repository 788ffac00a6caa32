/* Dyck graph: 32 workers with three neighbours each, very symmetric.
 *
 * Data        LCF notation [5, -5, 13, -13]^8: the ring of 32, and from worker i a chord to i + shift[i mod 4]
 * Formula     spectrum of the graph 3, sqrt 5 (6), 1 (9), -1 (9), -sqrt 5 (6), -3; W = (1 + A) / 4:
 *             |lambda_2| = (1 + sqrt 5) / 4 = 0.8090
 */
#include <math.h>

#include "graph_kind.h"

enum { VERTICES = 32 };

static rh_status edges(const rh_graph_def *def, rh_edges *edges)
{
  static const int32_t shift[4] = {5, -5, 13, -13};
  if (def->workers != VERTICES)
    return rh_error(RH_EINVAL, "graph 'dyck' has 32 vertices, not %d; use platform.workers: 32, or another graph",
                    def->workers);
  for (int32_t i = 0; i < VERTICES; i++) {
    rh_edges_add_both(edges, i, (i + 1) % VERTICES);
    rh_edges_add_both(edges, i, (i + shift[i % 4] + VERTICES) % VERTICES);
  }
  return RH_OK;
}

static double lambda2(const rh_graph_def *def)
{
  (void)def;
  return (1 + sqrt(5)) / 4;
}

const rh_graph_kind rh_graph_dyck = {
    .name = "dyck",
    .summary = "Dyck's symmetric graph of 32 workers with three neighbours each",
    .source = "Frucht, A canonical representation of trivalent Hamiltonian graphs, J. Graph Theory 1, 1977 (LCF); "
              "Dyck, Math. Ann. 17, 1881",
    .direction = RH_GRAPH_UNDIRECTED,
    .edges = edges,
    .lambda2 = lambda2,
};
