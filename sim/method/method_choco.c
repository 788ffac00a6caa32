/* CHOCO-SGD: gossip with compressed differences to a public estimate of every model.
 *
 * Symbols     N workers, x_i parameters and u_i momentum of worker i, xh_i what all know of x_i, Q compressor, W mixing
 * matrix, eta consensus step
 *
 *     synchronous   x_i -= lr u_i;  q_i = Q(x_i - xh_i) travels;  xh_i += q_i;  x_i += eta sum_j W_ij (xh_j - xh_i)
 *     background    x_i -= lr u_i;  x_i += eta sum_j W_ij (xh_j - xh_i)  with the estimates of the last round;
 *                   q_i = Q(x_i - xh_i);  xh_i += q_i  travels while the next gradient is computed
 *
 * Without loss xh_i is x_i. Then synchronous with eta 1 is dpsgd, adapt-then-combine, and background with eta 1 is
 * dpsgd, combine-then-adapt. The last round's background message arrives after the training, and nothing comes of it.
 *
 * Source      Koloskova, Stich, Jaggi, ICML 2019; background: Koloskova, Lin, Stich, Jaggi, Decentralized deep learning
 *             with arbitrary communication compression, ICLR 2020, and the authors' code (epfml/ChocoSGD)
 */
#include "agents.h"

enum exchange { SYNCHRONOUS, BACKGROUND };

typedef struct choco_options {
  int exchange;
  double consensus_step;
  int64_t gossip_rounds;
} choco_options;

static const rh_option options[] = {
    {.name = "exchange",
     .kind = RH_OPTION_CHOICE,
     .offset = offsetof(choco_options, exchange),
     .fallback = "synchronous",
     .choices = "synchronous background",
     .help = "whether a round waits for its messages or mixes with the last round's, while its own travel during the "
             "next gradient"},
    RH_CONSENSUS_STEP_ROW(choco_options),
    RH_GOSSIP_ROUNDS_ROW(choco_options),
};

static rh_agents_def define(const rh_compressor *compressor, const void *opaque)
{
  const choco_options *o = opaque;
  const bool exact = compressor->lossless && o->exchange == SYNCHRONOUS;
  return (rh_agents_def){.gossip = {.form = exact ? RH_GOSSIP_EXACT : RH_GOSSIP_ESTIMATES,
                                    .consensus_step = o->consensus_step,
                                    .scratch_rows = RH_GOSSIP_DIFFERENCE_ROWS},
                         .order = o->exchange == BACKGROUND ? RH_AGENTS_BACKGROUND : RH_AGENTS_STEP_FIRST,
                         .gossip_rounds = o->gossip_rounds};
}

static rh_status round_(rh_world *w, void *opaque, int64_t t, double lr)
{
  rh_status status = RH_OK;
  rh_agents *a = opaque;
  rh_gossip *g = a->gossip;
  const choco_options *o = w->method_options;
  rh_agents_begin(a, t, lr);
  RH_TRY(rh_agents_step(a, NULL, NULL));                                         /* x -= lr u */
  if (o->exchange == SYNCHRONOUS) rh_gossip_send(g, t, rh_gossip_difference, g); /* xh += Q(x - xh) */
  rh_gossip_mix(g, t);                                                           /* eta sum_j W_ij (xh_j - xh_i) */
  rh_gossip_take(g);
  if (o->exchange == BACKGROUND) rh_gossip_send(g, t, rh_gossip_difference, g);
  rh_agents_end(a);
done:
  return status;
}

const rh_method rh_method_choco = {
    .name = "choco",
    .summary = "decentralised SGD with compressed differences to public estimates, exchanged in the background or not",
    .source = "Koloskova, Stich, Jaggi, ICML 2019; Koloskova, Lin, Stich, Jaggi, ICLR 2020",
    .options = options,
    .option_count = RH_COUNT(options),
    .options_size = sizeof(choco_options),
    .needs_graph = true,
    .mixing = RH_MIXING_DOUBLY,
    .copies = RH_COPIES_EACH,
    .takes_mask = true,
    .check_settings = rh_agents_check,
    .warn = rh_agents_warn,
    .agents = define,
    .new_state = rh_agents_new,
    .free_state = rh_agents_free,
    .state_bytes = rh_agents_bytes,
    .stays_on_device = rh_agents_stay_on_device,
    .trains_at_once = rh_agents_train_at_once,
    .parts = rh_agents_parts,
    .round = round_,
};
