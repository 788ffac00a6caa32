/* Convolution forward, and back to its input, as products of matrices whose second factor is never written: its values
 * are taken from the image where they are needed.
 *
 *     forward     y  [O][B places]   = w [O][C K K]   patches [C K K][B places]    + b
 *     backward    dx [C][B H W]      = w'[C][O K K]   covers  [O K K][B H W]
 *
 * covers holds for each place of x, output channel and tap the gradient of the output that saw the place under this
 * tap, or 0. A block makes a tile of ROWS x COLUMNS of one replica in registers, 8 x 4 a thread, DEPTH terms at a time
 * from shared memory. A value's offset is its term's, which is in a table, plus its column's: a thread brings values of
 * the same columns for all terms, and has their offsets in registers. Sums run in f32 over the terms in their order,
 * fused. Where max(., 0) and pooling over squares of two follow, a thread's four columns are a square, and its maximum
 * alone is written.
 *
 * A replica's values are counted in 32 bits, whose division takes a fraction of the time of 64: more than 16 GB of one
 * layer of one replica would be needed to exceed them.
 * Source      Chellapilla, Puri, Simard, High performance convolutional neural networks for document processing, 2006
 */
#include "launch.h"

enum { DEPTH = 8, THREADS = 128, TALL = 8, WIDE = 4 /* values of a thread */ };

/* Pooled: the result is of squares of two, and `codes` of their maxima. */
typedef enum conv_mode { CONV_FORWARD, CONV_POOLED, CONV_BACKWARD } conv_mode;

/* One of the two products. */
typedef struct conv_plan {
  rh_conv c;
  int rows;                    /* of the result: O or C */
  int terms;                   /* of a sum: C K K or O K K */
  uint32_t columns;            /* B x places; pooled: of whole squares */
  int height, width;           /* of a plane of the result */
  int from_height, from_width; /* of a plane of what is read */
  int from_channels;
} conv_plan;

/* A column of the result: the offset in what is read of its sample and place, which tap 0 sees; and the place. Beyond
 * the last column it is the first value, or, backward, a row that sees none: nothing is kept of it. */
typedef struct conv_column {
  uint32_t offset;
  int row, column;
} conv_column;

/* A term: where it looks from there, and where its weights are. */
typedef struct conv_term {
  int offset, row, column; /* added to a column's */
  int weight;
} conv_term;

template <int ROWS> struct conv_shared {
  float4 weights[DEPTH][ROWS / 4];
  float values[DEPTH][THREADS * TALL * WIDE / ROWS];
  conv_term terms[2][DEPTH]; /* of this step and the next */
};

/* Column j of the `apart` times four that begin with `first`. */
static __device__ conv_column column_of(const conv_plan *p, conv_mode mode, uint32_t first, uint32_t j, uint32_t apart)
{
  const int far = 1 << 29; /* no plane has as many rows */
  conv_column at;
  uint32_t sample;
  bool there;
  if (mode == CONV_POOLED) {
    const uint32_t width = (uint32_t)p->width / 2, squares = (uint32_t)p->height / 2 * width;
    const uint32_t square = first / 4 + j % apart, place = square % squares, corner = j / apart;
    sample = square / squares;
    at.row = (int)(place / width * 2 + corner / 2);
    at.column = (int)(place % width * 2 + corner % 2);
    there = 4 * square < p->columns;
  } else {
    const uint32_t places = (uint32_t)(p->height * p->width), place = (first + j) % places;
    sample = (first + j) / places;
    at.row = (int)(place / (uint32_t)p->width);
    at.column = (int)(place % (uint32_t)p->width);
    there = first + j < p->columns;
  }
  at.offset = there ? sample * (uint32_t)(p->from_channels * p->from_height * p->from_width) +
                          (uint32_t)(at.row * p->from_width + at.column)
                    : 0;
  if (!there) at.row = far;
  return at;
}

static __device__ conv_term term_of(const conv_plan *p, conv_mode mode, int k)
{
  conv_term term;
  const int kernel = (int)p->c.kernel, taps = kernel * kernel, channel = k / taps, tap = k % taps;
  const int sign = mode == CONV_BACKWARD ? -1 : 1;
  term.row = sign * (tap / kernel);
  term.column = sign * (tap % kernel);
  term.offset = channel * p->from_height * p->from_width + term.row * p->from_width + term.column;
  term.weight = mode == CONV_BACKWARD ? channel * (int)p->c.in_channels * taps + tap : k;
  return term;
}

/* Backward the output need not be there; something is read all the same, so that loads need not wait for each other. */
static __device__ float value_of(const conv_plan *p, conv_mode mode, const float *x, const conv_column *at,
                                 const conv_term *term)
{
  const bool row = (unsigned)(at->row + term->row) < (unsigned)p->from_height;
  const bool column = (unsigned)(at->column + term->column) < (unsigned)p->from_width;
  const bool there = mode != CONV_BACKWARD || (row & column); /* both, without a branch */
  const float value = x[there ? at->offset + (uint32_t)term->offset : 0];
  return there ? value : 0;
}

/* A thread's results of rows from `row` on: of its columns, APART apart from `first`. */
static __device__ void store(const conv_plan *p, const float (*sum)[WIDE], uint32_t first, uint32_t apart, int row,
                             const float *bias, float *out)
{
  const uint32_t places = (uint32_t)(p->height * p->width);
  for (uint32_t j = 0; j < WIDE; j++) {
    const uint32_t to = first + j * apart;
    if (to >= p->columns) continue;
    float *const plane = out + (int64_t)(to / places) * p->rows * places + to % places;
    for (int i = 0; i < TALL; i++)
      if (row + i < p->rows) plane[(int64_t)(row + i) * places] = bias ? sum[i][j] + bias[row + i] : sum[i][j];
  }
}

/* Likewise of the square that its columns are: the largest of max(., 0), the first of equals, a NaN before all; and its
 * code: which corner it is, and 4 if it is above 0. */
static __device__ void store_pooled(const conv_plan *p, const float (*sum)[WIDE], uint32_t square, int row,
                                    const float *bias, float *out, uint8_t *codes)
{
  const uint32_t squares = (uint32_t)(p->height / 2) * (uint32_t)(p->width / 2);
  if (4 * square >= p->columns) return;
  const int64_t to = (int64_t)(square / squares) * p->rows * squares + square % squares;
  for (int i = 0; i < TALL; i++) {
    if (row + i >= p->rows) continue;
    float best = 0;
    int corner = 0;
    for (int j = 0; j < WIDE; j++) {
      const float value = sum[i][j] + bias[row + i], above = value < 0 ? 0 : value;
      if (j > 0 && !(above > best || above != above)) continue;
      best = above;
      corner = j;
    }
    out[to + (int64_t)(row + i) * squares] = best;
    codes[to + (int64_t)(row + i) * squares] = (uint8_t)(corner | (best > 0 ? 4 : 0));
  }
}

/* A thread's values of one term. */
template <int ROWS, conv_mode MODE>
static __device__ inline void bring_term(const conv_plan *p, conv_shared<ROWS> *s, int step, int depth,
                                         const conv_column *at, const float *from)
{
  const conv_term term = s->terms[step][depth];
  for (int e = 0; e < TALL * WIDE / ROWS; e++)
    s->values[depth][(int)threadIdx.x + e * THREADS] = value_of(p, MODE, from, &at[e], &term);
}

/* Weights and values of `terms` terms into the shared tile. */
template <int ROWS, conv_mode MODE>
static __device__ inline void bring(const conv_plan *p, conv_shared<ROWS> *s, int step, int terms, int first_row,
                                    const conv_column *at, const float *from, const float *weight)
{
  const int t = (int)threadIdx.x, taps = (int)(p->c.kernel * p->c.kernel);
  const int row_step = MODE == CONV_BACKWARD ? taps : p->terms; /* from a row's weight to the next row's */
  for (int i = t; i < terms * ROWS; i += THREADS) {
    const int o = first_row + i % ROWS;
    ((float *)s->weights[i / ROWS])[i % ROWS] =
        o < p->rows ? weight[(int64_t)o * row_step + s->terms[step][i / ROWS].weight] : 0;
  }
  if (terms == DEPTH) {
#pragma unroll
    for (int depth = 0; depth < DEPTH; depth++)
      bring_term<ROWS, MODE>(p, s, step, depth, at, from);
    return;
  }
  for (int depth = 0; depth < terms; depth++)
    bring_term<ROWS, MODE>(p, s, step, depth, at, from);
}

/* One term of a thread's sums. */
template <int ROWS>
static __device__ inline void add_term(const conv_shared<ROWS> *s, int depth, int row, int column, float (*sum)[WIDE])
{
  enum { APART = THREADS * TALL / ROWS };
  float x[WIDE];
  for (int j = 0; j < WIDE; j++)
    x[j] = s->values[depth][column + j * APART];
  for (int i = 0; i < TALL; i += 4) {
    const float4 a = s->weights[depth][(row + i) / 4];
    for (int j = 0; j < WIDE; j++) {
      sum[i][j] = fmaf(a.x, x[j], sum[i][j]);
      sum[i + 1][j] = fmaf(a.y, x[j], sum[i + 1][j]);
      sum[i + 2][j] = fmaf(a.z, x[j], sum[i + 2][j]);
      sum[i + 3][j] = fmaf(a.w, x[j], sum[i + 3][j]);
    }
  }
}

template <int ROWS, conv_mode MODE>
static __device__ inline void conv_product(const conv_plan *p, conv_shared<ROWS> *s, int64_t count, rh_tensor in,
                                           rh_tensor w, rh_tensor b, rh_tensor out, rh_tensor codes)
{
  enum { APART = THREADS * TALL / ROWS, COLUMNS = APART * WIDE, EACH = COLUMNS / THREADS };
  const int t = (int)threadIdx.x, row = t / APART * TALL, column = t % APART; /* its columns are APART apart */
  const uint32_t first_column = blockIdx.x * COLUMNS;
  const int first_row = (int)blockIdx.y * ROWS;
  conv_column at[EACH]; /* that it brings */
  for (int e = 0; e < EACH; e++)
    at[e] = column_of(p, MODE, first_column, (uint32_t)(t + e * THREADS), APART);
  for (int64_t r = blockIdx.z; r < count; r += gridDim.z) {
    float sum[TALL][WIDE];
    for (int i = 0; i < TALL; i++)
      for (int j = 0; j < WIDE; j++)
        sum[i][j] = 0;
    if (t < DEPTH) s->terms[0][t] = term_of(p, MODE, t);
    for (int k = 0, step = 0; k < p->terms; k += DEPTH, step ^= 1) {
      const int terms = p->terms - k < DEPTH ? p->terms - k : DEPTH;
      __syncthreads();
      bring<ROWS, MODE>(p, s, step, terms, first_row, at, rh_at(in, r), rh_at(w, r));
      if (t < DEPTH) s->terms[step ^ 1][t] = term_of(p, MODE, k + DEPTH + t);
      __syncthreads();
      if (terms == DEPTH) {
#pragma unroll
        for (int depth = 0; depth < DEPTH; depth++)
          add_term<ROWS>(s, depth, row, column, sum);
      } else {
        for (int depth = 0; depth < terms; depth++)
          add_term<ROWS>(s, depth, row, column, sum);
      }
    }
    if (MODE == CONV_POOLED)
      store_pooled(p, sum, first_column / WIDE + (uint32_t)column, first_row + row, rh_at(b, r), rh_at(out, r),
                   (uint8_t *)rh_at(codes, r));
    else
      store(p, sum, first_column + (uint32_t)column, APART, first_row + row, rh_at(b, r), rh_at(out, r));
    __syncthreads(); /* the tile and its terms are read until here */
  }
}

/* Kernels are no templates: what blocks share lies where tests look for it (tests/cuda/emulated). */
#define CONV_KERNEL(name, rows, mode)                                                                                  \
  static __global__ void __launch_bounds__(THREADS, 5)                                                                 \
      name(conv_plan p, int64_t count, rh_tensor in, rh_tensor w, rh_tensor b, rh_tensor out, rh_tensor codes)         \
  {                                                                                                                    \
    __shared__ conv_shared<rows> shared;                                                                               \
    conv_product<rows, mode>(&p, &shared, count, in, w, b, out, codes);                                                \
  }
CONV_KERNEL(conv_forward_8, 8, CONV_FORWARD)
CONV_KERNEL(conv_forward_16, 16, CONV_FORWARD)
CONV_KERNEL(conv_forward_32, 32, CONV_FORWARD)
CONV_KERNEL(conv_pooled_8, 8, CONV_POOLED)
CONV_KERNEL(conv_pooled_16, 16, CONV_POOLED)
CONV_KERNEL(conv_pooled_32, 32, CONV_POOLED)
CONV_KERNEL(conv_backward_8, 8, CONV_BACKWARD)
CONV_KERNEL(conv_backward_16, 16, CONV_BACKWARD)
CONV_KERNEL(conv_backward_32, 32, CONV_BACKWARD)

/* With the tile that wastes the fewest rows. */
static void multiply(const conv_plan *p, conv_mode mode, int64_t count, rh_tensor in, rh_tensor w, rh_tensor b,
                     rh_tensor out, rh_tensor codes)
{
  void (*const kernels[3][3])(conv_plan, int64_t, rh_tensor, rh_tensor, rh_tensor, rh_tensor,
                              rh_tensor) = {{conv_forward_8, conv_forward_16, conv_forward_32},
                                            {conv_pooled_8, conv_pooled_16, conv_pooled_32},
                                            {conv_backward_8, conv_backward_16, conv_backward_32}};
  const int size = p->rows <= 8 ? 0 : p->rows <= 16 ? 1 : 2, rows = 8 << size;
  const uint32_t columns = (uint32_t)(THREADS * TALL * WIDE / rows);
  const dim3 grid((p->columns + columns - 1) / columns, (unsigned)((p->rows + rows - 1) / rows),
                  (unsigned)(count < 65535 ? count : 65535));
  const auto convolution = kernels[mode][size];
  RH_LAUNCH(convolution, grid, THREADS, *p, count, in, w, b, out, codes);
}

static const rh_tensor none = {nullptr, 0};

static conv_plan plan(const rh_conv *c, bool backward)
{
  conv_plan p;
  const int height = (int)(c->height - c->kernel + 1), width = (int)(c->width - c->kernel + 1);
  p.c = *c;
  p.rows = (int)(backward ? c->in_channels : c->out_channels);
  p.from_channels = (int)(backward ? c->out_channels : c->in_channels);
  p.terms = (int)(p.from_channels * c->kernel * c->kernel);
  p.height = backward ? (int)c->height : height;
  p.width = backward ? (int)c->width : width;
  p.from_height = backward ? height : (int)c->height;
  p.from_width = backward ? width : (int)c->width;
  p.columns = (uint32_t)(c->batch * p.height * p.width);
  return p;
}

extern "C" int64_t rh_cuda_conv_scratch(const rh_conv *c)
{
  (void)c;
  return 0;
}

extern "C" void rh_cuda_conv_forward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor b,
                                     rh_tensor y, rh_tensor scratch)
{
  (void)scratch;
  const conv_plan p = plan(c, false);
  multiply(&p, CONV_FORWARD, count, x, w, b, y, none);
}

extern "C" void rh_cuda_conv_backward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor dy,
                                      rh_tensor dw, rh_tensor db, rh_tensor dx, rh_tensor scratch)
{
  (void)scratch;
  if (dw.data) rh_cuda_conv_weights(c, count, x, dy, dw, db);
  if (dx.data) {
    const conv_plan p = plan(c, true);
    multiply(&p, CONV_BACKWARD, count, dy, w, none, dx, none);
  }
}

/* Scratch: the gradient of the convolution's own result. */
extern "C" int64_t rh_cuda_conv_pool_scratch(const rh_conv *c)
{
  const int64_t height = c->height - c->kernel + 1, width = c->width - c->kernel + 1;
  return height < 2 || width < 2 ? -1 : c->batch * c->out_channels * height * width;
}

extern "C" void rh_cuda_conv_pool_forward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor b,
                                          rh_tensor y, rh_tensor places, rh_tensor scratch)
{
  (void)scratch;
  conv_plan p = plan(c, false);
  p.columns = (uint32_t)(4 * c->batch * (p.height / 2) * (p.width / 2));
  multiply(&p, CONV_POOLED, count, x, w, b, y, places);
}

/* dy goes where the maxima were that are above 0; elsewhere there is none. */
static __global__ void spread(uint32_t n, uint32_t height, uint32_t width, int64_t count, rh_tensor dy, rh_tensor codes,
                              rh_tensor out)
{
  const uint32_t squares_wide = width / 2, squares = height / 2 * squares_wide;
  RH_EACH(r, count, i, n)
  {
    const uint32_t plane = (uint32_t)i / (height * width), place = (uint32_t)i % (height * width);
    const uint32_t row = place / width, column = place % width;
    float d = 0;
    if (row / 2 < height / 2 && column / 2 < squares_wide) {
      const uint32_t square = plane * squares + row / 2 * squares_wide + column / 2;
      if (((const uint8_t *)rh_at(codes, r))[square] == (4 | row % 2 * 2 | column % 2)) d = rh_at(dy, r)[square];
    }
    rh_at(out, r)[i] = d;
  }
}

extern "C" void rh_cuda_conv_pool_backward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor dy,
                                           rh_tensor places, rh_tensor dw, rh_tensor db, rh_tensor dx,
                                           rh_tensor scratch)
{
  const int64_t height = c->height - c->kernel + 1, width = c->width - c->kernel + 1;
  const int64_t n = c->batch * c->out_channels * height * width;
  RH_LAUNCH(spread, rh_grid(n, count), RH_BLOCK, (uint32_t)n, (uint32_t)height, (uint32_t)width, count, dy, places,
            scratch);
  rh_cuda_conv_backward(c, count, x, w, scratch, dw, db, dx, none);
}
