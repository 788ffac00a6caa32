/* int8 and int: whole levels between a segment's smallest and largest value.
 *
 * Symbols     v a segment of d values, lo and hi its smallest and largest, L = 2^bits - 1, step = (hi - lo) / L
 * Formula     q_i = floor((v_i - lo) / step + u), Q(v_i) = lo + q_i step; stochastic: u uniform in [0, 1), nearest:
 *             u = 1/2. A segment of equal values has step 0 and comes back as it was.
 * Claims      stochastic: unbiased, E |Q(v) - v|^2 <= (d - 2) step^2 / 4, since lo and hi are levels; with
 *             (hi - lo)^2 <= 2 (hi^2 + lo^2) <= 2 |v|^2 this is at most (d - 2) / (2 L^2) |v|^2.
 *             nearest: |Q(v_i) - v_i| <= step / 2, so the same bound holds for every draw.
 *             Where the bound is below 1 (d < 2 L^2 + 2: 130,052 values at 8 bits) either is a contraction.
 *             Draws are those of dither.h, and steps are resolved to 2^-16 of one: a level's probability is off by at
 *             most that and what f32 rounds. The bounds claimed are a thousandth wider for it.
 * Wire        per segment lo and hi as f32, then `bits` bits a value, least significant bit first. Not finite:
 *             lo is NaN
 * Differs     the authors take step = max((hi - lo) / L, 1e-8), which rounds ranges below 1e-8 L, usual late in a
 *             training, to a few levels or to none; here hi is sent instead of the step, and the range is scaled by a
 *             power of two
 * Source      Aketi, Kodge, Roy, Low precision decentralized distributed training over IID and non-IID data,
 *             arXiv 2111.09389; the unbiased rounding with bounds: Suresh, Yu, Kumar, McMahan, ICML 2017
 */
#include <math.h>
#include <string.h>

#include "bits.h"
#include "dither.h"
#include "extent.h"
#include "segment.h"

enum { STOCHASTIC, NEAREST };

typedef struct int_options {
  int64_t bits; /* 0, as int8 leaves it: 8 */
  int rounding;
} int_options;

#define RH_ROUNDING_ROW                                                                                                \
  {                                                                                                                    \
    .name = "rounding", .kind = RH_OPTION_CHOICE, .offset = offsetof(int_options, rounding), .fallback = "stochastic", \
    .choices = "stochastic nearest", .help = "to one of the two levels around a value, unbiased, or to the nearer one" \
  }

static const rh_option options_int8[] = {RH_ROUNDING_ROW};
static const rh_option options_int[] = {
    {.name = "bits",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(int_options, bits),
     .fallback = "4",
     .min = 1,
     .max = 8,
     .help = "bits of a value on the wire"},
    RH_ROUNDING_ROW,
};

static int bits_of(const int_options *o)
{
  return o->bits > 0 ? (int)o->bits : 8;
}

static int64_t bound_bytes(const void *opaque, const rh_layout *layout)
{
  return rh_segment_bytes(layout, 8, bits_of(opaque));
}

static rh_claims claims(const void *opaque, const rh_layout *layout)
{
  const int_options *o = opaque;
  const double levels = (1 << bits_of(o)) - 1, d = (double)rh_segment_longest(layout);
  const double loss = fmax(d - 2, 0) / (2 * levels * levels) * 1.001 + d * 0x1p-42; /* and the rounding of f32 */
  return (rh_claims){.unbiased = o->rounding == STOCHASTIC,
                     .variance = o->rounding == STOCHASTIC ? loss : 0,
                     .contraction = fmax(1 - loss, 0)};
}

/* The range of a segment times a power of two that brings it near 1. Both ends are exact; hi - lo could overflow. */
typedef struct affine {
  float power, lo, hi, range;
} affine;

static affine affine_of(float lo, float hi)
{
  const double range = (double)hi - (double)lo;
  const float power = range > 0 ? rh_segment_power(range) : 1;
  return (affine){power, lo * power, hi, (float)(range * (double)power)};
}

/* Whole groups. In units of 2^-8 of a step, so that the draw is added, and the floor taken, in integers. */
RH_CLONES static void round_drawn(const float *restrict v, int64_t n, affine a, float units, int32_t top,
                                  rh_dither *dither, uint8_t *restrict codes)
{
  rh_dither d = *dither;
  const float shared = rh_dither_shared(dither);
  for (int64_t i = 0; i < n; i += RH_GROUP) {
    uint8_t draws[RH_GROUP];
    rh_dither_next(&d, draws);
    for (int j = 0; j < RH_GROUP; j++) {
      int32_t level = (int32_t)((v[i + j] - a.lo) * units + shared);
      level = level < top ? level : top;
      codes[i + j] = (uint8_t)((level + draws[j]) >> 8);
    }
  }
  *dither = d;
}

/* The same with u = 1/2. */
RH_CLONES static void round_nearest(const float *restrict v, int64_t n, affine a, float units, int32_t top,
                                    uint8_t *restrict codes)
{
  for (int64_t i = 0; i < n; i += RH_GROUP)
    for (int j = 0; j < RH_GROUP; j++) {
      int32_t level = (int32_t)((v[i + j] - a.lo) * units + 0.5F);
      level = level < top ? level : top;
      codes[i + j] = (uint8_t)((level + 32768) >> 16);
    }
}

static uint8_t *encode_segment(const void *opaque, const float *v, int64_t n, rh_dither *dither, uint8_t *wire)
{
  const int_options *o = opaque;
  float room[RH_BLOCK];
  uint8_t codes[RH_BLOCK];
  const int bits = bits_of(o);
  const int32_t unit = o->rounding == STOCHASTIC ? 1 << 8 : 1 << 16, top = ((1 << bits) - 1) * unit;
  float ends[2] = {NAN, NAN};
  const bool finite = rh_extent(v, n, &ends[0], &ends[1]);
  memcpy(wire, ends, 8);
  wire += 8;
  if (!finite) {
    memset(wire, 0, (size_t)rh_bits_bytes(n, bits));
    return wire + rh_bits_bytes(n, bits);
  }
  const affine a = affine_of(ends[0], ends[1]);
  const float units = a.range > 0 ? (float)top / a.range : 0;
  for (int64_t i = 0; i < n; i += RH_BLOCK) {
    const int64_t m = n - i < RH_BLOCK ? n - i : RH_BLOCK;
    int64_t whole;
    const float *from = rh_segment_groups(v + i, m, a.power, room, &whole);
    uint8_t *to = rh_bits_place(codes, m == whole, bits, wire);
    if (o->rounding == STOCHASTIC)
      round_drawn(from, whole, a, units, top, dither, to);
    else
      round_nearest(from, whole, a, units, top, to);
    wire = rh_bits_put(to, m, bits, wire);
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

/* The last level may round to just above hi, which may be the largest float. */
RH_CLONES static void dequantise(const uint8_t *restrict codes, int64_t n, affine a, float step, float inverse,
                                 float *restrict v)
{
  for (int64_t i = 0; i < n; i++) {
    const float x = (a.lo + (float)(int32_t)codes[i] * step) * inverse;
    v[i] = x < a.hi ? x : a.hi;
  }
}

static const uint8_t *decode_segment(const void *opaque, const uint8_t *wire, int64_t n, float *v)
{
  const int_options *o = opaque;
  uint8_t codes[RH_BLOCK];
  float ends[2];
  memcpy(ends, wire, 8);
  wire += 8;
  const int bits = bits_of(o);
  const bool finite = isfinite(ends[0]);
  const affine a = finite ? affine_of(ends[0], ends[1]) : (affine){.power = 1, .lo = NAN, .hi = NAN};
  const float step = (float)((double)a.range / ((1 << bits) - 1));
  for (int64_t i = 0; i < n; i += RH_BLOCK) {
    const int64_t m = n - i < RH_BLOCK ? n - i : RH_BLOCK;
    rh_bits_unpack(wire, m, bits, codes);
    dequantise(codes, m, a, step, 1 / a.power, v + i);
    wire += rh_bits_bytes(m, bits);
  }
  return wire;
}

static void decode(rh_coding *coding, const uint8_t *wire, int64_t wire_bytes, float *x)
{
  rh_segments_decode(coding, wire, wire_bytes, decode_segment, x);
}

static void code_of(const void *opaque, const rh_layout *layout, rh_code *code)
{
  const int_options *o = opaque;
  (void)layout;
  code->kind = RH_CODE_INT;
  code->bits = bits_of(o);
  code->stochastic = o->rounding == STOCHASTIC;
}

#define RH_CLAIM                                                                                                       \
  "stochastic: unbiased, with a variance of at most (d - 2) / (2 L^2) |x|^2 for tensors of d values and L = 2^bits - " \
  "1; "                                                                                                                \
  "either rounding: a contraction where this is below 1"

const rh_compressor rh_compressor_int8 = {
    .name = "int8",
    .summary = "255 equal steps between a tensor's smallest and largest value",
    .source = "Aketi et al., arXiv 2111.09389 (the range is sent, so that small ones keep their levels)",
    .options = options_int8,
    .option_count = RH_COUNT(options_int8),
    .options_size = sizeof(int_options),
    .wire = "8 + d for each tensor of d values",
    .claim = RH_CLAIM,
    .claims = claims,
    .bound_bytes = bound_bytes,
    .encode = encode,
    .decode = decode,
    .code = code_of,
    /* range 3, shift, scale and round 6, draw 9 operations shared by 8 values: 1 */
    .encode_flop = 10,
    .decode_flop = 3,
};

const rh_compressor rh_compressor_int = {
    .name = "int",
    .summary = "2^bits - 1 equal steps between a tensor's smallest and largest value",
    .source = "Aketi et al., arXiv 2111.09389 (the range is sent, so that small ones keep their levels)",
    .options = options_int,
    .option_count = RH_COUNT(options_int),
    .options_size = sizeof(int_options),
    .wire = "8 + ceil(d bits / 8) for each tensor of d values",
    .claim = RH_CLAIM,
    .claims = claims,
    .bound_bytes = bound_bytes,
    .encode = encode,
    .decode = decode,
    .code = code_of,
    .encode_flop = 10,
    .decode_flop = 3,
};
