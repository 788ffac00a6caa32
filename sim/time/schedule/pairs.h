/* Who sent how much to whom: bytes from every rank to every other, as a square matrix.
 *
 * Beyond RH_PAIRS_SIDE ranks neighbouring ranks share a row and a column, so that its size has a bound.
 */
#ifndef RH_PAIRS_H
#define RH_PAIRS_H

#include <stdbool.h>
#include <stdint.h>

enum { RH_PAIRS_SIDE = 256 };

typedef struct rh_pairs {
  int32_t side;     /* rows and columns */
  int32_t block;    /* ranks of a row: rank r is in row r / block */
  int64_t *bytes;   /* [side, side] from, to; owned */
  int64_t *counted; /* the same of what was told since rh_pairs_count_begin; owned; NULL before */
} rh_pairs;

void rh_pairs_init(rh_pairs *pairs, int32_t ranks);
void rh_pairs_add(rh_pairs *pairs, int32_t from, int32_t to, int64_t bytes, bool counting);
void rh_pairs_count_begin(rh_pairs *pairs);
/* Adds what was counted `times` times. */
void rh_pairs_count_add(rh_pairs *pairs, int64_t times);
void rh_pairs_clear(rh_pairs *pairs);

#endif
