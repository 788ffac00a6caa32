/* Convolution forward, and back to its input, as products of matrices whose second factor is never written: its values
 * are taken from the image where they are needed.
 *
 *     forward     y  [O][B places]   = w [O][C K K]   patches [C K K][B places]    + b
 *     backward    dx [C][B H W]      = w'[C][O K K]   covers  [O K K][B H W]
 *
 * covers holds for each place of x, output channel and tap the gradient of the output that saw the place under this tap,
 * or 0. A block makes a tile of ROWS x COLUMNS of one replica in registers, 4 x 4 a thread, DEPTH terms at a time from
 * shared memory. Sums run in f32 over the terms in their order, fused.
 * Source      Chellapilla, Puri, Simard, High performance convolutional neural networks for document processing, 2006
 */
#include "launch.h"

enum { DEPTH = 8, THREADS = 128, SIDE = 4 }; /* ROWS x COLUMNS = THREADS x SIDE x SIDE */

/* One of the two products. */
typedef struct conv_plan {
  rh_conv c;
  bool backward;
  int rows;          /* of the result: O or C */
  int terms;         /* of a sum: C K K or O K K */
  int64_t columns;   /* B x places */
  int height, width; /* of a plane of the result */
} conv_plan;

/* A column of the result: which sample and place it is. */
typedef struct conv_column {
  int64_t image; /* offset of its sample in what is read; -1: beyond the last column */
  int row, column;
} conv_column;

static __device__ conv_column column_of(const conv_plan *p, int64_t j)
{
  conv_column at;
  const int places = p->height * p->width, place = (int)(j % places);
  const rh_conv *c = &p->c;
  const int64_t out = (c->height - c->kernel + 1) * (c->width - c->kernel + 1);
  const int64_t image = p->backward ? c->out_channels * out : c->in_channels * c->height * c->width;
  at.image = j < p->columns ? j / places * image : -1;
  at.row = place / p->width;
  at.column = place % p->width;
  return at;
}

/* Term k of a column: the value of patches or covers. */
static __device__ float value_of(const conv_plan *p, const float *x, const conv_column *at, int k)
{
  const int kernel = (int)p->c.kernel, channel = k / (kernel * kernel), ky = k / kernel % kernel, kx = k % kernel;
  const int height = (int)p->c.height, width = (int)p->c.width;
  if (at->image < 0) return 0;
  if (!p->backward) return x[at->image + ((int64_t)channel * height + at->row + ky) * width + at->column + kx];
  const int rows = height - kernel + 1, columns = width - kernel + 1, row = at->row - ky, column = at->column - kx;
  if (row < 0 || row >= rows || column < 0 || column >= columns) return 0;
  return x[at->image + ((int64_t)channel * rows + row) * columns + column];
}

/* Entry (i, k) of w or w'. */
static __device__ float weight_of(const conv_plan *p, const float *w, int i, int k)
{
  const int taps = (int)(p->c.kernel * p->c.kernel), inputs = (int)p->c.in_channels;
  if (i >= p->rows || k >= p->terms) return 0;
  if (!p->backward) return w[(int64_t)i * p->terms + k];
  return w[((int64_t)(k / taps) * inputs + i) * taps + k % taps];
}

template <int ROWS>
static __global__ void conv_product(conv_plan p, int64_t count, rh_tensor in, rh_tensor w, rh_tensor b, rh_tensor out)
{
  enum { COLUMNS = THREADS * SIDE * SIDE / ROWS, WIDE = COLUMNS / SIDE };
  __shared__ float weights[DEPTH][ROWS], values[DEPTH][COLUMNS];
  __shared__ conv_column at[COLUMNS];
  const int t = (int)threadIdx.x, row = t / WIDE * SIDE, column = t % WIDE; /* its columns are WIDE apart */
  const int64_t first_column = (int64_t)blockIdx.x * COLUMNS;
  const int first_row = (int)blockIdx.y * ROWS;
  for (int j = t; j < COLUMNS; j += THREADS)
    at[j] = column_of(&p, first_column + j);
  for (int64_t r = blockIdx.z; r < count; r += gridDim.z) {
    float sum[SIDE][SIDE];
    for (int i = 0; i < SIDE; i++)
      for (int j = 0; j < SIDE; j++)
        sum[i][j] = 0;
    for (int k = 0; k < p.terms; k += DEPTH) {
      __syncthreads();
      for (int i = t; i < DEPTH * ROWS; i += THREADS)
        weights[i % DEPTH][i / DEPTH] = weight_of(&p, rh_at(w, r), first_row + i / DEPTH, k + i % DEPTH);
      for (int i = t; i < DEPTH * COLUMNS; i += THREADS) {
        const int depth = i / COLUMNS, j = i % COLUMNS;
        values[depth][j] = k + depth < p.terms ? value_of(&p, rh_at(in, r), &at[j], k + depth) : 0;
      }
      __syncthreads();
      for (int depth = 0; depth < DEPTH; depth++)
        for (int i = 0; i < SIDE; i++)
          for (int j = 0; j < SIDE; j++)
            sum[i][j] = fmaf(weights[depth][row + i], values[depth][column + j * WIDE], sum[i][j]);
    }
    const int places = p.height * p.width;
    for (int i = 0; i < SIDE; i++)
      for (int j = 0; j < SIDE; j++) {
        const int64_t to = first_column + column + j * WIDE;
        const int64_t o = first_row + row + i;
        if (o >= p.rows || to >= p.columns) continue;
        rh_at(out, r)[(to / places * p.rows + o) * places + to % places] =
            b.data ? sum[i][j] + rh_at(b, r)[o] : sum[i][j];
      }
  }
}

template <int ROWS>
static void launch(const conv_plan *p, int64_t count, rh_tensor in, rh_tensor w, rh_tensor b, rh_tensor out)
{
  const int columns = THREADS * SIDE * SIDE / ROWS;
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
  p.c = *c;
  p.backward = backward;
  p.rows = (int)(backward ? c->in_channels : c->out_channels);
  p.terms = (int)((backward ? c->out_channels : c->in_channels) * c->kernel * c->kernel);
  p.height = (int)(backward ? c->height : c->height - c->kernel + 1);
  p.width = (int)(backward ? c->width : c->width - c->kernel + 1);
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
