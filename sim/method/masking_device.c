/* Applying, packing and unpacking are all the same: each value comes from a place, or from none. Values that move take
 * a way round, some rows at a time, since all of a row move at once. */
#include "masking_device.h"

#include <stdlib.h>
#include <string.h>

static const int64_t around_bytes = 16 << 20; /* of rows on their way: they fit the caches of large devices */

enum { INSIDE, PACKED, UNPACKED, NOTHING, WAYS };

struct rh_masking_device {
  const rh_backend *backend; /* borrowed */
  int64_t stride;
  float *row;            /* [stride]; owned by the program */
  int32_t *sent;         /* [stride] places on their way; likewise */
  int32_t *places[WAYS]; /* [stride] each, where the value of a place comes from; owned */
  float *around;         /* [most][stride]; owned */
  int64_t most;
};

int64_t rh_masking_device_bytes(const rh_model *model)
{
  return around_bytes + model->stride * (int64_t)(sizeof(float) + WAYS * sizeof(int32_t));
}

rh_status rh_masking_device_new(const rh_world *world, rh_masking_device **device)
{
  const int64_t stride = world->model->stride, rows = around_bytes / (stride * (int64_t)sizeof(float)) + 1;
  const size_t values = (size_t)stride;
  rh_masking_device *d = calloc(1, sizeof *d);
  *device = d;
  if (!d) return rh_error(RH_ENOMEM, "no memory for a mask");
  d->backend = rh_replicas_get_def(world->replicas)->backend;
  d->stride = stride;
  d->most = rows < world->workers ? rows : world->workers;
  d->row = malloc(values * sizeof *d->row);
  d->sent = malloc(values * sizeof *d->sent);
  d->around = d->backend->alloc((size_t)d->most * values * sizeof *d->around);
  bool there = d->row && d->sent && d->around;
  for (int k = 0; there && k < WAYS; k++)
    there = (d->places[k] = d->backend->alloc(values * sizeof *d->places[k])) != NULL;
  if (there) return RH_OK; /* places come with the first mask */
  return rh_error(RH_ENOMEM,
                  "the GPU has no memory for a mask of model %s; run fewer workers, or with run.backend: cpu",
                  world->model->name);
}

void rh_masking_device_free(rh_masking_device *d)
{
  if (!d) return;
  for (int k = 0; k < WAYS; k++)
    d->backend->release(d->places[k]);
  d->backend->release(d->around);
  free(d->row);
  free(d->sent);
  free(d);
}

const float *rh_masking_device_read(rh_masking_device *d, const float *row)
{
  d->backend->download(d->row, row, (size_t)d->stride * sizeof *d->row);
  return d->row;
}

void rh_masking_device_take(rh_masking_device *d, const rh_mask *mask)
{
  const int32_t *inside = rh_mask_inside(mask);
  const int64_t kept = rh_mask_kept(mask);
  for (int way = 0; way < WAYS; way++) {
    for (int64_t i = 0; i < d->stride; i++)
      d->sent[i] = -1;
    for (int64_t k = 0; way != NOTHING && k < kept; k++)
      d->sent[way == PACKED ? k : inside[k]] = way == UNPACKED ? (int32_t)k : inside[k];
    d->backend->upload(d->places[way], d->sent, (size_t)d->stride * sizeof *d->sent);
  }
}

void rh_masking_device_apply(rh_masking_device *d, int64_t count, rh_tensor rows)
{
  d->backend->pick(d->stride, count, d->places[INSIDE], rows, rows);
}

static void move(rh_masking_device *d, int way, int64_t count, rh_tensor rows)
{
  for (int64_t first = 0; first < count; first += d->most) {
    const int64_t n = count - first < d->most ? count - first : d->most;
    const rh_tensor some = {rows.data + first * rows.stride, rows.stride}, around = {d->around, d->stride};
    d->backend->pick(d->stride, n, d->places[way], some, around);
    d->backend->scale(d->stride, n, 1, around, some);
  }
}

void rh_masking_device_pack(rh_masking_device *d, int64_t count, rh_tensor rows)
{
  move(d, PACKED, count, rows);
}

void rh_masking_device_unpack(rh_masking_device *d, int64_t count, rh_tensor rows)
{
  move(d, UNPACKED, count, rows);
}

void rh_masking_device_clear(rh_masking_device *d, int64_t count, rh_tensor rows)
{
  d->backend->pick(d->stride, count, d->places[NOTHING], rows, rows);
}
