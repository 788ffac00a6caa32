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
  if (s->backend) {
    s->backend->release(s->mean);
    s->backend->release(s->x);
  }
  free(s->evaluated);
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
  if (!s->mean) return no_memory(w);
  if (!steps_ahead(w)) return RH_OK;
  s->x = backend->alloc(row * sizeof *s->x);
  s->evaluated = calloc(row, sizeof *s->evaluated);
  if (!s->x || !s->evaluated) return no_memory(w);
  rh_backend_copy(backend, s->x, rh_replicas_parameters(w->replicas, 0), row * sizeof *s->x);
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
  int64_t rows = ahead ? 3 : 1; /* the mean, x, and x as it is evaluated */
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
  rh_replicas_arena_part(s->backend, p, "x", s->x, (size_t)w->model->stride * sizeof *s->x);
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

/* Rows from worker i on. */
static rh_tensor parameters(const rh_world *w, int32_t i)
{
  return (rh_tensor){rh_replicas_parameters(w->replicas, i), w->model->stride};
}

static rh_tensor moments(const rh_world *w, int32_t i)
{
  return (rh_tensor){rh_replicas_moment(w->replicas, i, 0), w->model->stride};
}

/* A row that all share. */
static rh_tensor shared(float *row)
{
  return (rh_tensor){row, 0};
}

typedef struct steps_job {
  const rh_world *world;
  float *grads; /* of worker `first` */
  int32_t first;
  double lr;
} steps_job;

/* g_i = lr u_i,  u_i = momentum u_i + (g_i + decay y_i): what step-ahead compresses. */
static void momentum_steps(void *context, rh_rows rows)
{
  const steps_job *job = context;
  const rh_world *w = job->world;
  const rh_backend *b = rh_replicas_get_def(w->replicas)->backend;
  const int64_t n = w->model->stride;
  const rh_tensor g = {job->grads + (rows.first - job->first) * n, n}, u = moments(w, rows.first);
  b->add_scaled(n, rows.count, w->optimiser->decay, parameters(w, rows.first), g); /* y_i = x - e_i */
  b->combine(n, rows.count, w->optimiser->momentum, u, 1, g, u);
  b->scale(n, rows.count, job->lr, u, g);
}

/* Messages without loss are the gradients as they are; others a device must be able to make. */
static bool stays_on_device(const rh_world *w)
{
  if (w->compressor->lossless) return w->compressor->sum && w->feedback.kind == RH_FEEDBACK_NONE;
  return w->compressor->code != NULL;
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
    if (steps_ahead(w))
      rh_rows_each(w, (rh_rows){first, count, 0}, count, momentum_steps, &(steps_job){w, g, first, lr});
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
  float *const errors = rh_aggregate_error(s->aggregate, 0);
  rh_tree_sum_begin(s->sum);
  rh_tree_sum_add_rows(s->sum, errors, w->workers);
  rh_tree_sum_end(s->sum, 1.0 / w->workers, s->mean);
  s->backend->scale(w->model->stride, w->workers, 1, shared(s->mean), (rh_tensor){errors, w->model->stride});
}

/* x -= mean;  y_i = x - e_i */
static void step_ahead(rh_world *w, allreduce_state *s)
{
  const int64_t n = w->model->stride;
  s->backend->add_scaled(n, 1, -1, shared(s->mean), shared(s->x));
  if (s->averages) average_errors(w, s);
  s->backend->combine(n, w->workers, 1, shared(s->x), -1, (rh_tensor){rh_aggregate_error(s->aggregate, 0), n},
                      parameters(w, 0));
}

/* The mean holds the gradients' momentum already; the decay, which all workers know, still gathers its own:
 * u = momentum u + decay x,  x = x - lr (mean + u). */
static void corrected_step(rh_world *w, allreduce_state *s, double lr)
{
  const rh_optimiser *o = w->optimiser;
  const int64_t n = w->model->stride;
  const rh_tensor x = parameters(w, 0), u = moments(w, 0), mean = shared(s->mean);
  s->backend->combine(n, 1, o->momentum, u, o->decay, x, u);
  s->backend->combine(n, 1, 1, mean, 1, u, mean);
  s->backend->add_scaled(n, 1, -lr, mean, x);
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
  allreduce_state *s = opaque;
  if (!s->x) return NULL;
  rh_backend_download(s->backend, s->evaluated, s->x, (size_t)s->world->model->stride * sizeof *s->x);
  return s->evaluated;
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
