/* Which of many things are the same, by their hashes: where each was met first. */
#ifndef RH_DISTINCT_H
#define RH_DISTINCT_H

#include <stddef.h>
#include <stdint.h>

typedef struct rh_distinct {
  struct rh_distinct_slot {
    uint64_t hash;
    size_t index_plus_1; /* 0: free */
  } * slots;             /* [size], a power of two; owned */
  size_t size, count;
} rh_distinct;

/* The index with which the hash was added first: `index` if it is new. Amortised O(1). */
size_t rh_distinct_add(rh_distinct *distinct, uint64_t hash, size_t index);
void rh_distinct_clear(rh_distinct *distinct);

#endif
