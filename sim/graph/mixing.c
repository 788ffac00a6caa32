/* What the sums of W's rows and columns say: whether an exchange leaves agreement (rows) and the mean
 * (columns) alone. */
#include <math.h>
#include <stdlib.h>

#include "edges.h"
#include "graph.h"

/* Rounding leaves 1e-12 with 4096 neighbours; two degrees below a million that differ leave more than 1e-9. */
static const double rounding = 1e-9;

typedef struct sum {
  int32_t at; /* the row or column; -1: all are 1 */
  double value;
} sum;

static sum first_wrong(const double *sums, int32_t n)
{
  for (int32_t i = 0; i < n; i++)
    if (fabs(sums[i] - 1) > rounding) return (sum){i, sums[i]};
  return (sum){-1, 1};
}

static void check_sums(const rh_graph *graph, sum *row, sum *column)
{
  const rh_neighbours *n = &graph->neighbours;
  double *rows = rh_graph_allocate((size_t)graph->workers, sizeof *rows);
  double *columns = rh_graph_allocate((size_t)graph->workers, sizeof *columns);
  for (int32_t i = 0; i < graph->workers; i++) {
    rows[i] += graph->own[i];
    columns[i] += graph->own[i];
    for (int32_t k = n->in_offset[i]; k < n->in_offset[i + 1]; k++) {
      rows[i] += graph->weight[k];
      columns[n->in[k]] += graph->weight[k];
    }
  }
  *row = first_wrong(rows, graph->workers);
  *column = first_wrong(columns, graph->workers);
  free(rows);
  free(columns);
}

bool rh_graph_mixes(const rh_graph *graph, int mixing)
{
  sum row, column;
  check_sums(graph, &row, &column);
  return (mixing == RH_MIXING_COLUMNS || row.at < 0) && (mixing == RH_MIXING_ROWS || column.at < 0);
}

rh_status rh_graph_sequence_require(const rh_graph_sequence *sequence, int mixing, const char *who)
{
  static const char *const asked[] = {"rows and columns of mixing weights", "rows of mixing weights",
                                      "columns of mixing weights"};
  static const char *const cure[] = {
      "use graph.weights: metropolis on an undirected graph, a graph whose workers all have as many neighbours, or a "
      "method for push weights",
      "use graph.weights: uniform", "use graph.weights: push"};
  static const char *const scheme[] = {"uniform", "metropolis", "push"};
  for (int32_t k = 0; k < sequence->period; k++) {
    const rh_graph *graph = &sequence->graphs[k];
    sum row, column;
    if (rh_graph_mixes(graph, mixing)) continue;
    check_sums(graph, &row, &column);
    const bool by_row = mixing != RH_MIXING_COLUMNS && row.at >= 0;
    const sum wrong = by_row ? row : column;
    return rh_error(RH_EINVAL, "'%s' needs %s that sum to 1; with %s weights %s %d of graph '%s' sums to %.6g: %s", who,
                    asked[mixing], scheme[graph->weights], by_row ? "row" : "column", wrong.at, graph->name,
                    wrong.value, cure[mixing]);
  }
  return RH_OK;
}
