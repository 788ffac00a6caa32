/* QSGD: stochastic levels of each value's share of its bucket's norm.
 *
 * Symbols     v a bucket of b values, |v| its Euclidean norm, s = 2^(bits-1) - 1 positive levels
 * Formula     Q(v_i) = |v| sign(v_i) xi_i / s with xi_i = floor(s |v_i| / |v| + u), u uniform in [0, 1)
 * Claims      unbiased: E xi_i = s |v_i| / |v|; variance at most min(b / s^2, sqrt(b) / s) |v|^2
 * Wire        per bucket the norm as f32, then `bits` bits a value (level, then sign as the top bit), least significant
 *             bit first, the last byte filled with zeros. Buckets do not cross segments.
 * Differs     the paper codes levels by Elias codes; fixed width is what fits the claim "8 bits instead of 32"
 * Source      Alistarh, Grubic, Li, Tomioka, Vojnovic, QSGD, NeurIPS 2017; bucket size 512 as in their experiments
 */
#include <math.h>
#include <string.h>

#include "bits.h"
#include "clones.h"
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
  return (rh_claims){.unbiased = true, .variance = fmin(longest / (levels * levels), sqrt(longest) / levels)};
}

/* Codes of n values: the level, and the sign as the top of `bits` bits. */
RH_CLONES static void quantise(const float *restrict v, int64_t n, float scale, int32_t levels, int bits,
                               const uint32_t *restrict draws, uint8_t *restrict codes)
{
  for (int64_t i = 0; i < n; i++) {
    const float u = (float)(int32_t)(draws[i] >> 8) * 0x1p-24F;
    int32_t level = (int32_t)(fabsf(v[i]) * scale + u); /* both are >= 0: the cast is the floor */
    level = level < levels ? level : levels;            /* a rounded-up norm share of 1 plus u stays on the scale */
    const int32_t sign = v[i] < 0;
    codes[i] = (uint8_t)(level | sign << (bits - 1));
  }
}

static uint8_t *encode_bucket(const qsgd_options *o, const float *v, int64_t n, rh_rng *rng, uint8_t *wire)
{
  uint32_t draws[RH_BLOCK];
  uint8_t codes[RH_BLOCK];
  const int32_t levels = (1 << (o->bits - 1)) - 1;
  const float length = (float)sqrt(rh_segment_squares(v, n));
  float scale = length > 0 ? (float)levels / length : 0;
  if (!isfinite(scale)) scale = 0; /* a norm so small that its inverse overflows rounds to zero */
  const bool finite =
      isfinite(length); /* else all codes are 0, and 0 times the norm decodes to NaN: it stays visible */
  memcpy(wire, &length, 4);
  wire += 4;
  for (int64_t i = 0; i < n; i += RH_BLOCK) {
    const int64_t m = n - i < RH_BLOCK ? n - i : RH_BLOCK;
    rh_rng_fill_u32(rng, draws, m);
    if (finite)
      quantise(v + i, m, scale, levels, (int)o->bits, draws, codes);
    else
      memset(codes, 0, (size_t)m);
    rh_bits_pack(codes, m, (int)o->bits, wire);
    wire += rh_bits_bytes(m, o->bits);
  }
  return wire;
}

static int64_t encode(rh_coding *coding, const float *x, float *state, uint8_t *wire)
{
  (void)state;
  const qsgd_options *o = coding->options;
  const rh_layout *layout = coding->layout;
  uint8_t *at = wire;
  for (int32_t s = 0; s < layout->count; s++) {
    for (int64_t i = 0, n; i < layout->length[s]; i += n) {
      n = bucket_length(o, layout->length[s], i);
      at = encode_bucket(o, x + i, n, &coding->rng, at);
    }
    x += layout->length[s];
  }
  return at - wire;
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

static void decode(rh_coding *coding, const uint8_t *wire, int64_t wire_bytes, float *x)
{
  const qsgd_options *o = coding->options;
  const rh_layout *layout = coding->layout;
  const uint8_t *at = wire;
  for (int32_t s = 0; s < layout->count; s++) {
    for (int64_t i = 0, n; i < layout->length[s]; i += n) {
      n = bucket_length(o, layout->length[s], i);
      at = decode_bucket(o, at, n, x + i);
    }
    x += layout->length[s];
  }
  RH_ASSERT(at - wire == wire_bytes);
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
    /* norm 2, scale and round 4, draw 10 Philox rounds of 2 products shared by 4 values: 5; decode: one product */
    .encode_flop = 11,
    .decode_flop = 1,
};
