/* The results: as a table that needs no script, and as data for the page's pictures. See report_private.h. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report_private.h"

static void write_cell(rh_text *out, const rh_interval *x, rh_unit unit, double scale)
{
  rh_interval y = {x->estimate * scale, x->low * scale, x->high * scale};
  rh_text_append(out, "<td>");
  report_quantity(out, y.estimate, unit);
  if (!isnan(y.low)) {
    rh_text_append(out, " <small>");
    report_quantity(out, y.low, unit);
    rh_text_append(out, " to ");
    report_quantity(out, y.high, unit);
    rh_text_append(out, "</small>");
  }
  rh_text_append(out, "</td>");
}

static void write_name(const char *label, const char *none, rh_text *out)
{
  rh_text name = {0};
  report_name(&name, label, none);
  rh_text_append(out, "<th scope=\"row\">");
  report_escape(out, rh_text_get(&name));
  rh_text_append(out, "</th>");
  rh_text_clear(&name);
}

static void write_accuracy(const rh_compared *e, rh_text *out)
{
  if (e->diverged == e->runs)
    rh_text_append(out, "<td>diverged</td>");
  else if (isnan(e->final_accuracy.estimate))
    rh_text_append(out, "<td>\xe2\x80\x93</td>");
  else if (e->diverged > 0)
    rh_text_append(out, "<td>%.1f %%, %d diverged</td>", 100 * e->final_accuracy.estimate, e->diverged);
  else
    rh_text_append(out, "<td>%.1f %%</td>", 100 * e->final_accuracy.estimate);
}

static double rounds_of(const rh_run_summary *run)
{
  return (double)run->rounds;
}

static double seconds_of(const rh_run_summary *run)
{
  return run->simulated_s;
}

/* Median of a field over the runs of a configuration. */
static double median_of(const report *r, const rh_compared *e, double (*field)(const rh_run_summary *run))
{
  double *x = malloc((size_t)e->runs * sizeof *x);
  RH_ASSERT(x && "memory is exhausted");
  for (int i = 0; i < e->runs; i++)
    x[i] = field(&r->runs.list[e->run[i]]);
  const double median = rh_median(x, e->runs);
  free(x);
  return median;
}

/* Least time to the target of a setting; INFINITY: nobody reached it. */
static double best_time(const rh_comparison *c, const char *setting)
{
  double best = INFINITY;
  for (int i = 0; i < c->count; i++)
    if (strcmp(c->list[i].setting, setting) == 0) best = fmin(best, c->list[i].time_s.estimate);
  return best;
}

static void write_row(const report *r, int i, bool settings, rh_text *out)
{
  const rh_comparison *c = &r->comparison;
  const rh_compared *e = &c->list[i];
  const rh_run_summary *run = &r->runs.list[e->run[0]];
  const bool timed = r->evaluated > 0 && !isnan(c->target_accuracy);
  const bool first = timed && isfinite(e->time_s.estimate) && e->time_s.estimate == best_time(c, e->setting);
  const bool opens = settings && (i == 0 || strcmp(c->list[i - 1].setting, e->setting) != 0);
  rh_text_append(out, "<tr%s%s%s>", first || opens ? " class=\"" : "",
                 first   ? opens ? "first opens" : "first"
                 : opens ? "opens"
                         : "",
                 first || opens ? "\"" : "");
  if (settings) write_name(e->setting, run->platform, out);
  rh_text alone = {0};
  report_alone(run, &alone);
  write_name(e->label, rh_text_get(&alone), out);
  rh_text_clear(&alone);
  rh_text_append(out, "<td>%d</td>", e->runs);
  if (timed) {
    rh_text_append(out, "<td>%d of %d</td>", e->reached, e->runs);
    write_cell(out, &e->time_s, RH_UNIT_SECOND, 1);
    write_cell(out, &e->wire_bytes, RH_UNIT_BYTE, 1);
  }
  rh_text_append(out, "<td>%.4g</td><td>", median_of(r, e, rounds_of));
  report_quantity(out, median_of(r, e, seconds_of), RH_UNIT_SECOND);
  rh_text_append(out, "</td>");
  if (r->evaluated > 0) write_accuracy(e, out);
  rh_text_append(out, "<td>%s</td></tr>\n", r->limits[i] ? r->limits[i] : "\xe2\x80\x93");
}

static bool has_settings(const report *r)
{
  for (int i = 1; i < r->comparison.count; i++)
    if (strcmp(r->comparison.list[i].setting, r->comparison.list[0].setting) != 0) return true;
  return false;
}

static void write_unfinished(const report *r, rh_text *out)
{
  if (r->done == r->runs.count) return;
  rh_text_append(out, "<h3>Not done</h3>\n<ul class=\"plain\">\n");
  for (int32_t i = 0; i < r->runs.count; i++) {
    const rh_run_summary *run = &r->runs.list[i];
    if (strcmp(run->status, "done") == 0) continue;
    rh_text_append(out, "<li><code>%.8s</code> ", run->id);
    report_escape(out, run->platform);
    rh_text_append(out, ", ");
    report_escape(out, run->method);
    rh_text_append(out, ", ");
    report_escape(out, run->compressor);
    rh_text_append(out, ", seed %" PRId64 ": %s after %" PRId64 " rounds", run->seed, run->status, run->rounds);
    if (run->reason[0]) rh_text_append(out, ": ");
    report_escape(out, run->reason);
    rh_text_append(out, "</li>\n");
  }
  rh_text_append(out, "</ul>\n");
}

void report_write_table(const report *r, rh_text *out)
{
  const bool settings = has_settings(r), timed = r->evaluated > 0 && !isnan(r->comparison.target_accuracy);
  if (r->runs.count == 0) return;
  rh_text_append(out, "<section id=\"results\">\n<h2>Results</h2>\n");
  if (r->comparison.count > 0) {
    rh_text_append(out,
                   "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Results\"><table>\n"
                   "<caption>Medians over the runs of a configuration%s.</caption>\n<thead><tr>",
                   timed ? ", 95 % intervals from six runs on; bytes are those that a worker sent until then" : "");
    if (settings) rh_text_append(out, "<th scope=\"col\" class=\"words\">where</th>");
    rh_text_append(out, "<th scope=\"col\" class=\"words\">configuration</th><th scope=\"col\">runs</th>");
    if (timed)
      rh_text_append(out,
                     "<th scope=\"col\">reached</th><th scope=\"col\">time to %g %%</th><th scope=\"col\">bytes a "
                     "worker</th>",
                     100 * r->comparison.target_accuracy);
    rh_text_append(out,
                   "<th scope=\"col\">rounds</th><th scope=\"col\">total time</th>%s"
                   "<th scope=\"col\">limited by</th></tr></thead>\n<tbody>\n",
                   r->evaluated > 0 ? "<th scope=\"col\">accuracy</th>" : "");
    for (int i = 0; i < r->comparison.count; i++)
      write_row(r, i, settings, out);
    rh_text_append(out, "</tbody></table></div>\n");
  }
  write_unfinished(r, out);
  rh_text_append(out, "</section>\n");
}

/* --- as data ------------------------------------------------------------------------------------------------------ */

static void write_interval(rh_text *out, const char *name, const rh_interval *x)
{
  rh_text_append(out, ", \"%s\": [", name);
  report_number(out, x->estimate, 7);
  rh_text_append(out, ", ");
  report_number(out, x->low, 7);
  rh_text_append(out, ", ");
  report_number(out, x->high, 7);
  rh_text_append(out, "]");
}

static void write_points(rh_text *out, const char *name, const double *x, int n)
{
  rh_text_append(out, ", \"%s\": [", name);
  for (int i = 0; i < n; i++) {
    rh_text_append(out, i ? ", " : "");
    report_number(out, x[i], 7);
  }
  rh_text_append(out, "]");
}

static void write_text(rh_text *out, const char *name, const char *label, const char *none)
{
  rh_text text = {0};
  report_name(&text, label, none);
  rh_text_append(out, ", \"%s\": ", name);
  rh_text_append_json(out, rh_text_get(&text));
  rh_text_clear(&text);
}

void report_write_comparison(const report *r, rh_text *out)
{
  const rh_comparison *c = &r->comparison;
  rh_text_append(out, ",\n\"target\": ");
  report_number(out, c->count ? c->target_accuracy : NAN, 7);
  rh_text_append(out, ",\n\"configurations\": [");
  for (int i = 0; i < c->count; i++) {
    const rh_compared *e = &c->list[i];
    const rh_run_summary *run = &r->runs.list[e->run[0]];
    rh_text_append(out, "%s\n{\"reached\": %d", i ? "," : "", e->reached);
    write_text(out, "setting", e->setting, run->platform);
    rh_text alone = {0};
    report_alone(run, &alone);
    write_text(out, "label", e->label, rh_text_get(&alone));
    rh_text_clear(&alone);
    rh_text_append(out, ", \"settingKeys\": ");
    rh_text_append_json(out, e->setting);
    write_interval(out, "time", &e->time_s);
    write_interval(out, "bytes", &e->wire_bytes);
    write_interval(out, "accuracy", &e->final_accuracy);
    write_points(out, "times", e->seconds, e->runs);
    write_points(out, "sizes", e->bytes, e->runs);
    rh_text_append(out, ", \"runs\": [");
    for (int k = 0; k < e->runs; k++)
      rh_text_append(out, "%s%d", k ? ", " : "", (int)e->run[k]);
    rh_text_append(out, "]}");
  }
  rh_text_append(out, "]");
}
