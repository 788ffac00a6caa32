/* The arenas of N replicas and what is done to all of them. Everything is cut into items that depend on the model, the
 * batch and N alone, each computed by one thread; what is summed over items is summed in a fixed order. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fold.h"
#include "replicas_device.h"

enum { CHUNK_TILES = 8 }; /* tiles a thread of one chunk, so that threads end together */

/* A chunk need not be longer than this: longer ones leave the caches between gradient and update. */
static const int64_t chunk_bytes_wanted = 4 << 20;

/* The most replicas that one call of the model's passes takes. */
static int64_t tile_of(const rh_replicas_def *def)
{
  const int64_t tile = rh_replicas_passes(def)->tile;
  return tile < def->workers ? tile : def->workers;
}

static bool on_device(const rh_replicas_def *def)
{
  return !rh_backend_on_host(rh_replicas_passes(def));
}

/* Threads of the passes: a device is one for all. */
static int pass_threads(const rh_replicas_def *def)
{
  return on_device(def) ? 1 : def->threads;
}

/* Rows of the sum's tree that are used: one for each bit of N; the mean of a single copy is no sum. */
static int64_t tree_rows(const rh_replicas_def *def)
{
  int64_t rows = 0;
  while (def->copies > 1 && def->workers >> rows)
    rows++;
  return rows;
}

/* Bytes of one copy: its parameters and moments. */
static int64_t copy_bytes(const rh_replicas_def *def)
{
  return (1 + rh_optimiser_moments(&def->optimiser)) * row_bytes(def->model);
}

/* Running ranges of activations: of each worker, since each sees its own batches, and a row for their mean. */
static int64_t range_count(const rh_replicas_def *def)
{
  return def->model->arithmetic == RH_INT8 ? ((int64_t)def->workers + 1) * def->model->layer_count : 0;
}

/* Bytes of the passes' workspaces and of what else a device needs for calls of `tile` replicas. */
static int64_t pass_bytes(const rh_replicas_def *def, int64_t tile)
{
  const int64_t training = rh_workspace_bytes(def->model, rh_replicas_passes(def), def->batch, tile);
  const int64_t scoring = rh_workspace_bytes(def->model, rh_replicas_passes(def), SCORE_BATCH, 1);
  return pass_threads(def) * (training + scoring) + (on_device(def) ? rh_replicas_device_bytes(def, tile) : 0);
}

/* Samples of the calls of all threads; those of a device's calls are its own. */
static int64_t index_count(const rh_replicas_def *def, int64_t tile)
{
  return on_device(def) ? 0 : def->threads * tile * def->batch;
}

/* Bytes of everything but the chunk buffer. */
static int64_t fixed_bytes(const rh_replicas_def *def, int64_t tile)
{
  const int64_t per_worker = (int64_t)(sizeof(double) + sizeof(int64_t) + 2 * sizeof(int32_t));
  return def->copies * copy_bytes(def) + tree_rows(def) * row_bytes(def->model) + pass_bytes(def, tile) +
         rh_batches_bytes(def->partition) + def->workers * per_worker + range_count(def) * (int64_t)sizeof(rh_range) +
         (index_count(def, tile) + 1) * (int64_t)sizeof(int32_t);
}

/* The longest chunk that is of use: all workers, or enough to keep threads busy and fill the caches; of gradients that
 * are stepped with at once, a call for each thread. */
static int64_t longest_chunk(const rh_replicas_def *def)
{
  if (on_device(def)) return tile_of(def);
  int64_t rows = (def->trains_at_once ? 1 : CHUNK_TILES) * tile_of(def) * def->threads;
  if (!def->trains_at_once && rows < chunk_bytes_wanted / row_bytes(def->model))
    rows = chunk_bytes_wanted / row_bytes(def->model);
  return rows < def->workers ? rows : def->workers;
}

void rh_replicas_predict(const rh_replicas_def *def, int64_t *least_bytes, int64_t *most_bytes)
{
  *least_bytes = fixed_bytes(def, on_device(def) ? 1 : tile_of(def)) + row_bytes(def->model);
  *most_bytes = fixed_bytes(def, tile_of(def)) + longest_chunk(def) * row_bytes(def->model);
}

/* Bytes that live on the device with calls of `tile` replicas. */
static int64_t bytes_on_device(const rh_replicas_def *def, int64_t tile)
{
  int64_t bytes = pass_bytes(def, tile);
  if (!rh_backend_on_host(def->backend)) /* the sum has all its levels */
    bytes += def->other_bytes + def->copies * copy_bytes(def) + (RH_FOLD_LEVELS + tile) * row_bytes(def->model);
  return bytes;
}

/* The largest tile, halved from the backend's, whose rows and workspaces fit the device; the chunk is a tile. */
static rh_status plan_tile(const rh_replicas_def *def, int64_t *tile)
{
  const rh_backend *passes = rh_replicas_passes(def);
  RH_ASSERT(rh_backend_on_host(def->backend) || def->backend == passes);
  if (def->model->arithmetic == RH_INT8 && !passes->quantise)
    return rh_error(RH_EUNSUPPORTED,
                    "run.backend: %s does not step in 8 bits; use train.arithmetic: fp32, or run.backend: "
                    "cpu",
                    passes->name);
  const int64_t available = passes->free_bytes ? passes->free_bytes() / 20 * 19 : INT64_MAX; /* it falls into pieces */
  *tile = tile_of(def);
  while (*tile > 1 && bytes_on_device(def, *tile) > available)
    *tile /= 2;
  const int64_t need = bytes_on_device(def, *tile), copy = copy_bytes(def), others = need - def->copies * copy;
  if (need <= available) return RH_OK;
  char needed[32], free_[32], each[32];
  rh_unit_format((double)need, RH_UNIT_BYTE, needed, sizeof needed);
  rh_unit_format((double)available, RH_UNIT_BYTE, free_, sizeof free_);
  rh_unit_format((double)copy, RH_UNIT_BYTE, each, sizeof each);
  if (!rh_backend_on_host(def->backend) && others < available)
    return rh_error(RH_ENOMEM,
                    "the GPU has %s left, and %" PRId32 " replicas of model %s need %s, %s each; %" PRId64 " would fit",
                    free_, def->workers, def->model->name, needed, each, (available - others) / copy);
  return rh_error(RH_ENOMEM,
                  "the GPU has %s left, and one replica of model %s at batch %" PRId64 " needs %s; a smaller "
                  "train.batch, or run.backend: cpu",
                  free_, def->model->name, def->batch, needed);
}

static rh_status plan_chunk(const rh_replicas_def *def, int64_t *tile, int64_t *chunk)
{
  const int64_t row = row_bytes(def->model);
  int64_t least, most;
  *tile = tile_of(def);
  if (on_device(def)) {
    rh_status status = plan_tile(def, tile);
    *chunk = *tile;
    return status;
  }
  rh_replicas_predict(def, &least, &most);
  *chunk = longest_chunk(def);
  if (def->memory_bytes == 0 || most <= def->memory_bytes) return RH_OK;
  if (least <= def->memory_bytes) {
    *chunk = 1 + (def->memory_bytes - least) / row;
    return RH_OK;
  }
  char need[32], limit[32], each[32], rest[32];
  const int64_t copy = copy_bytes(def), others = least - def->copies * copy;
  const int64_t fit = def->copies > 1 && def->memory_bytes > others ? (def->memory_bytes - others) / copy : 0;
  rh_unit_format((double)least, RH_UNIT_BYTE, need, sizeof need);
  rh_unit_format((double)def->memory_bytes, RH_UNIT_BYTE, limit, sizeof limit);
  rh_unit_format((double)copy, RH_UNIT_BYTE, each, sizeof each);
  rh_unit_format((double)others, RH_UNIT_BYTE, rest, sizeof rest);
  return rh_error(RH_ENOMEM,
                  "the memory limit of %s is too small: %" PRId32 " replicas of model %s need %s (%" PRId32
                  " copies of %s, and %s for gradients and workspaces); about %" PRId64 " copies would fit",
                  limit, def->workers, def->model->name, need, def->copies, each, rest, fit);
}

static void check_def(const rh_replicas_def *def)
{
  RH_ASSERT(def->workers > 0 && def->copies > 0 && def->copies <= def->workers);
  RH_ASSERT(def->label_smoothing >= 0 && def->label_smoothing <= 1);
  RH_ASSERT(def->batch > 0 && def->threads > 0 && def->memory_bytes >= 0);
  RH_ASSERT(def->partition->workers == def->workers);
  RH_ASSERT(rh_shape_count(def->model->input) == rh_shape_count(def->dataset->shape));
  RH_ASSERT(def->model->classes >= def->dataset->classes);
}

/* Same parameters everywhere, moments zero, no ranges. */
static void set_initial_state(rh_replicas *replicas, float *row)
{
  const rh_model *model = replicas->def.model;
  const rh_backend *backend = replicas->def.backend;
  const size_t bytes = (size_t)row_bytes(model);
  if (replicas->def.initial)
    memcpy(row, replicas->def.initial, bytes);
  else
    rh_model_init_parameters(model, replicas->def.seed, row);
  replicas->def.initial = NULL;
  for (int32_t i = 0; i < replicas->def.copies; i++)
    rh_backend_upload(backend, replicas->parameters + i * model->stride, row, bytes);
  rh_replicas_share(replicas, replicas->def.copies, NULL);
  const rh_range none = RH_RANGE_NONE;
  for (int64_t i = 0; i < range_count(&replicas->def); i++)
    rh_backend_upload(rh_replicas_passes(&replicas->def), &replicas->ranges[i], &none, sizeof none);
}

/* Everything but the workspaces. Returns whether there was memory. */
static bool allocate(rh_replicas *replicas)
{
  const rh_replicas_def *def = &replicas->def;
  const size_t arena = (size_t)(def->copies * row_bytes(def->model)), workers = (size_t)def->workers;
  bool there = true;
  for (int k = 0; k < rh_optimiser_moments(&def->optimiser); k++)
    there &= (replicas->moments[k] = def->backend->alloc(arena)) != NULL;
  replicas->parameters = def->backend->alloc(arena);
  replicas->grads = def->backend->alloc((size_t)(replicas->chunk * row_bytes(def->model)));
  replicas->copy_of = calloc(workers, sizeof *replicas->copy_of);
  replicas->indices = calloc((size_t)index_count(def, replicas->tile) + 1, sizeof *replicas->indices);
  replicas->calls = calloc(workers + 1, sizeof *replicas->calls);
  if (range_count(def) > 0)
    there &= (replicas->ranges = rh_replicas_passes(def)->alloc((size_t)range_count(def) * sizeof(rh_range))) != NULL;
  replicas->values = calloc(workers, sizeof *replicas->values);
  replicas->hits = calloc(workers, sizeof *replicas->hits);
  replicas->training = calloc((size_t)def->threads, sizeof(rh_workspace *));
  replicas->scoring = calloc((size_t)def->threads, sizeof(rh_workspace *));
  return there && replicas->parameters && replicas->grads && replicas->copy_of && replicas->indices &&
         replicas->calls && replicas->values && replicas->hits && replicas->training && replicas->scoring;
}

rh_status rh_replicas_new(const rh_replicas_def *def, rh_replicas **replicas)
{
  rh_status status = RH_OK;
  check_def(def);
  const rh_backend *passes = rh_replicas_passes(def);
  float *row = NULL;
  rh_replicas *new = calloc(1, sizeof *new);
  if (!new) return rh_error(RH_ENOMEM, "no memory for %" PRId32 " replicas", def->workers);
  new->def = *def;
  RH_TRY(plan_chunk(def, &new->tile, &new->chunk));
  new->bytes = fixed_bytes(def, new->tile) + new->chunk *row_bytes(def->model);
  RH_TRY(rh_batches_init(def->dataset, def->partition, def->seed, &new->batches));
  RH_TRY(rh_tree_sum_new(def->backend, def->model->stride, &new->sum));
  row = calloc((size_t)def->model->stride, sizeof *row);
  if (!row || !allocate(new)) {
    char text[32];
    status = rh_error(RH_ENOMEM, "no memory for %" PRId32 " replicas of model %s: %s are needed", def->workers,
                      def->model->name, rh_unit_format((double)new->bytes, RH_UNIT_BYTE, text, sizeof text));
    goto done;
  }
  for (int i = 0; i < pass_threads(def); i++) {
    RH_TRY(rh_workspace_new(def->model, passes, def->batch, new->tile, &new->training[i]));
    rh_workspace_smooth_labels(new->training[i], def->label_smoothing);
    RH_TRY(rh_workspace_new(def->model, passes, SCORE_BATCH, 1, &new->scoring[i]));
  }
  if (on_device(def)) RH_TRY(rh_replicas_device_new(def, new->tile, &new->device));
  set_initial_state(new, row);
  RH_TRY(rh_backend_check(def->backend));
  *replicas = new;
done:
  free(row);
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
  free(replicas->copy_of);
  free(replicas->indices);
  free(replicas->calls);
  rh_replicas_passes(&replicas->def)->release(replicas->ranges);
  free(replicas->values);
  free(replicas->hits);
  backend->release(replicas->parameters);
  for (int k = 0; k < RH_MOMENTS_MAX; k++)
    backend->release(replicas->moments[k]);
  backend->release(replicas->grads);
  rh_tree_sum_free(replicas->sum);
  rh_replicas_device_free(replicas->device);
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

void rh_replicas_share(rh_replicas *replicas, int32_t copies, const int32_t *copy_of)
{
  const int32_t workers = replicas->def.workers;
  RH_ASSERT(copies > 0 && copies <= replicas->def.copies);
  replicas->copies = copies;
  for (int32_t i = 0; i < workers; i++) {
    replicas->copy_of[i] = copy_of ? copy_of[i] : (int32_t)((int64_t)i * copies / workers);
    RH_ASSERT(replicas->copy_of[i] >= 0 && replicas->copy_of[i] < copies);
  }
}

/* Of a device by way of a copy, which goes back with whatever was read into it. */
void rh_replicas_arena_part(const rh_backend *backend, const rh_parts *parts, const char *name, float *rows,
                            size_t bytes)
{
  if (!rows || bytes == 0 || rh_backend_on_host(backend)) {
    rh_part(parts, name, rows, bytes);
    return;
  }
  float *copy = malloc(bytes);
  RH_ASSERT(copy && "memory is exhausted");
  rh_backend_download(backend, copy, rows, bytes);
  rh_part(parts, name, copy, bytes);
  rh_backend_upload(backend, rows, copy, bytes);
  free(copy);
}

void rh_replicas_parts(rh_replicas *replicas, const rh_parts *parts)
{
  const rh_replicas_def *def = &replicas->def;
  const size_t workers = (size_t)def->workers, arena = (size_t)(def->copies * row_bytes(def->model));
  int32_t copies = replicas->copies;
  rh_part(parts, "copies", &copies, sizeof copies);
  rh_part(parts, "copy_of", replicas->copy_of, workers * sizeof *replicas->copy_of);
  rh_replicas_arena_part(def->backend, parts, "parameters", replicas->parameters, arena);
  for (int k = 0; k < RH_MOMENTS_MAX; k++)
    rh_replicas_arena_part(def->backend, parts, "moment", replicas->moments[k], arena);
  rh_replicas_arena_part(rh_replicas_passes(def), parts, "ranges", (float *)replicas->ranges,
                         (size_t)range_count(def) * sizeof *replicas->ranges);
  replicas->copies = copies < 1 ? 1 : copies > def->copies ? def->copies : copies;
  for (size_t i = 0; i < workers; i++) /* whatever was read */
    if (replicas->copy_of[i] < 0 || replicas->copy_of[i] >= replicas->copies) replicas->copy_of[i] = 0;
}

int32_t rh_replicas_copies(const rh_replicas *replicas)
{
  return replicas->copies;
}

static int32_t copy_of(const rh_replicas *replicas, int32_t worker)
{
  RH_ASSERT(worker >= 0 && worker < replicas->def.workers);
  return replicas->copy_of[worker];
}

void rh_replicas_set_sparse(rh_replicas *replicas, bool sparse)
{
  replicas->sparse = sparse;
}

float *rh_replicas_parameters(rh_replicas *replicas, int32_t worker)
{
  return rh_replicas_copy(replicas, copy_of(replicas, worker));
}

float *rh_replicas_moment(rh_replicas *replicas, int32_t worker, int k)
{
  return rh_replicas_copy_moment(replicas, copy_of(replicas, worker), k);
}

float *rh_replicas_copy(rh_replicas *replicas, int32_t copy)
{
  RH_ASSERT(copy >= 0 && copy < replicas->def.copies);
  return replicas->parameters + copy * replicas->def.model->stride;
}

float *rh_replicas_copy_moment(rh_replicas *replicas, int32_t copy, int k)
{
  RH_ASSERT(copy >= 0 && copy < replicas->def.copies);
  RH_ASSERT(k >= 0 && k < rh_optimiser_moments(&replicas->def.optimiser));
  return replicas->moments[k] + copy * replicas->def.model->stride;
}
