/* Partitions: who holds which train sample. One seeded shuffle of all samples comes first; what is made of it is in
 * partition_skew.c (iid, skew) and partition_drawn.c (dirichlet, quantity). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "partition_private.h"

const rh_option rh_partition_options[] = {
    {.name = "partition",
     .kind = RH_OPTION_CHOICE,
     .offset = offsetof(rh_partition_def, kind),
     .fallback = "iid",
     .choices = "iid skew dirichlet quantity",
     .help =
         "how the train samples are split over the workers: shuffled, partly sorted by class, classes shared out by "
         "Dirichlet draws, or shares of different sizes"},
    {.name = "skew",
     .kind = RH_OPTION_REAL,
     .offset = offsetof(rh_partition_def, skew),
     .fallback = "0.8",
     .min = 0,
     .max = 1,
     .help =
         "share of each class that is dealt out sorted, for partition skew (0.8 as in arXiv 2111.09389): 0 is iid, 1 "
         "fully sorted"},
    {.name = "alpha",
     .kind = RH_OPTION_REAL,
     .offset = offsetof(rh_partition_def, alpha),
     .fallback = "0.5",
     .min = 1e-3,
     .max = 1e6,
     .help =
         "of the Dirichlet draws, for partitions dirichlet and quantity (0.5 as in NIID-Bench, arXiv 2102.02079): the "
         "smaller, the more uneven"},
};
const size_t rh_partition_option_count = RH_COUNT(rh_partition_options);

const char *rh_partition_name(int kind)
{
  static const char *const names[] = {"iid", "skew", "dirichlet", "quantity"};
  RH_ASSERT(kind >= 0 && (size_t)kind < RH_COUNT(names));
  return names[kind];
}

rh_status rh_partition_new(const rh_partition_def *def, const rh_dataset *dataset, int32_t workers, uint64_t seed,
                           rh_partition *partition)
{
  rh_status status = RH_OK;
  const int64_t n = dataset->train.count;
  const bool drawn = def->kind == RH_PARTITION_DIRICHLET || def->kind == RH_PARTITION_QUANTITY;
  *partition = (rh_partition){0};
  if (workers < 1) return rh_error(RH_EINVAL, "a partition over %d workers: at least 1 is needed", (int)workers);
  if (n < workers) {
    return rh_error(RH_EINVAL,
                    "data set %s has %lld train samples, fewer than the %d workers; take more samples or fewer workers",
                    dataset->name, (long long)n, (int)workers);
  }
  int32_t *order = malloc((size_t)n * sizeof *order);
  partition->workers = workers;
  partition->offset = malloc(((size_t)workers + 1) * sizeof *partition->offset);
  partition->indices = malloc((size_t)n * sizeof *partition->indices);
  if (!order || !partition->offset || !partition->indices) {
    status = rh_error(RH_ENOMEM, "no memory to split %lld samples over %d workers", (long long)n, (int)workers);
    goto done;
  }
  for (int64_t i = 0; i < n; i++) {
    order[i] = (int32_t)i;
  }
  rh_rng rng = rh_rng_stream(seed, RH_PURPOSE_PARTITION, 0, 0);
  rh_rng_shuffle(&rng, order, n);
  const rh_split split = {.def = def, .dataset = dataset, .order = order, .seed = seed};
  status = drawn ? rh_partition_deal_drawn(&split, partition) : rh_partition_deal_skew(&split, partition);
done:
  free(order);
  if (status != RH_OK) rh_partition_clear(partition);
  return status;
}

void rh_partition_class_counts(const rh_partition *partition, const rh_dataset *dataset, int64_t *counts)
{
  memset(counts, 0, (size_t)partition->workers * (size_t)dataset->classes * sizeof *counts);
  for (int32_t w = 0; w < partition->workers; w++) {
    for (int64_t i = partition->offset[w]; i < partition->offset[w + 1]; i++) {
      counts[w * dataset->classes + dataset->train.labels[partition->indices[i]]]++;
    }
  }
}

void rh_partition_clear(rh_partition *partition)
{
  free(partition->offset);
  free(partition->indices);
  *partition = (rh_partition){0};
}
