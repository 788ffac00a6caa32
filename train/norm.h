/* What all backends must agree on about norm layers: the small constant, and how Range-EvoNorm cuts a group.
 *
 * The n values of a group are cut into 16 chunks, neighbours in memory (channel, row, column); where 16 does not divide
 * n their lengths differ by one, so that no value is left out; a group of fewer than 32 values has n / 2 chunks, since
 * the range of one value says nothing. M = n / chunks need not be whole.
 * Source      chunks and factor: Banner et al., Scalable methods for 8-bit training, NeurIPS 2018 (Range BN)
 */
#ifndef RH_NORM_H
#define RH_NORM_H

#include <math.h>
#include <stdint.h>

#define RH_NORM_EPSILON 1e-5 /* Liu et al. 2020; beside the variance, or beside the scale that stands for its root */

enum { RH_NORM_CHUNKS = 16 }; /* at most */

/* Chunks of a group of n >= 2 values. */
static inline int64_t rh_norm_chunks(int64_t n)
{
  return n < 2 * RH_NORM_CHUNKS ? n / 2 : (int64_t)RH_NORM_CHUNKS;
}

/* First value of chunk k; that of chunk `chunks` is n. */
static inline int64_t rh_norm_chunk(int64_t n, int64_t k)
{
  return k * n / rh_norm_chunks(n);
}

/* sigma / (mean maximum - mean minimum) of a group: about one over the expected range, in standard deviations, of M
 * normal values. */
static inline double rh_norm_range_factor(int64_t n)
{
  const double pi = 3.14159265358979323846, chunk = (double)n / (double)rh_norm_chunks(n);
  return 0.175 * (1 + sqrt(pi * log(4))) / sqrt(2 * log(chunk));
}

#endif
