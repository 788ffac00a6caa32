/* fp16 and bf16 as compress_half.c rounds them, and sums of them in half precision. */
#include "coding.h"

static __device__ uint16_t to_fp16(float x)
{
  const uint32_t b = __float_as_uint(x), a = b & 0x7FFFFFFF, sign = b >> 16 & 0x8000;
  if (a < 113U << 23) { /* subnormal: adding 1/2 leaves units of 2^-24, and rounds */
    const uint32_t h = __float_as_uint(__uint_as_float(a) + 0.5F) - __float_as_uint(0.5F);
    return (uint16_t)(h | sign);
  }
  if (a >= 143U << 23) return (uint16_t)((a > 0x7F800000 ? 0x7E00 | (a >> 13 & 0x3FF) : 0x7C00) | sign);
  return (uint16_t)((a - (112U << 23) + 0xFFF + (a >> 13 & 1)) >> 13 | sign);
}

static __device__ float from_fp16(uint16_t h)
{
  const uint32_t a = h & 0x7FFFU, sign = (uint32_t)(h & 0x8000) << 16;
  uint32_t b = (a << 13) + (112U << 23);
  if (a < 0x0400) b = __float_as_uint((float)(int32_t)a * 0x1p-24F);
  if (a >= 0x7C00) b = (a << 13) | 0x7F800000;
  return __uint_as_float(b | sign);
}

static __device__ uint16_t to_bf16(float x)
{
  const uint32_t b = __float_as_uint(x);
  if ((b & 0x7FFFFFFF) > 0x7F800000) return (uint16_t)(b >> 16 | 0x40);
  return (uint16_t)((b + 0x7FFF + (b >> 16 & 1)) >> 16);
}

static __device__ uint16_t to_half(rh_code_kind kind, float x)
{
  return kind == RH_CODE_FP16 ? to_fp16(x) : to_bf16(x);
}

static __device__ float from_half(rh_code_kind kind, uint16_t h)
{
  return kind == RH_CODE_FP16 ? from_fp16(h) : __uint_as_float((uint32_t)h << 16);
}

static __device__ const uint16_t *half_row(const uint8_t *rows, int64_t stride, int64_t r)
{
  return (const uint16_t *)(rows + r * stride);
}

static __global__ void half_encode(rh_code_kind kind, int64_t n, int64_t count, rh_tensor x, uint8_t *wire,
                                   int64_t stride)
{
  RH_EACH(r, count, i, n)
  ((uint16_t *)(wire + r * stride))[i] = to_half(kind, rh_at(x, r)[i]);
}

static __global__ void half_decode(rh_code_kind kind, int64_t n, int64_t count, const uint8_t *wire, int64_t stride,
                                   rh_tensor x)
{
  RH_EACH(r, count, i, n)
  rh_at(x, r)[i] = from_half(kind, half_row(wire, stride, r)[i]);
}

/* As fold_rows of rows.cu, each addition rounded. */
static __global__ void fold_halves(rh_code_kind kind, int64_t n, int64_t count, const uint8_t *rows, int64_t stride,
                                   uint64_t before, uint16_t *levels)
{
  for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (int64_t)gridDim.x * blockDim.x)
    for (int64_t r = 0; r < count; r++) {
      const uint64_t so_far = before + (uint64_t)r;
      uint16_t sum = half_row(rows, stride, r)[i];
      int64_t k = 0;
      for (; so_far >> k & 1; k++)
        sum = to_half(kind, from_half(kind, levels[k * n + i]) + from_half(kind, sum));
      levels[k * n + i] = sum;
    }
}

void rh_cuda_half_encode(rh_code_kind kind, int64_t n, int64_t count, rh_tensor x, uint8_t *wire, int64_t stride)
{
  RH_LAUNCH(half_encode, rh_grid(n, count), RH_BLOCK, kind, n, count, x, wire, stride);
}

void rh_cuda_half_decode(rh_code_kind kind, int64_t n, int64_t count, const uint8_t *wire, int64_t stride, rh_tensor x)
{
  RH_LAUNCH(half_decode, rh_grid(n, count), RH_BLOCK, kind, n, count, wire, stride, x);
}

extern "C" void rh_cuda_fold_halves(rh_code_kind kind, int64_t n, int64_t count, const uint8_t *rows, int64_t stride,
                                    uint64_t before, uint16_t *levels)
{
  RH_LAUNCH(fold_halves, rh_grid(n, 1), RH_BLOCK, kind, n, count, rows, stride, before, levels);
}
