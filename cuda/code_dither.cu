/* Dither (train/compress/dither.h): eight generators a message, a thread each, from the message's own stream. Pieces
 * that are not finite take no numbers. */
#include "coding.h"

static __global__ void draw(code_plan plan, philox stream, int64_t count, code_room room)
{
  const int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x, r = i / 8;
  const int lane = (int)(i % 8);
  if (r >= count) return;
  uint32_t seeds[4];
  philox_block(&stream, (uint32_t)r, (uint32_t)lane / 2, seeds);
  uint64_t a = (uint64_t)seeds[lane % 2 * 2] | (uint64_t)seeds[lane % 2 * 2 + 1] << 32;
  philox_block(&stream, (uint32_t)r, 4 + (uint32_t)lane / 2, seeds);
  uint64_t b = (uint64_t)seeds[lane % 2 * 2] | (uint64_t)seeds[lane % 2 * 2 + 1] << 32;
  uint64_t *const out = (uint64_t *)code_dither(&plan, room, r) + lane;
  for (int64_t k = 0; k < plan.pieces; k++) {
    const code_piece piece = plan.piece[k];
    if (!code_heads(room, r)[k].finite) continue;
    for (int64_t g = 0; g < (piece.n + CODE_GROUP - 1) / CODE_GROUP; g++) {
      const uint64_t sum = a + b, mixed = a ^ b;
      out[(piece.group + g) * 8] = (sum << 17 | sum >> 47) + a;
      a = (a << 49 | a >> 15) ^ mixed ^ mixed << 21;
      b = mixed << 28 | mixed >> 36;
    }
  }
}

void rh_cuda_code_draw(const code_plan *plan, const philox *stream, int64_t count, code_room room)
{
  const int64_t blocks = (8 * count + CODE_THREADS - 1) / CODE_THREADS;
  RH_LAUNCH(draw, dim3((unsigned)blocks), CODE_THREADS, *plan, *stream, count, room);
}
