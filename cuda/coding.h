/* Messages on the device: what the kernels of code*.cu share.
 *
 * A message is cut into pieces, each with numbers of its own at its head (a range, a norm) and then its values'
 * codes: a segment, or a bucket of one. For each piece of each message the head is found (code_measure.cu), then the
 * dither of the message is drawn where it is needed (code_dither.cu), then codes are made and packed, eight values a
 * thread (code_quantise.cu); the way back is one kernel. Sums follow the order of train/compress/segment.c. Top-k has
 * its own kernels (code_topk.cu).
 */
#ifndef RH_CUDA_CODING_H
#define RH_CUDA_CODING_H

#include "launch.h"
#include "philox.h"

enum { CODE_THREADS = 256, CODE_LANES = 64, CODE_GROUP = 64 /* values that share 64 bytes of dither */ };

typedef struct code_piece {
  int64_t first, n; /* values, from the start of the vector */
  int64_t wire;     /* where its head is, from the start of the message */
  int64_t group;    /* its first group of dither, were all pieces before it finite */
} code_piece;

/* A piece's numbers, as its values are coded with them. */
typedef struct code_head {
  float power, low, scale, widest; /* what each means is its formula's */
  int finite;                      /* 0: its codes are zeros */
} code_head;

/* What a kernel knows of a code. */
typedef struct code_plan {
  rh_code_kind kind;
  int bits, head_bytes;
  bool stochastic, dithered;
  double parameter;
  int64_t pieces, groups;  /* of a message */
  const code_piece *piece; /* [pieces] on the device */
} code_plan;

/* What a call has for message r: heads, then dither. */
typedef struct code_room {
  char *base;
  int64_t stride; /* bytes of a message */
} code_room;

static __device__ inline code_head *code_heads(code_room room, int64_t r)
{
  return (code_head *)(room.base + r * room.stride);
}

static __device__ inline uint8_t *code_dither(const code_plan *plan, code_room room, int64_t r)
{
  return (uint8_t *)(room.base + r * room.stride + (plan->pieces * (int64_t)sizeof(code_head) + 63) / 64 * 64);
}

/* Numbers in a message may begin at any byte, low byte first. */
static __device__ inline void code_put(uint8_t *to, uint32_t bits)
{
  for (int k = 0; k < 4; k++)
    to[k] = (uint8_t)(bits >> 8 * k);
}

static __device__ inline uint32_t code_get(const uint8_t *from)
{
  return (uint32_t)from[0] | (uint32_t)from[1] << 8 | (uint32_t)from[2] << 16 | (uint32_t)from[3] << 24;
}

static __device__ inline bool code_is_finite(float x)
{
  return (__float_as_uint(x) & 0x7F800000) != 0x7F800000;
}

/* rh_segment_power of train/compress/segment.c */
static __device__ inline float code_power(double size)
{
  int exponent;
  frexp(size, &exponent);
  if (exponent <= 96 && exponent >= -96) return 1;
  if (exponent > 126) exponent = 126;
  if (exponent < -126) exponent = -126;
  return ldexpf(1, -exponent);
}

/* arcsin of compress_cosine.c */
static __device__ inline float code_arcsin(float x)
{
  const float a = fabsf(x);
  const bool far = a > 0.5F;
  const float z = far ? 0.5F * (1 - a) : a * a, root = sqrtf(z), y = far ? root : a;
  const float poly = (((4.2163199048e-2F * z + 2.4181311049e-2F) * z + 4.5470025998e-2F) * z + 7.4953002686e-2F) * z +
                     1.6666752422e-1F;
  const float near_zero = y + y * z * poly;
  return copysignf(far ? 1.57079632679F - 2 * near_zero : near_zero, x);
}

/* code_measure.cu: heads of all pieces, into the room and into the messages. */
void rh_cuda_code_measure(const code_plan *plan, int64_t count, rh_tensor x, uint8_t *wire, int64_t stride,
                          code_room room);
/* code_dither.cu: the messages' dither */
void rh_cuda_code_draw(const code_plan *plan, const philox *stream, int64_t count, code_room room);
/* code_quantise.cu: codes, packed */
void rh_cuda_code_quantise(const code_plan *plan, const philox *stream, int64_t count, rh_tensor x, uint8_t *wire,
                           int64_t stride, code_room room);
void rh_cuda_code_dequantise(const code_plan *plan, int64_t count, const uint8_t *wire, int64_t stride, rh_tensor x);
/* code_half.cu */
void rh_cuda_half_encode(rh_code_kind kind, int64_t n, int64_t count, rh_tensor x, uint8_t *wire, int64_t stride);
void rh_cuda_half_decode(rh_code_kind kind, int64_t n, int64_t count, const uint8_t *wire, int64_t stride, rh_tensor x);
/* code_topk*.cu */
int64_t rh_cuda_topk_scratch(const rh_code *code);
void rh_cuda_topk_encode(const rh_code *code, int64_t count, rh_tensor x, uint8_t *wire, int64_t stride, int64_t *bytes,
                         void *scratch);
void rh_cuda_topk_decode(const rh_code *code, int64_t count, const uint8_t *wire, int64_t stride, rh_tensor x);

/* code_randomk.cu */
void rh_cuda_randomk_encode(const rh_code *code, int64_t count, rh_tensor x, uint8_t *wire, int64_t stride,
                            int64_t *bytes);
void rh_cuda_randomk_decode(const rh_code *code, int64_t count, const uint8_t *wire, int64_t stride, rh_tensor x);

#endif
