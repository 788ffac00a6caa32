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
#include "agents.h"

enum order { ADAPT_THEN_COMBINE, COMBINE_THEN_ADAPT };
enum message { DIFFERENCE, MODEL };

typedef struct dpsgd_options {
  int order;
  int message; /* what a lossy compressor encodes */
  double consensus_step;
  int64_t gossip_rounds;
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
    RH_GOSSIP_ROUNDS_ROW(dpsgd_options),
};

static int form_of(const rh_world *w)
{
  const dpsgd_options *o = w->method_options;
  if (w->compressor->lossless) return RH_GOSSIP_EXACT;
  return o->message == MODEL ? RH_GOSSIP_MODELS : RH_GOSSIP_ESTIMATES;
}

static rh_status check_settings(const rh_world *w)
{
  return rh_agents_check(w, ((const dpsgd_options *)w->method_options)->gossip_rounds);
}

/* C(x_i) travels. */
static void make_model(void *context, int32_t i, int thread)
{
  rh_gossip *g = context;
  rh_gossip_encode(g, i, thread, rh_gossip_model(g, i), rh_gossip_known(g, i));
}

static void make_models(void *context, int32_t first, int32_t count)
{
  rh_gossip *g = context;
  const int64_t stride = rh_gossip_stride(g);
  rh_gossip_encode_rows(g, first, count, (rh_tensor){rh_gossip_model(g, first), stride},
                        (rh_tensor){rh_gossip_known(g, first), stride});
}

static rh_status new_state(rh_world *w, void **out)
{
  const dpsgd_options *o = w->method_options;
  const rh_agents_def def = {.gossip = {.form = form_of(w),
                                        .consensus_step = w->compressor->lossless ? 1 : o->consensus_step,
                                        .make_rows = o->message == MODEL ? make_models : NULL},
                             .order = o->order == COMBINE_THEN_ADAPT ? RH_AGENTS_MIX_FIRST : RH_AGENTS_STEP_FIRST,
                             .gossip_rounds = o->gossip_rounds};
  rh_agents *agents;
  rh_status status = rh_agents_new(w, &def, &agents);
  *out = agents;
  return status;
}

static void free_state(void *agents)
{
  rh_agents_free(agents);
}

static int64_t state_bytes(const rh_sizes *z)
{
  return rh_agents_bytes(z, z->compressor->lossless ? 1 : 2);
}

/* mix_i - lr u_i */
static void step_mixed(void *agents, int32_t i, float *g_i)
{
  rh_agents *a = agents;
  rh_agents_step_on(a, i, g_i, rh_gossip_mixed(a->gossip, i));
}

static rh_status round_(rh_world *w, void *opaque, int64_t t, double lr)
{
  rh_status status = RH_OK;
  rh_agents *a = opaque;
  const dpsgd_options *o = w->method_options;
  rh_agents_begin(a, t, lr);
  if (o->order == ADAPT_THEN_COMBINE) RH_TRY(rh_agents_step(a, NULL, NULL));
  rh_gossip_send(a->gossip, t, o->message == MODEL ? make_model : rh_gossip_difference, a->gossip);
  rh_gossip_mix(a->gossip, t);
  if (o->order == COMBINE_THEN_ADAPT && rh_gossip_device(a->gossip))
    RH_TRY(rh_agents_step_rows_on(a, rh_gossip_mixed(a->gossip, 0)));
  else if (o->order == COMBINE_THEN_ADAPT)
    RH_TRY(rh_agents_step(a, step_mixed, a));
  rh_gossip_take(a->gossip);
  rh_agents_end(a);
done:
  return status;
}

static bool trains_at_once(const rh_world *w)
{
  const dpsgd_options *o = w->method_options;
  return o->order == ADAPT_THEN_COMBINE && rh_agents_train_at_once(w);
}

const rh_method rh_method_dpsgd = {
    .name = "dpsgd",
    .summary = "decentralised SGD: every worker steps its own model and averages it with its neighbours'",
    .source = "Lian et al., NeurIPS 2017; lossy messages as differences: Koloskova et al., ICML 2019",
    .options = options,
    .option_count = RH_COUNT(options),
    .options_size = sizeof(dpsgd_options),
    .needs_graph = true,
    .mixing = RH_MIXING_DOUBLY,
    .copies = RH_COPIES_EACH,
    .takes_mask = true,
    .check_settings = check_settings,
    .new_state = new_state,
    .free_state = free_state,
    .state_bytes = state_bytes,
    .stays_on_device = rh_agents_stay_on_device,
    .trains_at_once = trains_at_once,
    .parts = rh_agents_parts,
    .round = round_,
};
