/* Gradients of a convolution's weights and biases.
 *
 *     dw [O][C K K] = dy [O][B places]  patches^T [B places][C K K],    db [O] = sums of dy
 *
 * The result is small and the sums are long: a block makes a tile of ROWS x COLUMNS weights of one replica, walking over
 * the batch's places DEPTH at a time, four threads' worth of partial sums side by side: slice s takes the places that are
 * s modulo SLICES, and slices are added in their order at the end.
 */
#include "launch.h"

enum { ROWS = 8, COLUMNS = 32, DEPTH = 32, SLICES = 4, THREADS = 256, SIDE = 4, GROUP = THREADS / SLICES };
/* a slice's GROUP threads make ROWS x COLUMNS sums: SIDE each, of one column */

/* Where tap j of the image of sample n looks, for a place of the output; -1 beyond the last tap. */
static __device__ int64_t tap_offset(const rh_conv *c, int64_t j)
{
  const int64_t taps = c->kernel * c->kernel;
  if (j >= c->in_channels * taps) return -1;
  return (j / taps * c->height + j % taps / c->kernel) * c->width + j % c->kernel;
}

static __global__ void conv_weights(rh_conv c, int64_t count, rh_tensor x, rh_tensor dy, rh_tensor dw)
{
  __shared__ float gradient[ROWS][DEPTH + 1], patch[COLUMNS][DEPTH + 1], part[SLICES][ROWS][COLUMNS];
  __shared__ int64_t tap[COLUMNS];
  const int t = (int)threadIdx.x, slice = t / GROUP, column = t % GROUP % COLUMNS, row = t % GROUP / COLUMNS * SIDE;
  const int64_t out_width = c.width - c.kernel + 1, places = (c.height - c.kernel + 1) * out_width;
  const int64_t all = c.batch * places, columns = c.in_channels * c.kernel * c.kernel;
  const int64_t first_column = (int64_t)blockIdx.x * COLUMNS, first_row = (int64_t)blockIdx.y * ROWS;
  const int64_t image = c.in_channels * c.height * c.width;
  if (t < COLUMNS) tap[t] = tap_offset(&c, first_column + t);
  for (int64_t r = blockIdx.z; r < count; r += gridDim.z) {
    float sum[SIDE];
    for (int i = 0; i < SIDE; i++)
      sum[i] = 0;
    for (int64_t first = 0; first < all; first += DEPTH) {
      __syncthreads();
      for (int i = t; i < ROWS * DEPTH; i += THREADS) {
        const int64_t at = first + i % DEPTH, o = first_row + i / DEPTH;
        gradient[i / DEPTH][i % DEPTH] = at < all && o < c.out_channels
                                             ? rh_at(dy, r)[(at / places * c.out_channels + o) * places + at % places]
                                             : 0;
      }
      for (int i = t; i < COLUMNS * DEPTH; i += THREADS) {
        const int64_t at = first + i % DEPTH, place = at % places, offset = tap[i / DEPTH];
        patch[i / DEPTH][i % DEPTH] =
            at < all && offset >= 0
                ? rh_at(x, r)[at / places * image + place / out_width * c.width + place % out_width + offset]
                : 0;
      }
      __syncthreads();
      for (int depth = slice; depth < DEPTH; depth += SLICES)
        for (int i = 0; i < SIDE; i++)
          sum[i] = fmaf(gradient[row + i][depth], patch[column][depth], sum[i]);
    }
    for (int i = 0; i < SIDE; i++)
      part[slice][row + i][column] = sum[i];
    __syncthreads();
    const int64_t o = first_row + t / COLUMNS, j = first_column + t % COLUMNS; /* THREADS = ROWS x COLUMNS */
    if (o < c.out_channels && j < columns) {
      float total = 0;
      for (int s = 0; s < SLICES; s++)
        total += part[s][t / COLUMNS][t % COLUMNS];
      rh_at(dw, r)[o * columns + j] = total;
    }
  }
}

/* A block is one output channel of one replica; its threads' sums are added as a tree. */
static __global__ void conv_biases(rh_conv c, int64_t count, rh_tensor dy, rh_tensor db)
{
  __shared__ float part[RH_BLOCK];
  const int64_t places = (c.height - c.kernel + 1) * (c.width - c.kernel + 1), all = c.batch * places;
  for (int64_t r = blockIdx.y; r < count; r += gridDim.y)
    for (int64_t o = blockIdx.x; o < c.out_channels; o += gridDim.x) {
      float sum = 0;
      for (int64_t i = threadIdx.x; i < all; i += RH_BLOCK)
        sum += rh_at(dy, r)[(i / places * c.out_channels + o) * places + i % places];
      part[threadIdx.x] = sum;
      __syncthreads();
      for (int width = RH_BLOCK / 2; width > 0; width /= 2) {
        if (threadIdx.x < width) part[threadIdx.x] += part[threadIdx.x + width];
        __syncthreads();
      }
      if (threadIdx.x == 0) rh_at(db, r)[o] = part[0];
      __syncthreads();
    }
}

extern "C" void rh_cuda_conv_weights(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor dy, rh_tensor dw,
                                     rh_tensor db)
{
  const int64_t columns = c->in_channels * c->kernel * c->kernel;
  const unsigned replicas = (unsigned)(count < 65535 ? count : 65535);
  const dim3 grid((unsigned)((columns + COLUMNS - 1) / COLUMNS), (unsigned)((c->out_channels + ROWS - 1) / ROWS),
                  replicas);
  RH_LAUNCH(conv_weights, grid, THREADS, *c, count, x, dy, dw);
  RH_LAUNCH(conv_biases, dim3((unsigned)(c->out_channels < 65535 ? c->out_channels : 65535), replicas), RH_BLOCK, *c,
            count, dy, db);
}
