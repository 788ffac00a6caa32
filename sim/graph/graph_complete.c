/* Complete graph: everybody hears of everybody; W = J, |lambda_2| = 0. */
#include "graph_kind.h"

static rh_status edges(const rh_graph_def *def, rh_edges *edges)
{
  const double count = (double)def->workers * (def->workers - 1);
  if (count > RH_EDGES_MAX)
    return rh_error(RH_EINVAL,
                    "graph 'complete': %d workers would have %.2g edges; at most 4096 workers, or another graph",
                    def->workers, count);
  for (int32_t i = 0; i < def->workers; i++)
    for (int32_t j = 0; j < i; j++)
      rh_edges_add_both(edges, i, j);
  return RH_OK;
}

static double lambda2(const rh_graph_def *def)
{
  (void)def;
  return 0;
}

const rh_graph_kind rh_graph_complete = {
    .name = "complete",
    .summary = "everybody hears of everybody: one exchange averages all",
    .source = "-",
    .edges = edges,
    .lambda2 = lambda2,
};
