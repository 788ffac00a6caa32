#include "aggregate.h"

#include <stdlib.h>
#include <string.h>

#include "aggregate_device.h"
#include "fold.h"

struct rh_aggregate {
  const rh_world *world;  /* borrowed */
  const rh_summable *sum; /* of the compressor; NULL: messages are decoded one by one */
  rh_coder coder;
  int64_t t;
  float *kept;    /* [N][stride]: e_i between rounds, p_i between phases; NULL when neither is needed; owned */
  float *decoded; /* [threads][stride] own messages; NULL without feedback; owned */
  float *common[RH_BUCKETS_MAX]; /* what all know, per bucket; owned */
  int64_t contribution[2];       /* bytes of a worker's contributions of a phase, all buckets */
  int64_t row_bytes;             /* of what is folded: a vector, or the longer of the phases' contributions */
  int32_t slice;                 /* contributions made before they are added */
  char *rows;                    /* [slice][row_bytes] contributions; NULL when vectors are folded; owned */
  int phase;                     /* now */
  rh_fold fold;                  /* its levels are owned */
  /* of the chunk at work */
  int32_t first;
  float *given;                /* [count][stride] */
  rh_aggregate_device *device; /* of rows on a device, in place of most of the above; owned; else NULL */
};

static int64_t element_count(const rh_aggregate *a, int32_t b, int phase)
{
  return a->sum->elements(a->world->compressor_options, &a->world->buckets[b].layout, phase);
}

/* Bytes of a bucket's contribution; contributions of several buckets stand behind each other, each 8-byte aligned. */
static int64_t contribution_bytes(const rh_aggregate *a, int32_t b, int phase)
{
  return a->sum->element_bytes * element_count(a, b, phase);
}

static int64_t aligned(int64_t bytes)
{
  return (bytes + 7) / 8 * 8;
}

static void copy_vector(void *context, const void *from, void *to)
{
  const rh_aggregate *a = context;
  memcpy(to, from, (size_t)a->world->model->stride * sizeof(float));
}

static void add_vector(void *context, const void *from, void *to)
{
  const rh_aggregate *a = context;
  const float *x = from;
  float *sum = to;
  for (int64_t p = 0; p < a->world->model->stride; p++)
    sum[p] += x[p];
}

static void copy_contribution(void *context, const void *from, void *to)
{
  const rh_aggregate *a = context;
  memcpy(to, from, (size_t)a->contribution[a->phase]);
}

static void add_contribution(void *context, const void *from, void *to)
{
  const rh_aggregate *a = context;
  const char *x = from;
  char *sum = to;
  for (int32_t b = 0; b < a->world->bucket_count; b++) {
    a->sum->add(element_count(a, b, a->phase), x, sum);
    x += aligned(contribution_bytes(a, b, a->phase));
    sum += aligned(contribution_bytes(a, b, a->phase));
  }
}

static bool keeps_vectors(const rh_compressor *compressor, int feedback)
{
  return feedback != RH_FEEDBACK_NONE || (compressor->sum && compressor->sum->phases > 1);
}

static rh_status start_common(rh_aggregate *a)
{
  const rh_world *w = a->world;
  for (int32_t b = 0; a->sum->common_values && b < w->bucket_count; b++) {
    const int64_t values = a->sum->common_values(w->compressor_options, &w->buckets[b].layout);
    a->common[b] = calloc((size_t)values + 1, sizeof *a->common[b]);
    if (!a->common[b]) return rh_error(RH_ENOMEM, "no memory for what all workers know of a compressor's state");
    rh_coding coding = rh_coder_coding(&a->coder, 0, -1, b, 0);
    if (a->sum->start) a->sum->start(&coding, a->common[b]);
  }
  return RH_OK;
}

static void plan_rows(rh_aggregate *a)
{
  const rh_world *w = a->world;
  a->row_bytes = w->model->stride * (int64_t)sizeof(float);
  a->fold = (rh_fold){.context = a, .copy = copy_vector, .add = add_vector};
  if (a->sum) {
    for (int phase = 0; phase < a->sum->phases; phase++)
      for (int32_t b = 0; b < w->bucket_count; b++)
        a->contribution[phase] += aligned(contribution_bytes(a, b, phase));
    a->row_bytes = a->contribution[0] > a->contribution[1] ? a->contribution[0] : a->contribution[1];
    a->fold.copy = copy_contribution;
    a->fold.add = add_contribution;
  }
  a->fold.row_bytes = a->row_bytes;
}

/* Some contributions a thread at once, so that threads end together; sums do not depend on it. */
static int32_t slice_of(int32_t workers, int threads)
{
  return workers < 4 * threads ? workers : 4 * threads;
}

static rh_status allocate(rh_aggregate *a)
{
  const rh_world *world = a->world;
  plan_rows(a);
  if (a->device) return RH_OK;
  const size_t stride = (size_t)world->model->stride, threads = (size_t)rh_replicas_get_def(world->replicas)->threads;
  a->slice = slice_of(world->workers, (int)threads);
  const bool keeps = keeps_vectors(world->compressor, world->feedback.kind);
  a->kept = keeps ? calloc((size_t)world->workers * stride, sizeof *a->kept) : NULL;
  const bool feeds = world->feedback.kind != RH_FEEDBACK_NONE;
  a->decoded = feeds ? calloc(threads * stride, sizeof *a->decoded) : NULL;
  a->rows = a->sum ? malloc((size_t)a->slice * (size_t)a->row_bytes + 1) : NULL;
  a->fold.levels = malloc((size_t)RH_FOLD_LEVELS * (size_t)a->row_bytes + 1);
  if ((keeps && !a->kept) || (feeds && !a->decoded) || (a->sum && !a->rows) || !a->fold.levels)
    return rh_error(RH_ENOMEM, "no memory to aggregate the vectors of %d workers", world->workers);
  return a->sum ? start_common(a) : RH_OK;
}

rh_status rh_aggregate_new(const rh_world *world, rh_aggregate **aggregate)
{
  rh_status status = RH_OK;
  rh_aggregate *a = calloc(1, sizeof *a);
  *aggregate = NULL;
  if (!a) return rh_error(RH_ENOMEM, "no memory for an aggregation");
  a->world = world;
  a->sum = world->compressor->sum;
  RH_TRY(rh_coder_init(&a->coder, world));
  if (a->coder.device) RH_TRY(rh_aggregate_device_new(world, &a->coder, &a->device));
  if (rh_world_has_values(world)) RH_TRY(allocate(a));
done:
  if (status == RH_OK)
    *aggregate = a;
  else
    rh_aggregate_free(a);
  return status;
}

void rh_aggregate_free(rh_aggregate *a)
{
  if (!a) return;
  rh_aggregate_device_free(a->device);
  rh_coder_clear(&a->coder);
  for (int32_t b = 0; b < RH_BUCKETS_MAX; b++)
    free(a->common[b]);
  free(a->kept);
  free(a->decoded);
  free(a->rows);
  free(a->fold.levels);
  free(a);
}

void rh_aggregate_parts(rh_aggregate *a, const rh_parts *parts)
{
  const rh_world *w = a->world;
  rh_coder_parts(&a->coder, parts);
  if (a->device) {
    rh_aggregate_device_parts(a->device, parts);
    return;
  }
  rh_part(parts, "aggregate.kept", a->kept, (size_t)w->workers * (size_t)w->model->stride * sizeof *a->kept);
  for (int32_t b = 0; b < w->bucket_count; b++) {
    if (!a->common[b]) continue;
    const int64_t values = a->sum->common_values(w->compressor_options, &w->buckets[b].layout);
    rh_part(parts, "aggregate.common", a->common[b], (size_t)values * sizeof *a->common[b]);
  }
}

/* Of what is folded, and the contributions of a slice where they are not the given vectors themselves. */
static int64_t folded_bytes(const rh_sizes *z)
{
  const rh_summable *sum = z->compressor->sum;
  int64_t rows = sum ? slice_of(z->workers, z->threads) : 0;
  int64_t row_bytes = sum ? 0 : z->model->stride * (int64_t)sizeof(float);
  for (int phase = 0; sum && phase < sum->phases; phase++) {
    const int64_t bytes = sum->element_bytes * sum->elements(z->compressor_options, z->layout, phase);
    row_bytes = bytes > row_bytes ? bytes : row_bytes;
  }
  for (int32_t n = z->workers; n > 0; n /= 2)
    rows++; /* levels */
  const int64_t common = sum && sum->common_values ? sum->common_values(z->compressor_options, z->layout) : 0;
  return rows * row_bytes + common * (int64_t)sizeof(float);
}

int64_t rh_aggregate_bytes(const rh_sizes *z)
{
  const int64_t row = z->model->stride * (int64_t)sizeof(float);
  const int64_t decoded = z->feedback != RH_FEEDBACK_NONE ? row : 0;
  return folded_bytes(z) +
         z->threads * (decoded + rh_coder_thread_bytes(z->compressor, z->compressor_options, z->layout)) +
         z->workers * (rh_coder_worker_bytes(z->compressor, z->compressor_options, z->layout) +
                       (keeps_vectors(z->compressor, z->feedback) ? row : 0));
}

static float *kept_of(const rh_aggregate *a, int32_t worker)
{
  return a->kept + (int64_t)worker * a->world->model->stride;
}

/* Writes worker i's contribution of this phase for x. With feedback, what of x is not in the last one goes to e_i. */
static void contribute(rh_aggregate *a, int thread, int32_t worker, const float *x, char *wire)
{
  const rh_world *w = a->world;
  const bool last = a->phase == a->sum->phases - 1, feeds = w->feedback.kind != RH_FEEDBACK_NONE && last;
  float *own = feeds ? a->decoded + (int64_t)thread * w->model->stride : NULL;
  for (int32_t b = 0; b < w->bucket_count; b++) {
    const int64_t offset = w->buckets[b].offset;
    rh_coding coding = rh_coder_coding(&a->coder, thread, worker, b, a->t);
    a->sum->contribute(&coding, a->common[b], a->phase, x + offset, wire);
    if (feeds) a->sum->decode(&coding, a->common[b], wire, 1, own + offset);
    wire += aligned(contribution_bytes(a, b, a->phase));
  }
  if (!feeds) return;
  float *e = kept_of(a, worker);
  for (int64_t p = 0; p < w->model->parameters; p++)
    e[p] = x[p] - own[p];
}

static rh_tensor row_of(float *x)
{
  return (rh_tensor){x, 0};
}

static void send(rh_aggregate *a, int thread, int32_t worker, float *x)
{
  const rh_world *w = a->world;
  const rh_rows rows = {worker, 1, thread};
  if (w->feedback.kind == RH_FEEDBACK_NONE) {
    rh_coder_send(&a->coder, rows, a->t, row_of(x), row_of(x));
    return;
  }
  float *own = a->decoded + (int64_t)thread * w->model->stride, *e = kept_of(a, worker);
  rh_coder_send(&a->coder, rows, a->t, row_of(x), row_of(own));
  for (int64_t p = 0; p < w->model->parameters; p++) {
    e[p] = x[p] - own[p];
    x[p] = own[p];
  }
}

/* One worker of a given chunk. */
static bool give_one(void *context, int64_t i, int thread)
{
  rh_aggregate *a = context;
  const rh_world *w = a->world;
  const int32_t worker = a->first + (int32_t)i;
  float *x = a->given + i * w->model->stride;
  if (w->feedback.kind != RH_FEEDBACK_NONE) {
    const float *e = kept_of(a, worker);
    for (int64_t p = 0; p < w->model->parameters; p++)
      x[p] += e[p];
  }
  if (!a->sum) {
    send(a, thread, worker, x);
    return true;
  }
  if (a->sum->phases > 1) memcpy(kept_of(a, worker), x, (size_t)w->model->stride * sizeof *x);
  contribute(a, thread, worker, x, a->rows + i * a->row_bytes);
  return true;
}

/* One worker of a chunk of a second phase; its vector was kept. */
static bool give_again(void *context, int64_t i, int thread)
{
  rh_aggregate *a = context;
  const int32_t worker = a->first + (int32_t)i;
  contribute(a, thread, worker, kept_of(a, worker), a->rows + i * a->row_bytes);
  return true;
}

static void each(rh_aggregate *a, int32_t count, bool (*body)(void *context, int64_t i, int thread))
{
  const rh_replicas_def *def = rh_replicas_get_def(a->world->replicas);
  def->backend->parallel(count, def->threads, body, a);
  for (int32_t i = 0; i < count; i++)
    rh_fold_add(&a->fold, a->sum ? (const void *)(a->rows + i * a->row_bytes)
                                 : (const void *)(a->given + i * a->world->model->stride));
}

void rh_aggregate_begin(rh_aggregate *a, int64_t t)
{
  a->t = t;
  a->phase = 0;
  a->fold.rows = 0;
  if (a->device) rh_aggregate_device_begin(a->device, t);
}

void rh_aggregate_give(rh_aggregate *a, int32_t first, int32_t count, float *rows)
{
  const int32_t most = a->sum ? a->slice : count;
  if (a->device) {
    rh_aggregate_device_give(a->device, first, count, rows);
    return;
  }
  for (int32_t i = 0; i < count; i += most) {
    a->first = first + i;
    a->given = rows + i * a->world->model->stride;
    each(a, count - i < most ? count - i : most, give_one);
  }
}

/* Ends a phase: everybody takes the sum. */
static const char *take_sum(rh_aggregate *a)
{
  const rh_world *w = a->world;
  const char *total = rh_fold_end(&a->fold), *at = total;
  for (int32_t b = 0; b < w->bucket_count; b++) {
    rh_coding coding = rh_coder_coding(&a->coder, 0, -1, b, a->t);
    if (a->sum->take) a->sum->take(&coding, a->common[b], a->phase, at, w->workers);
    at += aligned(contribution_bytes(a, b, a->phase));
  }
  return total;
}

static void end_sums(rh_aggregate *a, float *mean)
{
  const rh_world *w = a->world;
  const char *total = take_sum(a);
  for (a->phase = 1; a->phase < a->sum->phases; a->phase++) {
    for (a->first = 0; a->first < w->workers; a->first += a->slice)
      each(a, w->workers - a->first < a->slice ? w->workers - a->first : a->slice, give_again);
    total = take_sum(a);
  }
  a->phase = a->sum->phases - 1;
  for (int32_t b = 0; b < w->bucket_count; b++) {
    rh_coding coding = rh_coder_coding(&a->coder, 0, -1, b, a->t);
    a->sum->decode(&coding, a->common[b], total, 1.0 / w->workers, mean + w->buckets[b].offset);
    total += aligned(contribution_bytes(a, b, a->phase));
  }
}

static void end_vectors(rh_aggregate *a, float *mean)
{
  const rh_world *w = a->world;
  const float *total = rh_fold_end(&a->fold);
  for (int64_t p = 0; p < w->model->stride; p++)
    mean[p] = (float)((double)total[p] / w->workers);
  for (int32_t b = 0; w->compressor->combine && b < w->bucket_count; b++) {
    rh_coding coding = rh_coder_coding(&a->coder, 0, -1, b, a->t);
    w->compressor->combine(&coding, mean + w->buckets[b].offset);
  }
}

void rh_aggregate_end(rh_aggregate *a, float *mean)
{
  const rh_model *m = a->world->model;
  if (a->device) {
    rh_aggregate_device_end(a->device, mean);
    return;
  }
  if (a->sum)
    end_sums(a, mean);
  else
    end_vectors(a, mean);
  memset(mean + m->parameters, 0, (size_t)(m->stride - m->parameters) * sizeof *mean);
}

const int64_t *rh_aggregate_message_bytes(const rh_aggregate *a, int32_t bucket)
{
  return a->coder.bytes + (int64_t)bucket * a->world->workers;
}

int64_t rh_aggregate_phase_bytes(const rh_aggregate *a, int32_t bucket, int phase)
{
  return contribution_bytes(a, bucket, phase);
}

float *rh_aggregate_error(rh_aggregate *a, int32_t worker)
{
  if (a->world->feedback.kind == RH_FEEDBACK_NONE) return NULL;
  return a->device ? rh_aggregate_device_error(a->device, worker) : kept_of(a, worker);
}
