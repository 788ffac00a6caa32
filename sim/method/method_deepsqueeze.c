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
#include <stdlib.h>

#include "agents.h"

typedef struct deepsqueeze_options {
  double consensus_step;
  int64_t gossip_rounds;
} deepsqueeze_options;

static const rh_option options[] = {
    RH_CONSENSUS_STEP_ROW(deepsqueeze_options),
    RH_GOSSIP_ROUNDS_ROW(deepsqueeze_options),
};

typedef struct state {
  rh_agents *agents;
  const rh_backend *backend; /* where rows live; NULL without values; borrowed */
  float *error;              /* [N][stride] e; NULL without loss */
} state;

static rh_status check_settings(const rh_world *w)
{
  return rh_agents_check(w, ((const deepsqueeze_options *)w->method_options)->gossip_rounds);
}

static void warn(const rh_world *w, rh_text *out)
{
  rh_agents_warn(w, "deepsqueeze", out);
}

static void free_state(void *opaque)
{
  state *s = opaque;
  if (!s) return;
  rh_agents_free(s->agents);
  if (s->backend) s->backend->release(s->error);
  free(s);
}

/* v = x + e; c = Q(v); e = v - c */
static void make(void *opaque, int32_t i, int thread)
{
  state *s = opaque;
  rh_gossip *g = s->agents->gossip;
  const int64_t stride = s->agents->world->model->stride;
  const float *x = rh_gossip_model(g, i);
  float *e = s->error + i * stride, *c = rh_gossip_known(g, i), *v = rh_gossip_row(g, thread);
  for (int64_t p = 0; p < stride; p++)
    v[p] = x[p] + e[p];
  rh_gossip_encode(g, i, thread, v, c);
  for (int64_t p = 0; p < stride; p++)
    e[p] = v[p] - c[p];
}

/* The same of some rows on a device, where e is v in between. */
static void make_rows(void *opaque, int32_t first, int32_t count)
{
  state *s = opaque;
  rh_gossip *g = s->agents->gossip;
  const int64_t stride = s->agents->world->model->stride;
  const rh_tensor x = {rh_gossip_model(g, first), stride}, c = {rh_gossip_known(g, first), stride};
  const rh_tensor e = {s->error + first * stride, stride};
  s->backend->add_scaled(stride, count, 1, x, e);
  rh_gossip_encode_rows(g, first, count, e, c);
  s->backend->add_scaled(stride, count, -1, c, e);
}

static rh_status new_state(rh_world *w, void **out)
{
  const deepsqueeze_options *o = w->method_options;
  const bool lossy = !w->compressor->lossless, keeps = lossy && rh_world_has_values(w);
  rh_agents_def def = {.gossip = {.form = lossy ? RH_GOSSIP_ESTIMATES : RH_GOSSIP_EXACT,
                                  .consensus_step = o->consensus_step,
                                  .make_rows = make_rows},
                       .order = RH_AGENTS_STEP_FIRST,
                       .passes = lossy ? 2 : 0, /* x + e, v - c */
                       .gossip_rounds = o->gossip_rounds};
  rh_status status = RH_OK;
  state *s = calloc(1, sizeof *s);
  *out = NULL;
  if (!s) return rh_error(RH_ENOMEM, "no memory for %d workers", w->workers);
  if (rh_world_has_values(w)) s->backend = rh_replicas_get_def(w->replicas)->backend;
  if (keeps) s->error = s->backend->alloc((size_t)w->workers * (size_t)w->model->stride * sizeof *s->error);
  if (keeps && !s->error) {
    status = rh_error(RH_ENOMEM, "no memory for the errors of %d workers", w->workers);
    goto done;
  }
  def.rows = s->error;
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
  rh_replicas_arena_part(s->backend, p, "error", s->error,
                         (size_t)w->workers * (size_t)w->model->stride * sizeof *s->error);
}

static int64_t state_bytes(const rh_sizes *z)
{
  return rh_agents_bytes(z, z->compressor->lossless ? 1 : 3);
}

static rh_status round_(rh_world *w, void *opaque, int64_t t, double lr)
{
  (void)w;
  rh_status status = RH_OK;
  state *s = opaque;
  rh_gossip *g = s->agents->gossip;
  rh_agents_begin(s->agents, t, lr);
  RH_TRY(rh_agents_step(s->agents, NULL, NULL)); /* x -= lr u */
  rh_gossip_send(g, t, make, s);                 /* c = Q(x + e) */
  rh_gossip_mix(g, t);                           /* x + eta (sum_j W_ij c_j - c_i) */
  rh_gossip_take(g);
  rh_agents_end(s->agents);
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
    .check_settings = check_settings,
    .warn = warn,
    .new_state = new_state,
    .free_state = free_state,
    .state_bytes = state_bytes,
    .stays_on_device = rh_agents_stay_on_device,
    .trains_at_once = rh_agents_train_at_once,
    .parts = parts,
    .round = round_,
};
