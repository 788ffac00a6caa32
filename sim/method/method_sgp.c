/* SGP: stochastic gradient push, over any directed graph, also one that changes from round to round.
 *
 * Symbols     N workers, x_i numerator and w_i weight of worker i (w_i = 1 at first), z_i = x_i / w_i its model,
 * u_i momentum, g_i gradient at z_i, P mixing matrix whose columns sum to 1 (weights: push), c consensus step,
 * xh_i what all know of x_i
 *
 *     x_i -= lr u_i,  u_i = momentum u_i + g_i + decay z_i
 *     x_i  = sum_j P_ij x_j,  w_i = sum_j P_ij w_j               x_j and w_j travel: d + 1 values
 *     z_i  = x_i / w_i
 *     with loss  q_i = C(x_i - xh_i) and w_i travel;  xh_i += q_i;  x_i += c sum_j P_ij (xh_j - xh_i); w_i likewise
 *
 * A sender's column sums to 1, so the sums of x and of w stay: sum_i w_i = N, and the z_i go to the mean of the x_i.
 * The replicas hold z_i, where gradients are taken and agents are evaluated; the mean model is the mean of the z_i.
 * Receivers multiply with P_ij, which says the same as senders doing it: both know the sender's out-degree.
 *
 * Source      Assran, Loizou, Ballas, Rabbat, Stochastic gradient push for distributed deep learning, ICML 2019; lossy:
 *             Taheri, Mokhtari, Hassani, Pedarsani, Quantized decentralized stochastic learning over directed graphs,
 *             ICML 2020
 */
#include "method_sgp.h"
#include "agents.h"

typedef struct sgp_options {
  double consensus_step;
  int64_t gossip_rounds;
} sgp_options;

static const rh_option options[] = {
    RH_CONSENSUS_STEP_ROW(sgp_options),
    RH_GOSSIP_ROUNDS_ROW(sgp_options),
};

static rh_agents_def define(const rh_compressor *compressor, const void *opaque)
{
  const sgp_options *o = opaque;
  return (rh_agents_def){.gossip = {.form = compressor->lossless ? RH_GOSSIP_EXACT : RH_GOSSIP_ESTIMATES,
                                    .consensus_step = o->consensus_step,
                                    .scratch_rows = RH_GOSSIP_DIFFERENCE_ROWS,
                                    .weighs = true},
                         .order = RH_AGENTS_STEP_FIRST,
                         .own = RH_AGENTS_MODELS, /* x */
                         .passes = 1,             /* x / w */
                         .gossip_rounds = o->gossip_rounds};
}

/* x_i -= lr u_i, the gradient taken at z_i */
static void step(void *agents, rh_rows rows, rh_tensor g)
{
  rh_agents *a = agents;
  rh_agents_step_on(a, rows, g, rh_gossip_models(a->gossip, rows.first));
}

/* z_i = x_i / w_i */
static void divide(void *agents, rh_rows rows)
{
  const rh_agents *a = agents;
  a->backend->divide(a->world->model->stride, rows.count, rh_gossip_weights(a->gossip) + rows.first,
                     rh_gossip_models(a->gossip, rows.first), rh_agents_parameters(a, rows.first));
}

static rh_status round_(rh_world *w, void *opaque, int64_t t, double lr)
{
  (void)w;
  rh_status status = RH_OK;
  rh_agents *a = opaque;
  rh_gossip *g = a->gossip;
  rh_agents_begin(a, t, lr);
  RH_TRY(rh_agents_step(a, step, a)); /* x -= lr u */
  rh_gossip_send(g, t, rh_gossip_difference, g);
  rh_gossip_mix(g, t); /* sum_j P_ij x_j, sum_j P_ij w_j */
  rh_gossip_take(g);
  rh_gossip_each(g, divide, a); /* z = x / w */
  rh_agents_end(a);
done:
  return status;
}

const float *rh_sgp_weights(const void *agents)
{
  return rh_gossip_weights(((const rh_agents *)agents)->gossip);
}

const rh_method rh_method_sgp = {
    .name = "sgp",
    .summary = "stochastic gradient push: push-sum averages over directed graphs, also those that change every round",
    .source = "Assran, Loizou, Ballas, Rabbat, ICML 2019; lossy messages: Taheri et al., ICML 2020",
    .options = options,
    .option_count = RH_COUNT(options),
    .options_size = sizeof(sgp_options),
    .needs_graph = true,
    .mixing = RH_MIXING_COLUMNS,
    .time_varying = true,
    .copies = RH_COPIES_EACH,
    .takes_mask = true,
    .check_settings = rh_agents_check,
    .warn = rh_agents_warn,
    .agents = define,
    .new_state = rh_agents_new,
    .free_state = rh_agents_free,
    .state_bytes = rh_agents_bytes,
    .stays_on_device = rh_agents_stay_on_device,
    .parts = rh_agents_parts,
    .round = round_,
};
