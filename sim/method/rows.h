/* Rows: what a method does to its workers' vectors, by the backend's operations alone, so that one text serves both
 * kinds of memory: in the program's a worker at a time, on many threads; on a device many workers with each operation.
 */
#ifndef RH_ROWS_H
#define RH_ROWS_H

#include "world.h"

/* Workers first .. first + count - 1, whose rows follow each other. */
typedef struct rh_rows {
  int32_t first, count;
  int thread; /* what is kept by thread belongs to the call */
} rh_rows;

/* Writes what is its workers' alone. */
typedef void rh_rows_body(void *context, rh_rows rows);

/* Calls body for `rows`, cut into calls of one worker, or on a device of at most `most`. Nothing without values. */
void rh_rows_each(const rh_world *world, rh_rows rows, int32_t most, rh_rows_body *body, void *context);

#endif
