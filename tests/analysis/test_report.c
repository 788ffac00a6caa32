/* The report page as text: what is said, that names are text, and that nothing is asked for. Its pictures are looked at
 * by report_page.sh. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"
#include "report.h"

static const char id[] = "00112233445566ff";

/* Keeps a page for report_page.sh, in the folder that it names. */
static void keep(const rh_text *page, const char *name)
{
  const char *folder = getenv("RH_PAGES");
  if (!folder) return;
  rh_text path = {0};
  rh_text_append(&path, "%s/%s.html", folder, name);
  FILE *file = fopen(rh_text_get(&path), "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(rh_text_get(page), 1, page->length, file), page->length);
  assert_int_equal(fclose(file), 0);
  rh_text_clear(&path);
}

static rh_text page_of(const char *path, const rh_report_def *def)
{
  rh_store *store;
  rh_text page = {0};
  const rh_report_def all = {.target_accuracy = (double)NAN, .command = "rehearse report -o page.html"};
  must(rh_store_open(path, RH_STORE_READ, &store));
  must(rh_report_write(store, def ? def : &all, &page));
  must(rh_store_close(store));
  return page;
}

static int count_of(const rh_text *page, const char *part)
{
  int count = 0;
  for (const char *at = rh_text_get(page); (at = strstr(at, part)); at += strlen(part))
    count++;
  return count;
}

static void must_hold(const rh_text *page, const char *part)
{
  if (count_of(page, part) == 0) fail_msg("no '%s' in the page", part);
}

static void must_hold_not(const rh_text *page, const char *part)
{
  if (count_of(page, part) > 0) fail_msg("'%s' is in the page", part);
}

/* Three scripts, data and style included once, and the policy that lets nothing else in. */
static void must_be_closed(const rh_text *page)
{
  assert_int_equal(count_of(page, "</script>"), 3);
  assert_int_equal(count_of(page, "<script"), 3);
  must_hold(page, "content=\"default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'\"");
  rh_text written = {0}; /* all but the scripts, whose library holds both words */
  rh_text_append_bytes(&written, rh_text_get(page),
                       (size_t)(strstr(rh_text_get(page), "<script>") - rh_text_get(page)));
  assert_int_equal(count_of(&written, "src="), 0);
  assert_int_equal(count_of(&written, "href="), 0);
  rh_text_clear(&written);
  assert_int_equal(count_of(page, "\x1b"), 0);
}

static void one_run_is_answered_in_words(void **state)
{
  const char *path = fixture_path(state, "one.db");
  fixture_make(path, id, "done");
  rh_text page = page_of(path, NULL);
  must_be_closed(&page);
  must_hold(&page, "<h1>Does 8 bits pay?</h1>");
  /* accuracy 0.875 of the second evaluation, at 1 s, passes the target of 0.8 */
  must_hold(&page, "<strong>allreduce, uncompressed</strong> reached 80 % after <strong>1.00 s</strong>.");
  must_hold(&page, "The bottleneck is");
  must_hold(&page, "\"loss\": [2.25,null]"); /* NaN */
  must_hold(&page, "\"command\": \"rehearse run study.yaml --index 1\"");
  must_hold(&page, "\"warnings\": {\"warning\": [\"the graph is sparse\"]}");
  keep(&page, "one");
  rh_text_clear(&page);
}

static void another_target_may_be_asked_for(void **state)
{
  const char *path = fixture_path(state, "target.db");
  const char *runs[] = {"0011"};
  const rh_report_def near = {.runs = runs, .run_count = 1, .target_accuracy = 0.5, .command = ""};
  const rh_report_def far = {.runs = runs, .run_count = 1, .target_accuracy = 0.9, .command = ""};
  fixture_make(path, id, "done");
  rh_text page = page_of(path, &near);
  must_hold(&page, " reached 50 % after <strong>500 ms</strong>.");
  rh_text_clear(&page);
  page = page_of(path, &far);
  must_hold(&page, "The target of 90 % was <strong>not reached</strong>.");
  rh_text_clear(&page);
}

static void without_a_finished_run_the_page_says_so(void **state)
{
  const char *path = fixture_path(state, "open.db");
  rh_run_header header = fixture_header(id);
  rh_store *store;
  must(rh_store_open(path, RH_STORE_NEW, &store));
  must(rh_store_close(store));
  rh_text page = page_of(path, NULL);
  must_be_closed(&page);
  must_hold(&page, "There is no run in this database yet.");
  must_hold_not(&page, "open.db.runs");
  keep(&page, "open-none");
  rh_text_clear(&page);
  const char *folder = fixture_path(state, "open.db.runs");
  assert_int_equal(mkdir(folder, 0700), 0);
  page = page_of(path, NULL);
  must_hold(&page, "open.db.runs</code>, each a database");
  rh_text_clear(&page);
  assert_int_equal(rmdir(folder), 0);
  /* a run whose process was killed: begun, some rows, no end */
  must(rh_store_open(path, RH_STORE_NEW, &store));
  must(rh_store_begin_run(store, &header));
  fixture_record(rh_store_recorder(store));
  must(rh_store_close(store));
  page = page_of(path, NULL);
  must_be_closed(&page);
  must_hold(&page, "<strong>No answer yet:</strong> the run is not done.");
  must_hold(&page, "running after 2 rounds");
  keep(&page, "open-killed");
  rh_text_clear(&page);
}

static void without_an_evaluation_timing_alone_is_told(void **state)
{
  const char *path = fixture_path(state, "timing.db");
  rh_run_header header = fixture_header(id);
  header.target_accuracy = (double)NAN;
  rh_run_end end = fixture_end("done");
  rh_store *store;
  must(rh_store_open(path, RH_STORE_NEW, &store));
  must(rh_store_begin_run(store, &header));
  rh_recorder r = rh_store_recorder(store);
  must(r.round(r.context, &(rh_round_row){1, 0.5, 0.25, (double)NAN, 0, 4, 700, 300}));
  must(r.round(r.context, &(rh_round_row){2, 1.0, 0.75, (double)NAN, 0, 4, 700, 300}));
  must(rh_store_end_run(store, &end));
  must(rh_store_close(store));
  rh_text page = page_of(path, NULL);
  must_be_closed(&page);
  must_hold(&page, "Timing alone: no accuracy was evaluated");
  must_hold(&page, "a round takes <strong>500 ms</strong>");
  keep(&page, "timing");
  rh_text_clear(&page);
}

/* Two seeds, of which one diverged, then both: a row of the results says so. */
static void diverged_runs_are_called_so_in_the_results(void **state)
{
  const char *path = fixture_path(state, "diverged.db");
  rh_run_end end = fixture_end("done");
  rh_store *store;
  must(rh_store_open(path, RH_STORE_NEW, &store));
  for (int seed = 1; seed <= 2; seed++) {
    char name[32];
    snprintf(name, sizeof name, "%016d", seed);
    rh_run_header header = fixture_header(name);
    header.seed = seed;
    header.configuration = seed == 1 ? "run.seed=1\n" : "run.seed=2\n";
    must(rh_store_begin_run(store, &header));
    fixture_record(rh_store_recorder(store));
    if (seed == 2) end.reason = "diverged: the training loss is no longer finite";
    must(rh_store_end_run(store, &end));
  }
  must(rh_store_close(store));
  rh_text page = page_of(path, NULL);
  must_hold(&page, "<td>87.5 %, 1 diverged</td>");
  must_hold(&page, "1 run diverged: the training loss was no longer finite.");
  rh_text_clear(&page);
  const char *runs[] = {"0000000000000002"};
  page = page_of(path, &(rh_report_def){.runs = runs, .run_count = 1, .target_accuracy = (double)NAN, .command = ""});
  must_hold(&page, "<td>diverged</td>");
  must_hold_not(&page, "<td>87.5 %</td>");
  rh_text_clear(&page);
}

static void names_are_text_whatever_they_hold(void **state)
{
  static const char hostile[] = "</script><script>alert(1)</script>\"'&\n\x1b[2J\xe2\x80\xa8<!--";
  const char *path = fixture_path(state, "hostile.db");
  char *long_name = malloc(10001);
  assert_non_null(long_name);
  memset(long_name, 'x', 10000);
  long_name[10000] = '\0';
  rh_run_header header = fixture_header(id);
  header.study = hostile;
  header.question = hostile;
  header.platform = long_name;
  header.method = hostile;
  header.command = hostile;
  rh_run_end end = fixture_end("done");
  end.reason = hostile;
  rh_store *store;
  must(rh_store_open(path, RH_STORE_NEW, &store));
  must(rh_store_begin_run(store, &header));
  fixture_record(rh_store_recorder(store));
  must(rh_store_recorder(store).warning(store, hostile));
  must(rh_store_end_run(store, &end));
  must(rh_store_close(store));
  rh_text page = page_of(path, NULL);
  must_be_closed(&page);
  must_hold(&page, "&lt;/script&gt;&lt;script&gt;alert(1)");
  must_hold(&page, "\\u003c/script>\\u003cscript>alert(1)");
  must_hold(&page, "\\u2028\\u003c!--");
  assert_int_equal(count_of(&page, "\xe2\x80\xa8"), 0);
  must_hold(&page, long_name);
  keep(&page, "hostile");
  rh_text_clear(&page);
  free(long_name);
}

static void several_studies_must_be_chosen_from(void **state)
{
  const char *path = fixture_path(state, "two.db"), *other = fixture_path(state, "other.db");
  rh_run_header header = fixture_header("ff00000000000000");
  header.study = "another";
  rh_run_end end = fixture_end("done");
  rh_store *store;
  rh_text page = {0};
  fixture_make(path, id, "done");
  must(rh_store_open(other, RH_STORE_NEW, &store));
  must(rh_store_begin_run(store, &header));
  must(rh_store_end_run(store, &end));
  must(rh_store_close(store));
  must(rh_store_open(path, RH_STORE_WRITE, &store));
  must(rh_store_merge(store, other, NULL, NULL));
  const rh_report_def all = {.target_accuracy = (double)NAN, .command = ""};
  const rh_report_def none = {.target_accuracy = (double)NAN, .command = "", .study = "third"};
  must_refuse(rh_report_write(store, &all, &page), RH_EINVAL, "'edge-vs-hpc', 'another'; name one with --study");
  must_refuse(rh_report_write(store, &none, &page), RH_EINVAL, "no runs of study 'third'");
  must(rh_store_close(store));
  rh_text_clear(&page);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_make_folder, fixture_remove_folder)
  const struct CMUnitTest tests[] = {
      TEST(one_run_is_answered_in_words),
      TEST(another_target_may_be_asked_for),
      TEST(without_a_finished_run_the_page_says_so),
      TEST(without_an_evaluation_timing_alone_is_told),
      TEST(diverged_runs_are_called_so_in_the_results),
      TEST(names_are_text_whatever_they_hold),
      TEST(several_studies_must_be_chosen_from),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
