/* The rule of bottleneck.h on made-up runs of 10 s, one for each of its cases. */
#include "cmocka_all.h"

#include <string.h>

#include "bottleneck.h"

enum { RANKS = 5 };

/* Ranks that all compute, communicate and wait alike. */
static void fill(rh_rank_row *ranks, double compute_s, double communication_s, double both_s)
{
  static const char *const hosts[RANKS] = {"n0", "n1", "n2", "n3", "n4"};
  for (int i = 0; i < RANKS; i++)
    ranks[i] = (rh_rank_row){.rank = i,
                             .host = hosts[i],
                             .compute_s = compute_s,
                             .communication_s = communication_s,
                             .both_s = both_s,
                             .waiting_s = 10 - compute_s - communication_s + both_s};
}

/* A link of 1 MB/s that was busy for so long. */
static rh_link_row link_of(const char *name, int64_t bytes, double busy_s)
{
  return (rh_link_row){.name = name,
                       .bandwidth_Bps = 1e6,
                       .bytes = bytes,
                       .busy_s = busy_s,
                       .load = (double)bytes / 1e7,
                       .peak_load = 1};
}

static void expect(const rh_rank_row *ranks, const rh_link_row *links, int32_t link_count, rh_bottleneck_kind kind,
                   const char *sentence)
{
  rh_bottleneck b;
  rh_text text = {0};
  rh_bottleneck_find(ranks, RANKS, links, link_count, 10, &b);
  rh_bottleneck_write(&b, &text);
  assert_string_equal(rh_text_get(&text), sentence);
  assert_string_equal(rh_bottleneck_name(b.kind), rh_bottleneck_name(kind));
  rh_text_clear(&text);
}

static void ranks_that_compute_alike_are_bound_by_computing(void **state)
{
  (void)state;
  rh_rank_row ranks[RANKS];
  fill(ranks, 9, 3, 2);
  const rh_link_row links[] = {link_of("up", 2900000, 3)};
  expect(ranks, links, 1, RH_BOTTLENECK_COMPUTE,
         "The bottleneck is computing: the slowest rank computes 90 % of the 10.0 s, the median rank 90 %; ranks "
         "communicate at the same time for 20 %.");
  ranks[0].encode_s = 0.5; /* with the next one a tenth of the 9 s */
  ranks[0].decode_s = 0.4;
  expect(
      ranks, links, 1, RH_BOTTLENECK_COMPUTE,
      "The bottleneck is computing: the slowest rank computes 90 % of the 10.0 s, the median rank 90 %; of the slowest "
      "rank's computing 10 % is encoding and decoding of messages; ranks communicate at the same time for 20 %.");
  ranks[0].decode_s = 0.39;
  rh_bottleneck b;
  rh_text text = {0};
  rh_bottleneck_find(ranks, RANKS, links, 1, 10, &b);
  rh_bottleneck_write(&b, &text);
  assert_null(strstr(rh_text_get(&text), "encoding"));
  rh_text_clear(&text);
}

/* A link whose profile had it down, at a mean of .2 MB/s: messages waited for it in 7 of 9 s. */
static void link_that_was_not_there(void **state)
{
  (void)state;
  rh_rank_row ranks[RANKS];
  fill(ranks, 1, 9, 0);
  rh_link_row links[] = {link_of("up", 3000000, 3), link_of("away", 2000000, 9)};
  links[1].bandwidth_Bps = 0.2e6;
  links[1].down_s = 8;
  links[1].stalled_s = 7;
  links[1].load = 1;
  links[1].from_where = "rank 3";
  expect(ranks, links, 2, RH_BOTTLENECK_DOWN,
         "The bottleneck is link 'away', the way out of rank 3, which its profile has down for 8.00 s of the 10.0 s: "
         "messages wait 7.00 s for it to come back.");
  links[1].stalled_s = 4; /* below half of what is communicated: it is loaded, by its mean, and not above all it can */
  expect(ranks, links, 2, RH_BOTTLENECK_LINK,
         "The bottleneck is link 'away', the way out of rank 3: it carries 100 % of what it can, all the time.");
}

static void one_slow_rank_is_a_straggler(void **state)
{
  (void)state;
  rh_rank_row ranks[RANKS];
  fill(ranks, 4, 1, 0);
  ranks[3] = (rh_rank_row){.rank = 3, .host = "n3", .compute_s = 9, .communication_s = 1};
  const rh_link_row links[] = {link_of("up", 900000, 1)};
  expect(
      ranks, links, 1, RH_BOTTLENECK_STRAGGLER,
      "The bottleneck is a straggler: rank 3 (n3) computes 90 % of the 10.0 s, 2.25 times as long as the median rank; "
      "ranks wait for 40 % on average.");
  ranks[1].compute_s = 5; /* at 1.25 times the median exactly */
  ranks[1].waiting_s = 4;
  expect(
      ranks, links, 1, RH_BOTTLENECK_STRAGGLER,
      "The bottleneck is a straggler: rank 3 (n3) computes 90 % of the 10.0 s, 2.25 times as long as the median rank, "
      "with 1 more at 1.25 times or above; ranks wait for 38 % on average.");
  ranks[3].compute_s = 4.9; /* below it, and below half: nobody straggles */
  ranks[1].compute_s = 4.9;
  rh_bottleneck b;
  rh_bottleneck_find(ranks, RANKS, links, 1, 10, &b);
  assert_int_equal(b.straggler_count, 0);
}

/* 8.5 MB over 1 MB/s in 9 s of communication; the link that comes second is faster and carries more. */
static void link_that_is_loaded_while_ranks_communicate(void **state)
{
  (void)state;
  rh_rank_row ranks[RANKS];
  fill(ranks, 1, 9, 0);
  rh_link_row links[] = {link_of("up", 8000000, 9), link_of("trunk", 8500000, 8.6), link_of("fast", 9000000, 9)};
  links[2].bandwidth_Bps = 1e7;
  links[2].load = 0.09;
  expect(ranks, links, 3, RH_BOTTLENECK_LINK,
         "The bottleneck is link 'trunk': it carries 94 % of what it can while the run communicates, 85 % over the "
         "whole run, 100 % at its peak.");
  links[1].bytes = 8590000; /* 95.4 % of 9 s and, in a run of 9 s, of the run */
  links[1].load = 0.951;
  expect(ranks, links, 3, RH_BOTTLENECK_LINK,
         "The bottleneck is link 'trunk': it carries 95 % of what it can over the whole run, 100 % at its peak.");
  links[1].bytes = 8500000;
  links[1].load = 0.85;
  /* a trunk that is busy for longer than any rank communicates */
  fill(ranks, 1, 3, 0);
  links[1].busy_s = 8.8;
  rh_bottleneck b;
  rh_bottleneck_find(ranks, RANKS, links, 2, 10, &b);
  assert_int_equal(b.kind, RH_BOTTLENECK_LINK);
  assert_true(b.communication_load > 0.94 && b.communication_load < 0.95); /* 8.5 / 9 */
}

static void link_is_named_with_its_rank_or_zone(void **state)
{
  (void)state;
  static const struct {
    const char *from, *to, *words;
  } cases[] = {{"zone left", "", "link 'l', the way out of zone left: "},
               {"", "rank 0", "link 'l', the way into rank 0: "},
               {"zone a", "zone b", "link 'l', the way from zone a to zone b: "},
               {"zone a", "zone a", "link 'l', inside zone a: "},
               {NULL, NULL, "link 'l': "}};
  rh_rank_row ranks[RANKS];
  fill(ranks, 0, 10, 0);
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    rh_link_row link = link_of("l", 9500000, 10);
    link.from_where = cases[i].from;
    link.to_where = cases[i].to;
    rh_bottleneck b;
    rh_text text = {0};
    rh_bottleneck_find(ranks, RANKS, &link, 1, 10, &b);
    rh_bottleneck_write(&b, &text);
    if (!strstr(rh_text_get(&text), cases[i].words)) fail_msg("no '%s' in: %s", cases[i].words, rh_text_get(&text));
    rh_text_clear(&text);
  }
}

/* Everybody communicates all the time, and the bytes would take a hundredth of it. */
static void nothing_loaded_is_bound_by_latency(void **state)
{
  (void)state;
  rh_rank_row ranks[RANKS];
  fill(ranks, 0.5, 7.5, 0);
  const rh_link_row links[] = {link_of("up", 70000, 7)};
  expect(ranks, links, 1, RH_BOTTLENECK_LATENCY,
         "The bottleneck is latency: no link is loaded, the most loaded one, 'up', carries 1.0 % of what it can while "
         "it is busy; ranks wait for 20 % on average and compute for at most 5.0 %.");
  rh_link_row far[] = {link_of("sea", 70000, 7)};
  far[0].latency_s = 2; /* 4194304 bytes in 4 s is above 1 MB/s */
  expect(ranks, far, 1, RH_BOTTLENECK_LATENCY,
         "The bottleneck is latency: no link is loaded, the most loaded one, 'sea', carries 1.0 % of what it can while "
         "it is busy; ranks wait for 20 % on average and compute for at most 5.0 %.");
  far[0].latency_s = 3; /* in 6 s it is not */
  expect(ranks, far, 1, RH_BOTTLENECK_LATENCY,
         "The bottleneck is latency: no link is loaded, the most loaded one, 'sea', carries 1.0 % of what it can while "
         "it is busy; where the network model has TCP's window (LV08, of 4.19 MB unless the platform's file says "
         "another) a message over it gets at most 699 kBps of its 1.00 MBps; ranks wait for 20 % on average and "
         "compute for at most 5.0 %.");
  expect(ranks, NULL, 0, RH_BOTTLENECK_LATENCY,
         "The bottleneck is latency: no link is loaded; ranks wait for 20 % on average and compute for at most 5.0 %.");
}

/* A tree: one transfer after the other at full speed, each link busy for a quarter of the time, the root all
 * the time. */
static void links_that_take_turns_let_ranks_wait(void **state)
{
  (void)state;
  rh_rank_row ranks[RANKS];
  fill(ranks, 0, 2.5, 0);
  ranks[0].communication_s = 10;
  ranks[0].waiting_s = 0;
  const rh_link_row links[] = {link_of("up", 2400000, 2.5)};
  expect(ranks, links, 1, RH_BOTTLENECK_WAITING,
         "The bottleneck is waiting: ranks wait for one another, 60 % of the time on average; the most loaded link, "
         "'up', is full while it is busy (96 %), but busy for only 25 %.");
}

static void two_parts_of_like_size_are_both_said(void **state)
{
  (void)state;
  rh_rank_row ranks[RANKS];
  const rh_link_row links[] = {link_of("up", 4000000, 4)};
  fill(ranks, 6, 4, 0);
  expect(
      ranks, links, 1, RH_BOTTLENECK_COMPUTE,
      "The bottleneck is computing: the slowest rank computes 60 % of the 10.0 s, the median rank 60 %. Nearly as much "
      "comes from link 'up': it carries 100 % of what it can while the run communicates, 40 % over the whole run, 100 "
      "% at "
      "its peak.");
  fill(ranks, 4, 6, 0);
  rh_bottleneck b;
  const rh_link_row busier[] = {link_of("up", 6000000, 6)};
  rh_bottleneck_find(ranks, RANKS, busier, 1, 10, &b);
  assert_int_equal(b.kind, RH_BOTTLENECK_LINK);
  assert_int_equal(b.other, RH_BOTTLENECK_COMPUTE);
}

static void without_time_or_ranks_nothing_is_said(void **state)
{
  (void)state;
  rh_rank_row ranks[RANKS];
  fill(ranks, 1, 1, 0);
  rh_bottleneck b;
  rh_text text = {0};
  rh_bottleneck_find(ranks, RANKS, NULL, 0, 0, &b);
  assert_int_equal(b.kind, RH_BOTTLENECK_NONE);
  rh_bottleneck_find(ranks, 0, NULL, 0, 10, &b);
  assert_int_equal(b.kind, RH_BOTTLENECK_NONE);
  rh_bottleneck_write(&b, &text);
  assert_int_equal(text.length, 0);
}

/* Both links carry as much; the second one's transfers take three times as long, most of it latency. */
static void of_links_loaded_alike_the_slow_one_is_named(void **state)
{
  (void)state;
  rh_rank_row ranks[RANKS];
  fill(ranks, 0, 10, 0);
  const rh_link_row links[] = {link_of("quick", 2500000, 3), link_of("slow", 2500000, 9)};
  expect(
      ranks, links, 2, RH_BOTTLENECK_LATENCY,
      "The bottleneck is latency: no link is loaded, the most loaded one, 'slow', carries 28 % of what it can while it "
      "is busy; ranks wait for 0 % on average and compute for at most 0 %.");
}

/* A link that is full for a third of the time, while ranks always communicate: the other thirds belong to others. */
static void links_that_are_full_by_turns(void **state)
{
  (void)state;
  rh_rank_row ranks[RANKS];
  fill(ranks, 0, 9.9, 0);
  const rh_link_row links[] = {link_of("a", 3300000, 3.3), link_of("b", 3000000, 3)};
  expect(ranks, links, 2, RH_BOTTLENECK_LINKS,
         "The bottleneck is communication, over now this and now that link: the most loaded one, 'a', carries 100 % of "
         "what "
         "it can while it is busy, but is busy for only 33 %; ranks compute for at most 0 %.");
  fill(ranks, 0, 9, 0); /* ranks wait for a tenth */
  rh_bottleneck b;
  rh_bottleneck_find(ranks, RANKS, links, 2, 10, &b);
  assert_int_equal(b.kind, RH_BOTTLENECK_WAITING);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(ranks_that_compute_alike_are_bound_by_computing),
      cmocka_unit_test(link_that_was_not_there),
      cmocka_unit_test(one_slow_rank_is_a_straggler),
      cmocka_unit_test(link_that_is_loaded_while_ranks_communicate),
      cmocka_unit_test(link_is_named_with_its_rank_or_zone),
      cmocka_unit_test(nothing_loaded_is_bound_by_latency),
      cmocka_unit_test(links_that_take_turns_let_ranks_wait),
      cmocka_unit_test(two_parts_of_like_size_are_both_said),
      cmocka_unit_test(without_time_or_ranks_nothing_is_said),
      cmocka_unit_test(of_links_loaded_alike_the_slow_one_is_named),
      cmocka_unit_test(links_that_are_full_by_turns),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
