/* What partition.c and the files of its kinds share. */
#ifndef RH_PARTITION_PRIVATE_H
#define RH_PARTITION_PRIVATE_H

#include "dataset.h"

/* A partition in the making. */
typedef struct rh_split {
  const rh_partition_def *def;
  const rh_dataset *dataset;
  const int32_t *order; /* [train.count] the seeded shuffle; borrowed */
  uint64_t seed;
} rh_split;

/* Fill offset and indices of the partition, whose workers and memory are there. */
RH_CHECKED rh_status rh_partition_deal_skew(const rh_split *split, rh_partition *partition);
RH_CHECKED rh_status rh_partition_deal_drawn(const rh_split *split, rh_partition *partition);

#endif
