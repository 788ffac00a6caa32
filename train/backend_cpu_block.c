/* A convolution, its rectifier and max pooling over squares of two as one operation, for AVX-512: the forward pass.
 *
 * A vector holds 8 output channels of two neighbouring places, the columns of a square:
 *
 *   lanes 0-7    place (r, c)          sum over i, ky, kx of w[o][i][ky][kx] x[i][r + ky][c + kx]
 *   lanes 8-15   place (r, c + 1)      the same with x[i][r + ky][c + 1 + kx]
 *
 * so that both take value x[i][r + ky][c + k] times (w[kx = k], w[kx = k - 1]), k = 0 .. 5, where weights beyond the
 * kernel are 0. The image is read as it lies; what a square's four places come to is compared in registers, and only
 * the largest is written, with its place. The backward pass is in backend_cpu_block_back.c.
 *
 * Symbols      I input and O output channels, P squares of an output plane, K = 5
 */
#include <string.h>

#include "backend_cpu_block.h"

#ifdef RH_HAS_AVX512

enum { PAIRS = KERNEL + 1, BLOCK_TAPS = KERNEL * PAIRS };

rh_block_layout rh_block_lay_out(const rh_conv *c)
{
  rh_block_layout l = {.rows = (c->height - KERNEL + 1) / 2, .columns = (c->width - KERNEL + 1) / 2};
  const int64_t in_blocks = rh_blocks(c->in_channels), out_blocks = rh_blocks(c->out_channels);
  l.plane = c->height * c->width;
  l.squares = l.rows * l.columns;
  l.pitch = rh_block_round_up(l.squares);
  l.pooled = out_blocks * c->in_channels * BLOCK_TAPS * RH_LANES;
  l.codes = l.pooled + l.pitch * CHANNELS;
  const int64_t forward = l.codes + l.pitch * CHANNELS;
  l.at_patch = c->out_channels * l.pitch;
  l.at_table = l.at_patch + c->out_channels * l.pitch;
  l.corner = l.at_table + c->out_channels * l.pitch;
  l.image = l.corner + l.pitch;
  l.dx = l.image + rh_block_round_up((in_blocks * l.plane + RH_LANES) * CHANNELS);
  l.sums = l.dx + rh_block_round_up((l.plane + RH_LANES) * CHANNELS);
  l.table = l.sums + c->out_channels * in_blocks * SUM_SIZE;
  const int64_t backward = l.table + in_blocks * c->out_channels * TABLE_SIZE + RH_LANES;
  l.size = forward > backward ? forward : backward;
  return l;
}

int64_t rh_cpu_block_scratch(const rh_conv *c)
{
  const bool fits = c->kernel == KERNEL && c->height > KERNEL && c->width > KERNEL &&
                    c->out_channels <= RH_BLOCK_OUTPUTS && c->in_channels <= 64 && c->height * c->width < 1 << 20;
  if (!fits || rh_blas_kernel_vector() != RH_VECTOR_AVX512) return -1;
  return rh_block_lay_out(c).size;
}

/* w [O][I][K K] as [block of 8 outputs][I][K][6][16]; zeros beyond O. */
static void pack(const rh_conv *c, const float *w, float *packed)
{
  const int64_t rows = c->in_channels * KERNEL;
  memset(packed, 0, (size_t)(rh_blocks(c->out_channels) * rows * PAIRS * RH_LANES) * sizeof *packed);
  for (int64_t o = 0; o < c->out_channels; o++)
    for (int64_t row = 0; row < rows; row++) {
      float *to = packed + ((o / CHANNELS * rows + row) * PAIRS) * RH_LANES + o % CHANNELS;
      for (int64_t k = 0; k < KERNEL; k++)
        to[k * RH_LANES] = to[(k + 1) * RH_LANES + CHANNELS] = w[(o * rows + row) * KERNEL + k];
    }
}

/* The largest of a square's four places, rectified, for 8 channels; its place in row-major order, the first of
 * several, or RH_BLOCK_DEAD where it is not above 0. NaN is never lost. */
RH_AVX512_INLINE void pool_square(__m512 upper, __m512 lower, float *pooled, int32_t *code)
{
  const __m256 a = _mm512_castps512_ps256(upper), b = _mm512_extractf32x8_ps(upper, 1);
  const __m256 c = _mm512_castps512_ps256(lower), d = _mm512_extractf32x8_ps(lower, 1);
  const __m256 best = _mm256_max_ps(_mm256_max_ps(a, b), _mm256_max_ps(c, d));
  __m256i place = _mm256_set1_epi32(3);
  place = _mm256_mask_mov_epi32(place, _mm256_cmp_ps_mask(c, best, _CMP_EQ_OQ), _mm256_set1_epi32(2));
  place = _mm256_mask_mov_epi32(place, _mm256_cmp_ps_mask(b, best, _CMP_EQ_OQ), _mm256_set1_epi32(1));
  place = _mm256_mask_mov_epi32(place, _mm256_cmp_ps_mask(a, best, _CMP_EQ_OQ), _mm256_setzero_si256());
  const __mmask8 nan = _mm256_cmp_ps_mask(a, b, _CMP_UNORD_Q) | _mm256_cmp_ps_mask(c, d, _CMP_UNORD_Q);
  const __m256 y =
      _mm256_mask_add_ps(_mm256_max_ps(_mm256_setzero_ps(), best), nan, _mm256_add_ps(a, b), _mm256_add_ps(c, d));
  const __mmask8 alive = _mm256_cmp_ps_mask(y, _mm256_setzero_ps(), _CMP_GT_OQ);
  _mm256_storeu_ps(pooled, y);
  _mm256_storeu_si256((__m256i_u *)code, _mm256_mask_mov_epi32(_mm256_set1_epi32(RH_BLOCK_DEAD), alive, place));
}

/* What a block of squares is computed from, and where it goes. */
typedef struct squares {
  const rh_conv *c;
  const float *x;       /* of an image: the first square's first value */
  const float *weights; /* of 8 output channels: [I][K][6][16] */
  __m512 start;         /* their biases, twice */
  int64_t columns;      /* squares of a row of the output */
  float *pooled;        /* [squares][8], of the first */
  int32_t *codes;       /* likewise */
} squares;

/* `rows` x n squares. */
RH_AVX512_INLINE void pool_block(int rows, int n, const squares *s)
{
  enum { MOST_ROWS = 4, MOST = 6 };
  const int64_t width = s->c->width;
  const float *weights = s->weights;
  __m512 sum[MOST_ROWS][MOST];
#pragma GCC unroll 4
  for (int r = 0; r < 2 * rows; r++)
#pragma GCC unroll 6
    for (int t = 0; t < n; t++)
      sum[r][t] = s->start;
  for (int64_t i = 0; i < s->c->in_channels; i++) {
    const float *from = s->x + i * s->c->height * width;
    for (int ky = 0; ky < KERNEL; ky++, from += width, weights += PAIRS * RH_LANES) {
      __m512 weight[PAIRS];
      const float *row[MOST_ROWS];
#pragma GCC unroll 6
      for (int k = 0; k < PAIRS; k++)
        weight[k] = _mm512_loadu_ps(weights + k * RH_LANES);
#pragma GCC unroll 4
      for (int r = 0; r < 2 * rows; r++) {
        row[r] = from + r * width;
        __asm__("" : "+r"(row[r])); /* else gcc keeps an address for each value, more than there are registers */
      }
#pragma GCC unroll 16
      for (int q = 0; q < 2 * n + PAIRS - 2; q++)
#pragma GCC unroll 4
        for (int r = 0; r < 2 * rows; r++) {
          const __m512 value = _mm512_set1_ps(row[r][q]);
#pragma GCC unroll 6
          for (int t = 0; t < n; t++)
            if (q >= 2 * t && q < 2 * t + PAIRS) sum[r][t] = _mm512_fmadd_ps(value, weight[q - 2 * t], sum[r][t]);
        }
    }
  }
#pragma GCC unroll 2
  for (int r = 0; r < rows; r++)
#pragma GCC unroll 6
    for (int t = 0; t < n; t++) {
      const int64_t at = (r * s->columns + t) * CHANNELS;
      pool_square(sum[2 * r][t], sum[2 * r + 1][t], s->pooled + at, s->codes + at);
    }
}

/* All squares of one image for 8 output channels. */
RH_AVX512 static void pool_image(const rh_block_layout *l, const squares *all)
{
  for (int64_t column = 0, n; column < l->columns; column += n) {
    const int64_t left = l->columns - column;
    n = left >= 6 ? 6 : left >= 4 ? 4 : left >= 2 ? 2 : 1;
    for (int64_t row = 0, rows; row < l->rows; row += rows) {
      rows = n < 6 && row + 1 < l->rows ? 2 : 1;
      squares s = *all;
      const int64_t at = (row * l->columns + column) * CHANNELS;
      s.x += 2 * (row * s.c->width + column);
      s.pooled += at;
      s.codes += at;
      switch (n + rows) { /* n is even, or 1 */
      case 7:
        pool_block(1, 6, &s);
        break;
      case 6:
        pool_block(2, 4, &s);
        break;
      case 5:
        pool_block(1, 4, &s);
        break;
      case 4:
        pool_block(2, 2, &s);
        break;
      case 3:
        n == 2 ? pool_block(1, 2, &s) : pool_block(2, 1, &s);
        break;
      default:
        pool_block(1, 1, &s);
      }
    }
  }
}

/* [squares][8] to planes of the first `outputs` channels: y in f32, codes a byte each. */
RH_AVX512 static void write_planes(const rh_block_layout *l, int64_t outputs, const float *pooled, const int32_t *codes,
                                   float *y, uint8_t *places)
{
  for (int64_t p = 0; p < l->squares; p += RH_LANES) {
    const __mmask16 mask = rh_first_lanes(l->squares - p);
    __m512 value[CHANNELS], code[CHANNELS];
    rh_planes_of_places(pooled + p * CHANNELS, value);
    rh_planes_of_places((const float *)(const void *)(codes + p * CHANNELS), code);
    for (int64_t o = 0; o < outputs; o++) {
      _mm512_mask_storeu_ps(y + o * l->squares + p, mask, value[o]);
      _mm512_mask_cvtepi32_storeu_epi8(places + o * l->squares + p, mask, _mm512_castps_si512(code[o]));
    }
  }
}

RH_AVX512 static void forward(const rh_conv *c, const float *x, const float *w, const float *b, float *y,
                              uint8_t *places, float *scratch)
{
  const rh_block_layout l = rh_block_lay_out(c);
  const int64_t taps = c->in_channels * BLOCK_TAPS * RH_LANES, in_size = c->in_channels * l.plane;
  float *const pooled = scratch + l.pooled;
  int32_t *const codes = (int32_t *)(void *)(scratch + l.codes);
  pack(c, w, scratch);
  memset(pooled, 0, (size_t)(2 * l.pitch * CHANNELS) * sizeof *pooled); /* beyond the squares that there are, too */
  for (int64_t n = 0; n < c->batch; n++)
    for (int64_t o = 0; o < c->out_channels; o += CHANNELS) {
      const int64_t outputs = c->out_channels - o < CHANNELS ? c->out_channels - o : CHANNELS;
      const int64_t at = (n * c->out_channels + o) * l.squares;
      const __m256 bias = _mm256_maskz_loadu_ps((__mmask8)((1U << outputs) - 1), b + o);
      const squares all = {.c = c,
                           .x = x + n * in_size,
                           .weights = scratch + o / CHANNELS * taps,
                           .start = _mm512_insertf32x8(_mm512_castps256_ps512(bias), bias, 1),
                           .columns = l.columns,
                           .pooled = pooled,
                           .codes = codes};
      pool_image(&l, &all);
      write_planes(&l, outputs, pooled, codes, y + at, places + at);
    }
}

void rh_cpu_block_forward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor b, rh_tensor y,
                          rh_tensor places, rh_tensor scratch)
{
  for (int64_t r = 0; r < count; r++)
    forward(c, x.data + r * x.stride, w.data + r * w.stride, b.data + r * b.stride, y.data + r * y.stride,
            (uint8_t *)(places.data + r * places.stride), scratch.data + r * scratch.stride);
}
#else /* elsewhere the three are operations of their own */
int64_t rh_cpu_block_scratch(const rh_conv *c)
{
  (void)c;
  return -1;
}

void rh_cpu_block_forward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor b, rh_tensor y,
                          rh_tensor places, rh_tensor scratch)
{
  (void)c, (void)count, (void)x, (void)w, (void)b, (void)y, (void)places, (void)scratch;
  RH_ASSERT(false);
}
#endif
