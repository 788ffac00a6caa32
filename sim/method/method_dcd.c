/* DCD-PSGD: difference compression; the neighbours hold exact replicas of every model, since a model moves by what its
 * message says, no more.
 *
 * Symbols     N workers, x_i parameters and u_i momentum of worker i, Q compressor, W mixing matrix, rho = |lambda_2|,
 * alpha relative error of Q: E |Q(z) - z|^2 <= alpha^2 |z|^2
 *
 *     y_i  = sum_j W_ij x_j - lr u_i        from the replicas at hand: nothing is waited for but the last exchange
 *     z_i  = y_i - x_i;  Q(z_i) travels while the next gradient is computed
 *     x_i += Q(z_i)                         at worker i and at all its neighbours
 *
 * Without loss this is dpsgd, combine-then-adapt. Loss moves the workers' mean by the mean of Q(z_i) - z_i, which an
 * unbiased Q makes 0 on average; the other methods keep the mean. The proof needs
 *
 *     alpha < (1 - rho) / (2 mu),  mu = max_(k > 1) |lambda_k - 1|
 *
 * mu is at most 1 + rho, and at most 2 (1 - min W_ii) (Gershgorin's circles of W - I).
 *
 * Source      Tang, Gan, Zhang, Zhang, Liu, Communication compression for decentralized training, NeurIPS 2018
 */
#include <math.h>

#include "agents.h"

typedef struct dcd_options {
  int64_t gossip_rounds;
} dcd_options;

static const rh_option options[] = {
    RH_GOSSIP_ROUNDS_ROW(dcd_options),
};

static rh_agents_def define(const rh_compressor *compressor, const void *options_)
{
  return (rh_agents_def){.gossip = {.form = RH_GOSSIP_EXACT, .consensus_step = 1, .scratch_rows = 1}, /* z */
                         .order = RH_AGENTS_BACKGROUND,
                         .passes = compressor->lossless ? 0 : 2, /* y - x, x + Q(z) */
                         .gossip_rounds = ((const dcd_options *)options_)->gossip_rounds};
}

/* Largest alpha that the compressor may show; infinite if nothing is known. */
static double relative_error(const rh_world *w)
{
  const rh_claims claims = w->compressor->claims(w->compressor_options, &w->buckets[0].layout);
  double squared = INFINITY;
  if (claims.unbiased) squared = claims.variance;
  if (claims.contraction > 0) squared = fmin(squared, 1 - claims.contraction);
  return sqrt(squared);
}

static void warn(const rh_world *w, rh_text *out)
{
  const rh_graph *graph = &w->graphs->graphs[0];
  double rho, own = 1;
  if (w->compressor->lossless || rh_graph_sequence_lambda2(w->graphs, &rho) != RH_OK) return;
  for (int32_t i = 0; i < w->workers; i++)
    own = fmin(own, graph->own[i]);
  const double allowed = (1 - rho) / (2 * fmin(1 + rho, 2 * (1 - own))), alpha = relative_error(w);
  if (alpha < allowed) return;
  rh_text_append(
      out,
      "compress.name: %s is too coarse for the proof of 'dcd': its relative error may be %.3g on this model, "
      "and graph '%s' asks for less than %.3g: watch the loss, or take more bits, a graph with more "
      "edges, or choco",
      w->compressor->name, alpha, graph->name, allowed);
}

/* z = y - x; x += Q(z) */
static void make(void *agents, rh_rows rows)
{
  const rh_agents *a = agents;
  const int64_t stride = a->world->model->stride;
  const rh_tensor x = rh_gossip_models(a->gossip, rows.first), y = rh_gossip_mixed(a->gossip, rows.first);
  const rh_tensor z = rh_gossip_scratch(a->gossip, rows, 0);
  a->backend->combine(stride, rows.count, 1, y, -1, x, z);
  rh_gossip_encode(a->gossip, rows, z, z);
  a->backend->add_scaled(stride, rows.count, 1, z, x);
}

static rh_status round_(rh_world *w, void *opaque, int64_t t, double lr)
{
  rh_status status = RH_OK;
  rh_agents *a = opaque;
  rh_agents_begin(a, t, lr);
  rh_gossip_mix(a->gossip, t);                        /* y = sum_j W_ij x_j */
  RH_TRY(rh_agents_step(a, rh_agents_step_mixed, a)); /* y -= lr u */
  rh_gossip_send(a->gossip, t, make, a);              /* x += Q(y - x) */
  if (w->compressor->lossless) rh_gossip_take(a->gossip);
  rh_agents_end(a);
done:
  return status;
}

const rh_method rh_method_dcd = {
    .name = "dcd",
    .summary = "decentralised SGD with compressed differences to exact replicas that the neighbours hold",
    .source = "Tang et al., Communication compression for decentralized training, NeurIPS 2018",
    .options = options,
    .option_count = RH_COUNT(options),
    .options_size = sizeof(dcd_options),
    .needs_graph = true,
    .mixing = RH_MIXING_DOUBLY,
    .copies = RH_COPIES_EACH,
    .takes_mask = true,
    .check_settings = rh_agents_check,
    .warn = warn,
    .agents = define,
    .new_state = rh_agents_new,
    .free_state = rh_agents_free,
    .state_bytes = rh_agents_bytes,
    .stays_on_device = rh_agents_stay_on_device,
    .parts = rh_agents_parts,
    .round = round_,
};
