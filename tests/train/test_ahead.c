/* What is fetched ahead: rows one after the other, each once, until there is nothing left. */
#include "ahead.h"

#include "cmocka_all.h"

static void test_nothing(void **state)
{
  (void)state;
  const char here[1] = {0};
  rh_ahead_set(0, NULL, 0);
  rh_ahead_lines lines = rh_ahead_take(5, here);
  rh_ahead_fetch(&lines);
  rh_ahead_fetch(&lines);
  assert_ptr_equal(lines.line, here); /* the loop goes on with a place that it reads anyway */
}

static void test_rows(void **state)
{
  (void)state;
  enum { ROWS = 2, LINES = 8 };
  static char row[ROWS][LINES * RH_AHEAD_LINE], here[1];
  rh_ahead_set(ROWS, (const void *const[]){row[0], row[1]}, sizeof row[0]);
  for (int r = 0; r < ROWS; r++)
    for (int from = 0; from < LINES; from += 3) { /* 3, 3 and the last 2, of a loop that goes round thrice */
      rh_ahead_lines lines = rh_ahead_take(3, here);
      assert_ptr_equal(lines.line, row[r] + from * RH_AHEAD_LINE);
      rh_ahead_fetch(&lines);
      assert_ptr_equal(lines.line, row[r] + (from + 1) * RH_AHEAD_LINE);
    }
  assert_ptr_equal(rh_ahead_take(3, here).line, here);
}

static void test_replaced(void **state)
{
  (void)state;
  static char first[RH_AHEAD_LINE], second[RH_AHEAD_LINE], here[1];
  rh_ahead_set(2, (const void *const[]){first, first}, sizeof first);
  rh_ahead_set(1, (const void *const[]){second}, sizeof second);
  assert_ptr_equal(rh_ahead_take(1, here).line, second);
  assert_ptr_equal(rh_ahead_take(1, here).line, here); /* nothing is left of what was named first */
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nothing),
      cmocka_unit_test(test_rows),
      cmocka_unit_test(test_replaced),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
