/* Sums of rows on a backend, by the fold of base/fold.h. */
#include <stdlib.h>

#include "fold.h"
#include "replicas.h"

struct rh_tree_sum {
  const rh_backend *backend; /* borrowed */
  int64_t stride;
  int levels;   /* that there is room for */
  rh_fold fold; /* its levels are owned; the backend backs with memory only what is used */
};

static rh_tensor tensor(const rh_tree_sum *sum, const void *row)
{
  return (rh_tensor){(float *)(uintptr_t)row, sum->stride};
}

static void copy_row(void *context, const void *from, void *to)
{
  const rh_tree_sum *sum = context;
  sum->backend->scale(sum->stride, 1, 1, tensor(sum, from), tensor(sum, to));
}

static void add_row(void *context, const void *from, void *to)
{
  const rh_tree_sum *sum = context;
  sum->backend->add_scaled(sum->stride, 1, 1, tensor(sum, from), tensor(sum, to));
}

rh_status rh_tree_sum_new_of(const rh_backend *backend, int64_t stride, int64_t most, rh_tree_sum **sum)
{
  const int64_t row_bytes = stride * (int64_t)sizeof(float);
  int levels = 0;
  while (levels < RH_FOLD_LEVELS && most >> levels)
    levels++;
  rh_tree_sum *tree = calloc(1, sizeof *tree);
  void *memory = tree ? backend->alloc((size_t)(levels * row_bytes)) : NULL;
  if (!memory) {
    free(tree);
    return rh_error(RH_ENOMEM, "no memory to sum rows of %lld values", (long long)stride);
  }
  *tree = (rh_tree_sum){.backend = backend, .stride = stride, .levels = levels};
  tree->fold = (rh_fold){.levels = memory, .row_bytes = row_bytes, .context = tree, .copy = copy_row, .add = add_row};
  *sum = tree;
  return RH_OK;
}

rh_status rh_tree_sum_new(const rh_backend *backend, int64_t stride, rh_tree_sum **sum)
{
  return rh_tree_sum_new_of(backend, stride, INT64_MAX, sum);
}

void rh_tree_sum_free(rh_tree_sum *sum)
{
  if (!sum) return;
  sum->backend->release(sum->fold.levels);
  free(sum);
}

void rh_tree_sum_begin(rh_tree_sum *sum)
{
  sum->fold.rows = 0;
}

void rh_tree_sum_add(rh_tree_sum *sum, const float *row)
{
  rh_tree_sum_add_rows(sum, row, 1);
}

void rh_tree_sum_add_rows(rh_tree_sum *sum, const float *rows, int64_t count)
{
  RH_ASSERT((sum->fold.rows + (uint64_t)count) >> sum->levels == 0);
  if (!sum->backend->fold_rows) {
    for (int64_t r = 0; r < count; r++)
      rh_fold_add(&sum->fold, rows + r * sum->stride);
    return;
  }
  sum->backend->fold_rows(sum->stride, count, tensor(sum, rows), sum->fold.rows, sum->fold.levels);
  sum->fold.rows += (uint64_t)count;
}

void rh_tree_sum_end(rh_tree_sum *sum, double factor, float *out)
{
  const void *total = rh_fold_end(&sum->fold);
  sum->backend->scale(sum->stride, 1, factor, tensor(sum, total), (rh_tensor){out, sum->stride});
}
