/* fp16 and bf16: 16-bit floats, rounded to nearest, ties to even.
 *
 * Symbols     x a value, h its 16 bits. fp16: sign, 5 bits of exponent (bias 15), 10 of fraction. bf16: the upper half
 *             of an f32, 8 bits of exponent and 7 of fraction
 * Formula     h = x rounded to the nearest number of the format, the one with an even last bit where two are as near
 * Claims      fp16: |C(x) - x| <= 2^-11 |x| for 2^-14 <= |x| < 65520, so a contraction with delta = 1 - 2^-22 there;
 *             below, the error is at most 2^-25; above, x becomes infinite and stays visible.
 *             bf16: |C(x) - x| <= 2^-8 |x|, so delta = 1 - 2^-16, over f32's normal range but the last half step.
 * Wire        2 bytes a value, low byte first
 * Sums        added in half precision, rounded after each addition, as a network that reduces halves does: the claims
 *             are of one message
 * Source      IEEE 754-2019 binary16; bf16: the format of TPUs and of AVX512-BF16, here with subnormal numbers kept
 */
#include <string.h>
#if defined(__x86_64__) && !defined(RH_SANITIZED)
#include <immintrin.h>
#endif

#include "clones.h"
#include "compressor.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the low byte comes first");

/* A message may begin at any byte. */
typedef uint16_t half __attribute__((may_alias, aligned(1)));

RH_INLINE uint32_t float_bits(float x)
{
  uint32_t b;
  memcpy(&b, &x, sizeof b);
  return b;
}

RH_INLINE float bits_float(uint32_t b)
{
  float x;
  memcpy(&x, &b, sizeof x);
  return x;
}

/* All cases are computed and one is chosen, so that loops vectorise. */
RH_INLINE uint16_t to_fp16(float x)
{
  const uint32_t b = float_bits(x), a = b & 0x7FFFFFFF, sign = b >> 16 & 0x8000;
  /* rebiased, plus half a unit less one, plus the last bit kept: carries into the exponent as it should */
  const uint32_t normal = (a - (112U << 23) + 0xFFF + (a >> 13 & 1)) >> 13;
  /* adding 1/2 leaves units of 2^-24, those of subnormal halves, and rounds to even by itself */
  const uint32_t subnormal = float_bits(bits_float(a) + 0.5F) - float_bits(0.5F);
  const uint32_t special = a > 0x7F800000 ? 0x7E00 | (a >> 13 & 0x3FF) : 0x7C00; /* NaN keeps what fits, quiet */
  uint32_t h = a < 113U << 23 ? subnormal : normal;
  h = a >= 143U << 23 ? special : h; /* 65536 and above */
  return (uint16_t)(h | sign);
}

RH_INLINE float from_fp16(uint16_t h)
{
  const uint32_t a = h & 0x7FFFU, sign = (uint32_t)(h & 0x8000) << 16;
  const uint32_t normal = (a << 13) + (112U << 23), special = (a << 13) | 0x7F800000;
  const uint32_t subnormal = float_bits((float)(int32_t)a * 0x1p-24F);
  uint32_t b = a < 0x0400 ? subnormal : normal;
  b = a >= 0x7C00 ? special : b;
  return bits_float(b | sign);
}

RH_INLINE uint16_t to_bf16(float x)
{
  const uint32_t b = float_bits(x), rounded = (b + 0x7FFF + (b >> 16 & 1)) >> 16;
  const uint32_t nan = (b >> 16) | 0x40; /* quiet; rounding could make it infinite or wrap */
  return (uint16_t)((b & 0x7FFFFFFF) > 0x7F800000 ? nan : rounded);
}

RH_INLINE float from_bf16(uint16_t h)
{
  return bits_float((uint32_t)h << 16);
}

#if defined(__x86_64__) && !defined(RH_SANITIZED)
/* The same by the machine's own conversions, whose roundings are IEEE 754's, eight at a time. Returns how many it did.
 */
__attribute__((target("avx2,f16c"))) static int64_t convert_to_fp16(const float *x, int64_t n, half *wire)
{
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i codes = _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128((__m128i *)(wire + i), codes);
  }
  return i;
}

__attribute__((target("avx2,f16c"))) static int64_t convert_from_fp16(const half *wire, int64_t n, float factor,
                                                                      float *x)
{
  const __m256 times = _mm256_set1_ps(factor);
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i codes = _mm_loadu_si128((const __m128i *)(wire + i));
    _mm256_storeu_ps(x + i, _mm256_mul_ps(times, _mm256_cvtph_ps(codes)));
  }
  return i;
}

static bool converts(void)
{
  return __builtin_cpu_supports("avx2"); /* whatever has AVX2 has F16C, which came before it */
}

/* As many of the values as there is a better way for than the loops below. */
static int64_t encode_first_fp16(const float *x, int64_t n, half *wire)
{
  return converts() ? convert_to_fp16(x, n, wire) : 0;
}

static int64_t decode_first_fp16(const half *wire, int64_t n, float factor, float *x)
{
  return converts() ? convert_from_fp16(wire, n, factor, x) : 0;
}
#else
#define encode_first_fp16(x, n, wire)         ((int64_t)0)
#define decode_first_fp16(wire, n, factor, x) ((int64_t)0)
#endif
#define encode_first_bf16(x, n, wire)         ((int64_t)0)
#define decode_first_bf16(wire, n, factor, x) ((int64_t)0)

/* The loops of one format. */
#define RH_LOOPS(format)                                                                                               \
  RH_CLONES static void encode_rest_##format(const float *restrict x, int64_t n, half *restrict wire)                  \
  {                                                                                                                    \
    for (int64_t i = 0; i < n; i++)                                                                                    \
      wire[i] = to_##format(x[i]);                                                                                     \
  }                                                                                                                    \
  RH_CLONES static void decode_rest_##format(const half *restrict wire, int64_t n, float factor, float *restrict x)    \
  {                                                                                                                    \
    for (int64_t i = 0; i < n; i++)                                                                                    \
      x[i] = factor * from_##format(wire[i]);                                                                          \
  }                                                                                                                    \
  static void encode_##format(const float *x, int64_t n, half *wire)                                                   \
  {                                                                                                                    \
    const int64_t first = encode_first_##format(x, n, wire);                                                           \
    encode_rest_##format(x + first, n - first, wire + first);                                                          \
  }                                                                                                                    \
  static void decode_##format(const half *wire, int64_t n, float factor, float *x)                                     \
  {                                                                                                                    \
    const int64_t first = decode_first_##format(wire, n, factor, x);                                                   \
    decode_rest_##format(wire + first, n - first, factor, x + first);                                                  \
  }                                                                                                                    \
  RH_CLONES static void add_##format(const half *restrict wire, int64_t n, half *restrict sum)                         \
  {                                                                                                                    \
    for (int64_t i = 0; i < n; i++)                                                                                    \
      sum[i] = to_##format(from_##format(sum[i]) + from_##format(wire[i]));                                            \
  }                                                                                                                    \
  static int64_t encode_message_##format(rh_coding *coding, const float *x, float *state, uint8_t *wire)               \
  {                                                                                                                    \
    (void)state;                                                                                                       \
    encode_##format(x, coding->layout->values, (half *)wire);                                                          \
    return 2 * coding->layout->values;                                                                                 \
  }                                                                                                                    \
  static void decode_message_##format(rh_coding *coding, const uint8_t *wire, int64_t wire_bytes, float *x)            \
  {                                                                                                                    \
    RH_ASSERT(wire_bytes == 2 * coding->layout->values);                                                               \
    decode_##format((const half *)wire, coding->layout->values, 1, x);                                                 \
  }                                                                                                                    \
  static void contribute_##format(rh_coding *coding, const float *common, int phase, const float *x, void *wire)       \
  {                                                                                                                    \
    (void)common;                                                                                                      \
    (void)phase;                                                                                                       \
    encode_##format(x, coding->layout->values, wire);                                                                  \
  }                                                                                                                    \
  static void add_message_##format(int64_t n, const void *wire, void *sum)                                             \
  {                                                                                                                    \
    add_##format(wire, n, sum);                                                                                        \
  }                                                                                                                    \
  static void decode_sum_##format(rh_coding *coding, const float *common, const void *wire, double factor, float *x)   \
  {                                                                                                                    \
    (void)common;                                                                                                      \
    decode_##format(wire, coding->layout->values, (float)factor, x);                                                   \
  }

RH_LOOPS(fp16)
RH_LOOPS(bf16)

static rh_claims claims_fp16(const void *options, const rh_layout *layout)
{
  (void)options;
  (void)layout;
  return (rh_claims){.contraction = 1 - 0x1p-22};
}

static rh_claims claims_bf16(const void *options, const rh_layout *layout)
{
  (void)options;
  (void)layout;
  return (rh_claims){.contraction = 1 - 0x1p-16};
}

static int64_t bound_bytes(const void *options, const rh_layout *layout)
{
  (void)options;
  return 2 * layout->values;
}

static int64_t elements(const void *options, const rh_layout *layout, int phase)
{
  (void)options;
  (void)phase;
  return layout->values;
}

static const rh_summable sum_fp16 = {
    .phases = 1,
    .element_bytes = 2,
    .elements = elements,
    .contribute = contribute_fp16,
    .add = add_message_fp16,
    .decode = decode_sum_fp16,
};

static const rh_summable sum_bf16 = {
    .phases = 1,
    .element_bytes = 2,
    .elements = elements,
    .contribute = contribute_bf16,
    .add = add_message_bf16,
    .decode = decode_sum_bf16,
};

static void code_fp16(const void *opaque, const rh_layout *layout, rh_code *code)
{
  (void)opaque;
  (void)layout;
  code->kind = RH_CODE_FP16;
}

static void code_bf16(const void *opaque, const rh_layout *layout, rh_code *code)
{
  (void)opaque;
  (void)layout;
  code->kind = RH_CODE_BF16;
}

const rh_compressor rh_compressor_fp16 = {
    .name = "fp16",
    .summary = "IEEE half precision, rounded to nearest; sums are half-precision sums",
    .source = "IEEE 754-2019, binary16",
    .wire = "2 d",
    .claim =
        "of a message: contraction with delta = 1 - 2^-22 for magnitudes from 2^-14 to 65504; smaller ones are off by "
        "at most 2^-25, larger ones become infinite. In an all-reduce each addition rounds again, by up to 2^-11 of "
        "its sum, which error feedback does not see; sums beyond 65504 become infinite",
    .claims = claims_fp16,
    .bound_bytes = bound_bytes,
    .encode = encode_message_fp16,
    .decode = decode_message_fp16,
    .code = code_fp16,
    .sum = &sum_fp16,
    .encode_flop = 1,
    .decode_flop = 1,
};

const rh_compressor rh_compressor_bf16 = {
    .name = "bf16",
    .summary = "the upper half of a 32-bit float, rounded to nearest; sums are rounded alike",
    .source = "bfloat16 as in TPUs; rounding IEEE 754-2019, nearest even",
    .wire = "2 d",
    .claim = "of a message: contraction with delta = 1 - 2^-16 for magnitudes from 2^-126 to 3.38e38. In an all-reduce "
             "each addition rounds again, by up to 2^-8 of its sum, which error feedback does not see",
    .claims = claims_bf16,
    .bound_bytes = bound_bytes,
    .encode = encode_message_bf16,
    .decode = decode_message_bf16,
    .code = code_bf16,
    .sum = &sum_bf16,
    .encode_flop = 1,
    .decode_flop = 1,
};
