/* Quantisers of training in 8 bits (train/quantise.h, train/int8.h): the host's formulas and draws, so its bits. A
 * range is found by one block for each replica; then values are quantised, eight a thread, which take one block of
 * Philox. */
#include "launch.h"
#include "philox.h"
#include "quantise.h"

enum { EIGHT = 8 };

static const uint32_t NAN_BITS = 0x7FC00000;

static __device__ bool is_finite(float x)
{
  return (__float_as_uint(x) & 0x7F800000) != 0x7F800000;
}

/* Of n values, the same to all threads: NaN where one is not finite; of nothing, or of zeros that are left out, none.
 * */
static __device__ rh_range range_of(const float *x, int64_t n, bool nonzero, float *low, float *high, int *wrong)
{
  const unsigned t = threadIdx.x;
  rh_range range;
  range.lo = 3.402823466e+38F;
  range.hi = -3.402823466e+38F;
  int bad = 0;
  for (int64_t i = t; i < n; i += RH_BLOCK) {
    if (nonzero && x[i] == 0) continue;
    bad |= !is_finite(x[i]);
    range.lo = x[i] < range.lo ? x[i] : range.lo;
    range.hi = x[i] > range.hi ? x[i] : range.hi;
  }
  low[t] = range.lo;
  high[t] = range.hi;
  wrong[t] = bad;
  __syncthreads();
  for (unsigned width = RH_BLOCK / 2; width > 0; width /= 2) {
    if (t < width) {
      low[t] = low[t + width] < low[t] ? low[t + width] : low[t];
      high[t] = high[t + width] > high[t] ? high[t + width] : high[t];
      wrong[t] |= wrong[t + width];
    }
    __syncthreads();
  }
  range.lo = wrong[0] ? __uint_as_float(NAN_BITS) : low[0];
  range.hi = wrong[0] ? __uint_as_float(NAN_BITS) : high[0];
  __syncthreads();
  return range;
}

static __device__ bool is_known(rh_range range)
{
  return !(range.lo > range.hi);
}

static __device__ rh_range follow(rh_range running, rh_range batch)
{
  if (!is_known(running)) return batch;
  running.lo = 0.1F * running.lo + 0.9F * batch.lo;
  running.hi = 0.1F * running.hi + 0.9F * batch.hi;
  return running;
}

static __global__ void measure(rh_quantising q, int64_t count, rh_tensor x, rh_range *running, int64_t step,
                               rh_range *out)
{
  __shared__ float low[RH_BLOCK], high[RH_BLOCK];
  __shared__ int wrong[RH_BLOCK];
  for (int64_t r = blockIdx.x; r < count; r += gridDim.x) {
    double lo = 0, hi = 0;
    rh_range one;
    for (int64_t b = 0; b < q.samples; b++) {
      one = range_of(rh_at(x, r) + b * q.n, q.n, q.nonzero, low, high, wrong);
      lo += one.lo;
      hi += one.hi;
    }
    if (q.samples > 1) {
      one.lo = (float)(lo / (double)q.samples);
      one.hi = (float)(hi / (double)q.samples);
    }
    if (threadIdx.x == 0) {
      rh_range *const mine = running ? running + r * step : nullptr;
      if (mine && q.evaluates && is_known(*mine)) one = *mine;
      if (mine && !q.evaluates) *mine = follow(*mine, one);
      out[r] = one;
    }
    __syncthreads();
  }
}

/* (x - lo) / scale within the levels; a NaN passes. */
static __device__ float level_of(float x, float lo, float inverse)
{
  const float t = (x - lo) * inverse, low = t < 0 ? 0 : t;
  return low > 255 ? 255 : low;
}

static __global__ void quantise(rh_quantising q, philox stream, int64_t count, const rh_range *ranges, rh_tensor x,
                                rh_tensor y)
{
  const float round = 12582912.0F; /* 1.5 x 2^23: leaves the whole part, rounded to even */
  RH_EACH(r, count, eight, (q.values + EIGHT - 1) / EIGHT)
  {
    const rh_range range = ranges[r];
    const bool finite = is_finite(range.lo) && is_finite(range.hi), known = is_known(range);
    const double wide = ((double)range.hi - (double)range.lo) / 255, scale_ = wide > 1e-8 ? wide : 1e-8;
    const float scale = (float)scale_, inverse = (float)(1 / scale_);
    uint32_t draws[4];
    if (q.stochastic) philox_block(&stream, (uint32_t)r, (uint32_t)eight, draws);
    for (int64_t i = eight * EIGHT; i < (eight + 1) * EIGHT && i < q.values; i++) {
      const float value = rh_at(x, r)[i], level = level_of(value, range.lo, inverse);
      float result;
      if (q.nonzero && (value == 0 || !known)) {
        result = 0;
      } else if (!finite) {
        result = __uint_as_float(NAN_BITS);
      } else if (q.stochastic) {
        const int k = (int)(i % EIGHT);
        const int32_t draw = (int32_t)(draws[k / 2] >> 16 * (k % 2) & 0xFFFF);
        result = (float)(((int32_t)(level * 65536 + 0.5F) + draw) >> 16) * scale + range.lo;
      } else {
        result = (level + round - round) * scale + range.lo;
      }
      rh_at(y, r)[i] = result;
    }
  }
}

static struct {
  rh_range *list;
  int64_t count;
} room;

extern "C" void rh_cuda_quantise(const rh_quantising *q, const rh_rng *stream, int64_t count, rh_tensor x, rh_tensor y,
                                 rh_range *running, int64_t step)
{
  if (count > room.count) {
    rh_cuda_release(room.list);
    room.list = (rh_range *)rh_cuda_alloc((size_t)count * sizeof *room.list);
    room.count = room.list ? count : 0;
    if (!room.list) rh_cuda_check(cudaErrorMemoryAllocation, "ranges of tensors");
  }
  const philox p = stream ? philox_of(stream) : philox();
  RH_LAUNCH(measure, dim3((unsigned)(count < 65535 ? count : 65535)), RH_BLOCK, *q, count, x, running, step, room.list);
  RH_LAUNCH(quantise, rh_grid((q->values + EIGHT - 1) / EIGHT, count), RH_BLOCK, *q, p, count, room.list, x, y);
}
