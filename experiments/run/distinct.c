/* Open addressing with linear probing, at most half full. Hashes are uniform: their low bits are the slot. */
#include "distinct.h"

#include <stdlib.h>

#include "status.h"

static struct rh_distinct_slot *find(const rh_distinct *distinct, uint64_t hash)
{
  size_t at = (size_t)hash & (distinct->size - 1);
  while (distinct->slots[at].index_plus_1 != 0 && distinct->slots[at].hash != hash)
    at = (at + 1) & (distinct->size - 1);
  return &distinct->slots[at];
}

static void grow(rh_distinct *distinct)
{
  rh_distinct grown = {.size = distinct->size ? 2 * distinct->size : 64, .count = distinct->count};
  grown.slots = calloc(grown.size, sizeof *grown.slots);
  RH_ASSERT(grown.slots && "memory is exhausted");
  for (size_t i = 0; i < distinct->size; i++)
    if (distinct->slots[i].index_plus_1 != 0) *find(&grown, distinct->slots[i].hash) = distinct->slots[i];
  free(distinct->slots);
  *distinct = grown;
}

size_t rh_distinct_add(rh_distinct *distinct, uint64_t hash, size_t index)
{
  if (2 * (distinct->count + 1) > distinct->size) grow(distinct);
  struct rh_distinct_slot *slot = find(distinct, hash);
  if (slot->index_plus_1 == 0) {
    *slot = (struct rh_distinct_slot){hash, index + 1};
    distinct->count++;
  }
  return slot->index_plus_1 - 1;
}

void rh_distinct_clear(rh_distinct *distinct)
{
  free(distinct->slots);
  *distinct = (rh_distinct){0};
}
