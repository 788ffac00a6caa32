#include "fold.h"

#include "status.h"

static void *level(const rh_fold *fold, int k)
{
  return (char *)fold->levels + k * fold->row_bytes;
}

/* Puts a row into level k: as a copy into an empty one, else added. */
static void put(rh_fold *fold, const void *row, int k)
{
  if (fold->rows >> k & 1)
    fold->add(fold->context, row, level(fold, k));
  else
    fold->copy(fold->context, row, level(fold, k));
}

void rh_fold_add(rh_fold *fold, const void *row)
{
  RH_ASSERT(fold->rows < ((uint64_t)1 << RH_FOLD_LEVELS) - 1);
  put(fold, row, 0);
  for (int k = 0; fold->rows >> k & 1; k++) /* level k is complete and moves up */
    put(fold, level(fold, k), k + 1);
  fold->rows++;
}

const void *rh_fold_end(rh_fold *fold)
{
  RH_ASSERT(fold->rows > 0);
  int k = 0;
  while (!(fold->rows >> k & 1))
    k++;
  const void *total = level(fold, k);
  for (k++; k < RH_FOLD_LEVELS; k++) {
    if (!(fold->rows >> k & 1)) continue;
    fold->add(fold->context, total, level(fold, k));
    total = level(fold, k);
  }
  fold->rows = 0;
  return total;
}
