/* Messages of values with their places: selection, then where each section's part begins, then the parts; and reading
 * them. The bytes of train/compress/index.c and sparse.c. Rice codes, each of which begins where the last one ends, are
 * one thread's. */
#include "code_topk.h"

#include <stdlib.h>
#include <string.h>

static struct {
  topk_section *host, *device;
  int64_t count, room;
} table;

/* As rh_sparse_count. */
static int64_t taken(double ratio, int64_t d)
{
  const int64_t k = (int64_t)((double)d * ratio);
  return k > 0 || d == 0 ? k : 1;
}

/* Fills `sections` unless it is NULL; empty ones are none. */
static topk_plan cut(const rh_code *code, topk_section *sections)
{
  topk_plan plan = topk_plan();
  int64_t first = 0;
  plan.index = code->index;
  plan.values = code->values;
  plan.bounded = code->kind == RH_CODE_THRESHOLD;
  plan.relative = code->relative;
  plan.bound = code->parameter;
  for (int32_t s = 0; s < code->count; first += code->length[s++]) {
    const int64_t d = code->length[s], k = plan.bounded ? d : taken(code->parameter, d);
    if (d == 0) continue;
    if (sections) {
      topk_section *const section = &sections[plan.sections];
      section->first = first;
      section->d = d;
      section->k = k;
      section->index = plan.indices;
    }
    plan.sections++;
    plan.indices += k;
  }
  return plan;
}

bool rh_cuda_topk_plan(const rh_code *code, topk_plan *plan)
{
  topk_section *const sections = (topk_section *)calloc((size_t)code->count + 1, sizeof *sections);
  if (!sections) return rh_cuda_check(cudaErrorMemoryAllocation, "a table of a message's sections");
  *plan = cut(code, sections);
  const size_t bytes = (size_t)plan->sections * sizeof *sections;
  if (plan->sections == table.count && memcmp(sections, table.host, bytes) == 0) {
    free(sections);
  } else {
    if (plan->sections > table.room) {
      rh_cuda_release(table.device);
      table.device = (topk_section *)rh_cuda_alloc(bytes);
      table.room = table.device ? plan->sections : 0;
    }
    free(table.host);
    table.host = sections;
    table.count = table.device ? plan->sections : 0;
    if (!table.device) return rh_cuda_check(cudaErrorMemoryAllocation, "a table of a message's sections");
    rh_cuda_upload(table.device, sections, bytes);
  }
  plan->section = table.device;
  return !rh_cuda_failed();
}

int64_t rh_cuda_topk_scratch(const rh_code *code)
{
  const topk_plan plan = cut(code, nullptr);
  return topk_forms_bytes(&plan) + (plan.indices * (int64_t)sizeof(uint32_t) + 63) / 64 * 64;
}

static __global__ void place(topk_plan plan, int64_t count, topk_room room, int64_t *bytes)
{
  for (int64_t r = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; r < count; r += (int64_t)gridDim.x * blockDim.x) {
    topk_form *const forms = topk_forms(room, r);
    int64_t at = 0;
    for (int64_t s = 0; s < plan.sections; s++) {
      forms[s].wire = at;
      at += forms[s].bytes;
    }
    bytes[r] = at;
  }
}

/* encode_packed of index.c without the bytes in between: bits wait in `word`, whose lowest goes first. */
static __device__ void write_packed(const uint32_t *index, int64_t k, int w, uint8_t *wire)
{
  uint64_t word = 0;
  int held = 0;
  uint32_t next = 0;
  *wire++ = (uint8_t)w;
  for (int64_t j = 0; j < k; j++) {
    const uint32_t gap = index[j] - next;
    next = index[j] + 1;
    uint32_t zeros = gap >> w;
    for (;; zeros -= 24) {
      const int step = zeros < 24 ? (int)zeros : 24;
      held += step;
      if (zeros < 24) break;
      for (; held >= 8; held -= 8, word >>= 8)
        *wire++ = (uint8_t)word;
    }
    word |= (((uint64_t)gap & ((1ULL << w) - 1)) << 1 | 1) << held;
    held += 1 + w;
    for (; held >= 8; held -= 8, word >>= 8)
      *wire++ = (uint8_t)word;
  }
  if (held > 0) *wire = (uint8_t)word;
}

static __device__ void write_u16(int64_t d, const uint32_t *index, int64_t k, uint8_t *wire)
{
  const int64_t blocks = topk_counted_blocks(d);
  for (int64_t b = threadIdx.x; b < blocks; b += CODE_THREADS)
    code_put(wire + 4 * b,
             (uint32_t)(topk_lower_bound(index, k, (b + 1) * 65536) - topk_lower_bound(index, k, b * 65536)));
  for (int64_t j = threadIdx.x; j < k; j += CODE_THREADS) {
    wire[4 * blocks + 2 * j] = (uint8_t)index[j];
    wire[4 * blocks + 2 * j + 1] = (uint8_t)(index[j] >> 8);
  }
}

static __device__ void write_bitmap(int64_t d, const uint32_t *index, int64_t k, uint8_t *wire)
{
  for (int64_t byte = threadIdx.x; byte < (d + 7) / 8; byte += CODE_THREADS) {
    uint32_t bits = 0;
    for (int64_t j = topk_lower_bound(index, k, 8 * byte); j < k && index[j] / 8 == byte; j++)
      bits |= 1U << index[j] % 8;
    wire[byte] = (uint8_t)bits;
  }
}

static __global__ void topk_write(topk_plan plan, int64_t count, rh_tensor in, topk_room room, uint8_t *wires,
                                  int64_t stride)
{
  const topk_section section = plan.section[blockIdx.x];
  for (int64_t r = blockIdx.y; r < count; r += gridDim.y) {
    const float *const x = rh_at(in, r) + section.first;
    const uint32_t *const index = topk_indices(room, r) + section.index;
    const topk_form form = topk_forms(room, r)[blockIdx.x];
    const int64_t k = form.k;
    uint8_t *wire = wires + r * stride + form.wire;
    uint8_t *const values = wire + form.bytes - 4 * k;
    if (plan.bounded) {
      if (threadIdx.x == 0) code_put(wire, (uint32_t)k);
      wire += 4;
    }
    if (plan.index == RH_INDEX_AUTO) {
      if (threadIdx.x == 0) *wire = (uint8_t)form.layout;
      wire++;
    }
    if (form.layout == RH_INDEX_U32)
      for (int64_t j = threadIdx.x; j < k; j += CODE_THREADS)
        code_put(wire + 4 * j, index[j]);
    if (form.layout == RH_INDEX_U16) write_u16(section.d, index, k, wire);
    if (form.layout == RH_INDEX_BITMAP) write_bitmap(section.d, index, k, wire);
    if (form.layout == RH_INDEX_PACKED && threadIdx.x == 0) write_packed(index, k, form.width, wire);
    for (int64_t j = threadIdx.x; j < k; j += CODE_THREADS)
      code_put(values + 4 * j, __float_as_uint(x[index[j]]));
  }
}

/* Zero in both rows of a worker's state where values were sent. */
static __global__ void topk_drop(topk_plan plan, int64_t count, rh_tensor state, topk_room room)
{
  const topk_section section = plan.section[blockIdx.x];
  for (int64_t r = blockIdx.y; r < count; r += gridDim.y) {
    float *const u = rh_at(state, r) + section.first, *const v = u + plan.values;
    const uint32_t *const index = topk_indices(room, r) + section.index;
    for (int64_t j = threadIdx.x; j < section.k; j += CODE_THREADS)
      u[index[j]] = v[index[j]] = 0;
  }
}

void rh_cuda_topk_encode(const rh_code *code, int64_t count, rh_tensor x, uint8_t *wire, int64_t stride, int64_t *bytes,
                         void *scratch)
{
  topk_plan plan;
  if (!rh_cuda_topk_plan(code, &plan) || plan.sections == 0) return;
  topk_room room;
  room.base = (char *)scratch;
  room.stride = rh_cuda_topk_scratch(code);
  room.forms_bytes = topk_forms_bytes(&plan);
  const dim3 grid((unsigned)plan.sections, (unsigned)(count < 65535 ? count : 65535));
  const rh_tensor state = x;
  if (code->kind == RH_CODE_DGC) x.data += code->values;
  rh_cuda_topk_select(&plan, count, x, room);
  RH_LAUNCH(place, rh_grid(count, 1), RH_BLOCK, plan, count, room, bytes);
  RH_LAUNCH(topk_write, grid, CODE_THREADS, plan, count, x, room, wire, stride);
  if (code->kind == RH_CODE_DGC) RH_LAUNCH(topk_drop, grid, CODE_THREADS, plan, count, state, room);
}

/* Reads Rice codes and puts their values where they belong; returns the bytes read. */
static __device__ int64_t read_packed(const uint8_t *wire, int64_t k, float *x)
{
  const uint8_t *at = wire;
  const int w = *at++;
  uint64_t word = 0;
  int held = 0;
  uint32_t next = 0;
  for (int64_t j = 0; j < k; j++) {
    uint32_t gap = 0;
    while (word == 0) {
      gap += (uint32_t)held;
      word = *at++;
      held = 8;
    }
    int zeros = 0;
    for (; !(word >> zeros & 1); zeros++) {
    }
    gap = (gap + (uint32_t)zeros) << w;
    word >>= zeros + 1;
    held -= zeros + 1;
    for (; held < w; held += 8)
      word |= (uint64_t)*at++ << held;
    gap |= (uint32_t)(word & ((1ULL << w) - 1));
    word >>= w;
    held -= w;
    x[next + gap] = __uint_as_float((uint32_t)j + 1); /* its number, until the values' place is known */
    next += gap + 1;
  }
  return at - wire;
}

/* Numbers the places of a bitmap: x[place] = 1 + how many are before it. */
static __device__ void read_bitmap(const uint8_t *wire, int64_t d, float *x, uint32_t *part)
{
  uint32_t before = 0;
  for (int64_t first = 0; first < (d + 7) / 8; first += CODE_THREADS) {
    const int64_t byte = first + threadIdx.x;
    const uint32_t bits = byte < (d + 7) / 8 ? wire[byte] : 0;
    uint32_t all, rank = before + topk_before((uint32_t)__popc(bits), part, &all);
    for (int j = 0; j < 8; j++)
      if (bits >> j & 1) x[8 * byte + j] = __uint_as_float(++rank);
    before += all;
  }
}

static __device__ void read_u16(const uint8_t *wire, int64_t d, int64_t k, float *x)
{
  const int64_t blocks = topk_counted_blocks(d);
  for (int64_t j = threadIdx.x; j < k; j += CODE_THREADS) {
    int64_t block = 0;
    for (int64_t before = 0; block < blocks && j >= before + (int64_t)code_get(wire + 4 * block); block++)
      before += (int64_t)code_get(wire + 4 * block);
    const uint8_t *const at = wire + 4 * blocks + 2 * j;
    x[block * 65536 + at[0] + 256 * at[1]] = __uint_as_float((uint32_t)j + 1);
  }
}

/* A block reads a message, section by section: where one begins the last one says. Places are numbered first, 0 being
 * none, and numbers become values. */
static __global__ void topk_read(topk_plan plan, int64_t count, const uint8_t *wires, int64_t stride, rh_tensor out)
{
  __shared__ uint32_t part[CODE_THREADS];
  __shared__ int64_t index_bytes;
  for (int64_t r = blockIdx.x; r < count; r += gridDim.x) {
    const uint8_t *wire = wires + r * stride;
    for (int64_t s = 0; s < plan.sections; s++) {
      const topk_section section = plan.section[s];
      float *const x = rh_at(out, r) + section.first;
      const int64_t k = plan.bounded ? (int64_t)code_get(wire) : section.k;
      wire += plan.bounded ? 4 : 0;
      const int layout = plan.index == RH_INDEX_AUTO ? *wire++ : plan.index;
      for (int64_t i = threadIdx.x; i < section.d; i += CODE_THREADS)
        x[i] = 0;
      __syncthreads();
      if (layout == RH_INDEX_U32)
        for (int64_t j = threadIdx.x; j < k; j += CODE_THREADS)
          x[code_get(wire + 4 * j)] = __uint_as_float((uint32_t)j + 1);
      if (layout == RH_INDEX_U16) read_u16(wire, section.d, k, x);
      if (layout == RH_INDEX_BITMAP) read_bitmap(wire, section.d, x, part);
      if (threadIdx.x == 0) {
        index_bytes = layout == RH_INDEX_U32   ? 4 * k
                      : layout == RH_INDEX_U16 ? 2 * k + 4 * topk_counted_blocks(section.d)
                                               : (section.d + 7) / 8;
        if (layout == RH_INDEX_PACKED) index_bytes = read_packed(wire, k, x);
      }
      __syncthreads();
      wire += index_bytes;
      for (int64_t i = threadIdx.x; i < section.d; i += CODE_THREADS) {
        const uint32_t number = __float_as_uint(x[i]);
        if (number > 0) x[i] = __uint_as_float(code_get(wire + 4 * (int64_t)(number - 1)));
      }
      wire += 4 * k;
      __syncthreads();
    }
  }
}

void rh_cuda_topk_decode(const rh_code *code, int64_t count, const uint8_t *wire, int64_t stride, rh_tensor x)
{
  topk_plan plan;
  if (!rh_cuda_topk_plan(code, &plan) || plan.sections == 0) return;
  RH_LAUNCH(topk_read, dim3((unsigned)(count < 65535 ? count : 65535)), CODE_THREADS, plan, count, wire, stride, x);
}
