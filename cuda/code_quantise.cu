/* Codes from values and values from codes, eight a thread, formula by formula as in train/compress: the same bits.
 * Eight codes of b bits take b bytes, so that no two threads write to one. */
#include "coding.h"

enum { EIGHT = 8 };

/* What codes are made with: the head, and what it implies. */
typedef struct coder {
  code_head h;
  float offset, units, c3, c5, middle, top_share; /* what each means is its formula's */
  int32_t top;
} coder;

static __device__ coder coder_of(const code_plan *plan, code_head h, uint32_t shared)
{
  coder c = coder();
  const int32_t levels = (1 << plan->bits) - 1;
  c.h = h;
  c.units = h.scale;
  if (plan->kind == RH_CODE_INT) {
    c.top = levels * (plan->stochastic ? 1 << 8 : 1 << 16);
    c.offset = plan->stochastic ? (float)(int32_t)(shared >> 8) * 0x1p-24F : 0.5F; /* rh_dither_shared */
  }
  if (plan->kind == RH_CODE_QSGD || plan->kind == RH_CODE_TERNGRAD) { /* rh_dither_above */
    const int k = plan->kind == RH_CODE_QSGD ? plan->bits + 7 : 9;
    const float unit = 1 / (float)(1 << (23 - k));
    c.offset = (float)(1 << 23 | (int32_t)(shared >> 8) >> (k + 1)) * unit;
    c.top_share = (float)(256 * ((1 << (plan->bits - 1)) - 1));
  }
  if (plan->kind == RH_CODE_COSINE) {
    c.top = levels;
    c.units = (float)levels / (2 * h.widest);
    c.middle = h.widest * c.units + 0.5F;
    c.c3 = c.units * 0.16664390F;
    c.c5 = c.units * 0.07789830F;
  }
  return c;
}

static __device__ uint32_t int_code(const code_plan *plan, const coder *c, float v, uint32_t draw)
{
  int32_t level = (int32_t)((v - c->h.low) * c->units + c->offset);
  level = level < c->top ? level : c->top;
  return (uint32_t)(plan->stochastic ? (level + (int32_t)draw) >> 8 : (level + 32768) >> 16);
}

static __device__ uint32_t qsgd_code(const code_plan *plan, const coder *c, float v, uint32_t draw)
{
  const int32_t zero = 1 << (plan->bits - 1);
  float share = v * c->units;
  share = share < c->top_share ? share : c->top_share;
  const int32_t raised = ((int32_t)(share + c->offset) + (int32_t)draw) >> 8;
  const int32_t level = (raised > 1 ? raised : 1) - zero;
  return (uint32_t)((level < 0 ? -level : level) | (level & zero));
}

static __device__ uint32_t terngrad_code(const coder *c, float v, uint32_t draw)
{
  float share = v * c->units;
  share = share < 256 ? share : 256;
  int32_t raised = (int32_t)(share + c->offset);
  raised = raised > 256 ? raised : 256;
  return (uint32_t)((raised + (int32_t)draw) >> 8);
}

static __device__ float up_to_one(float x)
{
  const float size = fabsf(x);
  return copysignf(size < 1 ? size : 1, x);
}

static __device__ uint32_t cosine_code(const coder *c, float v)
{
  if (c->h.low > 0.25F) {
    int32_t level = (int32_t)((c->h.widest - code_arcsin(up_to_one(v * c->h.scale))) * c->units + 0.5F);
    level = level > 0 ? level : 0;
    return (uint32_t)(level < c->top ? level : c->top);
  }
  const float x = v * c->h.scale, z = x * x, slope = (c->c5 * z + c->c3) * z + c->units;
  return (uint32_t)(int32_t)(c->middle - x * slope);
}

/* The codes of values i .. i + m - 1 of a piece, the first lowest. */
static __device__ uint64_t codes_of(const code_plan *plan, const coder *c, const float *x, const uint8_t *draws, int m)
{
  uint64_t codes = 0;
  for (int k = 0; k < m; k++) {
    const float v = c->h.power * x[k];
    const uint32_t draw = plan->dithered ? draws[k] : 0;
    uint32_t code;
    if (plan->kind == RH_CODE_INT)
      code = int_code(plan, c, v, draw);
    else if (plan->kind == RH_CODE_QSGD)
      code = qsgd_code(plan, c, v, draw);
    else if (plan->kind == RH_CODE_TERNGRAD)
      code = terngrad_code(c, v, draw);
    else if (plan->kind == RH_CODE_COSINE)
      code = cosine_code(c, v);
    else
      code = x[k] < 0;
    codes |= (uint64_t)(code & 0xFF) << k * plan->bits;
  }
  return codes;
}

static __global__ void quantise(code_plan plan, philox stream, int64_t count, rh_tensor in, uint8_t *wires,
                                int64_t stride, code_room room)
{
  const code_piece piece = plan.piece[blockIdx.x];
  for (int64_t r = blockIdx.y; r < count; r += gridDim.y) {
    const float *const x = rh_at(in, r) + piece.first;
    uint8_t *const wire = wires + r * stride + piece.wire + plan.head_bytes;
    const uint8_t *const draws = code_dither(&plan, room, r) + piece.group * CODE_GROUP;
    const uint32_t shared = plan.dithered ? philox_number(&stream, (uint32_t)r, 32) : 0;
    const coder c = coder_of(&plan, code_heads(room, r)[blockIdx.x], shared);
    for (int64_t i = (int64_t)threadIdx.x * EIGHT; i < piece.n; i += CODE_THREADS * EIGHT) {
      const int m = piece.n - i < EIGHT ? (int)(piece.n - i) : EIGHT;
      uint64_t codes = c.h.finite ? codes_of(&plan, &c, x + i, draws + i, m) : 0;
      for (int byte = 0; byte < (m * plan.bits + 7) / 8; byte++, codes >>= 8)
        wire[i / EIGHT * plan.bits + byte] = (uint8_t)codes;
    }
  }
}

void rh_cuda_code_quantise(const code_plan *plan, const philox *stream, int64_t count, rh_tensor x, uint8_t *wire,
                           int64_t stride, code_room room)
{
  const dim3 grid((unsigned)plan->pieces, (unsigned)(count < 65535 ? count : 65535));
  RH_LAUNCH(quantise, grid, CODE_THREADS, *plan, *stream, count, x, wire, stride, room);
}

/* What values are made with. */
typedef struct decoder {
  float low, high, step, inverse, widest;
} decoder;

static __device__ decoder int_decoder(const code_plan *plan, float lo, float hi)
{
  decoder d = decoder();
  const bool finite = code_is_finite(lo);
  const double range = (double)hi - (double)lo;
  const float power = finite && range > 0 ? code_power(range) : 1;
  const float scaled = finite ? (float)(range * (double)power) : 0;
  d.low = lo * power;
  d.high = hi;
  d.step = (float)((double)scaled / ((1 << plan->bits) - 1));
  d.inverse = 1 / power;
  return d;
}

static __device__ decoder decoder_of(const code_plan *plan, const uint8_t *wire)
{
  decoder d = decoder();
  const float first = plan->kind == RH_CODE_SIGN ? 0 : __uint_as_float(code_get(wire));
  if (plan->kind == RH_CODE_INT) return int_decoder(plan, first, __uint_as_float(code_get(wire + 4)));
  if (plan->kind == RH_CODE_QSGD) d.step = first / (float)((1 << (plan->bits - 1)) - 1);
  if (plan->kind == RH_CODE_TERNGRAD || plan->kind == RH_CODE_EF_SIGN) d.step = first;
  if (plan->kind == RH_CODE_SIGN) d.step = *wire ? __uint_as_float(0x7FC00000) : (float)plan->parameter;
  if (plan->kind == RH_CODE_COSINE) {
    const float cosine = __uint_as_float(code_get(wire + 4));
    d.high = first;
    d.widest = code_arcsin(fminf(cosine, 1));
    d.step = 2 * d.widest / (float)((1 << plan->bits) - 1);
    d.inverse = 1 / cosine;
  }
  return d;
}

static __device__ float cosine_value(const decoder *d, int32_t code)
{
  const float x = d->widest - (float)code * d->step, z = x * x;
  float part;
  if (d->widest > 0.25F) { /* sine of compress_cosine.c */
    const float poly = ((((-1 / 39916800.0F * z + 1 / 362880.0F) * z - 1 / 5040.0F) * z + 1 / 120.0F) * z - 1 / 6.0F);
    part = (x + x * z * poly) * d->inverse;
  } else {
    part = (x + x * z * (1 / 120.0F * z - 1 / 6.0F)) * d->inverse;
  }
  return up_to_one(part) * d->high;
}

static __device__ float value_of(const code_plan *plan, const decoder *d, int32_t code)
{
  if (plan->kind == RH_CODE_INT) {
    const float x = (d->low + (float)code * d->step) * d->inverse;
    return x < d->high ? x : d->high;
  }
  if (plan->kind == RH_CODE_QSGD) {
    const int32_t level = code & ((1 << (plan->bits - 1)) - 1), sign = code >> (plan->bits - 1);
    return (float)(sign ? -level : level) * d->step;
  }
  if (plan->kind == RH_CODE_TERNGRAD) return (float)(code - 2) * d->step;
  if (plan->kind == RH_CODE_COSINE) return cosine_value(d, code);
  return (float)(1 - 2 * code) * d->step;
}

static __global__ void dequantise(code_plan plan, int64_t count, const uint8_t *wires, int64_t stride, rh_tensor out)
{
  const code_piece piece = plan.piece[blockIdx.x];
  for (int64_t r = blockIdx.y; r < count; r += gridDim.y) {
    float *const x = rh_at(out, r) + piece.first;
    const uint8_t *const head = wires + r * stride + piece.wire, *const wire = head + plan.head_bytes;
    const decoder d = decoder_of(&plan, head);
    for (int64_t i = (int64_t)threadIdx.x * EIGHT; i < piece.n; i += CODE_THREADS * EIGHT) {
      const int m = piece.n - i < EIGHT ? (int)(piece.n - i) : EIGHT;
      uint64_t codes = 0;
      for (int byte = 0; byte < (m * plan.bits + 7) / 8; byte++)
        codes |= (uint64_t)wire[i / EIGHT * plan.bits + byte] << 8 * byte;
      for (int k = 0; k < m; k++, codes >>= plan.bits)
        x[i + k] = value_of(&plan, &d, (int32_t)(codes & ((1U << plan.bits) - 1)));
    }
  }
}

void rh_cuda_code_dequantise(const code_plan *plan, int64_t count, const uint8_t *wire, int64_t stride, rh_tensor x)
{
  const dim3 grid((unsigned)plan->pieces, (unsigned)(count < 65535 ? count : 65535));
  RH_LAUNCH(dequantise, grid, CODE_THREADS, *plan, count, wire, stride, x);
}
