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
  int32_t *columns;          /* [threads][terms], of a device [N + 1] and [N][terms] of the mixing matrix; owned */
  float *mixed;              /* [N][stride]; owned */
  float *known;              /* [N][stride] h; NULL if exact; owned */
  float *scratch;     /* [threads][scratch_rows][stride], of a device [scratch_rows][slice]; NULL without loss; owned */
  float *w, *next_w;  /* [N] weights and what becomes of them; NULL: none; owned by the program */
  int32_t terms;      /* of the longest mixing row of any round: largest in-degree + 1 */
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

static bool on_device(const rh_gossip *g)
{
  return g->backend && !rh_backend_on_host(g->backend);
}

static rh_tensor rows_from(const rh_gossip *g, float *arena, int64_t i)
{
  return (rh_tensor){arena ? row_of(g, arena, i) : NULL, g->world->model->stride};
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
  const bool knows = g->def.form != RH_GOSSIP_EXACT, lossy = !w->compressor->lossless, weighs = g->def.weighs;
  g->bytes = calloc(workers, sizeof *g->bytes);
  g->backend = rh_replicas_get_def(w->replicas)->backend;
  const bool arena = on_device(g);
  g->mixed = g->backend->alloc(workers * row * sizeof *g->mixed);
  g->known = knows ? g->backend->alloc(workers * row * sizeof *g->known) : NULL;
  const size_t scratch_rows = lossy ? (arena ? (size_t)g->coder.slice : threads) * (size_t)g->def.scratch_rows : 0;
  g->scratch = scratch_rows > 0 ? g->backend->alloc(scratch_rows * row * sizeof *g->scratch) : NULL;
  g->rows = calloc(threads * terms, sizeof *g->rows);
  g->weights = calloc((arena ? workers : threads) * terms, sizeof *g->weights);
  g->columns = calloc(arena ? workers + 1 + workers * terms : threads * terms, sizeof *g->columns);
  g->w = weighs ? calloc(workers, sizeof *g->w) : NULL;
  g->next_w = weighs ? calloc(workers, sizeof *g->next_w) : NULL;
  if (weighs && (!g->w || !g->next_w)) return false;
  for (size_t i = 0; weighs && i < workers; i++)
    g->w[i] = 1;
  return g->bytes && g->mixed && (g->known || !knows) && (g->scratch || scratch_rows == 0) && g->rows && g->weights &&
         g->columns;
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
  if (g->known)
    rh_backend_copy(g->backend, g->known, rh_gossip_models(g, 0).data, (size_t)world->workers * row_bytes(g));
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
  free(g->w);
  free(g->next_w);
  free(g);
}

void rh_gossip_parts(rh_gossip *g, const rh_parts *parts)
{
  const size_t workers = (size_t)g->world->workers;
  rh_coder_parts(&g->coder, parts);
  rh_part(parts, "gossip.bytes", g->bytes, workers * sizeof *g->bytes);
  rh_part(parts, "gossip.weights", g->w, workers * sizeof *g->w);
  rh_replicas_arena_part(g->backend, parts, "gossip.mixed", g->mixed, workers * row_bytes(g));
  rh_replicas_arena_part(g->backend, parts, "gossip.known", g->known, workers * row_bytes(g));
}

int64_t rh_gossip_bytes(const rh_sizes *z, const rh_gossip_def *def)
{
  const int64_t row = z->model->stride * (int64_t)sizeof(float), arenas = def->form == RH_GOSSIP_EXACT ? 1 : 2;
  const int64_t numbers = (int64_t)sizeof(int64_t) + (def->weighs ? 2 * (int64_t)sizeof(float) : 0);
  const int64_t bytes = z->workers * (arenas * row + numbers);
  if (z->compressor->lossless) return bytes;
  return bytes + z->workers * rh_coder_worker_bytes(z->compressor, z->compressor_options, z->layout) +
         z->threads *
             (def->scratch_rows * row + rh_coder_thread_bytes(z->compressor, z->compressor_options, z->layout));
}

rh_tensor rh_gossip_models(const rh_gossip *g, int32_t i)
{
  return rows_from(g, g->def.models ? g->def.models : rh_replicas_parameters(g->world->replicas, 0), i);
}

rh_tensor rh_gossip_known(const rh_gossip *g, int32_t i)
{
  return rows_from(g, g->known, i);
}

rh_tensor rh_gossip_mixed(const rh_gossip *g, int32_t i)
{
  return rows_from(g, g->mixed, i);
}

rh_tensor rh_gossip_scratch(const rh_gossip *g, rh_rows rows, int k)
{
  RH_ASSERT(k < g->def.scratch_rows);
  return rows_from(g, g->scratch, on_device(g) ? k * g->coder.slice : g->def.scratch_rows * rows.thread + k);
}

const float *rh_gossip_weights(const rh_gossip *g)
{
  return g->w;
}

static rh_rows all_rows(const rh_gossip *g)
{
  return (rh_rows){.count = g->world->workers};
}

void rh_gossip_each(const rh_gossip *g, rh_rows_body *body, void *context)
{
  rh_rows_each(g->world, all_rows(g), g->world->workers, body, context);
}

static void mask_some(void *context, rh_rows rows)
{
  rh_gossip *g = context;
  rh_masking_apply(g->def.masking, rows.count, rh_gossip_models(g, rows.first));
  if (g->known) rh_masking_apply(g->def.masking, rows.count, rh_gossip_known(g, rows.first));
}

void rh_gossip_mask(rh_gossip *g)
{
  rh_gossip_each(g, mask_some, g);
}

/* to = from, of some rows */
static void copy_rows(const rh_gossip *g, int32_t count, rh_tensor from, rh_tensor to)
{
  rh_backend_copy(g->backend, to.data, from.data, (size_t)count * row_bytes(g));
}

/* h = x */
static void know_models(void *context, rh_rows rows)
{
  rh_gossip *g = context;
  copy_rows(g, rows.count, rh_gossip_models(g, rows.first), rh_gossip_known(g, rows.first));
}

void rh_gossip_send(rh_gossip *g, int64_t t, rh_rows_body *make, void *context)
{
  const rh_world *w = g->world;
  const bool lossless = w->compressor->lossless;
  g->t = t;
  if (!lossless) {
    rh_rows_each(w, all_rows(g), g->coder.slice, make, context);
    if (on_device(g)) rh_coder_take_lengths(&g->coder);
  } else if (g->known) {
    rh_gossip_each(g, know_models, g);
  }
  for (int32_t i = 0; i < w->workers; i++)
    g->bytes[i] =
        (lossless ? 4 * w->buckets[0].layout.values : g->coder.bytes[i]) + (g->def.weighs ? (int64_t)sizeof(float) : 0);
}

void rh_gossip_encode(rh_gossip *g, rh_rows rows, rh_tensor v, rh_tensor decoded)
{
  if (rh_masking_packs(g->def.masking)) {
    if (decoded.data != v.data) copy_rows(g, rows.count, v, decoded);
    rh_masking_pack(g->def.masking, rows.count, decoded);
    v = decoded;
  }
  rh_coder_send(&g->coder, rows, g->t, v, decoded);
  rh_masking_unpack(g->def.masking, rows.count, decoded);
}

void rh_gossip_difference(void *context, rh_rows rows)
{
  rh_gossip *g = context;
  const rh_tensor x = rh_gossip_models(g, rows.first), h = rh_gossip_known(g, rows.first);
  const rh_tensor difference = rh_gossip_scratch(g, rows, 0), q = rh_gossip_scratch(g, rows, 1);
  g->backend->combine(g->world->model->stride, rows.count, 1, x, -1, h, difference);
  rh_gossip_encode(g, rows, difference, q);
  g->backend->add_scaled(g->world->model->stride, rows.count, 1, q, h);
}

/* The terms of mix_i but for what is added afterwards, the neighbours in the order of their ranks; returns how many.
 * Own ones: of x_i, or with estimates of h_i. */
static int32_t row_of_matrix(const rh_gossip *g, int32_t i, int32_t *column, double *weight)
{
  const rh_graph *graph = rh_graph_at(g->world->graphs, g->t);
  const int32_t first = graph->neighbours.in_offset[i], degree = in_degree(graph, i);
  const double factor = g->def.form == RH_GOSSIP_EXACT ? g->def.consensus_step : 1;
  column[0] = i;
  weight[0] = g->def.form == RH_GOSSIP_ESTIMATES ? graph->own[i] - 1 /* sum_j W_ij h_j - h_i */
                                                 : 1 - factor + factor * graph->own[i];
  for (int32_t k = 0; k < degree; k++) {
    column[k + 1] = graph->neighbours.in[first + k];
    weight[k + 1] = factor * graph->weight[first + k];
  }
  return degree + 1;
}

/* mix = x + c mix, of estimates */
static void add_models(const rh_gossip *g, rh_rows rows)
{
  const rh_tensor x = rh_gossip_models(g, rows.first), mixed = rh_gossip_mixed(g, rows.first);
  if (g->def.form != RH_GOSSIP_ESTIMATES) return;
  g->backend->combine(g->world->model->stride, rows.count, 1, x, g->def.consensus_step, mixed, mixed);
}

/* Of one worker in the program's memory. */
static void mix_one(void *context, rh_rows rows)
{
  rh_gossip *g = context;
  int32_t *column = g->columns + (int64_t)rows.thread * g->terms;
  double *weights = g->weights + (int64_t)rows.thread * g->terms;
  const float **terms = g->rows + (int64_t)rows.thread * g->terms;
  const int32_t count = row_of_matrix(g, rows.first, column, weights);
  for (int32_t k = 0; k < count; k++)
    terms[k] =
        (g->def.form == RH_GOSSIP_EXACT || (k == 0 && g->def.form == RH_GOSSIP_MODELS) ? rh_gossip_models(g, column[k])
                                                                                       : rh_gossip_known(g, column[k]))
            .data;
  g->backend->weighted_sum(g->world->model->stride, count, weights, terms, rh_gossip_mixed(g, rows.first).data);
  add_models(g, rows);
}

/* Of all on a device, at once. */
static void mix_all(rh_gossip *g)
{
  const rh_world *w = g->world;
  const rh_tensor x = rh_gossip_models(g, 0), h = rh_gossip_known(g, 0), none = {0};
  int32_t *const offset = g->columns, *const column = offset + w->workers + 1;
  offset[0] = 0;
  for (int32_t i = 0; i < w->workers; i++)
    offset[i + 1] = offset[i] + row_of_matrix(g, i, column + offset[i], g->weights + offset[i]);
  g->backend->mix(w->model->stride, w->workers, offset, column, g->weights, g->def.form == RH_GOSSIP_MODELS ? x : none,
                  g->def.form == RH_GOSSIP_EXACT ? x : h, rh_gossip_mixed(g, 0));
  add_models(g, all_rows(g));
}

/* w = W' w */
static void mix_weights(rh_gossip *g)
{
  const rh_graph *graph = rh_graph_at(g->world->graphs, g->t);
  const double c = g->def.consensus_step;
  for (int32_t i = 0; i < g->world->workers; i++) {
    double sum = (1 - c + c * graph->own[i]) * g->w[i];
    for (int32_t k = graph->neighbours.in_offset[i]; k < graph->neighbours.in_offset[i + 1]; k++)
      sum += c * graph->weight[k] * g->w[graph->neighbours.in[k]];
    g->next_w[i] = (float)sum;
  }
  memcpy(g->w, g->next_w, (size_t)g->world->workers * sizeof *g->w);
}

void rh_gossip_mix(rh_gossip *g, int64_t t)
{
  g->t = t;
  if (on_device(g))
    mix_all(g);
  else
    rh_gossip_each(g, mix_one, g);
  if (g->w) mix_weights(g);
}

static void take_some(void *context, rh_rows rows)
{
  rh_gossip *g = context;
  copy_rows(g, rows.count, rh_gossip_mixed(g, rows.first), rh_gossip_models(g, rows.first));
}

void rh_gossip_take(rh_gossip *g)
{
  rh_gossip_each(g, take_some, g);
}

const int64_t *rh_gossip_message_bytes(const rh_gossip *g)
{
  return g->bytes;
}
