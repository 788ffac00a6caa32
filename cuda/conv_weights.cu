/* Gradients of a convolution's weights and biases.
 *
 *     dw [O][C K K] = dy [O][B places]  patches^T [B places][C K K],    db [O] = sums of dy
 *
 * The result is small and the sums are long: a block makes a tile of ROWS x COLUMNS weights of one replica, walking over
 * the batch's places DEPTH at a time. A thread has 8 weights of two columns and takes one place in SLICES: thread
 * slices are added in their order at the end. It brings values of one place in DEPTH for all its taps, whose offsets it
 * has in registers; where places look is a table, so that nothing is divided where values are loaded.
 */
#include "launch.h"

enum { TALL = 8, COLUMNS = 32, HALF = COLUMNS / 2, DEPTH = 64, THREADS = 256, TOGETHER = THREADS / DEPTH };

static const uint32_t NOWHERE = 0xFFFFFFFF;

/* A place of the batch: its sample's first value under tap 0, or NOWHERE beyond the last, and its first channel's
 * gradient. 32 bits: see conv.cu. */
typedef struct weight_place {
  uint32_t x, dy;
} weight_place;

template <int ROWS> struct weights_shared {
  enum { SLICES = THREADS / HALF / (ROWS / TALL) };
  float4 gradient[DEPTH][ROWS / 4 + 1]; /* the last one is a gap, for the banks of memory */
  float patch[COLUMNS][DEPTH + 1], part[SLICES][ROWS][COLUMNS];
  weight_place at[2][DEPTH]; /* of this step and the next */
};

static __device__ weight_place place_of(const rh_conv *c, int64_t i)
{
  weight_place at;
  const uint32_t width = (uint32_t)(c->width - c->kernel + 1), places = (uint32_t)(c->height - c->kernel + 1) * width;
  const uint32_t place = (uint32_t)i % places, sample = (uint32_t)i / places;
  at.x = i < c->batch * places ? sample * (uint32_t)(c->in_channels * c->height * c->width) +
                                     place / width * (uint32_t)c->width + place % width
                               : NOWHERE;
  at.dy = sample * (uint32_t)c->out_channels * places + place;
  return at;
}

/* Where tap j looks from there; NOWHERE beyond the last tap. */
static __device__ uint32_t tap_offset(const rh_conv *c, int64_t j)
{
  const int64_t taps = c->kernel * c->kernel;
  if (j >= c->in_channels * taps) return NOWHERE;
  return (uint32_t)((j / taps * c->height + j % taps / c->kernel) * c->width + j % c->kernel);
}

/* A place's gradients and patch, as far as this thread brings them. Something is read in any case: see conv.cu. */
template <int ROWS>
static __device__ inline void bring(weights_shared<ROWS> *s, int step, const uint32_t *tap, uint32_t first_row,
                                    uint32_t rows, uint32_t places, const float *values, const float *gradients)
{
  const int t = (int)threadIdx.x, depth = t % DEPTH;
  const weight_place at = s->at[step][depth];
#pragma unroll
  for (int i = 0; i < ROWS / TOGETHER; i++) {
    const uint32_t row = (uint32_t)(t / DEPTH + i * TOGETHER), o = first_row + row;
    const bool there = (at.x != NOWHERE) & (o < rows); /* without a branch */
    const float value = gradients[there ? at.dy + o * places : 0];
    ((float *)s->gradient[depth])[row] = there ? value : 0;
  }
#pragma unroll
  for (int i = 0; i < COLUMNS / TOGETHER; i++) {
    const bool there = (at.x != NOWHERE) & (tap[i] != NOWHERE);
    const float value = values[there ? at.x + tap[i] : 0];
    s->patch[t / DEPTH + i * TOGETHER][depth] = there ? value : 0;
  }
}

/* One place of a thread's sums. */
template <int ROWS>
static __device__ inline void add_place(const weights_shared<ROWS> *s, int depth, int row, int column, float (*sum)[2])
{
  const float left = s->patch[column][depth], right = s->patch[column + HALF][depth];
  for (int i = 0; i < TALL; i += 4) {
    const float4 g = s->gradient[depth][(row + i) / 4];
    const float of[4] = {g.x, g.y, g.z, g.w};
    for (int k = 0; k < 4; k++) {
      sum[i + k][0] = fmaf(of[k], left, sum[i + k][0]);
      sum[i + k][1] = fmaf(of[k], right, sum[i + k][1]);
    }
  }
}

template <int ROWS>
static __device__ inline void weights_product(const rh_conv *c, weights_shared<ROWS> *s, int64_t count, rh_tensor x,
                                              rh_tensor dy, rh_tensor dw)
{
  enum { SLICES = weights_shared<ROWS>::SLICES, GROUPS = ROWS / TALL };
  const int t = (int)threadIdx.x, column = t % HALF, row = t / HALF % GROUPS * TALL;
  /* two slices of a warp look at places 16 apart, where no two of their values lie in one bank */
  const int warp = t / 32, half = GROUPS == 1 ? t / HALF % 2 : 0, slice = warp + 8 * half, nearest = warp + 16 * half;
  const int64_t places = (c->height - c->kernel + 1) * (c->width - c->kernel + 1), all = c->batch * places;
  const int64_t columns = c->in_channels * c->kernel * c->kernel;
  const int64_t first_column = (int64_t)blockIdx.x * COLUMNS, first_row = (int64_t)blockIdx.y * ROWS;
  uint32_t tap[COLUMNS / TOGETHER]; /* that it brings */
  for (int i = 0; i < COLUMNS / TOGETHER; i++)
    tap[i] = tap_offset(c, first_column + t / DEPTH + i * TOGETHER);
  for (int64_t r = blockIdx.z; r < count; r += gridDim.z) {
    float sum[TALL][2];
    for (int i = 0; i < TALL; i++)
      sum[i][0] = sum[i][1] = 0;
    if (t < DEPTH) s->at[0][t] = place_of(c, t);
    int step = 0;
    for (int64_t first = 0; first < all; first += DEPTH, step ^= 1) {
      __syncthreads();
      bring<ROWS>(s, step, tap, (uint32_t)first_row, (uint32_t)c->out_channels, (uint32_t)places, rh_at(x, r),
                  rh_at(dy, r));
      if (t < DEPTH) s->at[step ^ 1][t] = place_of(c, first + DEPTH + t);
      __syncthreads();
#pragma unroll
      for (int k = 0; k < DEPTH / SLICES; k++)
        add_place<ROWS>(s, nearest + (GROUPS == 1 ? k % 2 * 8 + k / 2 * 32 : k * 8), row, column, sum);
    }
    for (int i = 0; i < TALL; i++) {
      s->part[slice][row + i][column] = sum[i][0];
      s->part[slice][row + i][column + HALF] = sum[i][1];
    }
    __syncthreads();
    for (int i = t; i < ROWS * COLUMNS; i += THREADS) {
      const int64_t o = first_row + i / COLUMNS, j = first_column + i % COLUMNS;
      float total = 0;
      for (int k = 0; k < SLICES; k++)
        total += s->part[k][i / COLUMNS][i % COLUMNS];
      if (o < c->out_channels && j < columns) rh_at(dw, r)[o * columns + j] = total;
    }
    __syncthreads(); /* tables and parts are read until here */
  }
}

/* No templates: see conv.cu */
#define WEIGHTS_KERNEL(name, rows)                                                                                     \
  static __global__ void __launch_bounds__(THREADS, 3)                                                                 \
      name(rh_conv c, int64_t count, rh_tensor x, rh_tensor dy, rh_tensor dw)                                          \
  {                                                                                                                    \
    __shared__ weights_shared<rows> shared;                                                                            \
    weights_product<rows>(&c, &shared, count, x, dy, dw);                                                              \
  }
WEIGHTS_KERNEL(conv_weights_8, 8)
WEIGHTS_KERNEL(conv_weights_16, 16)

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
  const int64_t rows = c->out_channels <= 8 ? 8 : 16;
  const dim3 grid((unsigned)((columns + COLUMNS - 1) / COLUMNS), (unsigned)((c->out_channels + rows - 1) / rows),
                  replicas);
  const auto weights = rows == 8 ? conv_weights_8 : conv_weights_16;
  RH_LAUNCH(weights, grid, THREADS, *c, count, x, dy, dw);
  RH_LAUNCH(conv_biases, dim3((unsigned)(c->out_channels < 65535 ? c->out_channels : 65535), replicas), RH_BLOCK, *c,
            count, dy, db);
}
