/* sign and ef-sign: one bit a value.
 *
 * Symbols     x a vector of d values, N workers, mu the option magnitude; p a segment of d_l values
 * Formula     sign: Q(x_i) = mu sign(x_i); the mean of N such is replaced by mu times its sign: a majority vote. A tie
 *             is decided by a coin that all workers share.
 *             ef-sign: C(p) = |p|_1 / d_l sign(p), per segment. sign(0) = 1.
 * Claims      sign: none.
 *             ef-sign: |C(p) - p|^2 = |p|^2 - |p|_1^2 / d_l, so a contraction with delta = |p|_1^2 / (d_l |p|^2), which
 *             is at least 1 / d_l (one value that is not zero) and usually near 2 / pi
 * Wire        sign: a byte, 1 if a value is not finite (all then decode to NaN), then a bit a value, 1 if it is below
 *             zero; ef-sign: per segment |p|_1 / d_l as f32, then a bit a value
 * Source      Bernstein, Zhao, Azizzadenesheli, Anandkumar, signSGD with majority vote, ICLR 2019;
 *             Karimireddy, Rebjock, Stich, Jaggi, Error feedback fixes signSGD, ICML 2019
 */
#include <math.h>
#include <string.h>

#include "bits.h"
#include "clones.h"
#include "extent.h"
#include "segment.h"

typedef struct sign_options {
  double magnitude;
} sign_options;

static const rh_option options[] = {
    {.name = "magnitude",
     .kind = RH_OPTION_REAL,
     .offset = offsetof(sign_options, magnitude),
     .fallback = "0.001",
     .min = 1e-30,
     .max = 1e30,
     .help = "what a sign is multiplied by; the learning rate multiplies it again"},
};

RH_CLONES static void below_zero(const float *restrict x, int64_t n, uint8_t *restrict codes)
{
  for (int64_t i = 0; i < n; i++)
    codes[i] = x[i] < 0;
}

RH_CLONES static void signed_values(const uint8_t *restrict codes, int64_t n, float magnitude, float *restrict x)
{
  for (int64_t i = 0; i < n; i++)
    x[i] = (float)(1 - 2 * codes[i]) * magnitude;
}

/* Packs the signs of x [n]; returns the end of what was written. */
static uint8_t *pack_signs(const float *x, int64_t n, uint8_t *wire)
{
  uint8_t codes[RH_BLOCK];
  for (int64_t i = 0; i < n; i += RH_BLOCK) {
    const int64_t m = n - i < RH_BLOCK ? n - i : RH_BLOCK;
    below_zero(x + i, m, codes);
    rh_bits_pack(codes, m, 1, wire + i / 8);
  }
  return wire + rh_bits_bytes(n, 1);
}

static const uint8_t *unpack_signs(const uint8_t *wire, int64_t n, float magnitude, float *x)
{
  uint8_t codes[RH_BLOCK];
  for (int64_t i = 0; i < n; i += RH_BLOCK) {
    const int64_t m = n - i < RH_BLOCK ? n - i : RH_BLOCK;
    rh_bits_unpack(wire + i / 8, m, 1, codes);
    signed_values(codes, m, magnitude, x + i);
  }
  return wire + rh_bits_bytes(n, 1);
}

static rh_claims claims_sign(const void *opaque, const rh_layout *layout)
{
  (void)opaque;
  (void)layout;
  return (rh_claims){0};
}

static int64_t bound_sign(const void *opaque, const rh_layout *layout)
{
  (void)opaque;
  return layout->values > 0 ? 1 + rh_bits_bytes(layout->values, 1) : 0;
}

static int64_t encode_sign(rh_coding *coding, const float *x, float *state, uint8_t *wire)
{
  (void)state;
  const int64_t n = coding->layout->values;
  if (n == 0) return 0;
  float lo, hi;
  *wire = !rh_extent(x, n, &lo, &hi);
  return pack_signs(x, n, wire + 1) - wire;
}

static void decode_sign(rh_coding *coding, const uint8_t *wire, int64_t wire_bytes, float *x)
{
  const sign_options *o = coding->options;
  const int64_t n = coding->layout->values;
  RH_ASSERT(wire_bytes == bound_sign(o, coding->layout));
  if (n > 0) unpack_signs(wire + 1, n, *wire ? NAN : (float)o->magnitude, x);
}

/* Votes that are not a tie leave at least magnitude / N in the mean. A tie leaves what the f32 sum rounded: nothing or
 * a few 2^-24 parts; so up to 2^16 workers the two are told apart. */
static void vote(rh_coding *coding, float *mean)
{
  const sign_options *o = coding->options;
  const float magnitude = (float)o->magnitude, tie = magnitude * 0x1p-18F;
  for (int64_t i = 0; i < coding->layout->values; i++) {
    if (isnan(mean[i])) continue;
    const bool below = fabsf(mean[i]) < tie ? rh_rng_u32(&coding->shared) >> 31 : mean[i] < 0;
    mean[i] = below ? -magnitude : magnitude;
  }
}

static void code_sign(const void *opaque, const rh_layout *layout, rh_code *code)
{
  const sign_options *o = opaque;
  (void)layout;
  code->kind = RH_CODE_SIGN;
  code->parameter = o->magnitude;
}

const rh_compressor rh_compressor_sign = {
    .name = "sign",
    .summary = "signs, and the sign that most workers have",
    .source = "Bernstein et al., signSGD with majority vote, ICLR 2019 (ties by a shared coin)",
    .options = options,
    .option_count = RH_COUNT(options),
    .options_size = sizeof(sign_options),
    .wire = "1 + ceil(d / 8)",
    .claim = "none: what is decoded does not depend on the size of the values",
    .recodes = true,
    .gradients_only = true,
    .claims = claims_sign,
    .bound_bytes = bound_sign,
    .encode = encode_sign,
    .decode = decode_sign,
    .code = code_sign,
    .combine = vote,
    .encode_flop = 2,
    .decode_flop = 1,
};

static rh_claims claims_ef(const void *opaque, const rh_layout *layout)
{
  (void)opaque;
  const int64_t longest = rh_segment_longest(layout);
  return (rh_claims){.contraction = longest > 0 ? 1 / (double)longest : 1};
}

static int64_t bound_ef(const void *opaque, const rh_layout *layout)
{
  (void)opaque;
  return rh_segment_bytes(layout, 4, 1);
}

static uint8_t *encode_segment(const void *opaque, const float *v, int64_t n, rh_dither *dither, uint8_t *wire)
{
  (void)opaque;
  (void)dither;
  const float mean = (float)(rh_segment_absolute(v, n) / (double)n); /* not finite if a value is not */
  memcpy(wire, &mean, 4);
  return pack_signs(v, n, wire + 4);
}

static int64_t encode_ef(rh_coding *coding, const float *x, float *state, uint8_t *wire)
{
  (void)state;
  return rh_segments_encode(coding, x, encode_segment, NULL, wire);
}

static const uint8_t *decode_segment(const void *opaque, const uint8_t *wire, int64_t n, float *v)
{
  (void)opaque;
  float mean;
  memcpy(&mean, wire, 4);
  return unpack_signs(wire + 4, n, mean, v);
}

static void decode_ef(rh_coding *coding, const uint8_t *wire, int64_t wire_bytes, float *x)
{
  rh_segments_decode(coding, wire, wire_bytes, decode_segment, x);
}

static void code_ef(const void *opaque, const rh_layout *layout, rh_code *code)
{
  (void)opaque;
  (void)layout;
  code->kind = RH_CODE_EF_SIGN;
}

const rh_compressor rh_compressor_ef_sign = {
    .name = "ef-sign",
    .summary = "signs times each tensor's mean magnitude; made for error feedback",
    .source = "Karimireddy et al., Error feedback fixes signSGD and other gradient compression schemes, ICML 2019",
    .wire = "4 + ceil(d / 8) for each tensor of d values",
    .claim = "contraction with delta = |p|_1^2 / (d |p|^2) >= 1 / d for tensors p of d values",
    .claims = claims_ef,
    .bound_bytes = bound_ef,
    .encode = encode_ef,
    .decode = decode_ef,
    .code = code_ef,
    .encode_flop = 3,
    .decode_flop = 1,
};
