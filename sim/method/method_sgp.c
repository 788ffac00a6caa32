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
#include <stdlib.h>
#include <string.h>

#include "agents.h"
#include "method_sgp.h"

typedef struct sgp_options {
  double consensus_step;
  int64_t gossip_rounds;
} sgp_options;

static const rh_option options[] = {
    RH_CONSENSUS_STEP_ROW(sgp_options),
    RH_GOSSIP_ROUNDS_ROW(sgp_options),
};

typedef struct state {
  rh_agents *agents;
  const rh_backend *backend; /* where rows live; NULL without values; borrowed */
  float *x;                  /* [N][stride] numerators */
  float *w, *sum;            /* [N] weights, and those that are being mixed */
} state;

static rh_status check_settings(const rh_world *w)
{
  return rh_agents_check(w, ((const sgp_options *)w->method_options)->gossip_rounds);
}

static void warn(const rh_world *w, rh_text *out)
{
  rh_agents_warn(w, "sgp", out);
}

static void free_state(void *opaque)
{
  state *s = opaque;
  if (!s) return;
  rh_agents_free(s->agents);
  if (s->backend) s->backend->release(s->x);
  free(s->w);
  free(s->sum);
  free(s);
}

/* x_i = the replicas' parameters, w_i = 1 */
static rh_status new_models(const rh_world *w, state *s)
{
  const size_t stride = (size_t)w->model->stride, workers = (size_t)w->workers;
  if (!rh_world_has_values(w)) return RH_OK;
  s->backend = rh_replicas_get_def(w->replicas)->backend;
  s->x = s->backend->alloc(workers * stride * sizeof *s->x);
  s->w = calloc(workers, sizeof *s->w);
  s->sum = calloc(workers, sizeof *s->sum);
  if (!s->x || !s->w || !s->sum) return rh_error(RH_ENOMEM, "no memory for the models of %d workers", w->workers);
  for (int32_t i = 0; i < w->workers; i++) {
    rh_backend_copy(s->backend, s->x + i * w->model->stride, rh_replicas_parameters(w->replicas, i),
                    stride * sizeof *s->x);
    s->w[i] = 1;
  }
  return RH_OK;
}

static rh_status new_state(rh_world *w, void **out)
{
  const sgp_options *o = w->method_options;
  rh_status status = RH_OK;
  state *s = calloc(1, sizeof *s);
  *out = NULL;
  if (!s) return rh_error(RH_ENOMEM, "no memory for %d workers", w->workers);
  RH_TRY(new_models(w, s));
  const rh_agents_def def = {.gossip = {.form = w->compressor->lossless ? RH_GOSSIP_EXACT : RH_GOSSIP_ESTIMATES,
                                        .consensus_step = o->consensus_step,
                                        .models = s->x,
                                        .extra_bytes = sizeof *s->w},
                             .order = RH_AGENTS_STEP_FIRST,
                             .passes = 1, /* x / w */
                             .gossip_rounds = o->gossip_rounds};
  RH_TRY(rh_agents_new(w, &def, &s->agents));
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
  const rh_world *w = s->agents->world;
  rh_agents_parts(s->agents, p);
  rh_replicas_arena_part(s->backend, p, "x", s->x, (size_t)w->workers * (size_t)w->model->stride * sizeof *s->x);
  rh_part(p, "w", s->w, (size_t)w->workers * sizeof *s->w);
}

static int64_t state_bytes(const rh_sizes *z)
{
  return rh_agents_bytes(z, z->compressor->lossless ? 2 : 3) + z->workers * 2 * (int64_t)sizeof(float);
}

/* x_i -= lr u_i, the gradient taken at z_i */
static void step(void *opaque, int32_t i, float *g_i)
{
  state *s = opaque;
  rh_agents_step_on(s->agents, i, g_i, rh_gossip_model(s->agents->gossip, i));
}

/* z_i = x_i / w_i */
static void divide(void *opaque, int32_t i, int thread)
{
  (void)thread;
  state *s = opaque;
  const rh_world *w = s->agents->world;
  const float *x = rh_gossip_model(s->agents->gossip, i);
  float *z = rh_replicas_parameters(w->replicas, i);
  for (int64_t p = 0; p < w->model->stride; p++)
    z[p] = x[p] / s->w[i];
}

static void divide_rows(rh_world *w, const state *s)
{
  const int64_t stride = w->model->stride;
  s->backend->divide(stride, w->workers, s->w, (rh_tensor){s->x, stride},
                     (rh_tensor){rh_replicas_copy(w->replicas, 0), stride});
}

static rh_status round_(rh_world *w, void *opaque, int64_t t, double lr)
{
  rh_status status = RH_OK;
  state *s = opaque;
  rh_gossip *g = s->agents->gossip;
  rh_agents_begin(s->agents, t, lr);
  if (rh_gossip_device(g))
    RH_TRY(rh_agents_step_rows_on(s->agents, s->x));
  else
    RH_TRY(rh_agents_step(s->agents, step, s));
  rh_gossip_send(g, t, rh_gossip_difference, g);
  rh_gossip_mix(g, t);
  rh_gossip_take(g);
  if (rh_world_has_values(w)) {
    rh_gossip_mix_numbers(g, t, s->w, s->sum);
    memcpy(s->w, s->sum, (size_t)w->workers * sizeof *s->w);
  }
  if (rh_gossip_device(g))
    divide_rows(w, s);
  else
    rh_gossip_each(g, divide, s);
  rh_agents_end(s->agents);
done:
  return status;
}

const float *rh_sgp_weights(const void *opaque)
{
  return ((const state *)opaque)->w;
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
    .check_settings = check_settings,
    .warn = warn,
    .new_state = new_state,
    .free_state = free_state,
    .state_bytes = state_bytes,
    .stays_on_device = rh_agents_stay_on_device,
    .parts = parts,
    .round = round_,
};
