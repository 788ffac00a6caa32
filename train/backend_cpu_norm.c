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

/* Maxima are looked for in half as many lanes: gcc takes comparisons of longer vectors apart where masks have registers
 * of their own. */
enum { HALF = 8 };
typedef float half __attribute__((vector_size(4 * HALF), aligned(4), may_alias));
typedef int32_t mask __attribute__((vector_size(4 * HALF))); /* -1: true, 0: false */

/* best = row where `better` or where row is a NaN, so that none is lost. */
RH_INLINE void keep(const half *row, const mask *better, half *best)
{
  const mask m = *better | (*row != *row); /* NOLINT(misc-redundant-expression): true for NaN */
  *best = (half)(((mask)*row & m) | ((mask)*best & ~m));
}

RH_INLINE void keep_both(const half *high, const half *low, half *most, half *least)
{
  const mask is_more = *high > *most, is_less = *low < *least;
  keep(high, &is_more, most);
  keep(low, &is_less, least);
}

/* The best of all lanes, in each of them: those 4, 2 and 1 further on are looked at. */
RH_INLINE void spread(half *most, half *least)
{
  half high = __builtin_shufflevector(*most, *most, 4, 5, 6, 7, 0, 1, 2, 3);
  half low = __builtin_shufflevector(*least, *least, 4, 5, 6, 7, 0, 1, 2, 3);
  keep_both(&high, &low, most, least);
  high = __builtin_shufflevector(*most, *most, 2, 3, 4, 5, 6, 7, 0, 1);
  low = __builtin_shufflevector(*least, *least, 2, 3, 4, 5, 6, 7, 0, 1);
  keep_both(&high, &low, most, least);
  high = __builtin_shufflevector(*most, *most, 1, 2, 3, 4, 5, 6, 7, 0);
  low = __builtin_shufflevector(*least, *least, 1, 2, 3, 4, 5, 6, 7, 0);
  keep_both(&high, &low, most, least);
}

/* Largest and smallest of n > 0 values, NaN if one is. */
RH_CLONES static void find_extremes(int64_t n, const float *x, float *largest, float *smallest)
{
  half most, least, row;
  if (n >= HALF) {
    most = least = *(const half *)x;
    for (int64_t i = HALF; i + HALF <= n; i += HALF) {
      row = *(const half *)(x + i);
      keep_both(&row, &row, &most, &least);
    }
    row = *(const half *)(x + n - HALF); /* some are looked at twice */
    keep_both(&row, &row, &most, &least);
  } else {
    float values[HALF];
    for (int64_t k = 0; k < HALF; k++)
      values[k] = x[k < n ? k : 0];
    memcpy(&most, values, sizeof most);
    least = most;
  }
  spread(&most, &least);
  *largest = most[0];
  *smallest = least[0];
}

/* What a group is divided by, and what its gradient needs of it. */
typedef struct scale {
  float mean; /* 0 for Range-EvoNorm */
  float s;
  int64_t chunks; /* of Range-EvoNorm, else 0 */
  float most[RH_NORM_CHUNKS], least[RH_NORM_CHUNKS];
} scale;

static void measure(rh_norm_kind kind, int64_t n, const float *x, scale *of)
{
  of->chunks = kind == RH_NORM_RANGE_EVO ? rh_norm_chunks(n) : 0;
  if (of->chunks == 0) {
    of->mean = sum_of(n, x) / (float)n;
    of->s = sqrtf(sum_of_squares(n, x, of->mean) / (float)n + (float)RH_NORM_EPSILON);
    return;
  }
  float sum = 0;
  for (int64_t k = 0; k < of->chunks; k++) {
    const int64_t first = rh_norm_chunk(n, k);
    find_extremes(rh_norm_chunk(n, k + 1) - first, x + first, &of->most[k], &of->least[k]);
    sum += of->most[k] - of->least[k];
  }
  of->mean = 0;
  of->s = sum / (float)of->chunks * (float)rh_norm_range_factor(n) + (float)RH_NORM_EPSILON;
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
  if (kind == RH_NORM_EVO_S0)
    evo_values(n, v, x, q);
  else if (kind == RH_NORM_RANGE_EVO)
    range_values(n, v, x, q);
  else
    group_values(n, mean, x, q);
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
  if (kind == RH_NORM_EVO_S0) {
    evo_gates(n, v, x, gate);
  } else if (kind == RH_NORM_RANGE_EVO) {
    range_gates(n, v, x, gate);
  } else {
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
  scale of;
  measure(n->kind, channels * n->places, x, &of);
  for (int64_t c = 0; c < channels; c++, x += n->places, y += n->places) {
    values_of(n->kind, n->places, v ? v[c] : 0, of.mean, x, y);
    stretch(n->places, gain[c] / of.s, bias[c], y);
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

/* Places of the first value equal to `most` and the first equal to `least`; 0 where there is none, which is a NaN. */
RH_CLONES static void find_places(int n, const float *x, float most, float least, int *high, int *low)
{
  int first_high = n, first_low = n;
  for (int i = 0; i < n; i++) {
    const int at_high = x[i] == most ? i : n, at_low = x[i] == least ? i : n;
    first_high = at_high < first_high ? at_high : first_high;
    first_low = at_low < first_low ? at_low : first_low;
  }
  *high = first_high < n ? first_high : 0;
  *low = first_low < n ? first_low : 0;
}

/* The gradient through the range: `part` to each chunk's first maximum, -part to its first minimum. */
static void add_at_extremes(int64_t n, float part, const scale *of, const float *x, float *dx)
{
  for (int64_t k = 0; k < of->chunks; k++) {
    const int64_t first = rh_norm_chunk(n, k), length = rh_norm_chunk(n, k + 1) - first;
    int high, low;
    find_places((int)length, x + first, of->most[k], of->least[k], &high, &low);
    if (high == low) continue; /* a constant chunk: the two parts are opposite */
    dx[first + high] += part;
    dx[first + low] -= part;
  }
}

/* Parameters of a group's channels, and where their gradients are added up; v and dv are NULL for the group norm, and
 * all gradients where none are wanted. */
typedef struct parameters {
  const float *gain, *v;
  float *dgain, *dbias, *dv;
} parameters;

/* Adds one channel's part of one sample to its gradients; leaves dy dq/dx in dx (unless NULL).
 * sum_dy, sum_q   sums of dy gain and dy gain q over the group so far, in/out */
static void channel_backward(const rh_norm *n, const parameters *p, int64_t c, const scale *of, const float *x,
                             const float *dy, float *dx, float *sum_dy, float *sum_q)
{
  gates gate;
  products sum = {0};
  for (int64_t i = 0; i < n->places; i += BLOCK) {
    const int64_t length = n->places - i < BLOCK ? n->places - i : BLOCK;
    gates_of(n->kind, length, p->v ? p->v[c] : 0, of->mean, x + i, &gate);
    add_products(length, dy + i, &gate, &sum);
    if (dx) multiply(length, dy + i, gate.dx, dx + i);
  }
  const float all = add_lanes(&sum.dy), q = add_lanes(&sum.q);
  if (p->dgain) {
    p->dbias[c] += all;
    p->dgain[c] += q / of->s;
  }
  if (p->dv) p->dv[c] += p->gain[c] / of->s * add_lanes(&sum.dv);
  *sum_dy += p->gain[c] * all;
  *sum_q += p->gain[c] * q;
}

/* One sample's group: x, dy, dx [channels][places]; dx may be NULL. */
static void group_backward(const rh_norm *n, const parameters *p, const float *x, const float *dy, float *dx)
{
  const int64_t channels = n->channels / n->groups, values = channels * n->places;
  float sum_dy = 0, sum_q = 0;
  scale of;
  measure(n->kind, values, x, &of);
  for (int64_t c = 0; c < channels; c++) {
    const int64_t first = c * n->places;
    channel_backward(n, p, c, &of, x + first, dy + first, dx ? dx + first : NULL, &sum_dy, &sum_q);
  }
  if (!dx) return;
  const float ds = -sum_q / of.s / of.s;
  const float slope = n->kind == RH_NORM_RANGE_EVO ? 0 : ds / ((float)values * of.s);
  const float shift = n->kind == RH_NORM_GROUP ? -sum_dy / of.s / (float)values : 0;
  for (int64_t c = 0; c < channels; c++)
    stretch_gradient(n->places, p->gain[c] / of.s, slope, of.mean, shift, x + c * n->places, dx + c * n->places);
  if (n->kind == RH_NORM_RANGE_EVO)
    add_at_extremes(values, ds * (float)rh_norm_range_factor(values) / (float)rh_norm_chunks(values), &of, x, dx);
}

void rh_cpu_norm_backward(const rh_norm *n, int64_t count, rh_tensor x, rh_tensor gain, rh_tensor v, rh_tensor dy,
                          rh_tensor dgain, rh_tensor dbias, rh_tensor dv, rh_tensor dx)
{
  const int64_t channels = n->channels / n->groups;
  for (int64_t r = 0; r < count; r++) {
    const rh_tensor outputs[] = {dgain, dbias, dv};
    for (int k = 0; k < 3; k++)
      if (outputs[k].data) memset(outputs[k].data + r * outputs[k].stride, 0, (size_t)n->channels * sizeof(float));
    for (int64_t b = 0; b < n->batch; b++)
      for (int64_t first = 0; first < n->channels; first += channels) {
        const int64_t offset = (b * n->channels + first) * n->places;
        const parameters p = {.gain = gain.data + r * gain.stride + first,
                              .v = v.data ? v.data + r * v.stride + first : NULL,
                              .dgain = dgain.data ? dgain.data + r * dgain.stride + first : NULL,
                              .dbias = dgain.data ? dbias.data + r * dbias.stride + first : NULL,
                              .dv = dv.data ? dv.data + r * dv.stride + first : NULL};
        group_backward(n, &p, x.data + r * x.stride + offset, dy.data + r * dy.stride + offset,
                       dx.data ? dx.data + r * dx.stride + offset : NULL);
      }
  }
}
