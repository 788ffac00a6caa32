/* Values with their places on the device, the largest ones or those above a bound: what selection, writing and reading
 * share (code_topk_select.cu, code_topk.cu). A section is a segment, or the whole vector. */
#ifndef RH_CUDA_CODE_TOPK_H
#define RH_CUDA_CODE_TOPK_H

#include "coding.h"

typedef struct topk_section {
  int64_t first, d, k; /* values, from the start of the vector; how many are taken, or may be, above a bound */
  int64_t index;       /* where its indices begin in the message's room */
} topk_section;

/* How a section's indices are written, once they are known. */
typedef struct topk_form {
  int32_t layout, width; /* enum rh_index_layout, not auto; of packed: w */
  int64_t k;             /* values that are taken */
  int64_t bytes;         /* of the section's part of the message, indices and values */
  int64_t wire;          /* where it begins in the message */
} topk_form;

typedef struct topk_plan {
  int index;              /* enum rh_index_layout, as it was asked for */
  bool bounded, relative; /* by a bound on magnitudes, whose number is in the message; of rms = 1 */
  double bound;
  int64_t sections, values, indices; /* of a message; indices: all k */
  const topk_section *section;       /* [sections] on the device */
} topk_plan;

static inline int64_t topk_forms_bytes(const topk_plan *plan)
{
  return (plan->sections * (int64_t)sizeof(topk_form) + 63) / 64 * 64;
}

/* Message r's forms, then its indices, of all sections. */
typedef struct topk_room {
  char *base;
  int64_t stride, forms_bytes;
} topk_room;

/* code_topk.cu: the sections of a code whose `parameter` is a ratio, on the device. False: no memory, the device's
 * failure then. */
bool rh_cuda_topk_plan(const rh_code *code, topk_plan *plan);

static __device__ inline topk_form *topk_forms(topk_room room, int64_t r)
{
  return (topk_form *)(room.base + r * room.stride);
}

static __device__ inline uint32_t *topk_indices(topk_room room, int64_t r)
{
  return (uint32_t *)(room.base + r * room.stride + room.forms_bytes);
}

static __device__ inline uint32_t topk_magnitude(float x)
{
  return __float_as_uint(x) & 0x7FFFFFFF;
}

/* Sum of the values of all threads before this one; *all: of all. For blocks of CODE_THREADS; `part` is shared. */
static __device__ inline uint32_t topk_before(uint32_t value, uint32_t *part, uint32_t *all)
{
  const unsigned t = threadIdx.x;
  part[t] = value;
  __syncthreads();
  for (unsigned distance = 1; distance < CODE_THREADS; distance *= 2) {
    const uint32_t other = t >= distance ? part[t - distance] : 0;
    __syncthreads();
    part[t] += other;
    __syncthreads();
  }
  *all = part[CODE_THREADS - 1];
  const uint32_t before = part[t] - value;
  __syncthreads();
  return before;
}

/* Blocks of 65,536 places but the last. */
static __device__ inline int64_t topk_counted_blocks(int64_t d)
{
  return d > 0 ? (d - 1) / 65536 : 0;
}

/* First j with index[j] >= place, of [k] ascending ones. */
static __device__ inline int64_t topk_lower_bound(const uint32_t *index, int64_t k, int64_t place)
{
  int64_t low = 0, high = k;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if ((int64_t)index[middle] < place)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

void rh_cuda_topk_select(const topk_plan *plan, int64_t count, rh_tensor x, topk_room room);

#endif
