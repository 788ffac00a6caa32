/* Single messages of `lowrank` of rows on a device: each worker's own power iteration. */
#include "coder.h"
#include "lowrank_device.h"

void rh_coder_send_lowrank(rh_coder *coder, const rh_code *code, int32_t bucket, rh_rows rows, int64_t t, rh_tensor x,
                           rh_tensor decoded, int64_t state_from)
{
  const rh_backend *d = coder->device;
  const lowrank_sizes sizes = rh_lowrank_sizes(code);
  const rh_coding coding = rh_coder_coding(coder, 0, rows.first, bucket, t);
  const rh_tensor q = {coder->device_scratch, coder->scratch_size / (int64_t)sizeof(float)};
  const rh_tensor left = {(float *)(void *)coder->device_wire, coder->wire_size / (int64_t)sizeof(float)};
  const rh_tensor second = {left.data + sizes.left, left.stride};
  const rh_tensor state = {coder->state + rows.first * coder->state_values + state_from, coder->state_values};
  int64_t *const drawn = coder->device_bytes; /* lengths are known: their place is free */
  if (code->warm)
    rh_lowrank_copy(d, sizes.right, rows.count, state, q);
  else
    rh_lowrank_clear(d, sizes.right, rows.count, q);
  rh_lowrank_clear(d, rows.count * (int64_t)(sizeof *drawn / sizeof(float)), 1, (rh_tensor){(float *)(void *)drawn, 0});
  rh_lowrank_orthonormalise_right(d, code, rows.count, &coding.rng, drawn, q);
  rh_lowrank_left(d, code, rows.count, x, q, left);
  rh_lowrank_orthonormalise_left(d, code, rows.count, left);
  rh_lowrank_second(d, code, rows.count, x, left, second);
  if (code->warm) rh_lowrank_pick(d, code, rows.count, second, state);
  rh_lowrank_expand(d, code, rows.count, 1, left, second, decoded);
}
