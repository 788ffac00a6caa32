#include "aggregate_lowrank.h"

#include <stdlib.h>

#include "lowrank_device.h"

enum { DRAWN_VALUES = sizeof(int64_t) / sizeof(float) };

struct rh_aggregate_lowrank {
  const rh_world *world; /* borrowed, as the coder and its backend */
  rh_coder *coder;
  const rh_backend *backend;
  rh_code code[RH_BUCKETS_MAX];
  lowrank_sizes at[RH_BUCKETS_MAX]; /* where each bucket's begin in what follows, */
  lowrank_sizes all;                /* and how long that is */
  float *left;                      /* [all.left] P of all buckets; owned, as the rest */
  float *right;                     /* [all.right] Q */
  float *second;                    /* [all.second] sum of the second phase's contributions */
  float *wire;                      /* [slice][all.left or all.second] contributions */
  float *kept;                      /* [N][stride] e_i between rounds, p_i between phases */
  float *decoded;                   /* [slice][stride] own messages; NULL without feedback */
  int64_t *drawn;                   /* [1] */
  rh_tree_sum *sums[2];             /* of contributions, by phase; NULL where there are none */
  int64_t t;
};

static bool feeds(const rh_aggregate_lowrank *a)
{
  return a->decoded != NULL;
}

static rh_tensor one(float *row)
{
  return (rh_tensor){row, 0};
}

/* Columns of Q that depend on others are drawn from the stream that all workers share: the first ones from its first
 * half, those of a round from its second. */
static void orthonormalise_right(const rh_aggregate_lowrank *a, int32_t b, int64_t t, bool start)
{
  rh_rng stream = rh_coder_coding(a->coder, 0, -1, b, t).shared;
  if (!start) stream.counter[0] |= UINT32_C(1) << 31;
  rh_lowrank_clear(a->backend, DRAWN_VALUES, 1, one((float *)(void *)a->drawn));
  rh_lowrank_orthonormalise_right(a->backend, &a->code[b], 1, &stream, a->drawn, one(a->right + a->at[b].right));
}

static bool allocate(rh_aggregate_lowrank *a)
{
  const rh_world *w = a->world;
  const rh_backend *d = a->backend;
  const int64_t longest = a->all.left > a->all.second ? a->all.left : a->all.second;
  const size_t value = sizeof(float), slice = (size_t)a->coder->slice, row = (size_t)w->model->stride * value;
  a->left = d->alloc((size_t)(a->all.left + 1) * value);
  a->right = d->alloc((size_t)(a->all.right + 1) * value);
  a->second = d->alloc((size_t)(a->all.second + 1) * value);
  a->wire = d->alloc(slice * (size_t)(longest + 1) * value);
  a->kept = d->alloc((size_t)w->workers * row);
  a->drawn = d->alloc(sizeof *a->drawn);
  if (w->feedback.kind != RH_FEEDBACK_NONE && !(a->decoded = d->alloc(slice * row))) return false;
  return a->left && a->right && a->second && a->wire && a->kept && a->drawn;
}

rh_status rh_aggregate_lowrank_new(const rh_world *world, rh_coder *coder, rh_aggregate_lowrank **aggregate)
{
  rh_status status = RH_OK;
  rh_aggregate_lowrank *a = calloc(1, sizeof *a);
  *aggregate = a;
  if (!a) return rh_error(RH_ENOMEM, "no memory for an aggregation");
  a->world = world;
  a->coder = coder;
  a->backend = coder->device;
  for (int32_t b = 0; b < world->bucket_count; b++) {
    a->code[b] = rh_coder_code(coder, b, 0);
    const lowrank_sizes sizes = rh_lowrank_sizes(&a->code[b]);
    a->at[b] = a->all;
    a->all.left += sizes.left;
    a->all.right += sizes.right;
    a->all.second += sizes.second;
  }
  if (!allocate(a))
    return rh_error(RH_ENOMEM,
                    "the GPU has no memory to aggregate the vectors of %d workers; run fewer workers, or with "
                    "run.backend: cpu",
                    world->workers);
  const int64_t values[] = {a->all.left, a->all.second};
  for (int phase = 0; phase < 2; phase++)
    if (values[phase] > 0) RH_TRY(rh_tree_sum_new_of(a->backend, values[phase], world->workers, &a->sums[phase]));
  for (int32_t b = 0; b < world->bucket_count; b++)
    orthonormalise_right(a, b, 0, true);
done:
  return status;
}

void rh_aggregate_lowrank_free(rh_aggregate_lowrank *a)
{
  if (!a) return;
  void *const memory[] = {a->left, a->right, a->second, a->wire, a->kept, a->decoded, a->drawn};
  for (size_t i = 0; i < RH_COUNT(memory); i++)
    a->backend->release(memory[i]);
  rh_tree_sum_free(a->sums[0]);
  rh_tree_sum_free(a->sums[1]);
  free(a);
}

void rh_aggregate_lowrank_parts(rh_aggregate_lowrank *a, const rh_parts *parts)
{
  const size_t row = (size_t)a->world->model->stride * sizeof(float);
  rh_replicas_arena_part(a->backend, parts, "aggregate.kept", a->kept, (size_t)a->world->workers * row);
  rh_replicas_arena_part(a->backend, parts, "aggregate.right", a->right, (size_t)a->all.right * sizeof(float));
}

void rh_aggregate_lowrank_begin(rh_aggregate_lowrank *a, int64_t t)
{
  a->t = t;
  for (int phase = 0; phase < 2; phase++)
    if (a->sums[phase]) rh_tree_sum_begin(a->sums[phase]);
}

static rh_tensor bucket_of(const rh_aggregate_lowrank *a, int32_t b, rh_tensor rows)
{
  return (rh_tensor){rows.data + a->world->buckets[b].offset, rows.stride};
}

static void give_slice(rh_aggregate_lowrank *a, int32_t first, int32_t count, rh_tensor x)
{
  const rh_world *w = a->world;
  const int64_t stride = w->model->stride;
  const rh_tensor kept = {a->kept + first * stride, stride};
  if (feeds(a)) a->backend->add_scaled(stride, count, 1, kept, x); /* p = g + e */
  rh_backend_copy(a->backend, kept.data, x.data, (size_t)(count * stride) * sizeof(float));
  for (int32_t b = 0; b < w->bucket_count; b++)
    rh_lowrank_left(a->backend, &a->code[b], count, bucket_of(a, b, x), one(a->right + a->at[b].right),
                    (rh_tensor){a->wire + a->at[b].left, a->all.left});
  if (a->sums[0]) rh_tree_sum_add_rows(a->sums[0], a->wire, count);
}

void rh_aggregate_lowrank_give(rh_aggregate_lowrank *a, int32_t first, int32_t count, float *rows)
{
  const int64_t stride = a->world->model->stride;
  for (int32_t i = 0, some; i < count; i += some) {
    some = count - i < a->coder->slice ? count - i : a->coder->slice;
    give_slice(a, first + i, some, (rh_tensor){rows + i * stride, stride});
  }
}

/* The second phase of some workers, whose vectors were kept; with feedback what of them is not in it becomes e_i. */
static void give_again(rh_aggregate_lowrank *a, int32_t first, int32_t count)
{
  const rh_world *w = a->world;
  const int64_t stride = w->model->stride;
  const rh_tensor kept = {a->kept + first * stride, stride}, own = {a->decoded, stride};
  for (int32_t b = 0; b < w->bucket_count; b++) {
    const rh_tensor left = one(a->left + a->at[b].left), second = {a->wire + a->at[b].second, a->all.second};
    rh_lowrank_second(a->backend, &a->code[b], count, bucket_of(a, b, kept), left, second);
    if (feeds(a)) rh_lowrank_expand(a->backend, &a->code[b], count, 1, left, second, bucket_of(a, b, own));
  }
  if (a->sums[1]) rh_tree_sum_add_rows(a->sums[1], a->wire, count);
  if (feeds(a)) a->backend->add_scaled(stride, count, -1, own, kept);
}

void rh_aggregate_lowrank_end(rh_aggregate_lowrank *a, float *mean)
{
  const rh_world *w = a->world;
  if (a->sums[0]) rh_tree_sum_end(a->sums[0], 1, a->left);
  for (int32_t b = 0; b < w->bucket_count; b++)
    rh_lowrank_orthonormalise_left(a->backend, &a->code[b], 1, one(a->left + a->at[b].left));
  for (int32_t first = 0, some; first < w->workers; first += some) {
    some = w->workers - first < a->coder->slice ? w->workers - first : a->coder->slice;
    give_again(a, first, some);
  }
  if (a->sums[1]) rh_tree_sum_end(a->sums[1], 1, a->second);
  for (int32_t b = 0; b < w->bucket_count; b++) {
    const rh_code *code = &a->code[b];
    const rh_tensor second = one(a->second + a->at[b].second);
    if (code->warm)
      rh_lowrank_pick(a->backend, code, 1, second, one(a->right + a->at[b].right));
    else
      rh_lowrank_clear(a->backend, rh_lowrank_sizes(code).right, 1, one(a->right + a->at[b].right));
    orthonormalise_right(a, b, a->t, false);
    rh_lowrank_expand(a->backend, code, 1, 1.0 / w->workers, one(a->left + a->at[b].left), second,
                      one(mean + w->buckets[b].offset));
  }
}

float *rh_aggregate_lowrank_errors(rh_aggregate_lowrank *a)
{
  return feeds(a) ? a->kept : NULL;
}
