/* What a collective is: a generator of steps. The kinds live in sim/collective, one file each.
 *
 * Symbols     N ranks in the group, p position in it (0..N-1), k step, S bytes of the whole operation,
 *             a latency and B bandwidth of the slowest route used
 * A rank's part is a sequence of steps; all transfers of a step are started together and waited for together.
 */
#ifndef RH_COLLECTIVE_H
#define RH_COLLECTIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"
#include "torus.h"

/* Who exchanges with whom, by rank: worker i sends to out[out_offset[i] ..] and receives from in[in_offset[i] ..]. */
typedef struct rh_neighbours {
  int32_t workers;
  const int32_t *out_offset; /* [workers + 1] */
  const int32_t *out;
  const int32_t *in_offset; /* [workers + 1] */
  const int32_t *in;
} rh_neighbours;

typedef struct rh_collective_kind rh_collective_kind;

/* One use of a collective. Copied by the schedule; what it points to must live until its last rank is done. */
typedef struct rh_collective {
  const rh_collective_kind *kind;
  int32_t size;                    /* N */
  const int32_t *group;            /* [N] ranks by position; NULL: rank = position */
  int64_t bytes;                   /* S: of the reduced vector; of one rank's message for gathers and exchanges */
  int64_t element_bytes;           /* chunks are cut at multiples of it; 4 for f32, 1 for encoded messages */
  const int64_t *bytes_of;         /* [N] message length by position when they differ; NULL: all `bytes`. Copied. */
  const rh_neighbours *neighbours; /* of a neighbour exchange; else NULL */
  const int32_t *zone_of;          /* of two-level kinds: by RANK, its zone (node); NULL: all are in one */
  int32_t sides[RH_TORUS_MAX];     /* of a torus: ranks along each dimension, the first varies fastest; 0 ends them */
  int32_t shards;                  /* of a parameter server: 1..N, on positions 0 .. shards-1 */
  const void *plan;                /* what kind->new_plan made of the above; NULL: of kinds that need none */
} rh_collective;

/* Length of the message that starts at a position. */
static inline int64_t rh_collective_bytes(const rh_collective *c, int32_t position)
{
  return c->bytes_of ? c->bytes_of[position] : c->bytes;
}

/* One step of one position: what it sends and what it receives. Peers are positions. Arrays are borrowed from the
 * collective or from `one`. Blocks and `reduce` are of no use to the clock: they make the steps complete enough to be
 * executed on values. */
typedef struct rh_step {
  int32_t send_count, receive_count;
  const int32_t *send_to, *receive_from;
  int64_t send_bytes; /* to each of send_to */
  /* Which block of the operation travels: its chunk, or the position whose message it is. -1: the block of the other
   * side's position, where several peers send or get different ones. */
  int32_t send_block, receive_block;
  int32_t more_blocks; /* so many follow the block that is sent, after the last one the first */
  bool reduce;         /* what arrives is added to the blocks; else it replaces them */
  int32_t one[2];      /* storage for kinds with one peer */
} rh_step;

struct rh_collective_kind {
  const char *name;      /* "allreduce-ring" */
  const char *operation; /* "all-reduce" */
  const char *summary, *formula, *source;
  /* What all positions share and would be too slow to find anew in every step: one allocation, to be freed by `free`
   * when the collective is done. steps() and step() of such a kind need it. NULL: nothing. */
  void *(*new_plan)(const rh_collective *c);
  int64_t (*steps)(const rh_collective *c);
  void (*step)(const rh_collective *c, int32_t position, int64_t k, rh_step *step);
  /* The end of the steps from k on in which every position has the same peers and sends as many bytes as in step k: of
   * those a steady state may be skipped (steady.h). At least k + 1. NULL: always k + 1. */
  int64_t (*same_until)(const rh_collective *c, int64_t k);
  /* messages and bytes of all ranks together, pads included */
  int64_t (*messages)(const rh_collective *c);
  int64_t (*wire_bytes)(const rh_collective *c);
  /* seconds without contention when every rank is there: latency_s and bandwidth_Bps of the slowest route used */
  double (*closed_form_s)(const rh_collective *c, double latency_s, double bandwidth_Bps);
};

static inline int32_t rh_collective_rank(const rh_collective *c, int32_t position)
{
  return c->group ? c->group[position] : position;
}

#endif
