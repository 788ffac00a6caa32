/* D-PSGD: every worker keeps a model of its own and averages it with its neighbours'.
 *
 * Symbols     N workers, x_i parameters and u_i momentum of worker i, g_i its gradient, mix_i(x) worker i's average
 * with its neighbours (gossip.h; without loss sum_j W_ij x_j)
 *
 *     combine-then-adapt    g_i = grad f_i(x_i) while models travel;  x_i = mix_i(x) - lr u_i   (the paper's order)
 *     adapt-then-combine    x_i = x_i - lr u_i;  models travel;       x_i = mix_i(x)
 *     with                  u_i = momentum u_i + g_i + decay x_i
 *
 * Source      Lian et al., Can decentralized algorithms outperform centralized algorithms?, NeurIPS 2017
 */
#include <stdlib.h>

#include "collectives.h"
#include "gossip.h"

enum order { ADAPT_THEN_COMBINE, COMBINE_THEN_ADAPT };

typedef struct dpsgd_options {
  int order;
  int message;
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
     .offset = offsetof(dpsgd_options, message),
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
  rh_gossip *gossip;
  double *loss;    /* [N] */
  rh_token *after; /* [N] */
} state;

static void free_state(void *opaque)
{
  state *s = opaque;
  if (!s) return;
  rh_gossip_free(s->gossip);
  free(s->loss);
  free(s->after);
  free(s);
}

static rh_status new_state(rh_world *w, void **out)
{
  const dpsgd_options *o = w->method_options;
  state *s = calloc(1, sizeof *s);
  *out = NULL;
  if (!s) return rh_error(RH_ENOMEM, "no memory for %d workers", w->workers);
  rh_status status = rh_gossip_new(w, o->message, o->consensus_step, &s->gossip);
  if (status == RH_OK) {
    s->loss = calloc((size_t)w->workers, sizeof *s->loss);
    s->after = calloc((size_t)w->workers, sizeof *s->after);
    if (!s->loss || !s->after) status = rh_error(RH_ENOMEM, "no memory for %d workers", w->workers);
  }
  if (status == RH_OK)
    *out = s;
  else
    free_state(s);
  return status;
}

/* A step of worker i on its gradient, taken at x_i, applied to mix_i. The decay is that of x_i. */
static void step_mixed(rh_world *w, state *s, int32_t i, float *g_i, double lr, int64_t t)
{
  const rh_replicas_def *def = rh_replicas_get_def(w->replicas);
  const int64_t stride = w->model->stride;
  const rh_tensor x = {rh_replicas_parameters(w->replicas, i), 0}, g = {g_i, 0}, y = {rh_gossip_mixed(s->gossip, i), 0};
  rh_optimiser rest = def->optimiser;
  float *moments[RH_MOMENTS_MAX];
  for (int k = 0; k < rh_optimiser_moments(&rest); k++)
    moments[k] = rh_replicas_moment(w->replicas, i, k);
  const double clip = rest.clip > 0 ? rh_optimiser_clip(&rest, rh_squared_norm(stride, g_i)) : 1;
  if (clip != 1) def->backend->scale(stride, 1, clip, g, g);
  if (rest.kind == RH_OPTIMISER_ADAMW)
    def->backend->add_scaled(stride, 1, -lr * rest.decay, x, y);
  else
    def->backend->add_scaled(stride, 1, rest.decay, x, g);
  rest.decay = 0;
  rh_optimiser_step(&rest, def->backend, stride, y.data, moments, g_i, lr, t + 1);
}

/* Adapt: gradients at x_i; the step goes to x_i, or to mix_i. */
static rh_status adapt(rh_world *w, state *s, int64_t t, double lr, bool to_mixed)
{
  const int32_t chunk = (int32_t)rh_replicas_chunk(w->replicas);
  for (int32_t first = 0; first < w->workers; first += chunk) {
    const int32_t count = w->workers - first < chunk ? w->workers - first : chunk;
    float *g;
    rh_status status = rh_replicas_gradients(w->replicas, t, first, count, &g, s->loss + first);
    if (status != RH_OK) return status;
    if (!to_mixed) rh_replicas_step(w->replicas, first, count, g, lr, t);
    for (int32_t i = 0; to_mixed && i < count; i++)
      step_mixed(w, s, first + i, g + i * w->model->stride, lr, t);
  }
  return RH_OK;
}

/* What the ranks do, and for how long. */
static void append(rh_world *w, state *s)
{
  const rh_step_seconds *sec = &w->seconds;
  const dpsgd_options *o = w->method_options;
  const double gradient_s = sec->forward_s + sec->backward_total_s;
  const double encode_s = sec->encode_s[0][0] + sec->encode_s[0][1]; /* both phases make a single message */
  const bool overlaps = o->order == COMBINE_THEN_ADAPT, lossy = !w->compressor->lossless;
  for (int32_t i = 0; i < w->workers; i++) {
    s->after[i] = rh_schedule_last(w->schedule, i, RH_LANE_COMPUTE);
    if (!overlaps) s->after[i] = rh_schedule_compute(w->schedule, i, gradient_s, "gradient", RH_AT_ONCE);
    if (!overlaps) s->after[i] = rh_schedule_compute(w->schedule, i, sec->update_s, "update", RH_AT_ONCE);
    if (lossy) s->after[i] = rh_schedule_compute(w->schedule, i, encode_s, "encode", RH_AT_ONCE);
  }
  rh_collective c = {.kind = w->exchange,
                     .size = w->workers,
                     .bytes = rh_gossip_message_bytes(s->gossip)[0],
                     .element_bytes = 1,
                     .bytes_of = rh_gossip_message_bytes(s->gossip),
                     .neighbours = &w->graph->neighbours};
  rh_schedule_collective(w->schedule, &c, s->after);
  for (int32_t i = 0; i < w->workers; i++) {
    const int32_t degree = w->graph->neighbours.in_offset[i + 1] - w->graph->neighbours.in_offset[i];
    const rh_token arrived = rh_schedule_last(w->schedule, i, RH_LANE_COMMUNICATION);
    if (overlaps) rh_schedule_compute(w->schedule, i, gradient_s, "gradient", RH_AT_ONCE);
    if (lossy) /* the neighbours' messages and, to know what they know, the own one */
      rh_schedule_compute(w->schedule, i, sec->decode_s[0] * (degree + 1), "decode", arrived);
    rh_schedule_compute(w->schedule, i, sec->mix_s * (degree + 1), "mix", arrived);
    if (overlaps) rh_schedule_compute(w->schedule, i, sec->update_s, "update", RH_AT_ONCE);
  }
}

static rh_status round_(rh_world *w, void *opaque, int64_t t, double lr)
{
  rh_status status = RH_OK;
  state *s = opaque;
  const dpsgd_options *o = w->method_options;
  if (o->order == ADAPT_THEN_COMBINE) {
    RH_TRY(adapt(w, s, t, lr, false));
    rh_gossip_mix(s->gossip, t);
  } else {
    rh_gossip_mix(s->gossip, t);
    RH_TRY(adapt(w, s, t, lr, true));
  }
  rh_gossip_take(s->gossip);
  append(w, s);
  rh_world_take_losses(w, s->loss);
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
    .state_bytes = rh_gossip_bytes,
    .round = round_,
};
