/* TernGrad: minus one, zero or one times the segment's largest magnitude, drawn so that the mean is right.
 *
 * Symbols     g a segment of d values, r = sqrt(|g|^2 / d), c the option clip, s = min(max |g_i|, c r) (c = 0: max
 *             |g_i|)
 * Formula     Q(g_i) = s sign(g_i) B_i, B_i = 1 with probability min(|g_i| / s, 1), else 0
 * Claims      without clipping unbiased: E |Q(g) - g|^2 = s |g|_1 - |g|^2 <= (sqrt(d) - 1) / 2 |g|^2. (With s = 1 the
 *             largest value gives 1 to both sums and each other t - C t^2 <= 1 / (4 C): |g|_1 <= C |g|^2 once 1 + (d -
 *             1) / (4 C) <= C, that is C = (sqrt(d) + 1) / 2.) Clipped values are biased towards zero: no claims. Draws
 *             are those of dither.h, and shares are resolved to 2^-22: a probability is off by at most 2^-23 and what
 *             f32 rounds.
 * Wire        per segment s as f32, NaN if a value is not finite, then 2 bits a value: 1 minus, 2 zero, 3 plus
 * Differs     r is the deviation from zero, not from the mean: gradients average nearly zero, and a segment of one
 *             value, or of equal ones, has no deviation from its mean and would be clipped to nothing
 * Source      Wen, Xu, Yan, Wu, Wang, Chen, Li, TernGrad, NeurIPS 2017; clip 2.5 as there
 */
#include <math.h>
#include <string.h>

#include "bits.h"
#include "dither.h"
#include "segment.h"

typedef struct terngrad_options {
  double clip;
} terngrad_options;

static const rh_option options[] = {
    {.name = "clip",
     .kind = RH_OPTION_REAL,
     .offset = offsetof(terngrad_options, clip),
     .fallback = "2.5",
     .min = 0,
     .max = 1e6,
     .help =
         "magnitudes are cut at this many standard deviations, which makes zeros rarer and the mean biased; 0: not"},
};

enum { BITS = 2 };

static int64_t bound_bytes(const void *opaque, const rh_layout *layout)
{
  (void)opaque;
  return rh_segment_bytes(layout, 4, BITS);
}

static rh_claims claims(const void *opaque, const rh_layout *layout)
{
  const terngrad_options *o = opaque;
  if (o->clip > 0) return (rh_claims){0};
  const double variance = fmax(sqrt((double)rh_segment_longest(layout)) - 1, 0) / 2;
  return (rh_claims){.unbiased = true, .variance = variance, .contraction = fmax(1 - variance, 0)};
}

/* Whole groups. Shares of s in units of 2^-8, so that the draw is added, and the floor taken, in integers; with their
 * sign, since the floor of a negative share is a step further down just as often. Two steps up keep them positive. */
RH_CLONES static void quantise(const float *restrict v, int64_t n, float units, rh_dither *dither,
                               uint8_t *restrict codes)
{
  rh_dither d = *dither;
  const float two_steps = rh_dither_above(dither, 9);
  for (int64_t i = 0; i < n; i += RH_GROUP) {
    uint8_t draws[RH_GROUP];
    rh_dither_next(&d, draws);
    for (int j = 0; j < RH_GROUP; j++) {
      float share = v[i + j] * units;
      share = share < 256 ? share : 256;
      int32_t raised = (int32_t)(share + two_steps);
      raised = raised > 256 ? raised : 256;
      codes[i + j] = (uint8_t)((raised + draws[j]) >> 8);
    }
  }
  *dither = d;
}

static float scale_of(const terngrad_options *o, const float *v, int64_t n)
{
  const rh_magnitudes m = rh_segment_magnitudes(v, n);
  if (!isfinite(m.largest)) return NAN;
  const double clipped = o->clip * sqrt(m.squares / (double)n);
  return o->clip > 0 && clipped < (double)m.largest ? (float)clipped : m.largest;
}

static uint8_t *encode_segment(const void *opaque, const float *v, int64_t n, rh_dither *dither, uint8_t *wire)
{
  float room[RH_BLOCK];
  uint8_t codes[RH_BLOCK];
  const float scale = scale_of(opaque, v, n);
  memcpy(wire, &scale, 4);
  wire += 4;
  if (isnan(scale)) {
    memset(wire, 0, (size_t)rh_bits_bytes(n, BITS));
    return wire + rh_bits_bytes(n, BITS);
  }
  const float power = scale > 0 ? rh_segment_power((double)scale) : 1, units = scale > 0 ? 256 / (scale * power) : 0;
  for (int64_t i = 0; i < n; i += RH_BLOCK) {
    const int64_t m = n - i < RH_BLOCK ? n - i : RH_BLOCK;
    int64_t whole;
    const float *from = rh_segment_groups(v + i, m, power, room, &whole);
    quantise(from, whole, units, dither, codes);
    wire = rh_bits_put(codes, m, BITS, wire);
  }
  return wire;
}

static int64_t encode(rh_coding *coding, const float *x, float *state, uint8_t *wire)
{
  (void)state;
  rh_dither dither;
  rh_dither_start(&dither, &coding->rng);
  return rh_segments_encode(coding, x, encode_segment, &dither, wire);
}

RH_CLONES static void dequantise(const uint8_t *restrict codes, int64_t n, float scale, float *restrict v)
{
  for (int64_t i = 0; i < n; i++)
    v[i] = (float)(codes[i] - 2) * scale;
}

static const uint8_t *decode_segment(const void *opaque, const uint8_t *wire, int64_t n, float *v)
{
  (void)opaque;
  uint8_t codes[RH_BLOCK];
  float scale;
  memcpy(&scale, wire, 4);
  wire += 4;
  for (int64_t i = 0; i < n; i += RH_BLOCK) {
    const int64_t m = n - i < RH_BLOCK ? n - i : RH_BLOCK;
    rh_bits_unpack(wire, m, BITS, codes);
    dequantise(codes, m, scale, v + i);
    wire += rh_bits_bytes(m, BITS);
  }
  return wire;
}

static void decode(rh_coding *coding, const uint8_t *wire, int64_t wire_bytes, float *x)
{
  rh_segments_decode(coding, wire, wire_bytes, decode_segment, x);
}

static void code_of(const void *opaque, const rh_layout *layout, rh_code *code)
{
  const terngrad_options *o = opaque;
  (void)layout;
  code->kind = RH_CODE_TERNGRAD;
  code->parameter = o->clip;
}

const rh_compressor rh_compressor_terngrad = {
    .name = "terngrad",
    .summary = "minus one, zero or one times each tensor's largest magnitude, drawn so that the mean is right",
    .source = "Wen et al., TernGrad, NeurIPS 2017 (deviations are taken from zero)",
    .options = options,
    .option_count = RH_COUNT(options),
    .options_size = sizeof(terngrad_options),
    .wire = "4 + ceil(d / 4) for each tensor of d values",
    .claim = "with clip: 0 unbiased, with a variance of at most (sqrt(d) - 1) / 2 |x|^2 for tensors of d values; "
             "clipped: none",
    .claims = claims,
    .bound_bytes = bound_bytes,
    .encode = encode,
    .decode = decode,
    .code = code_of,
    /* magnitudes 3, share and round 6, draw 9 operations shared by 8 values: 1 */
    .encode_flop = 10,
    .decode_flop = 1,
};
