/* D-PSGD: every worker keeps a model of its own and averages it with its neighbours'.
 *
 * Symbols     N workers, x_i parameters and u_i momentum of worker i, g_i its gradient, W mixing matrix (row i: what i
 *             gives to its own and its neighbours' models), Q the compressor, h_i what all know of x_i,
 *             c consensus step
 *
 *     combine-then-adapt     g_i = grad f_i(x_i) while models travel;  x_i = mix_i(x) - lr u_i    (the paper's order)
 *     adapt-then-combine     x_i = x_i - lr u_i;  models travel;       x_i = mix_i(x)
 *     with  u_i = momentum u_i + g_i + decay x_i
 *
 *     mix_i(x) without loss             sum_j W_ij x_j
 *     mix_i(x), message: difference     q_j = Q(x_j - h_j) travels;  h_j += q_j everywhere;
 *                                       x_i + c sum_j W_ij (h_j - h_i)
 *     mix_i(x), message: model          W_ii x_i + sum_(j != i) W_ij Q(x_j)
 *
 * Q(x_j) itself has an error in proportion to |x_j|, so averaging it stalls at a noise floor; differences shrink as the
 * workers agree, and the noise with them. Everybody knows x_0, so h starts there and nothing is sent for it.
 *
 * Source      Lian et al., Can decentralized algorithms outperform centralized algorithms?, NeurIPS 2017; differences:
 *             Koloskova, Stich, Jaggi, Decentralized stochastic optimization and gossip with compressed communication,
 *             ICML 2019 (CHOCO)
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "collectives.h"
#include "message.h"

enum order { ADAPT_THEN_COMBINE, COMBINE_THEN_ADAPT };
enum content { DIFFERENCE, MODEL };

typedef struct dpsgd_options {
  int order;
  int content;
  double consensus_step;
} dpsgd_options;

static const rh_option options[] = {
    {.name = "order",
     .kind = RH_OPTION_CHOICE,
     .offset = offsetof(dpsgd_options, order),
     .fallback = "adapt-then-combine",
     .choices = "adapt-then-combine combine-then-adapt",
     .help = "whether models travel after the step or, as in the paper, while gradients are computed"},
    {.name = "message",
     .kind = RH_OPTION_CHOICE,
     .offset = offsetof(dpsgd_options, content),
     .fallback = "difference",
     .choices = "difference model",
     .help = "what a lossy compressor encodes: the difference to what all know of a model, or the model itself"},
    {.name = "consensus_step",
     .kind = RH_OPTION_REAL,
     .offset = offsetof(dpsgd_options, consensus_step),
     .fallback = "1",
     .min = 1e-6,
     .max = 1,
     .help = "step towards the neighbours' average with lossy differences; coarse quantisers need less than 1"},
};

typedef struct state {
  rh_world *world; /* borrowed, for the parallel bodies */
  int64_t t;
  rh_message message;
  float *mixed;       /* [N][stride] next models; owned */
  float *known;       /* [N][stride] h, or what was decoded of whole models; NULL without loss; owned */
  float *scratch;     /* [threads][2 stride]; owned */
  const float **rows; /* [threads][largest degree + 1]; owned */
  double *weights;    /* likewise; owned */
  int32_t terms;      /* largest degree + 1 */
  double *loss;       /* [N]; owned */
  rh_token *after;    /* [N]; owned */
} state;

static void free_state(void *opaque)
{
  state *s = opaque;
  if (!s) return;
  rh_message_clear(&s->message);
  free(s->mixed);
  free(s->known);
  free(s->scratch);
  free(s->rows);
  free(s->weights);
  free(s->loss);
  free(s->after);
  free(s);
}

static int32_t in_degree(const rh_graph *g, int32_t i)
{
  return g->neighbours.in_offset[i + 1] - g->neighbours.in_offset[i];
}

static rh_status new_state(rh_world *w, void **out)
{
  rh_status status = RH_OK;
  size_t row = (size_t)w->model->stride, workers = (size_t)w->workers;
  size_t threads = (size_t)rh_replicas_get_def(w->replicas)->threads;
  state *s = calloc(1, sizeof *s);
  *out = s;
  if (!s) return rh_error(RH_ENOMEM, "no memory for the gossip of %d workers", w->workers);
  s->world = w;
  for (int32_t i = 0; i < w->workers; i++)
    if (s->terms < in_degree(w->graph, i) + 1) s->terms = in_degree(w->graph, i) + 1;
  RH_TRY(rh_message_init(&s->message, w));
  s->mixed = calloc(workers * row, sizeof *s->mixed);
  s->known = w->compressor->lossless ? NULL : calloc(workers * row, sizeof *s->known);
  s->scratch = calloc(threads * 2 * row, sizeof *s->scratch);
  s->rows = calloc(threads * (size_t)s->terms, sizeof *s->rows);
  s->weights = calloc(threads * (size_t)s->terms, sizeof *s->weights);
  s->loss = calloc(workers, sizeof *s->loss);
  s->after = calloc(workers, sizeof *s->after);
  if (!s->mixed || (!s->known && !w->compressor->lossless) || !s->scratch || !s->rows || !s->weights || !s->loss ||
      !s->after) {
    status = rh_error(RH_ENOMEM, "no memory for the gossip of %d workers", w->workers);
    goto done;
  }
  for (int32_t i = 0; s->known && i < w->workers; i++)
    memcpy(s->known + (size_t)i * row, rh_replicas_parameters(w->replicas, i), row * sizeof *s->known);
done:
  if (status != RH_OK) {
    free_state(s);
    *out = NULL;
  }
  return status;
}

static int64_t state_bytes(const rh_model *model, int32_t workers, const rh_compressor *compressor)
{
  return (compressor->lossless ? 1 : 2) * (int64_t)workers * model->stride * (int64_t)sizeof(float);
}

static float *row_of(float *arena, const rh_world *w, int32_t i)
{
  return arena + (int64_t)i * w->model->stride;
}

/* Runs body for every worker on the threads of the replicas. */
static void each_worker(state *s, bool (*body)(void *context, int64_t i, int thread))
{
  const rh_replicas_def *def = rh_replicas_get_def(s->world->replicas);
  def->backend->parallel(s->world->workers, def->threads, body, s);
}

/* Lossy sending: updates what everybody knows of worker i (h_i, or its decoded model). */
static bool send_one(void *context, int64_t item, int thread)
{
  state *s = context;
  const rh_world *w = s->world;
  const dpsgd_options *o = w->method_options;
  int32_t i = (int32_t)item;
  const float *x = rh_replicas_parameters(w->replicas, i);
  float *h = row_of(s->known, w, i), *difference = row_of(s->scratch, w, 2 * thread),
        *q = difference + w->model->stride;
  if (o->content == MODEL) {
    rh_message_send(&s->message, thread, i, s->t, x, h);
    return true;
  }
  for (int64_t p = 0; p < w->model->stride; p++)
    difference[p] = x[p] - h[p];
  rh_message_send(&s->message, thread, i, s->t, difference, q);
  for (int64_t p = 0; p < w->model->stride; p++)
    h[p] += q[p];
  return true;
}

/* mixed_i = mix_i(x), the neighbours in the order of their ranks. */
static bool mix_one(void *context, int64_t item, int thread)
{
  state *s = context;
  const rh_world *w = s->world;
  const rh_graph *g = w->graph;
  const dpsgd_options *o = w->method_options;
  const rh_backend *backend = rh_replicas_get_def(w->replicas)->backend;
  int32_t i = (int32_t)item, first = g->neighbours.in_offset[i], degree = in_degree(g, i);
  bool differences = s->known && o->content == DIFFERENCE;
  const float **rows = s->rows + (int64_t)thread * s->terms;
  double *weights = s->weights + (int64_t)thread * s->terms;
  float *x = rh_replicas_parameters(w->replicas, i), *mixed = row_of(s->mixed, w, i);
  rows[0] = differences ? row_of(s->known, w, i) : x;
  weights[0] = differences ? g->own[i] - 1 : g->own[i]; /* sum_j W_ij h_j - h_i */
  for (int32_t k = 0; k < degree; k++) {
    int32_t j = g->neighbours.in[first + k];
    rows[k + 1] = s->known ? row_of(s->known, w, j) : rh_replicas_parameters(w->replicas, j);
    weights[k + 1] = g->weight[first + k];
  }
  backend->weighted_sum(w->model->stride, degree + 1, weights, rows, mixed);
  if (!differences) return true;
  for (int64_t p = 0; p < w->model->stride; p++)
    mixed[p] = x[p] + (float)o->consensus_step * mixed[p];
  return true;
}

static bool take_mixed(void *context, int64_t i, int thread)
{
  (void)thread;
  state *s = context;
  const rh_world *w = s->world;
  memcpy(rh_replicas_parameters(w->replicas, (int32_t)i), row_of(s->mixed, w, (int32_t)i),
         (size_t)w->model->stride * sizeof(float));
  return true;
}

/* What travels this round, and the mixed models. */
static void exchange_and_mix(state *s)
{
  const rh_world *w = s->world;
  if (s->known) {
    each_worker(s, send_one);
  } else {
    for (int32_t i = 0; i < w->workers; i++)
      s->message.bytes[i] = s->message.bound;
  }
  each_worker(s, mix_one);
}

/* Adapt: a step of every worker on its own gradient, taken at x_i and applied to x_i, or to mixed_i. */
static rh_status adapt(state *s, double lr, bool to_mixed)
{
  rh_status status = RH_OK;
  rh_world *w = s->world;
  const rh_replicas_def *def = rh_replicas_get_def(w->replicas);
  int64_t stride = w->model->stride, chunk = rh_replicas_chunk(w->replicas);
  for (int32_t first = 0; first < w->workers; first += (int32_t)chunk) {
    int32_t count = w->workers - first < chunk ? w->workers - first : (int32_t)chunk;
    float *g;
    RH_TRY(rh_replicas_gradients(w->replicas, s->t, first, count, &g, s->loss + first));
    if (!to_mixed) {
      rh_replicas_sgd(w->replicas, first, count, g, lr);
      continue;
    }
    for (int32_t i = 0; i < count; i++) { /* the decay belongs to the gradient, which is taken at x_i */
      rh_tensor x = {rh_replicas_parameters(w->replicas, first + i), stride}, g_i = {g + i * stride, stride};
      rh_tensor u = {rh_replicas_momentum(w->replicas, first + i), stride},
                y = {row_of(s->mixed, w, first + i), stride};
      def->backend->add_scaled(stride, 1, def->decay, x, g_i);
      def->backend->sgd_step(stride, 1, y, u, g_i, lr, def->momentum, 0);
    }
  }
done:
  return status;
}

/* What the ranks do, and for how long. */
static void append(state *s)
{
  rh_world *w = s->world;
  const rh_step_seconds *sec = &w->seconds;
  const dpsgd_options *o = w->method_options;
  double gradient_s = sec->forward_s + sec->backward_total_s, encode_s = s->known ? sec->encode_s : 0;
  bool overlaps = o->order == COMBINE_THEN_ADAPT;
  for (int32_t i = 0; i < w->workers; i++) {
    s->after[i] = rh_schedule_last(w->schedule, i, RH_LANE_COMPUTE);
    if (!overlaps) s->after[i] = rh_schedule_compute(w->schedule, i, gradient_s, "gradient", RH_AT_ONCE);
    if (!overlaps) s->after[i] = rh_schedule_compute(w->schedule, i, sec->update_s, "update", RH_AT_ONCE);
    if (s->known) s->after[i] = rh_schedule_compute(w->schedule, i, encode_s, "encode", RH_AT_ONCE);
  }
  rh_collective c = {.kind = w->exchange,
                     .size = w->workers,
                     .bytes = s->message.bound,
                     .element_bytes = 1,
                     .bytes_of = s->message.bytes,
                     .neighbours = &w->graph->neighbours};
  rh_schedule_collective(w->schedule, &c, s->after);
  for (int32_t i = 0; i < w->workers; i++) {
    int32_t degree = in_degree(w->graph, i);
    rh_token arrived = rh_schedule_last(w->schedule, i, RH_LANE_COMMUNICATION);
    if (overlaps) rh_schedule_compute(w->schedule, i, gradient_s, "gradient", RH_AT_ONCE);
    if (s->known) /* the neighbours' messages and, to know what they know, the own one */
      rh_schedule_compute(w->schedule, i, sec->decode_s * (degree + 1), "decode", arrived);
    rh_schedule_compute(w->schedule, i, sec->mix_s * (degree + 1), "mix", arrived);
    if (overlaps) rh_schedule_compute(w->schedule, i, sec->update_s, "update", RH_AT_ONCE);
  }
}

static rh_status round_(rh_world *w, void *opaque, int64_t t, double lr)
{
  rh_status status = RH_OK;
  state *s = opaque;
  const dpsgd_options *o = w->method_options;
  s->t = t;
  if (o->order == ADAPT_THEN_COMBINE) {
    RH_TRY(adapt(s, lr, false));
    exchange_and_mix(s);
  } else {
    exchange_and_mix(s);
    RH_TRY(adapt(s, lr, true));
  }
  each_worker(s, take_mixed);
  append(s);
  w->train_loss = 0;
  for (int32_t i = 0; i < w->workers; i++)
    w->train_loss += s->loss[i] / w->workers;
done:
  return status;
}

const rh_method rh_method_dpsgd = {
    .name = "dpsgd",
    .summary = "decentralised SGD: every worker steps its own model and averages it with its neighbours'",
    .source = "Lian et al., NeurIPS 2017; lossy messages as differences: Koloskova et al., ICML 2019",
    .options = options,
    .option_count = RH_COUNT(options),
    .options_size = sizeof(dpsgd_options),
    .needs_graph = true,
    .copies = RH_COPIES_EACH,
    .new_state = new_state,
    .free_state = free_state,
    .state_bytes = state_bytes,
    .round = round_,
};
