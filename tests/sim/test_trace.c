/* Events of some rounds: the same as without a window and without skipping, and skipping begins after them. */
#include "steady_fixture.h"

/* Both neighbours on a ring after computing: rounds repeat soon. */
static const scenario exchange = {.platform = RH_SOURCE_DIR "/platforms/ideal.xml",
                                  .kind = "neighbour-exchange",
                                  .workers = 64,
                                  .bytes = 82088,
                                  .lead = 3,
                                  .rounds = 150,
                                  .compute_s = 1e-5,
                                  .traced = true};
enum { EVENTS_A_ROUND = 64 + 2 * 64 }; /* computing, and two messages to each rank */

static void assert_equal_events(const rh_event *a, const rh_event *b)
{
  assert_int_equal(a->round, b->round);
  assert_int_equal(a->rank, b->rank);
  assert_int_equal(a->lane, b->lane);
  assert_int_equal(a->peer, b->peer);
  assert_int_equal(a->bytes, b->bytes);
  assert_true(a->start_s == b->start_s && a->finish_s == b->finish_s); /* nothing is skipped before: the same bits */
}

static void events_of_a_window_are_those_of_the_whole(void **state)
{
  (void)state;
  scenario sc = exchange;
  outcome *all = simulate_apart(&sc, false);
  assert_int_equal(all->events, sc.rounds * EVENTS_A_ROUND);
  sc.event_first = 2;
  sc.event_end = 5;
  outcome *some = simulate_apart(&sc, true);
  assert_int_equal(some->events, 3 * EVENTS_A_ROUND);
  assert_false(some->events_cut);
  int64_t k = 0;
  for (int64_t i = 0; i < all->events; i++)
    if (all->event[i].round >= 2 && all->event[i].round < 5) assert_equal_events(&some->event[k++], &all->event[i]);
  assert_int_equal(k, some->events);
  assert_true(some->steady.rounds_skipped > sc.rounds / 2); /* what comes after the window */
  assert_int_equal(all->steady.rounds_skipped, 0);
  assert_true(fabs(some->elapsed_s - all->elapsed_s) <= 1e-9 * all->elapsed_s);
  free_outcome(all);
  free_outcome(some);
}

static void nothing_is_skipped_where_all_events_are_asked_for(void **state)
{
  (void)state;
  outcome *o = simulate_apart(&exchange, true);
  assert_int_equal(o->events, exchange.rounds * EVENTS_A_ROUND);
  assert_int_equal(o->steady.skipped_messages, 0);
  assert_non_null(strstr(o->reasons, "asked for"));
  free_outcome(o);
}

/* The first ones, and then rounds may be skipped. */
static void no_more_events_than_allowed(void **state)
{
  (void)state;
  scenario sc = exchange;
  sc.event_end = 60;
  outcome *all = simulate_apart(&sc, true);
  sc.event_max = EVENTS_A_ROUND + 10;
  outcome *some = simulate_apart(&sc, true);
  assert_int_equal(some->events, sc.event_max);
  assert_true(some->events_cut && !all->events_cut);
  for (int64_t i = 0; i < some->events; i++)
    assert_equal_events(&some->event[i], &all->event[i]);
  assert_true(some->steady.rounds_skipped > sc.rounds / 2);
  sc.event_max = 60 * EVENTS_A_ROUND; /* exactly as many: none is left out */
  outcome *enough = simulate_apart(&sc, true);
  assert_int_equal(enough->events, all->events);
  assert_false(enough->events_cut);
  free_outcome(all);
  free_outcome(some);
  free_outcome(enough);
}

/* Inside collectives as well: those of the window in full, the others but for their transients. */
static void collectives_after_the_window_are_skipped(void **state)
{
  (void)state;
  scenario sc = exchange;
  sc.kind = "allreduce-ring";
  sc.bytes = 64 * 4096;
  sc.rounds = 4;
  sc.event_end = 2;
  outcome *o = simulate_apart(&sc, true);
  assert_int_equal(o->events, 2 * (64 + 64 * 2 * 63)); /* 2 (N - 1) messages of each rank */
  assert_int_equal(o->steady.collectives_full, 2);
  assert_int_equal(o->steady.collectives_skipped, 2);
  free_outcome(o);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(events_of_a_window_are_those_of_the_whole),
      cmocka_unit_test(nothing_is_skipped_where_all_events_are_asked_for),
      cmocka_unit_test(collectives_after_the_window_are_skipped),
      cmocka_unit_test(no_more_events_than_allowed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
