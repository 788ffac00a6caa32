/* Convolution forward, and back to its input, as products of matrices whose second factor is never written: its values
 * are taken from the image where they are needed.
 *
 *     forward     y  [O][B places]   = w [O][C K K]   patches [C K K][B places]    + b
 *     backward    dx [C][B H W]      = w'[C][O K K]   covers  [O K K][B H W]
 *
 * covers holds for each place of x, output channel and tap the gradient of the output that saw the place under this
 * tap, or 0. A block makes a tile of ROWS x COLUMNS of one replica in registers, 8 x 4 a thread, DEPTH terms at a time
 * from shared memory. A term's offset is its channel's and tap's plus its column's: both are tables, so that nothing is
 * divided where values are loaded. Sums run in f32 over the terms in their order, fused.
 * Source      Chellapilla, Puri, Simard, High performance convolutional neural networks for document processing, 2006
 */
#include "launch.h"

enum { DEPTH = 8, THREADS = 128, TALL = 8, WIDE = 4 /* values of a thread */ };

/* One of the two products. */
typedef struct conv_plan {
  rh_conv c;
  bool backward;
  int rows;                    /* of the result: O or C */
  int terms;                   /* of a sum: C K K or O K K */
  int64_t columns;             /* B x places */
  int height, width;           /* of a plane of the result */
  int from_height, from_width; /* of a plane of what is read */
  int from_channels;
} conv_plan;

/* A column of the result: the offset in what is read of its sample and place, which tap 0 sees; and the place. */
typedef struct conv_column {
  int64_t offset; /* -1: beyond the last column */
  int row, column;
} conv_column;

/* A term: where it looks from there, and where its weights are. */
typedef struct conv_term {
  int offset, row, column; /* added to a column's */
  int weight;              /* -1: beyond the last term */
} conv_term;

static __device__ conv_column column_of(const conv_plan *p, int64_t j)
{
  conv_column at;
  const int places = p->height * p->width, place = (int)(j % places);
  at.row = place / p->width;
  at.column = place % p->width;
  at.offset = -1;
  if (j < p->columns)
    at.offset = j / places * p->from_channels * p->from_height * p->from_width + at.row * p->from_width + at.column;
  return at;
}

static __device__ conv_term term_of(const conv_plan *p, int k)
{
  conv_term term;
  const int kernel = (int)p->c.kernel, taps = kernel * kernel, channel = k / taps, tap = k % taps;
  const int sign = p->backward ? -1 : 1;
  term.row = sign * (tap / kernel);
  term.column = sign * (tap % kernel);
  term.offset = channel * p->from_height * p->from_width + term.row * p->from_width + term.column;
  term.weight = k >= p->terms ? -1 : p->backward ? channel * (int)p->c.in_channels * taps + tap : k;
  return term;
}

static __device__ float value_of(const conv_plan *p, const float *x, const conv_column *at, const conv_term *term)
{
  if (at->offset < 0 || term->weight < 0) return 0;
  if (p->backward) { /* the output need not be there */
    const int row = at->row + term->row, column = at->column + term->column;
    if (row < 0 || row >= p->from_height || column < 0 || column >= p->from_width) return 0;
  }
  return x[at->offset + term->offset];
}

template <int ROWS>
static __global__ void conv_product(conv_plan p, int64_t count, rh_tensor in, rh_tensor w, rh_tensor b, rh_tensor out)
{
  enum { COLUMNS = THREADS * TALL * WIDE / ROWS, APART = COLUMNS / WIDE };
  __shared__ float4 weights[DEPTH][ROWS / 4];
  __shared__ float values[DEPTH][COLUMNS];
  __shared__ conv_column at[COLUMNS];
  __shared__ conv_term terms[2][DEPTH];                                       /* of this step and the next */
  const int t = (int)threadIdx.x, row = t / APART * TALL, column = t % APART; /* its columns are APART apart */
  const int64_t first_column = (int64_t)blockIdx.x * COLUMNS;
  const int first_row = (int)blockIdx.y * ROWS, taps = (int)(p.c.kernel * p.c.kernel);
  const int row_step = p.backward ? taps : p.terms; /* from a row's weight to the next row's */
  for (int j = t; j < COLUMNS; j += THREADS)
    at[j] = column_of(&p, first_column + j);
  for (int64_t r = blockIdx.z; r < count; r += gridDim.z) {
    const float *const from = rh_at(in, r), *const weight = rh_at(w, r);
    float sum[TALL][WIDE];
    for (int i = 0; i < TALL; i++)
      for (int j = 0; j < WIDE; j++)
        sum[i][j] = 0;
    if (t < DEPTH) terms[0][t] = term_of(&p, t);
    for (int k = 0, step = 0; k < p.terms; k += DEPTH, step ^= 1) {
      __syncthreads();
      for (int i = t; i < DEPTH * ROWS; i += THREADS) {
        const conv_term *const term = &terms[step][i / ROWS];
        const int o = first_row + i % ROWS;
        ((float *)weights[i / ROWS])[i % ROWS] =
            term->weight >= 0 && o < p.rows ? weight[(int64_t)o * row_step + term->weight] : 0;
      }
      for (int i = t; i < DEPTH * COLUMNS; i += THREADS)
        values[i / COLUMNS][i % COLUMNS] = value_of(&p, from, &at[i % COLUMNS], &terms[step][i / COLUMNS]);
      if (t < DEPTH) terms[step ^ 1][t] = term_of(&p, k + DEPTH + t);
      __syncthreads();
      for (int depth = 0; depth < DEPTH; depth++) {
        float x[WIDE];
        for (int j = 0; j < WIDE; j++)
          x[j] = values[depth][column + j * APART];
        for (int i = 0; i < TALL; i += 4) {
          const float4 a = weights[depth][(row + i) / 4];
          for (int j = 0; j < WIDE; j++) {
            sum[i][j] = fmaf(a.x, x[j], sum[i][j]);
            sum[i + 1][j] = fmaf(a.y, x[j], sum[i + 1][j]);
            sum[i + 2][j] = fmaf(a.z, x[j], sum[i + 2][j]);
            sum[i + 3][j] = fmaf(a.w, x[j], sum[i + 3][j]);
          }
        }
      }
    }
    const int places = p.height * p.width;
    for (int j = 0; j < WIDE; j++) {
      const int64_t to = first_column + column + j * APART;
      if (to >= p.columns) continue;
      float *const plane = rh_at(out, r) + to / places * p.rows * places + to % places;
      for (int i = 0; i < TALL; i++) {
        const int o = first_row + row + i;
        if (o < p.rows) plane[(int64_t)o * places] = b.data ? sum[i][j] + rh_at(b, r)[o] : sum[i][j];
      }
    }
    __syncthreads(); /* tables are read until here */
  }
}

template <int ROWS>
static void launch(const conv_plan *p, int64_t count, rh_tensor in, rh_tensor w, rh_tensor b, rh_tensor out)
{
  const int columns = THREADS * TALL * WIDE / ROWS;
  const dim3 grid((unsigned)((p->columns + columns - 1) / columns), (unsigned)((p->rows + ROWS - 1) / ROWS),
                  (unsigned)(count < 65535 ? count : 65535));
  RH_LAUNCH(conv_product<ROWS>, grid, THREADS, *p, count, in, w, b, out);
}

/* With the tile that wastes the fewest rows. */
static void multiply(const conv_plan *p, int64_t count, rh_tensor in, rh_tensor w, rh_tensor b, rh_tensor out)
{
  if (p->rows <= 8)
    launch<8>(p, count, in, w, b, out);
  else if (p->rows <= 16)
    launch<16>(p, count, in, w, b, out);
  else
    launch<32>(p, count, in, w, b, out);
}

static conv_plan plan(const rh_conv *c, bool backward)
{
  conv_plan p;
  const int height = (int)(c->height - c->kernel + 1), width = (int)(c->width - c->kernel + 1);
  p.c = *c;
  p.backward = backward;
  p.rows = (int)(backward ? c->in_channels : c->out_channels);
  p.from_channels = (int)(backward ? c->out_channels : c->in_channels);
  p.terms = (int)(p.from_channels * c->kernel * c->kernel);
  p.height = backward ? (int)c->height : height;
  p.width = backward ? (int)c->width : width;
  p.from_height = backward ? height : (int)c->height;
  p.from_width = backward ? width : (int)c->width;
  p.columns = c->batch * p.height * p.width;
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
  multiply(&p, count, x, w, b, y);
}

extern "C" void rh_cuda_conv_backward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor dy,
                                      rh_tensor dw, rh_tensor db, rh_tensor dx, rh_tensor scratch)
{
  (void)scratch;
  if (dw.data) rh_cuda_conv_weights(c, count, x, dy, dw, db);
  if (dx.data) {
    const conv_plan p = plan(c, true);
    const rh_tensor none = {nullptr, 0};
    multiply(&p, count, dy, w, none, dx);
  }
}
