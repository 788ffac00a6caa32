#include "agents.h"

#include <inttypes.h>
#include <stdlib.h>

/* Where rows live, and the method's own. */
static rh_status new_rows(rh_agents *a)
{
  const rh_world *w = a->world;
  const size_t bytes = (size_t)w->workers * (size_t)w->model->stride * sizeof *a->own;
  if (!rh_world_has_values(w)) return RH_OK;
  a->backend = rh_replicas_get_def(w->replicas)->backend;
  if (a->def.own == RH_AGENTS_NOTHING) return RH_OK;
  a->own = a->backend->alloc(bytes);
  if (!a->own) return rh_error(RH_ENOMEM, "no memory for the rows of %d workers", w->workers);
  if (a->def.own != RH_AGENTS_MODELS) return RH_OK;
  rh_backend_copy(a->backend, a->own, rh_replicas_parameters(w->replicas, 0), bytes);
  a->def.gossip.models = a->own;
  return RH_OK;
}

rh_status rh_agents_new(rh_world *world, void **agents)
{
  rh_status status = RH_OK;
  rh_agents *a = calloc(1, sizeof *a);
  *agents = NULL;
  if (!a) return rh_error(RH_ENOMEM, "no memory for %d workers", world->workers);
  a->world = world;
  a->def = world->method->agents(world->compressor, world->method_options);
  RH_TRY(new_rows(a));
  RH_TRY(rh_masking_new(world, &a->masking));
  a->sent = a->masking ? rh_masking_world(a->masking) : world;
  a->def.gossip.masking = a->masking;
  RH_TRY(rh_gossip_new(a->sent, &a->def.gossip, &a->gossip));
  a->loss = calloc((size_t)world->workers, sizeof *a->loss);
  a->after = calloc((size_t)world->workers, sizeof *a->after);
  if (!a->loss || !a->after) status = rh_error(RH_ENOMEM, "no memory for %d workers", world->workers);
done:
  if (status == RH_OK)
    *agents = a;
  else
    rh_agents_free(a);
  return status;
}

void rh_agents_free(void *agents)
{
  rh_agents *a = agents;
  if (!a) return;
  rh_gossip_free(a->gossip);
  rh_masking_free(a->masking);
  if (a->backend) a->backend->release(a->own);
  free(a->loss);
  free(a->after);
  free(a);
}

void rh_agents_parts(void *agents, const rh_parts *parts)
{
  rh_agents *a = agents;
  const size_t workers = (size_t)a->world->workers;
  const size_t kept = a->def.own == RH_AGENTS_FOR_ROUNDS ? 0 : workers * (size_t)a->world->model->stride;
  rh_gossip_parts(a->gossip, parts);
  rh_replicas_arena_part(a->backend, parts, "agents.own", kept > 0 ? a->own : NULL, kept * sizeof *a->own);
  rh_part(parts, "agents.loss", a->loss, workers * sizeof *a->loss);
  rh_part(parts, "agents.after", a->after, workers * sizeof *a->after);
  if (a->masking) rh_masking_parts(a->masking, parts);
}

int64_t rh_agents_bytes(const rh_sizes *z)
{
  const rh_agents_def def = z->method->agents(z->compressor, z->method_options);
  const int64_t row = z->model->stride * (int64_t)sizeof(float);
  return rh_gossip_bytes(z, &def.gossip) + rh_masking_bytes(z) +
         z->workers * ((def.own != RH_AGENTS_NOTHING ? row : 0) + (int64_t)(sizeof(double) + sizeof(rh_token)));
}

rh_tensor rh_agents_own(const rh_agents *a, int32_t i)
{
  const int64_t stride = a->world->model->stride;
  return (rh_tensor){a->own + i * stride, stride};
}

rh_tensor rh_agents_parameters(const rh_agents *a, int32_t i)
{
  return (rh_tensor){rh_replicas_parameters(a->world->replicas, i), a->world->model->stride};
}

rh_tensor rh_agents_moments(const rh_agents *a, int32_t i, int k)
{
  return (rh_tensor){rh_replicas_moment(a->world->replicas, i, k), a->world->model->stride};
}

rh_status rh_agents_check(const rh_world *w)
{
  const int64_t gossip_rounds = w->method->agents(w->compressor, w->method_options).gossip_rounds;
  if (gossip_rounds == 0 || gossip_rounds < w->rounds) return RH_OK;
  return rh_error(RH_EINVAL,
                  "train.gossip_rounds: %" PRId64 " of %" PRId64
                  " rounds would be gossip alone, and none would train; take fewer, or more train.rounds",
                  gossip_rounds, w->rounds);
}

void rh_agents_warn(const rh_world *w, rh_text *out)
{
  const rh_claims claims = w->compressor->claims(w->compressor_options, &w->buckets[0].layout);
  if (claims.contraction > 0) return;
  rh_text_append(out,
                 "compress.name: %s: no contraction is known of it on this model, and what '%s' keeps of lost parts "
                 "may grow without end: watch the loss, or take more bits, smaller buckets or topk",
                 w->compressor->name, w->method->name);
}

void rh_agents_begin(rh_agents *a, int64_t t, double lr)
{
  a->t = t;
  a->trains = a->def.gossip_rounds == 0 || t < a->world->rounds - a->def.gossip_rounds;
  a->lr = a->trains ? lr : 0;
  if (!a->masking || !rh_masking_begin(a->masking, a->world, t, NULL)) return;
  rh_gossip_mask(a->gossip);
  if (a->def.own == RH_AGENTS_KEPT) rh_masking_apply(a->masking, a->world->workers, rh_agents_own(a, 0));
}

typedef struct step_job {
  const rh_masking *masking;
  rh_agents_step_body *body; /* NULL: none */
  void *context;
  rh_tensor g; /* of worker `first` */
  int32_t first;
} step_job;

static void step_some(void *context, rh_rows rows)
{
  const step_job *job = context;
  const rh_tensor g = {job->g.data + (rows.first - job->first) * job->g.stride, job->g.stride};
  rh_masking_apply(job->masking, rows.count, g);
  if (job->body) job->body(job->context, rows, g);
}

rh_status rh_agents_step(rh_agents *a, rh_agents_step_body *step, void *context)
{
  rh_world *w = a->world;
  if (!a->trains || !rh_world_has_values(w)) return RH_OK;
  if (!step && !a->masking) return rh_replicas_train(w->replicas, a->t, a->lr, a->loss);
  const int32_t chunk = (int32_t)rh_replicas_chunk(w->replicas);
  for (int32_t first = 0; first < w->workers; first += chunk) {
    const int32_t count = w->workers - first < chunk ? w->workers - first : chunk;
    float *grads;
    rh_status status = rh_replicas_gradients(w->replicas, a->t, first, count, &grads, a->loss + first);
    if (status != RH_OK) return status;
    step_job job = {a->masking, step, context, {grads, w->model->stride}, first};
    rh_rows_each(w, (rh_rows){first, count, 0}, count, step_some, &job);
    if (!step) rh_replicas_step(w->replicas, first, count, grads, a->lr, a->t);
  }
  return RH_OK;
}

void rh_agents_step_on(rh_agents *a, rh_rows rows, rh_tensor g, rh_tensor y)
{
  rh_replicas_step_on(a->world->replicas, rows.first, rows.count, g.data, y.data, a->lr, a->t);
}

void rh_agents_step_mixed(void *agents, rh_rows rows, rh_tensor g)
{
  rh_agents *a = agents;
  rh_agents_step_on(a, rows, g, rh_gossip_mixed(a->gossip, rows.first));
}

void rh_agents_clip(rh_agents *a, rh_rows rows, rh_tensor g)
{
  rh_replicas_clip(a->world->replicas, rows.count, g.data);
}

bool rh_agents_stay_on_device(const rh_world *w)
{
  return w->compressor->lossless || w->compressor->code;
}

bool rh_agents_train_at_once(const rh_world *w)
{
  return w->mask.kind == RH_MASK_NONE;
}

static bool lossy(const rh_agents *a)
{
  return !a->world->compressor->lossless;
}

static rh_token compute(rh_agents *a, int32_t i, double seconds, const char *label, rh_token after)
{
  return rh_schedule_compute(a->world->schedule, i, seconds, label, after);
}

static rh_token append_gradient(rh_agents *a, int32_t i)
{
  const rh_step_seconds *sec = rh_world_seconds(a->sent, i);
  return compute(a, i, sec->forward_s + sec->backward_total_s, "gradient", RH_AT_ONCE);
}

static rh_token append_update(rh_agents *a, int32_t i)
{
  return compute(a, i, rh_world_seconds(a->sent, i)->update_s, "update", RH_AT_ONCE);
}

/* What has to be done before worker i's message exists. */
static rh_token append_encode(rh_agents *a, int32_t i)
{
  const rh_step_seconds *sec = rh_world_seconds(a->sent, i);
  if (!lossy(a)) return rh_schedule_last(a->world->schedule, i, RH_LANE_COMPUTE);
  /* both phases make a single message */
  return compute(a, i, sec->encode_s[0][0] + sec->encode_s[0][1], RH_LABEL_ENCODE, RH_AT_ONCE);
}

static void append_exchange(rh_agents *a)
{
  const rh_world *w = a->sent;
  const rh_collective c = {.kind = w->exchange,
                           .size = w->workers,
                           .bytes = rh_gossip_message_bytes(a->gossip)[0],
                           .element_bytes = 1,
                           .bytes_of = rh_gossip_message_bytes(a->gossip),
                           .neighbours = &rh_graph_at(w->graphs, a->t)->neighbours};
  rh_schedule_collective(w->schedule, &c, a->after);
}

static int32_t neighbours(const rh_agents *a, int32_t i)
{
  const rh_neighbours *n = &rh_graph_at(a->world->graphs, a->t)->neighbours;
  return n->in_offset[i + 1] - n->in_offset[i];
}

/* Decoding so many messages once they are there, then the mixing row and the method's other passes. */
static void append_mix(rh_agents *a, int32_t i, int32_t messages)
{
  const rh_world *w = a->sent;
  const rh_step_seconds *sec = rh_world_seconds(w, i);
  const int32_t terms = neighbours(a, i) + 1;
  const rh_token arrived = rh_schedule_last(w->schedule, i, RH_LANE_COMMUNICATION);
  if (lossy(a) && messages > 0) compute(a, i, sec->decode_s[0] * messages, RH_LABEL_DECODE, arrived);
  compute(a, i, sec->mix_s * (terms + a->def.passes), "mix", arrived);
}

static void append_step_first(rh_agents *a)
{
  for (int32_t i = 0; i < a->world->workers; i++) {
    if (a->trains) append_gradient(a, i);
    if (a->trains) append_update(a, i);
    a->after[i] = append_encode(a, i);
  }
  append_exchange(a);
  for (int32_t i = 0; i < a->world->workers;
       i++) /* the neighbours' messages and, to know what they know, the own one */
    append_mix(a, i, neighbours(a, i) + 1);
}

static void append_mix_first(rh_agents *a)
{
  for (int32_t i = 0; i < a->world->workers; i++)
    a->after[i] = append_encode(a, i);
  append_exchange(a);
  for (int32_t i = 0; i < a->world->workers; i++) {
    if (a->trains) append_gradient(a, i);
    append_mix(a, i, neighbours(a, i) + 1);
    if (a->trains) append_update(a, i);
  }
}

/* The exchange that is waited for is the last round's: this round's is appended after it. */
static void append_background(rh_agents *a)
{
  for (int32_t i = 0; i < a->world->workers; i++) {
    if (a->trains) append_gradient(a, i);
    if (a->trains) append_update(a, i);
    append_mix(a, i, a->t > 0 ? neighbours(a, i) : 0);
    a->after[i] = append_encode(a, i);
    if (lossy(a)) compute(a, i, rh_world_seconds(a->sent, i)->decode_s[0], RH_LABEL_DECODE, RH_AT_ONCE);
  }
  append_exchange(a);
}

void rh_agents_end(rh_agents *a)
{
  rh_world *w = a->world;
  if (a->def.order == RH_AGENTS_STEP_FIRST) append_step_first(a);
  if (a->def.order == RH_AGENTS_MIX_FIRST) append_mix_first(a);
  if (a->def.order == RH_AGENTS_BACKGROUND) append_background(a);
  w->learning_rate = a->lr;
  if (a->trains) rh_world_take_losses(w, a->loss);
  if (a->def.gossip_rounds == 0 || (a->masking && a->trains)) return; /* a mask has said sparse or dense */
  w->phase = a->trains ? "train" : "gossip";
  if (!a->masking) w->compression_ratio = 1;
}
