/* Passes on a device whose memory the program cannot touch.
 *
 * The data set lies on the device; of a batch only its indices travel. Where rows live on the device, too, nothing else
 * travels but losses. Where they live in the program's memory (def.passes is not def.backend), a call's parameters are
 * copied to the device before it and its gradients back after it: what a method does to rows it then does as ever. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "replicas_device.h"

/* A part of the data set on the device. */
typedef struct device_samples {
  uint8_t *pixels; /* owned */
  int32_t *labels; /* owned */
} device_samples;

struct rh_replicas_device {
  const rh_backend *backend; /* borrowed */
  device_samples train, test;
  int32_t *indices;      /* [tile or SCORE_BATCH][B]; owned */
  int32_t *host_indices; /* the same, to be sent; owned by the program */
  float *row;            /* [stride] a mean, or parameters to be scored; owned */
  double *squares;       /* [chunk or copies] squared norms; owned */
  float *parameters;     /* [tile][stride] where rows live elsewhere; owned */
  float *grads;          /* likewise */
};

static int64_t most(int64_t a, int64_t b)
{
  return a > b ? a : b;
}

static int64_t index_count(const rh_replicas_def *def, int64_t tile)
{
  return most(tile * def->batch, SCORE_BATCH);
}

static bool is_staged(const rh_replicas_def *def)
{
  return def->passes && def->passes != def->backend;
}

static int64_t samples_bytes(const rh_dataset *dataset, const rh_samples *samples)
{
  return samples->count * (rh_shape_count(dataset->shape) + (int64_t)sizeof(int32_t));
}

int64_t rh_replicas_device_bytes(const rh_replicas_def *def, int64_t tile)
{
  const rh_dataset *d = def->dataset;
  return samples_bytes(d, &d->train) + samples_bytes(d, &d->test) + index_count(def, tile) * (int64_t)sizeof(int32_t) +
         row_bytes(def->model) + most(tile, def->copies) * (int64_t)sizeof(double) +
         (is_staged(def) ? 2 * tile * row_bytes(def->model) : 0);
}

static bool send_samples(const rh_backend *backend, const rh_dataset *dataset, const rh_samples *samples,
                         device_samples *on_device)
{
  const size_t pixels = (size_t)(samples->count * rh_shape_count(dataset->shape));
  const size_t labels = (size_t)samples->count * sizeof *samples->labels;
  on_device->pixels = backend->alloc(pixels);
  on_device->labels = backend->alloc(labels);
  if (!on_device->pixels || !on_device->labels) return false;
  backend->upload(on_device->pixels, samples->pixels, pixels);
  backend->upload(on_device->labels, samples->labels, labels);
  return true;
}

rh_status rh_replicas_device_new(const rh_replicas_def *def, int64_t tile, rh_replicas_device **device)
{
  const rh_backend *b = rh_replicas_passes(def);
  const size_t indices = (size_t)index_count(def, tile) * sizeof(int32_t), row = (size_t)row_bytes(def->model);
  rh_replicas_device *d = calloc(1, sizeof *d);
  *device = d;
  if (!d) return rh_error(RH_ENOMEM, "no memory for replicas on a device");
  RH_ASSERT((def->model->arithmetic == RH_FP32 || b->quantise) && b->gather && b->fold_rows && b->squared_distances &&
            b->clip);
  d->backend = b;
  bool there = send_samples(b, def->dataset, &def->dataset->train, &d->train) &&
               send_samples(b, def->dataset, &def->dataset->test, &d->test);
  there = there && (d->indices = b->alloc(indices)) && (d->host_indices = malloc(indices)) &&
          (d->row = b->alloc(row)) && (d->squares = b->alloc((size_t)most(tile, def->copies) * sizeof *d->squares));
  if (there && is_staged(def))
    there = (d->parameters = b->alloc((size_t)tile * row)) && (d->grads = b->alloc((size_t)tile * row));
  if (there) return rh_backend_check(b);
  char need[32];
  rh_unit_format((double)rh_replicas_device_bytes(def, tile), RH_UNIT_BYTE, need, sizeof need);
  return rh_error(RH_ENOMEM, "the device has no %s left for data and rows of %" PRId32 " replicas of model %s", need,
                  def->workers, def->model->name);
}

void rh_replicas_device_free(rh_replicas_device *device)
{
  if (!device) return;
  const rh_backend *b = device->backend;
  void *const memory[] = {device->train.pixels, device->train.labels, device->test.pixels,
                          device->test.labels,  device->indices,      device->row,
                          device->squares,      device->parameters,   device->grads};
  for (size_t i = 0; b && i < sizeof memory / sizeof memory[0]; i++)
    b->release(memory[i]);
  free(device->host_indices);
  free(device);
}

/* The samples of host_indices [n], to the start of the workspace. */
static void gather(const rh_replicas *replicas, const device_samples *from, int64_t n, rh_workspace *workspace)
{
  const rh_replicas_device *d = replicas->device;
  const rh_dataset *data = replicas->def.dataset;
  d->backend->upload(d->indices, d->host_indices, (size_t)n * sizeof *d->indices);
  d->backend->gather(n, rh_shape_count(data->shape), from->pixels, from->labels, d->indices, data->mean,
                     data->deviation, rh_workspace_input(workspace), rh_workspace_labels(workspace));
}

/* The parameters of `count` workers from `first` on, on the device; of equal ones one row is enough. */
static rh_tensor parameters_of(rh_replicas *replicas, int32_t first, int32_t count)
{
  const rh_replicas_device *d = replicas->device;
  const int64_t stride = replicas->def.model->stride;
  const bool same = count == 1 || replicas->copy_of[first] == replicas->copy_of[first + 1];
  float *const rows = rh_replicas_parameters(replicas, first);
  if (!d->parameters) return (rh_tensor){rows, same ? 0 : stride};
  rh_backend_upload(d->backend, d->parameters, rows,
                    (size_t)(same ? 1 : count) * (size_t)row_bytes(replicas->def.model));
  return (rh_tensor){d->parameters, same ? 0 : stride};
}

void rh_replicas_device_gradients(rh_replicas *replicas, int64_t t, int32_t chunk_first, int32_t first, int32_t count)
{
  rh_replicas_device *d = replicas->device;
  const rh_model *model = replicas->def.model;
  const int64_t batch = replicas->def.batch;
  rh_workspace *workspace = replicas->training[0];
  float *const rows = replicas->grads + (first - chunk_first) * model->stride;
  for (int32_t r = 0; r < count; r++)
    rh_batches_indices(&replicas->batches, first + r, t, batch, d->host_indices + r * batch);
  gather(replicas, &d->train, count * batch, workspace);
  const rh_tensor params = parameters_of(replicas, first, count);
  const rh_tensor grads = {d->grads ? d->grads : rows, model->stride};
  rh_model_gradient_begin(model, workspace, count, params, grads, replicas->values + first, replicas->hits + first);
  for (int32_t r = 0; r < count; r++) /* the program's work, while the device does its own */
    rh_batches_prepare(&replicas->batches, first + r, t + 1, batch);
  rh_model_gradient_end(workspace, count, replicas->values + first, replicas->hits + first);
  if (d->grads) d->backend->download(rows, d->grads, (size_t)count * (size_t)row_bytes(model));
}

void rh_replicas_device_clip(rh_replicas *replicas, int32_t count, float *grads)
{
  const rh_replicas_def *def = &replicas->def;
  const rh_replicas_device *d = replicas->device;
  const int64_t stride = def->model->stride;
  const int64_t tile = most(replicas->tile, def->copies); /* that squares has room for */
  for (int32_t from = 0; def->optimiser.clip > 0 && from < count; from += (int32_t)tile) {
    const int64_t n = count - from < tile ? count - from : tile;
    const rh_tensor some = {grads + from * stride, stride};
    d->backend->squared_distances(stride, n, some, NULL, d->squares);
    d->backend->clip(stride, n, def->optimiser.clip, d->squares, some);
  }
}

void rh_replicas_device_distances(rh_replicas *replicas, const float *mean)
{
  const rh_replicas_device *d = replicas->device;
  const rh_model *model = replicas->def.model;
  d->backend->upload(d->row, mean, (size_t)row_bytes(model));
  d->backend->squared_distances(model->stride, replicas->copies, (rh_tensor){replicas->parameters, model->stride},
                                d->row, d->squares);
  d->backend->download(replicas->values, d->squares, (size_t)replicas->copies * sizeof(double));
}

float *rh_replicas_device_row(rh_replicas *replicas, const float *parameters)
{
  const rh_replicas_device *d = replicas->device;
  if (parameters) d->backend->upload(d->row, parameters, (size_t)row_bytes(replicas->def.model));
  return d->row;
}

void rh_replicas_device_score(rh_replicas *replicas, const rh_samples *samples, int64_t from, int64_t n,
                              const float *parameters, double *loss, int64_t *hits)
{
  const rh_replicas_device *d = replicas->device;
  const bool test = samples == &replicas->def.dataset->test;
  RH_ASSERT(test || samples == &replicas->def.dataset->train);
  for (int64_t i = 0; i < n; i++)
    d->host_indices[i] = (int32_t)(from + i);
  gather(replicas, test ? &d->test : &d->train, n, replicas->scoring[0]);
  rh_model_evaluate(replicas->def.model, replicas->scoring[0], (rh_tensor){(float *)parameters, 0}, n, loss, hits);
}
