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
#include "agents.h"

typedef struct qg_options {
  double consensus_step;
  int64_t gossip_rounds;
} qg_options;

static const rh_option options[] = {
    RH_CONSENSUS_STEP_ROW(qg_options),
    RH_GOSSIP_ROUNDS_ROW(qg_options),
};

static rh_agents_def define(const rh_compressor *compressor, const void *opaque)
{
  const qg_options *o = opaque;
  return (rh_agents_def){.gossip = {.form = compressor->lossless ? RH_GOSSIP_EXACT : RH_GOSSIP_ESTIMATES,
                                    .consensus_step = o->consensus_step,
                                    .scratch_rows = RH_GOSSIP_DIFFERENCE_ROWS},
                         .order = RH_AGENTS_STEP_FIRST,
                         .own = RH_AGENTS_FOR_ROUNDS, /* s */
                         .passes = 3,                 /* s, s - x, mh */
                         .gossip_rounds = o->gossip_rounds};
}

static rh_status check_settings(const rh_world *w)
{
  if (w->optimiser->kind != RH_OPTIMISER_SGD)
    return rh_error(RH_EUNSUPPORTED, "train.optimiser: adamw does not go with qg-dsgdm, whose momentum follows the "
                                     "model's displacement and has no second moments; use optimiser: sgd, or dpsgd");
  return rh_agents_check(w);
}

/* s = x; g += decay x; m = beta mh + g; x -= lr m */
static void step(void *agents, rh_rows rows, rh_tensor g)
{
  rh_agents *a = agents;
  const rh_optimiser *o = a->world->optimiser;
  const int64_t n = a->world->model->stride;
  const rh_tensor x = rh_agents_parameters(a, rows.first), s = rh_agents_own(a, rows.first);
  const rh_tensor mh = rh_agents_moments(a, rows.first, 0);
  a->backend->scale(n, rows.count, 1, x, s);
  rh_agents_clip(a, rows, g);
  a->backend->add_scaled(n, rows.count, o->decay, x, g);
  if (o->nesterov) /* g + beta (beta mh + g) */
    a->backend->combine(n, rows.count, 1 + o->momentum, g, o->momentum * o->momentum, mh, g);
  else
    a->backend->add_scaled(n, rows.count, o->momentum, mh, g);
  a->backend->add_scaled(n, rows.count, -a->lr, g, x);
}

/* mh = beta mh + (1 - beta) (s - x) / lr */
static void take_displacement(void *agents, rh_rows rows)
{
  const rh_agents *a = agents;
  const double beta = a->world->optimiser->momentum;
  const int64_t n = a->world->model->stride;
  const rh_tensor x = rh_agents_parameters(a, rows.first), s = rh_agents_own(a, rows.first);
  const rh_tensor mh = rh_agents_moments(a, rows.first, 0);
  a->backend->combine(n, rows.count, 1, s, -1, x, s);
  a->backend->combine(n, rows.count, beta, mh, (1 - beta) / a->lr, s, mh);
}

static rh_status round_(rh_world *w, void *opaque, int64_t t, double lr)
{
  (void)w;
  rh_status status = RH_OK;
  rh_agents *a = opaque;
  rh_gossip *g = a->gossip;
  rh_agents_begin(a, t, lr);
  RH_TRY(rh_agents_step(a, step, a)); /* s = x; x -= lr m */
  rh_gossip_send(g, t, rh_gossip_difference, g);
  rh_gossip_mix(g, t); /* x = mix(x) */
  rh_gossip_take(g);
  if (a->lr > 0) rh_gossip_each(g, take_displacement, a); /* mh = beta mh + (1 - beta) (s - x) / lr */
  rh_agents_end(a);
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
    .warn = rh_agents_warn,
    .agents = define,
    .new_state = rh_agents_new,
    .free_state = rh_agents_free,
    .state_bytes = rh_agents_bytes,
    .stays_on_device = rh_agents_stay_on_device,
    .parts = rh_agents_parts,
    .round = round_,
};
