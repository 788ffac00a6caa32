/* Synchronous data parallel training: all workers step the same model with the mean of their gradients.
 *
 * Symbols     N workers, x parameters, u_i momentum, g_i gradient of worker i on its batch, C compressor, e_i error of
 *             worker i's messages, mean: as aggregate.h says, with feedback and compressor
 *
 *     g_i = grad f_i(x)                              every worker on its own batch
 *     g   = mean of g_i                              all-reduce, or all-gather or server where sums need decoding
 *     x   = x stepped with g (train/optim.h)         the same everywhere: one copy is stored
 *
 * A gradient is clipped once it is the mean. With error feedback `step-ahead` workers differ: each keeps its momentum
 * and takes gradients where its own error, which will be sent sooner or later, would lead:
 *
 *     g_i = grad f_i(x - e_i),  u_i = momentum u_i + g_i + decay (x - e_i)
 *     x   = x - mean of lr u_i;  e_i are averaged every `average_every` rounds
 *
 * With train.mask it is the masked model that is shared: g_i inside the mask alone are sent and stepped with
 * (masking.h).
 *
 * Time        forward, backward layer by layer, a bucket's message as soon as (overlap) or after all gradients exist
 *             (method_allreduce_time.c)
 * Source      Goyal et al., Accurate, large minibatch SGD, 2017; step-ahead: Xu, Huo, Huang, Step-ahead error feedback
 *             for distributed training with compressed gradient, AAAI 2021
 */
#include <stdlib.h>
#include <string.h>

#include "method_allreduce.h"

static const rh_option options[] = {
    {.name = "bucket",
     .kind = RH_OPTION_REAL,
     .unit = RH_UNIT_BYTE,
     .offset = offsetof(allreduce_options, bucket_bytes),
     .fallback = "0B",
     .min = 0,
     .max = 1e15,
     .help = "gradients travel in buckets of whole layers of at least this size, but for the first layers' rest; "
             "0B: all at once, 1B: layer by layer"},
    {.name = "overlap",
     .kind = RH_OPTION_SWITCH,
     .offset = offsetof(allreduce_options, overlap),
     .fallback = "off",
     .help =
         "whether a bucket travels as soon as its gradients exist, while the backward pass goes on; needs `bucket`"},
    {.name = "gather",
     .kind = RH_OPTION_CHOICE,
     .offset = offsetof(allreduce_options, gather),
     .fallback = "all",
     .choices = "all server",
     .help = "how messages that cannot be added travel: all-gather, or to rank 0, which answers with the mean"},
};

static void free_state(void *opaque)
{
  allreduce_state *s = opaque;
  if (!s) return;
  rh_aggregate_free(s->aggregate);
  rh_masking_free(s->masking);
  rh_tree_sum_free(s->sum);
  if (s->mean) s->backend->release(s->mean);
  free(s->x);
  free(s->loss);
  free(s->ready);
  free(s);
}

static bool steps_ahead(const rh_world *w)
{
  return w->feedback.kind == RH_FEEDBACK_STEP_AHEAD;
}

/* The run as it is sent: of a masked model the values inside alone. */
static rh_world *sent(rh_world *w, const allreduce_state *s)
{
  return s->masking ? rh_masking_world(s->masking) : w;
}

static rh_status no_memory(const rh_world *w)
{
  return rh_error(RH_ENOMEM, "no memory for the all-reduce of %d workers", w->workers);
}

static rh_status new_values(const rh_world *w, allreduce_state *s)
{
  const size_t row = (size_t)w->model->stride;
  const rh_backend *backend = rh_replicas_get_def(w->replicas)->backend;
  s->backend = backend;
  rh_status status = rh_tree_sum_new(backend, w->model->stride, &s->sum);
  if (status != RH_OK) return status;
  s->mean = backend->alloc(row * sizeof *s->mean);
  s->x = steps_ahead(w) ? calloc(row, sizeof *s->x) : NULL;
  if (!s->mean || (steps_ahead(w) && !s->x)) return no_memory(w);
  if (s->x) memcpy(s->x, rh_replicas_parameters(w->replicas, 0), row * sizeof *s->x);
  return RH_OK;
}

static rh_status new_state(rh_world *w, void **out)
{
  rh_status status = RH_OK;
  const size_t workers = (size_t)w->workers;
  allreduce_state *s = calloc(1, sizeof *s);
  *out = NULL;
  if (!s) return no_memory(w);
  s->world = w;
  RH_TRY(rh_masking_new(w, &s->masking));
  RH_TRY(rh_aggregate_new(sent(w, s), &s->aggregate));
  if (rh_world_has_values(w)) RH_TRY(new_values(w, s));
  s->loss = calloc(workers, sizeof *s->loss);
  s->ready = calloc(workers * (size_t)w->bucket_count, sizeof *s->ready);
  if (!s->loss || !s->ready) status = no_memory(w);
done:
  if (status == RH_OK)
    *out = s;
  else
    free_state(s);
  return status;
}

static int64_t state_bytes(const rh_sizes *z)
{
  const bool ahead = z->feedback == RH_FEEDBACK_STEP_AHEAD;
  int64_t rows = ahead ? 2 : 1; /* the mean, and x */
  for (int32_t n = ahead ? z->workers : 0; n > 0; n /= 2)
    rows++; /* of the errors' sum */
  return rh_aggregate_bytes(z) + rh_masking_bytes(z) + rows * z->model->stride * (int64_t)sizeof(float) +
         32 * (int64_t)z->workers; /* loss and tokens of each worker */
}

static void parts(void *opaque, const rh_parts *p)
{
  allreduce_state *s = opaque;
  const rh_world *w = s->world;
  rh_aggregate_parts(s->aggregate, p);
  if (s->masking) rh_masking_parts(s->masking, p);
  rh_part(p, "x", s->x, (size_t)w->model->stride * sizeof *s->x);
  rh_part(p, "ready", s->ready, (size_t)w->workers * (size_t)w->bucket_count * sizeof *s->ready);
}

static double bucket_bytes(const void *options_)
{
  return ((const allreduce_options *)options_)->bucket_bytes;
}

static const char *warning(const void *options_, int32_t buckets)
{
  if (!((const allreduce_options *)options_)->overlap || buckets > 1) return NULL;
  return "train.overlap: on changes nothing, since all gradients travel in one bucket; cut them with train.bucket, 1B "
         "for layer by layer";
}

/* lr u_i, in place of g_i: what step-ahead compresses. */
static void momentum_steps(rh_world *w, int32_t first, int32_t count, float *g, double lr)
{
  const rh_optimiser *o = &rh_replicas_get_def(w->replicas)->optimiser;
  for (int32_t i = 0; i < count; i++) {
    float *g_i = g + i * w->model->stride, *u_i = rh_replicas_moment(w->replicas, first + i, 0);
    const float *y_i = rh_replicas_parameters(w->replicas, first + i); /* x - e_i */
    for (int64_t p = 0; p < w->model->stride; p++) {
      u_i[p] = (float)o->momentum * u_i[p] + (g_i[p] + (float)o->decay * y_i[p]);
      g_i[p] = (float)lr * u_i[p];
    }
  }
}

/* Messages without loss are the gradients as they are; others a device must be able to make. */
static bool stays_on_device(const rh_world *w)
{
  if (w->compressor->lossless) return w->compressor->sum && w->feedback.kind == RH_FEEDBACK_NONE;
  return w->compressor->code && w->feedback.kind != RH_FEEDBACK_STEP_AHEAD;
}

/* s->mean = mean of the gradients, of rows on a device. */
static rh_status average_on_device(rh_world *w, allreduce_state *s, int64_t t)
{
  const int32_t chunk = (int32_t)rh_replicas_chunk(w->replicas);
  rh_tree_sum_begin(s->sum);
  for (int32_t first = 0; first < w->workers; first += chunk) {
    const int32_t count = w->workers - first < chunk ? w->workers - first : chunk;
    float *g;
    rh_status status = rh_replicas_gradients(w->replicas, t, first, count, &g, s->loss + first);
    if (status != RH_OK) return status;
    rh_tree_sum_add_rows(s->sum, g, count);
  }
  rh_tree_sum_end(s->sum, 1.0 / w->workers, s->mean);
  rh_masking_apply(s->masking, 1, (rh_tensor){s->mean, w->model->stride});
  return RH_OK;
}

/* s->mean = mean over workers of what arrives of their gradients, or of their steps. */
static rh_status aggregate(rh_world *w, allreduce_state *s, int64_t t, double lr)
{
  const int32_t chunk = (int32_t)rh_replicas_chunk(w->replicas);
  if (!rh_backend_on_host(s->backend) && w->compressor->lossless) return average_on_device(w, s, t);
  rh_aggregate_begin(s->aggregate, t);
  for (int32_t first = 0; first < w->workers; first += chunk) {
    const int32_t count = w->workers - first < chunk ? w->workers - first : chunk;
    float *g;
    rh_status status = rh_replicas_gradients(w->replicas, t, first, count, &g, s->loss + first);
    if (status != RH_OK) return status;
    if (steps_ahead(w)) momentum_steps(w, first, count, g, lr);
    rh_masking_pack(s->masking, count, (rh_tensor){g, w->model->stride});
    rh_aggregate_give(s->aggregate, first, count, g);
  }
  rh_aggregate_end(s->aggregate, s->mean);
  rh_masking_unpack(s->masking, 1, (rh_tensor){s->mean, 0});
  return RH_OK;
}

/* Every worker's error becomes the mean of all; rounds where this happens cost an all-reduce of the model. */
static void average_errors(rh_world *w, allreduce_state *s)
{
  const size_t row_bytes = (size_t)w->model->stride * sizeof(float);
  rh_tree_sum_begin(s->sum);
  for (int32_t i = 0; i < w->workers; i++)
    rh_tree_sum_add(s->sum, rh_aggregate_error(s->aggregate, i));
  rh_tree_sum_end(s->sum, 1.0 / w->workers, s->mean);
  for (int32_t i = 0; i < w->workers; i++)
    memcpy(rh_aggregate_error(s->aggregate, i), s->mean, row_bytes);
}

static void step_ahead(rh_world *w, allreduce_state *s)
{
  for (int64_t p = 0; p < w->model->parameters; p++)
    s->x[p] -= s->mean[p];
  if (s->averages) average_errors(w, s);
  for (int32_t i = 0; i < w->workers; i++) {
    const float *e_i = rh_aggregate_error(s->aggregate, i);
    float *y_i = rh_replicas_parameters(w->replicas, i);
    for (int64_t p = 0; p < w->model->parameters; p++)
      y_i[p] = s->x[p] - e_i[p];
  }
}

/* The mean holds the gradients' momentum already; the decay, which all workers know, still gathers its own:
 * u = momentum u + decay x,  x = x - lr (mean + u). */
static void corrected_step(rh_world *w, allreduce_state *s, double lr)
{
  const rh_optimiser *o = &rh_replicas_get_def(w->replicas)->optimiser;
  float *x = rh_replicas_parameters(w->replicas, 0), *u = rh_replicas_moment(w->replicas, 0, 0);
  for (int64_t p = 0; p < w->model->parameters; p++) {
    u[p] = (float)o->momentum * u[p] + (float)o->decay * x[p];
    x[p] -= (float)lr * (s->mean[p] + u[p]);
  }
}

static void step(rh_world *w, allreduce_state *s, int64_t t, double lr)
{
  if (w->compressor->corrects_momentum)
    corrected_step(w, s, lr);
  else
    rh_replicas_step(w->replicas, 0, 1, s->mean, lr, t);
}

static rh_status values(rh_world *w, allreduce_state *s, int64_t t, double lr)
{
  if (s->masking) rh_masking_begin(s->masking, w, t, s->aggregate);
  rh_status status = aggregate(w, s, t, lr);
  if (status != RH_OK) return status;
  if (steps_ahead(w))
    step_ahead(w, s);
  else
    step(w, s, t, lr);
  return RH_OK;
}

static rh_status round_(rh_world *w, void *opaque, int64_t t, double lr)
{
  allreduce_state *s = opaque;
  s->averages = steps_ahead(w) && w->feedback.average_every > 0 && (t + 1) % w->feedback.average_every == 0;
  rh_status status = rh_world_has_values(w) ? values(w, s, t, lr) : RH_OK;
  if (status != RH_OK) return status;
  allreduce_append(sent(w, s), s);
  rh_world_take_losses(w, s->loss);
  return RH_OK;
}

static const float *evaluated(void *opaque)
{
  return ((allreduce_state *)opaque)->x;
}

const rh_method rh_method_allreduce = {
    .name = "allreduce",
    .summary = "synchronous data parallel SGD: one model, the mean of all gradients in every round",
    .source = "Goyal et al., Accurate, large minibatch SGD, 2017",
    .options = options,
    .option_count = RH_COUNT(options),
    .options_size = sizeof(allreduce_options),
    .copies = RH_COPIES_ONE,
    .takes_feedback = true,
    .takes_mask = true,
    .bucket_bytes = bucket_bytes,
    .warning = warning,
    .new_state = new_state,
    .free_state = free_state,
    .state_bytes = state_bytes,
    .stays_on_device = stays_on_device,
    .parts = parts,
    .evaluated = evaluated,
    .round = round_,
};
