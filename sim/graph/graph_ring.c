/* Ring: worker i hears of i - 1 and, undirected, of i + 1 (modulo N).
 *
 * Formula     eigenvalues of the circulant W: undirected (1 + 2 cos t_k) / 3, directed (1 + e^(i t_k)) / 2,
 *             t_k = 2 pi k / N
 */
#include <math.h>

#include "graph_kind.h"

static rh_status edges(const rh_graph_def *def, rh_edges *edges)
{
  for (int32_t i = 0; i < def->workers; i++) {
    int32_t next = (i + 1) % def->workers;
    rh_edges_add(edges, i, next);
    if (!def->directed) rh_edges_add(edges, next, i);
  }
  return RH_OK;
}

static double lambda2(const rh_graph_def *def)
{
  if (def->directed) return cos(M_PI / def->workers);
  if (def->workers == 2) return 0; /* one neighbour: both weights are 1/2 */
  double largest = 0;
  for (int32_t k = 1; k < def->workers; k++)
    largest = fmax(largest, fabs(1 + 2 * cos(2 * M_PI * k / def->workers)) / 3);
  return largest;
}

const rh_graph_kind rh_graph_ring = {
    .name = "ring",
    .summary = "each worker hears of its predecessor and, undirected, of its successor",
    .source = "eigenvalues of circulant matrices: Gray, Toeplitz and circulant matrices, 2006",
    .edges = edges,
    .lambda2 = lambda2,
};
