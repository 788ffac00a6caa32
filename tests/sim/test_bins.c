/* Bytes over time: sums that add up, widths that double, memory that is bounded. */
#include "cmocka_all.h"

#include <math.h>

#include "bins.h"
#include "rng.h"

static int64_t sum_of(const rh_bins *bins, int32_t link)
{
  int32_t count;
  const int64_t *b = rh_bins_of(bins, link, &count);
  int64_t sum = 0;
  for (int32_t k = 0; k < count; k++)
    sum += b[k];
  return sum;
}

/* 200 s at 1 byte/s, then 56 s of nothing, then 100 bytes in the second after 256 s. 257 s need bins of 2 s. */
static void width_doubles_when_the_run_outgrows_it(void **state)
{
  (void)state;
  rh_bins bins;
  rh_bins_init(&bins, 2);
  rh_bins_add(&bins, 1, 200, 0, 200);
  assert_true(bins.width_s == 1);
  int32_t count;
  const int64_t *b = rh_bins_of(&bins, 1, &count);
  assert_int_equal(count, 200);
  for (int32_t k = 0; k < count; k++)
    assert_int_equal(b[k], 1);
  rh_bins_add(&bins, 1, 100, 256, 257);
  assert_true(bins.width_s == 2);
  b = rh_bins_of(&bins, 1, &count);
  assert_int_equal(count, 129);
  for (int32_t k = 0; k < 129; k++)
    assert_int_equal(b[k], k < 100 ? 2 : k < 128 ? 0 : 100);
  assert_int_equal(rh_bins_peak(&bins, 1), 100);
  assert_int_equal(rh_bins_peak(&bins, 0), 0);
  assert_null(rh_bins_of(&bins, 0, &count));
  assert_int_equal(count, 0);
  rh_bins_clear(&bins);
}

/* 3 s from 0.5 s on, in bins of 0.25 s at first and of 1 s in the end: a sixth, a third, a third, a sixth. */
static void bytes_are_spread_evenly(void **state)
{
  (void)state;
  rh_bins bins;
  rh_bins_init(&bins, 1);
  rh_bins_add(&bins, 0, 600, 0.5, 3.5);
  rh_bins_add(&bins, 0, 7, 150, 150); /* an instant */
  rh_bins_add(&bins, 0, 5, 1, (double)INFINITY);
  assert_true(bins.width_s == 1);
  int32_t count;
  const int64_t *b = rh_bins_of(&bins, 0, &count);
  assert_int_equal(count, 150);
  assert_int_equal(b[0], 100);
  assert_int_equal(b[1], 200);
  assert_int_equal(b[2], 200);
  assert_int_equal(b[3], 100);
  assert_int_equal(b[149], 7);
  rh_bins_clear(&bins);
}

/* Intervals of many lengths in disorder, told to two sets of bins in opposite order: every byte is there, in the same
 * bins. */
static void order_makes_no_difference_and_nothing_is_lost(void **state)
{
  (void)state;
  enum { COUNT = 3000 };
  static double start_s[COUNT], length_s[COUNT];
  static int64_t bytes[COUNT];
  rh_rng rng = rh_rng_stream(1, RH_PURPOSE_TEST, 0, 0);
  int64_t sum = 0;
  for (int i = 0; i < COUNT; i++) {
    start_s[i] = 1e-3 * rh_rng_below(&rng, 1000000);
    length_s[i] = ldexp(1e-9 * rh_rng_below(&rng, 1000000), (int)rh_rng_below(&rng, 18));
    bytes[i] = 1 + rh_rng_below(&rng, 100000000);
    sum += bytes[i];
  }
  rh_bins up, down;
  rh_bins_init(&up, 1);
  rh_bins_init(&down, 1);
  for (int i = 0; i < COUNT; i++) {
    const int j = COUNT - 1 - i;
    rh_bins_add(&up, 0, bytes[i], start_s[i], start_s[i] + length_s[i]);
    rh_bins_add(&down, 0, bytes[j], start_s[j], start_s[j] + length_s[j]);
  }
  assert_int_equal(sum_of(&up, 0), sum);
  assert_true(up.width_s == down.width_s && up.width_s == 8); /* 1000 s and a bit, 200 bins */
  int32_t a_count, b_count;
  const int64_t *a = rh_bins_of(&up, 0, &a_count), *b = rh_bins_of(&down, 0, &b_count);
  assert_int_equal(a_count, b_count);
  assert_memory_equal(a, b, (size_t)a_count * sizeof *a);
  rh_bins_clear(&up);
  rh_bins_clear(&down);
}

/* 100 bytes in each of ten seconds, 50 more from 8.25 s to 8.5 s; 100 s are put in at 7 s, and filled with 1 byte/s. */
static void inserted_span_moves_what_came_after(void **state)
{
  (void)state;
  rh_bins bins;
  rh_bins_init(&bins, 2);
  rh_bins_add(&bins, 0, 1000, 0, 10);
  rh_bins_add(&bins, 1, 50, 8.25, 8.5);
  rh_bins_add(&bins, 1, 1, 127, 128); /* bins of 1 s; nothing stands behind it */
  rh_bins_insert(&bins, 7, 100);
  rh_bins_add(&bins, 0, 100, 7, 107);
  assert_true(bins.width_s == 2); /* 228 s */
  int32_t count;
  const int64_t *b = rh_bins_of(&bins, 0, &count);
  assert_int_equal(count, 55);
  for (int32_t k = 0; k < count; k++) /* in 6 to 8: 100 of before, 1 of the span; in 106 to 108: 1 and 100 */
    assert_int_equal(b[k], k < 3 ? 200 : k == 3 ? 101 : k < 53 ? 2 : k == 53 ? 101 : 200);
  b = rh_bins_of(&bins, 1, &count);
  assert_int_equal(count, 114);
  assert_int_equal(b[54], 50);
  assert_int_equal(b[113], 1);
  assert_true(bins.finish_s == 228);
  rh_bins_clear(&bins);
}

/* 100,000 links that all carry something: 50 bins each, since 100 would be more than the total. */
static void many_links_share_the_memory(void **state)
{
  (void)state;
  enum { LINKS = 100000 };
  rh_bins bins;
  rh_bins_init(&bins, LINKS);
  for (int32_t i = 0; i < LINKS; i++)
    rh_bins_add(&bins, i, 1000 + i, 0, 200);
  assert_int_equal(bins.used, LINKS);
  assert_int_equal(bins.limit, 50);
  assert_true((int64_t)bins.used * bins.limit <= RH_BINS_TOTAL);
  assert_true(bins.width_s == 4);
  for (int32_t i = 0; i < LINKS; i++)
    if (sum_of(&bins, i) != 1000 + i) fail_msg("link %d holds %lld bytes", (int)i, (long long)sum_of(&bins, i));
  rh_bins_clear(&bins);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(width_doubles_when_the_run_outgrows_it),
      cmocka_unit_test(bytes_are_spread_evenly),
      cmocka_unit_test(order_makes_no_difference_and_nothing_is_lost),
      cmocka_unit_test(inserted_span_moves_what_came_after),
      cmocka_unit_test(many_links_share_the_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
