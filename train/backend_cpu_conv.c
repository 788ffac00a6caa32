/* Convolution as a product of matrices, one image at a time, so that the unrolled image stays in the second-level
 * cache.
 *
 *   patches [C K K][places]   row (c, ky, kx) is the input plane c shifted by (ky, kx), cut to the output's size
 *   forward                   y  [O][places]   = w [O][C K K] patches + b
 *   weights                   dw [O][C K K]    = sum over images of dy [O][places] patches^T
 *   input                     dpatches         = w^T dy, added back to the places that the rows were cut from
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

int64_t rh_cpu_conv_scratch(const rh_conv *c)
{
  return patch_rows(c) * out_height(c) * out_width(c);
}

/* Blocks of eight have a length that the compiler knows, so that the short rows of small images cost one or two
 * instructions instead of a call or a loop with its prologue. */
RH_INLINE void copy_row(int64_t n, const float *restrict from, float *restrict to)
{
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    memcpy(to + i, from + i, 8 * sizeof *to);
  for (; i < n; i++)
    to[i] = from[i];
}

RH_INLINE void add_row(int64_t n, const float *restrict from, float *restrict to)
{
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int64_t k = i; k < i + 8; k++)
      to[k] += from[k];
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
  for (int64_t r = 0; r < count; r++) {
    float *const patches = scratch.data + r * scratch.stride;
    for (int64_t n = 0; n < c->batch; n++) {
      float *const out = y.data + r * y.stride + n * out_size;
      unroll(c, x.data + r * x.stride + n * in_size, patches);
      fill_bias(outputs, places, b.data + r * b.stride, out);
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, outputs, places, rows, 1, w.data + r * w.stride, rows,
                  patches, places, 1, out, places);
    }
  }
}

/* Adds one image's share to dw and db; writes its dx unless that is NULL. patches is scratch. */
static void backward_image(const rh_conv *c, const float *x, const float *w, const float *dy, float *dw, float *db,
                           float *dx, float *patches)
{
  const int outputs = (int)c->out_channels, rows = (int)patch_rows(c), places = (int)(out_height(c) * out_width(c));
  for (int64_t o = 0; o < outputs; o++)
    db[o] += sum_plane(places, dy + o * places);
  unroll(c, x, patches);
  cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, outputs, rows, places, 1, dy, places, patches, places, 1, dw,
              rows);
  if (!dx) return;
  cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, rows, places, outputs, 1, w, rows, dy, places, 0, patches,
              places);
  roll(c, patches, dx);
}

void rh_cpu_conv_backward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor dy, rh_tensor dw,
                          rh_tensor db, rh_tensor dx, rh_tensor scratch)
{
  const int64_t in_size = c->in_channels * c->height * c->width;
  const int64_t out_size = c->out_channels * out_height(c) * out_width(c);
  for (int64_t r = 0; r < count; r++) {
    float *const dw_r = dw.data + r * dw.stride, *const db_r = db.data + r * db.stride;
    memset(dw_r, 0, (size_t)(c->out_channels * patch_rows(c)) * sizeof *dw_r);
    memset(db_r, 0, (size_t)c->out_channels * sizeof *db_r);
    for (int64_t n = 0; n < c->batch; n++)
      backward_image(c, x.data + r * x.stride + n * in_size, w.data + r * w.stride,
                     dy.data + r * dy.stride + n * out_size, dw_r, db_r,
                     dx.data ? dx.data + r * dx.stride + n * in_size : NULL, scratch.data + r * scratch.stride);
  }
}
