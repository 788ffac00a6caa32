/* CosSGD: the angle between the vector and each axis, in equal steps.
 *
 * Symbols     v a segment of d values, |v| its Euclidean norm, m = max |v_i| / |v|, theta_i = arccos(v_i / |v|), beta =
 *             arccos(m) the smallest angle, or pi minus the largest, L = 2^bits - 1
 * Formula     q_i = round(L (theta_i - beta) / (pi - 2 beta)), Q(v_i) = |v| cos(beta + q_i (pi - 2 beta) / L). Computed
 *             with phi = pi / 2 - theta = arcsin(v_i / |v|), which keeps its digits near zero, where most values are.
 * Claims      angles are off by at most (pi - 2 beta) / (2 L) <= pi / (2 L), and cosines by no more than angles, so
 *             |Q(v) - v|^2 <= d (pi / (2 L))^2 |v|^2: a contraction where this is below 1, d < 4 L^2 / pi^2 (26,353
 *             values at 8 bits). Not unbiased, not even with stochastic rounding, since the cosine is not linear. The
 *             bound claimed is 1 % wider for the rounding of f32.
 * Wire        per segment max |v_i| and m as f32, then `bits` bits a value. Not finite: the first is NaN
 * Differs     the formula is that of a public PyTorch code of such a compressor (arccos of v / |v|, a bound on the
 * angles
 *             that is symmetric about pi / 2, round, cosine), which sends |v| and the bound; the paper's own text was
 * not
 *             at hand. Left out: clipping of a share of the largest values before the bound is taken, stochastic
 * rounding
 *             of angles, and a general-purpose compressor over the codes. max |v_i| is sent and not |v|, which could
 *             overflow
 * Source      He, Wang, Zenk, Fritz, CosSGD, arXiv 2012.08241; arcsin by the polynomial of Cephes asinf (Moshier)
 */
#include <math.h>
#include <string.h>

#include "bits.h"
#include "clones.h"
#include "segment.h"

typedef struct cosine_options {
  int64_t bits;
} cosine_options;

static const rh_option options[] = {
    {.name = "bits",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(cosine_options, bits),
     .fallback = "8",
     .min = 1,
     .max = 8,
     .help = "bits of an angle on the wire"},
};

static const float half_pi = 1.57079632679F;
#define NARROW 0.25F /* largest cosine of the short formulas */

static int64_t bound_bytes(const void *opaque, const rh_layout *layout)
{
  const cosine_options *o = opaque;
  return rh_segment_bytes(layout, 8, o->bits);
}

static rh_claims claims(const void *opaque, const rh_layout *layout)
{
  const cosine_options *o = opaque;
  const double half_step = acos(-1) / (2 * (double)((1 << o->bits) - 1));
  const double loss = (double)rh_segment_longest(layout) * half_step * half_step * 1.01;
  return (rh_claims){.contraction = fmax(1 - loss, 0)};
}

/* x, or 1 or -1 beyond. */
RH_INLINE float up_to_one(float x)
{
  const float size = fabsf(x);
  return copysignf(size < 1 ? size : 1, x);
}

/* |error| < 3e-7 for |x| <= 1. */
RH_INLINE float arcsin(float x)
{
  const float a = fabsf(x);
  const bool far = a > 0.5F;
  const float z = far ? 0.5F * (1 - a) : a * a, root = sqrtf(z), y = far ? root : a;
  const float poly = (((4.2163199048e-2F * z + 2.4181311049e-2F) * z + 4.5470025998e-2F) * z + 7.4953002686e-2F) * z +
                     1.6666752422e-1F;
  const float near_zero = y + y * z * poly;
  return copysignf(far ? half_pi - 2 * near_zero : near_zero, x);
}

/* Taylor's series to x^11: |error| < 2e-7 for |x| <= pi / 2. */
RH_INLINE float sine(float x)
{
  const float z = x * x;
  const float poly = ((((-1 / 39916800.0F * z + 1 / 362880.0F) * z - 1 / 5040.0F) * z + 1 / 120.0F) * z - 1 / 6.0F);
  return x + x * z * poly;
}

RH_CLONES static void quantise(const float *restrict v, int64_t n, float scale, float widest, float units, int32_t top,
                               uint8_t *restrict codes)
{
  for (int64_t i = 0; i < n; i++) {
    int32_t level = (int32_t)((widest - arcsin(up_to_one(v[i] * scale))) * units + 0.5F);
    level = level > 0 ? level : 0;
    level = level < top ? level : top;
    codes[i] = (uint8_t)level;
  }
}

/* The same where no cosine is above 1/4, as in all but small or very uneven segments: without roots, and with two terms
 * of arcsin interpolated at the Chebyshev nodes of [0, 1/16]. They are off by 1.5e-6 of the widest angle: 2e-4 of a
 * level, so that levels before their floor is taken are between 0 and L + 1 without being clipped. */
RH_CLONES static void quantise_narrow(const float *restrict v, int64_t n, float scale, float widest, float units,
                                      uint8_t *restrict codes)
{
  const float middle = widest * units + 0.5F, c3 = units * 0.16664390F, c5 = units * 0.07789830F;
  for (int64_t i = 0; i < n; i++) {
    const float x = v[i] * scale, z = x * x, slope = (c5 * z + c3) * z + units;
    codes[i] = (uint8_t)(int32_t)(middle - x * slope);
  }
}

static uint8_t *encode_segment(const void *opaque, const float *v, int64_t n, rh_dither *dither, uint8_t *wire)
{
  (void)dither;
  const cosine_options *o = opaque;
  float room[RH_BLOCK];
  uint8_t codes[RH_BLOCK];
  const rh_magnitudes sizes = rh_segment_magnitudes(v, n);
  const bool finite = isfinite(sizes.largest);
  const float head[2] = {finite ? sizes.largest : NAN,
                         sizes.largest > 0 ? (float)((double)sizes.largest / sqrt(sizes.squares)) : 1};
  memcpy(wire, head, 8);
  wire += 8;
  if (!finite || head[0] == 0) {
    memset(wire, 0, (size_t)rh_bits_bytes(n, o->bits));
    return wire + rh_bits_bytes(n, o->bits);
  }
  const int32_t top = (1 << o->bits) - 1;
  const float power = rh_segment_power((double)head[0]), widest = arcsin(fminf(head[1], 1));
  const float scale = head[1] / (head[0] * power), units = (float)top / (2 * widest);
  for (int64_t i = 0; i < n; i += RH_BLOCK) {
    const int64_t m = n - i < RH_BLOCK ? n - i : RH_BLOCK;
    int64_t whole;
    const float *from = rh_segment_groups(v + i, m, power, room, &whole);
    uint8_t *to = rh_bits_place(codes, m == whole, o->bits, wire);
    if (head[1] > NARROW)
      quantise(from, whole, scale, widest, units, top, to);
    else
      quantise_narrow(from, whole, scale, widest, units, to);
    wire = rh_bits_put(to, m, o->bits, wire);
  }
  return wire;
}

static int64_t encode(rh_coding *coding, const float *x, float *state, uint8_t *wire)
{
  (void)state;
  return rh_segments_encode(coding, x, encode_segment, NULL, wire);
}

/* `inverse` is 1 / m: the quotient is at most 1 but for rounding, and the largest value at most f32's. */
RH_CLONES static void dequantise(const uint8_t *restrict codes, int64_t n, float widest, float step, float inverse,
                                 float largest, float *restrict v)
{
  for (int64_t i = 0; i < n; i++) {
    const float part = sine(widest - (float)(int32_t)codes[i] * step) * inverse;
    v[i] = up_to_one(part) * largest;
  }
}

/* The same where |x| <= 1/4: Taylor's series to x^5 is off by 5e-8 of x. */
RH_CLONES static void dequantise_narrow(const uint8_t *restrict codes, int64_t n, float widest, float step,
                                        float inverse, float largest, float *restrict v)
{
  for (int64_t i = 0; i < n; i++) {
    const float x = widest - (float)(int32_t)codes[i] * step, z = x * x;
    const float part = (x + x * z * (1 / 120.0F * z - 1 / 6.0F)) * inverse;
    v[i] = up_to_one(part) * largest;
  }
}

static const uint8_t *decode_segment(const void *opaque, const uint8_t *wire, int64_t n, float *v)
{
  const cosine_options *o = opaque;
  uint8_t codes[RH_BLOCK];
  float head[2];
  memcpy(head, wire, 8);
  wire += 8;
  const float widest = arcsin(fminf(head[1], 1)), step = 2 * widest / (float)((1 << o->bits) - 1);
  for (int64_t i = 0; i < n; i += RH_BLOCK) {
    const int64_t m = n - i < RH_BLOCK ? n - i : RH_BLOCK;
    rh_bits_unpack(wire, m, (int)o->bits, codes);
    if (widest > NARROW)
      dequantise(codes, m, widest, step, 1 / head[1], head[0], v + i);
    else
      dequantise_narrow(codes, m, widest, step, 1 / head[1], head[0], v + i);
    wire += rh_bits_bytes(m, o->bits);
  }
  return wire;
}

static void decode(rh_coding *coding, const uint8_t *wire, int64_t wire_bytes, float *x)
{
  rh_segments_decode(coding, wire, wire_bytes, decode_segment, x);
}

static void code_of(const void *opaque, const rh_layout *layout, rh_code *code)
{
  const cosine_options *o = opaque;
  (void)layout;
  code->kind = RH_CODE_COSINE;
  code->bits = (int)o->bits;
}

const rh_compressor rh_compressor_cosine = {
    .name = "cosine",
    .summary = "the angle between the vector and each axis, in equal steps",
    .source = "He et al., CosSGD, arXiv 2012.08241 (nearest angles, no clipping; formula from a public code, not the "
              "paper's text)",
    .options = options,
    .option_count = RH_COUNT(options),
    .options_size = sizeof(cosine_options),
    .wire = "8 + ceil(d bits / 8) for each tensor of d values",
    .claim = "contraction for tensors of d < 4 L^2 / pi^2 values, L = 2^bits - 1, with delta = 1 - d (pi / (2 L))^2; "
             "else none",
    .claims = claims,
    .bound_bytes = bound_bytes,
    .encode = encode,
    .decode = decode,
    .code = code_of,
    /* of narrow angles: magnitudes 3, scale 1, arcsin 6, round 3; decode: angle 2, sine 6, scale and clip 3 */
    .encode_flop = 13,
    .decode_flop = 11,
};
