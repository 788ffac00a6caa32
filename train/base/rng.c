#include "rng.h"

#include <math.h>
#include <string.h>
#if defined(__x86_64__) && !defined(RH_SANITIZED)
#include <immintrin.h>
#endif

#include "clones.h"
#include "status.h"

/* Multipliers, and what the keys grow by from round to round: the constants of Salmon et al., section 3.3. */
static const uint64_t multiplier[2] = {0xD2511F53, 0xCD9E8D57};
static const uint32_t growth[2] = {0x9E3779B9, 0xBB67AE85};
enum { ROUNDS = 10 };

rh_rng rh_rng_stream(uint64_t seed, rh_purpose purpose, uint32_t rank, uint64_t step)
{
  RH_ASSERT(step < ((uint64_t)1 << 56) && (unsigned)purpose < 256);
  rh_rng rng = {.key = {(uint32_t)seed, (uint32_t)(seed >> 32)},
                .counter = {0, (uint32_t)step, rank, (uint32_t)purpose << 24 | (uint32_t)(step >> 32)},
                .used = 4};
  return rng;
}

/* One block, for callers that take number by number. */
static void next_block(rh_rng *rng)
{
  uint32_t c[4] = {rng->counter[0]++, rng->counter[1], rng->counter[2], rng->counter[3]};
  uint32_t k[2] = {rng->key[0], rng->key[1]};
  for (int round = 0; round < ROUNDS; round++) {
    const uint64_t p = c[0] * multiplier[0], q = c[2] * multiplier[1];
    c[0] = (uint32_t)(q >> 32) ^ c[1] ^ k[0];
    c[1] = (uint32_t)q;
    c[2] = (uint32_t)(p >> 32) ^ c[3] ^ k[1];
    c[3] = (uint32_t)p;
    k[0] += growth[0];
    k[1] += growth[1];
  }
  memcpy(rng->block, c, sizeof c);
  rng->used = 0;
}

uint32_t rh_rng_u32(rh_rng *rng)
{
  if (rng->used == 4) next_block(rng);
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
    for (int round = 0; round < ROUNDS; round++) {
      uint64_t p = (c0 & UINT32_MAX) * multiplier[0], q = (c2 & UINT32_MAX) * multiplier[1];
      c0 = (q >> 32) ^ c1 ^ k0;
      c1 = q;
      c2 = (p >> 32) ^ c3 ^ k1;
      c3 = p;
      k0 += growth[0];
      k1 += growth[1];
    }
    x[4 * b] = (uint32_t)c0;
    x[4 * b + 1] = (uint32_t)c1;
    x[4 * b + 2] = (uint32_t)c2;
    x[4 * b + 3] = (uint32_t)c3;
  }
}

#if defined(__x86_64__) && !defined(RH_SANITIZED)
/* The same for AVX2, four blocks at a time, by hand: the compiler makes three products of each 64-bit one where
 * AVX-512's is missing, though one is enough, since the upper halves do not count. Returns how many blocks it made. */
__attribute__((target("avx2"))) static int64_t make_blocks_avx2(const uint32_t key[2], const uint32_t first[4],
                                                                int64_t count, word *x)
{
  const __m256i m0 = _mm256_set1_epi64x((int64_t)multiplier[0]), m1 = _mm256_set1_epi64x((int64_t)multiplier[1]);
  int64_t b = 0;
  for (; b + 4 <= count; b += 4) {
    __m256i c0 =
        _mm256_add_epi32(_mm256_set1_epi32((int)(first[0] + (uint32_t)b)), _mm256_setr_epi32(0, 0, 1, 0, 2, 0, 3, 0));
    __m256i c1 = _mm256_set1_epi32((int)first[1]), c2 = _mm256_set1_epi32((int)first[2]);
    __m256i c3 = _mm256_set1_epi32((int)first[3]);
    uint32_t k0 = key[0], k1 = key[1];
#pragma GCC unroll 10
    for (int round = 0; round < ROUNDS; round++) {
      const __m256i p = _mm256_mul_epu32(c0, m0), q = _mm256_mul_epu32(c2, m1);
      c0 = _mm256_srli_epi64(q, 32) ^ c1 ^ _mm256_set1_epi32((int)k0);
      c1 = q;
      c2 = _mm256_srli_epi64(p, 32) ^ c3 ^ _mm256_set1_epi32((int)k1);
      c3 = p;
      k0 += growth[0];
      k1 += growth[1];
    }
    /* numbers 0 and 1 of a block side by side, then 2 and 3, then blocks in order */
    const __m256i low = _mm256_blend_epi32(c0, _mm256_slli_epi64(c1, 32), 0xAA);
    const __m256i high = _mm256_blend_epi32(c2, _mm256_slli_epi64(c3, 32), 0xAA);
    const __m256i even = _mm256_unpacklo_epi64(low, high), odd = _mm256_unpackhi_epi64(low, high);
    _mm256_storeu_si256((__m256i *)(x + 4 * b), _mm256_permute2x128_si256(even, odd, 0x20));
    _mm256_storeu_si256((__m256i *)(x + 4 * b + 8), _mm256_permute2x128_si256(even, odd, 0x31));
  }
  return b;
}

/* As many of the blocks as there is a better way for than make_blocks. */
static int64_t make_first_blocks(const uint32_t key[2], const uint32_t first[4], int64_t count, word *x)
{
  if (!__builtin_cpu_supports("avx2") || __builtin_cpu_supports("avx512dq")) return 0;
  return make_blocks_avx2(key, first, count, x);
}
#else
static int64_t make_first_blocks(const uint32_t key[2], const uint32_t first[4], int64_t count, word *x)
{
  (void)key;
  (void)first;
  (void)count;
  (void)x;
  return 0;
}
#endif

static void fill(rh_rng *rng, word *x, int64_t n)
{
  int64_t i = 0;
  while (i < n && rng->used < 4)
    x[i++] = rng->block[rng->used++];
  const int64_t blocks = (n - i) / 4, made = make_first_blocks(rng->key, rng->counter, blocks, x + i);
  rng->counter[0] += (uint32_t)made;
  make_blocks(rng->key, rng->counter, blocks - made, x + i + 4 * made);
  rng->counter[0] += (uint32_t)(blocks - made);
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
