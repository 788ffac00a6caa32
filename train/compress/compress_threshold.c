/* Threshold: every value of at least tau in magnitude; the others are zero. How many that are, the values tell.
 *
 * Symbols     d values of a tensor, rms = |x| / sqrt(d), tau = threshold, or threshold rms where it is relative
 * Formula     C(x)_i = x_i if |x_i| >= tau, else 0. Zeros are never sent; NaN and infinity always are.
 * Claims      absolute: bounded, |x_i - C(x)_i| < tau whatever x is.
 *             relative: what is dropped has less than d tau^2 = threshold^2 |x|^2 in squares, a contraction with
 *             delta = 1 - threshold^2 for thresholds below 1; for others none, since all values may be dropped.
 *             What is sent is exact, so x - C(x) is, too.
 * Wire        for each tensor k as u32, the indices (index.h), then the k values as f32
 * Source      Sahu et al., Rethinking gradient sparsification as total error minimization, NeurIPS 2021 (absolute)
 */
#include <math.h>

#include "segment.h"
#include "sparse.h"

typedef struct threshold_options {
  double threshold;
  bool relative;
  int index;
} threshold_options;

static const rh_option options[] = {
    {.name = "threshold",
     .kind = RH_OPTION_REAL,
     .offset = offsetof(threshold_options, threshold),
     .fallback = "0.001",
     .min = 1e-30,
     .max = 1e30,
     .help = "smallest magnitude that is sent"},
    {.name = "relative",
     .kind = RH_OPTION_SWITCH,
     .offset = offsetof(threshold_options, relative),
     .fallback = "off",
     .help = "the threshold is in units of the tensor's root mean square"},
    RH_INDEX_ROW(threshold_options),
};

static rh_claims claims(const void *opaque, const rh_layout *layout)
{
  (void)layout;
  const threshold_options *o = opaque;
  if (!o->relative) return (rh_claims){.bounded = true};
  return (rh_claims){.contraction = o->threshold < 1 ? 1 - o->threshold * o->threshold : 0};
}

static int64_t bound_bytes(const void *opaque, const rh_layout *layout)
{
  const threshold_options *o = opaque;
  int64_t bytes = 0;
  for (int32_t s = 0; s < layout->count; s++) {
    const int64_t d = layout->length[s];
    if (d > 0) bytes += 4 + rh_sparse_bound((rh_index_layout)o->index, d, d);
  }
  return bytes;
}

static int64_t scratch_bytes(const void *options, const rh_layout *layout)
{
  (void)options;
  return rh_sparse_scratch_bytes(layout);
}

/* Magnitude bits of the smallest f32 that is at least tau. */
static uint32_t floor_bits(double tau)
{
  float least = (float)tau;
  if ((double)least < tau) least = nextafterf(least, INFINITY);
  const uint32_t bits = rh_sparse_magnitude(least);
  return bits > 0 ? bits : 1; /* the root mean square of zeros: they need not be sent */
}

static uint32_t section_floor(const threshold_options *o, const float *x, int64_t d)
{
  if (!o->relative) return floor_bits(o->threshold);
  const double rms = sqrt(rh_segment_magnitudes(x, d).squares / (double)d);
  return floor_bits(isfinite(rms) ? o->threshold * rms : INFINITY); /* only what is not finite reaches infinity */
}

static int64_t encode(rh_coding *coding, const float *x, float *state, uint8_t *wire)
{
  (void)state;
  const threshold_options *o = coding->options;
  const rh_layout *layout = coding->layout;
  uint8_t *at = wire;
  for (int32_t s = 0; s < layout->count; s++) {
    const int64_t d = layout->length[s];
    if (d == 0) continue;
    const int64_t k = rh_sparse_above(x, d, section_floor(o, x, d), coding->scratch);
    memcpy(at, &(uint32_t){(uint32_t)k}, 4);
    at = rh_sparse_write((rh_index_layout)o->index, d, x, coding->scratch, k, at + 4);
    x += d;
  }
  return at - wire;
}

static void decode(rh_coding *coding, const uint8_t *wire, int64_t wire_bytes, float *x)
{
  const threshold_options *o = coding->options;
  const rh_layout *layout = coding->layout;
  const uint8_t *at = wire;
  for (int32_t s = 0; s < layout->count; s++) {
    const int64_t d = layout->length[s];
    uint32_t k;
    if (d == 0) continue;
    memcpy(&k, at, 4);
    at = rh_sparse_read((rh_index_layout)o->index, d, at + 4, k, coding->scratch, x);
    x += d;
  }
  RH_ASSERT(at - wire == wire_bytes);
}

static const char *varies(const void *options_)
{
  (void)options_;
  return "sends as many values as are large enough; use topk with compress.index: u32";
}

/* Mask and compare, and a square and a sum where relative; decode writes zeros. */
static rh_flop flop(const void *opaque, const rh_layout *layout)
{
  const threshold_options *o = opaque;
  const double d = (double)layout->values;
  return (rh_flop){.encode = {(o->relative ? 4 : 2) * d}, .decode = d};
}

static void code_of(const void *opaque, const rh_layout *layout, rh_code *code)
{
  (void)layout;
  const threshold_options *o = opaque;
  code->kind = RH_CODE_THRESHOLD;
  code->parameter = o->threshold;
  code->relative = o->relative;
  code->index = (rh_index_layout)o->index;
}

const rh_compressor rh_compressor_threshold = {
    .name = "threshold",
    .summary = "every value of at least a given magnitude; messages vary in length",
    .source = "Sahu et al., Rethinking gradient sparsification as total error minimization, NeurIPS 2021",
    .options = options,
    .option_count = RH_COUNT(options),
    .options_size = sizeof(threshold_options),
    .wire = "4 + 4 k + indices for each tensor, k the values sent; " RH_INDEX_WIRE,
    .claim = "absolute: bounded, |x_i - C(x)_i| < threshold; relative and below 1: a contraction with delta = "
             "1 - threshold^2; what is sent is exact",
    .exact_residual = true,
    .claims = claims,
    .bound_bytes = bound_bytes,
    .varies = varies,
    .scratch_bytes = scratch_bytes,
    .encode = encode,
    .decode = decode,
    .code = code_of,
    .flop = flop,
};
