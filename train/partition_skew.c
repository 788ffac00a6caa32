/* skew: workers hold more of some classes than of others, by a share that is dealt out sorted.
 *
 * Of the shuffle, per class, the first `skew` share goes to a list sorted by class, the rest, in shuffled order, to a
 * second list. Each worker gets an equal contiguous slice of both. iid is the skew 0, in which the sorted list is
 * empty.
 *
 * Symbols     N workers, S length of the sorted list, M length of the mixed list
 * source      github.com/aparna-aketi/Low_Precision_DL, partition code
 */
#include <math.h>
#include <stdlib.h>

#include "partition_private.h"

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

rh_status rh_partition_deal_skew(const rh_split *s, rh_partition *partition)
{
  rh_status status = RH_OK;
  const rh_samples *train = &s->dataset->train;
  const int64_t n = train->count, classes = s->dataset->classes;
  int32_t *sorted = malloc((size_t)n * sizeof *sorted);
  int32_t *mixed = malloc((size_t)n * sizeof *mixed);
  int64_t *place = malloc(2 * (size_t)classes * sizeof *place);
  if (sorted && mixed && place) {
    const double skew = s->def->kind == RH_PARTITION_SKEW ? s->def->skew : 0;
    const int64_t sorted_count = split(s->order, n, train->labels, classes, skew, place, sorted, mixed);
    deal(sorted, sorted_count, mixed, n - sorted_count, partition);
  } else {
    status =
        rh_error(RH_ENOMEM, "no memory to split %lld samples over %d workers", (long long)n, (int)partition->workers);
  }
  free(sorted);
  free(mixed);
  free(place);
  return status;
}
