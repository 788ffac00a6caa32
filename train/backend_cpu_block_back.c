/* The backward pass of a convolution with its rectifier and pooling (backend_cpu_block.c).
 *
 * Of a square's four places one has a gradient, or none: a quarter of the products of the convolution alone. The
 * place is known by its code, so it is an offset into what is multiplied:
 *
 *   weights   of an output channel: gradient g times the K x K patch of the image at the place. The image lies as
 *             [place][8 input channels], so that a row of a patch is 40 values: two vectors and a half
 *   input     of a square: 6 x 6 places of dx in registers, to which each output channel adds g times its weights, in
 * a table
 *             with zeros around them; where the square's place begins in it is an offset, too
 *
 * Values are fused multiply-adds in a fixed order, which depends on the shape alone.
 */
#include <string.h>

#include "backend_cpu_block.h"

#ifdef RH_HAS_AVX512

enum { SQUARE = KERNEL + 1, ROW = 3 * RH_LANES };

/* A call's parts of the scratch; layout as in the header. */
typedef struct parts {
  float *gradients;             /* [O][pitch], 0 where dead */
  int32_t *at_patch, *at_table; /* [O][pitch] */
  int32_t *corner;              /* [pitch] */
  float *image, *dx, *sums, *table;
} parts;

static int64_t least(int64_t a, int64_t b)
{
  return a < b ? a : b;
}

/* Where squares' first places lie in an image of 8 floats a place. */
static void find_corners(const rh_conv *c, const rh_block_layout *l, int32_t *corner)
{
  for (int64_t p = 0; p < l->pitch; p++) {
    const int64_t place = 2 * (p / l->columns) * c->width + 2 * (p % l->columns);
    corner[p] = p < l->squares ? (int32_t)place * CHANNELS : 0;
  }
}

/* Gradients of one image and where they belong; adds them to bias [O][16]. */
RH_AVX512 static void place_gradients(const rh_conv *c, const rh_block_layout *l, const float *dy,
                                      const uint8_t *places, const parts *s, float *bias)
{
  const int32_t width = (int32_t)c->width;
  for (int64_t p = 0; p < l->squares; p += RH_LANES) {
    const __m512i corner = _mm512_loadu_si512(s->corner + p);
    const __mmask16 mask = rh_first_lanes(l->squares - p);
    for (int64_t o = 0; o < c->out_channels; o++) {
      const int64_t from = o * l->squares + p, to = o * l->pitch + p;
      const __m512i code = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, places + from));
      const __mmask16 alive = _mm512_mask_cmplt_epi32_mask(mask, code, _mm512_set1_epi32(RH_BLOCK_DEAD));
      const __mmask16 right = _mm512_test_epi32_mask(code, _mm512_set1_epi32(1));
      const __mmask16 below = _mm512_test_epi32_mask(code, _mm512_set1_epi32(2));
      const __m512 g = _mm512_maskz_loadu_ps(alive, dy + from);
      __m512i patch = _mm512_mask_add_epi32(corner, right, corner, _mm512_set1_epi32(CHANNELS));
      patch = _mm512_mask_add_epi32(patch, below, patch, _mm512_set1_epi32(width * CHANNELS));
      __m512i at = _mm512_set1_epi32((int32_t)(o * TABLE_SIZE) + TABLE_ROW);
      at = _mm512_mask_add_epi32(at, right, at, _mm512_set1_epi32(TABLE_SIDE));
      at = _mm512_mask_sub_epi32(at, below, at, _mm512_set1_epi32(TABLE_ROW));
      _mm512_storeu_ps(s->gradients + to, g);
      _mm512_storeu_si512(s->at_patch + to, patch);
      _mm512_storeu_si512(s->at_table + to, at);
      _mm512_storeu_ps(bias + o * RH_LANES, _mm512_add_ps(_mm512_loadu_ps(bias + o * RH_LANES), g));
    }
  }
}

/* 8 rows of an image, a planes' `distance` apart of which `count` are there, to [plane][8]. */
RH_AVX512 static void turn_rows(int64_t count, int64_t n, const float *x, int64_t distance, float *image)
{
  for (int64_t p = 0; p < n; p += RH_LANES) {
    const __mmask16 mask = rh_first_lanes(n - p);
    __m512 plane[CHANNELS];
#pragma GCC unroll 8
    for (int64_t k = 0; k < CHANNELS; k++)
      plane[k] = k < count ? _mm512_maskz_loadu_ps(mask, x + k * distance + p) : _mm512_setzero_ps();
    rh_places_of_planes(plane, image + p * CHANNELS);
  }
}

/* x [I][plane] as blocks of [plane][8]. Of a single channel a place holds the K values below each other that begin with
 * its own, so that a patch is one row. */
static void turn_image(const rh_conv *c, const rh_block_layout *l, const float *x, float *image)
{
  if (c->in_channels == 1) turn_rows(KERNEL, l->plane - (KERNEL - 1) * c->width, x, c->width, image);
  for (int64_t i = 0; i < c->in_channels && c->in_channels > 1; i += CHANNELS, image += l->plane * CHANNELS)
    turn_rows(least(CHANNELS, c->in_channels - i), l->plane, x + i * l->plane, l->plane, image);
}

/* Adds to sums [K][48] what one image's squares give for an output channel and 8 input channels. */
RH_AVX512 static void weigh_eight(int64_t count, int64_t row, const float *g, const int32_t *at, const float *image,
                                  float *sums)
{
  __m512 low[KERNEL], middle[KERNEL];
  __m256 high[KERNEL];
#pragma GCC unroll 5
  for (int k = 0; k < KERNEL; k++) {
    low[k] = _mm512_loadu_ps(sums + k * ROW);
    middle[k] = _mm512_loadu_ps(sums + k * ROW + RH_LANES);
    high[k] = _mm256_loadu_ps(sums + k * ROW + 2 * RH_LANES);
  }
  for (int64_t p = 0; p < count; p++) {
    const __m512 factor = _mm512_set1_ps(g[p]);
    const float *from = image + at[p];
#pragma GCC unroll 5
    for (int k = 0; k < KERNEL; k++, from += row) {
      low[k] = _mm512_fmadd_ps(factor, _mm512_loadu_ps(from), low[k]);
      middle[k] = _mm512_fmadd_ps(factor, _mm512_loadu_ps(from + RH_LANES), middle[k]);
      high[k] = _mm256_fmadd_ps(_mm512_castps512_ps256(factor), _mm256_loadu_ps(from + 2 * RH_LANES), high[k]);
    }
  }
#pragma GCC unroll 5
  for (int k = 0; k < KERNEL; k++) {
    _mm512_storeu_ps(sums + k * ROW, low[k]);
    _mm512_storeu_ps(sums + k * ROW + RH_LANES, middle[k]);
    _mm256_storeu_ps(sums + k * ROW + 2 * RH_LANES, high[k]);
  }
}

/* The same of a single input channel, whose patches are one row. Two sums, of every other square, since one is a
 * chain of additions that wait for each other. */
RH_AVX512 static void weigh_one(int64_t count, const float *g, const int32_t *at, const float *image, float *sums)
{
  __m512 even[3], odd[3];
#pragma GCC unroll 3
  for (int v = 0; v < 3; v++) {
    even[v] = _mm512_loadu_ps(sums + v * RH_LANES);
    odd[v] = _mm512_loadu_ps(sums + ROW + v * RH_LANES);
  }
  for (int64_t p = 0; p < count; p += 2) { /* after the last one there is room, whose gradients are 0 */
    const __m512 first = _mm512_set1_ps(g[p]), second = _mm512_set1_ps(g[p + 1]);
    const float *from = image + at[p], *other = image + at[p + 1];
#pragma GCC unroll 3
    for (int v = 0; v < 3; v++) {
      even[v] = _mm512_fmadd_ps(first, _mm512_loadu_ps(from + v * RH_LANES), even[v]);
      odd[v] = _mm512_fmadd_ps(second, _mm512_loadu_ps(other + v * RH_LANES), odd[v]);
    }
  }
#pragma GCC unroll 3
  for (int v = 0; v < 3; v++) {
    _mm512_storeu_ps(sums + v * RH_LANES, even[v]);
    _mm512_storeu_ps(sums + ROW + v * RH_LANES, odd[v]);
  }
}

static void weigh_image(const rh_conv *c, const rh_block_layout *l, const parts *s)
{
  const int64_t blocks = rh_blocks(c->in_channels);
  for (int64_t o = 0; o < c->out_channels; o++) {
    const float *g = s->gradients + o * l->pitch;
    const int32_t *at = s->at_patch + o * l->pitch;
    float *sums = s->sums + o * blocks * SUM_SIZE;
    if (c->in_channels == 1)
      weigh_one(l->squares, g, at, s->image, sums);
    else
      for (int64_t k = 0; k < blocks; k++)
        weigh_eight(l->squares, c->width * CHANNELS, g, at, s->image + k * l->plane * CHANNELS, sums + k * SUM_SIZE);
  }
}

static void write_weights(const rh_conv *c, const float *sums, const float *bias, float *dw, float *db)
{
  const int64_t inputs = c->in_channels, blocks = rh_blocks(inputs);
  for (int64_t o = 0; o < c->out_channels; o++) {
    db[o] = 0;
    for (int64_t k = 0; k < RH_LANES; k++)
      db[o] += bias[o * RH_LANES + k];
    for (int64_t i = 0; i < inputs; i++)
      for (int64_t t = 0; t < KERNEL * KERNEL; t++) {
        const int64_t row = t / KERNEL, column = t % KERNEL;
        const float *from = sums + (o * blocks + i / CHANNELS) * SUM_SIZE;
        dw[(o * inputs + i) * KERNEL * KERNEL + t] =
            inputs == 1 ? from[column * CHANNELS + row] + from[ROW + column * CHANNELS + row]
                        : from[row * ROW + column * CHANNELS + i % CHANNELS];
      }
  }
}

/* w [O][I][K K] as [block of 8 inputs][O][2][0, K, 0][6][8]: a row is the kernel's and a 0, or a 0 and the kernel's. */
static void make_table(const rh_conv *c, const float *w, float *table)
{
  memset(table, 0, (size_t)(rh_blocks(c->in_channels) * c->out_channels * TABLE_SIZE) * sizeof *table);
  for (int64_t o = 0; o < c->out_channels; o++)
    for (int64_t i = 0; i < c->in_channels; i++) {
      float *to = table + (i / CHANNELS * c->out_channels + o) * TABLE_SIZE + TABLE_ROW + i % CHANNELS;
      for (int64_t t = 0; t < KERNEL * KERNEL; t++) {
        const int64_t at = t / KERNEL * TABLE_ROW + t % KERNEL * CHANNELS;
        to[at] = to[TABLE_SIDE + at + CHANNELS] = w[(o * c->in_channels + i) * KERNEL * KERNEL + t];
      }
    }
}

/* Adds to 6 x 6 places of dx, whose rows are `row` apart, what one square's gradients give. */
RH_AVX512 static void spread_square(int64_t outputs, int64_t pitch, const float *g, const int32_t *at,
                                    const float *table, float *dx, int64_t row)
{
  enum { VECTORS = SQUARE * CHANNELS / RH_LANES };
  __m512 sum[SQUARE][VECTORS];
#pragma GCC unroll 6
  for (int j = 0; j < SQUARE; j++)
#pragma GCC unroll 3
    for (int v = 0; v < VECTORS; v++)
      sum[j][v] = _mm512_loadu_ps(dx + j * row + v * RH_LANES);
  for (int64_t o = 0; o < outputs; o++) {
    const __m512 factor = _mm512_set1_ps(g[o * pitch]);
    const float *from = table + at[o * pitch];
#pragma GCC unroll 6
    for (int j = 0; j < SQUARE; j++)
#pragma GCC unroll 3
      for (int v = 0; v < VECTORS; v++)
        sum[j][v] = _mm512_fmadd_ps(factor, _mm512_loadu_ps(from + j * TABLE_ROW + v * RH_LANES), sum[j][v]);
  }
#pragma GCC unroll 6
  for (int j = 0; j < SQUARE; j++)
#pragma GCC unroll 3
    for (int v = 0; v < VECTORS; v++)
      _mm512_storeu_ps(dx + j * row + v * RH_LANES, sum[j][v]);
}

/* dx of one image. */
RH_AVX512 static void spread_image(const rh_conv *c, const rh_block_layout *l, const parts *s, float *dx)
{
  for (int64_t first = 0; first < c->in_channels; first += CHANNELS) {
    const float *table = s->table + first / CHANNELS * c->out_channels * TABLE_SIZE;
    memset(s->dx, 0, (size_t)(l->plane * CHANNELS) * sizeof *s->dx);
    for (int64_t p = 0; p < l->squares; p++) {
      const int64_t corner = 2 * (p / l->columns) * c->width + 2 * (p % l->columns);
      spread_square(c->out_channels, l->pitch, s->gradients + p, s->at_table + p, table, s->dx + corner * CHANNELS,
                    c->width * CHANNELS);
    }
    for (int64_t p = 0; p < l->plane; p += RH_LANES) {
      const __mmask16 mask = rh_first_lanes(l->plane - p);
      __m512 plane[CHANNELS];
      rh_planes_of_places(s->dx + p * CHANNELS, plane);
      for (int64_t k = 0; k < least(CHANNELS, c->in_channels - first); k++)
        _mm512_mask_storeu_ps(dx + (first + k) * l->plane + p, mask, plane[k]);
    }
  }
}

static void backward(const rh_conv *c, const float *x, const float *w, const float *dy, const uint8_t *places,
                     float *dw, float *db, float *dx, float *scratch)
{
  const rh_block_layout l = rh_block_lay_out(c);
  const parts s = {.gradients = scratch,
                   .at_patch = (int32_t *)(void *)(scratch + l.at_patch),
                   .at_table = (int32_t *)(void *)(scratch + l.at_table),
                   .corner = (int32_t *)(void *)(scratch + l.corner),
                   .image = scratch + l.image,
                   .dx = scratch + l.dx,
                   .sums = scratch + l.sums,
                   .table = scratch + l.table};
  const int64_t out_size = c->out_channels * l.squares, in_size = c->in_channels * l.plane;
  float bias[RH_BLOCK_OUTPUTS * RH_LANES] = {0};
  memset(s.sums, 0, (size_t)(c->out_channels * rh_blocks(c->in_channels) * SUM_SIZE) * sizeof *s.sums);
  memset(s.image, 0, (size_t)(l.dx - l.image) * sizeof *s.image); /* what lies behind it is read, too */
  memset(s.dx, 0, (size_t)(l.sums - l.dx) * sizeof *s.dx);
  find_corners(c, &l, s.corner);
  if (dx) make_table(c, w, s.table);
  for (int64_t n = 0; n < c->batch; n++) {
    place_gradients(c, &l, dy + n * out_size, places + n * out_size, &s, bias);
    if (dw) {
      turn_image(c, &l, x + n * in_size, s.image);
      weigh_image(c, &l, &s);
    }
    if (dx) spread_image(c, &l, &s, dx + n * in_size);
  }
  if (dw) write_weights(c, s.sums, bias, dw, db);
}

void rh_cpu_block_backward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor dy, rh_tensor places,
                           rh_tensor dw, rh_tensor db, rh_tensor dx, rh_tensor scratch)
{
  for (int64_t r = 0; r < count; r++)
    backward(c, x.data + r * x.stride, w.data + r * w.stride, dy.data + r * dy.stride,
             (const uint8_t *)(places.data + r * places.stride), dw.data ? dw.data + r * dw.stride : NULL,
             dw.data ? db.data + r * db.stride : NULL, dx.data ? dx.data + r * dx.stride : NULL,
             scratch.data + r * scratch.stride);
}
#else
void rh_cpu_block_backward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor dy, rh_tensor places,
                           rh_tensor dw, rh_tensor db, rh_tensor dx, rh_tensor scratch)
{
  (void)c, (void)count, (void)x, (void)w, (void)dy, (void)places, (void)dw, (void)db, (void)dx, (void)scratch;
  RH_ASSERT(false);
}
#endif
