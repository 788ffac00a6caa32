/* What several kinds of collectives are made of.
 *
 * Symbols     N positions, p position, k step, L = floor(log2 N), r = N - 2^L
 */
#ifndef RH_PARTS_H
#define RH_PARTS_H

#include <stddef.h>

#include "collectives.h"

/* Largest chunk of a pipeline, in bytes: the segment of 128 KiB into which Open MPI's tuned module cuts long messages
 * of its chain and pipeline broadcasts. */
enum { PIPELINE_BYTES = 128 << 10 };

/* Bytes of one of `parts` equal chunks, padded to whole elements. */
static inline int64_t chunk_bytes(const rh_collective *c, int64_t parts)
{
  RH_ASSERT(parts > 0);
  const int64_t elements = (c->bytes + c->element_bytes - 1) / c->element_bytes;
  return (elements + parts - 1) / parts * c->element_bytes;
}

/* Chunks of at most PIPELINE_BYTES, where the elements are no longer; at least one. */
static inline int64_t pipeline_chunks(int64_t bytes)
{
  return bytes > PIPELINE_BYTES ? (bytes + PIPELINE_BYTES - 1) / PIPELINE_BYTES : 1;
}

/* x modulo N for -N <= x < 2 N: a division would cost more than the rest of a step. */
static inline int32_t wrap(int32_t x, int32_t N)
{
  return x < 0 ? x + N : x >= N ? x - N : x;
}

static inline void send_to(rh_step *step, int32_t peer, int64_t bytes)
{
  step->one[0] = peer;
  step->send_count = 1;
  step->send_to = &step->one[0];
  step->send_bytes = bytes;
}

static inline void receive_from(rh_step *step, int32_t peer)
{
  step->one[1] = peer;
  step->receive_count = 1;
  step->receive_from = &step->one[1];
}

/* --- a ring of `size` members, of which this is number i: its step j = 0 .. size-2 of either half -------------------
 * Reduce-scatter: i sends chunk i-j and adds to chunk i-j-1; at the end it holds the sum of chunk i+1. All-gather: i
 * sends chunk i+1-j and replaces chunk i-j. Modulo size. */
typedef struct ring_chunks {
  int32_t sent, received;
} ring_chunks;

static inline ring_chunks ring_half(int32_t i, int32_t j, int32_t size, bool reduce)
{
  return reduce ? (ring_chunks){wrap(i - j, size), wrap(i - j - 1, size)}
                : (ring_chunks){wrap(i + 1 - j, size), wrap(i - j, size)};
}

/* --- a binomial tree, farthest children first: the level at which position p may pass something to p + m ---------- */

typedef enum tree_side { TREE_IDLE, TREE_PARENT, TREE_CHILD } tree_side;

static inline tree_side binomial_side(int32_t p, int64_t m, int32_t N, int32_t *peer)
{
  const int64_t place = p % (2 * m);
  if (place != m && (place != 0 || p + m >= N)) return TREE_IDLE;
  *peer = (int32_t)(place == 0 ? p + m : p - m);
  return place == 0 ? TREE_PARENT : TREE_CHILD;
}

/* --- folding N positions into 2^L: of the first 2 r, each even one hands over to the odd one above it ------------- */

typedef struct fold {
  int32_t L, r;
} fold;

static inline fold fold_of(int32_t N)
{
  const int32_t up = rh_collective_log2(N);
  const int32_t L = INT64_C(1) << up == N ? up : up - 1;
  RH_ASSERT(L >= 0);
  return (fold){.L = L, .r = N - (int32_t)(INT64_C(1) << L)};
}

/* Number 0 .. 2^L - 1 of a position that takes part; -1: it handed over. */
static inline int32_t fold_number(fold f, int32_t p)
{
  if (p >= 2 * f.r) return p - f.r;
  return p % 2 != 0 ? p / 2 : -1;
}

static inline int32_t fold_position(fold f, int32_t q)
{
  return q < f.r ? 2 * q + 1 : q + f.r;
}

/* Within a pair below 2 r: the even one's message to the odd one (`up`), or back. Nothing for other positions. */
static inline void fold_pass(fold f, int32_t p, bool up, int64_t bytes, rh_step *step)
{
  if (p >= 2 * f.r) return;
  if ((p % 2 == 0) == up)
    send_to(step, p ^ 1, bytes);
  else
    receive_from(step, p ^ 1);
}

#endif
