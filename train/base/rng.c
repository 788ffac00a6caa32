#include "rng.h"

#include <math.h>

/* Random123's own code is outside our warning flags. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <Random123/philox.h>
#pragma GCC diagnostic pop

#include "clones.h"
#include "status.h"

rh_rng rh_rng_stream(uint64_t seed, rh_purpose purpose, uint32_t rank, uint64_t step)
{
  RH_ASSERT(step < ((uint64_t)1 << 56) && (unsigned)purpose < 256);
  rh_rng rng = {.key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
                .counter = {0, (uint32_t)step, rank, (uint32_t)purpose << 24 | (uint32_t)(step >> 32)},
                .used = 4};
  return rng;
}

/* The four numbers of the stream's next block. */
static void next_block(rh_rng *rng, uint32_t out[4])
{
  philox4x32_ctr_t counter = {{rng->counter[0], rng->counter[1], rng->counter[2], rng->counter[3]}};
  philox4x32_key_t key = {{rng->key[0], rng->key[1]}};
  philox4x32_ctr_t block = philox4x32(counter, key);
  for (int i = 0; i < 4; i++)
    out[i] = block.v[i];
  rng->counter[0]++;
}

uint32_t rh_rng_u32(rh_rng *rng)
{
  if (rng->used == 4) {
    next_block(rng, rng->block);
    rng->used = 0;
  }
  return rng->block[rng->used++];
}

/* Stored to where callers see u32 or halves of them. */
typedef uint32_t word __attribute__((may_alias, aligned(2)));

/* `count` blocks from `first` on. Each 32-bit word has a 64-bit lane to itself, whose upper half is left to rot: so the
 * compiler makes the wide products of many blocks at once without shuffling halves between the rounds. */
RH_CLONES static void make_blocks(const uint32_t key[2], const uint32_t first[4], int64_t count, word *restrict x)
{
  for (int64_t b = 0; b < count; b++) {
    uint64_t c0 = (uint32_t)(first[0] + (uint32_t)b), c1 = first[1], c2 = first[2], c3 = first[3];
    uint32_t k0 = key[0], k1 = key[1];
#pragma GCC unroll 10
    for (int round = 0; round < PHILOX4x32_DEFAULT_ROUNDS; round++) {
      uint64_t p = (c0 & UINT32_MAX) * PHILOX_M4x32_0, q = (c2 & UINT32_MAX) * PHILOX_M4x32_1;
      c0 = (q >> 32) ^ c1 ^ k0;
      c1 = q;
      c2 = (p >> 32) ^ c3 ^ k1;
      c3 = p;
      k0 += PHILOX_W32_0;
      k1 += PHILOX_W32_1;
    }
    x[4 * b] = (uint32_t)c0;
    x[4 * b + 1] = (uint32_t)c1;
    x[4 * b + 2] = (uint32_t)c2;
    x[4 * b + 3] = (uint32_t)c3;
  }
}

static void fill(rh_rng *rng, word *x, int64_t n)
{
  int64_t i = 0;
  while (i < n && rng->used < 4)
    x[i++] = rng->block[rng->used++];
  const int64_t blocks = (n - i) / 4;
  make_blocks(rng->key, rng->counter, blocks, x + i);
  rng->counter[0] += (uint32_t)blocks;
  for (i += 4 * blocks; i < n; i++)
    x[i] = rh_rng_u32(rng);
}

void rh_rng_fill_u32(rh_rng *rng, uint32_t *x, int64_t n)
{
  fill(rng, x, n);
}

void rh_rng_fill_u16(rh_rng *rng, uint16_t *x, int64_t n)
{
  _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the low half of a number comes first");
  fill(rng, (word *)x, n / 2);
  if (n % 2) x[n - 1] = (uint16_t)rh_rng_u32(rng);
}

float rh_rng_f32(rh_rng *rng)
{
  return (float)(rh_rng_u32(rng) >> 8) * 0x1p-24F;
}

double rh_rng_f64(rh_rng *rng)
{
  uint64_t high = rh_rng_u32(rng) >> 5, low = rh_rng_u32(rng) >> 6; /* 27 and 26 bits */
  return (double)(high << 26 | low) * 0x1p-53;
}

uint32_t rh_rng_below(rh_rng *rng, uint32_t n)
{
  RH_ASSERT(n > 0);
  /* Lemire, Fast random integer generation in an interval, ACM TOMACS 29(1), 2019 */
  uint64_t product = (uint64_t)rh_rng_u32(rng) * n;
  if ((uint32_t)product < n) {
    uint32_t threshold = (0U - n) % n;
    while ((uint32_t)product < threshold)
      product = (uint64_t)rh_rng_u32(rng) * n;
  }
  return (uint32_t)(product >> 32);
}

double rh_rng_normal(rh_rng *rng)
{
  double u = 1 - rh_rng_f64(rng), v = rh_rng_f64(rng); /* u in (0, 1]: its logarithm is finite */
  return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

void rh_rng_shuffle(rh_rng *rng, int32_t *x, int64_t n)
{
  for (int64_t i = n - 1; i > 0; i--) {
    int64_t j = rh_rng_below(rng, (uint32_t)(i + 1));
    int32_t keep = x[i];
    x[i] = x[j];
    x[j] = keep;
  }
}
