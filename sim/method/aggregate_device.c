#include "aggregate_device.h"

#include <stdlib.h>

#include "aggregate_lowrank.h"
#include "fold.h"

struct rh_aggregate_device {
  const rh_world *world; /* borrowed, as the coder and its backend */
  rh_coder *coder;
  const rh_backend *backend;
  bool halves;                       /* messages are added as they are, in half precision; */
  bool floats;                       /* or as f32, bucket by bucket */
  rh_code whole;                     /* of halves: the vector's code, since values do not hang on buckets */
  float *errors;                     /* [N][stride] e_i; NULL without feedback; owned */
  float *decoded;                    /* [slice][stride] with feedback; owned */
  rh_tree_sum *sum;                  /* of decoded rows; owned */
  uint16_t *levels;                  /* [RH_FOLD_LEVELS][P] of halves; owned */
  uint16_t *total;                   /* [2][P] of halves; owned */
  uint64_t rows;                     /* halves added */
  rh_tree_sum *sums[RH_BUCKETS_MAX]; /* of floats; owned */
  int64_t strides[RH_BUCKETS_MAX];   /* values of a message of those, on the wire */
  int64_t t;
  rh_aggregate_lowrank *lowrank; /* does all of it, if the compressor is that one; owned */
};

static bool feeds(const rh_aggregate_device *a)
{
  return a->errors != NULL;
}

static bool allocate(rh_aggregate_device *a)
{
  const rh_world *w = a->world;
  const size_t row = (size_t)w->model->stride * sizeof(float),
               half_row = (size_t)w->model->parameters * sizeof(uint16_t);
  if (w->feedback.kind != RH_FEEDBACK_NONE) {
    a->errors = a->backend->alloc((size_t)w->workers * row);
    a->decoded = a->backend->alloc((size_t)a->coder->slice * row);
    if (!a->errors || !a->decoded) return false;
  }
  if (!a->halves) return true;
  a->levels = a->backend->alloc(RH_FOLD_LEVELS * half_row);
  a->total = a->backend->alloc(2 * half_row);
  return a->levels && a->total;
}

/* Sums of messages as they are on the wire, whose pads are added, too. */
static rh_status new_sums(rh_aggregate_device *a)
{
  const rh_world *w = a->world;
  for (int32_t b = 0; b < w->bucket_count; b++) {
    const int64_t bytes = w->compressor->bound_bytes(w->compressor_options, &w->buckets[b].layout);
    a->strides[b] = (bytes + 63) / 64 * 64 / (int64_t)sizeof(float);
    rh_status status = rh_tree_sum_new(a->backend, a->strides[b], &a->sums[b]);
    if (status != RH_OK) return status;
  }
  return RH_OK;
}

rh_status rh_aggregate_device_new(const rh_world *world, rh_coder *coder, rh_aggregate_device **device)
{
  rh_aggregate_device *a = calloc(1, sizeof *a);
  *device = a;
  if (!a) return rh_error(RH_ENOMEM, "no memory for an aggregation");
  a->world = world;
  a->coder = coder;
  a->backend = coder->device;
  if (world->compressor == &rh_compressor_lowrank) return rh_aggregate_lowrank_new(world, coder, &a->lowrank);
  a->floats = world->compressor->sum && world->compressor->sum->element_bytes == sizeof(float);
  a->halves = world->compressor->sum && !a->floats;
  const bool has =
      rh_compressor_code(world->compressor, world->compressor_options, &world->buckets[0].layout, 0, &a->whole);
  RH_ASSERT(has);
  a->whole.values = world->model->parameters;
  if (!allocate(a))
    return rh_error(RH_ENOMEM,
                    "the GPU has no memory to aggregate the vectors of %d workers; run fewer workers, or with "
                    "run.backend: cpu",
                    world->workers);
  if (a->floats) return new_sums(a);
  return a->halves ? RH_OK : rh_tree_sum_new(a->backend, world->model->stride, &a->sum);
}

void rh_aggregate_device_free(rh_aggregate_device *a)
{
  if (!a) return;
  rh_aggregate_lowrank_free(a->lowrank);
  rh_tree_sum_free(a->sum);
  for (int32_t b = 0; b < RH_BUCKETS_MAX; b++)
    rh_tree_sum_free(a->sums[b]);
  a->backend->release(a->errors);
  a->backend->release(a->decoded);
  a->backend->release(a->levels);
  a->backend->release(a->total);
  free(a);
}

void rh_aggregate_device_parts(rh_aggregate_device *a, const rh_parts *parts)
{
  if (a->lowrank) {
    rh_aggregate_lowrank_parts(a->lowrank, parts);
    return;
  }
  const size_t row = (size_t)a->world->model->stride * sizeof(float);
  rh_replicas_arena_part(a->backend, parts, "aggregate.kept", a->errors, (size_t)a->world->workers * row);
}

void rh_aggregate_device_begin(rh_aggregate_device *a, int64_t t)
{
  if (a->lowrank) {
    rh_aggregate_lowrank_begin(a->lowrank, t);
    return;
  }
  a->t = t;
  a->rows = 0;
  if (a->sum) rh_tree_sum_begin(a->sum);
  for (int32_t b = 0; a->floats && b < a->world->bucket_count; b++)
    rh_tree_sum_begin(a->sums[b]);
}

/* The messages as they are, added; and what each says, where that is asked for. */
static void add_halves(rh_aggregate_device *a, int32_t first, int32_t count, rh_tensor x, rh_tensor decoded)
{
  const rh_world *w = a->world;
  const rh_coding coding = rh_coder_coding(a->coder, 0, first, 0, a->t);
  const int64_t stride = (2 * w->model->parameters + 63) / 64 * 64;
  RH_ASSERT(stride <= a->coder->wire_size);
  a->backend->encode(&a->whole, &coding.rng, count, x, a->coder->device_wire, stride, a->coder->device_bytes,
                     a->coder->device_scratch);
  if (decoded.data) a->backend->decode(&a->whole, count, a->coder->device_wire, stride, decoded);
  a->backend->fold_halves(a->whole.kind, w->model->parameters, count, a->coder->device_wire, stride, a->rows,
                          a->levels);
  a->rows += (uint64_t)count;
}

/* A bucket's values in all rows. */
static rh_tensor bucket_of(const rh_world *w, int32_t b, rh_tensor rows)
{
  return (rh_tensor){rows.data + w->buckets[b].offset, rows.stride};
}

static void add_floats(rh_aggregate_device *a, int32_t first, int32_t count, rh_tensor x, rh_tensor decoded)
{
  const rh_world *w = a->world;
  for (int32_t b = 0; b < w->bucket_count; b++) {
    const rh_code code = rh_coder_code(a->coder, b, a->t);
    const rh_coding coding = rh_coder_coding(a->coder, 0, first, b, a->t);
    const int64_t stride = a->strides[b] * (int64_t)sizeof(float);
    uint8_t *const wire = a->coder->device_wire;
    a->backend->encode(&code, &coding.rng, count, bucket_of(w, b, x), wire, stride, a->coder->device_bytes,
                       a->coder->device_scratch);
    if (decoded.data) a->backend->decode(&code, count, wire, stride, bucket_of(w, b, decoded));
    rh_tree_sum_add_rows(a->sums[b], (const float *)(const void *)wire, count);
  }
}

static void end_floats(rh_aggregate_device *a, rh_tensor mean)
{
  const rh_world *w = a->world;
  for (int32_t b = 0; b < w->bucket_count; b++) {
    rh_code code = rh_coder_code(a->coder, b, a->t);
    code.factor = 1.0 / w->workers;
    rh_tree_sum_end(a->sums[b], 1, (float *)(void *)a->coder->device_wire);
    a->backend->decode(&code, 1, a->coder->device_wire, 0, bucket_of(w, b, mean));
  }
}

static void give_slice(rh_aggregate_device *a, int32_t first, int32_t count, float *rows)
{
  const int64_t stride = a->world->model->stride;
  const rh_tensor x = {rows, stride}, e = {feeds(a) ? a->errors + first * stride : NULL, stride};
  const rh_tensor own = feeds(a) ? (rh_tensor){a->decoded, stride} : x;
  if (feeds(a)) a->backend->add_scaled(stride, count, 1, e, x); /* p = g + e */
  const rh_tensor wanted = feeds(a) ? own : (rh_tensor){0};
  if (a->halves)
    add_halves(a, first, count, x, wanted);
  else if (a->floats)
    add_floats(a, first, count, x, wanted);
  else
    rh_coder_send(a->coder, (rh_rows){first, count, 0}, a->t, x, own);
  if (a->sum) rh_tree_sum_add_rows(a->sum, own.data, count);
  if (!feeds(a)) return;
  a->backend->scale(stride, count, 1, x, e);
  a->backend->add_scaled(stride, count, -1, own, e); /* e = p - C(p) */
}

void rh_aggregate_device_give(rh_aggregate_device *a, int32_t first, int32_t count, float *rows)
{
  if (a->lowrank) {
    rh_aggregate_lowrank_give(a->lowrank, first, count, rows);
    return;
  }
  const int32_t slice = a->coder->slice;
  for (int32_t i = 0; i < count; i += slice)
    give_slice(a, first + i, count - i < slice ? count - i : slice, rows + i * a->world->model->stride);
}

/* rh_fold_end of the levels: the sum moves up through those that are set. */
static const uint16_t *end_halves(rh_aggregate_device *a)
{
  const int64_t n = a->world->model->parameters;
  const uint16_t *total = NULL;
  for (int k = 0; k < RH_FOLD_LEVELS; k++) {
    const uint16_t *const level = a->levels + k * n;
    if (!(a->rows >> k & 1)) continue;
    if (total) {
      rh_backend_copy(a->backend, a->total, level, (size_t)n * sizeof *level);
      a->backend->fold_halves(a->whole.kind, n, 1, (const uint8_t *)total, 0, 1, a->total);
    }
    total = total ? a->total + n : level;
  }
  return total;
}

void rh_aggregate_device_end(rh_aggregate_device *a, float *mean)
{
  if (a->lowrank) {
    rh_aggregate_lowrank_end(a->lowrank, mean);
    return;
  }
  const rh_world *w = a->world;
  const int64_t stride = w->model->stride;
  const rh_tensor m = {mean, stride};
  if (a->halves) {
    a->backend->decode(&a->whole, 1, (const uint8_t *)end_halves(a), 0, m);
    a->backend->scale(stride, 1, 1.0 / w->workers, m, m);
    return;
  }
  if (a->floats) {
    end_floats(a, m);
    return;
  }
  rh_tree_sum_end(a->sum, 1, mean);
  a->backend->divide(stride, 1, &(float){(float)w->workers}, m, m);
  for (int32_t b = 0; w->compressor->combine && b < w->bucket_count; b++) {
    const rh_code code = rh_coder_code(a->coder, b, a->t);
    const rh_coding coding = rh_coder_coding(a->coder, 0, -1, b, a->t);
    RH_ASSERT(code.kind == RH_CODE_SIGN); /* the one that votes */
    a->backend->vote(&code, &coding.shared, mean + w->buckets[b].offset);
  }
  rh_coder_take_lengths(a->coder);
}

float *rh_aggregate_device_error(const rh_aggregate_device *a, int32_t worker)
{
  float *const errors = a->lowrank ? rh_aggregate_lowrank_errors(a->lowrank) : a->errors;
  return errors + worker * a->world->model->stride;
}
