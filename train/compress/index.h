/* Index layouts: which k of d places a sparse message fills.
 *
 * Symbols     d places, k indices i_0 < i_1 < ... < d, gaps g_0 = i_0 and g_j = i_j - i_(j-1) - 1
 * Neither d nor k is in these bytes: both sides know d, and the message says k where it is not a constant.
 *
 *     u32       4 k                                     as they are
 *     u16       2 k + 4 (ceil(d / 65536) - 1)           offsets within blocks of 65,536 places; u32 counts of the
 *                                                       indices in each block but the last go before
 *     bitmap    ceil(d / 8)                             one bit a place, least significant first
 *     packed    1 + ceil((k (w + 1) + sum_j floor(g_j / 2^w)) / 8)
 *                                                       a byte with w, then a Rice code for each gap: floor(g / 2^w)
 *                                                       zeros, a one, the low w bits of g; least significant first.
 *                                                       w is the one that gives the fewest bits
 *     auto      1 + the shortest of these               a byte with its number (enum below), then it
 *
 * The gaps add up to at most d - k, so `packed` takes at most 1 + ceil(min_w (k (w + 1) + floor((d - k) / 2^w)) / 8),
 * with w = floor(log2(d / k)) about 2 + log2(d / k) bits an index. No bound falls when k grows.
 * Source      Rice, Plaunt, Adaptive variable-length coding, IEEE Trans. Commun. 19(6), 1971
 */
#ifndef RH_INDEX_H
#define RH_INDEX_H

#include "code.h"
#include "option.h"

#define RH_INDEX_WIRE                                                                                                  \
  "indices of k among d places: u32 4 k; u16 2 k + 4 (ceil(d / 65536) - 1); bitmap ceil(d / 8); packed at most "       \
  "1 + ceil((k (w + 1) + floor((d - k) / 2^w)) / 8) for the best w; auto 1 + the shortest of them"

/* The option `index` of a compressor whose options are a `type` with an int `index`. */
#define RH_INDEX_ROW(type)                                                                                             \
  {                                                                                                                    \
    .name = "index", .kind = RH_OPTION_CHOICE, .offset = offsetof(type, index), .fallback = "auto",                    \
    .choices = "auto u32 u16 bitmap packed", .help = "how indices are written; auto: the shortest for each message"    \
  }

/* Whether indices j to j + RH_INDEX_RUN - 1 of [k] are there and follow each other without a gap: where nearly all
 * places are filled, values are copied and bits are set by the run. */
enum { RH_INDEX_RUN = 32 };
static inline bool rh_index_run(const uint32_t *index, int64_t j, int64_t k)
{
  return j + RH_INDEX_RUN <= k && index[j + RH_INDEX_RUN - 1] - index[j] == RH_INDEX_RUN - 1;
}

/* Whether the length follows from d and k alone. */
static inline bool rh_index_is_fixed(rh_index_layout layout)
{
  return layout == RH_INDEX_U32 || layout == RH_INDEX_U16 || layout == RH_INDEX_BITMAP;
}

/* Longest length for any `k` or fewer indices. 0 <= k <= d < 2^32 */
int64_t rh_index_bound(rh_index_layout layout, int64_t d, int64_t k);

/* Length of these ascending indices [k]. */
int64_t rh_index_bytes(rh_index_layout layout, int64_t d, const uint32_t *index, int64_t k);

/* Writes ascending indices [k] and returns the length, rh_index_bytes. */
int64_t rh_index_encode(rh_index_layout layout, int64_t d, const uint32_t *index, int64_t k, uint8_t *wire);

/* Reads what rh_index_encode wrote with the same layout, d and k; returns the length. */
int64_t rh_index_decode(rh_index_layout layout, int64_t d, const uint8_t *wire, int64_t k, uint32_t *index);

#endif
