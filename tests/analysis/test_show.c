/* `show`: what it says of a run, as text and as JSON. */
#include <string.h>

#include "fixture.h"

static void show_tells_everything_of_a_run(void **state)
{
  static const char *const parts[] = {
      "run\n  id                  1\n",
      "  question            Does 8 bits pay?\n",
      "  wall                12.5 s\n",
      "  step flop           1.5e+08\n",
      "  step int8 op        2.5e+08\n",
      "  weight bytes        20.6 kB\n",
      "  peak memory bytes   123 MB\n",
      "  precision           1e-12 s\n",
      "  device              test device\n",
      "  accuracy            87.50 %\n",
      "  closed form ratio   1.25\n",
      "  zones               2\n",
      "  bytes within zones  700 B\n",
      "  bytes between zones 1.80 kB\n",
      "  busiest load        25.00 %\n",
      "  mean    375 ms         250 ms  62.5 ms   438 ms  62.5 ms  46.9 ms\n",
      "  FULL             1       1  50.00 %               700 B                300 B",
      "  AB               2       1  50.00 %                 0 B              1.50 kB",
      "  conv2.weight      24    24    24\n",
      "  allreduce-ring           2      1",
      "  down  25.00 %   100.00 %  20.00 %",
      "  down, tenths of its load, 250 ms each:\n  5.9\n",
      ("bottleneck\n  The bottleneck is a straggler: rank 0 (n0) computes 50 % of the 1.00 s, 1.33 times as long as "
       "the median rank; of the slowest rank's computing 38 % is encoding and decoding of messages; ranks wait for "
       "44 % on average. Nearly as much comes from latency: "),
      "  the graph is sparse\n",
      "  run.seed=7\n"};
  rh_store *store;
  rh_text text = {0}, json = {0};
  const char *path = fixture_path(state, "a.db");
  fixture_make(path, "1", "done");
  must(rh_store_open(path, RH_STORE_READ, &store));
  must(rh_show_write(store, "1", false, &text));
  must(rh_show_write(store, "1", true, &json));
  must_refuse(rh_show_write(store, "2", false, &text), RH_EINVAL, "no run whose id starts with '2'");
  must(rh_store_close(store));
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
    if (!strstr(rh_text_get(&text), parts[i])) fail_msg("no '%s' in:\n%s", parts[i], rh_text_get(&text));
  rh_text query = {0}; /* SQLite reads it back */
  rh_text_append(&query, "SELECT j ->> '$.run.id' || '|' || (j ->> '$.configuration.\"run.seed\"') || '|' ||"
                         " (j ->> '$.result.wire_bytes') || '|' || json_array_length(j, '$.evaluations') || '|' ||"
                         " (j ->> '$.links[0].link') || '|' || (j ->> '$.collectives[0].ratio') || '|' ||"
                         " (j ->> '$.warnings[0].warning') FROM (SELECT '");
  for (const char *c = rh_text_get(&json); *c; c++)
    rh_text_append(&query, *c == '\'' ? "''" : "%c", *c);
  rh_text_append(&query, "' AS j)");
  assert_string_equal(fixture_sql(path, rh_text_get(&query)), "1|7|2500|2|down|1.25|the graph is sparse");
  rh_text_clear(&query);
  rh_text_clear(&text);
  rh_text_clear(&json);
}

/* A link that is never loaded to a tenth is drawn against its own peak, and no column is empty. */
static void hardly_loaded_links_are_drawn_against_their_peak(void **state)
{
  rh_store *store;
  rh_text text = {0};
  const rh_run_header header = fixture_header("1");
  const rh_run_end end = fixture_end("done");
  must(rh_store_open(fixture_path(state, "a.db"), RH_STORE_NEW, &store));
  must(rh_store_begin_run(store, &header));
  const rh_recorder r = rh_store_recorder(store);
  must(r.link(
      r.context,
      &(rh_link_row){.name = "down", .bandwidth_Bps = 1e9, .load = 0.02, .from_where = "", .to_where = "rank 0"}));
  must(r.series(r.context, &(rh_series_row){.link = "down",
                                            .count = 3,
                                            .bytes = (const int64_t[]){1, 0, 2},
                                            .loads = (const double[]){0.026, 0, 0.05}}));
  must(rh_store_end_run(store, &end));
  must(rh_show_write(store, "1", false, &text));
  must(rh_store_close(store));
  assert_non_null(strstr(rh_text_get(&text), "  down, tenths of its peak of 5 %, 250 ms each:\n  5.9\n"));
  assert_null(strstr(rh_text_get(&text), "waited for"));
  rh_text_clear(&text);
}

/* Where all workers are in one zone, nothing is said of bytes between zones. */
static void one_zone_shows_no_split_of_bytes(void **state)
{
  rh_store *store;
  rh_text text = {0};
  rh_run_header header = fixture_header("1");
  header.zones = 1;
  must(rh_store_open(fixture_path(state, "a.db"), RH_STORE_NEW, &store));
  must(rh_store_begin_run(store, &header));
  fixture_record(rh_store_recorder(store));
  must(rh_store_close(store)); /* rows wait until then */
  must(rh_store_open(fixture_path(state, "a.db"), RH_STORE_READ, &store));
  must(rh_show_write(store, "1", false, &text));
  rh_text json = {0}; /* parts without a row are null: it was not ended, and nothing was drawn anew */
  must(rh_show_write(store, "1", true, &json));
  assert_non_null(strstr(rh_text_get(&json), "\"steady_states\": null,"));
  assert_null(strstr(rh_text_get(&json), ": ,"));
  rh_text_clear(&json);
  assert_non_null(strstr(rh_text_get(&text), "  wire bytes          2.50 kB\n"));
  assert_null(strstr(rh_text_get(&text), "\n  bytes within zones"));
  assert_null(strstr(rh_text_get(&text), "\n  bytes between zones"));
  rh_text_clear(&text);
  must(rh_store_close(store));
}

/* A run that failed before it had a platform: its zones are not known. */
static void unknown_zones_are_not_shown(void **state)
{
  rh_store *store;
  rh_text text = {0};
  rh_run_header header = fixture_header("1");
  header.zones = 0;
  must(rh_store_open(fixture_path(state, "a.db"), RH_STORE_NEW, &store));
  must(rh_store_fail_run(store, &header, "no such platform"));
  must(rh_show_write(store, "1", false, &text));
  assert_non_null(strstr(rh_text_get(&text), "\n  workers "));
  assert_null(strstr(rh_text_get(&text), "\n  zones "));
  rh_text_clear(&text);
  must(rh_store_close(store));
}

int main(void)
{
#define in_folder(test) cmocka_unit_test_setup_teardown(test, fixture_make_folder, fixture_remove_folder)
  const struct CMUnitTest tests[] = {
      in_folder(show_tells_everything_of_a_run),
      in_folder(hardly_loaded_links_are_drawn_against_their_peak),
      in_folder(one_zone_shows_no_split_of_bytes),
      in_folder(unknown_zones_are_not_shown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
