/* DeepSqueeze: gossip with compressed models, whose errors are kept and added to the next ones.
 *
 * Symbols     N workers, x_i parameters and u_i momentum of worker i, e_i what its messages have lost, Q compressor,
 * W mixing matrix, eta consensus step
 *
 *     x_i -= lr u_i
 *     v_i  = x_i + e_i;  c_i = Q(v_i) travels;  e_i = v_i - c_i
 *     x_i += eta (sum_j W_ij c_j - c_i)
 *
 * Nobody keeps an estimate of a neighbour's model. Without loss e_i is 0, and eta 1 makes it dpsgd. Messages hold whole
 * models, so their errors do not shrink as the workers agree: eta has to.
 *
 * Source      Tang, Lian, Qiu, Yuan, Zhang, Zhang, Liu, DeepSqueeze: decentralization meets error-compensated
 *             compression, arXiv 1907.07346, 2019
 */
#include "agents.h"

typedef struct deepsqueeze_options {
  double consensus_step;
  int64_t gossip_rounds;
} deepsqueeze_options;

static const rh_option options[] = {
    RH_CONSENSUS_STEP_ROW(deepsqueeze_options),
    RH_GOSSIP_ROUNDS_ROW(deepsqueeze_options),
};

static rh_agents_def define(const rh_compressor *compressor, const void *opaque)
{
  const deepsqueeze_options *o = opaque;
  const bool lossy = !compressor->lossless;
  return (rh_agents_def){
      .gossip = {.form = lossy ? RH_GOSSIP_ESTIMATES : RH_GOSSIP_EXACT, .consensus_step = o->consensus_step},
      .order = RH_AGENTS_STEP_FIRST,
      .own = lossy ? RH_AGENTS_KEPT : RH_AGENTS_NOTHING, /* e */
      .passes = lossy ? 2 : 0,                           /* x + e, v - c */
      .gossip_rounds = o->gossip_rounds};
}

/* v = x + e; c = Q(v); e = v - c, where e is v in between */
static void make(void *agents, rh_rows rows)
{
  const rh_agents *a = agents;
  const int64_t stride = a->world->model->stride;
  const rh_tensor x = rh_gossip_models(a->gossip, rows.first), c = rh_gossip_known(a->gossip, rows.first);
  const rh_tensor e = rh_agents_own(a, rows.first);
  a->backend->add_scaled(stride, rows.count, 1, x, e);
  rh_gossip_encode(a->gossip, rows, e, c);
  a->backend->add_scaled(stride, rows.count, -1, c, e);
}

static rh_status round_(rh_world *w, void *opaque, int64_t t, double lr)
{
  (void)w;
  rh_status status = RH_OK;
  rh_agents *a = opaque;
  rh_agents_begin(a, t, lr);
  RH_TRY(rh_agents_step(a, NULL, NULL)); /* x -= lr u */
  rh_gossip_send(a->gossip, t, make, a); /* c = Q(x + e) */
  rh_gossip_mix(a->gossip, t);           /* x + eta (sum_j W_ij c_j - c_i) */
  rh_gossip_take(a->gossip);
  rh_agents_end(a);
done:
  return status;
}

const rh_method rh_method_deepsqueeze = {
    .name = "deepsqueeze",
    .summary = "decentralised SGD with compressed models, whose errors are added to the next message",
    .source = "Tang et al., DeepSqueeze, arXiv 1907.07346",
    .options = options,
    .option_count = RH_COUNT(options),
    .options_size = sizeof(deepsqueeze_options),
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
