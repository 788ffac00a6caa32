/* Bytes of a round within the innermost zones and between them. */
#include "platform_fixture.h"

#include "collectives.h"
#include "schedule.h"

/* Two nodes of two hosts each, in rank order n0 n1 | n2 n3, one level below a zone that connects them. */
#define TWO_NODES                                                                                                      \
  "<zone id=\"all\" routing=\"Full\">"                                                                                 \
  "<zone id=\"left\" routing=\"Full\"><host id=\"n0\" speed=\"1Gf\"/><host id=\"n1\" speed=\"1Gf\"/>"                  \
  "<link id=\"inside-0\" bandwidth=\"1GBps\" latency=\"1us\"/>"                                                        \
  "<route src=\"n0\" dst=\"n1\"><link_ctn id=\"inside-0\"/></route></zone>"                                            \
  "<zone id=\"right\" routing=\"Full\"><host id=\"n2\" speed=\"1Gf\"/><host id=\"n3\" speed=\"1Gf\"/>"                 \
  "<link id=\"inside-1\" bandwidth=\"1GBps\" latency=\"1us\"/>"                                                        \
  "<route src=\"n2\" dst=\"n3\"><link_ctn id=\"inside-1\"/></route></zone>"                                            \
  "<link id=\"between\" bandwidth=\"1GBps\" latency=\"1us\"/>"                                                         \
  "<zoneRoute src=\"left\" dst=\"right\" gw_src=\"n0\" gw_dst=\"n2\"><link_ctn id=\"between\"/></zoneRoute></zone>\n"

enum { ROUNDS = 4 };

typedef struct trial {
  rh_schedule *schedule;
  rh_round_time rounds[ROUNDS];
} trial;

static rh_status produce(void *context, int64_t round, bool *more)
{
  trial *t = context;
  static const int32_t left[] = {0, 1}, right[] = {2, 3};
  const rh_collective ring = {.kind = &rh_allreduce_ring, .size = 4, .bytes = 1600, .element_bytes = 4};
  const rh_collective pairs[] = {
      {.kind = &rh_allreduce_ring, .size = 2, .group = left, .bytes = 1600, .element_bytes = 4},
      {.kind = &rh_allreduce_ring, .size = 2, .group = right, .bytes = 800, .element_bytes = 4}};
  const rh_collective tree = {.kind = &rh_broadcast_binomial, .size = 4, .bytes = 1000, .element_bytes = 4};
  switch (round) {
  case 0:
    rh_schedule_collective(t->schedule, &ring, NULL);
    break;
  case 1:
    rh_schedule_collective(t->schedule, &pairs[0], NULL);
    rh_schedule_collective(t->schedule, &pairs[1], NULL);
    break;
  case 2:
    rh_schedule_collective(t->schedule, &tree, NULL);
    break;
  default:
    rh_schedule_send(t->schedule, 1, 3, 30, "test", RH_AT_ONCE, RH_AT_ONCE);
    rh_schedule_send(t->schedule, 3, 2, 7, "test", RH_AT_ONCE, RH_AT_ONCE);
  }
  *more = round + 1 < ROUNDS;
  return RH_OK;
}

static rh_status round_done(void *context, const rh_round_time *time)
{
  trial *t = context;
  t->rounds[time->round] = *time;
  return RH_OK;
}

static void simulate(trial *t, const rh_platform_def *platform)
{
  const rh_schedule_def def = {
      .platform = load(platform), .lead = 2, .context = t, .produce = produce, .round_done = round_done};
  assert_int_equal(rh_schedule_new(&def, &t->schedule), RH_OK);
  if (rh_schedule_run(t->schedule) != RH_OK) fail_msg("%s", rh_error_message());
  rh_schedule_free(t->schedule);
}

static void assert_bytes(const trial *t, int round, int64_t within, int64_t between)
{
  assert_int_equal(t->rounds[round].within_bytes, within);
  assert_int_equal(t->rounds[round].between_bytes, between);
  assert_int_equal(t->rounds[round].wire_bytes, within + between);
}

static void bytes_are_told_apart_by_the_ranks_zones(void **state)
{
  (void)state;
  IN_PROCESS();
  trial t = {0};
  simulate(&t, &(rh_platform_def){.file = write_file(HEAD CM02 TWO_NODES TAIL), .workers = 4});
  assert_bytes(&t, 0, 2 * 6 * 400, 2 * 6 * 400); /* 0 > 1 and 2 > 3; 1 > 2 and 3 > 0: 6 chunks of 100 floats each */
  assert_bytes(&t, 1, 2 * 2 * 800 + 2 * 2 * 400, 0);
  assert_bytes(&t, 2, 2 * 1000, 1000); /* 0 > 2; then 0 > 1 and 2 > 3 */
  assert_bytes(&t, 3, 7, 30);
}

/* Zones belong to ranks: with ranks dealt out in turn, n0 n2 | n1 n3, the ring never stays in a node. */
static void order_of_ranks_counts(void **state)
{
  (void)state;
  IN_PROCESS();
  trial t = {0};
  simulate(&t, &(rh_platform_def){.file = write_file(HEAD CM02 TWO_NODES TAIL),
                                  .hostfile = write_file("n0\nn2\nn1\nn3\n"),
                                  .workers = 4});
  assert_bytes(&t, 0, 0, 4 * 6 * 400);
  assert_bytes(&t, 1, 0, 2 * 2 * 800 + 2 * 2 * 400);
  assert_bytes(&t, 2, 1000, 2 * 1000); /* 0 > 2 stays; 0 > 1 and 2 > 3 do not */
  assert_bytes(&t, 3, 30, 7);
}

static void one_zone_has_nothing_between(void **state)
{
  (void)state;
  IN_PROCESS();
  trial t = {0};
  simulate(&t, &(rh_platform_def){.file = CATALOGUE "fat-tree-64.xml", .workers = 4});
  assert_bytes(&t, 0, 4 * 6 * 400, 0);
  assert_bytes(&t, 3, 37, 0);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bytes_are_told_apart_by_the_ranks_zones),
      cmocka_unit_test(order_of_ranks_counts),
      cmocka_unit_test(one_zone_has_nothing_between),
  };
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
