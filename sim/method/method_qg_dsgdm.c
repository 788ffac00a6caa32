/* QG-DSGDm: decentralised SGD whose momentum is that of the model's own displacement, which holds what the neighbours
 * learned, too: on heterogeneous data the gradients' own momentum pulls the workers apart.
 *
 * Symbols     N workers, x_i parameters of worker i, g_i its gradient, mh_i its quasi-global momentum (the optimiser's
 * row of moments), beta momentum, mix_i(x) worker i's average with its neighbours (gossip.h)
 *
 *     s_i  = x_i;  g_i = grad f_i(x_i) + decay x_i
 *     m_i  = beta mh_i + g_i;  x_i -= lr m_i               nesterov: x_i -= lr (g_i + beta m_i)
 *     x_i  = mix_i(x)
 *     mh_i = beta mh_i + (1 - beta) (s_i - x_i) / lr
 *
 * Rounds of gossip alone, or with lr 0, have no displacement per learning rate: mh_i stays.
 * Differs     mix_i is lossless in the paper; here lossy messages are differences to what all know (choco's)
 * Source      Lin, Karimireddy, Stich, Jaggi, Quasi-global momentum: accelerating decentralized deep learning on
 *             heterogeneous data, ICML 2021 (algorithm 1, with its mu = beta)
 */
#include <stdlib.h>
#include <string.h>

#include "agents.h"

typedef struct qg_options {
  double consensus_step;
  int64_t gossip_rounds;
} qg_options;

static const rh_option options[] = {
    RH_CONSENSUS_STEP_ROW(qg_options),
    RH_GOSSIP_ROUNDS_ROW(qg_options),
};

typedef struct state {
  rh_agents *agents;
  float *start; /* [N][stride] s */
} state;

static rh_status check_settings(const rh_world *w)
{
  if (w->optimiser->kind != RH_OPTIMISER_SGD)
    return rh_error(RH_EUNSUPPORTED, "train.optimiser: adamw does not go with qg-dsgdm, whose momentum follows the "
                                     "model's displacement and has no second moments; use optimiser: sgd, or dpsgd");
  return rh_agents_check(w, ((const qg_options *)w->method_options)->gossip_rounds);
}

static void warn(const rh_world *w, rh_text *out)
{
  rh_agents_warn(w, "qg-dsgdm", out);
}

static void free_state(void *opaque)
{
  state *s = opaque;
  if (!s) return;
  rh_agents_free(s->agents);
  free(s->start);
  free(s);
}

static rh_status new_state(rh_world *w, void **out)
{
  const qg_options *o = w->method_options;
  const rh_agents_def def = {.gossip = {.form = w->compressor->lossless ? RH_GOSSIP_EXACT : RH_GOSSIP_ESTIMATES,
                                        .consensus_step = o->consensus_step},
                             .order = RH_AGENTS_STEP_FIRST,
                             .passes = 3, /* s, s - x, mh */
                             .gossip_rounds = o->gossip_rounds};
  rh_status status = RH_OK;
  state *s = calloc(1, sizeof *s);
  *out = NULL;
  if (!s) return rh_error(RH_ENOMEM, "no memory for %d workers", w->workers);
  RH_TRY(rh_agents_new(w, &def, &s->agents));
  if (!rh_world_has_values(w)) goto done;
  s->start = calloc((size_t)w->workers * (size_t)w->model->stride, sizeof *s->start);
  if (!s->start) status = rh_error(RH_ENOMEM, "no memory for the models of %d workers", w->workers);
done:
  if (status == RH_OK)
    *out = s;
  else
    free_state(s);
  return status;
}

static void parts(void *opaque, const rh_parts *p)
{
  state *s = opaque;
  rh_agents_parts(s->agents, p); /* `start` is of a round alone */
}

static int64_t state_bytes(const rh_sizes *z)
{
  return rh_agents_bytes(z, z->compressor->lossless ? 2 : 3);
}

/* s = x; g += decay x; m = beta mh + g; x -= lr m */
static void step(void *opaque, int32_t i, float *g_i)
{
  state *s = opaque;
  rh_replicas *replicas = s->agents->world->replicas;
  const rh_replicas_def *def = rh_replicas_get_def(replicas);
  const rh_optimiser *o = &def->optimiser;
  const rh_backend *b = def->backend;
  const int64_t stride = s->agents->world->model->stride;
  const rh_tensor x = {rh_replicas_parameters(replicas, i), 0}, g = {g_i, 0};
  const rh_tensor mh = {rh_replicas_moment(replicas, i, 0), 0};
  memcpy(s->start + i * stride, x.data, (size_t)stride * sizeof *x.data);
  rh_agents_clip(s->agents, g_i);
  b->add_scaled(stride, 1, o->decay, x, g);
  if (o->nesterov) { /* g + beta (beta mh + g) */
    b->scale(stride, 1, 1 + o->momentum, g, g);
    b->add_scaled(stride, 1, o->momentum * o->momentum, mh, g);
  } else {
    b->add_scaled(stride, 1, o->momentum, mh, g);
  }
  b->add_scaled(stride, 1, -s->agents->lr, g, x);
}

/* mh = beta mh + (1 - beta) (s - x) / lr */
static void take_displacement(void *opaque, int32_t i, int thread)
{
  (void)thread;
  state *s = opaque;
  rh_replicas *replicas = s->agents->world->replicas;
  const int64_t stride = s->agents->world->model->stride;
  const double beta = rh_replicas_get_def(replicas)->optimiser.momentum;
  const float keep = (float)beta, add = (float)((1 - beta) / s->agents->lr);
  const float *from = s->start + i * stride, *x = rh_replicas_parameters(replicas, i);
  float *mh = rh_replicas_moment(replicas, i, 0);
  for (int64_t p = 0; p < stride; p++)
    mh[p] = keep * mh[p] + add * (from[p] - x[p]);
}

static rh_status round_(rh_world *w, void *opaque, int64_t t, double lr)
{
  (void)w;
  rh_status status = RH_OK;
  state *s = opaque;
  rh_gossip *g = s->agents->gossip;
  rh_agents_begin(s->agents, t, lr);
  RH_TRY(rh_agents_step(s->agents, step, s));
  rh_gossip_send(g, t, rh_gossip_difference, g);
  rh_gossip_mix(g, t);
  rh_gossip_take(g);
  if (s->agents->lr > 0) rh_gossip_each(g, take_displacement, s);
  rh_agents_end(s->agents);
done:
  return status;
}

const rh_method rh_method_qg_dsgdm = {
    .name = "qg-dsgdm",
    .summary = "decentralised SGD with quasi-global momentum, taken from the displacement of the averaged model",
    .source = "Lin, Karimireddy, Stich, Jaggi, Quasi-global momentum, ICML 2021",
    .options = options,
    .option_count = RH_COUNT(options),
    .options_size = sizeof(qg_options),
    .needs_graph = true,
    .mixing = RH_MIXING_DOUBLY,
    .time_varying = true,
    .copies = RH_COPIES_EACH,
    .takes_mask = true,
    .check_settings = check_settings,
    .warn = warn,
    .new_state = new_state,
    .free_state = free_state,
    .state_bytes = state_bytes,
    .parts = parts,
    .round = round_,
};
