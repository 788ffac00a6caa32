/* Links that change with time: what the file gives them, what they could carry, and when bytes went over them. */
#include "platform_fixture.h"

#include "schedule.h"

typedef struct trial {
  rh_schedule *schedule;
  rh_platform *platform;
  int64_t bytes;
} trial;

static rh_status one_message(void *context, int64_t round, bool *more)
{
  (void)round;
  trial *t = context;
  rh_schedule_send(t->schedule, 0, 1, t->bytes, "message", RH_AT_ONCE, RH_AT_ONCE);
  *more = false;
  return RH_OK;
}

/* a to b over the link `changes`, of 5 MB/s and 1 s in the file, then over `stays`, of 2 MB/s. */
static void simulate(trial *t, const char *profiles, const char *policy, const char *direction)
{
  char text[4096];
  snprintf(text, sizeof text,
           HEAD CM02 "<zone id=\"all\" routing=\"Full\"><host id=\"a\" speed=\"1Gf\"/><host id=\"b\" speed=\"1Gf\"/>"
                     "<link id=\"changes\" bandwidth=\"5MBps\" latency=\"1s\" sharing_policy=\"%s\" %s/>"
                     "<link id=\"stays\" bandwidth=\"2MBps\" latency=\"0\"/>"
                     "<route src=\"a\" dst=\"b\"><link_ctn id=\"changes\"%s/><link_ctn id=\"stays\"/></route>"
                     "</zone>\n" TAIL,
           policy, profiles, direction);
  t->platform = load(&(rh_platform_def){.file = write_file(text), .workers = 2});
  const rh_schedule_def def = {.platform = t->platform, .lead = 1, .context = t, .produce = one_message};
  assert_int_equal(rh_schedule_new(&def, &t->schedule), RH_OK);
  if (rh_schedule_run(t->schedule) != RH_OK) fail_msg("%s", rh_error_message());
}

static int32_t find(const trial *t, const char *name)
{
  for (int32_t l = 0; l < rh_platform_link_count(t->platform); l++)
    if (strcmp(rh_platform_link_name(t->platform, l), name) == 0) return l;
  fail_msg("no link '%s'", name);
  return -1;
}

/* The attribute that names a new profile of that content, which SimGrid looks for beside the platform; in an own buffer
 * each. */
static const char *profile(const char *attribute, const char *content)
{
  static char texts[2][256];
  static int next;
  char *text = texts[next++ % 2];
  snprintf(text, sizeof texts[0], "%s=\"%s\"", attribute, strrchr(write_file(content), '/') + 1);
  return text;
}

/* 1 MB/s to 2 s, all but off to 6 s, then 4 MB/s, of which the second link leaves 2: of 4 MB two are
 * there after 2 s, the others after 7 s. Latency: 1 us, by its profile (without any,
 * SimGrid 3.32 keeps a message at the bandwidth that it began with). */
static void bytes_flow_while_the_link_is_up(const char *policy, const char *direction, const char *name)
{
  char both[512];
  snprintf(both, sizeof both, "%s %s", profile("bandwidth_file", "0 1000000\n2 0.125\n6 4000000\n"),
           profile("latency_file", "0 0.000001\n"));
  trial t = {.bytes = 4000000};
  simulate(&t, both, policy, direction);
  const int32_t changes = find(&t, name), stays = find(&t, "stays");
  if (fabs(rh_schedule_elapsed_s(t.schedule) - 7) > 1e-5) fail_msg("%.9g s", rh_schedule_elapsed_s(t.schedule));

  assert_close(rh_platform_link_bandwidth(t.platform, changes), 5e6);
  assert_close(rh_platform_link_latency(t.platform, changes), 1);
  const rh_route *route;
  assert_int_equal(rh_platform_route(t.platform, 0, 1, &route), RH_OK);
  assert_close(route->latency_s, 1);
  assert_close(route->bandwidth_Bps, 2e6);

  const rh_capacity *capacity = rh_platform_link_capacity(t.platform, changes);
  assert_non_null(capacity);
  assert_null(rh_platform_link_capacity(t.platform, stays));
  assert_close(rh_capacity_bytes(capacity, 0, 7), 2e6 + 0.5 + 4e6);
  assert_close(rh_capacity_down_s(capacity, 7), 4);
  assert_close(rh_schedule_link_time(t.schedule, changes).stalled_s, 4);
  assert_true(rh_schedule_link_time(t.schedule, stays).stalled_s == 0);
  rh_schedule_free(t.schedule);
}

/* 7 s in at most 200 bins are 112 of 1/16 s: 32 of 1 MB/s, 64 of nothing, 16 of 2 MB/s; on both links. */
static void bins_are_empty_while_the_link_is_down(void **state)
{
  (void)state;
  IN_PROCESS();
  char both[512];
  snprintf(both, sizeof both, "%s %s", profile("bandwidth_file", "0 1000000\n2 0.125\n6 4000000\n"),
           profile("latency_file", "0 0.000001\n"));
  trial t = {.bytes = 4000000};
  simulate(&t, both, "SHARED", "");
  const char *const names[] = {"changes", "stays"};
  for (int i = 0; i < 2; i++) {
    int32_t count;
    int64_t sum = 0;
    const int64_t *bytes = rh_schedule_link_bins(t.schedule, find(&t, names[i]), &count);
    assert_true(rh_schedule_bin_s(t.schedule) == 1.0 / 16);
    for (int32_t k = 0; k < count; k++) {
      const int64_t expected = k < 32 ? 62500 : k < 96 ? 0 : 125000;
      sum += bytes[k];
      if (k < 111 && llabs(bytes[k] - expected) > 2) /* whole bytes, at both edges */
        fail_msg("%s, bin %d: %lld bytes, not %lld", names[i], (int)k, (long long)bytes[k], (long long)expected);
    }
    assert_int_equal(sum, 4000000);
  }
  rh_schedule_free(t.schedule);
}

static void links_of_every_kind_are_followed(void **state)
{
  (void)state;
  IN_PROCESS();
  bytes_flow_while_the_link_is_up("SHARED", "", "changes");
}

static void one_direction_of_a_split_link_is_followed(void **state)
{
  (void)state;
  IN_PROCESS();
  bytes_flow_while_the_link_is_up("SPLITDUPLEX", " direction=\"UP\"", "changes_UP");
}

/* It goes off when the message is there: 1 s of latency, and 1 MB at 2 MB/s. */
static void a_link_that_is_off_carries_nothing(void **state)
{
  (void)state;
  IN_PROCESS();
  trial t = {.bytes = 1000000};
  simulate(&t, profile("state_file", "0 1\n1.6 0\n"), "FATPIPE", "");
  assert_close(rh_schedule_elapsed_s(t.schedule), 1.5);
  const int32_t changes = find(&t, "changes");
  assert_true(rh_schedule_link_time(t.schedule, changes).stalled_s == 0);
  assert_close(rh_platform_link_bandwidth(t.platform, changes), 5e6);
  rh_schedule_free(t.schedule);
}

/* Its profile has it off at first: nothing was sent over it, and it was down. */
static void a_link_that_begins_off_is_down(void **state)
{
  (void)state;
  IN_PROCESS();
  trial t = {.bytes = 1000000};
  char text[4096];
  snprintf(text, sizeof text,
           HEAD CM02 "<zone id=\"all\" routing=\"Full\"><host id=\"a\" speed=\"1Gf\"/><host id=\"b\" speed=\"1Gf\"/>"
                     "<link id=\"idle\" bandwidth=\"5MBps\" latency=\"1s\" %s/>"
                     "<link id=\"stays\" bandwidth=\"2MBps\" latency=\"0\"/>"
                     "<route src=\"a\" dst=\"b\"><link_ctn id=\"stays\"/></route></zone>\n" TAIL,
           profile("state_file", "0 0\n0.25 1\n"));
  t.platform = load(&(rh_platform_def){.file = write_file(text), .workers = 2});
  const rh_schedule_def def = {.platform = t.platform, .lead = 1, .context = &t, .produce = one_message};
  assert_int_equal(rh_schedule_new(&def, &t.schedule), RH_OK);
  if (rh_schedule_run(t.schedule) != RH_OK) fail_msg("%s", rh_error_message());
  const rh_capacity *capacity = rh_platform_link_capacity(t.platform, find(&t, "idle"));
  assert_non_null(capacity);
  assert_close(rh_capacity_down_s(capacity, 0.5), 0.25);
  assert_close(rh_capacity_bytes(capacity, 0, 0.5), 1.25e6);
  rh_schedule_free(t.schedule);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(links_of_every_kind_are_followed), cmocka_unit_test(one_direction_of_a_split_link_is_followed),
      cmocka_unit_test(bins_are_empty_while_the_link_is_down), cmocka_unit_test(a_link_that_is_off_carries_nothing),
      cmocka_unit_test(a_link_that_begins_off_is_down)};
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
