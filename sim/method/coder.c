#include "coder.h"

#include <stdlib.h>

static int64_t round_up(int64_t bytes)
{
  return (bytes + 63) / 64 * 64;
}

static int64_t largest(int64_t a, int64_t b)
{
  return a > b ? a : b;
}

static int64_t state_values(const rh_compressor *c, const void *options, const rh_layout *layout)
{
  return c->state_values ? c->state_values(options, layout) : 0;
}

static rh_status no_memory(const rh_world *world)
{
  return rh_error(RH_ENOMEM, "no memory for the messages of %d workers", world->workers);
}

void rh_coder_fill_lengths(rh_coder *coder, int32_t bucket)
{
  const rh_world *w = coder->world;
  const int64_t bytes = w->compressor->bound_bytes(w->compressor_options, &w->buckets[bucket].layout);
  for (int32_t i = 0; i < w->workers; i++)
    coder->bytes[(int64_t)bucket * w->workers + i] = bytes;
}

static rh_status init_lengths(rh_coder *coder, const rh_world *world)
{
  *coder = (rh_coder){.world = world, .slice = 1};
  coder->bytes = calloc((size_t)world->bucket_count * (size_t)world->workers, sizeof *coder->bytes);
  if (!coder->bytes) return no_memory(world);
  for (int32_t b = 0; b < world->bucket_count; b++)
    rh_coder_fill_lengths(coder, b);
  return RH_OK;
}

rh_status rh_coder_init(rh_coder *coder, const rh_world *world)
{
  if (!rh_world_has_values(world)) return init_lengths(coder, world);
  if (rh_coder_fits_device(world->compressor, rh_replicas_get_def(world->replicas)->backend)) {
    const rh_status status = init_lengths(coder, world);
    return status == RH_OK ? rh_coder_init_device(coder, world) : status;
  }
  const rh_compressor *c = world->compressor;
  const void *o = world->compressor_options;
  const size_t threads = (size_t)rh_replicas_get_def(world->replicas)->threads, workers = (size_t)world->workers;
  *coder = (rh_coder){.world = world, .slice = 1};
  for (int32_t b = 0; b < world->bucket_count; b++) {
    const rh_layout *layout = &world->buckets[b].layout;
    coder->wire_size = largest(coder->wire_size, round_up(c->bound_bytes(o, layout)));
    if (c->scratch_bytes) coder->scratch_size = largest(coder->scratch_size, round_up(c->scratch_bytes(o, layout)));
    coder->state_values += state_values(c, o, layout);
  }
  /* one cache line more: a thread that needs none still has a place of its own */
  coder->wire = aligned_alloc(64, threads * (size_t)coder->wire_size + 64);
  coder->scratch = aligned_alloc(64, threads * (size_t)coder->scratch_size + 64);
  coder->state = calloc(workers * (size_t)coder->state_values + 1, sizeof *coder->state);
  coder->bytes = calloc((size_t)world->bucket_count * workers, sizeof *coder->bytes);
  if (coder->wire && coder->scratch && coder->state && coder->bytes) return RH_OK;
  rh_coder_clear(coder);
  return no_memory(world);
}

void rh_coder_clear(rh_coder *coder)
{
  rh_coder_clear_device(coder);
  free(coder->wire);
  free(coder->scratch);
  free(coder->state);
  free(coder->bytes);
  *coder = (rh_coder){0};
}

void rh_coder_parts(rh_coder *coder, const rh_parts *parts)
{
  if (!coder->world) return;
  const size_t workers = (size_t)coder->world->workers;
  if (coder->world->compressor->state_values && coder->state)
    rh_replicas_arena_part(coder->device ? coder->device : &rh_backend_cpu, parts, "coder.state", coder->state,
                           workers * (size_t)coder->state_values * sizeof *coder->state);
  rh_part(parts, "coder.bytes", coder->bytes, (size_t)coder->world->bucket_count * workers * sizeof *coder->bytes);
}

int64_t rh_coder_thread_bytes(const rh_compressor *compressor, const void *options, const rh_layout *layout)
{
  return round_up(compressor->bound_bytes(options, layout)) +
         (compressor->scratch_bytes ? round_up(compressor->scratch_bytes(options, layout)) : 0);
}

int64_t rh_coder_worker_bytes(const rh_compressor *compressor, const void *options, const rh_layout *layout)
{
  return state_values(compressor, options, layout) * (int64_t)sizeof(float) + (int64_t)sizeof(int64_t);
}

rh_coding rh_coder_coding(const rh_coder *coder, int thread, int32_t worker, int32_t bucket, int64_t t)
{
  const rh_world *w = coder->world;
  const uint64_t step = (uint64_t)(t * w->bucket_count + bucket);
  return (rh_coding){.options = w->compressor_options,
                     .layout = &w->buckets[bucket].layout,
                     .rng = rh_rng_stream(w->seed, RH_PURPOSE_COMPRESS, (uint32_t)worker, step),
                     .shared = rh_rng_stream(w->seed, RH_PURPOSE_SHARED, 0, step),
                     .step = t,
                     .momentum = rh_replicas_get_def(w->replicas)->optimiser.momentum,
                     .scratch = coder->scratch + (int64_t)thread * coder->scratch_size};
}

static void send_row(rh_coder *coder, int thread, int32_t worker, int64_t t, const float *x, float *decoded)
{
  const rh_world *w = coder->world;
  uint8_t *wire = coder->wire + (int64_t)thread * coder->wire_size;
  float *state = coder->state + (int64_t)worker * coder->state_values;
  for (int32_t b = 0; b < w->bucket_count; b++) {
    const rh_bucket *bucket = &w->buckets[b];
    rh_coding coding = rh_coder_coding(coder, thread, worker, b, t);
    const int64_t bytes = w->compressor->encode(&coding, x + bucket->offset, state, wire);
    RH_ASSERT(bytes <= coder->wire_size);
    w->compressor->decode(&coding, wire, bytes, decoded + bucket->offset);
    coder->bytes[(int64_t)b * w->workers + worker] = bytes;
    state += state_values(w->compressor, w->compressor_options, &bucket->layout);
  }
}

void rh_coder_send(rh_coder *coder, rh_rows rows, int64_t t, rh_tensor x, rh_tensor decoded)
{
  RH_ASSERT(rows.count <= coder->slice);
  if (coder->device)
    rh_coder_send_on_device(coder, rows, t, x, decoded);
  else
    send_row(coder, rows.thread, rows.first, t, x.data, decoded.data);
}
