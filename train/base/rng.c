#include "rng.h"

#include <math.h>

/* Random123's own code is outside our warning flags. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <Random123/philox.h>
#pragma GCC diagnostic pop

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

void rh_rng_fill_u32(rh_rng *rng, uint32_t *x, int64_t n)
{
  int64_t i = 0;
  while (i < n && rng->used < 4)
    x[i++] = rng->block[rng->used++];
  for (; i + 4 <= n; i += 4)
    next_block(rng, x + i);
  while (i < n)
    x[i++] = rh_rng_u32(rng);
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
