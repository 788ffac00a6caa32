/* Which samples a worker sees in a step.
 *
 * Symbols     S samples in a worker's shard, B batch, t step
 * A worker goes through its shard epoch after epoch, each in a new seeded order; its batch t is the samples tB ..
 * tB+B-1 of that endless sequence, so a batch may end one epoch and begin the next, or hold several epochs of a small
 * shard.
 */
#ifndef RH_BATCHES_H
#define RH_BATCHES_H

#include "dataset.h"

typedef struct rh_batches {
  const rh_dataset *dataset;     /* borrowed */
  const rh_partition *partition; /* borrowed */
  uint64_t seed;
  int32_t *order;  /* [train.count]; worker w's shard in the order of epoch[w]; owned */
  int64_t *epoch;  /* [workers]; -1: none yet; owned */
  int32_t workers; /* of the partition */
} rh_batches;

RH_CHECKED rh_status rh_batches_init(const rh_dataset *dataset, const rh_partition *partition, uint64_t seed,
                                     rh_batches *batches);
void rh_batches_clear(rh_batches *batches);
int64_t rh_batches_bytes(const rh_partition *partition);

/* Worker w's batch t into x [B][C*H*W] and labels [B]. Different workers may be asked for by different threads. */
void rh_batches_gather(rh_batches *batches, int32_t worker, int64_t t, int64_t batch, float *x, int32_t *labels);

/* The same as indices of train samples [B]. */
void rh_batches_indices(rh_batches *batches, int32_t worker, int64_t t, int64_t batch, int32_t *indices);
/* Orders now the epoch in which worker w's batch t begins, which takes a microsecond or more, so that the batch takes
 * next to nothing when it is asked for. Changes no batch. */
void rh_batches_prepare(rh_batches *batches, int32_t worker, int64_t t, int64_t batch);

#endif
