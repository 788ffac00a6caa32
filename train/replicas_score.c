/* What all replicas together are: their mean, how far they are apart, how well a model does, their hash. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "replicas_device.h"

/* Workers from i on whose copies lie one behind the other. */
static int32_t neighbours_from(const rh_replicas *replicas, int32_t i)
{
  int32_t rows = 1;
  while (i + rows < replicas->def.workers && replicas->copy_of[i + rows] == replicas->copy_of[i] + rows)
    rows++;
  return rows;
}

rh_status rh_replicas_mean(rh_replicas *replicas, float *out)
{
  const rh_backend *backend = replicas->def.backend;
  const bool on_host = rh_backend_on_host(backend);
  const size_t bytes = (size_t)row_bytes(replicas->def.model);
  if (replicas->copies == 1) {
    rh_backend_download(backend, out, replicas->parameters, bytes);
    return rh_backend_check(backend);
  }
  rh_tree_sum_begin(replicas->sum);
  for (int32_t i = 0, rows; i < replicas->def.workers; i += rows) {
    if (stopped(replicas)) return check_stop(replicas);
    rows = on_host ? 1 : neighbours_from(replicas, i);
    rh_tree_sum_add_rows(replicas->sum, rh_replicas_parameters(replicas, i), rows);
  }
  float *const mean = on_host ? out : rh_replicas_device_row(replicas, NULL);
  rh_tree_sum_end(replicas->sum, 1.0 / replicas->def.workers, mean);
  if (!on_host) rh_backend_download(backend, out, mean, bytes);
  return rh_backend_check(backend);
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

/* Item: a copy. */
static bool distance_of_copy(void *context, int64_t item, int thread)
{
  (void)thread;
  const distance_job *job = context;
  const float *x = rh_replicas_copy(job->replicas, (int32_t)item);
  job->replicas->values[item] = squared_distance(job->replicas->def.model->stride, x, job->mean);
  return true;
}

double rh_replicas_consensus_distance(rh_replicas *replicas, const float *mean)
{
  const rh_replicas_def *def = &replicas->def;
  if (replicas->copies == 1) return 0;
  distance_job job = {replicas, mean};
  if (rh_backend_on_host(def->backend))
    def->backend->parallel(replicas->copies, def->threads, distance_of_copy, &job);
  else
    rh_replicas_device_distances(replicas, mean);
  double sum = 0;
  for (int32_t i = 0; i < def->workers; i++)
    sum += replicas->values[replicas->copy_of[i]];
  return sqrt(sum / def->workers);
}

typedef struct score_job {
  rh_replicas *replicas;
  const float *parameters; /* in the memory of the passes */
  rh_range *ranges;        /* [layer_count] of activations in int8; NULL in fp32 */
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
  rh_workspace_set_rounding(workspace, &(rh_rounding){.sparse = job->replicas->sparse, .ranges = job->ranges});
  if (job->replicas->device) {
    rh_replicas_device_score(job->replicas, job->samples, from, n, job->parameters, &job->loss[item], &job->hits[item]);
    job->loss[item] *= (double)n;
    return true;
  }
  for (int64_t i = 0; i < n; i++)
    indices[i] = (int32_t)(from + i);
  rh_samples_gather(def->dataset, job->samples, indices, n, rh_workspace_input(workspace),
                    rh_workspace_labels(workspace));
  const rh_tensor params = {(float *)job->parameters, 0};
  rh_model_evaluate(def->model, workspace, params, n, &job->loss[item], &job->hits[item]);
  job->loss[item] *= (double)n; /* sum, not mean: the last batch may be shorter */
  return true;
}

static rh_status score_with(rh_replicas *replicas, const float *parameters, rh_range *ranges, const rh_samples *samples,
                            int64_t limit, rh_score *score)
{
  rh_status status = RH_OK;
  const int64_t count = limit > 0 && limit < samples->count ? limit : samples->count;
  const int64_t batches = (count + SCORE_BATCH - 1) / SCORE_BATCH;
  RH_ASSERT(count > 0);
  score_job job = {
      .replicas = replicas, .parameters = parameters, .ranges = ranges, .samples = samples, .count = count};
  job.loss = calloc((size_t)batches, sizeof *job.loss);
  job.hits = calloc((size_t)batches, sizeof *job.hits);
  if (!job.loss || !job.hits) {
    status = rh_error(RH_ENOMEM, "no memory to score %" PRId64 " samples", count);
    goto done;
  }
  const rh_backend *passes = rh_replicas_passes(&replicas->def);
  passes->parallel(batches, replicas->def.threads, score_batch, &job);
  RH_TRY(rh_backend_check(passes));
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

/* Of the workers' running ranges, as the row behind them. */
static rh_range *mean_ranges(rh_replicas *replicas)
{
  const rh_backend *passes = rh_replicas_passes(&replicas->def);
  const int64_t layers = replicas->def.model->layer_count, workers = replicas->def.workers;
  const size_t bytes = (size_t)(workers * layers) * sizeof(rh_range);
  rh_range mean[RH_TRAINED_LAYERS_MAX], *const copy = replicas->device ? malloc(bytes) : NULL;
  RH_ASSERT(copy || !replicas->device);
  if (copy) rh_backend_download(passes, copy, replicas->ranges, bytes);
  for (int64_t l = 0; l < layers; l++)
    mean[l] = rh_range_mean((copy ? copy : replicas->ranges) + l, workers, layers);
  free(copy);
  rh_backend_upload(passes, replicas->ranges + workers * layers, mean, (size_t)layers * sizeof *mean);
  return replicas->ranges + workers * layers;
}

rh_status rh_replicas_score(rh_replicas *replicas, const float *parameters, const rh_samples *samples, int64_t limit,
                            rh_score *score)
{
  rh_range *const mean = replicas->ranges ? mean_ranges(replicas) : NULL;
  if (replicas->device) parameters = rh_replicas_device_row(replicas, parameters);
  return score_with(replicas, parameters, mean, samples, limit, score);
}

rh_status rh_replicas_score_worker(rh_replicas *replicas, int32_t worker, const rh_samples *samples, int64_t limit,
                                   rh_score *score)
{
  rh_range *const ranges =
      replicas->ranges ? replicas->ranges + (int64_t)worker * replicas->def.model->layer_count : NULL;
  const float *row = rh_replicas_parameters(replicas, worker);
  if (replicas->device && rh_backend_on_host(replicas->def.backend)) row = rh_replicas_device_row(replicas, row);
  return score_with(replicas, row, ranges, samples, limit, score);
}

/* Of an arena in the backend's memory. */
static uint64_t hash_arena(const rh_backend *backend, const float *rows, size_t bytes, uint64_t seed)
{
  if (rh_backend_on_host(backend)) return rh_hash_bytes(rows, bytes, seed);
  float *copy = malloc(bytes);
  RH_ASSERT(copy && "memory is exhausted");
  rh_backend_download(backend, copy, rows, bytes);
  const uint64_t hash = rh_hash_bytes(copy, bytes, seed);
  free(copy);
  return hash;
}

uint64_t rh_replicas_hash(rh_replicas *replicas)
{
  const rh_backend *backend = replicas->def.backend;
  const size_t arena = (size_t)(replicas->copies * row_bytes(replicas->def.model));
  uint64_t hash = hash_arena(backend, replicas->parameters, arena, 0);
  for (int k = 0; k < rh_optimiser_moments(&replicas->def.optimiser); k++)
    hash = hash_arena(backend, replicas->moments[k], arena, hash);
  if (replicas->ranges)
    hash = hash_arena(rh_replicas_passes(&replicas->def), (const float *)replicas->ranges,
                      (size_t)(replicas->def.workers * replicas->def.model->layer_count) * sizeof(rh_range), hash);
  return hash;
}
