/* Gradients of a convolution's weights and biases.
 *
 *     dw [O][C K K] = dy [O][B places]  patches^T [B places][C K K],    db [O] = sums of dy
 *
 * The result is small and the sums are long: a block makes a tile of 8 x 32 weights of one replica, walking over the
 * batch's places DEPTH at a time. A thread has 8 weights of one column and takes every eighth place: thread slices are
 * added in their order at the end. Where a place and a tap look are tables, so that nothing is divided where values are
 * loaded.
 */
#include "launch.h"

enum { ROWS = 8, COLUMNS = 32, DEPTH = 64, SLICES = 8, THREADS = COLUMNS * SLICES /* = ROWS x COLUMNS */ };

/* A place of the batch: its sample's first value under tap 0, and its first channel's gradient; -1: beyond the last. */
typedef struct weight_place {
  int64_t x, dy;
} weight_place;

static __device__ weight_place place_of(const rh_conv *c, int64_t i)
{
  weight_place at;
  const uint32_t width = (uint32_t)(c->width - c->kernel + 1), places = (uint32_t)(c->height - c->kernel + 1) * width;
  const uint32_t place = (uint32_t)i % places; /* 32 bits: see conv.cu */
  const int64_t sample = (uint32_t)i / places;
  at.x = i < c->batch * places
             ? sample * c->in_channels * c->height * c->width + place / width * c->width + place % width
             : -1;
  at.dy = sample * c->out_channels * places + place;
  return at;
}

/* Where tap j looks from there; -1 beyond the last tap. */
static __device__ int64_t tap_offset(const rh_conv *c, int64_t j)
{
  const int64_t taps = c->kernel * c->kernel;
  if (j >= c->in_channels * taps) return -1;
  return (j / taps * c->height + j % taps / c->kernel) * c->width + j % c->kernel;
}

static __global__ void conv_weights(rh_conv c, int64_t count, rh_tensor x, rh_tensor dy, rh_tensor dw)
{
  __shared__ float4 gradient[DEPTH][ROWS / 4];
  __shared__ float patch[COLUMNS][DEPTH + 1], part[SLICES][ROWS][COLUMNS];
  __shared__ weight_place at[2][DEPTH]; /* of this step and the next */
  __shared__ int64_t tap[COLUMNS];
  const int t = (int)threadIdx.x, slice = t / COLUMNS, column = t % COLUMNS;
  const int64_t places = (c.height - c.kernel + 1) * (c.width - c.kernel + 1), all = c.batch * places;
  const int64_t columns = c.in_channels * c.kernel * c.kernel;
  const int64_t first_column = (int64_t)blockIdx.x * COLUMNS, first_row = (int64_t)blockIdx.y * ROWS;
  if (t < COLUMNS) tap[t] = tap_offset(&c, first_column + t);
  for (int64_t r = blockIdx.z; r < count; r += gridDim.z) {
    const float *const values = rh_at(x, r), *const gradients = rh_at(dy, r);
    float sum[ROWS];
    for (int i = 0; i < ROWS; i++)
      sum[i] = 0;
    if (t < DEPTH) at[0][t] = place_of(&c, t);
    int step = 0;
    for (int64_t first = 0; first < all; first += DEPTH, step ^= 1) {
      __syncthreads();
      for (int i = t; i < ROWS * DEPTH; i += THREADS) {
        const weight_place *const p = &at[step][i % DEPTH];
        const int64_t o = first_row + i / DEPTH;
        ((float *)gradient[i % DEPTH])[i / DEPTH] = p->x >= 0 && o < c.out_channels ? gradients[p->dy + o * places] : 0;
      }
      for (int i = t; i < COLUMNS * DEPTH; i += THREADS) {
        const weight_place *const p = &at[step][i % DEPTH];
        const int64_t offset = tap[i / DEPTH];
        patch[i / DEPTH][i % DEPTH] = p->x >= 0 && offset >= 0 ? values[p->x + offset] : 0;
      }
      if (t < DEPTH) at[step ^ 1][t] = place_of(&c, first + DEPTH + t);
      __syncthreads();
      for (int depth = slice; depth < DEPTH; depth += SLICES) {
        const float value = patch[column][depth];
        for (int i = 0; i < ROWS; i += 4) {
          const float4 g = gradient[depth][i / 4];
          sum[i] = fmaf(g.x, value, sum[i]);
          sum[i + 1] = fmaf(g.y, value, sum[i + 1]);
          sum[i + 2] = fmaf(g.z, value, sum[i + 2]);
          sum[i + 3] = fmaf(g.w, value, sum[i + 3]);
        }
      }
    }
    for (int i = 0; i < ROWS; i++)
      part[slice][i][column] = sum[i];
    __syncthreads();
    const int64_t o = first_row + t / COLUMNS, j = first_column + t % COLUMNS;
    if (o < c.out_channels && j < columns) {
      float total = 0;
      for (int s = 0; s < SLICES; s++)
        total += part[s][t / COLUMNS][t % COLUMNS];
      rh_at(dw, r)[o * columns + j] = total;
    }
    __syncthreads(); /* tables and parts are read until here */
  }
}

/* A block is one output channel of one replica; its threads' sums are added as a tree. */
static __global__ void conv_biases(rh_conv c, int64_t count, rh_tensor dy, rh_tensor db)
{
  __shared__ float part[RH_BLOCK];
  const uint32_t places = (uint32_t)((c.height - c.kernel + 1) * (c.width - c.kernel + 1)); /* 32 bits: see conv.cu */
  const uint32_t all = (uint32_t)c.batch * places;
  for (int64_t r = blockIdx.y; r < count; r += gridDim.y)
    for (int64_t o = blockIdx.x; o < c.out_channels; o += gridDim.x) {
      float sum = 0;
      for (uint32_t i = threadIdx.x; i < all; i += RH_BLOCK)
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
