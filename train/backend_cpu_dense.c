/* Dense layers of small models, for AVX-512: products of matrices whose sides are tens to hundreds. A general library
 * packs both operands first, which costs as much as such a product.
 *
 *   C [m][n] += A [m][k] B [k][n]     A's elements one by one, at any strides, so that it may lie transposed; 12 rows
 *                                     of 32 columns at once
 *   dw = dy^T x, dx = dy w            B lies as it is read
 *   y^T = b + w x^T                   x is turned, 128 inputs of 32 samples at a time, which stay in the first-level
 *                                     cache while all weights pass by once
 *
 * Values are fused multiply-adds in a fixed order, which depends on the shape alone.
 */
#include "ahead.h"
#include "avx512.h"
#include "backend_cpu.h"
#include "blas_kernel.h"
#include "pixels_avx512.h"

#ifdef RH_HAS_AVX512

enum {
  ROWS = 12,
  COLUMNS = 2 * RH_LANES,
  INPUTS = 128,  /* of x that are turned at a time */
  OUTPUTS = 120, /* whose sums are kept meanwhile: a multiple of ROWS */
  MOST =
      1 << 18 /* elements of a matrix; beyond that blocking for the second-level cache pays, which is not done here */
};

bool rh_cpu_dense_fits(const rh_dense *d)
{
  return d->batch <= MOST / d->inputs && d->outputs <= MOST / d->inputs && d->batch <= MOST / d->outputs &&
         rh_blas_kernel_vector() == RH_VECTOR_AVX512;
}

static int64_t least(int64_t a, int64_t b)
{
  return a < b ? a : b;
}

/* A product: A's element (i, t) is a[i * row + t * step]. */
typedef struct product {
  int64_t k, row, step, b_stride, c_stride;
  bool adds; /* to what C holds */
} product;

/* 16 values at p, or those that the mask names; a mask costs as much as a product. */
RH_AVX512_INLINE __m512 load(bool whole, __mmask16 mask, const float *p)
{
  return whole ? _mm512_loadu_ps(p) : _mm512_maskz_loadu_ps(mask, p);
}

/* C's block of `rows` rows and 32 columns, or those of them that the masks name. The 32 columns of B after these are
 * fetched. */
RH_AVX512_INLINE void multiply_block(int rows, bool whole, const product *p, __mmask16 low, __mmask16 high,
                                     const float *a, const float *b, float *c, rh_ahead_lines *ahead)
{
  __m512 sum[ROWS][2];
#pragma GCC unroll 12
  for (int i = 0; i < rows; i++) {
    sum[i][0] = p->adds ? load(whole, low, c + i * p->c_stride) : _mm512_setzero_ps();
    sum[i][1] = p->adds ? load(whole, high, c + i * p->c_stride + RH_LANES) : _mm512_setzero_ps();
  }
  const int64_t k = p->k, row = p->row, step = p->step, b_stride = p->b_stride;
  const float *a0 = a, *a3 = a + 3 * row, *a6 = a + 6 * row, *a9 = a + 9 * row; /* as many as there are registers for */
  for (int64_t t = 0; t < k; t++, a0 += step, a3 += step, a6 += step, a9 += step, b += b_stride) {
    rh_ahead_fetch(ahead);
    __builtin_prefetch(b + COLUMNS);
    __builtin_prefetch(b + COLUMNS + RH_LANES);
    const __m512 left = load(whole, low, b), right = load(whole, high, b + RH_LANES);
#pragma GCC unroll 12
    for (int i = 0; i < rows; i++) {
      const float *const base = i < 3 ? a0 : i < 6 ? a3 : i < 9 ? a6 : a9;
      const __m512 factor = _mm512_set1_ps(base[i % 3 * row]);
      sum[i][0] = _mm512_fmadd_ps(factor, left, sum[i][0]);
      sum[i][1] = _mm512_fmadd_ps(factor, right, sum[i][1]);
    }
  }
#pragma GCC unroll 12
  for (int i = 0; i < rows; i++) {
    _mm512_mask_storeu_ps(c + i * p->c_stride, low, sum[i][0]);
    _mm512_mask_storeu_ps(c + i * p->c_stride + RH_LANES, high, sum[i][1]);
  }
}

/* m rows of 32 columns, or of those that the masks name. */
RH_AVX512_INLINE void multiply_rows(bool whole, __mmask16 low, __mmask16 high, int64_t m, const product *p,
                                    const float *a, const float *b, float *c, rh_ahead_lines *ahead)
{
  for (int64_t rows; m > 0; m -= rows, a += rows * p->row, c += rows * p->c_stride) {
    rows = m >= ROWS ? ROWS : m > 1 ? m / 2 * 2 : 1;
    switch (rows) {
    case 12:
      multiply_block(12, whole, p, low, high, a, b, c, ahead);
      break;
    case 10:
      multiply_block(10, whole, p, low, high, a, b, c, ahead);
      break;
    case 8:
      multiply_block(8, whole, p, low, high, a, b, c, ahead);
      break;
    case 6:
      multiply_block(6, whole, p, low, high, a, b, c, ahead);
      break;
    case 4:
      multiply_block(4, whole, p, low, high, a, b, c, ahead);
      break;
    case 2:
      multiply_block(2, whole, p, low, high, a, b, c, ahead);
      break;
    default:
      multiply_block(1, whole, p, low, high, a, b, c, ahead);
    }
  }
}

/* C [m][n]. */
RH_AVX512 static void multiply(int64_t m, int64_t n, const product *p, const float *a, const float *b, float *c)
{
  rh_ahead_lines ahead = rh_ahead_take((m + ROWS - 1) / ROWS * ((n + COLUMNS - 1) / COLUMNS) * p->k, a);
  for (; n >= COLUMNS; n -= COLUMNS, b += COLUMNS, c += COLUMNS)
    multiply_rows(true, 0xffff, 0xffff, m, p, a, b, c, &ahead);
  if (n > 0)
    multiply_rows(false, rh_first_lanes(n), n > RH_LANES ? rh_first_lanes(n - RH_LANES) : 0, m, p, a, b, c, &ahead);
}

/* Rows and columns of x, at most 32 x 128 of them, to turned [columns][32]; zeros for rows that are not there. */
RH_AVX512 static void turn_inputs(int64_t rows, int64_t columns, const float *x, int64_t stride, float *turned)
{
  for (int64_t j = 0; j < columns; j += RH_LANES)
    for (int64_t i = 0; i < COLUMNS; i += RH_LANES) {
      const __mmask16 mask = rh_first_lanes(columns - j);
      __m512 row[RH_LANES];
#pragma GCC unroll 16
      for (int64_t r = 0; r < RH_LANES; r++)
        row[r] = i + r < rows ? _mm512_maskz_loadu_ps(mask, x + (i + r) * stride + j) : _mm512_setzero_ps();
      rh_turn(row);
#pragma GCC unroll 16
      for (int64_t r = 0; r < RH_LANES; r++)
        _mm512_storeu_ps(turned + (j + r) * COLUMNS + i, row[r]);
    }
}

/* Outputs of at most 32 samples, some of the layer's: w and b are theirs, y [samples] begins with the first of them. */
static void forward_block(const rh_dense *d, int64_t samples, int64_t outputs, const float *x, const float *w,
                          const float *b, float *y)
{
  float turned[INPUTS * COLUMNS] __attribute__((aligned(64))), sums[OUTPUTS * COLUMNS] __attribute__((aligned(64)));
  for (int64_t o = 0; o < outputs; o++)
    for (int64_t i = 0; i < COLUMNS; i++)
      sums[o * COLUMNS + i] = b[o];
  for (int64_t from = 0; from < d->inputs; from += INPUTS) {
    const product p = {least(INPUTS, d->inputs - from), d->inputs, 1, COLUMNS, COLUMNS, true};
    turn_inputs(samples, p.k, x + from, d->inputs, turned);
    multiply(outputs, COLUMNS, &p, w + from, turned, sums);
  }
  for (int64_t i = 0; i < samples; i++)
    for (int64_t o = 0; o < outputs; o++)
      y[i * d->outputs + o] = sums[o * COLUMNS + i];
}

/* A sample: its values, or the bytes that become them, while those of a later one are fetched. */
typedef struct sample {
  float *x;
  const uint8_t *bytes, *later;
} sample;

/* 16 inputs of a sample from t on, those that the mask names; n NULL: their values are there. */
RH_AVX512_INLINE __m512 take_inputs(const rh_normaliser *n, bool whole, __mmask16 mask, const sample *s, int64_t t)
{
  if (!n) return load(whole, mask, s->x + t);
  __builtin_prefetch(s->later + t, 0, 2);
  const void *const bytes = s->bytes + t;
  const __m512 values = rh_normalise(whole ? _mm_loadu_si128(bytes) : _mm_maskz_loadu_epi8(mask, bytes), n);
  _mm512_mask_storeu_ps(s->x + t, mask, values);
  return values;
}

/* Sums of products along 16 inputs, those that the mask names, of two samples and all outputs. */
RH_AVX512_INLINE void add_inputs(int outputs, int64_t k, bool whole, __mmask16 mask, __m512 left, __m512 right,
                                 const float *w, __m512 sum0[RH_LANES], __m512 sum1[RH_LANES])
{
  const float *const w3 = w + 3 * k, *const w6 = w + 6 * k, *const w9 = w + 9 * k;
#pragma GCC unroll 12
  for (int o = 0; o < outputs; o++) {
    const float *const row = (o < 3 ? w : o < 6 ? w3 : o < 9 ? w6 : w9) + o % 3 * k;
    __m512 factor = load(whole, mask, row);
    RH_KEEP(factor);
    sum0[o] = _mm512_fmadd_ps(factor, left, sum0[o]);
    sum1[o] = _mm512_fmadd_ps(factor, right, sum1[o]);
  }
}

/* Two samples' outputs, all of them: sums along the inputs, whose lanes are added at the end. */
RH_AVX512_INLINE void narrow_pair(int outputs, int64_t k, const rh_normaliser *n, const sample *s0, const sample *s1,
                                  const float *w, const float *b, float *y0, float *y1, rh_ahead_lines *ahead)
{
  __m512 sum0[RH_LANES], sum1[RH_LANES];
#pragma GCC unroll 16
  for (int o = 0; o < RH_LANES; o++)
    sum0[o] = sum1[o] = _mm512_setzero_ps();
  int64_t t = 0;
  for (; t + RH_LANES <= k; t += RH_LANES) {
    rh_ahead_fetch(ahead);
    const __m512 left = take_inputs(n, true, 0xffff, s0, t), right = take_inputs(n, true, 0xffff, s1, t);
    add_inputs(outputs, k, true, 0xffff, left, right, w + t, sum0, sum1);
  }
  if (t < k) {
    const __mmask16 rest = rh_first_lanes(k - t);
    const __m512 left = take_inputs(n, false, rest, s0, t), right = take_inputs(n, false, rest, s1, t);
    add_inputs(outputs, k, false, rest, left, right, w + t, sum0, sum1);
  }
  const __mmask16 mask = rh_first_lanes(outputs);
  const __m512 bias = _mm512_maskz_loadu_ps(mask, b);
  _mm512_mask_storeu_ps(y0, mask, _mm512_add_ps(bias, rh_sums_of_rows(outputs, sum0)));
  _mm512_mask_storeu_ps(y1, mask, _mm512_add_ps(bias, rh_sums_of_rows(outputs, sum1)));
}

/* Layers of few outputs, whose weights stay in the first-level cache: turning x would cost as much as the product. */
enum { NARROW = 10, LONGEST = 1 << 10 };

static bool is_narrow(const rh_dense *d)
{
  return d->outputs == NARROW && d->inputs <= LONGEST;
}

/* A last sample without a partner is its own. */
RH_AVX512 static void narrow_forward(const rh_dense *d, float *x, const float *w, const float *b, float *y)
{
  rh_ahead_lines ahead = rh_ahead_take((d->batch + 1) / 2 * (d->inputs / RH_LANES), w);
  for (int64_t i = 0; i < d->batch; i += 2) {
    const int64_t other = least(i + 1, d->batch - 1);
    const sample s0 = {.x = x + i * d->inputs}, s1 = {.x = x + other * d->inputs};
    narrow_pair(NARROW, d->inputs, NULL, &s0, &s1, w, b, y + i * NARROW, y + other * NARROW, &ahead);
  }
}

/* A sample of a batch that begins with the first-th of the pixels. */
static sample sample_of_pixels(const rh_dense *d, const rh_pixels *pixels, int64_t first, int64_t i, float *x)
{
  enum { AHEAD = 4 };
  return (sample){.x = x + i * d->inputs,
                  .bytes = rh_pixels_row(pixels, first + i),
                  .later = rh_pixels_row(pixels, first + least(i + AHEAD, d->batch - 1))};
}

/* The same of pixels. They come one by one: what waits for them is made up for by products. */
RH_AVX512 static void narrow_forward_pixels(const rh_dense *d, const rh_pixels *pixels, int64_t first, float *x,
                                            const float *w, const float *b, float *y)
{
  const rh_normaliser n = rh_normaliser_of(pixels);
  rh_ahead_lines ahead = rh_ahead_take((d->batch + 1) / 2 * (d->inputs / RH_LANES), w);
  for (int64_t i = 0; i < d->batch; i += 2) {
    const int64_t other = least(i + 1, d->batch - 1);
    const sample s0 = sample_of_pixels(d, pixels, first, i, x), s1 = sample_of_pixels(d, pixels, first, other, x);
    narrow_pair(NARROW, d->inputs, &n, &s0, &s1, w, b, y + i * NARROW, y + other * NARROW, &ahead);
  }
}

bool rh_cpu_dense_forward_pixels(const rh_dense *d, int64_t count, const rh_pixels *pixels, rh_tensor x, rh_tensor w,
                                 rh_tensor b, rh_tensor y)
{
  if (!is_narrow(d) || !rh_cpu_dense_fits(d) || !rh_pixels_calculated(pixels)) return false;
  for (int64_t r = 0; r < count; r++)
    narrow_forward_pixels(d, pixels, r * d->batch, x.data + r * x.stride, w.data + r * w.stride, b.data + r * b.stride,
                          y.data + r * y.stride);
  return true;
}

void rh_cpu_dense_forward(const rh_dense *d, const float *x, const float *w, const float *b, float *y)
{
  if (is_narrow(d)) {
    narrow_forward(d, (float *)x, w, b, y); /* which it reads */
    return;
  }
  for (int64_t i = 0; i < d->batch; i += COLUMNS)
    for (int64_t o = 0; o < d->outputs; o += OUTPUTS)
      forward_block(d, least(COLUMNS, d->batch - i), least(OUTPUTS, d->outputs - o), x + i * d->inputs,
                    w + o * d->inputs, b + o, y + i * d->outputs + o);
}

RH_AVX512 void rh_cpu_dense_biases(const rh_dense *d, const float *dy, float *db)
{
  for (int64_t o = 0; o < d->outputs; o += RH_LANES) {
    const __mmask16 mask = rh_first_lanes(d->outputs - o);
    __m512 sum = _mm512_setzero_ps();
    for (int64_t i = 0; i < d->batch; i++)
      sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(mask, dy + i * d->outputs + o));
    _mm512_mask_storeu_ps(db + o, mask, sum);
  }
}

void rh_cpu_dense_weights(const rh_dense *d, const float *x, const float *dy, float *dw)
{
  const product p = {d->batch, 1, d->outputs, d->inputs, d->inputs, false};
  multiply(d->outputs, d->inputs, &p, dy, x, dw);
}

void rh_cpu_dense_input(const rh_dense *d, const float *w, const float *dy, float *dx)
{
  const product p = {d->outputs, d->outputs, 1, d->inputs, d->inputs, false};
  multiply(d->batch, d->inputs, &p, dy, w, dx);
}
#else /* elsewhere all products are the library's */
bool rh_cpu_dense_fits(const rh_dense *d)
{
  (void)d;
  return false;
}

void rh_cpu_dense_forward(const rh_dense *d, const float *x, const float *w, const float *b, float *y)
{
  (void)d, (void)x, (void)w, (void)b, (void)y;
  RH_ASSERT(false);
}

bool rh_cpu_dense_forward_pixels(const rh_dense *d, int64_t count, const rh_pixels *pixels, rh_tensor x, rh_tensor w,
                                 rh_tensor b, rh_tensor y)
{
  (void)d, (void)count, (void)pixels, (void)x, (void)w, (void)b, (void)y;
  return false;
}

void rh_cpu_dense_biases(const rh_dense *d, const float *dy, float *db)
{
  (void)d, (void)dy, (void)db;
  RH_ASSERT(false);
}

void rh_cpu_dense_weights(const rh_dense *d, const float *x, const float *dy, float *dw)
{
  (void)d, (void)x, (void)dy, (void)dw;
  RH_ASSERT(false);
}

void rh_cpu_dense_input(const rh_dense *d, const float *w, const float *dy, float *dx)
{
  (void)d, (void)w, (void)dy, (void)dx;
  RH_ASSERT(false);
}
#endif
