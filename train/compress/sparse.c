#include "sparse.h"

#include <math.h>

#include "clones.h"

rh_layout rh_sparse_sections(const rh_layout *layout, int scope)
{
  if (scope == RH_SPARSE_LAYER) return *layout;
  return (rh_layout){1, &layout->values, &layout->values, layout->values};
}

int64_t rh_sparse_count(double ratio, int64_t d)
{
  const int64_t k = (int64_t)((double)d * ratio);
  return k > 0 || d == 0 ? k : 1;
}

double rh_sparse_smallest_share(const rh_layout *sections, double ratio)
{
  double least = 1;
  for (int32_t s = 0; s < sections->count; s++)
    if (sections->length[s] > 0)
      least = fmin(least, (double)rh_sparse_count(ratio, sections->length[s]) / (double)sections->length[s]);
  return least;
}

int64_t rh_sparse_scratch_bytes(const rh_layout *sections)
{
  int64_t longest = 0;
  for (int32_t s = 0; s < sections->count; s++)
    longest = sections->length[s] > longest ? sections->length[s] : longest;
  return longest * (int64_t)sizeof(uint32_t);
}

/* Selection. From a sample, a magnitude is guessed that somewhat more than k values reach; one scan at the speed of
 * reading takes their indices. Among those few the k-th largest is found digit by digit, from the top: 11 bits
 * (exponent and 3 bits), then 10 and 10. A wrong guess is seen, since fewer than k are then taken, and all values are
 * looked at: the result never depends on it. */
enum { BLOCK = 64, DENSE = 16, FEW = 4, TOP = 20, BINS = 1 << (31 - TOP), DIGIT = 10, SAMPLE = 2048 };

/* Bit j of 64: flag [j], 0 or 1. *total: how many are 1. */
RH_INLINE uint64_t bits_of(const uint8_t flag[BLOCK], uint64_t *total)
{
  uint64_t word[BLOCK / 8], sums = 0, bits = 0;
  memcpy(word, flag, BLOCK);
  for (int w = 0; w < BLOCK / 8; w++) {
    sums += word[w];                                     /* byte by byte, 8 at most */
    bits |= word[w] * 0x0102040810204080 >> 56 << 8 * w; /* the product's top byte has byte b's flag at bit b */
  }
  *total = sums * 0x0101010101010101 >> 56;
  return bits;
}

RH_CLONES int64_t rh_sparse_above(const float *x, int64_t d, uint32_t floor, uint32_t *index)
{
  int64_t n = 0, i = 0;
  for (; i + BLOCK <= d; i += BLOCK) {
    uint8_t flag[BLOCK];
    uint64_t total;
    for (int j = 0; j < BLOCK; j++)
      flag[j] = (int32_t)rh_sparse_magnitude(x[i + j]) >= (int32_t)floor;
    uint64_t bits = bits_of(flag, &total);
    if (total == 0) continue;
    if (total == BLOCK) {
      for (int j = 0; j < BLOCK; j++)
        index[n + j] = (uint32_t)(i + j);
      n += BLOCK;
      continue;
    }
    if (total > DENSE) {
      for (int j = 0; j < BLOCK; j++) {
        index[n] = (uint32_t)(i + j); /* n <= i + j < d */
        n += flag[j];
      }
      continue;
    }
    /* a few are written whether they are there or not, since how many there are no processor foresees */
    uint32_t *at = index + n; /* n <= i, and i + FEW < d */
    for (int j = 0; j < FEW; j++, bits &= bits - 1)
      at[j] = (uint32_t)i + (bits ? (uint32_t)__builtin_ctzll(bits) : 0);
    for (at += FEW; bits; bits &= bits - 1)
      *at++ = (uint32_t)(i + __builtin_ctzll(bits));
    n += (int64_t)total;
  }
  for (; i < d; i++)
    if (rh_sparse_magnitude(x[i]) >= floor) index[n++] = (uint32_t)i;
  return n;
}

/* The bin, from bin `highest` down, in which the k-th value is; *above: how many are in higher ones. */
static uint32_t bin_of(const uint32_t *count, uint32_t highest, int64_t k, int64_t *above)
{
  uint32_t bin = highest;
  for (*above = 0; *above + count[bin] < k; bin--)
    *above += count[bin];
  return bin;
}

/* The bottom of a bin that somewhat more than k values reach, as far as a sample tells; 0 for all values. */
static uint32_t guess_floor(const float *x, int64_t d, int64_t k)
{
  const int64_t size = d / 8 < SAMPLE ? d / 8 : SAMPLE;
  int64_t above, enough = k * size / d;
  enough += 4 * (int64_t)sqrt((double)enough) + 4; /* 4 standard deviations of a sample's count, and a few */
  if (enough > size / 2) return 0;
  uint32_t count[BINS] = {0}, highest = 0;
  for (int64_t s = 0, stride = d / size; s < size; s++) {
    const uint32_t bin = rh_sparse_magnitude(x[s * stride]) >> TOP;
    count[bin]++;
    highest = bin > highest ? bin : highest;
  }
  return bin_of(count, highest, enough, &above) << TOP;
}

/* Keeps of index [n] those whose magnitude is `floor` or more. */
static int64_t keep_above(const float *x, uint32_t floor, uint32_t *index, int64_t n)
{
  int64_t kept = 0;
  for (int64_t j = 0; j < n; j++) {
    const uint32_t i = index[j];
    index[kept] = i;
    kept += rh_sparse_magnitude(x[i]) >= floor;
  }
  return kept;
}

/* The digit of `bits` bits at `shift` of the k-th largest of those at index [n] whose higher bits are `prefix`. */
static uint32_t digit_of(const float *x, const uint32_t *index, int64_t n, uint32_t prefix, int shift, int bits,
                         int64_t k, int64_t *above)
{
  uint32_t count[BINS] = {0}, highest = 0;
  for (int64_t j = 0; j < n; j++) {
    const uint32_t m = rh_sparse_magnitude(x[index[j]]) >> shift, digit = m & ((1U << bits) - 1);
    if (m >> bits != prefix) continue;
    count[digit]++;
    highest = digit > highest ? digit : highest;
  }
  return bin_of(count, highest, k, above);
}

void rh_sparse_largest(const float *x, int64_t d, int64_t k, uint32_t *index)
{
  RH_ASSERT(k > 0 && k <= d && d <= UINT32_MAX);
  int64_t above, n = rh_sparse_above(x, d, guess_floor(x, d, k), index);
  if (n < k) n = rh_sparse_above(x, d, 0, index);
  uint32_t kth = digit_of(x, index, n, 0, TOP, 31 - TOP, k, &above);
  int64_t take = k - above; /* of those that share the digits known so far */
  n = keep_above(x, kth << TOP, index, n);
  for (int shift = TOP - DIGIT; shift >= 0; shift -= DIGIT) {
    kth = kth << DIGIT | digit_of(x, index, n, kth, shift, DIGIT, take, &above);
    take -= above;
  }
  int64_t kept = 0;
  for (int64_t j = 0; j < n; j++) {
    const uint32_t i = index[j], m = rh_sparse_magnitude(x[i]);
    if (m > kth || (m == kth && take-- > 0)) index[kept++] = i;
  }
  RH_ASSERT(kept == k);
}

void rh_sparse_gather(const float *x, const uint32_t *index, int64_t k, uint8_t *values)
{
  for (int64_t j = 0; j < k;) {
    const int64_t n = rh_index_run(index, j, k) ? RH_INDEX_RUN : 1;
    memcpy(values + 4 * j, x + index[j], n == 1 ? 4 : 4 * RH_INDEX_RUN);
    j += n;
  }
}

void rh_sparse_scatter(int64_t d, const uint8_t *values, const uint32_t *index, int64_t k, float *x)
{
  if (k < d) memset(x, 0, (size_t)d * sizeof *x);
  for (int64_t j = 0; j < k;) {
    const int64_t n = rh_index_run(index, j, k) ? RH_INDEX_RUN : 1;
    memcpy(x + index[j], values + 4 * j, n == 1 ? 4 : 4 * RH_INDEX_RUN);
    j += n;
  }
}

int64_t rh_sparse_bound(rh_index_layout layout, int64_t d, int64_t k)
{
  return rh_index_bound(layout, d, k) + 4 * k;
}

uint8_t *rh_sparse_write(rh_index_layout layout, int64_t d, const float *x, const uint32_t *index, int64_t k,
                         uint8_t *wire)
{
  wire += rh_index_encode(layout, d, index, k, wire);
  rh_sparse_gather(x, index, k, wire);
  return wire + 4 * k;
}

const uint8_t *rh_sparse_read(rh_index_layout layout, int64_t d, const uint8_t *wire, int64_t k, uint32_t *index,
                              float *x)
{
  wire += rh_index_decode(layout, d, wire, k, index);
  rh_sparse_scatter(d, wire, index, k, x);
  return wire + 4 * k;
}

int64_t rh_sparse_share_bound(rh_index_layout layout, const rh_layout *sections, double ratio)
{
  int64_t bytes = 0;
  for (int32_t s = 0; s < sections->count; s++) {
    const int64_t d = sections->length[s];
    if (d > 0) bytes += rh_sparse_bound(layout, d, rh_sparse_count(ratio, d));
  }
  return bytes;
}

int64_t rh_sparse_share_read(rh_index_layout layout, const rh_layout *sections, double ratio, const uint8_t *wire,
                             uint32_t *index, float *x)
{
  const uint8_t *at = wire;
  for (int32_t s = 0; s < sections->count; s++) {
    const int64_t d = sections->length[s];
    if (d == 0) continue;
    at = rh_sparse_read(layout, d, at, rh_sparse_count(ratio, d), index, x);
    x += d;
  }
  return at - wire;
}
