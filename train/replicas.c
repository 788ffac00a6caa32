/* The arenas of N replicas and what is done to all of them. Everything is cut into items that depend on the model, the
 * batch and N alone, each computed by one thread; what is summed over items is summed in a fixed order. */
#include "replicas.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "batches.h"
#include "hash.h"

enum {
  SCORE_BATCH = 64,   /* samples of one evaluation batch: fixed, so that scores do not depend on the training batch */
  CHUNK_TILES = 8,    /* tiles a thread of one chunk, so that threads end together */
  SGD_BLOCK = 1 << 14 /* elements of one item of an SGD step; one copy is worked on by all threads */
};

/* A chunk need not be longer than this: longer ones leave the caches between gradient and update. */
static const int64_t chunk_bytes_wanted = 4 << 20;

struct rh_replicas {
  rh_replicas_def def;
  int64_t chunk, bytes;
  float *parameters, *momentum;       /* [copies][stride]; owned */
  float *grads;                       /* [chunk][stride]; owned */
  rh_workspace **training, **scoring; /* [threads] each; owned */
  rh_batches batches;
  rh_tree_sum *sum; /* owned */
  double *values;   /* [N] results of items, by worker; owned */
  int64_t *hits;    /* [N] likewise; owned */
};

static int64_t row_bytes(const rh_model *model)
{
  return model->stride * (int64_t)sizeof(float);
}

/* Replicas that one call of the model's passes takes. */
static int64_t tile_of(const rh_replicas_def *def)
{
  return def->backend->tile < def->workers ? def->backend->tile : def->workers;
}

/* Rows of the sum's tree that are used: one for each bit of N; the mean of a single copy is no sum. */
static int64_t tree_rows(const rh_replicas_def *def)
{
  int64_t rows = 0;
  while (def->copies > 1 && def->workers >> rows)
    rows++;
  return rows;
}

/* Bytes of everything but the chunk buffer. */
static int64_t fixed_bytes(const rh_replicas_def *def)
{
  const int64_t training = rh_workspace_bytes(def->model, def->backend, def->batch, tile_of(def));
  const int64_t scoring = rh_workspace_bytes(def->model, def->backend, SCORE_BATCH, 1);
  return (2 * def->copies + tree_rows(def)) * row_bytes(def->model) + def->threads * (training + scoring) +
         rh_batches_bytes(def->partition) + def->workers * (int64_t)(sizeof(double) + sizeof(int64_t));
}

/* The longest chunk that is of use: all workers, or enough to keep threads busy and fill the caches. */
static int64_t longest_chunk(const rh_replicas_def *def)
{
  int64_t rows = CHUNK_TILES * tile_of(def) * def->threads;
  if (rows < chunk_bytes_wanted / row_bytes(def->model)) rows = chunk_bytes_wanted / row_bytes(def->model);
  return rows < def->workers ? rows : def->workers;
}

void rh_replicas_predict(const rh_replicas_def *def, int64_t *least_bytes, int64_t *most_bytes)
{
  *least_bytes = fixed_bytes(def) + row_bytes(def->model);
  *most_bytes = fixed_bytes(def) + longest_chunk(def) * row_bytes(def->model);
}

static rh_status plan_chunk(const rh_replicas_def *def, int64_t *chunk)
{
  const int64_t row = row_bytes(def->model);
  int64_t least, most;
  rh_replicas_predict(def, &least, &most);
  *chunk = longest_chunk(def);
  if (def->memory_bytes == 0 || most <= def->memory_bytes) return RH_OK;
  if (least <= def->memory_bytes) {
    *chunk = 1 + (def->memory_bytes - least) / row;
    return RH_OK;
  }
  char need[32], limit[32], each[32], rest[32];
  const int64_t per_worker = def->copies == 1 ? 0 : 2 * row;
  const int64_t others = least - def->copies * 2 * row;
  const int64_t fit = per_worker && def->memory_bytes > others ? (def->memory_bytes - others) / per_worker : 0;
  rh_unit_format((double)least, RH_UNIT_BYTE, need, sizeof need);
  rh_unit_format((double)def->memory_bytes, RH_UNIT_BYTE, limit, sizeof limit);
  rh_unit_format((double)(2 * row), RH_UNIT_BYTE, each, sizeof each);
  rh_unit_format((double)others, RH_UNIT_BYTE, rest, sizeof rest);
  return rh_error(RH_ENOMEM,
                  "the memory limit of %s is too small: %" PRId32 " replicas of model %s need %s (%" PRId32
                  " copies of %s, and %s for gradients and workspaces); about %" PRId64 " copies would fit",
                  limit, def->workers, def->model->name, need, def->copies, each, rest, fit);
}

static void check_def(const rh_replicas_def *def)
{
  RH_ASSERT(def->workers > 0 && (def->copies == 1 || def->copies == def->workers));
  RH_ASSERT(def->batch > 0 && def->threads > 0 && def->memory_bytes >= 0);
  RH_ASSERT(def->partition->workers == def->workers);
  RH_ASSERT(rh_shape_count(def->model->input) == rh_shape_count(def->dataset->shape));
  RH_ASSERT(def->model->classes >= def->dataset->classes);
}

/* Same parameters everywhere, momentum zero. */
static void set_initial_state(rh_replicas *replicas)
{
  const rh_model *model = replicas->def.model;
  rh_model_init_parameters(model, replicas->def.seed, replicas->parameters);
  for (int32_t i = 1; i < replicas->def.copies; i++)
    memcpy(replicas->parameters + i * model->stride, replicas->parameters, (size_t)row_bytes(model));
}

rh_status rh_replicas_new(const rh_replicas_def *def, rh_replicas **replicas)
{
  rh_status status = RH_OK;
  check_def(def);
  const rh_backend *backend = def->backend;
  const size_t arena = (size_t)(def->copies * row_bytes(def->model));
  rh_replicas *new = calloc(1, sizeof *new);
  if (!new) return rh_error(RH_ENOMEM, "no memory for %" PRId32 " replicas", def->workers);
  new->def = *def;
  RH_TRY(plan_chunk(def, &new->chunk));
  new->bytes = fixed_bytes(def) + new->chunk *row_bytes(def->model);
  RH_TRY(rh_batches_init(def->dataset, def->partition, def->seed, &new->batches));
  RH_TRY(rh_tree_sum_new(backend, def->model->stride, &new->sum));
  new->parameters = backend->alloc(arena);
  new->momentum = backend->alloc(arena);
  new->grads = backend->alloc((size_t)(new->chunk *row_bytes(def->model)));
  new->values = calloc((size_t)def->workers, sizeof *new->values);
  new->hits = calloc((size_t)def->workers, sizeof *new->hits);
  new->training = calloc((size_t)def->threads, sizeof(rh_workspace *));
  new->scoring = calloc((size_t)def->threads, sizeof(rh_workspace *));
  if (!new->parameters || !new->momentum || !new->grads || !new->values || !new->hits || !new->training ||
      !new->scoring) {
    char text[32];
    status = rh_error(RH_ENOMEM, "no memory for %" PRId32 " replicas of model %s: %s are needed", def->workers,
                      def->model->name, rh_unit_format((double)new->bytes, RH_UNIT_BYTE, text, sizeof text));
    goto done;
  }
  for (int i = 0; i < def->threads; i++) {
    RH_TRY(rh_workspace_new(def->model, backend, def->batch, tile_of(def), &new->training[i]));
    RH_TRY(rh_workspace_new(def->model, backend, SCORE_BATCH, 1, &new->scoring[i]));
  }
  set_initial_state(new);
  *replicas = new;
done:
  if (status != RH_OK) rh_replicas_free(new);
  return status;
}

void rh_replicas_free(rh_replicas *replicas)
{
  if (!replicas) return;
  const rh_backend *backend = replicas->def.backend;
  for (int i = 0; i < replicas->def.threads; i++) {
    if (replicas->training) rh_workspace_free(replicas->training[i]);
    if (replicas->scoring) rh_workspace_free(replicas->scoring[i]);
  }
  free(replicas->training);
  free(replicas->scoring);
  free(replicas->values);
  free(replicas->hits);
  backend->release(replicas->parameters);
  backend->release(replicas->momentum);
  backend->release(replicas->grads);
  rh_tree_sum_free(replicas->sum);
  rh_batches_clear(&replicas->batches);
  free(replicas);
}

const rh_replicas_def *rh_replicas_get_def(const rh_replicas *replicas)
{
  return &replicas->def;
}

int64_t rh_replicas_chunk(const rh_replicas *replicas)
{
  return replicas->chunk;
}

int64_t rh_replicas_bytes(const rh_replicas *replicas)
{
  return replicas->bytes;
}

/* Row of a worker in an arena. */
static float *row_of(const rh_replicas *replicas, float *arena, int32_t worker)
{
  RH_ASSERT(worker >= 0 && worker < replicas->def.workers);
  return arena + (replicas->def.copies == 1 ? 0 : worker * replicas->def.model->stride);
}

float *rh_replicas_parameters(rh_replicas *replicas, int32_t worker)
{
  return row_of(replicas, replicas->parameters, worker);
}

float *rh_replicas_momentum(rh_replicas *replicas, int32_t worker)
{
  return row_of(replicas, replicas->momentum, worker);
}

static bool stopped(const rh_replicas *replicas)
{
  return replicas->def.stop && *replicas->def.stop;
}

static rh_status check_stop(const rh_replicas *replicas)
{
  return stopped(replicas) ? rh_error(RH_EINTERRUPTED, "interrupted") : RH_OK;
}

typedef struct gradients_job {
  rh_replicas *replicas;
  int64_t t;
  int32_t first, count;
} gradients_job;

/* Item: a tile of workers. */
static bool gradients_tile(void *context, int64_t item, int thread)
{
  const gradients_job *job = context;
  rh_replicas *replicas = job->replicas;
  const rh_model *model = replicas->def.model;
  const int64_t batch = replicas->def.batch, tile = tile_of(&replicas->def), from = item * tile;
  const int64_t count = job->count - from < tile ? job->count - from : tile;
  const int32_t first = job->first + (int32_t)from;
  rh_workspace *workspace = replicas->training[thread];
  if (stopped(replicas)) return false;
  for (int64_t r = 0; r < count; r++)
    rh_batches_gather(&replicas->batches, first + (int32_t)r, job->t, batch,
                      rh_workspace_input(workspace) + r * batch * rh_shape_count(model->input),
                      rh_workspace_labels(workspace) + r * batch);
  const rh_tensor params = {rh_replicas_parameters(replicas, first), replicas->def.copies == 1 ? 0 : model->stride};
  const rh_tensor grads = {replicas->grads + from * model->stride, model->stride};
  rh_model_gradient(model, workspace, count, params, grads, replicas->values + first, replicas->hits + first);
  return true;
}

rh_status rh_replicas_gradients(rh_replicas *replicas, int64_t t, int32_t first, int32_t count, float **grads,
                                double *loss)
{
  const int64_t tile = tile_of(&replicas->def);
  RH_ASSERT(first >= 0 && count > 0 && count <= replicas->chunk && first + count <= replicas->def.workers);
  gradients_job job = {replicas, t, first, count};
  replicas->def.backend->parallel((count + tile - 1) / tile, replicas->def.threads, gradients_tile, &job);
  if (loss) memcpy(loss, replicas->values + first, (size_t)count * sizeof *loss);
  *grads = replicas->grads;
  return check_stop(replicas);
}

typedef struct sgd_job {
  rh_replicas *replicas;
  const float *grads;
  double lr;
  int32_t first;
  int64_t blocks; /* of one row */
} sgd_job;

/* Item: a block of a row. */
static bool sgd_block(void *context, int64_t item, int thread)
{
  (void)thread;
  const sgd_job *job = context;
  const rh_replicas_def *def = &job->replicas->def;
  const int64_t stride = def->model->stride, row = item / job->blocks, from = item % job->blocks * SGD_BLOCK;
  const int64_t n = stride - from < SGD_BLOCK ? stride - from : SGD_BLOCK;
  const int32_t worker = job->first + (int32_t)row;
  def->backend->sgd_step(n, 1, (rh_tensor){rh_replicas_parameters(job->replicas, worker) + from, stride},
                         (rh_tensor){rh_replicas_momentum(job->replicas, worker) + from, stride},
                         (rh_tensor){(float *)job->grads + row * stride + from, stride}, job->lr, def->momentum,
                         def->decay);
  return true;
}

void rh_replicas_sgd(rh_replicas *replicas, int32_t first, int32_t count, const float *grads, double lr)
{
  const rh_replicas_def *def = &replicas->def;
  RH_ASSERT(first >= 0 && count > 0 && first + count <= def->copies);
  sgd_job job = {replicas, grads, lr, first, (def->model->stride + SGD_BLOCK - 1) / SGD_BLOCK};
  def->backend->parallel(count * job.blocks, def->threads, sgd_block, &job);
}

rh_status rh_replicas_mean(rh_replicas *replicas, float *out)
{
  if (replicas->def.copies == 1) {
    memcpy(out, replicas->parameters, (size_t)row_bytes(replicas->def.model));
    return RH_OK;
  }
  rh_tree_sum_begin(replicas->sum);
  for (int32_t i = 0; i < replicas->def.workers; i++) {
    if (stopped(replicas)) return check_stop(replicas);
    rh_tree_sum_add(replicas->sum, rh_replicas_parameters(replicas, i));
  }
  rh_tree_sum_end(replicas->sum, 1.0 / replicas->def.workers, out);
  return RH_OK;
}

/* |x - mean|^2 over n values, n a multiple of 16, in 16 interleaved partial sums. */
static double squared_distance(int64_t n, const float *x, const float *mean)
{
  enum { LANES = 16 };
  double lane[LANES] = {0}, sum = 0;
  for (int64_t i = 0; i < n; i += LANES)
    for (int64_t k = 0; k < LANES; k++) {
      const double d = (double)x[i + k] - mean[i + k];
      lane[k] += d * d;
    }
  for (int64_t k = 0; k < LANES; k++)
    sum += lane[k];
  return sum;
}

typedef struct distance_job {
  rh_replicas *replicas;
  const float *mean;
} distance_job;

/* Item: a worker. */
static bool distance_of_worker(void *context, int64_t item, int thread)
{
  (void)thread;
  const distance_job *job = context;
  const float *x = rh_replicas_parameters(job->replicas, (int32_t)item);
  job->replicas->values[item] = squared_distance(job->replicas->def.model->stride, x, job->mean);
  return true;
}

double rh_replicas_consensus_distance(rh_replicas *replicas, const float *mean)
{
  const rh_replicas_def *def = &replicas->def;
  if (def->copies == 1) return 0;
  distance_job job = {replicas, mean};
  def->backend->parallel(def->workers, def->threads, distance_of_worker, &job);
  double sum = 0;
  for (int32_t i = 0; i < def->workers; i++)
    sum += replicas->values[i];
  return sqrt(sum / def->workers);
}

typedef struct score_job {
  rh_replicas *replicas;
  const float *parameters;
  const rh_samples *samples;
  int64_t count; /* of samples */
  double *loss;  /* [batches] */
  int64_t *hits; /* [batches] */
} score_job;

/* Item: a batch of samples. */
static bool score_batch(void *context, int64_t item, int thread)
{
  const score_job *job = context;
  const rh_replicas_def *def = &job->replicas->def;
  rh_workspace *workspace = job->replicas->scoring[thread];
  const int64_t from = item * SCORE_BATCH, n = job->count - from < SCORE_BATCH ? job->count - from : SCORE_BATCH;
  int32_t indices[SCORE_BATCH];
  if (stopped(job->replicas)) return false;
  for (int64_t i = 0; i < n; i++)
    indices[i] = (int32_t)(from + i);
  rh_samples_gather(def->dataset, job->samples, indices, n, rh_workspace_input(workspace),
                    rh_workspace_labels(workspace));
  const rh_tensor params = {(float *)job->parameters, 0};
  rh_model_evaluate(def->model, workspace, params, n, &job->loss[item], &job->hits[item]);
  job->loss[item] *= (double)n; /* sum, not mean: the last batch may be shorter */
  return true;
}

rh_status rh_replicas_score(rh_replicas *replicas, const float *parameters, const rh_samples *samples, int64_t limit,
                            rh_score *score)
{
  rh_status status = RH_OK;
  const int64_t count = limit > 0 && limit < samples->count ? limit : samples->count;
  const int64_t batches = (count + SCORE_BATCH - 1) / SCORE_BATCH;
  RH_ASSERT(count > 0);
  score_job job = {.replicas = replicas, .parameters = parameters, .samples = samples, .count = count};
  job.loss = calloc((size_t)batches, sizeof *job.loss);
  job.hits = calloc((size_t)batches, sizeof *job.hits);
  if (!job.loss || !job.hits) {
    status = rh_error(RH_ENOMEM, "no memory to score %" PRId64 " samples", count);
    goto done;
  }
  replicas->def.backend->parallel(batches, replicas->def.threads, score_batch, &job);
  RH_TRY(check_stop(replicas));
  double loss = 0;
  int64_t hits = 0;
  for (int64_t i = 0; i < batches; i++) {
    loss += job.loss[i];
    hits += job.hits[i];
  }
  *score = (rh_score){.loss = loss / (double)count, .accuracy = (double)hits / (double)count};
done:
  free(job.loss);
  free(job.hits);
  return status;
}

uint64_t rh_replicas_hash(rh_replicas *replicas)
{
  const size_t arena = (size_t)(replicas->def.copies * row_bytes(replicas->def.model));
  return rh_hash_bytes(replicas->momentum, arena, rh_hash_bytes(replicas->parameters, arena, 0));
}
