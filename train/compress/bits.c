#include "bits.h"

#include <string.h>

#include "clones.h"
#include "status.h"

/* Eight codes, one a byte, are moved together by halves: pairs of bytes to 2b bits, pairs of those to 4b, then to 8b.
 * No tables, no branches; with b known the compiler makes vectors of it. Bytes are read as little-endian words. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first code is in the low byte");

/* The result is in the low 8b bits; above them anything. */
RH_INLINE uint64_t squeeze(uint64_t w, int b)
{
  if (b <= 4) { /* what is moved lands beside what stays, not on it: one mask serves both */
    w = (w | w >> (8 - b)) & ((1ULL << 2 * b) - 1) * 0x0001000100010001;
    w = (w | w >> (16 - 2 * b)) & ((1ULL << 4 * b) - 1) * 0x0000000100000001;
    return w | w >> (32 - 4 * b);
  }
  w = (w & 0x00FF00FF00FF00FF) | (w & 0xFF00FF00FF00FF00) >> (8 - b);
  w = (w & 0x0000FFFF0000FFFF) | (w & 0xFFFF0000FFFF0000) >> (16 - 2 * b);
  return (w & 0x00000000FFFFFFFF) | w >> 32 << 4 * b;
}

RH_INLINE uint64_t spread(uint64_t w, int b)
{
  const uint64_t low4 = (1ULL << 4 * b) - 1, low2 = ((1ULL << 2 * b) - 1) * 0x0000000100000001,
                 low1 = ((1ULL << b) - 1) * 0x0001000100010001;
  w = (w & low4) | (w << (32 - 4 * b) & low4 << 32);
  w = (w & low2) | (w << (16 - 2 * b) & low2 << 16);
  return (w & low1) | (w << (8 - b) & low1 << 8);
}

/* Words at any address. */
typedef uint16_t word2 __attribute__((may_alias, aligned(1)));
typedef uint32_t word4 __attribute__((may_alias, aligned(1)));
typedef uint64_t word8 __attribute__((may_alias, aligned(1)));

/* Widths of 1, 2 and 4 bits make words of as many bytes. */
RH_INLINE void pack_words(const uint8_t *restrict codes, int64_t groups, int b, uint8_t *restrict wire)
{
  const word8 *from = (const word8 *)codes;
  for (int64_t g = 0; g < groups; g++) {
    const uint64_t w = squeeze(from[g], b);
    if (b == 1)
      wire[g] = (uint8_t)w;
    else if (b == 2)
      ((word2 *)wire)[g] = (uint16_t)w;
    else
      ((word4 *)wire)[g] = (uint32_t)w;
  }
}

RH_INLINE void unpack_words(const uint8_t *restrict wire, int64_t groups, int b, uint8_t *restrict codes)
{
  word8 *to = (word8 *)codes;
  for (int64_t g = 0; g < groups; g++)
    to[g] = spread(b == 1 ? wire[g] : b == 2 ? ((const word2 *)wire)[g] : ((const word4 *)wire)[g], b);
}

/* Other widths pass through an array of words, so that the moving of bits is done in vectors: of each word the low b
 * bytes count. Two words at a time, those bytes are brought together, or apart, in one shuffle; what is stored beyond
 * them is written over next. The last words, beyond which there may be nothing, are copied one by one. */
enum { RUN = 64 };

typedef uint8_t pair __attribute__((vector_size(16)));

RH_INLINE pair shuffled(pair x, pair places)
{
#ifdef __clang__ /* has only shuffles whose places are constants of the language */
  pair y = x;
  for (int i = 0; i < 16; i++)
    y[i] = x[places[i]];
  return y;
#else
  return __builtin_shuffle(x, places);
#endif
}

/* The last of n words that, with the next, may be moved as 16 bytes: `left` words of b bytes are in the stream. */
RH_INLINE int64_t last_pair(int64_t n, int64_t left, int b)
{
  const int64_t last = left - (16 + b - 1) / b;
  return last < n - 2 ? last : n - 2;
}

RH_INLINE void pack_bytes(const uint8_t *restrict codes, int64_t groups, int b, uint8_t *restrict wire)
{
  const word8 *from = (const word8 *)codes;
  uint64_t run[RUN];
  pair together;
  for (int i = 0; i < 16; i++)
    together[i] = (uint8_t)(i < b ? i : i < 2 * b ? 8 + i - b : 0);
  for (int64_t first = 0; first < groups; first += RUN) {
    const int64_t left = groups - first, n = left < RUN ? left : RUN, last = last_pair(n, left, b);
    for (int64_t k = 0; k < n; k++)
      run[k] = squeeze(from[first + k], b);
    int64_t k = 0;
#pragma GCC unroll 8
    for (; k <= last; k += 2) {
      pair two;
      memcpy(&two, &run[k], 16);
      two = shuffled(two, together);
      memcpy(wire + b * (first + k), &two, 16);
    }
    for (; k < n; k++)
      memcpy(wire + b * (first + k), &run[k], (size_t)b);
  }
}

RH_INLINE void unpack_bytes(const uint8_t *restrict wire, int64_t groups, int b, uint8_t *restrict codes)
{
  word8 *to = (word8 *)codes;
  uint64_t run[RUN];
  pair apart;
  for (int i = 0; i < 16; i++)
    apart[i] = (uint8_t)(i < 8 ? i : b + i - 8); /* bytes b to 7 of a word hold others' bits, which `spread` leaves */
  for (int64_t first = 0; first < groups; first += RUN) {
    const int64_t left = groups - first, n = left < RUN ? left : RUN, last = last_pair(n, left, b);
    int64_t k = 0;
#pragma GCC unroll 8
    for (; k <= last; k += 2) {
      pair two;
      memcpy(&two, wire + b * (first + k), 16);
      two = shuffled(two, apart);
      memcpy(&run[k], &two, 16);
    }
    for (; k < n; k++) {
      run[k] = 0;
      memcpy(&run[k], wire + b * (first + k), (size_t)b);
    }
    for (k = 0; k < n; k++)
      to[first + k] = spread(run[k], b);
  }
}

/* A loop for each width, since only a known width is fast. */
#define RH_WIDTHS(words, bytes, from, groups, bits, to)                                                                \
  switch (bits) {                                                                                                      \
  case 1:                                                                                                              \
    words(from, groups, 1, to);                                                                                        \
    break;                                                                                                             \
  case 2:                                                                                                              \
    words(from, groups, 2, to);                                                                                        \
    break;                                                                                                             \
  case 3:                                                                                                              \
    bytes(from, groups, 3, to);                                                                                        \
    break;                                                                                                             \
  case 4:                                                                                                              \
    words(from, groups, 4, to);                                                                                        \
    break;                                                                                                             \
  case 5:                                                                                                              \
    bytes(from, groups, 5, to);                                                                                        \
    break;                                                                                                             \
  case 6:                                                                                                              \
    bytes(from, groups, 6, to);                                                                                        \
    break;                                                                                                             \
  case 7:                                                                                                              \
    bytes(from, groups, 7, to);                                                                                        \
    break;                                                                                                             \
  default:                                                                                                             \
    memcpy(to, from, (size_t)(8 * (groups)));                                                                          \
  }

RH_CLONES static void pack_all(const uint8_t *codes, int64_t groups, int bits,
                               uint8_t *wire){RH_WIDTHS(pack_words, pack_bytes, codes, groups, bits, wire)}

RH_CLONES static void unpack_all(const uint8_t *wire, int64_t groups, int bits, uint8_t *codes)
{
  RH_WIDTHS(unpack_words, unpack_bytes, wire, groups, bits, codes)
}

void rh_bits_pack(const uint8_t *codes, int64_t n, int bits, uint8_t *wire)
{
  RH_ASSERT(bits >= 1 && bits <= 8);
  const int64_t groups = n / 8, rest = n % 8;
  pack_all(codes, groups, bits, wire);
  if (rest == 0) return;
  uint64_t w = 0;
  memcpy(&w, codes + 8 * groups, (size_t)rest);
  w = bits == 8 ? w : squeeze(w, bits);
  memcpy(wire + bits * groups, &w, (size_t)rh_bits_bytes(rest, bits));
}

void rh_bits_unpack(const uint8_t *wire, int64_t n, int bits, uint8_t *codes)
{
  RH_ASSERT(bits >= 1 && bits <= 8);
  const int64_t groups = n / 8, rest = n % 8;
  unpack_all(wire, groups, bits, codes);
  if (rest == 0) return;
  uint64_t w = 0;
  memcpy(&w, wire + bits * groups, (size_t)rh_bits_bytes(rest, bits));
  w = bits == 8 ? w : spread(w, bits);
  memcpy(codes + 8 * groups, &w, (size_t)rest);
}
