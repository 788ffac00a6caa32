#include "gossip.h"

#include <stdlib.h>
#include <string.h>

struct rh_gossip {
  const rh_world *world; /* borrowed */
  int message;           /* enum rh_gossip_message */
  double consensus_step;
  int64_t t;
  rh_coder coder;
  float *mixed;       /* [N][stride]; owned */
  float *known;       /* [N][stride] h, or what was decoded of whole models; NULL without loss; owned */
  float *scratch;     /* [threads][2][stride]; NULL without loss; owned */
  int32_t terms;      /* of the longest mixing row: largest in-degree + 1 */
  const float **rows; /* [threads][terms]; owned */
  double *weights;    /* likewise; owned */
};

static int32_t in_degree(const rh_graph *graph, int32_t i)
{
  return graph->neighbours.in_offset[i + 1] - graph->neighbours.in_offset[i];
}

static float *row_of(const rh_gossip *g, float *arena, int64_t i)
{
  return arena + i * g->world->model->stride;
}

static bool allocate(rh_gossip *g)
{
  const rh_world *w = g->world;
  const size_t row = (size_t)w->model->stride, workers = (size_t)w->workers, terms = (size_t)g->terms;
  const size_t threads = (size_t)rh_replicas_get_def(w->replicas)->threads;
  const bool lossy = !w->compressor->lossless;
  g->mixed = calloc(workers * row, sizeof *g->mixed);
  g->known = lossy ? calloc(workers * row, sizeof *g->known) : NULL;
  g->scratch = lossy ? calloc(threads * 2 * row, sizeof *g->scratch) : NULL;
  g->rows = calloc(threads * terms, sizeof *g->rows);
  g->weights = calloc(threads * terms, sizeof *g->weights);
  return g->mixed && ((g->known && g->scratch) || !lossy) && g->rows && g->weights;
}

rh_status rh_gossip_new(const rh_world *world, int message, double consensus_step, rh_gossip **gossip)
{
  rh_status status = RH_OK;
  rh_gossip *g = calloc(1, sizeof *g);
  *gossip = NULL;
  if (!g) return rh_error(RH_ENOMEM, "no memory for the gossip of %d workers", world->workers);
  g->world = world;
  g->message = message;
  g->consensus_step = consensus_step;
  for (int32_t i = 0; i < world->workers; i++)
    if (g->terms < in_degree(world->graph, i) + 1) g->terms = in_degree(world->graph, i) + 1;
  RH_TRY(rh_coder_init(&g->coder, world));
  if (!allocate(g)) {
    status = rh_error(RH_ENOMEM, "no memory for the gossip of %d workers", world->workers);
    goto done;
  }
  for (int32_t i = 0; g->known && i < world->workers; i++)
    memcpy(row_of(g, g->known, i), rh_replicas_parameters(world->replicas, i),
           (size_t)world->model->stride * sizeof *g->known);
done:
  if (status == RH_OK)
    *gossip = g;
  else
    rh_gossip_free(g);
  return status;
}

void rh_gossip_free(rh_gossip *g)
{
  if (!g) return;
  rh_coder_clear(&g->coder);
  free(g->mixed);
  free(g->known);
  free(g->scratch);
  free(g->rows);
  free(g->weights);
  free(g);
}

int64_t rh_gossip_bytes(const rh_sizes *z)
{
  const int64_t row = z->model->stride * (int64_t)sizeof(float);
  const int64_t lossy_bytes =
      z->workers * (row + rh_coder_worker_bytes(z->compressor, z->compressor_options, z->layout)) +
      z->threads * (2 * row + rh_coder_thread_bytes(z->compressor, z->compressor_options, z->layout));
  return z->workers * row + (z->compressor->lossless ? 0 : lossy_bytes);
}

/* Lossy sending: updates what everybody knows of worker i (h_i, or its decoded model). */
static bool send_one(void *context, int64_t i, int thread)
{
  rh_gossip *g = context;
  const rh_world *w = g->world;
  const float *x = rh_replicas_parameters(w->replicas, (int32_t)i);
  float *h = row_of(g, g->known, i), *difference = row_of(g, g->scratch, 2 * thread),
        *q = difference + w->model->stride;
  if (g->message == RH_GOSSIP_MODEL) {
    rh_coder_send(&g->coder, thread, (int32_t)i, g->t, x, h);
    return true;
  }
  for (int64_t p = 0; p < w->model->stride; p++)
    difference[p] = x[p] - h[p];
  rh_coder_send(&g->coder, thread, (int32_t)i, g->t, difference, q);
  for (int64_t p = 0; p < w->model->stride; p++)
    h[p] += q[p];
  return true;
}

/* mix_i, the neighbours in the order of their ranks. */
static bool mix_one(void *context, int64_t item, int thread)
{
  rh_gossip *g = context;
  const rh_world *w = g->world;
  const rh_graph *graph = w->graph;
  const rh_backend *backend = rh_replicas_get_def(w->replicas)->backend;
  const int32_t i = (int32_t)item, first = graph->neighbours.in_offset[i], degree = in_degree(graph, i);
  const bool differences = g->known && g->message == RH_GOSSIP_DIFFERENCE;
  const float **rows = g->rows + (int64_t)thread * g->terms;
  double *weights = g->weights + (int64_t)thread * g->terms;
  const float *x = rh_replicas_parameters(w->replicas, i);
  float *mixed = row_of(g, g->mixed, i);
  rows[0] = differences ? row_of(g, g->known, i) : x;
  weights[0] = differences ? graph->own[i] - 1 : graph->own[i]; /* sum_j W_ij h_j - h_i */
  for (int32_t k = 0; k < degree; k++) {
    const int32_t j = graph->neighbours.in[first + k];
    rows[k + 1] = g->known ? row_of(g, g->known, j) : rh_replicas_parameters(w->replicas, j);
    weights[k + 1] = graph->weight[first + k];
  }
  backend->weighted_sum(w->model->stride, degree + 1, weights, rows, mixed);
  if (!differences) return true;
  for (int64_t p = 0; p < w->model->stride; p++)
    mixed[p] = x[p] + (float)g->consensus_step * mixed[p];
  return true;
}

static bool take_one(void *context, int64_t i, int thread)
{
  (void)thread;
  rh_gossip *g = context;
  memcpy(rh_replicas_parameters(g->world->replicas, (int32_t)i), row_of(g, g->mixed, i),
         (size_t)g->world->model->stride * sizeof(float));
  return true;
}

static void each_worker(rh_gossip *g, bool (*body)(void *context, int64_t i, int thread))
{
  const rh_replicas_def *def = rh_replicas_get_def(g->world->replicas);
  def->backend->parallel(g->world->workers, def->threads, body, g);
}

void rh_gossip_mix(rh_gossip *g, int64_t t)
{
  g->t = t;
  if (g->known) {
    each_worker(g, send_one);
  } else {
    for (int32_t i = 0; i < g->world->workers; i++)
      g->coder.bytes[i] = 4 * g->world->model->parameters;
  }
  each_worker(g, mix_one);
}

float *rh_gossip_mixed(rh_gossip *g, int32_t worker)
{
  return row_of(g, g->mixed, worker);
}

void rh_gossip_take(rh_gossip *g)
{
  each_worker(g, take_one);
}

const int64_t *rh_gossip_message_bytes(const rh_gossip *g)
{
  return g->coder.bytes;
}
