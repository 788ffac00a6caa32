/* The k values of largest magnitude of each section, the first of equals, or all above a bound, and how their indices
 * are written: as train/compress/sparse.c selects and index.c chooses. A block has a section of a message. */
#include "code_sums.h"
#include "code_topk.h"

enum { TOP = 20, DIGIT = 10, BINS = 1 << (31 - TOP), EACH = 8 /* values of a thread in a tile */, WIDTHS = 32 };

typedef struct select_shared {
  uint32_t bin[BINS], part[CODE_THREADS];
  uint64_t sums[CODE_THREADS];
  uint32_t kth; /* its digits so far */
  int64_t take; /* of those that share them */
} select_shared;

/* Adds a digit: of those whose higher digits are s->kth, the one of the s->take-th largest. */
static __device__ void find_digit(select_shared *s, const float *x, int64_t d, int shift, int bits)
{
  const uint32_t bins = 1U << bits, prefix = s->kth;
  for (uint32_t i = threadIdx.x; i < bins; i += CODE_THREADS)
    s->bin[i] = 0;
  __syncthreads();
  for (int64_t i = threadIdx.x; i < d; i += CODE_THREADS) {
    const uint32_t m = topk_magnitude(x[i]) >> shift;
    if (m >> bits == prefix) atomicAdd(&s->bin[m & (bins - 1)], 1U);
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    uint32_t digit = bins - 1;
    int64_t take = s->take;
    for (; s->bin[digit] < take; digit--)
      take -= s->bin[digit];
    s->kth = prefix << bits | digit;
    s->take = take;
  }
  __syncthreads();
}

/* Writes the indices, ascending: those above the k-th, and the first of those equal to it. */
static __device__ void collect(select_shared *s, const float *x, int64_t d, uint32_t *index)
{
  const uint32_t kth = s->kth;
  int64_t equals = 0, kept = 0;
  for (int64_t tile = 0; tile < d; tile += CODE_THREADS * EACH) {
    const int64_t first = tile + (int64_t)threadIdx.x * EACH;
    uint32_t equal = 0, all, wanted = 0;
    for (int64_t i = first; i < first + EACH && i < d; i++)
      equal += topk_magnitude(x[i]) == kth;
    int64_t rank = equals + topk_before(equal, s->part, &all);
    equals += all;
    uint32_t flags = 0;
    for (int64_t i = first; i < first + EACH && i < d; i++) {
      const uint32_t m = topk_magnitude(x[i]);
      const bool taken = m > kth || (m == kth && rank < s->take);
      rank += m == kth;
      flags |= (taken ? 1U : 0U) << (i - first);
      wanted += taken;
    }
    int64_t at = kept + topk_before(wanted, s->part, &all);
    kept += all;
    for (int j = 0; j < EACH; j++)
      if (flags >> j & 1) index[at++] = (uint32_t)(first + j);
  }
  __syncthreads();
}

/* Magnitude bits of the smallest float that is at least the bound: floor_bits of compress_threshold.c. */
static __device__ uint32_t floor_of(double bound)
{
  float least = (float)bound;
  if ((double)least < bound) least = nextafterf(least, __uint_as_float(0x7F800000));
  const uint32_t bits = topk_magnitude(least);
  return bits > 0 ? bits : 1;
}

/* section_floor of compress_threshold.c; the same to all threads. */
static __device__ uint32_t section_floor(measure_shared *m, const topk_plan *plan, const float *x, int64_t d)
{
  if (!plan->relative) return floor_of(plan->bound);
  largest(m, x, d);
  squares(m, x, d);
  const double rms = sqrt(m->sum / (double)d);
  __syncthreads();
  return floor_of(rms <= 1.7976931348623157e308 ? plan->bound * rms : (double)__uint_as_float(0x7F800000));
}

/* Writes the indices of magnitudes that are `floor` or more, ascending; returns how many. */
static __device__ int64_t collect_above(select_shared *s, const float *x, int64_t d, uint32_t floor, uint32_t *index)
{
  int64_t kept = 0;
  for (int64_t tile = 0; tile < d; tile += CODE_THREADS * EACH) {
    const int64_t first = tile + (int64_t)threadIdx.x * EACH;
    uint32_t flags = 0, all;
    for (int64_t i = first; i < first + EACH && i < d; i++)
      flags |= (topk_magnitude(x[i]) >= floor ? 1U : 0U) << (i - first);
    int64_t at = kept + topk_before((uint32_t)__popc(flags), s->part, &all);
    kept += all;
    for (int j = 0; j < EACH; j++)
      if (flags >> j & 1) index[at++] = (uint32_t)(first + j);
  }
  __syncthreads();
  return kept;
}

/* Bits of Rice codes of width w, the same to all threads. */
static __device__ int64_t rice_bits(select_shared *s, const uint32_t *index, int64_t k, int w)
{
  uint64_t sum = 0;
  for (int64_t j = threadIdx.x; j < k; j += CODE_THREADS)
    sum += (j > 0 ? index[j] - index[j - 1] - 1 : index[0]) >> w;
  s->sums[threadIdx.x] = sum;
  __syncthreads();
  for (unsigned width = CODE_THREADS / 2; width > 0; width /= 2) {
    if (threadIdx.x < width) s->sums[threadIdx.x] += s->sums[threadIdx.x + width];
    __syncthreads();
  }
  const int64_t bits = k * (w + 1) + (int64_t)s->sums[0];
  __syncthreads();
  return bits;
}

static __device__ int best_width(select_shared *s, int64_t d, const uint32_t *index, int64_t k, int64_t *bits)
{
  int w = 0;
  while (w + 1 < WIDTHS && k << (w + 1) <= d)
    w++;
  w = k > 0 ? w : 0;
  *bits = rice_bits(s, index, k, w);
  for (int step = -1; step <= 1; step += 2)
    for (; w + step >= 0 && w + step < WIDTHS; w += step) {
      const int64_t other = rice_bits(s, index, k, w + step);
      if (other >= *bits) break;
      *bits = other;
    }
  return w;
}

static __device__ int64_t plain_bytes(int layout, int64_t d, int64_t k)
{
  if (layout == RH_INDEX_U32) return 4 * k;
  if (layout == RH_INDEX_U16) return 2 * k + 4 * topk_counted_blocks(d);
  return (d + 7) / 8;
}

/* As rh_index_bytes and `shortest` of index.c; the same to all threads. */
static __device__ topk_form form_of(select_shared *s, int asked, int64_t d, const uint32_t *index, int64_t k)
{
  topk_form form = topk_form();
  form.layout = asked;
  int64_t bytes = 0, bits;
  if (asked != RH_INDEX_PACKED && asked != RH_INDEX_AUTO) {
    form.bytes = plain_bytes(asked, d, k) + 4 * k;
    return form;
  }
  if (asked == RH_INDEX_AUTO) {
    form.layout = RH_INDEX_U32;
    for (int l = RH_INDEX_U16; l <= RH_INDEX_BITMAP; l++)
      if (plain_bytes(l, d, k) < plain_bytes(form.layout, d, k)) form.layout = l;
    bytes = plain_bytes(form.layout, d, k);
  }
  const int width = best_width(s, d, index, k, &bits);
  const int64_t packed = 1 + (bits + 7) / 8;
  if (asked == RH_INDEX_PACKED || packed < bytes) {
    form.layout = RH_INDEX_PACKED;
    form.width = width;
    bytes = packed;
  }
  form.bytes = (asked == RH_INDEX_AUTO) + bytes + 4 * k;
  return form;
}

/* Digit by digit of the k-th largest, from the top. */
static __device__ void select_largest(select_shared *s, const float *x, int64_t d, int64_t k, uint32_t *index)
{
  if (threadIdx.x == 0) {
    s->kth = 0;
    s->take = k;
  }
  __syncthreads();
  find_digit(s, x, d, TOP, 31 - TOP);
  find_digit(s, x, d, TOP - DIGIT, DIGIT);
  find_digit(s, x, d, 0, DIGIT);
  collect(s, x, d, index);
}

static __global__ void topk_select(topk_plan plan, int64_t count, rh_tensor in, topk_room room)
{
  __shared__ select_shared s;
  __shared__ measure_shared m;
  const topk_section section = plan.section[blockIdx.x];
  for (int64_t r = blockIdx.y; r < count; r += gridDim.y) {
    const float *const x = rh_at(in, r) + section.first;
    uint32_t *const index = topk_indices(room, r) + section.index;
    int64_t k = section.k;
    if (plan.bounded)
      k = collect_above(&s, x, section.d, section_floor(&m, &plan, x, section.d), index);
    else
      select_largest(&s, x, section.d, k, index);
    topk_form form = form_of(&s, plan.index, section.d, index, k);
    form.k = k;
    form.bytes += plan.bounded ? 4 : 0;
    if (threadIdx.x == 0) topk_forms(room, r)[blockIdx.x] = form;
    __syncthreads();
  }
}

void rh_cuda_topk_select(const topk_plan *plan, int64_t count, rh_tensor x, topk_room room)
{
  const dim3 grid((unsigned)plan->sections, (unsigned)(count < 65535 ? count : 65535));
  RH_LAUNCH(topk_select, grid, CODE_THREADS, *plan, count, x, room);
}
