/* Coding of messages: which pieces they have, and which kernels make and read them. */
#include "coding.h"

#include <stdlib.h>
#include <string.h>

/* The pieces of the last code, on the host and on the device: methods code with one or a few, time after time. */
static struct {
  code_piece *host, *device;
  int64_t count, room;
} table;

static bool is_half(rh_code_kind kind)
{
  return kind == RH_CODE_FP16 || kind == RH_CODE_BF16;
}

static bool has_places(rh_code_kind kind)
{
  return kind == RH_CODE_TOPK || kind == RH_CODE_THRESHOLD || kind == RH_CODE_DGC;
}

static int head_bytes(rh_code_kind kind)
{
  if (kind == RH_CODE_SIGN) return 1;
  return kind == RH_CODE_INT || kind == RH_CODE_COSINE ? 8 : 4;
}

static int bits_of(const rh_code *code)
{
  if (code->kind == RH_CODE_SIGN || code->kind == RH_CODE_EF_SIGN) return 1;
  return code->kind == RH_CODE_TERNGRAD ? 2 : code->bits;
}

/* Appends to `pieces`, unless it is NULL, what a segment is cut into; returns the new number. */
static int64_t cut(const rh_code *code, int64_t first, int64_t length, code_piece *pieces, int64_t count, int64_t *wire,
                   int64_t *group)
{
  const int64_t most = code->kind == RH_CODE_QSGD && code->bucket > 0 ? code->bucket : length;
  for (int64_t i = 0, n; i < length; i += n, count++) {
    n = length - i < most ? length - i : most;
    if (pieces) {
      code_piece *const p = &pieces[count];
      p->first = first + i;
      p->n = n;
      p->wire = *wire;
      p->group = *group;
    }
    *wire += head_bytes(code->kind) + (n * bits_of(code) + 7) / 8;
    *group += (n + CODE_GROUP - 1) / CODE_GROUP;
  }
  return count;
}

/* *wire: bytes of a message; *groups of dither */
static int64_t cut_all(const rh_code *code, code_piece *pieces, int64_t *wire, int64_t *groups)
{
  int64_t count = 0, first = 0;
  *wire = *groups = 0;
  if (code->kind == RH_CODE_SIGN) return cut(code, 0, code->values, pieces, 0, wire, groups);
  for (int32_t s = 0; s < code->count; s++) {
    count = cut(code, first, code->length[s], pieces, count, wire, groups);
    first += code->length[s];
  }
  return count;
}

static bool send_table(code_piece *pieces, int64_t count)
{
  const size_t bytes = (size_t)count * sizeof *pieces;
  if (count == table.count && memcmp(pieces, table.host, bytes) == 0) {
    free(pieces);
    return true;
  }
  if (count > table.room) {
    rh_cuda_release(table.device);
    table.device = (code_piece *)rh_cuda_alloc(bytes);
    table.room = table.device ? count : 0;
  }
  free(table.host);
  table.host = pieces;
  table.count = table.device ? count : 0;
  if (table.device) rh_cuda_upload(table.device, pieces, bytes);
  return table.device != nullptr;
}

/* Returns false when memory is exhausted, which is the device's failure then. */
static bool plan_of(const rh_code *code, code_plan *plan, int64_t *wire)
{
  *plan = code_plan();
  plan->kind = code->kind;
  plan->bits = bits_of(code);
  plan->head_bytes = head_bytes(code->kind);
  plan->stochastic = code->stochastic;
  plan->dithered =
      code->kind == RH_CODE_QSGD || code->kind == RH_CODE_TERNGRAD || (code->kind == RH_CODE_INT && code->stochastic);
  plan->parameter = code->parameter;
  plan->pieces = cut_all(code, nullptr, wire, &plan->groups);
  code_piece *const pieces = (code_piece *)malloc((size_t)(plan->pieces + 1) * sizeof *pieces);
  if (pieces) cut_all(code, pieces, wire, &plan->groups);
  if (!pieces || !send_table(pieces, plan->pieces)) {
    rh_cuda_check(cudaErrorMemoryAllocation, "a table of a message's pieces");
    return false;
  }
  plan->piece = table.device;
  return true;
}

extern "C" int64_t rh_cuda_code_scratch(const rh_code *code)
{
  int64_t wire, groups;
  if (is_half(code->kind) || code->kind == RH_CODE_RANDOMK) return 0;
  if (has_places(code->kind)) return rh_cuda_topk_scratch(code);
  const int64_t heads = (cut_all(code, nullptr, &wire, &groups) * (int64_t)sizeof(code_head) + 63) / 64 * 64;
  return heads + groups * CODE_GROUP;
}

static __global__ void set_lengths(int64_t count, int64_t length, int64_t *bytes)
{
  for (int64_t r = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; r < count; r += (int64_t)gridDim.x * blockDim.x)
    bytes[r] = length;
}

static void tell_lengths(int64_t count, int64_t length, int64_t *bytes)
{
  RH_LAUNCH(set_lengths, rh_grid(count, 1), RH_BLOCK, count, length, bytes);
}

extern "C" void rh_cuda_encode(const rh_code *code, const rh_rng *stream, int64_t count, rh_tensor x, uint8_t *wire,
                               int64_t stride, int64_t *bytes, void *scratch)
{
  if (has_places(code->kind)) {
    rh_cuda_topk_encode(code, count, x, wire, stride, bytes, scratch);
    return;
  }
  if (code->kind == RH_CODE_RANDOMK) {
    rh_cuda_randomk_encode(code, count, x, wire, stride, bytes);
    return;
  }
  if (is_half(code->kind)) {
    rh_cuda_half_encode(code->kind, code->values, count, x, wire, stride);
    tell_lengths(count, 2 * code->values, bytes);
    return;
  }
  code_plan plan;
  int64_t length;
  if (!plan_of(code, &plan, &length)) return;
  tell_lengths(count, length, bytes);
  if (plan.pieces == 0) return;
  code_room room;
  room.base = (char *)scratch;
  room.stride = rh_cuda_code_scratch(code);
  const philox p = philox_of(stream);
  rh_cuda_code_measure(&plan, count, x, wire, stride, room);
  if (plan.dithered) rh_cuda_code_draw(&plan, &p, count, room);
  rh_cuda_code_quantise(&plan, &p, count, x, wire, stride, room);
}

extern "C" void rh_cuda_decode(const rh_code *code, int64_t count, const uint8_t *wire, int64_t stride, rh_tensor x)
{
  if (has_places(code->kind)) {
    rh_cuda_topk_decode(code, count, wire, stride, x);
    return;
  }
  if (code->kind == RH_CODE_RANDOMK) {
    rh_cuda_randomk_decode(code, count, wire, stride, x);
    return;
  }
  if (is_half(code->kind)) {
    rh_cuda_half_decode(code->kind, code->values, count, wire, stride, x);
    return;
  }
  code_plan plan;
  int64_t length;
  if (plan_of(code, &plan, &length) && plan.pieces > 0) rh_cuda_code_dequantise(&plan, count, wire, stride, x);
}

/* One block: ties take coins in the order of values, so that their number before a tile of values must be known. */
static __global__ void vote(int64_t n, float magnitude, philox stream, float *mean)
{
  __shared__ uint32_t before[CODE_THREADS + 1];
  const float tie = magnitude * 0x1p-18F;
  uint32_t ties = 0;
  for (int64_t first = 0; first < n; first += CODE_THREADS) {
    const int64_t i = first + threadIdx.x;
    const float value = i < n ? mean[i] : magnitude;
    const bool tied = fabsf(value) < tie;
    before[threadIdx.x + 1] = tied ? 1 : 0;
    if (threadIdx.x == 0) before[0] = ties;
    __syncthreads();
    if (threadIdx.x == 0)
      for (int k = 0; k < CODE_THREADS; k++)
        before[k + 1] += before[k];
    __syncthreads();
    if (i < n && value == value) {
      const bool below = tied ? philox_number(&stream, 0, before[threadIdx.x]) >> 31 : value < 0;
      mean[i] = below ? -magnitude : magnitude;
    }
    ties = before[CODE_THREADS];
    __syncthreads();
  }
}

extern "C" void rh_cuda_vote(const rh_code *code, const rh_rng *stream, float *mean)
{
  const philox p = philox_of(stream);
  RH_LAUNCH(vote, dim3(1), CODE_THREADS, code->values, (float)code->parameter, p, mean);
}
