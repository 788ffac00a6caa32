/* Dither: the random numbers of stochastic rounding, made as fast as values are read.
 *
 * Symbols     u_i the number that value i is rounded with, r_i a byte of its own, w a number in [0, 1) that all values
 *             of a message share
 * Formula     u_i = (r_i + w) / 256. A value of s steps becomes floor((floor(256 s + w) + r_i) / 256) of them: the
 *             first floor rounds to 256ths of a step, the second to steps, and neither has a bias.
 * Claims      w has as many bits as a f32 of the size of 256 s + w holds below the point, so u_i is uniform to f32's
 *             precision, and so are means and variances of what is rounded. Two values of a message are not quite
 *             independent: given w, a value's mean is off by at most 2^-8 of a step, so the covariance of two errors is
 *             at most 2^-16 of a step squared.
 * Bytes       eight generators of 64 bits side by side, seeded with Philox's numbers from the message's own stream:
 *             the bytes are a function of the stream alone, whatever the width of the machine's vectors.
 * Source      xoroshiro128++: Blackman, Vigna, Scrambled linear pseudorandom number generators, ACM TOMS 47(4), 2021
 */
#ifndef RH_DITHER_H
#define RH_DITHER_H

#include <string.h>

#include "clones.h"
#include "rng.h"

enum { RH_DITHERS = 64 }; /* bytes drawn at once */

typedef uint64_t rh_dither_lanes __attribute__((vector_size(RH_DITHERS)));

typedef struct rh_dither {
  rh_dither_lanes a, b; /* states of the generators */
  int32_t shared;       /* 2^24 w */
} rh_dither;

/* Seeds from the next 36 numbers of the stream. */
static inline void rh_dither_start(rh_dither *d, rh_rng *rng)
{
  uint32_t seeds[36];
  rh_rng_fill_u32(rng, seeds, 36);
  memcpy(&d->a, seeds, sizeof d->a);
  memcpy(&d->b, seeds + 16, sizeof d->b);
  d->shared = (int32_t)(seeds[32] >> 8);
}

/* w, of 24 bits. */
static inline float rh_dither_shared(const rh_dither *d)
{
  return (float)d->shared * 0x1p-24F;
}

/* 2^k + w with the 23 - k bits of w for which this is exact; sums with values below 2^k in magnitude round as f32 does.
 * 0 <= k <= 15 */
static inline float rh_dither_above(const rh_dither *d, int k)
{
  const float unit = 1 / (float)(1 << (23 - k));
  return (float)(1 << 23 | d->shared >> (k + 1)) * unit;
}

/* The next bytes. In loops a local copy of the state stays in registers. */
RH_INLINE void rh_dither_next(rh_dither *d, uint8_t bytes[RH_DITHERS])
{
  const rh_dither_lanes sum = d->a + d->b, mixed = d->a ^ d->b, out = (sum << 17 | sum >> 47) + d->a;
  d->a = (d->a << 49 | d->a >> 15) ^ mixed ^ mixed << 21;
  d->b = mixed << 28 | mixed >> 36;
  memcpy(bytes, &out, RH_DITHERS);
}

#endif
