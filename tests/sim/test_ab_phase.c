/* The phase machine of AB-training against the paper's runs, and rule by rule. */
#include "ab_phase.h"
#include "cmocka_all.h"

/* methods.md's table: 150 epochs each; the last column is the share of steps that are not FULL, in per
 * mille rounded. */
static void test_shares_of_the_papers_runs(void **state)
{
  (void)state;
  static const struct {
    rh_ab_periods periods;
    int64_t iterations; /* of an epoch */
    int per_mille;
  } runs[] = {
      {{4330, 759, 60}, 100, 655},    {{24000, 6000, 300}, 600, 700}, {{9300, 3000, 300}, 300, 720},
      {{6150, 1500, 150}, 150, 660},  {{3750, 600, 75}, 75, 587},     {{1900, 400, 38}, 38, 600},
      {{24600, 4360, 600}, 600, 627},
  };
  for (size_t i = 0; i < sizeof runs / sizeof runs[0]; i++) {
    const int64_t steps = 150 * runs[i].iterations;
    const int64_t in_ab = rh_ab_count(&runs[i].periods, steps);
    assert_int_equal((in_ab * 2000 + steps) / (2 * steps), runs[i].per_mille);
  }
}

/* Tw 3, Ts 5, Td 2, by hand. */
static void test_first_rule_that_applies(void **state)
{
  (void)state;
  const rh_ab_periods p = {3, 5, 2};
  const rh_ab_change expected[] = {
      RH_AB_STAY,  RH_AB_STAY,      RH_AB_STAY,      RH_AB_ENTER, RH_AB_STAY, /* after steps 0 .. 4 */
      RH_AB_LEAVE, RH_AB_STAY,      RH_AB_ENTER_CUT, RH_AB_STAY,  RH_AB_STAY,  RH_AB_LEAVE,
      RH_AB_STAY,  RH_AB_ENTER_CUT, RH_AB_STAY,      RH_AB_STAY,  RH_AB_LEAVE,
  };
  bool in_ab = false;
  for (int64_t t = 0; t < 16; t++) {
    const rh_ab_change change = rh_ab_change_after(&p, t, in_ab);
    assert_int_equal(change, expected[t]);
    if (change != RH_AB_STAY) in_ab = change != RH_AB_LEAVE;
  }
  assert_int_equal(rh_ab_count(&p, 16), 2 + 3 + 3);
}

/* The warm-up's end comes before the synchronisation, and entering AB again is no change. */
static void test_warm_up_ends_on_other_rules(void **state)
{
  (void)state;
  const rh_ab_periods at_sync = {10, 5, 2}, at_rebound = {12, 5, 2}, none = {0, 5, 2};
  assert_int_equal(rh_ab_change_after(&at_sync, 10, false), RH_AB_ENTER);
  assert_int_equal(rh_ab_change_after(&at_sync, 12, true), RH_AB_STAY);
  assert_int_equal(rh_ab_change_after(&at_sync, 15, true), RH_AB_LEAVE);
  assert_int_equal(rh_ab_change_after(&at_rebound, 12, false), RH_AB_ENTER);
  assert_int_equal(rh_ab_change_after(&at_rebound, 10, false), RH_AB_STAY);
  assert_int_equal(rh_ab_change_after(&none, 0, false), RH_AB_ENTER);
}

static void test_impossible_periods_are_refused(void **state)
{
  (void)state;
  const rh_ab_periods bad[] = {{3, 5, 5}, {3, 5, 6}, {3, 5, 0}, {-1, 5, 2}, {3, 1, 1}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    assert_int_equal(rh_ab_check_periods(&bad[i]), RH_EINVAL);
  assert_int_equal(rh_ab_check_periods(&(rh_ab_periods){0, 2, 1}), RH_OK);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_shares_of_the_papers_runs),
      cmocka_unit_test(test_first_rule_that_applies),
      cmocka_unit_test(test_warm_up_ends_on_other_rules),
      cmocka_unit_test(test_impossible_periods_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
