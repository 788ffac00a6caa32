/* What links that change can carry, by hand. */
#include "cmocka_all.h"

#include <math.h>
#include <stdlib.h>

#include "capacity.h"

static void assert_close(double value, double expected)
{
  if (fabs(value - expected) > 1e-12 * fabs(expected)) fail_msg("%.17g, not %.17g", value, expected);
}

/* 100 byte/s for 2 s, off for 3 s, 40 byte/s from then on. */
static void bytes_are_bandwidth_times_seconds(void **state)
{
  (void)state;
  rh_capacity *c = rh_capacity_new(100, 100);
  rh_capacity_change(c, 2, 0);
  rh_capacity_change(c, 5, 40);
  assert_close(rh_capacity_bytes(c, 0, 2), 200);
  assert_close(rh_capacity_bytes(c, 0.5, 1.5), 100);
  assert_true(rh_capacity_bytes(c, 2, 5) == 0);
  assert_close(rh_capacity_bytes(c, 1, 7), 180);
  assert_close(rh_capacity_bytes(c, 6, 106), 4000);
  double until_s;
  assert_close(rh_capacity_rate(c, 1, &until_s), 100);
  assert_true(until_s == 2);
  assert_true(rh_capacity_rate(c, 2, &until_s) == 0);
  assert_true(until_s == 5);
  assert_close(rh_capacity_rate(c, 1000, &until_s), 40);
  assert_true(isinf(until_s));
  assert_close(rh_capacity_down_s(c, 9), 3);
  free(c);
}

/* SimGrid tells what a profile has at 0 s, and may tell two changes of one instant. */
static void the_last_of_several_changes_at_once_holds(void **state)
{
  (void)state;
  rh_capacity *c = rh_capacity_new(100, 100);
  rh_capacity_change(c, 0, 10);
  rh_capacity_change(c, 1, 0);
  rh_capacity_change(c, 1, 20);
  assert_close(rh_capacity_bytes(c, 0, 2), 30);
  assert_true(rh_capacity_down_s(c, 2) == 0);
  free(c);
}

/* A link whose profile begins with the stall of 0.125 byte/s is down, as its file gives it a billion times more. */
static void a_millionth_of_the_most_is_down(void **state)
{
  (void)state;
  rh_capacity *c = rh_capacity_new(0.125, 312.5e6);
  assert_true(rh_capacity_is_down(c, 0.125) && rh_capacity_is_down(c, 312.5) && !rh_capacity_is_down(c, 313));
  assert_close(rh_capacity_down_s(c, 10), 10);
  rh_capacity_change(c, 10, 1e6);
  rh_capacity_change(c, 14, 0.125);
  assert_close(rh_capacity_down_s(c, 15), 11);
  free(c);
}

/* Of more changes than are kept, sums over the whole run stay exact, and parts of it are near. */
static void many_changes_keep_their_sum(void **state)
{
  (void)state;
  const int changes = 10 * RH_CAPACITY_STEPS;
  rh_capacity *c = rh_capacity_new(0, 3);
  double sum = 0;
  for (int i = 1; i <= changes; i++) {
    if (i > 1) sum += (i - 1) % 4;
    rh_capacity_change(c, i, i % 4);
  }
  assert_in_range(c->count, RH_CAPACITY_STEPS / 2, RH_CAPACITY_STEPS);
  assert_close(rh_capacity_bytes(c, 0, changes), sum);
  const double half = rh_capacity_bytes(c, 0, changes / 2.0);
  assert_true(fabs(half - sum / 2) < 100); /* steps are up to 32 s apart, at 1.5 byte/s */
  assert_close(half + rh_capacity_bytes(c, changes / 2.0, changes), sum);
  const int fourths = (changes - 1) / 4;
  assert_close(rh_capacity_down_s(c, changes), 1 + fourths); /* at 0 byte/s every fourth second */
  free(c);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bytes_are_bandwidth_times_seconds),
      cmocka_unit_test(the_last_of_several_changes_at_once_holds),
      cmocka_unit_test(a_millionth_of_the_most_is_down),
      cmocka_unit_test(many_changes_keep_their_sum),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
