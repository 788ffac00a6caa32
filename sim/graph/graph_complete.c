/* Complete graph: everybody hears of everybody; W = J, |lambda_2| = 0. */
#include "graph.h"

static rh_status edges(const void *options, int32_t workers, bool directed,
                       void (*edge)(void *context, int32_t from, int32_t to), void *context)
{
  (void)options;
  (void)directed;
  for (int32_t i = 0; i < workers; i++)
    for (int32_t j = 0; j < workers; j++)
      if (i != j) edge(context, i, j);
  return RH_OK;
}

static double lambda2(const void *options, int32_t workers, bool directed)
{
  (void)options;
  (void)workers;
  (void)directed;
  return 0;
}

const rh_graph_kind rh_graph_complete = {
    .name = "complete",
    .summary = "everybody hears of everybody: one exchange averages all",
    .source = "-",
    .edges = edges,
    .lambda2 = lambda2,
};
