/* The report page: which runs, and the page's frame. See report.h. */
#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report_private.h"

/* --- which runs --------------------------------------------------------------------------------------------------- */

static bool is_in(const rh_run_list *runs, const char *id)
{
  for (int32_t i = 0; i < runs->count; i++)
    if (strcmp(runs->list[i].id, id) == 0) return true;
  return false;
}

static rh_status choose_named(report *r)
{
  rh_status status = RH_OK;
  char *id = NULL;
  for (int i = 0; i < r->def->run_count; i++) {
    RH_TRY(rh_store_find_run(r->store, r->def->runs[i], &id));
    if (!is_in(&r->runs, id)) RH_TRY(rh_store_list(r->store, r->def->study, id, &r->runs));
    if (!is_in(&r->runs, id)) {
      status = rh_error(RH_EINVAL, "run %s is not of study '%s'", id, r->def->study);
      goto done;
    }
    free(id);
    id = NULL;
  }
done:
  free(id);
  return status;
}

/* One study at a time: a page has one question. */
static rh_status check_one_study(const report *r)
{
  rh_text names = {0};
  rh_status status = RH_OK;
  for (int32_t i = 0; i < r->runs.count; i++) {
    bool known = false;
    for (int32_t k = 0; k < i && !known; k++)
      known = strcmp(r->runs.list[k].study, r->runs.list[i].study) == 0;
    if (!known) rh_text_append(&names, "%s'%s'", names.length ? ", " : "", r->runs.list[i].study);
    if (i > 0 && strcmp(r->runs.list[0].study, r->runs.list[i].study) != 0) status = RH_EINVAL;
  }
  if (status != RH_OK)
    status = rh_error(RH_EINVAL, "%s holds several studies: %s; name one with --study NAME, or the runs",
                      r->store->path, rh_text_get(&names));
  rh_text_clear(&names);
  return status;
}

static rh_status choose_runs(report *r)
{
  rh_status status = RH_OK;
  if (r->def->run_count > 0) return choose_named(r);
  RH_TRY(rh_store_list(r->store, r->def->study, NULL, &r->runs));
  if (r->runs.count == 0 && r->def->study)
    status = rh_error(RH_EINVAL, "%s: there are no runs of study '%s'", r->store->path, r->def->study);
  else if (!r->def->study)
    status = check_one_study(r);
done:
  return status;
}

static rh_status read_study(report *r)
{
  static const char sql[] = "SELECT question FROM studies WHERE study = ?";
  rh_binder b = {0};
  bool row;
  rh_status status;
  r->study = rh_text_duplicate(r->runs.count ? r->runs.list[0].study : "");
  r->question = rh_text_duplicate("");
  RH_TRY(rh_store_prepare(r->store, sql, &b.statement));
  rh_bind_text(&b, r->study);
  RH_TRY(rh_store_next(r->store, b.statement, &row));
  if (row) {
    free(r->question);
    r->question = rh_column_text(b.statement, 0);
  }
  sqlite3_reset(b.statement);
done:
  return status;
}

/* Beside trained runs those of timing alone have nothing to be compared by. */
static void leave_timing_out(report *r)
{
  int32_t count = 0;
  for (int32_t i = 0; i < r->runs.count; i++)
    count += r->runs.list[i].timing_only;
  if (count < r->runs.count) r->left_out = rh_run_list_drop_timing_only(&r->runs);
}

static rh_status read_all(report *r)
{
  rh_status status;
  RH_TRY(choose_runs(r));
  RH_TRY(read_study(r));
  leave_timing_out(r);
  rh_varied_find(&r->runs, &r->varied);
  for (int32_t i = 0; i < r->runs.count; i++) {
    r->done += strcmp(r->runs.list[i].status, "done") == 0;
    r->evaluated += !isnan(r->runs.list[i].accuracy);
  }
  const rh_compare_def def = {.target_accuracy = r->def->target_accuracy, .margin = 0.01, .level = 0.95};
  if (r->done > 0) RH_TRY(rh_compare_runs(r->store, &r->runs, &def, &r->comparison));
  r->limits = calloc((size_t)r->comparison.count + 1, sizeof *r->limits);
  RH_ASSERT(r->limits && "memory is exhausted");
  for (int i = 0; i < r->comparison.count; i++)
    RH_TRY(rh_store_bottleneck_name(r->store, r->runs.list[r->comparison.list[i].run[0]].id, &r->limits[i]));
done:
  return status;
}

/* --- the page ----------------------------------------------------------------------------------------------------- */

static void write_head(const report *r, rh_text *out)
{
  rh_text_append(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                      "script-src 'unsafe-inline'; style-src 'unsafe-inline'\">\n"
                      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>");
  report_escape(out, r->question[0] ? r->question : r->study[0] ? r->study : "Rehearse");
  rh_text_append(out, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n", rh_report_style);
}

enum { TITLE_BYTES = 120 }; /* longer names are said below it */

/* Without a question: "allreduce, topk, 64 workers on fat-tree-64", or how many runs there are. */
static void write_title(const report *r, rh_text *out)
{
  if (r->runs.count != 1) {
    rh_text_append(out, r->runs.count ? "%d runs" : "No run", (int)r->runs.count);
    return;
  }
  const rh_run_summary *run = &r->runs.list[0];
  rh_text title = {0}; /* what no other run has to be told from */
  report_alone(run, &title);
  rh_text_append(&title, ", %d worker%s on %s", (int)run->workers, run->workers == 1 ? "" : "s", run->platform);
  report_escape(out, title.length <= TITLE_BYTES ? rh_text_get(&title) : "One run");
  rh_text_clear(&title);
}

static rh_status write_opening(report *r, rh_text *out)
{
  rh_text_append(out, "<header>\n<p class=\"kicker\">Rehearsal");
  if (r->study[0]) rh_text_append(out, " <span aria-hidden=\"true\">\xc2\xb7</span> ");
  report_escape(out, r->study);
  rh_text_append(out, "</p>\n<h1>");
  if (r->question[0])
    report_escape(out, r->question);
  else
    write_title(r, out);
  rh_text_append(out, "</h1>\n");
  rh_status status = report_write_answer(r, out);
  rh_text_append(out, "</header>\n");
  if (status == RH_OK) report_write_table(r, out);
  return status;
}

static rh_status write_data(report *r, rh_text *out)
{
  rh_status status;
  const size_t start = out->length;
  rh_text_append(out, "{\"study\": ");
  rh_text_append_json(out, r->study);
  rh_text_append(out, ", \"command\": ");
  rh_text_append_json(out, r->def->command);
  rh_text_append(out, ",\n\"varied\": [");
  for (int k = 0; k < r->varied.count; k++) {
    rh_text_append(out, k ? ", " : "");
    rh_text_append_json(out, r->varied.keys[k]);
  }
  rh_text_append(out, "]");
  report_write_comparison(r, out);
  RH_TRY(report_write_runs(r, out));
  RH_TRY(report_write_inside(r, out));
  rh_text_append(out, "}");
done:
  report_make_safe(out, start);
  return status;
}

/* A script's text as it is: %s would end at a length that printf can count. */
static void append_all(rh_text *out, const char *text)
{
  rh_text_append_bytes(out, text, strlen(text));
}

static void report_clear(report *r)
{
  rh_comparison_clear(&r->comparison);
  rh_varied_clear(&r->varied);
  rh_run_list_clear(&r->runs);
  free(r->limits);
  free(r->study);
  free(r->question);
}

rh_status rh_report_write(rh_store *store, const rh_report_def *def, rh_text *out)
{
  report r = {.store = store, .def = def};
  rh_status status;
  RH_TRY(read_all(&r));
  write_head(&r, out);
  RH_TRY(write_opening(&r, out));
  rh_text_append(out, "<noscript><p class=\"note\">The pictures are drawn by the page's own script, which this viewer "
                      "does not run.</p></noscript>\n<div id=\"body\"></div>\n</main>\n"
                      "<script type=\"application/json\" id=\"data\">");
  RH_TRY(write_data(&r, out));
  rh_text_append(out, "</script>\n<script>");
  append_all(out, rh_report_charts);
  rh_text_append(out, "</script>\n<script>");
  append_all(out, rh_report_script);
  rh_text_append(out, "</script>\n</body>\n</html>\n");
done:
  report_clear(&r);
  return status;
}
