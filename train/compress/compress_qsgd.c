/* QSGD: stochastic levels of each value's share of its bucket's norm.
 *
 * Symbols     v a bucket of b values, |v| its Euclidean norm, s = 2^(bits-1) - 1 positive levels
 * Formula     Q(v_i) = |v| sign(v_i) xi_i / s with xi_i = floor(s |v_i| / |v| + u), u uniform in [0, 1)
 *             Drawn with the sign, which is the same: sign(v_i) xi_i is floor(s v_i / |v| + u) in distribution.
 * Claims      unbiased: E xi_i = s |v_i| / |v|; variance at most min(b / s^2, sqrt(b) / s) |v|^2. Draws are those of
 *             dither.h, and levels are resolved to 2^(bits - 24): a level's probability is off by at most half of that
 *             and what f32 rounds. The variance claimed is wider by that for each value.
 * Wire        per bucket the norm as f32, then `bits` bits a value (level, then sign as the top bit), least significant
 *             bit first, the last byte filled with zeros. Buckets do not cross segments.
 * Differs     the paper codes levels by Elias codes; fixed width is what fits the claim "8 bits instead of 32"
 * Source      Alistarh, Grubic, Li, Tomioka, Vojnovic, QSGD, NeurIPS 2017; bucket size 512 as in their experiments
 */
#include <math.h>
#include <string.h>

#include "bits.h"
#include "dither.h"
#include "segment.h"

typedef struct qsgd_options {
  int64_t bits;
  int64_t bucket;
} qsgd_options;

static const rh_option options[] = {
    {.name = "bits",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(qsgd_options, bits),
     .fallback = "8",
     .min = 2,
     .max = 8,
     .help = "bits of a value on the wire, sign included"},
    {.name = "bucket",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(qsgd_options, bucket),
     .fallback = "512",
     .min = 0,
     .max = INFINITY,
     .help = "values that share a norm; 0: a whole weight or bias tensor"},
};

static int64_t bucket_bytes(int64_t values, int64_t bits)
{
  return 4 + rh_bits_bytes(values, bits);
}

/* Length of the bucket that starts `done` values into a segment of `length`. */
static int64_t bucket_length(const qsgd_options *o, int64_t length, int64_t done)
{
  int64_t left = length - done;
  return o->bucket > 0 && o->bucket < left ? o->bucket : left;
}

static int64_t bound_bytes(const void *opaque, const rh_layout *layout)
{
  const qsgd_options *o = opaque;
  int64_t bytes = 0;
  for (int32_t s = 0; s < layout->count; s++) {
    int64_t length = layout->length[s], bucket = o->bucket > 0 ? o->bucket : length;
    if (length == 0) continue;
    bytes += length / bucket * bucket_bytes(bucket, o->bits);
    if (length % bucket) bytes += bucket_bytes(length % bucket, o->bits);
  }
  return bytes;
}

static rh_claims claims(const void *opaque, const rh_layout *layout)
{
  const qsgd_options *o = opaque;
  double levels = (double)((1 << (o->bits - 1)) - 1), longest = 0;
  for (int32_t s = 0; s < layout->count; s++)
    longest = fmax(longest, (double)bucket_length(o, layout->length[s], 0));
  const double rounding = longest * ldexp(1, (int)o->bits - 25) / (levels * levels);
  return (rh_claims){.unbiased = true,
                     .variance = fmin(longest / (levels * levels), sqrt(longest) / levels) + rounding};
}

/* Codes of whole groups: the level, and the sign as the top of `bits` bits. In units of 2^-8 of a level, so that the
 * draw is added, and the floor taken, in integers; with their sign, since the floor of a negative share is a level
 * further down just as often. `up`, s + 1 levels and the draws' shared part, keeps them positive. */
RH_CLONES static void quantise(const float *restrict v, int64_t n, float scale, int bits, float up, rh_dither *dither,
                               uint8_t *restrict codes)
{
  rh_dither d = *dither;
  const uint8_t zero = (uint8_t)(1 << (bits - 1)); /* and the sign's bit */
  const float top = (float)(256 * (zero - 1));
  for (int64_t i = 0; i < n; i += RH_GROUP) {
    uint8_t draws[RH_GROUP], raised[RH_GROUP];
    rh_dither_next(&d, draws);
    for (int j = 0; j < RH_GROUP; j++) {
      float level = v[i + j] * scale;
      level = level < top ? level : top; /* a share of 1 may have been rounded up */
      raised[j] = (uint8_t)(((int32_t)(level + up) + draws[j]) >> 8);
    }
    for (int j = 0; j < RH_GROUP; j++) {
      const int8_t level = (int8_t)((raised[j] > 1 ? raised[j] : 1) - zero); /* and of -1 */
      const int8_t size = (int8_t)(level < 0 ? -level : level);
      codes[i + j] = (uint8_t)(size | (level & zero)); /* below zero, complements have the sign's bit */
    }
  }
  *dither = d;
}

/* A bucket's norm, and what its values are multiplied by: 256 levels / norm. */
typedef struct norm {
  float length, scale;
} norm;

static norm norm_of(const qsgd_options *o, const float *v, int64_t n)
{
  const float length = (float)sqrt(rh_segment_squares(v, n));
  const float scale = (float)(256 * ((1 << (o->bits - 1)) - 1)) / length;
  return (norm){length, isfinite(scale) ? scale : 0}; /* norms whose inverse overflows round to zero */
}

static uint8_t *encode_bucket(const qsgd_options *o, const float *v, int64_t n, norm norm, float up, rh_dither *dither,
                              uint8_t *wire)
{
  float room[RH_BLOCK];
  uint8_t codes[RH_BLOCK];
  memcpy(wire, &norm.length, 4);
  wire += 4;
  if (!isfinite(norm.length)) { /* all codes are 0, and 0 times the norm decodes to NaN: it stays visible */
    memset(wire, 0, (size_t)rh_bits_bytes(n, o->bits));
    return wire + rh_bits_bytes(n, o->bits);
  }
  for (int64_t i = 0; i < n; i += RH_BLOCK) {
    const int64_t m = n - i < RH_BLOCK ? n - i : RH_BLOCK;
    int64_t whole;
    const float *from = rh_segment_groups(v + i, m, 1, room, &whole);
    uint8_t *to = rh_bits_place(codes, m == whole, o->bits, wire);
    quantise(from, whole, norm.scale, (int)o->bits, up, dither, to);
    wire = rh_bits_put(to, m, o->bits, wire);
  }
  return wire;
}

/* A few buckets are measured before they are quantised, so that no norm is waited for. */
static uint8_t *encode_segment(const void *opaque, const float *v, int64_t length, rh_dither *dither, uint8_t *wire)
{
  enum { AHEAD = 8 };
  const qsgd_options *o = opaque;
  norm norms[AHEAD];
  const float up = rh_dither_above(dither, (int)o->bits + 7);
  for (int64_t i = 0; i < length;) {
    int64_t ahead = i;
    for (int k = 0; k < AHEAD && ahead < length; k++) {
      const int64_t n = bucket_length(o, length, ahead);
      norms[k] = norm_of(o, v + ahead, n);
      ahead += n;
    }
    for (int k = 0; i < ahead; k++) {
      const int64_t n = bucket_length(o, length, i);
      wire = encode_bucket(o, v + i, n, norms[k], up, dither, wire);
      i += n;
    }
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

RH_CLONES static void dequantise(const uint8_t *restrict codes, int64_t n, float step, int bits, float *restrict v)
{
  const int32_t levels = (1 << (bits - 1)) - 1;
  for (int64_t i = 0; i < n; i++) {
    const int32_t level = codes[i] & levels;
    const int32_t sign = codes[i] >> (bits - 1);
    v[i] = (float)((level ^ -sign) + sign) * step; /* negated by its complement plus one; there is no negative zero */
  }
}

static const uint8_t *decode_bucket(const qsgd_options *o, const uint8_t *wire, int64_t n, float *v)
{
  uint8_t codes[RH_BLOCK];
  float length;
  memcpy(&length, wire, 4);
  wire += 4;
  const float step = length / (float)((1 << (o->bits - 1)) - 1);
  for (int64_t i = 0; i < n; i += RH_BLOCK) {
    const int64_t m = n - i < RH_BLOCK ? n - i : RH_BLOCK;
    rh_bits_unpack(wire, m, (int)o->bits, codes);
    dequantise(codes, m, step, (int)o->bits, v + i);
    wire += rh_bits_bytes(m, o->bits);
  }
  return wire;
}

static const uint8_t *decode_segment(const void *opaque, const uint8_t *wire, int64_t length, float *v)
{
  const qsgd_options *o = opaque;
  for (int64_t i = 0, n; i < length; i += n) {
    n = bucket_length(o, length, i);
    wire = decode_bucket(o, wire, n, v + i);
  }
  return wire;
}

static void decode(rh_coding *coding, const uint8_t *wire, int64_t wire_bytes, float *x)
{
  rh_segments_decode(coding, wire, wire_bytes, decode_segment, x);
}

static void code_of(const void *opaque, const rh_layout *layout, rh_code *code)
{
  const qsgd_options *o = opaque;
  (void)layout;
  code->kind = RH_CODE_QSGD;
  code->bits = (int)o->bits;
  code->bucket = o->bucket;
}

const rh_compressor rh_compressor_qsgd = {
    .name = "qsgd",
    .summary = "stochastic levels of each value's share of its bucket's norm; unbiased",
    .source = "Alistarh et al., QSGD, NeurIPS 2017 (fixed-width levels instead of Elias codes)",
    .options = options,
    .option_count = RH_COUNT(options),
    .options_size = sizeof(qsgd_options),
    .wire = "4 + ceil(b bits / 8) for each bucket of b values; buckets do not cross tensors",
    .claim = "unbiased, with a variance of at most min(b / s^2, sqrt(b) / s) |x|^2 for buckets of b values and "
             "s = 2^(bits - 1) - 1 levels",
    .claims = claims,
    .bound_bytes = bound_bytes,
    .encode = encode,
    .decode = decode,
    .code = code_of,
    /* norm 2, scale and round 6, draw 9 operations shared by 8 values: 1; decode: one product */
    .encode_flop = 9,
    .decode_flop = 1,
};
