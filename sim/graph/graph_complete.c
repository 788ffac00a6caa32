/* Complete graph: everybody hears of everybody; W = J, |lambda_2| = 0. */
#include "graph.h"

/* 16.8 million edges, sorted in seconds; a million workers would have 10^12, more than any memory. */
enum { WORKERS_MAX = 4096 };

static rh_status edges(const void *options, int32_t workers, bool directed,
                       void (*edge)(void *context, int32_t from, int32_t to), void *context)
{
  (void)options;
  (void)directed;
  if (workers > WORKERS_MAX)
    return rh_error(RH_EINVAL,
                    "graph 'complete': %d workers would have %.2g edges; at most %d workers, or another graph", workers,
                    (double)workers * (workers - 1), WORKERS_MAX);
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
