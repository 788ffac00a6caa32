/* The program's random numbers on a device: Philox4x32-10 (train/base/rng.h), the same integers for the same stream. */
#ifndef RH_CUDA_PHILOX_H
#define RH_CUDA_PHILOX_H

#include <stdint.h>

#include "rng.h"

/* A stream before its first number. */
typedef struct philox {
  uint32_t key[2], counter[4];
} philox;

static inline philox philox_of(const rh_rng *stream)
{
  philox p;
  for (int k = 0; k < 2; k++)
    p.key[k] = stream->key[k];
  for (int k = 0; k < 4; k++)
    p.counter[k] = stream->counter[k];
  return p;
}

/* Numbers 4 block .. 4 block + 3 of the stream whose rank is `rank` more. */
static __device__ inline void philox_block(const philox *stream, uint32_t rank, uint32_t block, uint32_t out[4])
{
  uint32_t c0 = stream->counter[0] + block, c1 = stream->counter[1], c2 = stream->counter[2] + rank;
  uint32_t c3 = stream->counter[3], k0 = stream->key[0], k1 = stream->key[1];
  for (int round = 0; round < 10; round++) {
    const uint64_t p = (uint64_t)c0 * 0xD2511F53, q = (uint64_t)c2 * 0xCD9E8D57;
    c0 = (uint32_t)(q >> 32) ^ c1 ^ k0;
    c1 = (uint32_t)q;
    c2 = (uint32_t)(p >> 32) ^ c3 ^ k1;
    c3 = (uint32_t)p;
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

static __device__ inline uint32_t philox_number(const philox *stream, uint32_t rank, uint32_t i)
{
  uint32_t block[4];
  philox_block(stream, rank, i / 4, block);
  return block[i % 4];
}

#endif
