/* Unions of intervals against painting the same intervals on a grid. */
#include "cmocka_all.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "busy.h"
#include "rng.h"

enum { GRID = 4000 };

static void touching_intervals_become_one(void **state)
{
  (void)state;
  rh_busy busy = {0};
  rh_busy_add(&busy, 1, 2);
  rh_busy_add(&busy, 3, 4);
  rh_busy_add(&busy, 5, 5); /* empty */
  assert_int_equal(busy.count, 2);
  rh_busy_add(&busy, 2, 3);
  assert_int_equal(busy.count, 1);
  assert_true(rh_busy_seconds(&busy) == 3);
  rh_busy_fold(&busy, 2.5);
  assert_true(busy.folded_s == 1.5);
  assert_true(rh_busy_seconds(&busy) == 3);
  rh_busy_clear(&busy);
}

/* Integer ends, so that sums are exact. Intervals arrive in disorder, but never before the floor, which moves on. */
static void union_equals_painting(void **state)
{
  (void)state;
  for (uint64_t trial = 0; trial < 50; trial++) {
    rh_rng rng = rh_rng_stream(1, RH_PURPOSE_TEST, 0, trial);
    static char painted[GRID];
    memset(painted, 0, sizeof painted);
    rh_busy busy = {0};
    for (int i = 0; i < 900; i++) {
      const uint32_t floor = 4 * (uint32_t)i;
      const uint32_t start = floor + rh_rng_below(&rng, 200), length = rh_rng_below(&rng, trial % 2 ? 3 : 100);
      rh_busy_add(&busy, start, start + length);
      memset(painted + start, 1, length);
      if (rh_busy_full(&busy)) rh_busy_fold(&busy, floor);
      for (int32_t k = 1; k < busy.count; k++)
        assert_true(busy.list[k].start_s > busy.list[k - 1].finish_s);
    }
    int sum = 0;
    for (int i = 0; i < GRID; i++)
      sum += painted[i];
    assert_true(rh_busy_seconds(&busy) == sum);
    assert_true(busy.size <= 256); /* the list holds what is not final, not the history */
    rh_busy_clear(&busy);
  }
}

static void overlap_counts_common_seconds_before_a_time(void **state)
{
  (void)state;
  rh_busy a = {0}, b = {0};
  rh_busy_add(&a, 0, 4);
  rh_busy_add(&a, 6, 9);
  rh_busy_add(&b, 1, 2);
  rh_busy_add(&b, 3, 7);
  rh_busy_add(&b, 8, 20);
  assert_true(rh_busy_overlap(&a, &b, INFINITY) == 1 + 1 + 1 + 1); /* 1-2, 3-4, 6-7, 8-9 */
  assert_true(rh_busy_overlap(&a, &b, 6.5) == 2.5);
  assert_true(rh_busy_overlap(&a, &b, 0) == 0);
  rh_busy_clear(&a);
  rh_busy_clear(&b);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(touching_intervals_become_one),
      cmocka_unit_test(union_equals_painting),
      cmocka_unit_test(overlap_counts_common_seconds_before_a_time),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
