/* What all replicas together are: their mean, how far they are apart, how well a model does, their hash. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "replicas_private.h"

rh_status rh_replicas_mean(rh_replicas *replicas, float *out)
{
  if (replicas->copies == 1) {
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
  def->backend->parallel(replicas->copies, def->threads, distance_of_copy, &job);
  double sum = 0;
  for (int32_t i = 0; i < def->workers; i++)
    sum += replicas->values[replicas->copy_of[i]];
  return sqrt(sum / def->workers);
}

typedef struct score_job {
  rh_replicas *replicas;
  const float *parameters;
  rh_range *ranges; /* [layer_count] of activations in int8; NULL in fp32 */
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
  rh_workspace_set_rounding(workspace, &(rh_rounding){.sparse = job->replicas->sparse, .ranges = job->ranges});
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

rh_status rh_replicas_score(rh_replicas *replicas, const float *parameters, const rh_samples *samples, int64_t limit,
                            rh_score *score)
{
  const int64_t layers = replicas->def.model->layer_count, workers = replicas->def.workers;
  rh_range *const mean = replicas->ranges ? replicas->ranges + workers * layers : NULL;
  for (int64_t l = 0; mean && l < layers; l++)
    mean[l] = rh_range_mean(replicas->ranges + l, workers, layers);
  return score_with(replicas, parameters, mean, samples, limit, score);
}

rh_status rh_replicas_score_worker(rh_replicas *replicas, int32_t worker, const rh_samples *samples, int64_t limit,
                                   rh_score *score)
{
  rh_range *const ranges =
      replicas->ranges ? replicas->ranges + (int64_t)worker * replicas->def.model->layer_count : NULL;
  return score_with(replicas, rh_replicas_parameters(replicas, worker), ranges, samples, limit, score);
}

uint64_t rh_replicas_hash(rh_replicas *replicas)
{
  const size_t arena = (size_t)(replicas->copies * row_bytes(replicas->def.model));
  uint64_t hash = rh_hash_bytes(replicas->parameters, arena, 0);
  for (int k = 0; k < rh_optimiser_moments(&replicas->def.optimiser); k++)
    hash = rh_hash_bytes(replicas->moments[k], arena, hash);
  if (replicas->ranges)
    hash = rh_hash_bytes(replicas->ranges,
                         (size_t)(replicas->def.workers * replicas->def.model->layer_count) * sizeof(rh_range), hash);
  return hash;
}
