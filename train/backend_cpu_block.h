/* What the two passes of a convolution with its rectifier and pooling share: the scratch, and turning places into
 * planes. For backend_cpu_block*.c alone. */
#ifndef RH_BACKEND_CPU_BLOCK_H
#define RH_BACKEND_CPU_BLOCK_H

#include "avx512.h"
#include "backend_cpu.h"
#include "blas_kernel.h"

#ifdef RH_HAS_AVX512

enum {
  CHANNELS = 8,
  KERNEL = 5,
  RH_BLOCK_OUTPUTS = 64,                 /* most output channels */
  RH_BLOCK_DEAD = 4,                     /* code of a square through which no gradient flows */
  SUM_SIZE = KERNEL * 3 * RH_LANES,      /* of a weight's gradients of 8 input channels: [K][48], 40 used */
  TABLE_ROW = 6 * CHANNELS,              /* places of a row of weights for dx: the kernel's 5 and a 0 before or after */
  TABLE_SIDE = (KERNEL + 2) * TABLE_ROW, /* rows: 0, the kernel's 5, 0 */
  TABLE_SIZE = 2 * TABLE_SIDE            /* for squares' left columns and for their right ones */
};

/* Sizes of a convolution, and the parts of the scratch of one replica, in elements from its start. */
typedef struct rh_block_layout {
  int64_t rows, columns, squares;     /* of an output plane after pooling */
  int64_t plane;                      /* places of an input plane */
  int64_t pitch;                      /* squares, rounded up to whole vectors */
  int64_t pooled, codes;              /* forward: packed weights, then these two [pitch][8] */
  int64_t at_patch, at_table, corner; /* backward: gradients [O][pitch], then these three, the last [pitch] */
  int64_t image, dx;                  /* places of an image in blocks of 8 channels; the same of one block of dx */
  int64_t sums, table;                /* [O][blocks][SUM_SIZE]; [blocks][O][TABLE_SIZE] */
  int64_t size;
} rh_block_layout;
rh_block_layout rh_block_lay_out(const rh_conv *c);

static inline int64_t rh_block_round_up(int64_t n)
{
  return (n + RH_LANES - 1) / RH_LANES * RH_LANES;
}

/* Blocks of 8 channels. */
static inline int64_t rh_blocks(int64_t channels)
{
  return (channels + CHANNELS - 1) / CHANNELS;
}

/* Four rows' quarters of 4 x 4 values, turned each. */
RH_AVX512_INLINE void rh_turn_quarters(__m512 row[4])
{
  const __m512 a = _mm512_unpacklo_ps(row[0], row[1]), b = _mm512_unpackhi_ps(row[0], row[1]);
  const __m512 c = _mm512_unpacklo_ps(row[2], row[3]), d = _mm512_unpackhi_ps(row[2], row[3]);
  row[0] = _mm512_shuffle_ps(a, c, 0x44);
  row[1] = _mm512_shuffle_ps(a, c, 0xee);
  row[2] = _mm512_shuffle_ps(b, d, 0x44);
  row[3] = _mm512_shuffle_ps(b, d, 0xee);
}

/* [16 places][8 channels] to 8 planes of 16 places. */
RH_AVX512_INLINE void rh_planes_of_places(const float *from, __m512 plane[CHANNELS])
{
  __m512 row[CHANNELS]; /* places r and r + 8 */
  const __m512i even = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13), odd = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
#pragma GCC unroll 8
  for (int r = 0; r < CHANNELS; r++)
    row[r] = _mm512_insertf32x8(_mm512_castps256_ps512(_mm256_loadu_ps(from + r * CHANNELS)),
                                _mm256_loadu_ps(from + (r + CHANNELS) * CHANNELS), 1);
  rh_turn_quarters(row);
  rh_turn_quarters(row + 4);
#pragma GCC unroll 4
  for (int k = 0; k < 4; k++) { /* quarters: channels k and k + 4 of four places, and of those 8 further on */
    const __m512d low = _mm512_castps_pd(row[k]), high = _mm512_castps_pd(row[k + 4]);
    plane[k] = _mm512_castpd_ps(_mm512_permutex2var_pd(low, even, high));
    plane[k + 4] = _mm512_castpd_ps(_mm512_permutex2var_pd(low, odd, high));
  }
}

/* 8 planes of 16 places to [16 places][8 channels]. */
RH_AVX512_INLINE void rh_places_of_planes(__m512 plane[CHANNELS], float *to)
{
  const __m512i near = _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), far = _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15);
  rh_turn_quarters(plane);
  rh_turn_quarters(plane + 4);
#pragma GCC unroll 4
  for (int j = 0; j < 4; j++) { /* quarter q: channels 0-3, or 4-7, of place 4 q + j */
    const __m512d low = _mm512_castps_pd(plane[j]), high = _mm512_castps_pd(plane[j + 4]);
    const __m512 first = _mm512_castpd_ps(_mm512_permutex2var_pd(low, near, high));
    const __m512 last = _mm512_castpd_ps(_mm512_permutex2var_pd(low, far, high));
    _mm256_storeu_ps(to + j * CHANNELS, _mm512_castps512_ps256(first));
    _mm256_storeu_ps(to + (4 + j) * CHANNELS, _mm512_extractf32x8_ps(first, 1));
    _mm256_storeu_ps(to + (8 + j) * CHANNELS, _mm512_castps512_ps256(last));
    _mm256_storeu_ps(to + (12 + j) * CHANNELS, _mm512_extractf32x8_ps(last, 1));
  }
}
#endif
#endif
