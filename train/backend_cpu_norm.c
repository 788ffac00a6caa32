/* Norm layers of the cpu backend; backend_ref_norm.c spells out the derivatives.
 *
 * A channel's values of one sample are neighbours, and so are a group's. Loops over elements are left to the compiler.
 * Sums run in 16 interleaved lanes, value i in lane i mod 16, which are added as a tree at the end: the same additions
 * with any width of vectors. Maxima are the same in any order. The exponential is our own, since the library's
 * cannot be vectorised and its last bit depends on its version.
 */
#include "backend_cpu.h"

#include <math.h>
#include <string.h>

#include "norm.h"

enum { LANES = 16, BLOCK = 256 /* values of a row whose gates are held at once: 1 KiB each of q and its slopes */ };

typedef float lanes __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t mask __attribute__((vector_size(4 * LANES), aligned(4), may_alias)); /* -1: true, 0: false */

/* Vectors go by pointer, since how they are passed by value depends on the instruction set. */
RH_INLINE float add_lanes(const lanes *lane)
{
  float sum[LANES];
  memcpy(sum, lane, sizeof sum);
  for (int width = LANES / 2; width > 0; width /= 2)
    for (int k = 0; k < width; k++)
      sum[k] += sum[k + width];
  return sum[0];
}

/* The last n < LANES values of a row, followed by `rest`. */
RH_INLINE void load_tail(int64_t n, const float *x, float rest, lanes *tail)
{
  float values[LANES];
  for (int k = 0; k < LANES; k++)
    values[k] = rest;
  for (int64_t k = 0; k < n; k++)
    values[k] = x[k];
  memcpy(tail, values, sizeof values);
}

RH_CLONES static float sum_of(int64_t n, const float *x)
{
  lanes sum = {0}, tail;
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES)
    sum += *(const lanes *)(x + i);
  load_tail(n - i, x + i, 0, &tail);
  sum += tail;
  return add_lanes(&sum);
}

RH_CLONES static float sum_of_squares(int64_t n, const float *x, float mean)
{
  lanes sum = {0}, tail;
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    const lanes d = *(const lanes *)(x + i) - mean;
    sum += d * d;
  }
  load_tail(n - i, x + i, mean, &tail);
  tail -= mean;
  sum += tail * tail;
  return add_lanes(&sum);
}

/* best = row where `better` or where row is a NaN, so that none is lost. */
RH_INLINE void keep(const lanes *row, mask better, lanes *best)
{
  const mask m = better | (*row != *row); /* NOLINT(misc-redundant-expression): true for NaN */
  *best = (lanes)(((mask)*row & m) | ((mask)*best & ~m));
}

/* Largest less smallest of n > 0 values; also both, for finding them again. */
RH_CLONES static float range_of(int64_t n, const float *x, float *most, float *least)
{
  lanes row, high, low;
  load_tail(0, x, x[0], &high);
  low = high;
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    row = *(const lanes *)(x + i);
    keep(&row, row > high, &high);
    keep(&row, row < low, &low);
  }
  load_tail(n - i, x + i, x[0], &row);
  keep(&row, row > high, &high);
  keep(&row, row < low, &low);
  *most = high[0];
  *least = low[0];
  for (int k = 1; k < LANES; k++) {
    if (high[k] > *most || isnan(high[k])) *most = high[k];
    if (low[k] < *least || isnan(low[k])) *least = low[k];
  }
  return *most - *least;
}

/* Root of a group's variance, or the range that stands for it, with its epsilon. */
static float scale_of(rh_norm_kind kind, int64_t n, const float *x, float *mean)
{
  if (kind != RH_NORM_RANGE_EVO) {
    *mean = sum_of(n, x) / (float)n;
    return sqrtf(sum_of_squares(n, x, *mean) / (float)n + (float)RH_NORM_EPSILON);
  }
  const int64_t chunks = rh_norm_chunks(n);
  float sum = 0, most, least;
  *mean = 0;
  for (int64_t k = 0; k < chunks; k++) {
    const int64_t first = rh_norm_chunk(n, k);
    sum += range_of(rh_norm_chunk(n, k + 1) - first, x + first, &most, &least);
  }
  return sum / (float)chunks * (float)rh_norm_range_factor(n) + (float)RH_NORM_EPSILON;
}

/* e^-z, within 2e-7 of itself, for |z| <= 87; beyond, the value there: a sigmoid does not see the difference.
 * z = -(k ln 2 + r) with k whole and |r| <= ln 2 / 2, so e^-z = 2^k e^r, and seven terms of Taylor's series after the 1
 * leave 5e-9. ln 2 is split into a part of few bits, whose product with k is exact, and the rest. */
RH_INLINE float exp_of_minus(float z)
{
  const float round = 0x1.8p23F; /* added to a number below 2^22, it leaves the whole part in the lowest bits */
  float t = z > 87 ? -87 : -z;
  t = t > 87 ? 87 : t; /* a NaN passes both */
  const float shifted = t * 1.44269504F + round, k = shifted - round;
  const float r = t - k * 0.693359375F + k * 2.12194440e-4F;
  float series = 1.0F / 5040;
  series = series * r + 1.0F / 720;
  series = series * r + 1.0F / 120;
  series = series * r + 1.0F / 24;
  series = series * r + 1.0F / 6;
  series = series * r + 0.5F;
  series = series * r + 1;
  series = series * r + 1;
  uint32_t bits;
  memcpy(&bits, &shifted, sizeof bits);
  bits = (bits + 127) << 23; /* the exponent of 2^k; the other bits of `round` are pushed out */
  float power;
  memcpy(&power, &bits, sizeof power);
  return power * series;
}

RH_CLONES static void evo_values(int64_t n, float v, const float *restrict x, float *restrict q)
{
  for (int64_t i = 0; i < n; i++)
    q[i] = x[i] / (1 + exp_of_minus(v * x[i]));
}

RH_CLONES static void range_values(int64_t n, float v, const float *restrict x, float *restrict q)
{
  for (int64_t i = 0; i < n; i++) {
    float h = v * x[i] / 6 + 0.5F;
    h = h < 0 ? 0 : h;
    q[i] = x[i] * (h > 1 ? 1 : h);
  }
}

RH_CLONES static void group_values(int64_t n, float mean, const float *restrict x, float *restrict q)
{
  for (int64_t i = 0; i < n; i++)
    q[i] = x[i] - mean;
}

static void values_of(rh_norm_kind kind, int64_t n, float v, float mean, const float *x, float *q)
{
  if (kind == RH_NORM_EVO_S0) evo_values(n, v, x, q);
  if (kind == RH_NORM_RANGE_EVO) range_values(n, v, x, q);
  if (kind == RH_NORM_GROUP) group_values(n, mean, x, q);
}

/* q, dq/dx and dq/dv of n values. */
typedef struct gates {
  float q[BLOCK], dx[BLOCK], dv[BLOCK];
} gates;

RH_CLONES static void evo_gates(int64_t n, float v, const float *restrict x, gates *restrict gate)
{
  for (int64_t i = 0; i < n; i++) {
    const float e = exp_of_minus(v * x[i]), h = 1 / (1 + e);
    const float bend = e * h * h; /* h (1 - h), without a difference of near numbers */
    gate->q[i] = x[i] * h;
    gate->dx[i] = h + v * x[i] * bend;
    gate->dv[i] = x[i] * x[i] * bend;
  }
}

RH_CLONES static void range_gates(int64_t n, float v, const float *restrict x, gates *restrict gate)
{
  for (int64_t i = 0; i < n; i++) {
    const float line = v * x[i] / 6, h = line + 0.5F;
    const float low = h < 0 ? 0 : h, clipped = low > 1 ? 1 : low;
    const float inside = (h <= 0) | (h >= 1) ? 0 : 1; /* 1 for a NaN */
    gate->q[i] = x[i] * clipped;
    gate->dx[i] = clipped + inside * line;
    gate->dv[i] = inside * (x[i] * x[i] / 6);
  }
}

static void gates_of(rh_norm_kind kind, int64_t n, float v, float mean, const float *x, gates *gate)
{
  if (kind == RH_NORM_EVO_S0) evo_gates(n, v, x, gate);
  if (kind == RH_NORM_RANGE_EVO) range_gates(n, v, x, gate);
  if (kind == RH_NORM_GROUP) {
    group_values(n, mean, x, gate->q);
    for (int64_t i = 0; i < n; i++) {
      gate->dx[i] = 1;
      gate->dv[i] = 0;
    }
  }
}

/* y = a y + b */
RH_CLONES static void stretch(int64_t n, float a, float b, float *y)
{
  for (int64_t i = 0; i < n; i++)
    y[i] = a * y[i] + b;
}

/* One sample's group: x, y [channels][places]; gain, bias and v of its channels. */
static void group_forward(const rh_norm *n, const float *x, const float *gain, const float *bias, const float *v,
                          float *y)
{
  const int64_t channels = n->channels / n->groups;
  float mean;
  const float s = scale_of(n->kind, channels * n->places, x, &mean);
  for (int64_t c = 0; c < channels; c++, x += n->places, y += n->places) {
    values_of(n->kind, n->places, v ? v[c] : 0, mean, x, y);
    stretch(n->places, gain[c] / s, bias[c], y);
  }
}

void rh_cpu_norm_forward(const rh_norm *n, int64_t count, rh_tensor x, rh_tensor gain, rh_tensor bias, rh_tensor v,
                         rh_tensor y)
{
  const int64_t channels = n->channels / n->groups;
  for (int64_t r = 0; r < count; r++)
    for (int64_t b = 0; b < n->batch; b++)
      for (int64_t first = 0; first < n->channels; first += channels) {
        const int64_t offset = (b * n->channels + first) * n->places;
        group_forward(n, x.data + r * x.stride + offset, gain.data + r * gain.stride + first,
                      bias.data + r * bias.stride + first, v.data ? v.data + r * v.stride + first : NULL,
                      y.data + r * y.stride + offset);
      }
}

/* sums of dy, dy q and dy dq/dv, in lanes */
typedef struct products {
  lanes dy, q, dv;
} products;

RH_CLONES static void add_products(int64_t n, const float *dy, const gates *gate, products *sum)
{
  lanes all = sum->dy, q = sum->q, dv = sum->dv, d, other;
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES) {
    d = *(const lanes *)(dy + i);
    all += d;
    q += d * *(const lanes *)(gate->q + i);
    dv += d * *(const lanes *)(gate->dv + i);
  }
  load_tail(n - i, dy + i, 0, &d);
  all += d;
  load_tail(n - i, gate->q + i, 0, &other);
  q += d * other;
  load_tail(n - i, gate->dv + i, 0, &other);
  dv += d * other;
  *sum = (products){all, q, dv};
}

RH_CLONES static void multiply(int64_t n, const float *restrict a, const float *restrict b, float *restrict y)
{
  for (int64_t i = 0; i < n; i++)
    y[i] = a[i] * b[i];
}

/* dx = a dx + b (x - mean) + c */
RH_CLONES static void stretch_gradient(int64_t n, float a, float b, float mean, float c, const float *restrict x,
                                       float *restrict dx)
{
  for (int64_t i = 0; i < n; i++)
    dx[i] = a * dx[i] + (b * (x[i] - mean) + c);
}

/* The gradient through the range: `part` to each chunk's first maximum, -part to its first minimum. */
static void add_at_extremes(int64_t n, float part, const float *x, float *dx)
{
  for (int64_t k = 0; k < rh_norm_chunks(n); k++) {
    const int64_t first = rh_norm_chunk(n, k), end = rh_norm_chunk(n, k + 1);
    float most, least;
    /* A NaN cannot be found again, but then `part` is one, too; a constant chunk's two parts are opposite. */
    if (range_of(end - first, x + first, &most, &least) == 0) continue;
    int64_t high = first, low = first;
    while (high + 1 < end && x[high] != most)
      high++;
    while (low + 1 < end && x[low] != least)
      low++;
    dx[high] += part;
    dx[low] -= part;
  }
}

/* Parameters of a group's channels, and where their gradients are added up; v and dv are NULL for the group norm. */
typedef struct parameters {
  const float *gain, *v;
  float *dgain, *dbias, *dv;
} parameters;

/* Adds one channel's part of one sample to its gradients; leaves dy dq/dx in dx (unless NULL).
 * sum_dy, sum_q   sums of dy gain and dy gain q over the group so far, in/out */
static void channel_backward(const rh_norm *n, const parameters *p, int64_t c, float s, float mean, const float *x,
                             const float *dy, float *dx, float *sum_dy, float *sum_q)
{
  gates gate;
  products sum = {0};
  for (int64_t i = 0; i < n->places; i += BLOCK) {
    const int64_t length = n->places - i < BLOCK ? n->places - i : BLOCK;
    gates_of(n->kind, length, p->v ? p->v[c] : 0, mean, x + i, &gate);
    add_products(length, dy + i, &gate, &sum);
    if (dx) multiply(length, dy + i, gate.dx, dx + i);
  }
  const float all = add_lanes(&sum.dy), q = add_lanes(&sum.q);
  p->dbias[c] += all;
  p->dgain[c] += q / s;
  if (p->dv) p->dv[c] += p->gain[c] / s * add_lanes(&sum.dv);
  *sum_dy += p->gain[c] * all;
  *sum_q += p->gain[c] * q;
}

/* One sample's group: x, dy, dx [channels][places]; dx may be NULL. */
static void group_backward(const rh_norm *n, const parameters *p, const float *x, const float *dy, float *dx)
{
  const int64_t channels = n->channels / n->groups, values = channels * n->places;
  float mean, sum_dy = 0, sum_q = 0;
  const float s = scale_of(n->kind, values, x, &mean);
  for (int64_t c = 0; c < channels; c++) {
    const int64_t first = c * n->places;
    channel_backward(n, p, c, s, mean, x + first, dy + first, dx ? dx + first : NULL, &sum_dy, &sum_q);
  }
  if (!dx) return;
  const float ds = -sum_q / s / s;
  const float slope = n->kind == RH_NORM_RANGE_EVO ? 0 : ds / ((float)values * s);
  const float shift = n->kind == RH_NORM_GROUP ? -sum_dy / s / (float)values : 0;
  for (int64_t c = 0; c < channels; c++)
    stretch_gradient(n->places, p->gain[c] / s, slope, mean, shift, x + c * n->places, dx + c * n->places);
  if (n->kind == RH_NORM_RANGE_EVO)
    add_at_extremes(values, ds * (float)rh_norm_range_factor(values) / (float)rh_norm_chunks(values), x, dx);
}

void rh_cpu_norm_backward(const rh_norm *n, int64_t count, rh_tensor x, rh_tensor gain, rh_tensor v, rh_tensor dy,
                          rh_tensor dgain, rh_tensor dbias, rh_tensor dv, rh_tensor dx)
{
  const int64_t channels = n->channels / n->groups;
  for (int64_t r = 0; r < count; r++) {
    memset(dgain.data + r * dgain.stride, 0, (size_t)n->channels * sizeof(float));
    memset(dbias.data + r * dbias.stride, 0, (size_t)n->channels * sizeof(float));
    if (dv.data) memset(dv.data + r * dv.stride, 0, (size_t)n->channels * sizeof(float));
    for (int64_t b = 0; b < n->batch; b++)
      for (int64_t first = 0; first < n->channels; first += channels) {
        const int64_t offset = (b * n->channels + first) * n->places;
        const parameters p = {.gain = gain.data + r * gain.stride + first,
                              .v = v.data ? v.data + r * v.stride + first : NULL,
                              .dgain = dgain.data + r * dgain.stride + first,
                              .dbias = dbias.data + r * dbias.stride + first,
                              .dv = dv.data ? dv.data + r * dv.stride + first : NULL};
        group_backward(n, &p, x.data + r * x.stride + offset, dy.data + r * dy.stride + offset,
                       dx.data ? dx.data + r * dx.stride + offset : NULL);
      }
  }
}
