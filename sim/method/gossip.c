#include "gossip.h"

#include <stdlib.h>
#include <string.h>

struct rh_gossip {
  const rh_world *world; /* borrowed */
  rh_gossip_def def;
  int64_t t;                 /* of the round at work */
  rh_coder coder;            /* with loss */
  int64_t *bytes;            /* [N] lengths of the last messages; owned */
  const rh_backend *backend; /* where models live; borrowed */
  int32_t *columns;          /* [N + 1] and [N][terms] of the mixing matrix where that is a device; owned; else NULL */
  float *mixed;              /* [N][stride]; owned */
  float *known;              /* [N][stride] h; NULL if exact; owned */
  float *scratch;            /* [threads, or of a device slice][2][stride]; NULL without loss; owned */
  int32_t terms;             /* of the longest mixing row of any round: largest in-degree + 1 */
  const float **rows;        /* [threads][terms]; owned */
  double *weights;           /* likewise; owned */
};

static int32_t in_degree(const rh_graph *graph, int32_t i)
{
  return graph->neighbours.in_offset[i + 1] - graph->neighbours.in_offset[i];
}

static float *row_of(const rh_gossip *g, float *arena, int64_t i)
{
  return arena + i * g->world->model->stride;
}

static size_t row_bytes(const rh_gossip *g)
{
  return (size_t)g->world->model->stride * sizeof(float);
}

static bool allocate(rh_gossip *g)
{
  const rh_world *w = g->world;
  if (!rh_world_has_values(w)) return (g->bytes = calloc((size_t)w->workers, sizeof *g->bytes)) != NULL;
  const size_t row = (size_t)w->model->stride, workers = (size_t)w->workers, terms = (size_t)g->terms;
  const size_t threads = (size_t)rh_replicas_get_def(w->replicas)->threads;
  const bool knows = g->def.form != RH_GOSSIP_EXACT, lossy = !w->compressor->lossless;
  g->bytes = calloc(workers, sizeof *g->bytes);
  g->backend = rh_replicas_get_def(w->replicas)->backend;
  const bool arena = !rh_backend_on_host(g->backend);
  g->mixed = g->backend->alloc(workers * row * sizeof *g->mixed);
  g->known = knows ? g->backend->alloc(workers * row * sizeof *g->known) : NULL;
  const size_t at_once = arena ? (size_t)g->coder.slice : threads;
  g->scratch = lossy ? g->backend->alloc(at_once * 2 * row * sizeof *g->scratch) : NULL;
  g->rows = calloc(threads * terms, sizeof *g->rows);
  g->weights = calloc((arena ? workers : threads) * terms, sizeof *g->weights);
  if (arena && !(g->columns = calloc(workers + 1 + workers * terms, sizeof *g->columns))) return false;
  return g->bytes && g->mixed && (g->known || !knows) && (g->scratch || !lossy) && g->rows && g->weights;
}

rh_status rh_gossip_new(const rh_world *world, const rh_gossip_def *def, rh_gossip **gossip)
{
  rh_status status = RH_OK;
  rh_gossip *g = calloc(1, sizeof *g);
  *gossip = NULL;
  if (!g) return rh_error(RH_ENOMEM, "no memory for the gossip of %d workers", world->workers);
  g->world = world;
  g->def = *def;
  g->terms = 1;
  for (int32_t k = 0; k < world->graphs->period; k++)
    for (int32_t i = 0; i < world->workers; i++)
      if (g->terms < in_degree(&world->graphs->graphs[k], i) + 1)
        g->terms = in_degree(&world->graphs->graphs[k], i) + 1;
  if (!world->compressor->lossless) RH_TRY(rh_coder_init(&g->coder, world));
  if (!allocate(g)) {
    status = rh_error(RH_ENOMEM, "no memory for the gossip of %d workers", world->workers);
    goto done;
  }
  for (int32_t i = 0; g->known && i < world->workers; i++)
    rh_backend_copy(g->backend, row_of(g, g->known, i), rh_gossip_model(g, i), row_bytes(g));
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
  free(g->bytes);
  if (g->backend) {
    g->backend->release(g->mixed);
    g->backend->release(g->known);
    g->backend->release(g->scratch);
  }
  free(g->columns);
  free(g->rows);
  free(g->weights);
  free(g);
}

void rh_gossip_parts(rh_gossip *g, const rh_parts *parts)
{
  const size_t workers = (size_t)g->world->workers;
  rh_coder_parts(&g->coder, parts);
  rh_part(parts, "gossip.bytes", g->bytes, workers * sizeof *g->bytes);
  rh_replicas_arena_part(g->backend, parts, "gossip.mixed", g->mixed, workers * row_bytes(g));
  rh_replicas_arena_part(g->backend, parts, "gossip.known", g->known, workers * row_bytes(g));
}

int64_t rh_gossip_bytes(const rh_sizes *z)
{
  const int64_t row = z->model->stride * (int64_t)sizeof(float), lengths = z->workers * (int64_t)sizeof(int64_t);
  if (z->compressor->lossless) return lengths;
  return lengths + z->workers * rh_coder_worker_bytes(z->compressor, z->compressor_options, z->layout) +
         z->threads * (2 * row + rh_coder_thread_bytes(z->compressor, z->compressor_options, z->layout));
}

float *rh_gossip_model(rh_gossip *g, int32_t i)
{
  return g->def.models ? row_of(g, g->def.models, i) : rh_replicas_parameters(g->world->replicas, i);
}

float *rh_gossip_known(rh_gossip *g, int32_t i)
{
  return g->known ? row_of(g, g->known, i) : NULL;
}

float *rh_gossip_mixed(rh_gossip *g, int32_t i)
{
  return row_of(g, g->mixed, i);
}

float *rh_gossip_row(rh_gossip *g, int thread)
{
  return row_of(g, g->scratch, 2 * thread);
}

typedef struct each_job {
  rh_worker_body *body;
  void *context;
} each_job;

static bool one(void *context, int64_t i, int thread)
{
  const each_job *job = context;
  job->body(job->context, (int32_t)i, thread);
  return true;
}

void rh_gossip_each(rh_gossip *g, rh_worker_body *body, void *context)
{
  if (!rh_world_has_values(g->world)) return;
  const rh_replicas_def *def = rh_replicas_get_def(g->world->replicas);
  each_job job = {body, context};
  def->backend->parallel(g->world->workers, def->threads, one, &job);
}

static void mask_one(void *context, int32_t i, int thread)
{
  (void)thread;
  rh_gossip *g = context;
  rh_masking_apply(g->def.masking, rh_gossip_model(g, i));
  if (g->known) rh_masking_apply(g->def.masking, rh_gossip_known(g, i));
}

void rh_gossip_mask(rh_gossip *g)
{
  rh_gossip_each(g, mask_one, g);
}

/* h_i = x_i */
static void know_model(void *context, int32_t i, int thread)
{
  (void)thread;
  rh_gossip *g = context;
  memcpy(rh_gossip_known(g, i), rh_gossip_model(g, i), row_bytes(g));
}

int64_t rh_gossip_stride(const rh_gossip *g)
{
  return g->world->model->stride;
}

const rh_backend *rh_gossip_device(const rh_gossip *g)
{
  return g->columns ? g->backend : NULL;
}

/* All models, where they lie in a row. */
static rh_tensor models(const rh_gossip *g)
{
  return (rh_tensor){g->def.models ? g->def.models : rh_replicas_copy(g->world->replicas, 0), g->world->model->stride};
}

static rh_tensor rows_from(const rh_gossip *g, float *arena, int64_t first)
{
  return (rh_tensor){row_of(g, arena, first), g->world->model->stride};
}

/* rh_gossip_difference of some rows on a device. */
static void difference_rows(rh_gossip *g, int32_t first, int32_t count)
{
  const int64_t stride = g->world->model->stride;
  const rh_tensor x = rows_from(g, models(g).data, first), h = rows_from(g, g->known, first);
  const rh_tensor difference = rows_from(g, g->scratch, 0), q = rows_from(g, g->scratch, g->coder.slice);
  g->backend->scale(stride, count, 1, x, difference);
  g->backend->add_scaled(stride, count, -1, h, difference);
  rh_gossip_encode_rows(g, first, count, difference, q);
  g->backend->add_scaled(stride, count, 1, q, h);
}

/* Slice by slice of the messages that a device makes at once. */
static void send_rows(rh_gossip *g, void *context)
{
  for (int32_t first = 0; first < g->world->workers; first += g->coder.slice) {
    const int32_t left = g->world->workers - first, count = left < g->coder.slice ? left : g->coder.slice;
    if (g->def.make_rows)
      g->def.make_rows(context, first, count);
    else
      difference_rows(g, first, count);
  }
  rh_coder_take_lengths(&g->coder);
}

void rh_gossip_send(rh_gossip *g, int64_t t, rh_worker_body *make, void *context)
{
  const rh_world *w = g->world;
  const bool lossless = w->compressor->lossless;
  g->t = t;
  if (!lossless && rh_gossip_device(g))
    send_rows(g, context);
  else if (!lossless)
    rh_gossip_each(g, make, context);
  else if (g->known && rh_gossip_device(g))
    rh_backend_copy(g->backend, g->known, models(g).data, (size_t)w->workers * row_bytes(g));
  else if (g->known)
    rh_gossip_each(g, know_model, g);
  for (int32_t i = 0; i < w->workers; i++)
    g->bytes[i] = (lossless ? 4 * w->buckets[0].layout.values : g->coder.bytes[i]) + g->def.extra_bytes;
}

void rh_gossip_encode_rows(rh_gossip *g, int32_t first, int32_t count, rh_tensor v, rh_tensor decoded)
{
  rh_coder_send_rows(&g->coder, first, count, g->t, v, decoded);
}

void rh_gossip_encode(rh_gossip *g, int32_t i, int thread, const float *v, float *decoded)
{
  if (decoded != v) memcpy(decoded, v, row_bytes(g));
  rh_masking_pack(g->def.masking, decoded, 1);
  rh_coder_send(&g->coder, thread, i, g->t, decoded, decoded);
  rh_masking_unpack(g->def.masking, decoded);
}

void rh_gossip_difference(void *context, int32_t i, int thread)
{
  rh_gossip *g = context;
  const int64_t stride = g->world->model->stride;
  const float *x = rh_gossip_model(g, i);
  float *h = rh_gossip_known(g, i), *difference = rh_gossip_row(g, thread), *q = difference + stride;
  for (int64_t p = 0; p < stride; p++)
    difference[p] = x[p] - h[p];
  rh_gossip_encode(g, i, thread, difference, q);
  for (int64_t p = 0; p < stride; p++)
    h[p] += q[p];
}

/* mix_i, the neighbours in the order of their ranks. */
static void mix_one(void *context, int32_t i, int thread)
{
  rh_gossip *g = context;
  const rh_world *w = g->world;
  const rh_graph *graph = rh_graph_at(w->graphs, g->t);
  const int32_t first = graph->neighbours.in_offset[i], degree = in_degree(graph, i);
  const int form = g->def.form;
  const double c = g->def.consensus_step, factor = form == RH_GOSSIP_EXACT ? c : 1;
  const float **rows = g->rows + (int64_t)thread * g->terms, *x = rh_gossip_model(g, i);
  double *weights = g->weights + (int64_t)thread * g->terms;
  float *mixed = rh_gossip_mixed(g, i);
  rows[0] = form == RH_GOSSIP_ESTIMATES ? rh_gossip_known(g, i) : x;
  weights[0] = form == RH_GOSSIP_ESTIMATES ? graph->own[i] - 1 /* sum_j W_ij h_j - h_i */
                                           : 1 - factor + factor * graph->own[i];
  for (int32_t k = 0; k < degree; k++) {
    const int32_t j = graph->neighbours.in[first + k];
    rows[k + 1] = g->known ? rh_gossip_known(g, j) : rh_gossip_model(g, j);
    weights[k + 1] = factor * graph->weight[first + k];
  }
  rh_replicas_get_def(w->replicas)->backend->weighted_sum(w->model->stride, degree + 1, weights, rows, mixed);
  for (int64_t p = 0; form == RH_GOSSIP_ESTIMATES && p < w->model->stride; p++)
    mixed[p] = x[p] + (float)c * mixed[p];
}

/* The same of models on a device, all rows at once: term by term as mix_one. */
static void mix_arena(rh_gossip *g)
{
  const rh_world *w = g->world;
  const rh_graph *graph = rh_graph_at(w->graphs, g->t);
  const int form = g->def.form;
  const double c = g->def.consensus_step, factor = form == RH_GOSSIP_EXACT ? c : 1;
  const int64_t stride = w->model->stride;
  int32_t *const offset = g->columns, *const column = offset + w->workers + 1;
  const rh_tensor x = models(g), mixed = {g->mixed, stride}, h = {g->known, stride}, none = {0};
  RH_ASSERT(g->def.models || rh_replicas_copies(w->replicas) == w->workers);
  offset[0] = 0;
  for (int32_t i = 0; i < w->workers; i++) {
    const int32_t first = graph->neighbours.in_offset[i], degree = in_degree(graph, i), from = offset[i];
    column[from] = i;
    g->weights[from] = form == RH_GOSSIP_ESTIMATES ? graph->own[i] - 1 : 1 - factor + factor * graph->own[i];
    for (int32_t k = 0; k < degree; k++) {
      column[from + 1 + k] = graph->neighbours.in[first + k];
      g->weights[from + 1 + k] = factor * graph->weight[first + k];
    }
    offset[i + 1] = from + 1 + degree;
  }
  g->backend->mix(stride, w->workers, offset, column, g->weights, form == RH_GOSSIP_MODELS ? x : none,
                  form == RH_GOSSIP_EXACT ? x : h, mixed);
  if (form != RH_GOSSIP_ESTIMATES) return;
  g->backend->scale(stride, w->workers, c, mixed, mixed);
  g->backend->add_scaled(stride, w->workers, 1, x, mixed);
}

void rh_gossip_mix(rh_gossip *g, int64_t t)
{
  g->t = t;
  if (g->columns)
    mix_arena(g);
  else
    rh_gossip_each(g, mix_one, g);
}

static void take_one(void *context, int32_t i, int thread)
{
  (void)thread;
  rh_gossip *g = context;
  memcpy(rh_gossip_model(g, i), rh_gossip_mixed(g, i), row_bytes(g));
}

void rh_gossip_take(rh_gossip *g)
{
  if (g->columns)
    rh_backend_copy(g->backend, models(g).data, g->mixed, (size_t)g->world->workers * row_bytes(g));
  else
    rh_gossip_each(g, take_one, g);
}

void rh_gossip_mix_numbers(const rh_gossip *g, int64_t t, const float *value, float *next)
{
  const rh_graph *graph = rh_graph_at(g->world->graphs, t);
  const double c = g->def.consensus_step;
  for (int32_t i = 0; i < g->world->workers; i++) {
    double sum = (1 - c + c * graph->own[i]) * value[i];
    for (int32_t k = graph->neighbours.in_offset[i]; k < graph->neighbours.in_offset[i + 1]; k++)
      sum += c * graph->weight[k] * value[graph->neighbours.in[k]];
    next[i] = (float)sum;
  }
}

const int64_t *rh_gossip_message_bytes(const rh_gossip *g)
{
  return g->bytes;
}
