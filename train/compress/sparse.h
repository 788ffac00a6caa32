/* What sparsifiers share: which values are taken, and the messages that carry them.
 *
 * Symbols     d values of a section, k of them taken
 * A section is a piece of the vector that k is counted in: one weight or bias tensor, or all of them together.
 * Magnitudes are compared as the 31 low bits of the f32, which order as the magnitudes do, with infinity above all
 * numbers and NaN above infinity: what is not finite is always among the largest and stays visible.
 */
#ifndef RH_SPARSE_H
#define RH_SPARSE_H

#include <string.h>

#include "compressor.h"
#include "index.h"

enum rh_sparse_scope { RH_SPARSE_LAYER, RH_SPARSE_GLOBAL };

/* The option `scope` of a compressor whose options are a `type` with an int `scope`. */
#define RH_SPARSE_SCOPE_ROW(type)                                                                                      \
  {                                                                                                                    \
    .name = "scope", .kind = RH_OPTION_CHOICE, .offset = offsetof(type, scope), .fallback = "layer",                   \
    .choices = "layer global",                                                                                         \
    .help = "what the share is taken of: each weight or bias tensor, or all of a message's together"                   \
  }

/* The sections of a layout as a layout; borrows from it. */
rh_layout rh_sparse_sections(const rh_layout *layout, int scope);
/* k = max(1, floor(d ratio)), 0 of nothing. 0 < ratio <= 1 */
int64_t rh_sparse_count(double ratio, int64_t d);
/* The smallest k / d of the sections; 1 without any. */
double rh_sparse_smallest_share(const rh_layout *sections, double ratio);
/* Bytes of one index for each value of the longest section: scratch of selection and of messages. */
int64_t rh_sparse_scratch_bytes(const rh_layout *sections);

static inline uint32_t rh_sparse_magnitude(float x)
{
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits & 0x7FFFFFFF;
}

/* Indices of the k values of largest magnitude, the first of equals, ascending. O(d) whatever the values are.
 *
 * index       [d]; the first k are the result, the others scratch
 * source      radix selection: Knuth, The Art of Computer Programming 3, 5.2.5; Alabi et al., Fast k-selection
 *             algorithms for graphics processing units, ACM JEA 17, 2012
 */
void rh_sparse_largest(const float *x, int64_t d, int64_t k, uint32_t *index);

/* Indices [returned] of the values whose magnitude bits are `floor` or more, ascending. index [d] */
int64_t rh_sparse_above(const float *x, int64_t d, uint32_t floor, uint32_t *index);

/* A section's part of a message: the indices, then the values as f32. */
int64_t rh_sparse_bound(rh_index_layout layout, int64_t d, int64_t k); /* of k or fewer values */
/* Writes x at indices [k], and returns the end. */
uint8_t *rh_sparse_write(rh_index_layout layout, int64_t d, const float *x, const uint32_t *index, int64_t k,
                         uint8_t *wire);
/* Fills x [d], zeros included, and returns the end. index: scratch [k] */
const uint8_t *rh_sparse_read(rh_index_layout layout, int64_t d, const uint8_t *wire, int64_t k, uint32_t *index,
                              float *x);

/* Whole messages with k = rh_sparse_count(ratio, d) for each section: the longest, and the reading of one, which
 * returns its length. index: scratch [longest k] */
int64_t rh_sparse_share_bound(rh_index_layout layout, const rh_layout *sections, double ratio);
int64_t rh_sparse_share_read(rh_index_layout layout, const rh_layout *sections, double ratio, const uint8_t *wire,
                             uint32_t *index, float *x);

/* values[j] = x[index[j]], and the reverse, into zeros. k > 0; values need not be aligned. */
void rh_sparse_gather(const float *x, const uint32_t *index, int64_t k, uint8_t *values);
void rh_sparse_scatter(int64_t d, const uint8_t *values, const uint32_t *index, int64_t k, float *x);

#endif
