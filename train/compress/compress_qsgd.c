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

#include "compressor.h"

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

enum { DRAWS = 512 }; /* random numbers made at once; any number gives the same stream */

static int64_t bucket_bytes(int64_t values, int64_t bits)
{
  return 4 + (values * bits + 7) / 8;
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

/* Euclidean norm, summed in f64 by eight lanes so that the loop vectorises and the order is fixed. */
static float norm(const float *v, int64_t n)
{
  double lane[8] = {0};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int k = 0; k < 8; k++)
      lane[k] += (double)v[i + k] * (double)v[i + k];
  for (; i < n; i++)
    lane[i % 8] += (double)v[i] * (double)v[i];
  return (float)sqrt(((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7])));
}

/* Codes of n values: the level, and the sign as the top of `bits` bits. */
static void quantise(const float *v, int64_t n, float scale, uint32_t levels, int bits, const uint32_t *draws,
                     uint8_t *codes)
{
  for (int64_t i = 0; i < n; i++) {
    float u = (float)(draws[i] >> 8) * 0x1p-24F;
    uint32_t level = (uint32_t)(fabsf(v[i]) * scale + u); /* both are >= 0: the cast is the floor */
    level = level < levels ? level : levels;              /* a rounded-up norm share of 1 plus u stays on the scale */
    uint32_t sign = v[i] < 0;
    codes[i] = (uint8_t)(level | sign << (bits - 1));
  }
}

/* Appends n codes of `bits` bits to the bit stream; `held` bits wait in *bits_held. */
typedef struct packer {
  uint8_t *at;
  uint64_t word;
  int held;
} packer;

static void pack(packer *p, const uint8_t *codes, int64_t n, int bits)
{
  if (bits == 8) {
    memcpy(p->at, codes, (size_t)n);
    p->at += n;
    return;
  }
  for (int64_t i = 0; i < n; i++) {
    p->word |= (uint64_t)codes[i] << p->held;
    p->held += bits;
    while (p->held >= 8) {
      *p->at++ = (uint8_t)p->word;
      p->word >>= 8;
      p->held -= 8;
    }
  }
}

static uint8_t *encode_bucket(const qsgd_options *o, const float *v, int64_t n, rh_rng *rng, uint8_t *wire)
{
  uint32_t draws[DRAWS];
  uint8_t codes[DRAWS];
  uint32_t levels = (1U << (o->bits - 1)) - 1;
  float length = norm(v, n);
  float scale = length > 0 ? (float)levels / length : 0;
  if (!isfinite(scale)) scale = 0; /* a norm so small that its inverse overflows rounds to zero */
  bool finite = isfinite(length);  /* else all codes are 0, and 0 times the norm decodes to NaN: it stays visible */
  memcpy(wire, &length, 4);
  packer p = {.at = wire + 4};
  for (int64_t i = 0; i < n; i += DRAWS) {
    int64_t m = n - i < DRAWS ? n - i : DRAWS;
    rh_rng_fill_u32(rng, draws, m);
    if (finite)
      quantise(v + i, m, scale, levels, (int)o->bits, draws, codes);
    else
      memset(codes, 0, (size_t)m);
    pack(&p, codes, m, (int)o->bits);
  }
  if (p.held > 0) *p.at++ = (uint8_t)p.word;
  return p.at;
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

static const uint8_t *decode_bucket(const qsgd_options *o, const uint8_t *wire, int64_t n, float *v)
{
  uint32_t levels = (1U << (o->bits - 1)) - 1, mask = (1U << o->bits) - 1;
  float length;
  memcpy(&length, wire, 4);
  float step = length / (float)levels;
  float value[256]; /* of each code; negative zero is plain zero */
  for (uint32_t code = 0; code <= mask; code++) {
    float magnitude = (float)(code & levels) * step;
    value[code] = (code >> (o->bits - 1)) && magnitude > 0 ? -magnitude : magnitude;
  }
  const uint8_t *at = wire + 4;
  uint64_t word = 0;
  int held = 0;
  for (int64_t i = 0; i < n; i++) {
    if (held < o->bits) {
      word |= (uint64_t)*at++ << held;
      held += 8;
    }
    v[i] = value[word & mask];
    word >>= o->bits;
    held -= (int)o->bits;
  }
  return at;
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
