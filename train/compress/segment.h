/* What quantisers ask of a segment before they quantise it: one pass, the same bits on every machine. */
#ifndef RH_SEGMENT_H
#define RH_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "compressor.h"

enum { RH_BLOCK = 512 }; /* values worked on at once: draws, codes and values stay in the first-level cache */

/* Smallest and largest value of x [n], n > 0. False, and nothing is set, if a value is not finite. */
bool rh_segment_range(const float *x, int64_t n, float *lo, float *hi);

/* Sum of squares in f64. */
double rh_segment_squares(const float *x, int64_t n);

/* The same, and the largest magnitude: NaN or infinite if a value is. */
typedef struct rh_magnitudes {
  double squares;
  float largest;
} rh_magnitudes;
rh_magnitudes rh_segment_magnitudes(const float *x, int64_t n);

/* Sum of magnitudes in f64. */
double rh_segment_absolute(const float *x, int64_t n);

/* A power of two, within f32's normal range, that brings `size` > 0 near 1: quotients of very small and very large
 * values stay in range. */
float rh_segment_power(double size);

/* Length of the longest segment; 0 without any. */
int64_t rh_segment_longest(const rh_layout *layout);

/* Length of a message with `head` bytes and `bits` bits a value for each segment that is not empty. */
int64_t rh_segment_bytes(const rh_layout *layout, int64_t head, int64_t bits);

#endif
