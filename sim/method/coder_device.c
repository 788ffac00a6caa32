/* Messages of rows on a device: made and read there, so that nothing but their lengths travels. */
#include <stdlib.h>

#include "coder.h"

/* Messages at once, with the two rows that callers have for each: enough to keep a device busy, while their bytes stay
 * few beside the workers' rows. */
static const int64_t slice_bytes = 512 << 20;

bool rh_coder_fits_device(const rh_compressor *compressor, const rh_backend *rows)
{
  if (!compressor->code || rh_backend_on_host(rows)) return false;
  return compressor == &rh_compressor_lowrank ? rows->thin_right != NULL : rows->encode != NULL;
}

/* Places of a bucket's messages. */
static int64_t place_count(const rh_world *w, int32_t bucket)
{
  return w->compressor->bound_bytes(w->compressor_options, &w->buckets[bucket].layout) / 4;
}

/* They follow from the seed, so that the program draws them: once for all workers. */
static void draw_places(rh_coder *coder, int64_t t)
{
  const rh_world *w = coder->world;
  int64_t from = 0;
  for (int32_t b = 0; b < w->bucket_count; from += place_count(w, b++)) {
    rh_coding coding = rh_coder_coding(coder, 0, -1, b, t);
    w->compressor->draw(&coding, coder->places + from);
  }
  coder->device->upload(coder->device_places, coder->places, (size_t)from * sizeof *coder->places);
  coder->drawn = t;
}

rh_code rh_coder_code(rh_coder *coder, int32_t bucket, int64_t t)
{
  const rh_world *w = coder->world;
  rh_code code;
  const bool has = rh_compressor_code(w->compressor, w->compressor_options, &w->buckets[bucket].layout, t, &code);
  RH_ASSERT(has);
  if (!coder->places) return code;
  if (coder->drawn != t) draw_places(coder, t);
  code.places = coder->device_places;
  for (int32_t b = 0; b < bucket; b++)
    code.places += place_count(w, b);
  return code;
}

/* Whether lengths are known before messages are. */
static bool is_fixed(const rh_world *w)
{
  return !w->compressor->varies || !w->compressor->varies(w->compressor_options);
}

/* Bytes that the longest messages take, and are made with. */
static void size_messages(rh_coder *coder)
{
  const rh_world *w = coder->world;
  const rh_compressor *c = w->compressor;
  for (int32_t b = 0; b < w->bucket_count; b++) {
    const int64_t wire = (c->bound_bytes(w->compressor_options, &w->buckets[b].layout) + 63) / 64 * 64;
    if (wire > coder->wire_size) coder->wire_size = wire;
    for (int late = 0; late < 2; late++) { /* shares that are sent are largest in the first round, or at last */
      rh_code code;
      rh_compressor_code(c, w->compressor_options, &w->buckets[b].layout, late ? INT64_MAX : 0, &code);
      const int64_t scratch = code.kind == RH_CODE_LOWRANK /* right factors */
                                  ? c->bound_bytes(w->compressor_options, &w->buckets[b].layout)
                                  : coder->device->code_scratch(&code);
      if (scratch > coder->scratch_size) coder->scratch_size = scratch;
    }
    if (c->state_values) coder->state_values += c->state_values(w->compressor_options, &w->buckets[b].layout);
  }
  if (c->sum && !c->draw) { /* added over whole vectors, whose buckets do not matter to values */
    const int64_t whole = (c->sum->element_bytes * w->model->parameters + 63) / 64 * 64;
    if (whole > coder->wire_size) coder->wire_size = whole;
  }
}

/* What some compressors need beside messages: drawn places, a state of each worker. */
static bool allocate_rest(rh_coder *coder)
{
  const rh_world *w = coder->world;
  const rh_compressor *c = w->compressor;
  const rh_backend *d = coder->device;
  if (coder->state_values > 0) {
    coder->state = d->alloc((size_t)w->workers * (size_t)coder->state_values * sizeof *coder->state);
    if (!coder->state) return false;
  }
  if (!c->draw) return true;
  int64_t places = 1, scratch = 64;
  for (int32_t b = 0; b < w->bucket_count; b++) {
    const int64_t bytes = c->scratch_bytes ? c->scratch_bytes(w->compressor_options, &w->buckets[b].layout) : 0;
    if (bytes > scratch) scratch = bytes;
    places += place_count(w, b);
  }
  coder->drawn = -1;
  coder->scratch = aligned_alloc(64, (size_t)(scratch + 63) / 64 * 64);
  coder->places = malloc((size_t)places * sizeof *coder->places);
  coder->device_places = d->alloc((size_t)places * sizeof *coder->device_places);
  return coder->scratch && coder->places && coder->device_places;
}

rh_status rh_coder_init_device(rh_coder *coder, const rh_world *world)
{
  const rh_backend *d = rh_replicas_get_def(world->replicas)->backend;
  coder->device = d;
  size_messages(coder);
  const int64_t rows = 2 * world->model->stride * (int64_t)sizeof(float);
  const int64_t slice = slice_bytes / (coder->wire_size + coder->scratch_size + rows) + 1;
  coder->slice = slice < world->workers ? (int32_t)slice : world->workers;
  coder->device_wire = d->alloc((size_t)(coder->slice * coder->wire_size) + 64);
  coder->device_scratch = d->alloc((size_t)(coder->slice * coder->scratch_size) + 64);
  coder->device_bytes = d->alloc((size_t)world->bucket_count * (size_t)world->workers * sizeof *coder->device_bytes);
  if (coder->device_wire && coder->device_scratch && coder->device_bytes && allocate_rest(coder)) return RH_OK;
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
  coder->device->release(coder->device_places);
  coder->device->release(coder->state);
  coder->state = NULL;
  free(coder->places);
}

static rh_tensor from(rh_tensor rows, int64_t offset)
{
  return (rh_tensor){rows.data + offset, rows.stride};
}

/* What is coded of x: where a worker gathers momentum by itself u = m u + x and v = v + u, [2][d] of a bucket each. */
static rh_tensor gather(const rh_coder *coder, const rh_code *code, const rh_coding *coding, rh_rows rows, rh_tensor x,
                        int64_t state_from)
{
  if (code->kind != RH_CODE_DGC) return x;
  const rh_tensor u = {coder->state + rows.first * coder->state_values + state_from, coder->state_values};
  coder->device->combine(code->values, rows.count, coding->momentum, u, 1, x, u);
  coder->device->add_scaled(code->values, rows.count, 1, u, from(u, code->values));
  return u;
}

void rh_coder_send_on_device(rh_coder *coder, rh_rows rows, int64_t t, rh_tensor x, rh_tensor decoded)
{
  const rh_world *w = coder->world;
  int64_t state_from = 0;
  for (int32_t b = 0; b < w->bucket_count; b++) {
    const rh_code code = rh_coder_code(coder, b, t);
    if (code.kind == RH_CODE_LOWRANK) {
      rh_coder_send_lowrank(coder, &code, b, rows, t, from(x, w->buckets[b].offset),
                            from(decoded, w->buckets[b].offset), state_from);
      state_from += w->compressor->state_values(w->compressor_options, &w->buckets[b].layout);
      continue;
    }
    const rh_coding coding = rh_coder_coding(coder, 0, rows.first, b, t);
    const rh_tensor v = gather(coder, &code, &coding, rows, from(x, w->buckets[b].offset), state_from);
    coder->device->encode(&code, &coding.rng, rows.count, v, coder->device_wire, coder->wire_size,
                          coder->device_bytes + (int64_t)b * w->workers + rows.first, coder->device_scratch);
    coder->device->decode(&code, rows.count, coder->device_wire, coder->wire_size, from(decoded, w->buckets[b].offset));
    state_from += 2 * code.values;
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
