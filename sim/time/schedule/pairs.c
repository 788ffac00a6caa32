#include "pairs.h"

#include <stdlib.h>
#include <string.h>

#include "status.h"

static size_t cells(const rh_pairs *pairs)
{
  return (size_t)pairs->side * (size_t)pairs->side;
}

void rh_pairs_init(rh_pairs *pairs, int32_t ranks)
{
  const int32_t block = (ranks + RH_PAIRS_SIDE - 1) / RH_PAIRS_SIDE;
  *pairs = (rh_pairs){.block = block, .side = (ranks + block - 1) / block};
  pairs->bytes = calloc(cells(pairs), sizeof *pairs->bytes);
  RH_ASSERT(pairs->bytes != NULL);
}

void rh_pairs_add(rh_pairs *pairs, int32_t from, int32_t to, int64_t bytes, bool counting)
{
  const size_t cell = (size_t)(from / pairs->block) * (size_t)pairs->side + (size_t)(to / pairs->block);
  pairs->bytes[cell] += bytes;
  if (counting) pairs->counted[cell] += bytes;
}

void rh_pairs_count_begin(rh_pairs *pairs)
{
  if (pairs->counted == NULL) pairs->counted = malloc(cells(pairs) * sizeof *pairs->counted);
  RH_ASSERT(pairs->counted != NULL);
  memset(pairs->counted, 0, cells(pairs) * sizeof *pairs->counted);
}

void rh_pairs_count_add(rh_pairs *pairs, int64_t times)
{
  for (size_t i = 0; i < cells(pairs); i++)
    pairs->bytes[i] += times * pairs->counted[i];
}

void rh_pairs_clear(rh_pairs *pairs)
{
  free(pairs->bytes);
  free(pairs->counted);
  *pairs = (rh_pairs){0};
}
