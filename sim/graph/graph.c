#include "graph.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "edges.h"

const rh_graph_kind *const rh_graph_kinds[] = {&rh_graph_ring,
                                               &rh_graph_torus,
                                               &rh_graph_complete,
                                               &rh_graph_star,
                                               &rh_graph_hypercube,
                                               &rh_graph_exponential,
                                               &rh_graph_one_peer,
                                               &rh_graph_random_regular,
                                               &rh_graph_erdos_renyi,
                                               &rh_graph_dyck,
                                               &rh_graph_social,
                                               &rh_graph_file,
                                               NULL};

const rh_graph_kind *rh_graph_find(const char *name)
{
  for (size_t i = 0; rh_graph_kinds[i]; i++)
    if (strcmp(rh_graph_kinds[i]->name, name) == 0) return rh_graph_kinds[i];
  return NULL;
}

static int32_t degree(const int32_t *offset, int32_t i)
{
  return offset[i + 1] - offset[i];
}

static double weight_of(const rh_graph *graph, int32_t i, int32_t j)
{
  const rh_neighbours *n = &graph->neighbours;
  const int32_t mine = degree(n->in_offset, i), theirs = degree(n->in_offset, j);
  if (graph->weights == RH_WEIGHTS_PUSH) return 1.0 / (1 + degree(n->out_offset, j));
  if (graph->weights == RH_WEIGHTS_METROPOLIS && theirs > mine) return 1.0 / (1 + theirs);
  return 1.0 / (1 + mine);
}

static void fill_weights(rh_graph *graph)
{
  const rh_neighbours *n = &graph->neighbours;
  graph->own = rh_graph_allocate((size_t)graph->workers, sizeof *graph->own);
  graph->weight = rh_graph_allocate((size_t)n->in_offset[graph->workers], sizeof *graph->weight);
  for (int32_t i = 0; i < graph->workers; i++) {
    graph->own[i] = 1;
    for (int32_t k = n->in_offset[i]; k < n->in_offset[i + 1]; k++) {
      graph->weight[k] = weight_of(graph, i, n->in[k]);
      graph->own[i] -= graph->weight[k];
    }
    if (graph->weights == RH_WEIGHTS_PUSH) graph->own[i] = weight_of(graph, i, i);
  }
}

static rh_status check_def(const rh_graph_def *def)
{
  const char *name = def->kind->name;
  if (def->workers < 2)
    return rh_error(RH_EINVAL, "graph '%s': gossip needs at least 2 workers, not %d", name, def->workers);
  if (def->directed && def->kind->direction == RH_GRAPH_UNDIRECTED)
    return rh_error(RH_EINVAL, "graph '%s' has no directed form; leave graph.directed out, or take ring, torus or file",
                    name);
  if (!def->directed && def->kind->direction == RH_GRAPH_DIRECTED)
    return rh_error(RH_EINVAL, "graph '%s' is directed; use graph.directed: on, or leave it out", name);
  if (def->directed && def->weights == RH_WEIGHTS_METROPOLIS)
    return rh_error(RH_EINVAL, "graph '%s': metropolis weights need an undirected graph; use weights: uniform", name);
  return RH_OK;
}

/* The graph of edges->round; its edges are added to `all`, too. */
static rh_status build(const rh_graph_def *def, rh_edges *edges, rh_edges *all, rh_graph *graph)
{
  *graph = (rh_graph){.name = def->kind->name,
                      .workers = def->workers,
                      .directed = def->directed,
                      .weights = def->weights,
                      .lambda2 = -1};
  rh_status status = def->kind->edges(def, edges);
  if (status != RH_OK) return status;
  rh_edges_neighbours(edges, def->workers, &graph->neighbours);
  for (size_t k = 0; all && k < edges->count; k++)
    rh_edges_add(all, edges->list[k].from, edges->list[k].to);
  fill_weights(graph);
  return RH_OK;
}

/* All rounds of one attempt. */
static rh_status build_all(const rh_graph_def *def, int32_t attempt, rh_graph_sequence *s)
{
  rh_status status = RH_OK;
  rh_edges edges = {.attempt = attempt}, all = {0};
  s->graphs = rh_graph_allocate(1, sizeof *s->graphs);
  s->period = 1;
  RH_TRY(build(def, &edges, &all, &s->graphs[0]));
  const int32_t period = def->kind->period ? def->kind->period(def) : 1;
  if (period > 1) {
    rh_graph first = s->graphs[0];
    free(s->graphs);
    s->graphs = rh_graph_allocate((size_t)period, sizeof *s->graphs);
    s->graphs[0] = first;
    s->period = period;
  }
  for (int32_t round = 1; round < period; round++) {
    edges.round = round;
    edges.count = 0;
    RH_TRY(build(def, &edges, &all, &s->graphs[round]));
  }
  if (period > 1)
    rh_edges_neighbours(&all, def->workers, &s->all);
  else
    s->all = s->graphs[0].neighbours;
done:
  rh_edges_clear(&edges);
  rh_edges_clear(&all);
  return status;
}

rh_status rh_graph_sequence_new(const rh_graph_def *def, rh_graph_sequence *sequence)
{
  rh_status status = RH_OK;
  *sequence = (rh_graph_sequence){.lambda2 = -1};
  RH_TRY(check_def(def));
  for (int32_t attempt = 0;; attempt++) {
    rh_edge missing;
    RH_TRY(build_all(def, attempt, sequence));
    if (rh_neighbours_connected(&sequence->all, &missing)) break;
    if (!def->kind->random) {
      status = rh_error(RH_EINVAL,
                        "graph '%s' of %d workers is not connected: no path leads from worker %d to worker %d; add an "
                        "edge, or choose another graph",
                        def->kind->name, def->workers, missing.from, missing.to);
      goto done;
    }
    rh_graph_sequence_clear(sequence);
  }
  sequence->lambda2 = def->kind->lambda2 ? def->kind->lambda2(def) : -1;
  if (sequence->period == 1) sequence->graphs[0].lambda2 = sequence->lambda2;
done:
  if (status != RH_OK) rh_graph_sequence_clear(sequence);
  return status;
}

void rh_graph_sequence_clear(rh_graph_sequence *sequence)
{
  if (sequence->period > 1) rh_neighbours_clear(&sequence->all);
  for (int32_t k = 0; k < sequence->period; k++)
    rh_graph_clear(&sequence->graphs[k]);
  free(sequence->graphs);
  *sequence = (rh_graph_sequence){.lambda2 = -1};
}

rh_status rh_graph_new(const rh_graph_kind *kind, const void *options, int32_t workers, bool directed, int weights,
                       rh_graph *graph)
{
  const rh_graph_def def = {
      .kind = kind, .options = options, .workers = workers, .directed = directed, .weights = weights};
  rh_graph_sequence sequence;
  *graph = (rh_graph){.lambda2 = -1};
  rh_status status = rh_graph_sequence_new(&def, &sequence);
  if (status != RH_OK) return status;
  if (sequence.period > 1) {
    rh_graph_sequence_clear(&sequence);
    return rh_error(RH_EUNSUPPORTED, "graph '%s' of %d workers is another one in every round; take one that stays",
                    kind->name, workers);
  }
  *graph = sequence.graphs[0];
  free(sequence.graphs);
  return RH_OK;
}

void rh_graph_clear(rh_graph *graph)
{
  rh_neighbours_clear(&graph->neighbours);
  free(graph->own);
  free(graph->weight);
  *graph = (rh_graph){0};
}
