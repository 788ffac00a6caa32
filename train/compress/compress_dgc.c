/* Deep gradient compression: top-k of momentum that each worker gathers by itself, so that what waits is not stale.
 *
 * Symbols     g gradient, m momentum, u velocity, v what waits to be sent (u and v per worker, 0 at first), t round,
 *             d values of a tensor, k = max(1, floor(d r_t)), W warm-up rounds, r share sent, r_0 share in round 0
 * Formula     u = m u + g, v = v + u                 momentum correction
 *             C = the k values of v of largest magnitude, else 0; of equals the first; NaN counts as the largest
 *             u = v = 0 where C was sent             momentum factor masking
 *             r_t = r_0 (r / r_0)^(t / W) for t < W, then r
 *             The optimiser steps with the mean of C; its own momentum gathers the weight decay alone.
 * Claims      nothing is lost: v + (sum of what was sent) = the sum over rounds of all u. Feedback is built in, and the
 *             share of a single message is no contraction of the gradient.
 * Wire        for each tensor the indices (index.h), then the values as f32; k is not sent, since all know t
 * Differs     the paper raises the sparsity once an epoch for 4 epochs (75, 93.75, 98.4, 99.6, 99.9 %): that is r_t at
 *             t / W = 0, 1/4, 1/2, 3/4, 1 with r_0 = 0.25, r = 0.001; here it rises in every round. Its clipping of
 *             local gradients is the training's business, not done here.
 * Source      Lin, Han, Mao, Wang, Dally, Deep gradient compression, ICLR 2018
 */
#include <math.h>

#include "clones.h"
#include "sparse.h"

typedef struct dgc_options {
  double ratio, start;
  int64_t warmup;
  int index;
} dgc_options;

static const rh_option options[] = {
    {.name = "ratio",
     .kind = RH_OPTION_REAL,
     .offset = offsetof(dgc_options, ratio),
     .fallback = "0.001",
     .min = 1e-9,
     .max = 1,
     .help = "share of the values that is sent; at least one of each tensor is"},
    {.name = "warmup",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(dgc_options, warmup),
     .fallback = "0",
     .min = 0,
     .max = 1e9,
     .help = "rounds in which the share falls exponentially from `start` to `ratio`; the paper: 4 epochs"},
    {.name = "start",
     .kind = RH_OPTION_REAL,
     .offset = offsetof(dgc_options, start),
     .fallback = "0.25",
     .min = 1e-9,
     .max = 1,
     .help = "share in the first round of a warm-up"},
    RH_INDEX_ROW(dgc_options),
};

static double largest_ratio(const dgc_options *o)
{
  return o->warmup > 0 ? fmax(o->start, o->ratio) : o->ratio;
}

static double ratio_of(const dgc_options *o, int64_t t)
{
  if (t >= o->warmup) return o->ratio;
  const double ratio = o->start * pow(o->ratio / o->start, (double)t / (double)o->warmup);
  return fmin(ratio, largest_ratio(o)); /* whatever pow rounds to, messages keep to the bound */
}

static rh_claims claims(const void *options, const rh_layout *layout)
{
  (void)options;
  (void)layout;
  return (rh_claims){0};
}

static int64_t bound_bytes(const void *opaque, const rh_layout *layout)
{
  const dgc_options *o = opaque;
  return rh_sparse_share_bound((rh_index_layout)o->index, layout, largest_ratio(o));
}

static const char *varies(const void *options_)
{
  (void)options_;
  return "sends a share of the values that shrinks over its first rounds; use topk with compress.index: u32";
}

static int64_t scratch_bytes(const void *options, const rh_layout *layout)
{
  (void)options;
  return rh_sparse_scratch_bytes(layout);
}

static int64_t state_values(const void *options, const rh_layout *layout)
{
  (void)options;
  return 2 * layout->values;
}

RH_CLONES static void gather_momentum(int64_t d, float momentum, const float *restrict g, float *restrict u,
                                      float *restrict v)
{
  for (int64_t i = 0; i < d; i++) {
    u[i] = momentum * u[i] + g[i];
    v[i] += u[i];
  }
}

static int64_t encode(rh_coding *coding, const float *x, float *state, uint8_t *wire)
{
  const dgc_options *o = coding->options;
  const rh_layout *layout = coding->layout;
  const double ratio = ratio_of(o, coding->step);
  uint32_t *index = coding->scratch;
  float *u = state, *v = state + layout->values;
  uint8_t *at = wire;
  gather_momentum(layout->values, (float)coding->momentum, x, u, v);
  for (int32_t s = 0; s < layout->count; s++) {
    const int64_t d = layout->length[s], k = rh_sparse_count(ratio, d);
    if (d == 0) continue;
    rh_sparse_largest(v, d, k, index);
    at = rh_sparse_write((rh_index_layout)o->index, d, v, index, k, at);
    for (int64_t j = 0; j < k; j++)
      u[index[j]] = v[index[j]] = 0;
    u += d;
    v += d;
  }
  return at - wire;
}

static void decode(rh_coding *coding, const uint8_t *wire, int64_t wire_bytes, float *x)
{
  const dgc_options *o = coding->options;
  const int64_t bytes = rh_sparse_share_read((rh_index_layout)o->index, coding->layout, ratio_of(o, coding->step), wire,
                                             coding->scratch, x);
  RH_ASSERT(bytes == wire_bytes);
}

static void code_of(const void *opaque, const rh_layout *layout, rh_code *code)
{
  (void)layout;
  code->kind = RH_CODE_DGC;
  code->index = (rh_index_layout)((const dgc_options *)opaque)->index;
}

static void code_at(const void *options_, int64_t step, rh_code *code)
{
  code->parameter = ratio_of(options_, step);
}

const rh_compressor rh_compressor_dgc = {
    .name = "dgc",
    .summary = "top-k of momentum gathered by each worker, with masking and a warm-up of the share",
    .source = "Lin, Han, Mao, Wang, Dally, Deep gradient compression, ICLR 2018 (without clipping)",
    .options = options,
    .option_count = RH_COUNT(options),
    .options_size = sizeof(dgc_options),
    .wire = "4 k + indices, k = max(1, floor(d ratio)), larger in a warm-up, for each tensor; " RH_INDEX_WIRE,
    .claim = "nothing is lost: what is not sent is kept and sent later, so that error_feedback must be none; a single "
             "message promises nothing about its gradient",
    .corrects_momentum = true,
    .gradients_only = true,
    .claims = claims,
    .bound_bytes = bound_bytes,
    .varies = varies,
    .scratch_bytes = scratch_bytes,
    .state_values = state_values,
    .encode = encode,
    .decode = decode,
    .code = code_of,
    .code_at = code_at,
    /* momentum 2, sum 1, mask and compare in each of the two scans; decode writes zeros */
    .encode_flop = 7,
    .decode_flop = 1,
};
