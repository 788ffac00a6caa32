/* Norm layers of the oracle. All three kinds read, with q and s named in backend.h,
 *
 *     y_i = gain q_i / s + bias
 *     dgain = sum dy q / s       dbias = sum dy       dv = sum dy gain / s dq/dv
 *     ds = -1/s^2 sum over the group of dy gain q,    dx_i = dy_i gain / s dq/dx + ds ds/dx_i
 *
 * and, for the group norm, q = x - mean hangs on all x of its group, so that dx loses the mean of dy gain / s.
 */
#include "backend_ref.h"

#include <math.h>

#include "norm.h"

/* The values of one sample's group: n neighbours, `places` of each of its channels. */
typedef struct group {
  const float *x;
  int64_t n;
  double mean, s;
} group;

/* First value of group g of sample b. */
static int64_t group_offset(const rh_norm *n, int64_t b, int64_t g)
{
  return (b * n->groups + g) * (n->channels / n->groups) * n->places;
}

/* Place of the first largest value of chunk k times `sign`; a NaN is never passed over. */
static int64_t extreme(const group *q, int64_t k, double sign)
{
  int64_t best = rh_norm_chunk(q->n, k);
  for (int64_t i = best; i < rh_norm_chunk(q->n, k + 1); i++)
    if (sign * q->x[i] > sign * q->x[best] || isnan(q->x[i])) best = i;
  return best;
}

static group measure(const rh_norm *n, const float *x)
{
  group q = {.x = x, .n = n->channels / n->groups * n->places};
  double sum = 0, squares = 0, range = 0;
  for (int64_t i = 0; i < q.n; i++)
    sum += x[i];
  q.mean = sum / (double)q.n;
  if (n->kind == RH_NORM_RANGE_EVO) {
    const int64_t chunks = rh_norm_chunks(q.n);
    for (int64_t k = 0; k < chunks; k++)
      range += ((double)x[extreme(&q, k, 1)] - x[extreme(&q, k, -1)]) / (double)chunks;
    q.s = range * rh_norm_range_factor(q.n) + RH_NORM_EPSILON;
  } else {
    for (int64_t i = 0; i < q.n; i++)
      squares += (x[i] - q.mean) * (x[i] - q.mean);
    q.s = sqrt(squares / (double)q.n + RH_NORM_EPSILON);
  }
  return q;
}

/* q of one value, and its derivatives. */
typedef struct gate {
  double q, dx, dv;
} gate;

static gate gate_of(rh_norm_kind kind, double x, double v, double mean)
{
  if (kind == RH_NORM_GROUP) return (gate){x - mean, 1, 0};
  if (kind == RH_NORM_EVO_S0) {
    const double h = 1 / (1 + exp(-v * x)), slope = h * (1 - h);
    return (gate){x * h, h + v * x * slope, x * x * slope};
  }
  const double line = v * x / 6 + 0.5;
  if (line <= 0) return (gate){0, 0, 0};
  if (line >= 1) return (gate){x, 1, 0};
  return (gate){x * line, line + v * x / 6, x * x / 6}; /* a NaN comes here */
}

void rh_ref_norm_forward(const rh_norm *n, int64_t count, rh_tensor x, rh_tensor gain, rh_tensor bias, rh_tensor v,
                         rh_tensor y)
{
  for (int64_t r = 0; r < count; r++)
    for (int64_t b = 0; b < n->batch; b++)
      for (int64_t g = 0; g < n->groups; g++) {
        const int64_t first = group_offset(n, b, g);
        const group q = measure(n, x.data + r * x.stride + first);
        for (int64_t i = 0; i < q.n; i++) {
          const int64_t channel = (first + i) / n->places % n->channels;
          const double slope = v.data ? v.data[r * v.stride + channel] : 0;
          y.data[r * y.stride + first + i] =
              (float)(gain.data[r * gain.stride + channel] * gate_of(n->kind, q.x[i], slope, q.mean).q / q.s +
                      bias.data[r * bias.stride + channel]);
        }
      }
}

/* dgain, dbias and dv of one channel; each pointer is one replica's. */
static void channel_backward(const rh_norm *n, int64_t channel, const float *x, double gain, const float *v,
                             const float *dy, float *dgain, float *dbias, float *dv)
{
  double gain_sum = 0, bias_sum = 0, v_sum = 0;
  for (int64_t b = 0; b < n->batch; b++) {
    const group q = measure(n, x + group_offset(n, b, channel / (n->channels / n->groups)));
    for (int64_t place = 0; place < n->places; place++) {
      const int64_t i = (b * n->channels + channel) * n->places + place;
      const gate z = gate_of(n->kind, x[i], v ? v[channel] : 0, q.mean);
      gain_sum += dy[i] * z.q / q.s;
      bias_sum += dy[i];
      v_sum += dy[i] * gain / q.s * z.dv;
    }
  }
  dgain[channel] = (float)gain_sum;
  dbias[channel] = (float)bias_sum;
  if (dv) dv[channel] = (float)v_sum;
}

/* d s / d x_i of a group, where s is a root of a variance. */
static double root_slope(const group *q, int64_t i)
{
  return (q->x[i] - q->mean) / ((double)q->n * q->s);
}

/* dx of one sample's group, whose values start at x, dy and dx; gain and v are those of its first channel. */
static void group_backward(const rh_norm *n, const float *x, const float *gain, const float *v, const float *dy,
                           float *dx)
{
  const group q = measure(n, x);
  double weighted = 0, sum = 0;
  for (int64_t i = 0; i < q.n; i++) {
    const int64_t channel = i / n->places;
    weighted += dy[i] * gain[channel] * gate_of(n->kind, x[i], v ? v[channel] : 0, q.mean).q;
    sum += dy[i] * gain[channel] / q.s;
  }
  const double ds = -weighted / (q.s * q.s);
  for (int64_t i = 0; i < q.n; i++) {
    const int64_t channel = i / n->places;
    double d = dy[i] * gain[channel] / q.s * gate_of(n->kind, x[i], v ? v[channel] : 0, q.mean).dx;
    if (n->kind != RH_NORM_RANGE_EVO) d += ds * root_slope(&q, i);
    if (n->kind == RH_NORM_GROUP) d -= sum / (double)q.n;
    dx[i] = (float)d;
  }
  if (n->kind != RH_NORM_RANGE_EVO) return;
  const int64_t chunks = rh_norm_chunks(q.n);
  const double part = ds * rh_norm_range_factor(q.n) / (double)chunks;
  for (int64_t k = 0; k < chunks; k++) {
    const int64_t most = extreme(&q, k, 1), least = extreme(&q, k, -1);
    if (most == least) continue; /* a constant chunk: the two parts are opposite */
    dx[most] = (float)(dx[most] + part);
    dx[least] = (float)(dx[least] - part);
  }
}

void rh_ref_norm_backward(const rh_norm *n, int64_t count, rh_tensor x, rh_tensor gain, rh_tensor v, rh_tensor dy,
                          rh_tensor dgain, rh_tensor dbias, rh_tensor dv, rh_tensor dx)
{
  for (int64_t r = 0; r < count; r++) {
    const float *const in = x.data + r * x.stride, *const a = gain.data + r * gain.stride;
    const float *const slopes = v.data ? v.data + r * v.stride : NULL, *const d = dy.data + r * dy.stride;
    for (int64_t c = 0; dgain.data && c < n->channels; c++)
      channel_backward(n, c, in, a[c], slopes, d, dgain.data + r * dgain.stride, dbias.data + r * dbias.stride,
                       dv.data ? dv.data + r * dv.stride : NULL);
    for (int64_t b = 0; dx.data && b < n->batch; b++)
      for (int64_t g = 0; g < n->groups; g++) {
        const int64_t first = group_offset(n, b, g), channel = g * (n->channels / n->groups);
        group_backward(n, in + first, a + channel, slopes ? slopes + channel : NULL, d + first,
                       dx.data + r * dx.stride + first);
      }
  }
}
