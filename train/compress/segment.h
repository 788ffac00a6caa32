/* What quantisers ask of a segment before they quantise it: one pass, the same bits on every machine. */
#ifndef RH_SEGMENT_H
#define RH_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "compressor.h"
#include "dither.h"

/* Values worked on at once, so that they and their codes stay in the first-level cache, and the least of them: loops
 * over whole groups need no remainders. */
enum { RH_BLOCK = 1024, RH_GROUP = 64 };

/* The n <= RH_BLOCK values at x, times a power of two, for a loop over whole groups: x itself, or, where there is
 * something to multiply or the last group is not whole, a copy in `room` that repeats the first value. *whole: n
 * rounded up to groups. */
const float *rh_segment_groups(const float *x, int64_t n, float power, float room[RH_BLOCK], int64_t *whole);

/* Sum of squares, to 2^-20 of itself at worst and a few 2^-24 as a rule. NaN or infinite if a value is. */
double rh_segment_squares(const float *x, int64_t n);

/* The same, and the largest magnitude: NaN or infinite if a value is. */
typedef struct rh_magnitudes {
  double squares;
  float largest;
} rh_magnitudes;
rh_magnitudes rh_segment_magnitudes(const float *x, int64_t n);

/* Sum of magnitudes in f64. */
double rh_segment_absolute(const float *x, int64_t n);

/* A power of two that brings `size` > 0 near 1 if it is very small or large, so that its quotients stay in range; 1 for
 * sizes from 2^-96 to 2^96, whose do. */
float rh_segment_power(double size);

/* Length of the longest segment; 0 without any. */
int64_t rh_segment_longest(const rh_layout *layout);

/* A message of segments, one after the other: what one of them, of n > 0 values, adds to `wire`; returns its end.
 * dither: NULL where nothing is drawn. And the values that it had. */
typedef uint8_t *rh_segment_encode(const void *options, const float *v, int64_t n, rh_dither *dither, uint8_t *wire);
typedef const uint8_t *rh_segment_decode(const void *options, const uint8_t *wire, int64_t n, float *v);

/* The whole message, of segments that are not empty: returns its length; asserts that it has wire_bytes. */
int64_t rh_segments_encode(rh_coding *coding, const float *x, rh_segment_encode *encode, rh_dither *dither,
                           uint8_t *wire);
void rh_segments_decode(rh_coding *coding, const uint8_t *wire, int64_t wire_bytes, rh_segment_decode *decode,
                        float *x);

/* Length of a message with `head` bytes and `bits` bits a value for each segment that is not empty. */
int64_t rh_segment_bytes(const rh_layout *layout, int64_t head, int64_t bits);

#endif
