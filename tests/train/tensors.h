/* Tensors for tests of operations. They lie with gaps between replicas; gaps, outputs and scratch are NaN before a
 * call. So a value that is not written, a read outside an input, and a write into a gap all show.
 */
#ifndef TENSORS_H
#define TENSORS_H

#include <math.h>
#include <string.h>

#include "backend.h"
#include "rng.h"

#define COUNT_OF(array) ((int64_t)(sizeof(array) / sizeof((array)[0])))

static rh_rng rng;

static inline int64_t between(int64_t low, int64_t high)
{
  return low + rh_rng_below(&rng, (uint32_t)(high - low + 1));
}

/* [count][n] values with a gap after each replica, all NaN. */
static inline rh_tensor new_poison(int64_t count, int64_t n)
{
  const int64_t stride = n + between(1, 5);
  rh_tensor t = {rh_backend_ref.alloc((size_t)(count * stride) * sizeof(float)), stride};
  assert_non_null(t.data);
  for (int64_t i = 0; i < count * stride; i++)
    t.data[i] = NAN;
  return t;
}

static inline rh_tensor new_random(int64_t count, int64_t n)
{
  rh_tensor t = new_poison(count, n);
  for (int64_t r = 0; r < count; r++)
    for (int64_t i = 0; i < n; i++)
      t.data[r * t.stride + i] = (float)rh_rng_normal(&rng);
  return t;
}

static inline rh_tensor new_copy(rh_tensor from, int64_t count)
{
  rh_tensor t = {rh_backend_ref.alloc((size_t)(count * from.stride) * sizeof(float)), from.stride};
  assert_non_null(t.data);
  memcpy(t.data, from.data, (size_t)(count * from.stride) * sizeof(float));
  return t;
}

static inline void drop(rh_tensor t)
{
  rh_backend_ref.release(t.data);
}

/* Values agree within `tolerance` of the largest; 0 asks for the same bits. Gaps are as they were. Frees both. */
static inline void check(const char *what, int64_t count, int64_t n, rh_tensor expected, rh_tensor actual,
                         double tolerance)
{
  double largest = 0;
  for (int64_t r = 0; r < count; r++)
    for (int64_t i = 0; i < n; i++)
      largest = fmax(largest, fabs((double)expected.data[r * expected.stride + i]));
  for (int64_t r = 0; r < count; r++)
    for (int64_t i = 0; i < actual.stride; i++) {
      const float got = actual.data[r * actual.stride + i];
      if (i >= n) {
        if (!isnan(got)) fail_msg("%s: wrote %g into the gap after replica %lld", what, (double)got, (long long)r);
        continue;
      }
      const float want = expected.data[r * expected.stride + i];
      if (!(fabs((double)got - want) <= tolerance * largest))
        fail_msg("%s: replica %lld, element %lld: %.9g, expected %.9g", what, (long long)r, (long long)i, (double)got,
                 (double)want);
    }
  drop(expected);
  drop(actual);
}

/* Sums of n products of normal numbers: an error of 6e-8 for each, growing with sqrt(n) at random and with n at worst;
 * relative to the largest of many such sums. */
static inline double sum_tolerance(int64_t n)
{
  return 6e-8 * (8 + sqrt((double)n));
}

#endif
