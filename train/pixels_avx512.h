/* Values of pixels (pixels.h) by AVX-512, 16 at a time. There are 256 of them, so a table could have them all;
 * calculating is cheaper than looking up:
 *
 *   b / 255         in base 256 is .bbbb..., the byte again and again. Rounded to the nearest it is its first four
 *                   digits rounded up: of the 24 bits that stay, the rest begins with the byte's leading 1
 *   x / deviation   is x r + x s, where r + s is 1 / deviation to twice the digits, which gives the rounded quotient
 *                   but in rare cases: rh_pixels_calculated says whether a mean and a deviation have one
 */
#ifndef RH_PIXELS_AVX512_H
#define RH_PIXELS_AVX512_H

#include "avx512.h"
#include "pixels.h"

#ifdef RH_HAS_AVX512
/* What calculating takes. */
typedef struct rh_normaliser {
  __m512i four_times; /* the places of 16 bytes, four times each */
  __m512 unit, mean;  /* 2^-32; the mean's negative */
  __m512 high, low;   /* 1 / deviation as a sum of two values */
} rh_normaliser;

RH_AVX512_INLINE rh_normaliser rh_normaliser_of(const rh_pixels *pixels)
{
  const float high = 1 / pixels->deviation;
  return (rh_normaliser){
      .four_times = _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                                       _mm512_set1_epi32(0x01010101)),
      .unit = _mm512_set1_ps(0x1p-32F),
      .mean = _mm512_set1_ps(-pixels->mean),
      .high = _mm512_set1_ps(high),
      .low = _mm512_set1_ps((float)(1 / (double)pixels->deviation - (double)high)),
  };
}

RH_AVX512_INLINE __m512 rh_normalise(__m128i bytes, const rh_normaliser *n)
{
  const __m512i digits = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(bytes), n->four_times);
  const __m512 quotient = _mm512_cvt_roundepu32_ps(digits, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
  const __m512 x = _mm512_fmadd_ps(quotient, n->unit, n->mean); /* the product is exact */
  return _mm512_fmadd_ps(x, n->high, _mm512_mul_ps(x, n->low));
}
#endif
#endif
