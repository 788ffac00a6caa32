/* Partitions: who holds which train sample.
 *
 * One seeded shuffle of all samples comes first. Of it, per class, the first `skew` share goes to a list sorted by
 * class, the rest, in shuffled order, to a second list. Each worker gets an equal contiguous slice of both. IID is the
 * skew 0, in which the sorted list is empty.
 *
 * Symbols     N workers, S length of the sorted list, M length of the mixed list
 * source      github.com/aparna-aketi/Low_Precision_DL, partition code
 */
#include <math.h>
#include <stdlib.h>

#include "dataset.h"

const rh_option rh_partition_options[] = {
    {.name = "partition",
     .kind = RH_OPTION_CHOICE,
     .offset = offsetof(rh_partition_def, kind),
     .fallback = "iid",
     .choices = "iid skew",
     .help = "how the train samples are split over the workers: shuffled, or partly sorted by class"},
    {.name = "skew",
     .kind = RH_OPTION_REAL,
     .offset = offsetof(rh_partition_def, skew),
     .fallback = "0.8",
     .min = 0,
     .max = 1,
     .help = "share of each class that is dealt out sorted, for partition skew (0.8 as in arXiv 2111.09389)"},
};
const size_t rh_partition_option_count = RH_COUNT(rh_partition_options);

/* Splits `order` [n], a shuffle, into sorted [S] by class and mixed [M], both in the shuffle's order. Returns S. */
static int64_t split(const int32_t *order, int64_t n, const int32_t *labels, int64_t classes, double skew,
                     int64_t *place, int32_t *sorted, int32_t *mixed)
{
  int64_t *next = place, *end = place + classes; /* [classes] each: the class's slots in the sorted list */
  for (int64_t c = 0; c < classes; c++) {
    end[c] = 0;
  }
  for (int64_t i = 0; i < n; i++) {
    end[labels[i]]++;
  }
  int64_t sorted_count = 0, mixed_count = 0;
  for (int64_t c = 0; c < classes; c++) {
    int64_t share = llround(skew * (double)end[c]);
    next[c] = sorted_count;
    sorted_count += share;
    end[c] = sorted_count;
  }
  for (int64_t i = 0; i < n; i++) {
    int32_t label = labels[order[i]];
    if (next[label] < end[label])
      sorted[next[label]++] = order[i];
    else
      mixed[mixed_count++] = order[i];
  }
  return sorted_count;
}

/* Deals both lists out. The remainder of the sorted list goes to the first workers, that of the mixed list to the
 * last, so that no two workers differ by more than one sample. */
static void deal(const int32_t *sorted, int64_t sorted_count, const int32_t *mixed, int64_t mixed_count,
                 rh_partition *partition)
{
  int64_t workers = partition->workers, at = 0;
  for (int64_t w = 0; w < workers; w++) {
    int64_t from_sorted = sorted_count / workers + (w < sorted_count % workers);
    int64_t from_mixed = mixed_count / workers + (workers - 1 - w < mixed_count % workers);
    partition->offset[w] = at;
    for (int64_t i = 0; i < from_sorted; i++) {
      partition->indices[at++] = *sorted++; /* NOLINT(clang-analyzer-core.uninitialized.Assign): split() has set [S] */
    }
    for (int64_t i = 0; i < from_mixed; i++) {
      partition->indices[at++] = *mixed++; /* NOLINT(clang-analyzer-core.uninitialized.Assign): split() has set [M] */
    }
  }
  partition->offset[workers] = at;
}

rh_status rh_partition_new(const rh_partition_def *def, const rh_dataset *dataset, int32_t workers, uint64_t seed,
                           rh_partition *partition)
{
  rh_status status = RH_OK;
  int64_t n = dataset->train.count, classes = dataset->classes;
  *partition = (rh_partition){0};
  if (workers < 1) return rh_error(RH_EINVAL, "a partition over %d workers: at least 1 is needed", (int)workers);
  if (n < workers) {
    return rh_error(RH_EINVAL, "data set %s has %lld train samples, fewer than the %d workers", dataset->name,
                    (long long)n, (int)workers);
  }
  int32_t *order = malloc((size_t)n * sizeof *order);
  int32_t *sorted = malloc((size_t)n * sizeof *sorted);
  int32_t *mixed = malloc((size_t)n * sizeof *mixed);
  int64_t *place = malloc(2 * (size_t)classes * sizeof *place);
  partition->workers = workers;
  partition->offset = malloc(((size_t)workers + 1) * sizeof *partition->offset);
  partition->indices = malloc((size_t)n * sizeof *partition->indices);
  if (!order || !sorted || !mixed || !place || !partition->offset || !partition->indices) {
    status = rh_error(RH_ENOMEM, "no memory to split %lld samples over %d workers", (long long)n, (int)workers);
    goto done;
  }
  for (int64_t i = 0; i < n; i++) {
    order[i] = (int32_t)i;
  }
  rh_rng rng = rh_rng_stream(seed, RH_PURPOSE_PARTITION, 0, 0);
  rh_rng_shuffle(&rng, order, n);
  double skew = def->kind == RH_PARTITION_SKEW ? def->skew : 0;
  int64_t sorted_count = split(order, n, dataset->train.labels, classes, skew, place, sorted, mixed);
  deal(sorted, sorted_count, mixed, n - sorted_count, partition);
done:
  free(order);
  free(sorted);
  free(mixed);
  free(place);
  if (status != RH_OK) rh_partition_clear(partition);
  return status;
}

void rh_partition_clear(rh_partition *partition)
{
  free(partition->offset);
  free(partition->indices);
  *partition = (rh_partition){0};
}
