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
#include "avx512.h"
#include "backend_cpu.h"
#include "blas_kernel.h"

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

/* C's block of `rows` rows and 32 columns, those that the masks name. */
RH_AVX512_INLINE void multiply_block(int rows, const product *p, __mmask16 low, __mmask16 high, const float *a,
                                     const float *b, float *c)
{
  __m512 sum[ROWS][2];
#pragma GCC unroll 12
  for (int i = 0; i < rows; i++) {
    sum[i][0] = p->adds ? _mm512_maskz_loadu_ps(low, c + i * p->c_stride) : _mm512_setzero_ps();
    sum[i][1] = p->adds ? _mm512_maskz_loadu_ps(high, c + i * p->c_stride + RH_LANES) : _mm512_setzero_ps();
  }
  const int64_t row = p->row, step = p->step, b_stride = p->b_stride;
  const float *a0 = a, *a3 = a + 3 * row, *a6 = a + 6 * row, *a9 = a + 9 * row; /* as many as there are registers for */
  for (int64_t t = 0; t < p->k; t++, a0 += step, a3 += step, a6 += step, a9 += step, b += b_stride) {
    const __m512 left = _mm512_maskz_loadu_ps(low, b), right = _mm512_maskz_loadu_ps(high, b + RH_LANES);
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

/* m rows of at most 32 columns. */
RH_AVX512 static void multiply_columns(int64_t m, int64_t columns, const product *p, const float *a, const float *b,
                                       float *c)
{
  const __mmask16 low = rh_first_lanes(columns), high = columns > RH_LANES ? rh_first_lanes(columns - RH_LANES) : 0;
  for (int64_t rows; m > 0; m -= rows, a += rows * p->row, c += rows * p->c_stride) {
    rows = m >= ROWS ? ROWS : m > 1 ? m / 2 * 2 : 1;
    switch (rows) {
    case 12:
      multiply_block(12, p, low, high, a, b, c);
      break;
    case 10:
      multiply_block(10, p, low, high, a, b, c);
      break;
    case 8:
      multiply_block(8, p, low, high, a, b, c);
      break;
    case 6:
      multiply_block(6, p, low, high, a, b, c);
      break;
    case 4:
      multiply_block(4, p, low, high, a, b, c);
      break;
    case 2:
      multiply_block(2, p, low, high, a, b, c);
      break;
    default:
      multiply_block(1, p, low, high, a, b, c);
    }
  }
}

static void multiply(int64_t m, int64_t n, const product *p, const float *a, const float *b, float *c)
{
  for (int64_t j = 0; j < n; j += COLUMNS)
    multiply_columns(m, least(COLUMNS, n - j), p, a, b + j, c + j);
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
    multiply_columns(outputs, COLUMNS, &p, w + from, turned, sums);
  }
  for (int64_t i = 0; i < samples; i++)
    for (int64_t o = 0; o < outputs; o++)
      y[i * d->outputs + o] = sums[o * COLUMNS + i];
}

/* Two samples' outputs, all of them: sums along the inputs, whose lanes are added at the end. */
RH_AVX512_INLINE void narrow_pair(int outputs, int64_t k, const float *x0, const float *x1, const float *w,
                                  const float *b, float *y0, float *y1)
{
  __m512 sum0[RH_LANES], sum1[RH_LANES];
#pragma GCC unroll 16
  for (int o = 0; o < RH_LANES; o++)
    sum0[o] = sum1[o] = _mm512_setzero_ps();
  const float *w0 = w, *w3 = w + 3 * k, *w6 = w + 6 * k, *w9 = w + 9 * k;
  for (int64_t t = 0; t < k; t += RH_LANES, w0 += RH_LANES, w3 += RH_LANES, w6 += RH_LANES, w9 += RH_LANES) {
    const __mmask16 mask = rh_first_lanes(k - t);
    const __m512 left = _mm512_maskz_loadu_ps(mask, x0 + t), right = _mm512_maskz_loadu_ps(mask, x1 + t);
#pragma GCC unroll 12
    for (int o = 0; o < outputs; o++) {
      const float *const base = o < 3 ? w0 : o < 6 ? w3 : o < 9 ? w6 : w9;
      const __m512 factor = _mm512_maskz_loadu_ps(mask, base + o % 3 * k);
      sum0[o] = _mm512_fmadd_ps(factor, left, sum0[o]);
      sum1[o] = _mm512_fmadd_ps(factor, right, sum1[o]);
    }
  }
  const __mmask16 mask = rh_first_lanes(outputs);
  const __m512 bias = _mm512_maskz_loadu_ps(mask, b);
  _mm512_mask_storeu_ps(y0, mask, _mm512_add_ps(bias, rh_sums_of_rows(sum0)));
  _mm512_mask_storeu_ps(y1, mask, _mm512_add_ps(bias, rh_sums_of_rows(sum1)));
}

/* Layers of few outputs, whose weights stay in the first-level cache: turning x would cost as much as the product. A
 * last sample without a partner is its own. */
RH_AVX512 static bool narrow_forward(const rh_dense *d, const float *x, const float *w, const float *b, float *y)
{
  enum { NARROW = 10, LONGEST = 1 << 10 };
  if (d->outputs != NARROW || d->inputs > LONGEST) return false;
  for (int64_t i = 0; i < d->batch; i += 2) {
    const int64_t other = least(i + 1, d->batch - 1);
    narrow_pair(NARROW, d->inputs, x + i * d->inputs, x + other * d->inputs, w, b, y + i * NARROW, y + other * NARROW);
  }
  return true;
}

void rh_cpu_dense_forward(const rh_dense *d, const float *x, const float *w, const float *b, float *y)
{
  if (narrow_forward(d, x, w, b, y)) return;
  for (int64_t i = 0; i < d->batch; i += COLUMNS)
    for (int64_t o = 0; o < d->outputs; o += OUTPUTS)
      forward_block(d, least(COLUMNS, d->batch - i), least(OUTPUTS, d->outputs - o), x + i * d->inputs,
                    w + o * d->inputs, b + o, y + i * d->outputs + o);
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
