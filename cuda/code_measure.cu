/* Heads of pieces: what a quantiser asks of the values before it codes them. A block has a piece of a message; sums are
 * added in the order of train/compress/segment.c, whose rows of 64 lanes are 64 threads here, so that heads have the
 * host's bits. Of the sign of a zero at an end of a range that holds only if the values' sum is in range, too. */
#include "code_sums.h"

/* s->sum = rh_segment_absolute */
static __device__ void absolute(measure_shared *s, const float *x, int64_t n)
{
  if (threadIdx.x < CODE_LANES) {
    double sum = 0;
    for (int64_t i = threadIdx.x; i < n; i += CODE_LANES)
      sum += (double)fabsf(x[i]);
    s->lane[threadIdx.x] = sum;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int k = 0; k < 2 * SUMS; k++)
      s->lane[k] += s->lane[k + 2 * SUMS];
    for (int k = 0; k < SUMS; k++)
      s->lane[k] += s->lane[k + SUMS];
    s->sum = fold(s->lane);
  }
  __syncthreads();
}

/* s->least and s->greatest as rh_extent finds them: of equal ones, the two zeros, the first of the lane. Each quarter
 * of the block has rows in a row. */
static __device__ void extent(measure_shared *s, const float *x, int64_t n)
{
  const int lane = (int)threadIdx.x % CODE_LANES, sub = (int)threadIdx.x / CODE_LANES;
  const int64_t rows = (n + CODE_LANES - 1) / CODE_LANES, each = (rows + SUBS - 1) / SUBS;
  const int64_t end = (sub + 1) * each < rows ? (sub + 1) * each : rows;
  float low = x[0], high = x[0];
  for (int64_t row = sub * each; row < end; row++) {
    const int64_t i = row * CODE_LANES + lane;
    const float value = i < n ? x[i] : x[0];
    low = value < low ? value : low;
    high = value > high ? value : high;
  }
  s->low[sub][lane] = low;
  s->high[sub][lane] = high;
  __syncthreads();
  for (int k = 1; sub == 0 && k < SUBS; k++) {
    low = s->low[k][lane] < low ? s->low[k][lane] : low;
    high = s->high[k][lane] > high ? s->high[k][lane] : high;
  }
  __syncthreads();
  if (sub == 0) {
    s->low[0][lane] = low;
    s->high[0][lane] = high;
  }
  __syncthreads();
  for (unsigned half = CODE_LANES / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) {
      s->low[0][lane] = s->low[0][lane + half] < s->low[0][lane] ? s->low[0][lane + half] : s->low[0][lane];
      s->high[0][lane] = s->high[0][lane + half] > s->high[0][lane] ? s->high[0][lane + half] : s->high[0][lane];
    }
    __syncthreads();
  }
  if (threadIdx.x != 0) return; /* it alone asks for them */
  s->least = s->low[0][0];
  s->greatest = s->high[0][0];
}

static const uint32_t NAN_BITS = 0x7FC00000;

static __device__ code_head int_head(const code_plan *plan, const measure_shared *s, uint8_t *wire)
{
  code_head h = code_head();
  h.finite = s->most[0] < 0x7F800000;
  code_put(wire, h.finite ? __float_as_uint(s->least) : NAN_BITS);
  code_put(wire + 4, h.finite ? __float_as_uint(s->greatest) : NAN_BITS);
  if (!h.finite) return h;
  const double range = (double)s->greatest - (double)s->least;
  h.power = range > 0 ? code_power(range) : 1;
  h.low = s->least * h.power;
  const float scaled = (float)(range * (double)h.power);
  const int32_t top = ((1 << plan->bits) - 1) * (plan->stochastic ? 1 << 8 : 1 << 16);
  h.scale = scaled > 0 ? (float)top / scaled : 0;
  return h;
}

static __device__ code_head qsgd_head(const code_plan *plan, const measure_shared *s, uint8_t *wire)
{
  code_head h = code_head();
  const float length = (float)sqrt(s->sum);
  const float scale = (float)(256 * ((1 << (plan->bits - 1)) - 1)) / length;
  code_put(wire, __float_as_uint(length));
  h.finite = code_is_finite(length);
  h.power = 1;
  h.scale = code_is_finite(scale) ? scale : 0;
  return h;
}

static __device__ code_head terngrad_head(const code_plan *plan, const measure_shared *s, int64_t n, uint8_t *wire)
{
  code_head h = code_head();
  const float most = __uint_as_float(s->most[0]);
  h.finite = s->most[0] < 0x7F800000;
  const double clipped = plan->parameter * sqrt(s->sum / (double)n);
  const float scale = plan->parameter > 0 && clipped < (double)most ? (float)clipped : most;
  code_put(wire, h.finite ? __float_as_uint(scale) : NAN_BITS);
  h.power = scale > 0 ? code_power((double)scale) : 1;
  h.scale = scale > 0 ? 256 / (scale * h.power) : 0;
  return h;
}

static __device__ code_head cosine_head(const measure_shared *s, uint8_t *wire)
{
  code_head h = code_head();
  const float most = __uint_as_float(s->most[0]);
  const bool finite = s->most[0] < 0x7F800000;
  const float cosine = s->most[0] > 0 ? (float)((double)most / sqrt(s->sum)) : 1;
  code_put(wire, finite ? __float_as_uint(most) : NAN_BITS);
  code_put(wire + 4, __float_as_uint(cosine));
  h.finite = finite && s->most[0] > 0; /* zeros have zeros for codes, too */
  if (!h.finite) return h;
  h.power = code_power((double)most);
  h.widest = code_arcsin(fminf(cosine, 1));
  h.scale = cosine / (most * h.power);
  h.low = cosine;
  return h;
}

static __global__ void measure(code_plan plan, int64_t count, rh_tensor in, uint8_t *wires, int64_t stride,
                               code_room room)
{
  __shared__ measure_shared s;
  const code_piece piece = plan.piece[blockIdx.x];
  for (int64_t r = blockIdx.y; r < count; r += gridDim.y) {
    const float *const x = rh_at(in, r) + piece.first;
    uint8_t *const wire = wires + r * stride + piece.wire;
    largest(&s, x, piece.n);
    if (plan.kind == RH_CODE_INT) extent(&s, x, piece.n);
    if (plan.kind == RH_CODE_EF_SIGN) absolute(&s, x, piece.n);
    if (plan.kind == RH_CODE_QSGD || plan.kind == RH_CODE_TERNGRAD || plan.kind == RH_CODE_COSINE)
      squares(&s, x, piece.n);
    __syncthreads();
    if (threadIdx.x == 0) {
      code_head h = code_head();
      h.finite = 1; /* signs are there of anything */
      if (plan.kind == RH_CODE_INT) h = int_head(&plan, &s, wire);
      if (plan.kind == RH_CODE_QSGD) h = qsgd_head(&plan, &s, wire);
      if (plan.kind == RH_CODE_TERNGRAD) h = terngrad_head(&plan, &s, piece.n, wire);
      if (plan.kind == RH_CODE_COSINE) h = cosine_head(&s, wire);
      if (plan.kind == RH_CODE_SIGN) *wire = s.most[0] >= 0x7F800000;
      if (plan.kind == RH_CODE_EF_SIGN) code_put(wire, __float_as_uint((float)(s.sum / (double)piece.n)));
      code_heads(room, r)[blockIdx.x] = h;
    }
    __syncthreads();
  }
}

void rh_cuda_code_measure(const code_plan *plan, int64_t count, rh_tensor x, uint8_t *wire, int64_t stride,
                          code_room room)
{
  const dim3 grid((unsigned)plan->pieces, (unsigned)(count < 65535 ? count : 65535));
  RH_LAUNCH(measure, grid, CODE_THREADS, *plan, count, x, wire, stride, room);
}
