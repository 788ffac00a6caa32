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
 * Differs     formula and extra 8 bytes a segment written from memory of the paper, whose text and code were not at
 *             hand; its optional clipping of the largest values before the bound is taken, its stochastic rounding of
 *             angles, and the general-purpose compressor that it runs over the codes are left out. max |v_i| is sent
 *             and not |v|, which could overflow
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

RH_CLONES static void quantise(const float *restrict v, int64_t n, float power, float share, float widest, float units,
                               int32_t top, uint8_t *restrict codes)
{
  for (int64_t i = 0; i < n; i++) {
    float cosine = v[i] * power * share;
    cosine = cosine < 1 ? cosine : 1;
    cosine = cosine > -1 ? cosine : -1;
    int32_t level = (int32_t)((widest - arcsin(cosine)) * units + 0.5F);
    level = level > 0 ? level : 0;
    codes[i] = (uint8_t)(level < top ? level : top);
  }
}

static uint8_t *encode_segment(const cosine_options *o, const float *v, int64_t n, uint8_t *wire)
{
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
  const float widest = arcsin(fminf(head[1], 1));
  const float power = rh_segment_power((double)head[0]), share = head[1] / (head[0] * power);
  for (int64_t i = 0; i < n; i += RH_BLOCK) {
    const int64_t m = n - i < RH_BLOCK ? n - i : RH_BLOCK;
    quantise(v + i, m, power, share, widest, (float)top / (2 * widest), top, codes);
    rh_bits_pack(codes, m, (int)o->bits, wire);
    wire += rh_bits_bytes(m, o->bits);
  }
  return wire;
}

static int64_t encode(rh_coding *coding, const float *x, float *state, uint8_t *wire)
{
  (void)state;
  const rh_layout *layout = coding->layout;
  uint8_t *at = wire;
  for (int32_t s = 0; s < layout->count; s++) {
    if (layout->length[s] > 0) at = encode_segment(coding->options, x, layout->length[s], at);
    x += layout->length[s];
  }
  return at - wire;
}

/* `inverse` is 1 / m: the quotient is at most 1 but for rounding, and the largest value at most f32's. */
RH_CLONES static void dequantise(const uint8_t *restrict codes, int64_t n, float widest, float step, float inverse,
                                 float largest, float *restrict v)
{
  for (int64_t i = 0; i < n; i++) {
    float part = sine(widest - (float)(int32_t)codes[i] * step) * inverse;
    part = part < 1 ? part : 1;
    part = part > -1 ? part : -1;
    v[i] = part * largest;
  }
}

static void decode(rh_coding *coding, const uint8_t *wire, int64_t wire_bytes, float *x)
{
  const cosine_options *o = coding->options;
  const rh_layout *layout = coding->layout;
  const uint8_t *at = wire;
  uint8_t codes[RH_BLOCK];
  for (int32_t s = 0; s < layout->count; s++) {
    const int64_t n = layout->length[s];
    if (n == 0) continue;
    float head[2];
    memcpy(head, at, 8);
    at += 8;
    const float widest = arcsin(fminf(head[1], 1)), step = 2 * widest / (float)((1 << o->bits) - 1);
    for (int64_t i = 0; i < n; i += RH_BLOCK) {
      const int64_t m = n - i < RH_BLOCK ? n - i : RH_BLOCK;
      rh_bits_unpack(at, m, (int)o->bits, codes);
      dequantise(codes, m, widest, step, 1 / head[1], head[0], x + i);
      at += rh_bits_bytes(m, o->bits);
    }
    x += n;
  }
  RH_ASSERT(at - wire == wire_bytes);
}

const rh_compressor rh_compressor_cosine = {
    .name = "cosine",
    .summary = "the angle between the vector and each axis, in equal steps",
    .source = "He et al., CosSGD, arXiv 2012.08241 (nearest angles, no clipping; formula from memory of the paper)",
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
    /* magnitudes 3, arcsin 18 with its root, scale and round 6; decode: sine 13, scale 4 */
    .encode_flop = 27,
    .decode_flop = 17,
};
