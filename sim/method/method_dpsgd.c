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

static rh_agents_def define(const rh_compressor *compressor, const void *opaque)
{
  const dpsgd_options *o = opaque;
  const int lossy = o->message == MODEL ? RH_GOSSIP_MODELS : RH_GOSSIP_ESTIMATES;
  return (rh_agents_def){.gossip = {.form = compressor->lossless ? RH_GOSSIP_EXACT : lossy,
                                    .consensus_step = compressor->lossless ? 1 : o->consensus_step,
                                    .scratch_rows = o->message == MODEL ? 0 : RH_GOSSIP_DIFFERENCE_ROWS},
                         .order = o->order == COMBINE_THEN_ADAPT ? RH_AGENTS_MIX_FIRST : RH_AGENTS_STEP_FIRST,
                         .gossip_rounds = o->gossip_rounds};
}

/* C(x_i) travels. */
static void make_model(void *context, rh_rows rows)
{
  rh_gossip *g = context;
  rh_gossip_encode(g, rows, rh_gossip_models(g, rows.first), rh_gossip_known(g, rows.first));
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
  if (o->order == COMBINE_THEN_ADAPT) RH_TRY(rh_agents_step(a, rh_agents_step_mixed, a));
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
    .check_settings = rh_agents_check,
    .agents = define,
    .new_state = rh_agents_new,
    .free_state = rh_agents_free,
    .state_bytes = rh_agents_bytes,
    .stays_on_device = rh_agents_stay_on_device,
    .trains_at_once = trains_at_once,
    .parts = rh_agents_parts,
    .round = round_,
};
