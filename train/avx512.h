/* What the cpu backend's own kernels for AVX-512 share: lanes, and sums across them. For backend_cpu_*.c alone, inside
 * RH_HAS_AVX512.
 *
 * A file with such kernels says when they fit, and only where OpenBLAS's kernel is one for AVX-512, too: that kernel's
 * name then stands for the bits of both.
 */
#ifndef RH_AVX512_H
#define RH_AVX512_H

#if defined(__x86_64__) && defined(__GNUC__)
#define RH_HAS_AVX512 1
#include <immintrin.h>
#include <stdint.h>

#define RH_AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma")))
/* Of kernels whose register blocks are known when they are compiled. */
#define RH_AVX512_INLINE static inline __attribute__((always_inline, target("avx512f,avx512bw,avx512dq,avx512vl,fma")))

/* A value that is loaded once, into a register, where the compiler would load it again for each use: two loads a cycle
 * are what there is, and as many products. */
#define RH_KEEP(vector) __asm__("" : "+v"(vector))

enum { RH_LANES = 16 };

/* The first n lanes, of those that there are. */
RH_AVX512_INLINE __mmask16 rh_first_lanes(int64_t n)
{
  return (__mmask16)(n >= RH_LANES ? 0xffff : (1U << n) - 1);
}

/* 16 rows of 16 values, the columns become the rows: four rounds, each exchanging halves of pairs of rows. */
RH_AVX512_INLINE void rh_turn(__m512 row[RH_LANES])
{
  __m512 other[RH_LANES];
#pragma GCC unroll 8
  for (int r = 0; r < RH_LANES; r += 2) {
    other[r] = _mm512_unpacklo_ps(row[r], row[r + 1]);
    other[r + 1] = _mm512_unpackhi_ps(row[r], row[r + 1]);
  }
#pragma GCC unroll 4
  for (int r = 0; r < RH_LANES; r += 4) {
    row[r] = _mm512_shuffle_ps(other[r], other[r + 2], 0x44);
    row[r + 1] = _mm512_shuffle_ps(other[r], other[r + 2], 0xee);
    row[r + 2] = _mm512_shuffle_ps(other[r + 1], other[r + 3], 0x44);
    row[r + 3] = _mm512_shuffle_ps(other[r + 1], other[r + 3], 0xee);
  }
#pragma GCC unroll 4
  for (int r = 0; r < 4; r++) {
    other[r] = _mm512_shuffle_f32x4(row[r], row[r + 4], 0x88);
    other[r + 4] = _mm512_shuffle_f32x4(row[r], row[r + 4], 0xdd);
    other[r + 8] = _mm512_shuffle_f32x4(row[r + 8], row[r + 12], 0x88);
    other[r + 12] = _mm512_shuffle_f32x4(row[r + 8], row[r + 12], 0xdd);
  }
#pragma GCC unroll 4
  for (int r = 0; r < 4; r++) {
    row[r] = _mm512_shuffle_f32x4(other[r], other[r + 8], 0x88);
    row[r + 8] = _mm512_shuffle_f32x4(other[r], other[r + 8], 0xdd);
    row[r + 4] = _mm512_shuffle_f32x4(other[r + 4], other[r + 12], 0x88);
    row[r + 12] = _mm512_shuffle_f32x4(other[r + 4], other[r + 12], 0xdd);
  }
}

/* Lane r of the result, r < rows: the sum of row r's 16 lanes. Each round adds pairs of rows, of which half as many
 * remain; those of none are left out. */
RH_AVX512_INLINE __m512 rh_sums_of_rows(int rows, const __m512 row[RH_LANES])
{
  const __m512 none = _mm512_setzero_ps();
  __m512 pair[8], four[4];
#pragma GCC unroll 8
  for (int r = 0; r < 8; r++) /* lanes of a quarter: row 2r, 2r+1, 2r, 2r+1 */
    pair[r] = 2 * r >= rows ? none
                            : _mm512_add_ps(_mm512_unpacklo_ps(row[2 * r], row[2 * r + 1]),
                                            _mm512_unpackhi_ps(row[2 * r], row[2 * r + 1]));
#pragma GCC unroll 4
  for (int r = 0; r < 4; r++) /* row 4r .. 4r+3 */
    four[r] = 4 * r >= rows ? none
                            : _mm512_add_ps(_mm512_shuffle_ps(pair[2 * r], pair[2 * r + 1], 0x44),
                                            _mm512_shuffle_ps(pair[2 * r], pair[2 * r + 1], 0xee));
  const __m512 low = _mm512_add_ps(_mm512_shuffle_f32x4(four[0], four[1], 0x88), /* quarters of rows 0-3, 4-7 */
                                   _mm512_shuffle_f32x4(four[0], four[1], 0xdd));
  const __m512 high =
      _mm512_add_ps(_mm512_shuffle_f32x4(four[2], four[3], 0x88), _mm512_shuffle_f32x4(four[2], four[3], 0xdd));
  return _mm512_add_ps(_mm512_shuffle_f32x4(low, high, 0x88), _mm512_shuffle_f32x4(low, high, 0xdd));
}
#endif
#endif
