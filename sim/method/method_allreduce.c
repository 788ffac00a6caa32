/* Synchronous data parallel training: all workers step the same model with the mean of their gradients.
 *
 * Symbols     N workers, x parameters, u momentum, g_i gradient of worker i on its batch, Q the compressor
 *
 *     g_i = grad f_i(x)                                  every worker on its own batch
 *     g   = 1/N sum_i g_i          all-reduce            when messages can be summed without decoding
 *     g   = 1/N sum_i Q(g_i)       all-gather, decode    otherwise: everybody gets every message
 *     u   = momentum u + g + decay x,   x = x - lr u     the same everywhere: one copy is stored
 *
 * Source      Goyal et al., Accurate, large minibatch SGD, 2017; with Q: Alistarh et al., QSGD, NeurIPS 2017
 */
#include <stdlib.h>

#include "collectives.h"
#include "message.h"

typedef struct state {
  rh_tree_sum *sum;
  rh_message message;
  float *gradient; /* [stride] the mean */
  double *loss;    /* [N] */
  rh_token *after; /* [N] */
} state;

static void free_state(void *opaque)
{
  state *s = opaque;
  if (!s) return;
  rh_tree_sum_free(s->sum);
  rh_message_clear(&s->message);
  free(s->gradient);
  free(s->loss);
  free(s->after);
  free(s);
}

static rh_status new_state(rh_world *w, void **out)
{
  rh_status status = RH_OK;
  size_t row = (size_t)w->model->stride, workers = (size_t)w->workers;
  state *s = calloc(1, sizeof *s);
  if (!s) return rh_error(RH_ENOMEM, "no memory for the all-reduce of %d workers", w->workers);
  RH_TRY(rh_tree_sum_new(rh_replicas_get_def(w->replicas)->backend, w->model->stride, &s->sum));
  RH_TRY(rh_message_init(&s->message, w));
  s->gradient = calloc(row, sizeof *s->gradient);
  s->loss = calloc(workers, sizeof *s->loss);
  s->after = calloc(workers, sizeof *s->after);
  if (!s->gradient || !s->loss || !s->after)
    status = rh_error(RH_ENOMEM, "no memory for the all-reduce of %d workers", w->workers);
done:
  if (status != RH_OK) free_state(s);
  *out = status == RH_OK ? s : NULL;
  return status;
}

static int64_t state_bytes(const rh_model *model, int32_t workers, const rh_compressor *compressor)
{
  (void)compressor;
  /* the mean, about 2 log2 N rows of the tree sum; loss, token and length of each worker */
  return 40 * model->stride * (int64_t)sizeof(float) + 24 * (int64_t)workers;
}

/* One worker's gradient becomes what the others get of it. */
typedef struct sending {
  state *s;
  int64_t t, stride;
  int32_t first;
  float *g; /* [count][stride] */
} sending;

static bool send_one(void *context, int64_t i, int thread)
{
  sending *job = context;
  float *g_i = job->g + i * job->stride;
  rh_message_send(&job->s->message, thread, job->first + (int32_t)i, job->t, g_i, g_i);
  return true;
}

/* The real mathematics: s->gradient = mean over workers of what arrives. */
static rh_status mean_gradient(rh_world *w, state *s, int64_t t)
{
  rh_status status = RH_OK;
  const rh_replicas_def *def = rh_replicas_get_def(w->replicas);
  int64_t chunk = rh_replicas_chunk(w->replicas);
  rh_tree_sum_begin(s->sum);
  for (int32_t first = 0; first < w->workers; first += (int32_t)chunk) {
    int32_t count = w->workers - first < chunk ? w->workers - first : (int32_t)chunk;
    sending job = {.s = s, .t = t, .stride = w->model->stride, .first = first};
    RH_TRY(rh_replicas_gradients(w->replicas, t, first, count, &job.g, s->loss + first));
    def->backend->parallel(count, def->threads, send_one, &job);
    for (int32_t i = 0; i < count; i++)
      rh_tree_sum_add(s->sum, job.g + i * job.stride);
  }
  rh_tree_sum_end(s->sum, 1.0 / w->workers, s->gradient);
done:
  return status;
}

/* What the ranks do, and for how long. */
static void append(rh_world *w, state *s)
{
  const rh_step_seconds *sec = &w->seconds;
  bool sums = w->compressor->all_reducible;
  double decode_s = sums ? sec->decode_s : sec->decode_s * w->workers;
  for (int32_t i = 0; i < w->workers; i++) {
    s->after[i] = rh_schedule_compute(w->schedule, i, sec->forward_s + sec->backward_total_s, "gradient", RH_AT_ONCE);
    if (!w->compressor->lossless)
      s->after[i] = rh_schedule_compute(w->schedule, i, sec->encode_s, "encode", RH_AT_ONCE);
  }
  rh_collective c = {.kind = sums ? w->allreduce : w->allgather,
                     .size = w->workers,
                     .bytes = s->message.bytes[0],
                     .element_bytes = sums ? 4 : 1,
                     .bytes_of = sums ? NULL : s->message.bytes};
  rh_schedule_collective(w->schedule, &c, s->after);
  for (int32_t i = 0; i < w->workers; i++) {
    rh_token arrived = rh_schedule_last(w->schedule, i, RH_LANE_COMMUNICATION);
    if (!w->compressor->lossless) arrived = rh_schedule_compute(w->schedule, i, decode_s, "decode", arrived);
    rh_schedule_compute(w->schedule, i, sec->update_s, "update", arrived);
  }
}

static rh_status round_(rh_world *w, void *opaque, int64_t t, double lr)
{
  state *s = opaque;
  rh_status status = mean_gradient(w, s, t);
  if (status != RH_OK) return status;
  rh_replicas_sgd(w->replicas, 0, 1, s->gradient, lr);
  append(w, s);
  w->train_loss = 0;
  for (int32_t i = 0; i < w->workers; i++)
    w->train_loss += s->loss[i] / w->workers;
  return RH_OK;
}

const rh_method rh_method_allreduce = {
    .name = "allreduce",
    .summary = "synchronous data parallel SGD: one model, the mean of all gradients in every round",
    .source = "Goyal et al., Accurate, large minibatch SGD, 2017",
    .copies = RH_COPIES_ONE,
    .new_state = new_state,
    .free_state = free_state,
    .state_bytes = state_bytes,
    .round = round_,
};
