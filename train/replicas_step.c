/* Steps of replicas: gradients of chunks, updates of copies, and both of one worker after the other. */
#include <string.h>

#include "ahead.h"
#include "replicas_device.h"

enum { STEP_BLOCK = 1 << 14 }; /* elements of one item of an optimiser's step; one copy is worked on by all threads */

typedef struct gradients_job {
  rh_replicas *replicas;
  int64_t t;
  int32_t first; /* worker of the chunk */
} gradients_job;

/* Cuts workers first .. first + count - 1 into calls of at most a tile, whose workers hold the same copy or copies in a
 * row, since a call takes parameters at equal distances. Returns how many. */
static int64_t cut_calls(rh_replicas *replicas, int32_t first, int32_t count)
{
  const int32_t *copy = replicas->copy_of + first;
  const int64_t tile = replicas->tile;
  int64_t calls = 0;
  for (int32_t from = 0, to; from < count; from = to) {
    replicas->calls[calls++] = first + from;
    for (to = from + 1; to < count && to - from < tile; to++) {
      const int32_t distance = copy[to] - copy[to - 1];
      if (distance != copy[from + 1] - copy[from] || distance < 0 || distance > 1) break;
    }
  }
  replicas->calls[calls] = first + count;
  return calls;
}

/* Of a call in 8 bits. */
static void set_rounding(rh_replicas *replicas, int64_t t, int32_t first, rh_workspace *workspace)
{
  const int64_t layers = replicas->def.model->layer_count;
  if (!replicas->ranges) return;
  rh_workspace_set_rounding(workspace, &(rh_rounding){.seed = replicas->def.seed,
                                                      .rank = (uint32_t)first,
                                                      .step = (uint64_t)t,
                                                      .sparse = replicas->sparse,
                                                      .ranges = replicas->ranges + first * layers});
}

/* Gradients of a call's workers on their batches of step t, on the host, into grads [count][stride]; losses and hits go
 * to the replicas' values and hits. */
static void take_gradients(rh_replicas *replicas, int64_t t, int32_t first, int32_t count, int thread, float *grads)
{
  const rh_model *model = replicas->def.model;
  const int64_t batch = replicas->def.batch;
  const rh_dataset *dataset = replicas->def.dataset;
  rh_workspace *workspace = replicas->training[thread];
  int32_t *const indices = replicas->indices + thread * replicas->tile * batch;
  set_rounding(replicas, t, first, workspace);
  for (int32_t r = 0; r < count; r++)
    rh_batches_indices(&replicas->batches, first + r, t, batch, indices + r * batch);
  const rh_pixels pixels = rh_samples_pixels(dataset, &dataset->train, indices);
  rh_samples_labels(&dataset->train, indices, count * batch, rh_workspace_labels(workspace));
  rh_workspace_set_pixels(workspace, &pixels);
  const bool same = count == 1 || replicas->copy_of[first] == replicas->copy_of[first + 1];
  const rh_tensor params = {rh_replicas_parameters(replicas, first), same ? 0 : model->stride};
  rh_model_gradient(model, workspace, count, params, (rh_tensor){grads, model->stride}, replicas->values + first,
                    replicas->hits + first);
}

/* Item: a call. */
static bool gradients_call(void *context, int64_t item, int thread)
{
  const gradients_job *job = context;
  rh_replicas *replicas = job->replicas;
  const int32_t first = replicas->calls[item], count = replicas->calls[item + 1] - first;
  if (stopped(replicas)) return false;
  if (replicas->device) {
    set_rounding(replicas, job->t, first, replicas->training[0]);
    rh_replicas_device_gradients(replicas, job->t, job->first, first, count);
    return true;
  }
  take_gradients(replicas, job->t, first, count, thread,
                 replicas->grads + (first - job->first) * replicas->def.model->stride);
  return true;
}

rh_status rh_replicas_gradients(rh_replicas *replicas, int64_t t, int32_t first, int32_t count, float **grads,
                                double *loss)
{
  RH_ASSERT(first >= 0 && count > 0 && count <= replicas->chunk && first + count <= replicas->def.workers);
  gradients_job job = {replicas, t, first};
  rh_replicas_passes(&replicas->def)
      ->parallel(cut_calls(replicas, first, count), replicas->def.threads, gradients_call, &job);
  if (loss) memcpy(loss, replicas->values + first, (size_t)count * sizeof *loss);
  *grads = replicas->grads;
  rh_status status = rh_backend_check(rh_replicas_passes(&replicas->def));
  return status == RH_OK ? check_stop(replicas) : status;
}

typedef struct step_job {
  rh_replicas *replicas;
  float *grads;
  double lr;
  int64_t step;
  int32_t first;
  int64_t blocks; /* of one row */
} step_job;

/* Item: a row, whose clipping factor goes to the replicas' values. */
static bool clip_row(void *context, int64_t row, int thread)
{
  (void)thread;
  const step_job *job = context;
  const rh_replicas_def *def = &job->replicas->def;
  const double squared = rh_squared_norm(def->model->stride, job->grads + row * def->model->stride);
  job->replicas->values[row] = rh_optimiser_clip(&def->optimiser, squared);
  return true;
}

/* Item: a block of a row. */
static bool step_block(void *context, int64_t item, int thread)
{
  (void)thread;
  const step_job *job = context;
  rh_replicas *replicas = job->replicas;
  const rh_replicas_def *def = &replicas->def;
  const int64_t stride = def->model->stride, row = item / job->blocks, from = item % job->blocks * STEP_BLOCK;
  const int64_t n = stride - from < STEP_BLOCK ? stride - from : STEP_BLOCK;
  const int32_t copy = job->first + (int32_t)row;
  float *const g = job->grads + row * stride + from, *moments[RH_MOMENTS_MAX];
  for (int k = 0; k < rh_optimiser_moments(&def->optimiser); k++)
    moments[k] = rh_replicas_copy_moment(replicas, copy, k) + from;
  if (def->optimiser.clip > 0 && replicas->values[row] != 1)
    def->backend->scale(n, 1, replicas->values[row], (rh_tensor){g, n}, (rh_tensor){g, n});
  rh_optimiser_step(&def->optimiser, def->backend, n, rh_replicas_copy(replicas, copy) + from, moments, g, job->lr,
                    job->step);
  return true;
}

void rh_replicas_clip(rh_replicas *replicas, int32_t count, float *grads)
{
  const rh_replicas_def *def = &replicas->def;
  const int64_t stride = def->model->stride;
  if (!rh_backend_on_host(def->backend)) {
    rh_replicas_device_clip(replicas, count, grads);
    return;
  }
  for (int32_t r = 0; def->optimiser.clip > 0 && r < count; r++) {
    const rh_tensor g = {grads + r * stride, stride};
    const double factor = rh_optimiser_clip(&def->optimiser, rh_squared_norm(stride, g.data));
    if (factor != 1) def->backend->scale(stride, 1, factor, g, g);
  }
}

/* The optimiser's step of copies from `first` on, on rows that may be others than theirs. */
static void step_rows(rh_replicas *replicas, const rh_optimiser *optimiser, int32_t first, int32_t count, rh_tensor x,
                      rh_tensor g, double lr, int64_t t)
{
  rh_tensor moments[RH_MOMENTS_MAX];
  for (int k = 0; k < rh_optimiser_moments(optimiser); k++)
    moments[k] = (rh_tensor){rh_replicas_copy_moment(replicas, first, k), g.stride};
  rh_optimiser_step_rows(optimiser, replicas->def.backend, g.stride, count, x, moments, g, lr, t + 1);
}

void rh_replicas_step_on(rh_replicas *replicas, int32_t first, int32_t count, float *grads, float *rows, double lr,
                         int64_t t)
{
  const rh_replicas_def *def = &replicas->def;
  const int64_t stride = def->model->stride;
  const rh_tensor x = {rh_replicas_copy(replicas, first), stride}, g = {grads, stride}, y = {rows, stride};
  rh_optimiser rest = def->optimiser;
  RH_ASSERT(replicas->copies == def->workers);
  rh_replicas_clip(replicas, count, grads);
  if (rest.kind == RH_OPTIMISER_ADAMW)
    def->backend->add_scaled(stride, count, -lr * rest.decay, x, y);
  else
    def->backend->add_scaled(stride, count, rest.decay, x, g);
  rest.decay = 0;
  step_rows(replicas, &rest, first, count, y, g, lr, t);
}

void rh_replicas_step(rh_replicas *replicas, int32_t first, int32_t count, float *grads, double lr, int64_t t)
{
  const rh_replicas_def *def = &replicas->def;
  RH_ASSERT(first >= 0 && count > 0 && first + count <= replicas->copies && t >= 0);
  if (!rh_backend_on_host(def->backend)) {
    const int64_t stride = def->model->stride;
    rh_replicas_clip(replicas, count, grads);
    step_rows(replicas, &def->optimiser, first, count, (rh_tensor){rh_replicas_copy(replicas, first), stride},
              (rh_tensor){grads, stride}, lr, t);
    return;
  }
  step_job job = {replicas, grads, lr, t + 1, first, (def->model->stride + STEP_BLOCK - 1) / STEP_BLOCK};
  if (def->optimiser.clip > 0) def->backend->parallel(count, def->threads, clip_row, &job);
  def->backend->parallel(count * job.blocks, def->threads, step_block, &job);
}

typedef struct train_job {
  rh_replicas *replicas;
  int64_t t;
  double lr;
  bool from_far; /* the next worker's rows are fetched during a call */
} train_job;

/* Whether replicas are worked on faster than their parameters and moments come: those of all do not fit the caches of
 * the cores. */
static bool comes_from_far(const rh_replicas_def *def)
{
  const int64_t cache_bytes = 1 << 20; /* of a core's second level, at least */
  return def->workers * (1 + rh_optimiser_moments(&def->optimiser)) * row_bytes(def->model) >
         def->threads * cache_bytes;
}

/* Names the rows of a worker as those that the thread reads next; only the beginning of long ones, which must not drive
 * out what is worked on now. */
static void announce(rh_replicas *replicas, int32_t worker)
{
  const rh_replicas_def *def = &replicas->def;
  const int64_t row = row_bytes(def->model), most = 128 << 10;
  const int moments = rh_optimiser_moments(&def->optimiser);
  _Static_assert(1 + RH_MOMENTS_MAX <= RH_AHEAD_ROWS, "a copy has more rows than can be named");
  const void *rows[1 + RH_MOMENTS_MAX] = {rh_replicas_copy(replicas, worker)};
  for (int k = 0; k < moments; k++)
    rows[1 + k] = rh_replicas_copy_moment(replicas, worker, k);
  rh_ahead_set(1 + moments, rows, row < most ? row : most);
}

/* Item: a call; its gradients lie in rows that belong to the thread. */
static bool train_call(void *context, int64_t item, int thread)
{
  const train_job *job = context;
  rh_replicas *replicas = job->replicas;
  const rh_replicas_def *def = &replicas->def;
  const int32_t first = replicas->calls[item], count = replicas->calls[item + 1] - first;
  const int64_t stride = def->model->stride;
  float *const grads = replicas->grads + thread * replicas->tile * stride, *moments[RH_MOMENTS_MAX];
  if (stopped(replicas)) return false;
  if (job->from_far) announce(replicas, (first + count) % def->workers);
  take_gradients(replicas, job->t, first, count, thread, grads);
  rh_ahead_set(0, NULL, 0);
  for (int32_t r = 0; r < count; r++) {
    float *const g = grads + r * stride;
    const double factor = def->optimiser.clip > 0 ? rh_optimiser_clip(&def->optimiser, rh_squared_norm(stride, g)) : 1;
    for (int k = 0; k < rh_optimiser_moments(&def->optimiser); k++)
      moments[k] = rh_replicas_copy_moment(replicas, first + r, k);
    if (factor != 1) def->backend->scale(stride, 1, factor, (rh_tensor){g, stride}, (rh_tensor){g, stride});
    rh_optimiser_step(&def->optimiser, def->backend, stride, rh_replicas_copy(replicas, first + r), moments, g, job->lr,
                      job->t + 1);
  }
  return true;
}

/* Chunk by chunk, where rows live on a device, or there is less room than a row for each replica of a call. */
static rh_status train_chunks(rh_replicas *replicas, int64_t t, double lr, double *loss)
{
  const int32_t chunk = (int32_t)replicas->chunk, workers = replicas->def.workers;
  for (int32_t first = 0; first < workers; first += chunk) {
    const int32_t count = workers - first < chunk ? workers - first : chunk;
    float *grads;
    rh_status status = rh_replicas_gradients(replicas, t, first, count, &grads, loss ? loss + first : NULL);
    if (status != RH_OK) return status;
    rh_replicas_step(replicas, first, count, grads, lr, t);
  }
  return RH_OK;
}

rh_status rh_replicas_train(rh_replicas *replicas, int64_t t, double lr, double *loss)
{
  const rh_replicas_def *def = &replicas->def;
  const int64_t room = replicas->chunk / replicas->tile; /* threads that have rows for a call */
  RH_ASSERT(replicas->copies == def->workers && t >= 0);
  for (int32_t i = 0; i < def->workers; i++)
    RH_ASSERT(replicas->copy_of[i] == i);
  if (replicas->device || room < 1) return train_chunks(replicas, t, lr, loss);
  train_job job = {replicas, t, lr, comes_from_far(def)};
  def->backend->parallel(cut_calls(replicas, 0, def->workers), room < def->threads ? (int)room : def->threads,
                         train_call, &job);
  if (loss) memcpy(loss, replicas->values, (size_t)def->workers * sizeof *loss);
  return check_stop(replicas);
}
