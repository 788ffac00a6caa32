/* Convolution as a product of matrices, one image at a time, so that the unrolled image stays in the second-level
 * cache.
 *
 *   patches [C K K][places]   row (c, ky, kx) is the input plane c shifted by (ky, kx), cut to the output's size
 *   forward                   y  [O][places]   = w [O][C K K] patches + b
 *   weights                   dw^T [C K K][O]  = sum over images of patches dy^T: this way round the product is the
 * faster input                     dpatches         = w^T dy, added back to the places that the rows were cut from
 *
 * Source      Chellapilla, Puri, Simard, High performance convolutional neural networks for document processing, 2006
 */
#include "backend_cpu.h"

#include <cblas.h>
#include <string.h>

static int64_t out_height(const rh_conv *c)
{
  return c->height - c->kernel + 1;
}

static int64_t out_width(const rh_conv *c)
{
  return c->width - c->kernel + 1;
}

static int64_t patch_rows(const rh_conv *c)
{
  return c->in_channels * c->kernel * c->kernel;
}

/* Elements of patches, rounded up so that what follows them is aligned. */
static int64_t patches_size(const rh_conv *c)
{
  return (patch_rows(c) * out_height(c) * out_width(c) + 15) / 16 * 16;
}

/* The patches of one image, and dw transposed. */
int64_t rh_cpu_conv_scratch(const rh_conv *c)
{
  const int64_t unrolled = patches_size(c) + c->out_channels * patch_rows(c);
  const int64_t direct = rh_cpu_direct_fits(c) ? rh_cpu_direct_scratch(c) : 0;
  return direct > unrolled ? direct : unrolled;
}

/* Eight values that need not be aligned. The rows of small images are short: with blocks of a fixed length a row of 8
 * or 24 costs a few instructions, where a loop of any length, or a call of memcpy, costs several times that. */
typedef float block __attribute__((vector_size(8 * sizeof(float)), aligned(sizeof(float)), may_alias));
enum { BLOCK = 8 };

RH_INLINE void copy_row(int64_t n, const float *restrict from, float *restrict to)
{
  int64_t i = 0;
  for (; i + BLOCK <= n; i += BLOCK)
    *(block *)(to + i) = *(const block *)(from + i);
  for (; i < n; i++)
    to[i] = from[i];
}

RH_INLINE void add_row(int64_t n, const float *restrict from, float *restrict to)
{
  int64_t i = 0;
  for (; i + BLOCK <= n; i += BLOCK)
    *(block *)(to + i) += *(const block *)(from + i);
  for (; i < n; i++)
    to[i] += from[i];
}

/* One image x [C][H][W] to patches. */
RH_CLONES static void unroll(const rh_conv *c, const float *restrict x, float *restrict patches)
{
  const int64_t rows = out_height(c), columns = out_width(c), width = c->width;
  for (int64_t i = 0; i < c->in_channels; i++)
    for (int64_t ky = 0; ky < c->kernel; ky++)
      for (int64_t kx = 0; kx < c->kernel; kx++) {
        const float *from = x + (i * c->height + ky) * width + kx;
        for (int64_t row = 0; row < rows; row++, from += width, patches += columns)
          copy_row(columns, from, patches);
      }
}

/* The reverse: dx [C][H][W] = sum of what patches hold for each place. */
RH_CLONES static void roll(const rh_conv *c, const float *restrict patches, float *restrict dx)
{
  const int64_t rows = out_height(c), columns = out_width(c), width = c->width;
  memset(dx, 0, (size_t)(c->in_channels * c->height * width) * sizeof *dx);
  for (int64_t i = 0; i < c->in_channels; i++)
    for (int64_t ky = 0; ky < c->kernel; ky++)
      for (int64_t kx = 0; kx < c->kernel; kx++) {
        float *to = dx + (i * c->height + ky) * width + kx;
        for (int64_t row = 0; row < rows; row++, to += width, patches += columns)
          add_row(columns, patches, to);
      }
}

/* y [O][places] = b: what the product is added to. */
RH_CLONES static void fill_bias(int64_t outputs, int64_t places, const float *restrict b, float *restrict y)
{
  for (int64_t o = 0; o < outputs; o++)
    for (int64_t i = 0; i < places; i++)
      y[o * places + i] = b[o];
}

/* The sum of x [n] in 16 interleaved partial sums: an order that vectorises and is the same everywhere. */
RH_CLONES static float sum_plane(int64_t n, const float *x)
{
  enum { LANES = 16 };
  float lane[LANES] = {0}, sum = 0;
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES)
    for (int64_t k = 0; k < LANES; k++)
      lane[k] += x[i + k];
  for (int64_t k = 0; k < LANES; k++)
    sum += lane[k];
  for (; i < n; i++)
    sum += x[i];
  return sum;
}

void rh_cpu_conv_forward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor b, rh_tensor y,
                         rh_tensor scratch)
{
  const int outputs = (int)c->out_channels, rows = (int)patch_rows(c), places = (int)(out_height(c) * out_width(c));
  const int64_t in_size = c->in_channels * c->height * c->width, out_size = (int64_t)outputs * places;
  const bool direct = rh_cpu_direct_fits(c);
  for (int64_t r = 0; r < count; r++) {
    float *const patches = scratch.data + r * scratch.stride;
    if (direct)
      rh_cpu_direct_forward(c, x.data + r * x.stride, w.data + r * w.stride, b.data + r * b.stride,
                            y.data + r * y.stride, patches);
    for (int64_t n = 0; n < c->batch && !direct; n++) {
      float *const out = y.data + r * y.stride + n * out_size;
      unroll(c, x.data + r * x.stride + n * in_size, patches);
      fill_bias(outputs, places, b.data + r * b.stride, out);
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, outputs, places, rows, 1, w.data + r * w.stride, rows,
                  patches, places, 1, out, places);
    }
  }
}

/* Adds one image's share to dwt [C K K][O] and db, unless db is NULL; writes its dx, unless that is NULL. patches is
 * scratch. */
static void backward_image(const rh_conv *c, const float *x, const float *w, const float *dy, float *dwt, float *db,
                           float *dx, float *patches)
{
  const int outputs = (int)c->out_channels, rows = (int)patch_rows(c), places = (int)(out_height(c) * out_width(c));
  if (db) {
    for (int64_t o = 0; o < outputs; o++)
      db[o] += sum_plane(places, dy + o * places);
    unroll(c, x, patches);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, outputs, places, 1, patches, places, dy, places, 1, dwt,
                outputs);
  }
  if (!dx) return;
  cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, rows, places, outputs, 1, w, rows, dy, places, 0, patches,
              places);
  roll(c, patches, dx);
}

void rh_cpu_conv_backward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor dy, rh_tensor dw,
                          rh_tensor db, rh_tensor dx, rh_tensor scratch)
{
  const int64_t in_size = c->in_channels * c->height * c->width, rows = patch_rows(c), outputs = c->out_channels;
  const int64_t out_size = outputs * out_height(c) * out_width(c);
  const bool direct = rh_cpu_direct_fits(c);
  for (int64_t r = 0; r < count; r++) {
    if (direct) {
      float *const work = scratch.data + r * scratch.stride;
      const float *const dy_r = dy.data + r * dy.stride;
      if (dw.data)
        rh_cpu_direct_weights(c, x.data + r * x.stride, dy_r, dw.data + r * dw.stride, db.data + r * db.stride, work);
      if (dx.data) rh_cpu_direct_input(c, w.data + r * w.stride, dy_r, dx.data + r * dx.stride, work);
      continue;
    }
    float *const dw_r = dw.data ? dw.data + r * dw.stride : NULL, *const db_r = dw_r ? db.data + r * db.stride : NULL;
    float *const patches = scratch.data + r * scratch.stride, *const dwt = patches + patches_size(c);
    if (dw_r) {
      memset(dwt, 0, (size_t)(rows * outputs) * sizeof *dwt);
      memset(db_r, 0, (size_t)outputs * sizeof *db_r);
    }
    for (int64_t n = 0; n < c->batch; n++)
      backward_image(c, x.data + r * x.stride + n * in_size, w.data + r * w.stride,
                     dy.data + r * dy.stride + n * out_size, dwt, db_r,
                     dx.data ? dx.data + r * dx.stride + n * in_size : NULL, patches);
    for (int64_t o = 0; dw_r && o < outputs; o++)
      for (int64_t row = 0; row < rows; row++)
        dw_r[o * rows + row] = dwt[row * outputs + o];
  }
}
