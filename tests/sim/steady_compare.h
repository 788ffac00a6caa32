/* Steady states and calculated collectives against full simulation: both runs, everything compared; and the platforms
 * that several tests take. */
#ifndef RH_STEADY_COMPARE_H
#define RH_STEADY_COMPARE_H

#include "steady_fixture.h"

/* What a skipped run may differ by from a full one; roundings stay a thousandfold below it. */
#define RELATIVE 1e-9

/* Completions closer than SimGrid's precision of 1e-12 s merge, and which of two that are equal comes first is decided
 * by a rounding: what takes no longer is not told apart. */
#define ABSOLUTE_S 1e-14

/* The first thing that differs, in words; and whether it is a number of bytes or messages. */
static char mismatch[512];
static bool mismatch_of_counts;

static inline void expect_seconds(const char *what, int64_t index, double skipped, double full, double scale)
{
  if (fabs(skipped - full) <= RELATIVE * scale + ABSOLUTE_S || mismatch[0] != '\0') return;
  snprintf(mismatch, sizeof mismatch, "%s %lld: %.17g skipped, %.17g in full", what, (long long)index, skipped, full);
  mismatch_of_counts = false;
}

static inline void expect_count(const char *what, int64_t index, int64_t skipped, int64_t full)
{
  if (skipped == full || (mismatch[0] != '\0' && mismatch_of_counts)) return;
  snprintf(mismatch, sizeof mismatch, "%s %lld: %lld skipped, %lld in full", what, (long long)index, (long long)skipped,
           (long long)full);
  mismatch_of_counts = true;
}

static inline void expect_equal_links(const outcome *a, const outcome *b)
{
  for (int32_t i = 0; i < b->link_count; i++) {
    expect_count("bytes of link", i, a->links[i].bytes, b->links[i].bytes);
    expect_seconds("busy seconds of link", i, a->links[i].busy_s, b->links[i].busy_s, b->links[i].busy_s);
  }
}

static inline void expect_equal_ranks(const scenario *sc, const outcome *a, const outcome *b)
{
  for (int32_t i = 0; i < sc->workers; i++) {
    const rh_rank_time *x = &a->ranks[i], *y = &b->ranks[i];
    expect_count("bytes sent by rank", i, x->sent_bytes, y->sent_bytes);
    expect_count("bytes received by rank", i, x->received_bytes, y->received_bytes);
    expect_count("messages of rank", i, x->sent_messages, y->sent_messages);
    expect_seconds("compute of rank", i, x->compute_s, y->compute_s, y->compute_s);
    expect_seconds("encoding of rank", i, x->encode_s, y->encode_s, y->compute_s);
    expect_seconds("decoding of rank", i, x->decode_s, y->decode_s, y->compute_s);
    expect_seconds("communication of rank", i, x->communication_s, y->communication_s, y->communication_s);
    expect_seconds("both of rank", i, x->both_s, y->both_s, b->elapsed_s);
    expect_seconds("waiting of rank", i, x->waiting_s, y->waiting_s, b->elapsed_s);
  }
}

static inline void expect_equal_pairs(const outcome *a, const outcome *b)
{
  for (int32_t i = 0; i < RH_PAIRS_SIDE * RH_PAIRS_SIDE; i++)
    expect_count("bytes of pair", i, a->pairs[i], b->pairs[i]);
}

static inline void expect_equal_rows(const outcome *a, const outcome *b)
{
  expect_count("rounds", 0, a->rounds, b->rounds);
  for (int64_t i = 0; i < b->rounds; i++) {
    const rh_round_time *x = &a->round[i], *y = &b->round[i];
    expect_seconds("finish of round", i, x->finish_s, y->finish_s, y->finish_s);
    expect_seconds("first finish of round", i, x->first_finish_s, y->first_finish_s, y->first_finish_s);
    expect_count("messages of round", i, x->messages, y->messages);
    expect_count("bytes of round", i, x->wire_bytes, y->wire_bytes);
    expect_count("bytes within zones of round", i, x->within_bytes, y->within_bytes);
    expect_count("bytes between zones of round", i, x->between_bytes, y->between_bytes);
  }
  expect_count("collectives", 0, a->collectives, b->collectives);
  for (int64_t i = 0; i < b->collectives; i++) {
    const rh_collective_time *x = &a->collective[i], *y = &b->collective[i];
    expect_count("round of collective", i, x->round, y->round);
    expect_seconds("start of collective", i, x->start_s, y->start_s, y->start_s);
    expect_seconds("finish of collective", i, x->finish_s, y->finish_s, y->finish_s);
    expect_seconds("closed form of collective", i, x->closed_form_s, y->closed_form_s, y->closed_form_s);
    expect_count("messages of collective", i, x->messages, y->messages);
    expect_count("bytes of collective", i, x->wire_bytes, y->wire_bytes);
  }
}

/* Compares everything; false: see `mismatch`. */
static inline bool is_equal(const scenario *sc, const outcome *a, const outcome *b)
{
  mismatch[0] = '\0';
  expect_seconds("elapsed", 0, a->elapsed_s, b->elapsed_s, b->elapsed_s);
  expect_equal_links(a, b);
  expect_equal_ranks(sc, a, b);
  expect_equal_rows(a, b);
  expect_equal_pairs(a, b);
  expect_count("messages, simulated and skipped", 0, a->steady.simulated_messages + a->steady.skipped_messages,
               b->steady.simulated_messages);
  assert_int_equal(b->steady.skipped_messages, 0);
  assert_true(b->steady.skipped_s == 0);
  return mismatch[0] == '\0';
}

/* Runs it both ways, compares everything, and returns what skipping came to; the caller frees it. */
static inline outcome *compare(const scenario *sc)
{
  outcome *a = simulate_apart(sc, true), *b = simulate_apart(sc, false);
  if (!is_equal(sc, a, b)) fail_msg("%s", mismatch);
  free_outcome(b);
  return a;
}

/* --- platforms ---------------------------------------------------------------------------------------------------- */

/* A <cluster> of 64 hosts (the dragonfly: 72), 12.5 GB/s and 1 us a cable. */
static inline const char *cluster(const char *model, int hosts, const char *topology)
{
  char text[2048];
  snprintf(text, sizeof text,
           HEAD "<config><prop id=\"network/model\" value=\"%s\"/>%s</config>"
                "<cluster id=\"c\" prefix=\"n\" suffix=\"\" radical=\"0-%d\" speed=\"1Tf\" bw=\"12.5GBps\" lat=\"1us\""
                " sharing_policy=\"SPLITDUPLEX\" %s/>" TAIL,
           model,
           strcmp(model, "CM02") == 0
               ? "<prop id=\"network/TCP-gamma\" value=\"-1\"/><prop id=\"network/crosstraffic\" value=\"0\"/>"
               : "",
           hosts - 1, topology);
  remove_temporary();
  return write_file(text);
}

static inline int compare_text(const void *a, const void *b)
{
  return strcmp(a, b);
}

/* n0, n1, n10, n11, ...: neighbours in the ring are far apart. */
static inline const char *lexicographic_hosts(int hosts)
{
  char names[128][16];
  rh_text text = {0};
  assert_true(hosts <= 128);
  for (int i = 0; i < hosts; i++)
    snprintf(names[i], sizeof names[i], "n%d", i);
  qsort(names, (size_t)hosts, sizeof names[0], compare_text);
  for (int i = 0; i < hosts; i++)
    rh_text_append(&text, "%s\n", names[i]);
  const char *file = write_file(rh_text_get(&text));
  rh_text_clear(&text);
  return file;
}

static const char flat[] = "", torus[] = "topology=\"TORUS\" topo_parameters=\"4,4,4\"",
                  fat_tree[] = "topology=\"FAT_TREE\" topo_parameters=\"2;8,8;1,8;1,1\"",
                  oversubscribed[] = "topology=\"FAT_TREE\" topo_parameters=\"2;8,8;1,2;1,1\"",
                  dragonfly[] = "topology=\"DRAGONFLY\" topo_parameters=\"3,3;3,1;4,1;2\"";

#endif
