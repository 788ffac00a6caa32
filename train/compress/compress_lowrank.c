/* PowerSGD: each matrix as the product of two thin ones, found by one step of power iteration a round.
 *
 * Symbols     N workers, M_i worker i's m x n matrix (a segment of the layout), M their mean, r its rank on the wire,
 *             P m x r and Q n x r, both with orthonormal columns
 * Formula     P = orth(M Q), summed over workers; R_i = M_i^T P, summed; C(M_i) = P R_i^T = P P^T M_i.
 *             Next round Q = orth(sum R_i) with warm on, a fresh Gaussian one with warm off
 *
 * Vectors, and matrices that would not gain (r (m + n) >= m n), are sent as they are: full rank is no compression at
 * all. C is linear once P is known, so the mean of decoded messages is the decoded mean, and fed-back errors add up to
 * the error of the mean.
 *
 * A column of M Q that depends on the earlier ones carries nothing: it is zero in P, hence in R; zero columns are drawn
 * afresh before they serve as Q, so a zero or rank-deficient matrix loses no direction for good.
 *
 * Claims      C(M_i) is an orthogonal projection: |C(M_i) - M_i| <= |M_i|. With warm off also a contraction in the mean
 *             (in an all-reduce: of the mean of workers), delta = r / n of the matrix with the smallest: |P^T M|^2 >=
 *             |M Q|^2, as M Q lies in the space of P, and E |M Q|^2 = r / n |M|^2 for a Q of uniform direction. With
 *             warm on the space follows M, which is better in practice, but nothing is promised: Q may miss M.
 * Wire        f32: P of all matrices, each r rows of m, then segment by segment R as r rows of n, or the values as they
 *             are. In an all-reduce the first part is phase 0, the second phase 1. A single message holds both, made
 *             with a Q of the worker's own.
 * Differs     the authors keep Q = R / N as it is; orthonormalising it leaves its space, hence P, the same, but keeps
 *             M Q at the scale of M (that of M^3 would leave f32's range). Their code feeds back M_i - P (mean R)^T,
 *             here it is M_i - P R_i^T: the sum over workers, on which alone everything depends, is the same
 * Source      Vogels, Karimireddy, Jaggi, PowerSGD: practical low-rank gradient compression for distributed
 *             optimization, NeurIPS 2019
 */
#include <math.h>
#include <string.h>

#include "compressor.h"
#include "summable.h"
#include "thin.h"

typedef struct lowrank_options {
  int64_t rank;
  bool warm;
} lowrank_options;

static const rh_option options[] = {
    {.name = "rank",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(lowrank_options, rank),
     .fallback = "2",
     .min = 1,
     .max = INFINITY,
     .help = "columns of both factors, at most the matrix's smaller side; the paper's experiments use 1 to 4"},
    {.name = "warm",
     .kind = RH_OPTION_SWITCH,
     .offset = offsetof(lowrank_options, warm),
     .fallback = "on",
     .help = "the right factor starts from the last round's; off: from fresh Gaussian numbers in each round"},
};

/* A segment; of rank 0: sent as it is. */
static rh_thin segment_of(const void *opaque, const rh_layout *layout, int32_t s)
{
  const lowrank_options *o = opaque;
  return rh_thin_of(layout->length[s], layout->rows[s], o->rank);
}

/* Values of all left factors, of all right ones, and of the segments that are sent as they are. */
typedef struct sizes {
  int64_t left, right, dense;
} sizes;

static sizes sizes_of(const void *opaque, const rh_layout *layout)
{
  sizes sizes = {0};
  for (int32_t s = 0; s < layout->count; s++) {
    const rh_thin g = segment_of(opaque, layout, s);
    sizes.left += g.rank * g.rows;
    sizes.right += g.rank * g.columns;
    sizes.dense += g.rank > 0 ? 0 : rh_thin_right_values(&g);
  }
  return sizes;
}

static rh_claims claims(const void *opaque, const rh_layout *layout)
{
  const lowrank_options *o = opaque;
  double smallest = 1;
  for (int32_t s = 0; s < layout->count; s++) {
    const rh_thin g = segment_of(opaque, layout, s);
    if (g.rank > 0) smallest = fmin(smallest, (double)g.rank / (double)g.columns);
  }
  const bool exact = sizes_of(opaque, layout).left == 0;
  return (rh_claims){.unbiased = exact, .contraction = exact || !o->warm ? smallest : 0, .projection = true};
}

/* common: all left factors, then all right ones. */
static int64_t common_values(const void *opaque, const rh_layout *layout)
{
  const sizes sizes = sizes_of(opaque, layout);
  return sizes.left + sizes.right;
}

static float *right_of(const rh_coding *coding, float *common)
{
  return common + sizes_of(coding->options, coding->layout).left;
}

static void orthonormalise_left(const rh_coding *coding, float *p)
{
  for (int32_t s = 0; s < coding->layout->count; s++) {
    const rh_thin g = segment_of(coding->options, coding->layout, s);
    rh_thin_orthonormalise(p, g.rows, g.rank, NULL);
    p += g.rank * g.rows;
  }
}

static void orthonormalise_right(const rh_coding *coding, rh_rng rng, float *q)
{
  for (int32_t s = 0; s < coding->layout->count; s++) {
    const rh_thin g = segment_of(coding->options, coding->layout, s);
    rh_thin_orthonormalise(q, g.columns, g.rank, &rng);
    q += g.rank * g.columns;
  }
}

/* q = the right factors among the contributions of phase 1. */
static void pick_right(const rh_coding *coding, const float *wire, float *q)
{
  for (int32_t s = 0; s < coding->layout->count; s++) {
    const rh_thin g = segment_of(coding->options, coding->layout, s);
    const int64_t values = g.rank * g.columns;
    memcpy(q, wire, (size_t)values * sizeof *q);
    q += values;
    wire += rh_thin_right_values(&g);
  }
}

static int64_t elements(const void *opaque, const rh_layout *layout, int phase)
{
  const sizes sizes = sizes_of(opaque, layout);
  return phase == 0 ? sizes.left : sizes.right + sizes.dense;
}

static void start(rh_coding *coding, float *common)
{
  memset(common, 0, (size_t)common_values(coding->options, coding->layout) * sizeof *common);
  orthonormalise_right(coding, coding->shared, right_of(coding, common));
}

static void contribute_left(const rh_coding *coding, const float *q, const float *x, float *wire)
{
  for (int32_t s = 0; s < coding->layout->count; s++) {
    const rh_thin g = segment_of(coding->options, coding->layout, s);
    rh_thin_right(&g, x, q, wire);
    x += g.rows * g.columns;
    q += g.rank * g.columns;
    wire += g.rank * g.rows;
  }
}

static void contribute_right(const rh_coding *coding, const float *p, const float *x, float *wire)
{
  for (int32_t s = 0; s < coding->layout->count; s++) {
    const rh_thin g = segment_of(coding->options, coding->layout, s);
    rh_thin_left(&g, x, p, wire);
    x += g.rows * g.columns;
    p += rh_thin_left_values(&g);
    wire += rh_thin_right_values(&g);
  }
}

static void contribute(rh_coding *coding, const float *common, int phase, const float *x, void *wire)
{
  if (phase == 0)
    contribute_left(coding, common + sizes_of(coding->options, coding->layout).left, x, wire);
  else
    contribute_right(coding, common, x, wire);
}

static void take(rh_coding *coding, float *common, int phase, const void *sum, int32_t workers)
{
  (void)workers; /* only directions are kept */
  const lowrank_options *o = coding->options;
  const sizes sizes = sizes_of(o, coding->layout);
  if (phase == 0) {
    memcpy(common, sum, (size_t)sizes.left * sizeof *common);
    orthonormalise_left(coding, common);
    return;
  }
  float *q = right_of(coding, common);
  if (o->warm)
    pick_right(coding, sum, q);
  else
    memset(q, 0, (size_t)sizes.right * sizeof *q);
  rh_rng rng = coding->shared;
  rng.counter[0] |= UINT32_C(1) << 31; /* the stream's second half: round 0's first half was drawn by start */
  orthonormalise_right(coding, rng, q);
}

static void decode_sum(rh_coding *coding, const float *common, const void *wire, double factor, float *x)
{
  const float *p = common, *q = wire;
  for (int32_t s = 0; s < coding->layout->count; s++) {
    const rh_thin g = segment_of(coding->options, coding->layout, s);
    rh_thin_expand(&g, p, q, factor, x);
    x += g.rows * g.columns;
    p += rh_thin_left_values(&g);
    q += rh_thin_right_values(&g);
  }
}

static const rh_summable sum = {
    .phases = 2,
    .element_bytes = 4,
    .elements = elements,
    .common_values = common_values,
    .start = start,
    .contribute = contribute,
    .add = rh_summable_add_f32,
    .take = take,
    .decode = decode_sum,
};

static int64_t bound_bytes(const void *opaque, const rh_layout *layout)
{
  return 4 * (elements(opaque, layout, 0) + elements(opaque, layout, 1));
}

/* A single message is made in scratch, as what all know of an all-reduce among one, and phase 1's contribution. */
static int64_t scratch_bytes(const void *opaque, const rh_layout *layout)
{
  return 4 * (common_values(opaque, layout) + elements(opaque, layout, 1));
}

/* The worker's own right factors of its last message. */
static int64_t state_values(const void *opaque, const rh_layout *layout)
{
  const lowrank_options *o = opaque;
  return o->warm ? sizes_of(o, layout).right : 0;
}

static int64_t encode(rh_coding *coding, const float *x, float *state, uint8_t *wire)
{
  const lowrank_options *o = coding->options;
  const sizes sizes = sizes_of(o, coding->layout);
  const int64_t left_bytes = 4 * sizes.left, right_bytes = 4 * (sizes.right + sizes.dense);
  float *p = coding->scratch, *q = p + sizes.left, *right = q + sizes.right;
  if (o->warm && sizes.right > 0)
    memcpy(q, state, (size_t)sizes.right * sizeof *q);
  else
    memset(q, 0, (size_t)sizes.right * sizeof *q);
  orthonormalise_right(coding, coding->rng, q);
  contribute_left(coding, q, x, p);
  orthonormalise_left(coding, p);
  contribute_right(coding, p, x, right);
  if (o->warm) pick_right(coding, right, state);
  memcpy(wire, p, (size_t)left_bytes);
  memcpy(wire + left_bytes, right, (size_t)right_bytes);
  return left_bytes + right_bytes;
}

static void decode(rh_coding *coding, const uint8_t *wire, int64_t wire_bytes, float *x)
{
  RH_ASSERT(wire_bytes == bound_bytes(coding->options, coding->layout));
  memcpy(coding->scratch, wire, (size_t)wire_bytes); /* aligned for f32 */
  const float *p = coding->scratch;
  decode_sum(coding, p, p + sizes_of(coding->options, coding->layout).left, 1, x);
}

/* Of Gram-Schmidt: a column's two passes take a product and a sum twice for each column before it, its two lengths
 * and its scaling 5. */
static double orthonormal_flop(int64_t n, int64_t count)
{
  const double columns = (double)count;
  return (double)n * (4 * columns * (columns - 1) + 5 * columns);
}

/* M Q, M^T P and P R^T take a product and a sum for each value and column. */
static rh_flop flop(const void *opaque, const rh_layout *layout)
{
  rh_flop flop = {0};
  for (int32_t s = 0; s < layout->count; s++) {
    const rh_thin g = segment_of(opaque, layout, s);
    const double product = 2 * (double)g.rank * (double)(g.rows * g.columns);
    flop.encode[0] += product;
    flop.encode[1] += orthonormal_flop(g.rows, g.rank) + product;
    flop.decode += orthonormal_flop(g.columns, g.rank) + product;
    flop.decode += g.rank > 0 ? (double)(g.rank * g.rows) : (double)(g.rows * g.columns); /* products with the factor */
  }
  return flop;
}

static void code(const void *opaque, const rh_layout *layout, rh_code *c)
{
  const lowrank_options *o = opaque;
  c->kind = RH_CODE_LOWRANK;
  c->rank = o->rank;
  c->warm = o->warm;
  c->rows = layout->rows;
}

const rh_compressor rh_compressor_lowrank = {
    .name = "lowrank",
    .summary = "PowerSGD: matrices as products of two thin ones, one step of power iteration a round",
    .source = "Vogels, Karimireddy, Jaggi, PowerSGD, NeurIPS 2019",
    .options = options,
    .option_count = RH_COUNT(options),
    .options_size = sizeof(lowrank_options),
    .wire = "4 (sum of r (m + n) over matrices + values sent as they are: vectors, and matrices with r (m + n) >= m n)",
    .claim = "an orthogonal projection, |C(x) - x| <= |x|; with warm: off a contraction of the mean over workers, "
             "delta = min r / n; added without decoding, in two all-reduces",
    .claims = claims,
    .bound_bytes = bound_bytes,
    .scratch_bytes = scratch_bytes,
    .state_values = state_values,
    .encode = encode,
    .decode = decode,
    .sum = &sum,
    .code = code,
    .flop = flop,
};
