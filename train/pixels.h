/* Samples as bytes, as data sets hold them, and the values that networks see: (byte / 255 - mean) / deviation, in f32.
 * A batch stays bytes until a layer needs values (rh_workspace_set_pixels).
 */
#ifndef RH_PIXELS_H
#define RH_PIXELS_H

#include <stdbool.h>
#include <stdint.h>

/* Some samples of a data set. */
typedef struct rh_pixels {
  const uint8_t *bytes;   /* [samples][size]; borrowed */
  const int32_t *indices; /* which of them, in order; borrowed */
  int64_t size;           /* of a sample */
  float mean, deviation;
} rh_pixels;

static inline const uint8_t *rh_pixels_row(const rh_pixels *pixels, int64_t n)
{
  return pixels->bytes + pixels->indices[n] * pixels->size;
}

/* The values of the first n samples, to x [n][size]. */
void rh_pixels_values(const rh_pixels *pixels, int64_t n, float *x);

/* Whether calculating them with AVX-512, as pixels_avx512.h does, gives the same bits, and the processor has it. */
bool rh_pixels_calculated(const rh_pixels *pixels);

#endif
