/* Streaming sum of rows as a balanced binary tree.
 *
 * It works like a binary counter: level k holds the sum of 2^k consecutive rows when bit k of the number of rows so far
 * is set; a new row is carried upwards through the levels that are set. Which rows are added to which depends on the
 * count alone, and the error grows with its logarithm.
 *
 * Source      pairwise summation: Higham, The accuracy of floating point summation, SIAM J. Sci. Comput. 14(4), 1993
 */
#include <stdlib.h>

#include "replicas.h"

enum { LEVELS = 32 }; /* up to 2^32 - 1 rows */

struct rh_tree_sum {
  const rh_backend *backend; /* borrowed */
  int64_t stride;
  float *levels; /* [LEVELS][stride]; owned; the backend backs with memory only what is used */
  uint64_t rows; /* added so far */
};

static rh_tensor level(const rh_tree_sum *sum, int k)
{
  return (rh_tensor){sum->levels + k * sum->stride, sum->stride};
}

rh_status rh_tree_sum_new(const rh_backend *backend, int64_t stride, rh_tree_sum **sum)
{
  rh_tree_sum *tree = calloc(1, sizeof *tree);
  float *levels = tree ? backend->alloc((size_t)(LEVELS * stride) * sizeof(float)) : NULL;
  if (!levels) {
    free(tree);
    return rh_error(RH_ENOMEM, "no memory to sum rows of %lld values", (long long)stride);
  }
  *tree = (rh_tree_sum){.backend = backend, .stride = stride, .levels = levels};
  *sum = tree;
  return RH_OK;
}

void rh_tree_sum_free(rh_tree_sum *sum)
{
  if (!sum) return;
  sum->backend->release(sum->levels);
  free(sum);
}

void rh_tree_sum_begin(rh_tree_sum *sum)
{
  sum->rows = 0;
}

void rh_tree_sum_add(rh_tree_sum *sum, const float *row)
{
  const int64_t n = sum->stride;
  RH_ASSERT(sum->rows < ((uint64_t)1 << LEVELS) - 1);
  const rh_tensor in = {(float *)row, n}; /* only read */
  int k = 0;
  if ((sum->rows & 1) == 0)
    sum->backend->scale(n, 1, 1, in, level(sum, 0));
  else
    sum->backend->add_scaled(n, 1, 1, in, level(sum, 0));
  for (; sum->rows >> k & 1; k++) {
    /* Level k is complete and moves up: into an empty level as a copy, else it is added there and moves on. */
    if (sum->rows >> (k + 1) & 1)
      sum->backend->add_scaled(n, 1, 1, level(sum, k), level(sum, k + 1));
    else
      sum->backend->scale(n, 1, 1, level(sum, k), level(sum, k + 1));
  }
  sum->rows++;
}

void rh_tree_sum_end(rh_tree_sum *sum, double factor, float *out)
{
  const int64_t n = sum->stride;
  RH_ASSERT(sum->rows > 0);
  int k = 0;
  while (!(sum->rows >> k & 1))
    k++;
  rh_tensor total = level(sum, k);
  for (k++; k < LEVELS; k++) {
    if (!(sum->rows >> k & 1)) continue;
    sum->backend->add_scaled(n, 1, 1, total, level(sum, k));
    total = level(sum, k);
  }
  sum->backend->scale(n, 1, factor, total, (rh_tensor){out, n});
  sum->rows = 0;
}
