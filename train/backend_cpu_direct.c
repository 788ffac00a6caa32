/* Convolution without unrolling the image, for AVX-512: a few narrow channels starve a general product of matrices, and
 * copying each value K K times costs more than the product. Both directions of the image are one kernel:
 *
 *   correlate        out[j][q] = start[j] + sum over t of w[t][j] in[q + offset[t]],  8 channels j, 48 places q at once
 *   forward          in: the image as it lies there. Places are counted along whole input rows, so that a tap is an
 *                    offset; the last K - 1 of each row are computed and not kept
 *   input            in: dy with rows spread to the input's width and zeros around; a tap's offset is negative
 *   weights          16 output channels in a vector, the K K taps of one input plane in as many registers
 *
 * Values are fused multiply-adds in a fixed order, which depends on the shape alone.
 * Source of the blocking: Georganas et al., Anatomy of high-performance deep learning convolutions on SIMD
 * architectures, SC 2018 (register blocks of output channels and places); ours differs in counting places along input
 * rows.
 */
#include <string.h>

#include "avx512.h"
#include "backend_cpu.h"
#include "blas_kernel.h"

#ifdef RH_HAS_AVX512

enum { LANES = RH_LANES, VECTORS = 3, PLACES = LANES * VECTORS, CHANNELS = 8, KERNEL = 5, TAPS = KERNEL * KERNEL };

/* The parts of the scratch of one replica, in elements from its start. */
typedef struct layout {
  int64_t in_size, out_width, out_height, out_size, spread_plane, front;
  int64_t offsets, weights, image, spread, turned, sums, block, size;
} layout;

static int64_t round_up(int64_t n, int64_t to)
{
  return (n + to - 1) / to * to;
}

static int64_t most(int64_t a, int64_t b)
{
  return a > b ? a : b;
}

static layout lay_out(const rh_conv *c)
{
  layout l = {.in_size = c->in_channels * c->height * c->width,
              .out_width = c->width - c->kernel + 1,
              .out_height = c->height - c->kernel + 1,
              .front = (c->kernel - 1) * (c->width + 1)};
  const int64_t in_blocks = round_up(c->in_channels, CHANNELS), out_blocks = round_up(c->out_channels, CHANNELS);
  const int64_t taps = TAPS * most(c->in_channels, c->out_channels);
  l.out_size = c->out_channels * l.out_height * l.out_width;
  l.spread_plane = l.front + round_up(c->height * c->width, PLACES);
  l.weights = round_up(taps, LANES); /* offsets are int32_t: as large as a float */
  l.image = l.weights + round_up(TAPS * most(c->in_channels * out_blocks, c->out_channels * in_blocks), LANES);
  l.spread = l.image + round_up(l.in_size + PLACES + l.front, LANES);
  l.turned = l.spread + round_up(c->out_channels * l.spread_plane + PLACES, LANES);
  l.sums = l.turned + round_up(l.out_height * l.out_width, LANES) * round_up(c->out_channels, LANES);
  l.block = l.sums + round_up(c->out_channels, LANES) * TAPS * c->in_channels;
  l.size = l.block + CHANNELS * round_up(c->height * c->width, PLACES);
  return l;
}

bool rh_cpu_direct_fits(const rh_conv *c)
{
  return c->kernel == KERNEL && c->out_channels <= 4 * LANES && c->height * c->width < 1 << 20 &&
         rh_blas_kernel_vector() == RH_VECTOR_AVX512;
}

int64_t rh_cpu_direct_scratch(const rh_conv *c)
{
  return lay_out(c).size;
}

/* Eight channels of `places` places, a multiple of 48: out [8][places] = start [8] + the sum over taps. w [taps][8]. */
RH_AVX512 static void correlate(int64_t taps, const int32_t *offset, const float *w, const float *start,
                                const float *in, int64_t places, float *out)
{
  for (int64_t q = 0; q < places; q += PLACES) {
    __m512 sum[CHANNELS][VECTORS];
#pragma GCC unroll 8
    for (int j = 0; j < CHANNELS; j++)
#pragma GCC unroll 3
      for (int v = 0; v < VECTORS; v++)
        sum[j][v] = _mm512_set1_ps(start[j]);
    for (int64_t t = 0; t < taps; t++) {
      const float *from = in + q + offset[t], *weight = w + t * CHANNELS;
      const __m512 x0 = _mm512_loadu_ps(from), x1 = _mm512_loadu_ps(from + LANES),
                   x2 = _mm512_loadu_ps(from + 2 * LANES);
#pragma GCC unroll 8
      for (int j = 0; j < CHANNELS; j++) {
        const __m512 factor = _mm512_set1_ps(weight[j]);
        sum[j][0] = _mm512_fmadd_ps(factor, x0, sum[j][0]);
        sum[j][1] = _mm512_fmadd_ps(factor, x1, sum[j][1]);
        sum[j][2] = _mm512_fmadd_ps(factor, x2, sum[j][2]);
      }
    }
#pragma GCC unroll 8
    for (int j = 0; j < CHANNELS; j++)
#pragma GCC unroll 3
      for (int v = 0; v < VECTORS; v++)
        _mm512_storeu_ps(out + j * places + q + v * LANES, sum[j][v]);
  }
}

/* Copies rows of n values; both strides in elements. */
RH_AVX512 static void copy_rows(int64_t rows, int64_t n, const float *from, int64_t from_stride, float *to,
                                int64_t to_stride)
{
  const __mmask16 tail = (__mmask16)((1U << (n % LANES)) - 1);
  for (int64_t row = 0; row < rows; row++, from += from_stride, to += to_stride) {
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
      _mm512_storeu_ps(to + i, _mm512_loadu_ps(from + i));
    if (tail) _mm512_mask_storeu_ps(to + i, tail, _mm512_maskz_loadu_ps(tail, from + i));
  }
}

/* Packs w [O][I][K K] for correlate, in blocks of eight output channels: [block][I K K][8], zeros beyond O; and the
 * offsets of its taps. */
static void pack_forward(const rh_conv *c, const float *w, int32_t *offset, float *packed)
{
  const int64_t taps = c->in_channels * TAPS;
  for (int64_t t = 0; t < taps; t++)
    offset[t] = (int32_t)(t / TAPS * c->height * c->width + t % TAPS / KERNEL * c->width + t % KERNEL);
  for (int64_t o = 0; o < round_up(c->out_channels, CHANNELS); o++)
    for (int64_t t = 0; t < taps; t++)
      packed[(o / CHANNELS * taps + t) * CHANNELS + o % CHANNELS] = o < c->out_channels ? w[o * taps + t] : 0;
}

/* The same for the gradient of the input: [block of eight input channels][O K K][8]. */
static void pack_input(const rh_conv *c, const layout *l, const float *w, int32_t *offset, float *packed)
{
  const int64_t taps = c->out_channels * TAPS;
  for (int64_t t = 0; t < taps; t++)
    offset[t] = (int32_t)(t / TAPS * l->spread_plane + l->front - t % TAPS / KERNEL * c->width - t % KERNEL);
  for (int64_t i = 0; i < round_up(c->in_channels, CHANNELS); i++)
    for (int64_t t = 0; t < taps; t++)
      packed[(i / CHANNELS * taps + t) * CHANNELS + i % CHANNELS] =
          i < c->in_channels ? w[(t / TAPS * c->in_channels + i) * TAPS + t % TAPS] : 0;
}

void rh_cpu_direct_forward(const rh_conv *c, const float *x, const float *w, const float *b, float *y, float *scratch)
{
  const layout l = lay_out(c);
  const int64_t taps = c->in_channels * TAPS, places = round_up(l.out_height * c->width, PLACES);
  int32_t *const offset = (int32_t *)(void *)scratch;
  float *const packed = scratch + l.weights, *const image = scratch + l.image, *const block = scratch + l.block;
  pack_forward(c, w, offset, packed);
  memset(image + l.in_size, 0, (size_t)(PLACES + l.front) * sizeof *image);
  for (int64_t n = 0; n < c->batch; n++) {
    memcpy(image, x + n * l.in_size, (size_t)l.in_size * sizeof *image);
    for (int64_t o = 0; o < c->out_channels; o += CHANNELS) {
      float start[CHANNELS] = {0};
      const int64_t outputs = c->out_channels - o < CHANNELS ? c->out_channels - o : CHANNELS;
      memcpy(start, b + o, (size_t)outputs * sizeof *start);
      correlate(taps, offset, packed + o * taps, start, image, places, block);
      for (int64_t j = 0; j < outputs; j++)
        copy_rows(l.out_height, l.out_width, block + j * places, c->width,
                  y + n * l.out_size + (o + j) * l.out_height * l.out_width, l.out_width);
    }
  }
}

/* dx of one image; the packed weights and offsets are those of pack_input. */
static void input_of_image(const rh_conv *c, const layout *l, const float *dy, const int32_t *offset,
                           const float *packed, float *spread, float *block, float *dx)
{
  static const float zeros[CHANNELS];
  const int64_t taps = c->out_channels * TAPS, plane = c->height * c->width, places = round_up(plane, PLACES);
  for (int64_t o = 0; o < c->out_channels; o++)
    copy_rows(l->out_height, l->out_width, dy + o * l->out_height * l->out_width, l->out_width,
              spread + o * l->spread_plane + l->front, c->width);
  for (int64_t i = 0; i < c->in_channels; i += CHANNELS) {
    const int64_t inputs = c->in_channels - i < CHANNELS ? c->in_channels - i : CHANNELS;
    correlate(taps, offset, packed + i * taps, zeros, spread, places, block);
    for (int64_t j = 0; j < inputs; j++)
      memcpy(dx + (i + j) * plane, block + j * places, (size_t)plane * sizeof *dx);
  }
}

void rh_cpu_direct_input(const rh_conv *c, const float *w, const float *dy, float *dx, float *scratch)
{
  const layout l = lay_out(c);
  int32_t *const offset = (int32_t *)(void *)scratch;
  float *const spread = scratch + l.spread;
  pack_input(c, &l, w, offset, scratch + l.weights);
  memset(spread, 0, (size_t)(l.turned - l.spread) * sizeof *spread);
  for (int64_t n = 0; n < c->batch; n++)
    input_of_image(c, &l, dy + n * l.out_size, offset, scratch + l.weights, spread, scratch + l.block,
                   dx + n * l.in_size);
}

/* dy [outputs][places] to [places][16], zeros for channels that are not there; adds its sums to bias [16]. */
RH_AVX512 static void turn_channels(int64_t outputs, int64_t places, const float *dy, float *turned, float *bias)
{
  __m512 sum = _mm512_loadu_ps(bias);
  for (int64_t p = 0; p < places; p += LANES) {
    const int64_t left = places - p < LANES ? places - p : LANES;
    const __mmask16 mask = (__mmask16)((1U << left) - 1);
    __m512 row[LANES];
    for (int64_t o = 0; o < LANES; o++)
      row[o] = o < outputs ? _mm512_maskz_loadu_ps(mask, dy + o * places + p) : _mm512_setzero_ps();
    rh_turn(row);
    for (int64_t i = 0; i < left; i++) {
      sum = _mm512_add_ps(sum, row[i]);
      _mm512_storeu_ps(turned + (p + i) * LANES, row[i]);
    }
  }
  _mm512_storeu_ps(bias, sum);
}

/* Adds to sums [K K][16]: what the places of one image's plane x give for 16 output channels. */
RH_AVX512 static void weigh_plane(const rh_conv *c, const layout *l, const float *x, const float *turned, float *sums)
{
  __m512 sum[TAPS];
#pragma GCC unroll 25
  for (int t = 0; t < TAPS; t++)
    sum[t] = _mm512_loadu_ps(sums + t * LANES);
  for (int64_t row = 0; row < l->out_height; row++)
    for (int64_t column = 0; column < l->out_width; column++, turned += LANES) {
      const __m512 dy = _mm512_loadu_ps(turned);
      const float *from = x + row * c->width + column;
#pragma GCC unroll 5
      for (int ky = 0; ky < KERNEL; ky++, from += c->width)
#pragma GCC unroll 5
        for (int kx = 0; kx < KERNEL; kx++)
          sum[ky * KERNEL + kx] = _mm512_fmadd_ps(_mm512_set1_ps(from[kx]), dy, sum[ky * KERNEL + kx]);
    }
#pragma GCC unroll 25
  for (int t = 0; t < TAPS; t++)
    _mm512_storeu_ps(sums + t * LANES, sum[t]);
}

/* dw and db of 16 output channels from o on, of which `outputs` are there. */
static void weights_of_block(const rh_conv *c, const layout *l, const float *x, const float *dy, int64_t o,
                             int64_t outputs, float *dw, float *db, float *scratch)
{
  const int64_t places = l->out_height * l->out_width, plane = c->height * c->width, taps = c->in_channels * TAPS;
  float bias[LANES] = {0}, *const turned = scratch + l->turned, *const sums = scratch + l->sums;
  memset(sums, 0, (size_t)(taps * LANES) * sizeof *sums);
  for (int64_t n = 0; n < c->batch; n++) {
    turn_channels(outputs, places, dy + n * l->out_size + o * places, turned, bias);
    for (int64_t i = 0; i < c->in_channels; i++)
      weigh_plane(c, l, x + n * l->in_size + i * plane, turned, sums + i * TAPS * LANES);
  }
  for (int64_t j = 0; j < outputs; j++) {
    db[o + j] = bias[j];
    for (int64_t t = 0; t < taps; t++)
      dw[(o + j) * taps + t] = sums[t * LANES + j];
  }
}

void rh_cpu_direct_weights(const rh_conv *c, const float *x, const float *dy, float *dw, float *db, float *scratch)
{
  const layout l = lay_out(c);
  for (int64_t o = 0; o < c->out_channels; o += LANES)
    weights_of_block(c, &l, x, dy, o, c->out_channels - o < LANES ? c->out_channels - o : LANES, dw, db, scratch);
}
#else /* elsewhere convolutions are products of matrices */
bool rh_cpu_direct_fits(const rh_conv *c)
{
  (void)c;
  return false;
}

int64_t rh_cpu_direct_scratch(const rh_conv *c)
{
  (void)c;
  return 0;
}

void rh_cpu_direct_forward(const rh_conv *c, const float *x, const float *w, const float *b, float *y, float *scratch)
{
  (void)c, (void)x, (void)w, (void)b, (void)y, (void)scratch;
  RH_ASSERT(false);
}

void rh_cpu_direct_input(const rh_conv *c, const float *w, const float *dy, float *dx, float *scratch)
{
  (void)c, (void)w, (void)dy, (void)dx, (void)scratch;
  RH_ASSERT(false);
}

void rh_cpu_direct_weights(const rh_conv *c, const float *x, const float *dy, float *dw, float *db, float *scratch)
{
  (void)c, (void)x, (void)dy, (void)dw, (void)db, (void)scratch;
  RH_ASSERT(false);
}
#endif
