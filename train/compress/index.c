#include "index.h"

#include <string.h>

#include "clones.h"
#include "status.h"

enum { U16_BLOCK = 65536, WIDTHS = 32 };

/* Blocks but the last, whose counts are written. */
static int64_t counted_blocks(int64_t d)
{
  return d > 0 ? (d - 1) / U16_BLOCK : 0;
}

static int64_t rice_bytes(int64_t bits)
{
  return 1 + (bits + 7) / 8;
}

RH_CLONES static int64_t gap_quotients(const uint32_t *index, int64_t k, int w)
{
  uint64_t sum = k > 0 ? index[0] >> w : 0;
  for (int64_t j = 1; j < k; j++)
    sum += (index[j] - index[j - 1] - 1) >> w;
  return (int64_t)sum;
}

/* The width that gives the fewest bits. A step from w to w + 1 adds k and takes away sum ceil(floor(g / 2^w) / 2),
 * which falls with w: bits are convex in w, and the first minimum on a way down is the least. */
static int best_width(int64_t d, const uint32_t *index, int64_t k, int64_t *bits)
{
  int w = 0;
  while (w + 1 < WIDTHS && k << (w + 1) <= d)
    w++; /* floor(log2(d / k)), whose bits are near the bound */
  w = k > 0 ? w : 0;
  *bits = k * (w + 1) + gap_quotients(index, k, w);
  for (int step = -1; step <= 1; step += 2)
    for (; w + step >= 0 && w + step < WIDTHS; w += step) {
      const int64_t other = k * (w + step + 1) + gap_quotients(index, k, w + step);
      if (other >= *bits) break;
      *bits = other;
    }
  return w;
}

static int64_t packed_bound(int64_t d, int64_t k)
{
  int64_t least = INT64_MAX;
  for (int w = 0; w < WIDTHS; w++) {
    const int64_t bits = k * (w + 1) + ((d - k) >> w);
    least = bits < least ? bits : least;
  }
  return rice_bytes(least);
}

/* Lengths that d and k alone give; `packed` is not one of them. */
static int64_t plain_bytes(rh_index_layout layout, int64_t d, int64_t k)
{
  if (layout == RH_INDEX_U32) return 4 * k;
  if (layout == RH_INDEX_U16) return 2 * k + 4 * counted_blocks(d);
  RH_ASSERT(layout == RH_INDEX_BITMAP);
  return (d + 7) / 8;
}

int64_t rh_index_bound(rh_index_layout layout, int64_t d, int64_t k)
{
  RH_ASSERT(k >= 0 && k <= d && d <= UINT32_MAX);
  if (layout == RH_INDEX_PACKED) return packed_bound(d, k);
  if (layout != RH_INDEX_AUTO) return plain_bytes(layout, d, k);
  int64_t least = packed_bound(d, k);
  for (rh_index_layout l = RH_INDEX_U32; l <= RH_INDEX_BITMAP; l++)
    least = plain_bytes(l, d, k) < least ? plain_bytes(l, d, k) : least;
  return 1 + least;
}

/* The shortest layout of these indices, the first of equals. */
static rh_index_layout shortest(int64_t d, const uint32_t *index, int64_t k, int64_t *bytes)
{
  rh_index_layout best = RH_INDEX_U32;
  for (rh_index_layout l = RH_INDEX_U16; l <= RH_INDEX_BITMAP; l++)
    best = plain_bytes(l, d, k) < plain_bytes(best, d, k) ? l : best;
  *bytes = plain_bytes(best, d, k);
  /* w = 0 takes a bit for each place up to the last index, and others two for each index at least */
  int64_t bits = k > 0 && index[k - 1] + 1 < 2 * k ? index[k - 1] + 1 : 2 * k;
  if (rice_bytes(bits) >= *bytes) return best;
  best_width(d, index, k, &bits);
  if (rice_bytes(bits) >= *bytes) return best;
  *bytes = rice_bytes(bits);
  return RH_INDEX_PACKED;
}

int64_t rh_index_bytes(rh_index_layout layout, int64_t d, const uint32_t *index, int64_t k)
{
  int64_t bytes;
  if (layout == RH_INDEX_AUTO) {
    shortest(d, index, k, &bytes);
    return 1 + bytes;
  }
  if (layout != RH_INDEX_PACKED) return plain_bytes(layout, d, k);
  best_width(d, index, k, &bytes);
  return rice_bytes(bytes);
}

static void encode_u16(int64_t d, const uint32_t *index, int64_t k, uint8_t *wire)
{
  uint8_t *at = wire + 4 * counted_blocks(d);
  for (int64_t j = 0, block = 0; j < k || block < counted_blocks(d); block++) {
    const int64_t first = j;
    for (; j < k && index[j] / U16_BLOCK == block; j++, at += 2)
      memcpy(at, &(uint16_t){(uint16_t)(index[j] % U16_BLOCK)}, 2);
    if (block < counted_blocks(d)) memcpy(wire + 4 * block, &(uint32_t){(uint32_t)(j - first)}, 4);
  }
}

static void decode_u16(int64_t d, const uint8_t *wire, int64_t k, uint32_t *index)
{
  const uint8_t *at = wire + 4 * counted_blocks(d);
  for (int64_t j = 0, block = 0; j < k; block++) {
    uint32_t count = (uint32_t)(k - j);
    if (block < counted_blocks(d)) memcpy(&count, wire + 4 * block, 4);
    RH_ASSERT(count <= k - j);
    for (uint32_t n = 0; n < count; n++, j++, at += 2) {
      uint16_t offset;
      memcpy(&offset, at, 2);
      index[j] = (uint32_t)(block * U16_BLOCK + offset);
    }
  }
}

static void encode_bitmap(int64_t d, const uint32_t *index, int64_t k, uint8_t *wire)
{
  memset(wire, 0, (size_t)(d + 7) / 8);
  for (int64_t j = 0; j < k;) {
    if (index[j] % 8 == 0 && rh_index_run(index, j, k)) {
      memset(wire + index[j] / 8, 0xFF, RH_INDEX_RUN / 8);
      j += RH_INDEX_RUN;
    } else {
      wire[index[j] / 8] |= (uint8_t)(1U << index[j] % 8);
      j++;
    }
  }
}

static void decode_bitmap(int64_t d, const uint8_t *wire, int64_t k, uint32_t *index)
{
  int64_t j = 0;
  for (int64_t byte = 0; byte < (d + 7) / 8; byte += 8) {
    uint64_t word = 0;
    const int64_t left = (d + 7) / 8 - byte;
    memcpy(&word, wire + byte, left < 8 ? (size_t)left : 8);
    if (word == UINT64_MAX) {
      for (int n = 0; n < 64; n++)
        index[j + n] = (uint32_t)(8 * byte + n);
      j += 64;
      continue;
    }
    for (; word; word &= word - 1)
      index[j++] = (uint32_t)(8 * byte + __builtin_ctzll(word));
  }
  RH_ASSERT(j == k);
}

/* Bits on their way to or from the wire: the next one is the lowest of `word`. */
typedef struct stream {
  uint64_t word;
  int held;
} stream;

static uint8_t *flush(stream *s, uint8_t *at)
{
  for (; s->held >= 8; s->held -= 8, s->word >>= 8)
    *at++ = (uint8_t)s->word;
  return at;
}

static int64_t encode_packed(int64_t d, const uint32_t *index, int64_t k, uint8_t *wire)
{
  int64_t bits;
  const int w = best_width(d, index, k, &bits);
  uint8_t *at = wire;
  *at++ = (uint8_t)w;
  stream s = {0};
  uint32_t next = 0;
  for (int64_t j = 0; j < k; j++) {
    const uint32_t gap = index[j] - next;
    next = index[j] + 1;
    uint32_t zeros = gap >> w;
    for (; zeros >= 24; zeros -= 24) {
      s.held += 24;
      at = flush(&s, at);
    }
    /* under 8 bits are held: with 24 more and a gap's low bits, at most 7 + 24 + 32 */
    s.word |= (uint64_t)(((uint64_t)gap & ((1ULL << w) - 1)) << 1 | 1) << (s.held + (int)zeros);
    s.held += (int)zeros + 1 + w;
    at = flush(&s, at);
  }
  if (s.held > 0) *at++ = (uint8_t)s.word;
  RH_ASSERT(at - wire == rice_bytes(bits));
  return at - wire;
}

static int64_t decode_packed(const uint8_t *wire, int64_t k, uint32_t *index)
{
  const uint8_t *at = wire;
  const int w = *at++;
  stream s = {0};
  uint32_t next = 0;
  for (int64_t j = 0; j < k; j++) {
    uint32_t gap = 0;
    while (s.word == 0) { /* all that is held are zeros of this gap */
      gap += (uint32_t)s.held;
      s = (stream){.word = *at++, .held = 8};
    }
    const int zeros = __builtin_ctzll(s.word);
    gap = (gap + (uint32_t)zeros) << w;
    s.word >>= zeros + 1;
    s.held -= zeros + 1;
    for (; s.held < w; s.held += 8)
      s.word |= (uint64_t)*at++ << s.held;
    gap |= (uint32_t)(s.word & ((1ULL << w) - 1));
    s.word >>= w;
    s.held -= w;
    index[j] = next + gap;
    next = index[j] + 1;
  }
  return at - wire;
}

int64_t rh_index_encode(rh_index_layout layout, int64_t d, const uint32_t *index, int64_t k, uint8_t *wire)
{
  int64_t bytes;
  switch (layout) {
  case RH_INDEX_AUTO:
    *wire = (uint8_t)shortest(d, index, k, &bytes);
    return 1 + rh_index_encode((rh_index_layout)*wire, d, index, k, wire + 1);
  case RH_INDEX_U32:
    memcpy(wire, index, (size_t)k * sizeof *index);
    break;
  case RH_INDEX_U16:
    encode_u16(d, index, k, wire);
    break;
  case RH_INDEX_BITMAP:
    encode_bitmap(d, index, k, wire);
    break;
  case RH_INDEX_PACKED:
    return encode_packed(d, index, k, wire);
  }
  return plain_bytes(layout, d, k);
}

int64_t rh_index_decode(rh_index_layout layout, int64_t d, const uint8_t *wire, int64_t k, uint32_t *index)
{
  switch (layout) {
  case RH_INDEX_AUTO:
    RH_ASSERT(*wire >= RH_INDEX_U32 && *wire <= RH_INDEX_PACKED);
    return 1 + rh_index_decode((rh_index_layout)*wire, d, wire + 1, k, index);
  case RH_INDEX_U32:
    memcpy(index, wire, (size_t)k * sizeof *index);
    break;
  case RH_INDEX_U16:
    decode_u16(d, wire, k, index);
    break;
  case RH_INDEX_BITMAP:
    decode_bitmap(d, wire, k, index);
    break;
  case RH_INDEX_PACKED:
    return decode_packed(wire, k, index);
  }
  return plain_bytes(layout, d, k);
}
