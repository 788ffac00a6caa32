/* Messages of rows on a device: made and read there, so that nothing but their lengths travels. */
#include "coder.h"

/* Messages at once: enough to keep a device busy, while their bytes stay few beside the rows. */
static const int64_t slice_bytes = 256 << 20;

bool rh_coder_fits_device(const rh_compressor *compressor, const rh_backend *rows)
{
  return compressor->code && rows->encode && !rh_backend_on_host(rows);
}

static rh_code code_of(const rh_coder *coder, int32_t bucket)
{
  const rh_world *w = coder->world;
  rh_code code;
  const bool has = rh_compressor_code(w->compressor, w->compressor_options, &w->buckets[bucket].layout, &code);
  RH_ASSERT(has);
  return code;
}

/* Whether lengths are known before messages are. */
static bool is_fixed(const rh_world *w)
{
  return !w->compressor->varies || !w->compressor->varies(w->compressor_options);
}

rh_status rh_coder_init_device(rh_coder *coder, const rh_world *world)
{
  const rh_compressor *c = world->compressor;
  const rh_backend *d = rh_replicas_get_def(world->replicas)->backend;
  coder->device = d;
  for (int32_t b = 0; b < world->bucket_count; b++) {
    const rh_code code = code_of(coder, b);
    const int64_t wire = (c->bound_bytes(world->compressor_options, &world->buckets[b].layout) + 63) / 64 * 64;
    const int64_t scratch = d->code_scratch(&code);
    if (wire > coder->wire_size) coder->wire_size = wire;
    if (scratch > coder->scratch_size) coder->scratch_size = scratch;
  }
  if (c->sum) { /* added over whole vectors, whose buckets do not matter to values */
    const int64_t whole = (c->sum->element_bytes * world->model->parameters + 63) / 64 * 64;
    if (whole > coder->wire_size) coder->wire_size = whole;
  }
  const int64_t slice = slice_bytes / (coder->wire_size + coder->scratch_size + 1) + 1;
  coder->slice = slice < world->workers ? (int32_t)slice : world->workers;
  coder->device_wire = d->alloc((size_t)(coder->slice * coder->wire_size) + 64);
  coder->device_scratch = d->alloc((size_t)(coder->slice * coder->scratch_size) + 64);
  coder->device_bytes = d->alloc((size_t)world->bucket_count * (size_t)world->workers * sizeof *coder->device_bytes);
  if (coder->device_wire && coder->device_scratch && coder->device_bytes) return RH_OK;
  rh_coder_clear(coder);
  return rh_error(RH_ENOMEM,
                  "the GPU has no memory for the messages of %d workers; run fewer workers, or with "
                  "run.backend: cpu",
                  world->workers);
}

void rh_coder_clear_device(rh_coder *coder)
{
  if (!coder->device) return;
  coder->device->release(coder->device_wire);
  coder->device->release(coder->device_scratch);
  coder->device->release(coder->device_bytes);
}

static rh_tensor from(rh_tensor rows, int64_t offset)
{
  return (rh_tensor){rows.data + offset, rows.stride};
}

void rh_coder_send_on_device(rh_coder *coder, rh_rows rows, int64_t t, rh_tensor x, rh_tensor decoded)
{
  const rh_world *w = coder->world;
  const int32_t first = rows.first, count = rows.count;
  for (int32_t b = 0; b < w->bucket_count; b++) {
    const rh_code code = code_of(coder, b);
    const rh_coding coding = rh_coder_coding(coder, 0, first, b, t);
    coder->device->encode(&code, &coding.rng, count, from(x, w->buckets[b].offset), coder->device_wire,
                          coder->wire_size, coder->device_bytes + (int64_t)b * w->workers + first,
                          coder->device_scratch);
    coder->device->decode(&code, count, coder->device_wire, coder->wire_size, from(decoded, w->buckets[b].offset));
  }
}

void rh_coder_take_lengths(rh_coder *coder)
{
  const rh_world *w = coder->world;
  if (is_fixed(w)) {
    for (int32_t b = 0; b < w->bucket_count; b++) /* a mask changes layouts */
      rh_coder_fill_lengths(coder, b);
    return;
  }
  coder->device->download(coder->bytes, coder->device_bytes,
                          (size_t)w->bucket_count * (size_t)w->workers * sizeof *coder->bytes);
}
