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

/* Selection. A histogram of the 11 top bits of the magnitude (exponent and 3 bits) names the bin of the k-th largest;
 * a second pass takes the indices of that bin and of all above; what is left, the order within that bin, is settled on
 * those few by their 20 low bits, 10 at a time.
 *
 * Most values are far below the k-th largest. From a sample, a magnitude is guessed that somewhat more than k values
 * reach; blocks without any are skipped at the speed of reading. A wrong guess is seen, since fewer than k are then
 * counted, and costs a second count: the result never depends on it. */
enum { BLOCK = 32, SHIFT = 20, BINS = 1 << (31 - SHIFT), DIGIT = 10, SAMPLE = 2048 };

RH_INLINE bool block_reaches(const float *x, uint32_t floor)
{
  uint32_t any = 0;
  for (int i = 0; i < BLOCK; i++)
    any |= (int32_t)rh_sparse_magnitude(x[i]) >= (int32_t)floor;
  return any;
}

/* Counts of bins; those below `floor`, the bottom of a bin, are not complete. */
RH_CLONES static void count_bins(const float *x, int64_t d, uint32_t floor, uint32_t *count)
{
  uint32_t other[BINS] = {0}; /* neighbours are often of one bin: two counters do not wait for each other */
  memset(count, 0, BINS * sizeof *count);
  int64_t i = 0;
  for (; i + BLOCK <= d; i += BLOCK) {
    if (floor > 0 && !block_reaches(x + i, floor)) continue;
    for (int j = 0; j < BLOCK; j += 2) {
      count[rh_sparse_magnitude(x[i + j]) >> SHIFT]++;
      other[rh_sparse_magnitude(x[i + j + 1]) >> SHIFT]++;
    }
  }
  for (; i < d; i++)
    count[rh_sparse_magnitude(x[i]) >> SHIFT]++;
  for (int b = 0; b < BINS; b++)
    count[b] += other[b];
}

/* The bin, from the top, in which the k-th value is, and how many of the k are above it; -1 if fewer than k are in bins
 * `lowest` and above. */
static int64_t bin_of(const uint32_t *count, int64_t bins, int64_t lowest, int64_t k, int64_t *above)
{
  *above = 0;
  for (int64_t b = bins - 1; b >= lowest; b--) {
    if (*above + count[b] >= k) return b;
    *above += count[b];
  }
  return -1;
}

/* The bottom of a bin that somewhat more than k values reach, as far as a sample tells; 0 where that is most bins. */
static uint32_t guess_floor(const float *x, int64_t d, int64_t k)
{
  if (d < 8 * SAMPLE || k > d / 16) return 0;
  uint32_t count[BINS] = {0};
  for (int64_t s = 0, stride = d / SAMPLE; s < SAMPLE; s++)
    count[rh_sparse_magnitude(x[s * stride]) >> SHIFT]++;
  int64_t above, enough = k * SAMPLE / d; /* plus 4 standard deviations of a sample's count */
  enough += 4 * (int64_t)sqrt((double)enough) + 4;
  return (uint32_t)bin_of(count, BINS, 0, enough, &above) << SHIFT;
}

RH_CLONES int64_t rh_sparse_above(const float *x, int64_t d, uint32_t floor, uint32_t *index)
{
  int64_t n = 0, i = 0;
  for (; i + BLOCK <= d; i += BLOCK) {
    if (!block_reaches(x + i, floor)) continue;
    for (int j = 0; j < BLOCK; j++) {
      index[n] = (uint32_t)(i + j); /* n <= i + j < d */
      n += rh_sparse_magnitude(x[i + j]) >= floor;
    }
  }
  for (; i < d; i++)
    if (rh_sparse_magnitude(x[i]) >= floor) index[n++] = (uint32_t)i;
  return n;
}

/* The magnitude of the k-th largest of bin `prefix` among x at index [n]; *take of those that equal it are wanted. */
static uint32_t kth_of_bin(const float *x, const uint32_t *index, int64_t n, uint32_t prefix, int64_t k, int64_t *take)
{
  enum { DIGITS = 1 << DIGIT };
  for (int shift = SHIFT - DIGIT; shift >= 0; shift -= DIGIT) {
    uint32_t count[DIGITS] = {0};
    for (int64_t j = 0; j < n; j++) {
      const uint32_t m = rh_sparse_magnitude(x[index[j]]);
      if (m >> (shift + DIGIT) == prefix) count[m >> shift & (DIGITS - 1)]++;
    }
    int64_t above;
    prefix = prefix << DIGIT | (uint32_t)bin_of(count, DIGITS, 0, k, &above);
    k -= above;
  }
  *take = k;
  return prefix;
}

void rh_sparse_largest(const float *x, int64_t d, int64_t k, uint32_t *index)
{
  RH_ASSERT(k > 0 && k <= d && d <= UINT32_MAX);
  uint32_t count[BINS], floor = guess_floor(x, d, k);
  int64_t above, bin, take;
  count_bins(x, d, floor, count);
  bin = bin_of(count, BINS, floor >> SHIFT, k, &above);
  if (bin < 0) {
    count_bins(x, d, 0, count);
    bin = bin_of(count, BINS, 0, k, &above);
  }
  const int64_t n = rh_sparse_above(x, d, (uint32_t)bin << SHIFT, index);
  const uint32_t kth = kth_of_bin(x, index, n, (uint32_t)bin, k - above, &take);
  int64_t kept = 0;
  for (int64_t j = 0; j < n; j++) {
    const uint32_t i = index[j], m = rh_sparse_magnitude(x[i]);
    if (m < kth || (m == kth && take-- <= 0)) continue;
    index[kept++] = i;
  }
  RH_ASSERT(kept == k);
}

void rh_sparse_gather(const float *x, const uint32_t *index, int64_t k, uint8_t *values)
{
  for (int64_t j = 0; j < k; j++)
    memcpy(values + 4 * j, x + index[j], 4);
}

void rh_sparse_scatter(int64_t d, const uint8_t *values, const uint32_t *index, int64_t k, float *x)
{
  memset(x, 0, (size_t)d * sizeof *x);
  for (int64_t j = 0; j < k; j++)
    memcpy(x + index[j], values + 4 * j, 4);
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
