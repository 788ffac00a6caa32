#include "masking.h"

#include <stdlib.h>
#include <string.h>

#include "collectives.h"
#include "masking_device.h"

struct rh_masking {
  rh_world world;            /* its buckets are those below in a sparse turn */
  rh_mask *mask;             /* owned */
  rh_masking_device *device; /* of rows on a device; owned; else NULL */
  int64_t number;            /* of the mask; -1: no round was yet */
  bool sparse;               /* some value is masked */
  rh_token *after;           /* [N] what a broadcast waits for; owned */
  int64_t lengths[RH_SEGMENTS_MAX], rows[RH_SEGMENTS_MAX];
  rh_bucket buckets[RH_BUCKETS_MAX];  /* of the packed vector */
  rh_step_seconds *drawn;             /* [N] sparse seconds of ranks that differ; owned; NULL while none does */
  const rh_step_seconds **drawn_rows; /* [N] pointers to them; owned */
};

rh_status rh_masking_new(const rh_world *w, rh_masking **masking)
{
  *masking = NULL;
  if (w->mask.kind == RH_MASK_NONE) return RH_OK;
  rh_masking *m = calloc(1, sizeof *m);
  if (!m) return rh_error(RH_ENOMEM, "no memory for a mask");
  rh_status status = rh_mask_new(w->model, &m->mask);
  if (status == RH_OK && !rh_backend_on_host(rh_replicas_get_def(w->replicas)->backend))
    status = rh_masking_device_new(w, &m->device);
  m->after = calloc((size_t)w->workers, sizeof *m->after);
  if (status == RH_OK && !m->after) status = rh_error(RH_ENOMEM, "no memory for a mask of %d workers", w->workers);
  if (status != RH_OK) {
    rh_masking_free(m);
    return status;
  }
  m->world = *w;
  m->number = -1;
  *masking = m;
  return RH_OK;
}

void rh_masking_free(rh_masking *m)
{
  if (!m) return;
  rh_mask_free(m->mask);
  rh_masking_device_free(m->device);
  free(m->after);
  free(m->drawn);
  free(m->drawn_rows);
  free(m);
}

/* What is left of a dense bucket: pieces of weights, as vectors, and what is never masked; pieces without values do not
 * count. `used` segments were given to other buckets. Returns how many there are now. */
static int32_t pack_bucket(rh_masking *m, const rh_bucket *dense, rh_bucket *packed, int32_t used)
{
  const rh_model *model = m->world.model;
  *packed = (rh_bucket){.offset = rh_mask_kept_of(m->mask, 0, dense->offset),
                        .layout = {.length = m->lengths + used, .rows = m->rows + used},
                        .ready_layer = dense->ready_layer};
  for (int s = 0; s < model->segment_count; s++) {
    const rh_segment *segment = &model->segments[s];
    if (segment->offset < dense->offset || segment->offset >= dense->offset + dense->layout.values) continue;
    const int64_t kept = rh_mask_kept_of(m->mask, segment->offset, segment->count);
    if (kept == 0) continue;
    m->lengths[used] = kept;
    m->rows[used] = kept == segment->count ? segment->rows : kept;
    packed->layout.values += kept;
    packed->layout.count++;
    used++;
  }
  return used;
}

static void pack_buckets(rh_masking *m)
{
  const rh_bucket *dense = m->world.buckets == m->buckets ? NULL : m->world.buckets;
  int32_t used = 0;
  for (int32_t b = 0; dense && b < m->world.bucket_count; b++)
    used = pack_bucket(m, &dense[b], &m->buckets[b], used);
}

void rh_masking_parts(rh_masking *m, const rh_parts *parts)
{
  rh_mask_parts(m->mask, parts);
  rh_part(parts, "mask.number", &m->number, sizeof m->number);
  if (m->device) rh_masking_device_take(m->device, m->mask);
  m->sparse = rh_mask_kept(m->mask) < m->world.model->parameters;
  rh_replicas_set_sparse(m->world.replicas, m->sparse);
  pack_buckets(m);
}

int64_t rh_masking_bytes(const rh_sizes *z)
{
  if (z->mask == RH_MASK_NONE) return 0;
  return rh_mask_bytes(z->model) + (int64_t)sizeof(rh_masking) + z->workers * (int64_t)sizeof(rh_token);
}

rh_world *rh_masking_world(rh_masking *m)
{
  return &m->world;
}

bool rh_masking_packs(const rh_masking *m)
{
  return m && m->sparse;
}

void rh_masking_apply(const rh_masking *m, int64_t count, rh_tensor rows)
{
  if (!rh_masking_packs(m)) return;
  if (m->device) rh_masking_device_apply(m->device, count, rows);
  for (int64_t i = 0; !m->device && i < count; i++)
    rh_mask_apply(m->mask, rows.data + i * rows.stride);
}

void rh_masking_pack(const rh_masking *m, int64_t count, rh_tensor rows)
{
  if (!rh_masking_packs(m)) return;
  if (m->device) rh_masking_device_pack(m->device, count, rows);
  for (int64_t i = 0; !m->device && i < count; i++)
    rh_mask_pack(m->mask, rows.data + i * rows.stride);
}

void rh_masking_unpack(const rh_masking *m, int64_t count, rh_tensor rows)
{
  if (!rh_masking_packs(m)) return;
  if (m->device) rh_masking_device_unpack(m->device, count, rows);
  for (int64_t i = 0; !m->device && i < count; i++)
    rh_mask_unpack(m->mask, rows.data + i * rows.stride);
}

static void scale(double *seconds, double factor)
{
  *seconds *= factor;
}

/* Seconds of so many operations. */
static double seconds_of(const rh_step_seconds *s, rh_work work)
{
  return s->flop_s * work.flop + s->int8_op_s * work.int8_op;
}

/* Seconds of the sparse form, where they are counted: f of each f32 operation. */
static void count_seconds(rh_masking *m)
{
  rh_world *w = &m->world;
  rh_step_seconds *s = &w->seconds;
  const double kept = (double)rh_mask_kept(m->mask) / (double)w->model->parameters, f = s->flop_s;
  const int64_t batch = rh_replicas_get_def(w->replicas)->batch;
  s->backward_total_s = 0;
  for (int l = 0; l < w->model->layer_count; l++) {
    s->forward_s -= seconds_of(s, rh_mask_forward_saving(m->mask, l, batch));
    s->backward_s[l] -= seconds_of(s, rh_mask_backward_saving(m->mask, l, batch));
    s->backward_total_s += s->backward_s[l];
  }
  scale(&s->update_s, kept);
  scale(&s->feedback_s, kept);
  scale(&s->mix_s, kept);
  for (int32_t b = 0; b < w->bucket_count; b++) {
    const rh_flop flop = rh_compressor_flop(w->compressor, w->compressor_options, &w->buckets[b].layout);
    s->encode_s[b][0] = f * flop.encode[0];
    s->encode_s[b][1] = f * flop.encode[1];
    s->decode_s[b] = f * flop.decode;
  }
}

/* Zero outside the mask in the copies' parameters and moments; and everywhere in the moments if `forget`. */
static void apply(rh_masking *m, bool forget)
{
  rh_replicas *replicas = m->world.replicas;
  const rh_replicas_def *def = rh_replicas_get_def(replicas);
  const int64_t stride = m->world.model->stride, copies = rh_replicas_copies(replicas);
  rh_masking_apply(m, copies, (rh_tensor){rh_replicas_copy(replicas, 0), stride});
  for (int k = 0; k < rh_optimiser_moments(&def->optimiser); k++) {
    const rh_tensor moments = {rh_replicas_copy_moment(replicas, 0, k), stride};
    if (!forget)
      rh_masking_apply(m, copies, moments);
    else if (m->device)
      rh_masking_device_clear(m->device, copies, moments);
    else
      memset(moments.data, 0, (size_t)(copies * stride) * sizeof *moments.data);
  }
}

/* The mask of a turn. */
static void change(rh_masking *m, const rh_mask_turn *turn, rh_aggregate *a)
{
  rh_world *w = &m->world;
  const rh_optimiser *o = &rh_replicas_get_def(w->replicas)->optimiser;
  const bool reopens = w->mask.schedule == RH_MASK_ACDC && m->number > 0 && !turn->sparse;
  const rh_tensor errors = {a ? rh_aggregate_error(a, 0) : NULL, w->model->stride};
  if (errors.data) rh_masking_unpack(m, w->workers, errors);
  const float *x = rh_replicas_copy(w->replicas, 0);
  rh_mask_make(m->mask, &w->mask, turn, w->seed, m->device ? rh_masking_device_read(m->device, x) : x);
  if (m->device) rh_masking_device_take(m->device, m->mask);
  m->sparse = rh_mask_kept(m->mask) < w->model->parameters;
  m->number = turn->number;
  rh_replicas_set_sparse(w->replicas, m->sparse);
  if (errors.data) rh_masking_pack(m, w->workers, errors);
  apply(m, reopens && o->kind == RH_OPTIMISER_SGD);
  pack_buckets(m);
}

/* Where ranks differ (jitter), each keeps its own share of what the steps take: seconds * sparse / dense. */
static void count_ranks(rh_masking *m, const rh_step_seconds *dense, const rh_step_seconds *const *ranks)
{
  enum { FIELDS = sizeof *dense / sizeof(double) }; /* it holds doubles alone */
  rh_world *w = &m->world;
  if (!m->drawn) {
    m->drawn = malloc((size_t)w->workers * sizeof *m->drawn);
    m->drawn_rows = malloc((size_t)w->workers * sizeof *m->drawn_rows);
    RH_ASSERT(m->drawn && m->drawn_rows && "memory is exhausted");
  }
  const double *from = (const double *)dense, *to = (const double *)&w->seconds;
  for (int32_t i = 0; i < w->workers; i++) {
    const double *own = (const double *)ranks[i];
    double *sparse = (double *)&m->drawn[i];
    for (int k = 0; k < (int)FIELDS; k++)
      sparse[k] = from[k] > 0 ? own[k] * (to[k] / from[k]) : 0;
    m->drawn[i].backward_total_s = 0;
    for (int l = 0; l < w->model->layer_count; l++)
      m->drawn[i].backward_total_s += m->drawn[i].backward_s[l];
    m->drawn_rows[i] = &m->drawn[i];
  }
  w->rank_seconds = m->drawn_rows;
}

static rh_token append_making(const rh_world *w, int32_t i, rh_token after)
{
  return rh_schedule_compute(w->schedule, i, rh_world_seconds(w, i)->mask_s, "mask", after);
}

/* Everybody makes the mask, or gets rank 0's. */
static void append_mask(rh_masking *m, const rh_world *w, int64_t t)
{
  const bool known = rh_replicas_copies(w->replicas) == 1 || w->mask.kind == RH_MASK_RANDOM || t == 0;
  for (int32_t i = 0; known && i < w->workers; i++)
    append_making(w, i, RH_AT_ONCE);
  if (known) return;
  const rh_collective c = {.kind = &rh_broadcast_binomial,
                           .size = w->workers,
                           .bytes = rh_mask_bitmap_bytes(&w->mask, w->model),
                           .element_bytes = 1};
  for (int32_t i = 0; i < w->workers; i++)
    m->after[i] = i == 0 ? append_making(w, 0, RH_AT_ONCE) : RH_AT_ONCE;
  rh_schedule_collective(w->schedule, &c, m->after);
  for (int32_t i = 1; i < w->workers; i++)
    append_making(w, i, rh_schedule_last(w->schedule, i, RH_LANE_COMMUNICATION));
}

bool rh_masking_begin(rh_masking *m, rh_world *w, int64_t t, rh_aggregate *a)
{
  const rh_mask_turn turn = rh_mask_turn_at(&w->mask, t, w->rounds);
  const bool changes = turn.number != m->number;
  m->world = *w;
  if (changes) change(m, &turn, a);
  if (changes && turn.sparse) append_mask(m, w, t);
  if (m->sparse) {
    m->world.buckets = m->buckets;
    if (w->seconds.flop_s > 0) count_seconds(m);
    if (w->seconds.flop_s > 0 && w->rank_seconds) count_ranks(m, &w->seconds, w->rank_seconds);
  }
  w->phase = m->sparse ? "sparse" : "dense";
  w->compression_ratio = (double)rh_mask_kept(m->mask) / (double)w->model->parameters;
  w->rank_count = 0;
  return changes;
}
