#include "graph.h"

#include <stdlib.h>
#include <string.h>

const rh_graph_kind *const rh_graph_kinds[] = {&rh_graph_ring, &rh_graph_torus, &rh_graph_complete, NULL};

const rh_graph_kind *rh_graph_find(const char *name)
{
  for (size_t i = 0; rh_graph_kinds[i]; i++)
    if (strcmp(rh_graph_kinds[i]->name, name) == 0) return rh_graph_kinds[i];
  return NULL;
}

typedef struct edge {
  int32_t from, to;
} edge;

typedef struct edge_list {
  edge *list;
  size_t count, size;
} edge_list;

static void edge_add(void *context, int32_t from, int32_t to)
{
  edge_list *edges = context;
  if (from == to) return;
  if (edges->count == edges->size) {
    edges->size = edges->size ? 2 * edges->size : 256;
    edge *list = realloc(edges->list, edges->size * sizeof *list);
    RH_ASSERT(list && "memory is exhausted");
    edges->list = list;
  }
  edges->list[edges->count++] = (edge){from, to};
}

static int by_from(const void *left, const void *right)
{
  const edge *a = left, *b = right;
  return a->from != b->from ? (a->from < b->from ? -1 : 1) : (a->to > b->to) - (a->to < b->to);
}

static int by_to(const void *left, const void *right)
{
  const edge *a = left, *b = right;
  return a->to != b->to ? (a->to < b->to ? -1 : 1) : (a->from > b->from) - (a->from < b->from);
}

static void *allocate(size_t count, size_t size)
{
  void *memory = calloc(count ? count : 1, size);
  RH_ASSERT(memory && "memory is exhausted");
  return memory;
}

/* Rows of neighbours from edges sorted by `row` end; duplicates are dropped by the caller. */
static void fill_rows(const edge_list *edges, bool out, int32_t workers, const int32_t **offset, const int32_t **list)
{
  int32_t *start = allocate((size_t)workers + 1, sizeof *start), *ends = allocate(edges->count, sizeof *ends);
  for (size_t k = 0; k < edges->count; k++) {
    start[(out ? edges->list[k].from : edges->list[k].to) + 1]++;
    ends[k] = out ? edges->list[k].to : edges->list[k].from;
  }
  for (int32_t i = 0; i < workers; i++)
    start[i + 1] += start[i];
  *offset = start;
  *list = ends;
}

static void drop_duplicates(edge_list *edges)
{
  size_t kept = 0;
  for (size_t k = 0; k < edges->count; k++)
    if (kept == 0 || by_from(&edges->list[kept - 1], &edges->list[k]) != 0) edges->list[kept++] = edges->list[k];
  edges->count = kept;
}

/* How many workers can be reached from worker 0 along (out) or against the edges. */
static int32_t reached(const int32_t *offset, const int32_t *list, int32_t workers)
{
  bool *seen = allocate((size_t)workers, sizeof *seen);
  int32_t *queue = allocate((size_t)workers, sizeof *queue);
  int32_t count = 1;
  seen[0] = true;
  for (int32_t head = 0; head < count; head++) {
    for (int32_t k = offset[queue[head]]; k < offset[queue[head] + 1]; k++) {
      if (seen[list[k]]) continue;
      seen[list[k]] = true;
      queue[count++] = list[k];
    }
  }
  free(seen);
  free(queue);
  return count;
}

static int32_t degree(const int32_t *offset, int32_t i)
{
  return offset[i + 1] - offset[i];
}

static void fill_weights(rh_graph *graph, int weights)
{
  const rh_neighbours *n = &graph->neighbours;
  graph->own = allocate((size_t)graph->workers, sizeof *graph->own);
  graph->weight = allocate((size_t)n->in_offset[graph->workers], sizeof *graph->weight);
  for (int32_t i = 0; i < graph->workers; i++) {
    int32_t mine = degree(n->in_offset, i);
    graph->own[i] = 1;
    for (int32_t k = n->in_offset[i]; k < n->in_offset[i + 1]; k++) {
      int32_t theirs = degree(n->in_offset, n->in[k]);
      int32_t larger = weights == RH_WEIGHTS_METROPOLIS && theirs > mine ? theirs : mine;
      graph->weight[k] = 1.0 / (1 + larger);
      graph->own[i] -= graph->weight[k];
    }
  }
}

rh_status rh_graph_new(const rh_graph_kind *kind, const void *options, int32_t workers, bool directed, int weights,
                       rh_graph *graph)
{
  rh_status status = RH_OK;
  edge_list edges = {0};
  *graph = (rh_graph){.name = kind->name, .workers = workers, .directed = directed, .lambda2 = -1};
  if (workers < 2)
    return rh_error(RH_EINVAL, "graph '%s': gossip needs at least 2 workers, not %d", kind->name, workers);
  if (directed && weights == RH_WEIGHTS_METROPOLIS)
    return rh_error(RH_EINVAL, "graph '%s': metropolis weights need an undirected graph; use weights: uniform",
                    kind->name);
  RH_TRY(kind->edges(options, workers, directed, edge_add, &edges));
  if (edges.count) qsort(edges.list, edges.count, sizeof *edges.list, by_from);
  drop_duplicates(&edges);
  rh_neighbours *n = &graph->neighbours;
  n->workers = workers;
  fill_rows(&edges, true, workers, &n->out_offset, &n->out);
  if (edges.count) qsort(edges.list, edges.count, sizeof *edges.list, by_to);
  fill_rows(&edges, false, workers, &n->in_offset, &n->in);
  if (reached(n->out_offset, n->out, workers) < workers || reached(n->in_offset, n->in, workers) < workers) {
    status = rh_error(RH_EINVAL, "graph '%s' of %d workers is not connected: some would never hear of others",
                      kind->name, workers);
    goto done;
  }
  fill_weights(graph, weights);
  if (kind->lambda2) graph->lambda2 = kind->lambda2(options, workers, directed);
done:
  free(edges.list);
  if (status != RH_OK) rh_graph_clear(graph);
  return status;
}

void rh_graph_clear(rh_graph *graph)
{
  /* the graph owns these; collectives see them as const */
  free((void *)graph->neighbours.out_offset);
  free((void *)graph->neighbours.out);
  free((void *)graph->neighbours.in_offset);
  free((void *)graph->neighbours.in);
  free(graph->own);
  free(graph->weight);
  *graph = (rh_graph){0};
}
