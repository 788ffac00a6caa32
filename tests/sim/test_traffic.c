/* Traffic of links over time and where it comes from, worked out by hand. */
#include "platform_fixture.h"

#include "collectives.h"
#include "schedule.h"

/* Two nodes of two hosts each, n0 n1 | n2 n3. What leaves or enters a node crosses its n0 or n2; 1 MB/s in between, ten
 * times that inside; no latencies. */
#define TWO_NODES                                                                                                      \
  "<zone id=\"all\" routing=\"Full\">"                                                                                 \
  "<zone id=\"left\" routing=\"Full\"><host id=\"n0\" speed=\"1Gf\"/><host id=\"n1\" speed=\"1Gf\"/>"                  \
  "<link id=\"inside-0\" bandwidth=\"10MBps\" latency=\"0\"/>"                                                         \
  "<route src=\"n0\" dst=\"n1\"><link_ctn id=\"inside-0\"/></route></zone>"                                            \
  "<zone id=\"right\" routing=\"Full\"><host id=\"n2\" speed=\"1Gf\"/><host id=\"n3\" speed=\"1Gf\"/>"                 \
  "<link id=\"inside-1\" bandwidth=\"10MBps\" latency=\"0\"/>"                                                         \
  "<route src=\"n2\" dst=\"n3\"><link_ctn id=\"inside-1\"/></route></zone>"                                            \
  "<link id=\"between\" bandwidth=\"1MBps\" latency=\"0\"/>"                                                           \
  "<zoneRoute src=\"left\" dst=\"right\" gw_src=\"n0\" gw_dst=\"n2\"><link_ctn id=\"between\"/></zoneRoute></zone>\n"

typedef struct trial {
  rh_schedule *schedule;
  rh_platform *platform;
} trial;

/* 0 sends 1 MB to 2 at once: from 0 to 1 s. 1 sends 1 MB to 3 after computing for 2 s: from 2 to 3 s. */
static rh_status two_messages(void *context, int64_t round, bool *more)
{
  (void)round;
  trial *t = context;
  const rh_token ready = rh_schedule_compute(t->schedule, 1, 2, "compute", RH_AT_ONCE);
  rh_schedule_send(t->schedule, 0, 2, 1000000, "first", RH_AT_ONCE, RH_AT_ONCE);
  rh_schedule_send(t->schedule, 1, 3, 1000000, "second", ready, RH_AT_ONCE);
  *more = false;
  return RH_OK;
}

static void simulate(trial *t)
{
  t->platform = load(&(rh_platform_def){.file = write_file(HEAD CM02 TWO_NODES TAIL), .workers = 4});
  const rh_schedule_def def = {.platform = t->platform, .lead = 1, .context = t, .produce = two_messages};
  assert_int_equal(rh_schedule_new(&def, &t->schedule), RH_OK);
  if (rh_schedule_run(t->schedule) != RH_OK) fail_msg("%s", rh_error_message());
  assert_close(rh_schedule_elapsed_s(t->schedule), 3);
}

static int32_t find(const trial *t, const char *name)
{
  for (int32_t l = 0; l < rh_platform_link_count(t->platform); l++)
    if (strcmp(rh_platform_link_name(t->platform, l), name) == 0) return l;
  fail_msg("no link '%s'", name);
  return -1;
}

/* 3 s in at most 200 bins: 192 bins of 1/64 s, in which 1 MB/s are 15,625 bytes. */
static void bins_tell_when_a_link_was_used(void **state)
{
  (void)state;
  IN_PROCESS();
  trial t = {0};
  simulate(&t);
  assert_true(rh_schedule_bin_s(t.schedule) == 1.0 / 64);
  int32_t count;
  const int64_t *bytes = rh_schedule_link_bins(t.schedule, find(&t, "between"), &count);
  assert_int_equal(count, 192);
  for (int32_t k = 0; k < count; k++)
    if (llabs(bytes[k] - (k < 64 || k >= 128 ? 15625 : 0)) > 1) /* 1: a whole byte goes to one of two bins */
      fail_msg("bin %d holds %lld bytes", (int)k, (long long)bytes[k]);
  bytes = rh_schedule_link_bins(t.schedule, find(&t, "inside-0"), &count); /* the second message alone */
  assert_int_equal(count, 192);
  assert_true(bytes[127] <= 1 && llabs(bytes[128] - 15625) <= 1);
  const rh_link_time between = rh_schedule_link_time(t.schedule, find(&t, "between"));
  assert_int_equal(between.bytes, 2000000);
  assert_in_range(between.peak_bytes, 15625, 15626);
  rh_schedule_free(t.schedule);
}

static void ends_are_told_as_far_as_all_transfers_agree(void **state)
{
  (void)state;
  IN_PROCESS();
  trial t = {0};
  simulate(&t);
  const rh_link_ends between = rh_schedule_link_time(t.schedule, find(&t, "between")).ends;
  assert_int_equal(between.from_rank, RH_SEVERAL);
  assert_int_equal(between.to_rank, RH_SEVERAL);
  assert_int_equal(between.from_zone, 0);
  assert_int_equal(between.to_zone, 1);
  const rh_link_ends inside = rh_schedule_link_time(t.schedule, find(&t, "inside-0")).ends;
  assert_int_equal(inside.from_rank, 1);
  assert_int_equal(inside.to_rank, 3);
  rh_schedule_free(t.schedule);
}

static rh_status one_ring(void *context, int64_t round, bool *more)
{
  (void)round;
  trial *t = context;
  const rh_collective ring = {.kind = &rh_allreduce_ring, .size = 64, .bytes = 100000000, .element_bytes = 4};
  rh_schedule_collective(t->schedule, &ring, NULL);
  *more = false;
  return RH_OK;
}

/* A ring of 64 on the ideal platform keeps its links evenly loaded from begin to end, also where its steady state is
 * skipped: 126 steps of 127 us (2 us, and 1,562,500 bytes at 12.5 GB/s) are 16.002 ms, or 131.09 bins of 2^-13 s. */
static void skipped_steps_fill_their_bins_evenly(void **state)
{
  (void)state;
  IN_PROCESS();
  trial t = {.platform = load(&(rh_platform_def){.file = CATALOGUE "ideal.xml", .workers = 64})};
  const rh_schedule_def def = {.platform = t.platform, .lead = 1, .steady = true, .context = &t, .produce = one_ring};
  assert_int_equal(rh_schedule_new(&def, &t.schedule), RH_OK);
  if (rh_schedule_run(t.schedule) != RH_OK) fail_msg("%s", rh_error_message());
  assert_true(rh_schedule_steady(t.schedule).skipped_messages > 0);
  assert_true(rh_schedule_bin_s(t.schedule) == 0x1p-13);
  const double even_bytes = 1562500 / 127e-6 * 0x1p-13;
  int32_t used = 0;
  for (int32_t l = 0; l < rh_platform_link_count(t.platform); l++) {
    int32_t count;
    int64_t sum = 0;
    const int64_t *bytes = rh_schedule_link_bins(t.schedule, l, &count);
    for (int32_t k = 0; k < count; k++) {
      sum += bytes[k];
      if (k < 131 && fabs((double)bytes[k] - even_bytes) > 2) /* 2: whole bytes at both edges */
        fail_msg("%s, bin %d: %lld bytes, not %.1f", rh_platform_link_name(t.platform, l), (int)k, (long long)bytes[k],
                 even_bytes);
    }
    assert_int_equal(sum, rh_schedule_link_time(t.schedule, l).bytes);
    assert_true(count == 0 || count == 132);
    used += count > 0;
  }
  assert_int_equal(used, 2 * 64); /* one up and one down of every host */
  rh_schedule_free(t.schedule);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bins_tell_when_a_link_was_used),
      cmocka_unit_test(ends_are_told_as_far_as_all_transfers_agree),
      cmocka_unit_test(skipped_steps_fill_their_bins_evenly),
  };
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
