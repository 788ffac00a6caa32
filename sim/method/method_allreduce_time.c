/* The time of an `allreduce` round.
 *
 * Compute lane          forward, backward of layer L .. 1, with each bucket's encoding when its gradients exist
 *                       (overlap) or after the last; when a bucket has arrived: its decoding; at the end the update,
 *                       whose momentum is step-ahead's first work on a bucket
 * Communication lane    the buckets' collectives in the order in which their gradients come to exist
 *
 * Messages that can be added ride all-reduces: one a bucket, or two with computing between them. Others are gathered:
 * by everybody, who decodes them all, or by rank 0, which decodes, averages and answers: in the message's own form
 * where the mean has one, else with 4 bytes a value. It answers after its own backward pass, so answers follow the
 * gathering of all buckets, which the backward pass can hide.
 */
#include "collectives.h"
#include "method_allreduce.h"

static bool charges_coding(const rh_world *w)
{
  return !w->compressor->lossless;
}

/* Rank 0 adds the messages, where they must be decoded for that. */
static bool asks_server(const rh_world *w)
{
  const allreduce_options *o = w->method_options;
  return !w->compressor->sum && o->gather == ALLREDUCE_GATHER_SERVER;
}

static rh_token *ready_of(const rh_world *w, allreduce_state *s, int32_t bucket)
{
  return s->ready + (int64_t)bucket * w->workers;
}

/* A bucket's share of what is done to all that is sent. */
static double share(const rh_world *w, int32_t b)
{
  int64_t all = 0; /* the model's parameters, or what a mask leaves of them */
  for (int32_t k = 0; k < w->bucket_count; k++)
    all += w->buckets[k].layout.values;
  return (double)w->buckets[b].layout.values / (double)all;
}

/* What makes a bucket's message: step-ahead's momentum, then encoding and keeping the error. */
static rh_token append_encode(rh_world *w, int32_t i, int32_t b)
{
  const rh_step_seconds *sec = rh_world_seconds(w, i);
  if (w->feedback.kind == RH_FEEDBACK_STEP_AHEAD)
    rh_schedule_compute(w->schedule, i, sec->update_s * share(w, b), "momentum", RH_AT_ONCE);
  if (!charges_coding(w)) return rh_schedule_last(w->schedule, i, RH_LANE_COMPUTE);
  double seconds = sec->encode_s[b][0];
  if (w->feedback.kind != RH_FEEDBACK_NONE) seconds += sec->feedback_s * share(w, b);
  return rh_schedule_compute(w->schedule, i, seconds, RH_LABEL_ENCODE, RH_AT_ONCE);
}

/* Forward, backward and encoding of one rank. */
static void append_gradient(rh_world *w, allreduce_state *s, int32_t i)
{
  const allreduce_options *o = w->method_options;
  const rh_step_seconds *sec = rh_world_seconds(w, i);
  int32_t next = 0;
  if (o->overlap && w->bucket_count > 1) {
    double seconds = sec->forward_s;
    for (int layer = w->model->layer_count - 1; layer >= 0; layer--) {
      seconds += sec->backward_s[layer];
      for (; next < w->bucket_count && w->buckets[next].ready_layer == layer; next++) {
        rh_schedule_compute(w->schedule, i, seconds, "gradient", RH_AT_ONCE);
        ready_of(w, s, next)[i] = append_encode(w, i, next);
        seconds = 0;
      }
    }
    if (seconds > 0) rh_schedule_compute(w->schedule, i, seconds, "gradient", RH_AT_ONCE);
    return;
  }
  rh_schedule_compute(w->schedule, i, sec->forward_s + sec->backward_total_s, "gradient", RH_AT_ONCE);
  for (; next < w->bucket_count; next++)
    ready_of(w, s, next)[i] = append_encode(w, i, next);
}

static rh_token arrived(rh_world *w, int32_t i)
{
  return rh_schedule_last(w->schedule, i, RH_LANE_COMMUNICATION);
}

/* One phase of a bucket's sum: it begins at ready[i], and ready[i] becomes the token of its arrival. */
static void append_allreduce(rh_world *w, int64_t bytes, int64_t element_bytes, rh_token *ready)
{
  const rh_collective c = rh_world_allreduce(w, NULL, w->workers, bytes, element_bytes);
  rh_schedule_collective(w->schedule, &c, ready);
  for (int32_t i = 0; i < w->workers; i++)
    ready[i] = arrived(w, i);
}

/* A bucket's way to where its mean is formed: to everybody, or to the server. ready[i] becomes the arrival at rank i.
 * */
static void append_exchange(rh_world *w, allreduce_state *s, int32_t b)
{
  const rh_summable *sum = w->compressor->sum;
  rh_token *ready = ready_of(w, s, b);
  if (sum) {
    append_allreduce(w, rh_aggregate_phase_bytes(s->aggregate, b, 0), sum->element_bytes, ready);
    return;
  }
  const int64_t *bytes_of = rh_aggregate_message_bytes(s->aggregate, b);
  rh_collective c = {.kind = asks_server(w) ? &rh_gather_direct : w->allgather,
                     .size = w->workers,
                     .bytes = bytes_of[0],
                     .element_bytes = 1,
                     .bytes_of = bytes_of};
  rh_schedule_collective(w->schedule, &c, ready);
  for (int32_t i = 0; i < w->workers; i++)
    ready[i] = arrived(w, i);
}

static void append_second_phase(rh_world *w, allreduce_state *s, int32_t b)
{
  const rh_summable *sum = w->compressor->sum;
  rh_token *ready = ready_of(w, s, b);
  for (int32_t i = 0; i < w->workers; i++)
    ready[i] = rh_schedule_compute(w->schedule, i, rh_world_seconds(w, i)->encode_s[b][1], RH_LABEL_ENCODE, ready[i]);
  append_allreduce(w, rh_aggregate_phase_bytes(s->aggregate, b, 1), sum->element_bytes, ready);
}

/* Decoding one gathered message of a bucket at rank i and adding it to the others. */
static double add_message_s(const rh_world *w, int32_t i, int32_t b)
{
  const rh_step_seconds *sec = rh_world_seconds(w, i);
  return sec->decode_s[b] + sec->mix_s * share(w, b);
}

/* Rank 0 decodes all messages of a bucket and answers. */
static void append_answer(rh_world *w, allreduce_state *s, int32_t b)
{
  const rh_compressor *q = w->compressor;
  const rh_layout *layout = &w->buckets[b].layout;
  const int64_t answer_bytes = q->recodes ? q->bound_bytes(w->compressor_options, layout) : 4 * layout->values;
  const double seconds =
      add_message_s(w, 0, b) * w->workers + (q->recodes ? rh_world_seconds(w, 0)->encode_s[b][0] : 0);
  rh_token *ready = ready_of(w, s, b);
  ready[0] = rh_schedule_compute(w->schedule, 0, seconds, RH_LABEL_DECODE, ready[0]);
  rh_collective c = {.kind = &rh_broadcast_direct, .size = w->workers, .bytes = answer_bytes, .element_bytes = 1};
  rh_schedule_collective(w->schedule, &c, ready);
  for (int32_t i = 0; i < w->workers; i++)
    ready[i] = arrived(w, i);
}

/* Decoding what came of a bucket, and with feedback the own message: what it lost is kept. Of gathered messages the own
 * one is among those that are decoded anyhow. */
static void append_decode(rh_world *w, allreduce_state *s, int32_t b)
{
  if (!charges_coding(w)) return;
  const bool gathered = !w->compressor->sum && !asks_server(w);
  for (int32_t i = 0; i < w->workers; i++) {
    const double decode_s = rh_world_seconds(w, i)->decode_s[b];
    double seconds = gathered ? add_message_s(w, i, b) * w->workers : 0;
    if (w->compressor->sum || (!gathered && w->compressor->recodes)) seconds += decode_s;
    if (w->feedback.kind != RH_FEEDBACK_NONE && !gathered) seconds += decode_s;
    if (seconds > 0) rh_schedule_compute(w->schedule, i, seconds, RH_LABEL_DECODE, ready_of(w, s, b)[i]);
  }
}

/* The errors' average rides an all-reduce of its own. */
static void append_error_average(rh_world *w, allreduce_state *s)
{
  rh_token *ready = ready_of(w, s, 0);
  for (int32_t i = 0; i < w->workers; i++)
    ready[i] = rh_schedule_last(w->schedule, i, RH_LANE_COMPUTE);
  append_allreduce(w, 4 * w->model->parameters, 4, ready);
}

/* SGD's step. Step-ahead has its momentum behind it: x = x - mean, and y_i = x - e_i, where the next gradient is taken.
 */
static void append_update(rh_world *w)
{
  const bool ahead = w->feedback.kind == RH_FEEDBACK_STEP_AHEAD;
  for (int32_t i = 0; i < w->workers; i++) {
    const rh_step_seconds *sec = rh_world_seconds(w, i);
    rh_schedule_compute(w->schedule, i, ahead ? 2 * sec->mix_s : sec->update_s, "update", arrived(w, i));
  }
}

/* What others wait for goes first: all messages, then all second ones, which are made or answered with what the first
 * brought, then all decoding. */
void allreduce_append(rh_world *w, allreduce_state *s)
{
  const bool two_phases = w->compressor->sum && w->compressor->sum->phases > 1;
  for (int32_t i = 0; i < w->workers; i++)
    append_gradient(w, s, i);
  for (int32_t b = 0; b < w->bucket_count; b++)
    append_exchange(w, s, b);
  for (int32_t b = 0; two_phases && b < w->bucket_count; b++)
    append_second_phase(w, s, b);
  for (int32_t b = 0; asks_server(w) && b < w->bucket_count; b++)
    append_answer(w, s, b);
  for (int32_t b = 0; b < w->bucket_count; b++)
    append_decode(w, s, b);
  if (s->averages) append_error_average(w, s);
  append_update(w);
}
