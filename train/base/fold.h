/* Streaming reduction of rows as a balanced binary tree whose shape depends on their number alone: the same bits
 * however the rows come in chunks, and an error that grows with the logarithm of their number.
 *
 * It works like a binary counter: level k holds the sum of 2^k consecutive rows when bit k of the number of rows so far
 * is set; a new row is carried upwards through the levels that are set.
 *
 * Source      pairwise summation: Higham, The accuracy of floating point summation, SIAM J. Sci. Comput. 14(4), 1993
 */
#ifndef RH_FOLD_H
#define RH_FOLD_H

#include <stdint.h>

enum { RH_FOLD_LEVELS = 32 }; /* up to 2^32 - 1 rows */

typedef struct rh_fold {
  void *levels; /* [RH_FOLD_LEVELS][row_bytes]; the caller's; a level is touched only when it is used */
  int64_t row_bytes;
  void *context; /* for the two operations on rows */
  void (*copy)(void *context, const void *from, void *to);
  void (*add)(void *context, const void *from, void *to); /* to += from */
  uint64_t rows;                                          /* so far; set it to 0 to begin */
} rh_fold;

void rh_fold_add(rh_fold *fold, const void *row);

/* The sum of all rows, at least one; borrowed until the next addition. Begins anew. */
const void *rh_fold_end(rh_fold *fold);

#endif
