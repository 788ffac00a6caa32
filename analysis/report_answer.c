/* The answer in plain words: which configuration reached the target first, by how much, how sure that is, and what
 * limited it; setting by setting. See report_private.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "report_private.h"

/* Times that differ by less are called the same: timed steps alone differ by as much between two measurements. */
static const double same = 1.02;

/* What is said of a setting: elements [first, last) of the comparison, the best and the next; -1: none. */
typedef struct place {
  int first, last, best, next;
} place;

static void write_strong(rh_text *out, const char *text)
{
  rh_text_append(out, "<strong>");
  report_escape(out, text);
  rh_text_append(out, "</strong>");
}

static void write_configuration(const report *r, const rh_compared *e, bool strong, rh_text *out)
{
  const rh_run_summary *run = &r->runs.list[e->run[0]];
  rh_text name = {0}, alone = {0};
  report_alone(run, &alone);
  report_name(&name, e->label, rh_text_get(&alone));
  if (strong)
    write_strong(out, rh_text_get(&name));
  else
    report_escape(out, rh_text_get(&name));
  rh_text_clear(&name);
  rh_text_clear(&alone);
}

static void write_setting(const report *r, const rh_compared *e, rh_text *out)
{
  rh_text name = {0};
  report_name(&name, e->setting, r->runs.list[e->run[0]].platform);
  report_escape(out, rh_text_get(&name));
  rh_text_clear(&name);
}

/* "8 runs", "1 run" */
static void write_count(rh_text *out, int count, const char *what)
{
  rh_text_append(out, "%d %s%s", count, what, count == 1 ? "" : "s");
}

static void write_span(rh_text *out, double low, double high, rh_unit unit)
{
  report_quantity(out, low, unit);
  rh_text_append(out, " to ");
  report_quantity(out, high, unit);
}

/* " (95 % interval 31 s to 34 s, 10 seeds)": how sure a median is; nothing for a single run. */
static void write_certainty(const report *r, const rh_interval *x, const double *points, int n, rh_unit unit,
                            rh_text *out)
{
  if (n < 2) return;
  rh_text_append(out, " (");
  if (isnan(x->low)) {
    double least = INFINITY, most = 0;
    for (int i = 0; i < n; i++) {
      least = fmin(least, points[i]);
      most = fmax(most, points[i]);
    }
    write_span(out, least, most, unit);
    rh_text_append(out, " over %d seeds", n);
  } else {
    rh_text_append(out, "%.0f %% interval ", 100 * r->comparison.def.level);
    write_span(out, x->low, x->high, unit);
    rh_text_append(out, ", %d seeds", n);
  }
  rh_text_append(out, ")");
}

/* Simulated seconds of a round, median over the runs of a configuration. */
static double round_seconds(const report *r, const rh_compared *e)
{
  double *x = malloc((size_t)e->runs * sizeof *x);
  RH_ASSERT(x && "memory is exhausted");
  int n = 0;
  for (int i = 0; i < e->runs; i++) {
    const rh_run_summary *run = &r->runs.list[e->run[i]];
    if (run->rounds > 0 && isfinite(run->simulated_s)) x[n++] = run->simulated_s / (double)run->rounds;
  }
  const double median = n ? rh_median(x, n) : NAN;
  free(x);
  return median;
}

/* What configurations are ordered by, smaller first: time to the target, else accuracy, else seconds of a round. */
static double merit(const report *r, const rh_compared *e)
{
  double value = r->evaluated == 0                      ? round_seconds(r, e)
                 : isnan(r->comparison.target_accuracy) ? -e->final_accuracy.estimate
                                                        : e->time_s.estimate;
  return isnan(value) ? INFINITY : value;
}

static place find_place(const report *r, int first)
{
  const rh_compared *list = r->comparison.list;
  place p = {first, first, -1, -1};
  for (; p.last < r->comparison.count && strcmp(list[p.last].setting, list[first].setting) == 0; p.last++) {
    const double m = merit(r, &list[p.last]);
    if (isinf(m)) continue;
    if (p.best < 0 || m < merit(r, &list[p.best])) {
      p.next = p.best;
      p.best = p.last;
    } else if (p.next < 0 || m < merit(r, &list[p.next])) {
      p.next = p.last;
    }
  }
  return p;
}

/* Ratios next / best of the seeds that both have and in which both reached the target. */
static rh_interval paired_ratio(const report *r, const rh_compared *best, const rh_compared *next, int *pairs)
{
  double *x = malloc((size_t)best->runs * sizeof *x);
  RH_ASSERT(x && "memory is exhausted");
  *pairs = 0;
  for (int i = 0; i < best->runs; i++)
    for (int k = 0; k < next->runs; k++)
      if (best->seed[i] == next->seed[k] && isfinite(best->seconds[i]) && isfinite(next->seconds[k]))
        x[(*pairs)++] = next->seconds[k] / best->seconds[i];
  const rh_interval ratio = rh_median_interval(x, *pairs, r->comparison.def.level, 4);
  free(x);
  return ratio;
}

static void write_lead(const report *r, const rh_compared *best, const rh_compared *next, rh_text *out)
{
  int pairs;
  const double ratio = next->time_s.estimate / best->time_s.estimate;
  const rh_interval paired = paired_ratio(r, best, next, &pairs);
  rh_text_append(out,
                 ratio < same ? ", and "
                 : ratio < 2  ? ", %.0f\xc2\xa0%% sooner than "
                              : ", %.1f times as fast as ",
                 ratio < 2 ? 100 * (1 - 1 / ratio) : ratio);
  write_configuration(r, next, false, out);
  rh_text_append(out, ratio < same ? " practically at the same time (" : " (");
  report_quantity(out, next->time_s.estimate, RH_UNIT_SECOND);
  rh_text_append(out, ")");
  if (isnan(paired.low)) return;
  char low[32], high[32];
  snprintf(low, sizeof low, "%.3g", paired.low);
  snprintf(high, sizeof high, "%.3g", paired.high);
  if (paired.low <= 1)
    rh_text_append(out, "; paired by seed, the difference is within what the seeds make");
  else if (strcmp(low, high) == 0)
    rh_text_append(out, "; paired by seed, %s times (both ends of the %.0f %% interval)", low,
                   100 * r->comparison.def.level);
  else
    rh_text_append(out, "; paired by seed, %s to %s times (%.0f %% interval)", low, high,
                   100 * r->comparison.def.level);
}

static void write_unreached(const report *r, const place *p, rh_text *out)
{
  int never = 0, told = 0;
  for (int i = p->first; i < p->last; i++)
    never += r->comparison.list[i].reached == 0;
  if (never == 0 || p->best < 0) return;
  rh_text_append(out, " It was never reached by ");
  for (int i = p->first; i < p->last; i++) {
    if (r->comparison.list[i].reached > 0 || told == 3) continue;
    rh_text_append(out, told == 0 ? "" : told + 1 == never ? " and " : ", ");
    write_configuration(r, &r->comparison.list[i], false, out);
    told++;
  }
  if (never > told) rh_text_append(out, " and %d more", never - told);
  rh_text_append(out, ".");
}

static void write_timed(const report *r, const place *p, rh_text *out)
{
  const rh_compared *list = r->comparison.list;
  const double target = 100 * r->comparison.target_accuracy;
  if (p->best < 0) {
    const int n = p->last - p->first;
    rh_text_append(out,
                   n == 1 ? "The target of %g %% was <strong>not reached</strong>."
                          : "The target of %g %% was <strong>reached by none</strong> of %d configurations.",
                   target, n);
    return;
  }
  const rh_compared *best = &list[p->best];
  write_configuration(r, best, true, out);
  rh_text_append(out, " reached %g %%%s after <strong>", target, p->last - p->first > 1 ? " first," : "");
  report_quantity(out, best->time_s.estimate, RH_UNIT_SECOND);
  rh_text_append(out, "</strong>");
  write_certainty(r, &best->time_s, best->seconds, best->runs, RH_UNIT_SECOND, out);
  if (best->reached < best->runs) rh_text_append(out, ", in %d of its %d runs", best->reached, best->runs);
  if (p->next >= 0) write_lead(r, best, &list[p->next], out);
  rh_text_append(out, ".");
  write_unreached(r, p, out);
}

static void write_untimed(const report *r, const place *p, rh_text *out)
{
  if (p->best < 0) {
    rh_text_append(out, "Nothing was measured that could be compared.");
    return;
  }
  const rh_compared *best = &r->comparison.list[p->best];
  const bool several = p->last - p->first > 1;
  write_configuration(r, best, true, out);
  if (r->evaluated > 0) {
    rh_text_append(out,
                   several ? " was the most accurate at the end: <strong>%.1f %%</strong>"
                           : " ended at an accuracy of <strong>%.1f %%</strong>",
                   100 * best->final_accuracy.estimate);
    if (p->next >= 0)
      rh_text_append(out, ", the next %.1f %%", 100 * r->comparison.list[p->next].final_accuracy.estimate);
  } else {
    const double seconds = round_seconds(r, best);
    rh_text_append(out, several ? " was the fastest: a round takes <strong>" : ": a round takes <strong>");
    report_quantity(out, seconds, RH_UNIT_SECOND);
    rh_text_append(out, "</strong>");
    if (p->next >= 0) {
      const rh_compared *next = &r->comparison.list[p->next];
      rh_text_append(out, ", with ");
      write_configuration(r, next, false, out);
      rh_text_append(out, " %.2f times as long", round_seconds(r, next) / seconds);
    }
  }
  rh_text_append(out, ".");
}

/* What limited the winner, or the run that there is. */
static rh_status write_limit(const report *r, const place *p, rh_text *out)
{
  rh_text sentence = {0};
  const rh_compared *e = &r->comparison.list[p->best < 0 ? p->first : p->best];
  rh_status status = rh_store_bottleneck(r->store, r->runs.list[e->run[0]].id, &sentence);
  if (status == RH_OK && sentence.length) {
    rh_text_append(out, " <span class=\"limit\">");
    report_escape(out, rh_text_get(&sentence));
    rh_text_append(out, "</span>");
  }
  rh_text_clear(&sentence);
  return status;
}

static rh_status write_place(const report *r, const place *p, bool several, rh_text *out)
{
  if (several) {
    rh_text_append(out, "<li><b class=\"where\">");
    write_setting(r, &r->comparison.list[p->first], out);
    rh_text_append(out, "</b> ");
  }
  if (r->evaluated > 0 && !isnan(r->comparison.target_accuracy))
    write_timed(r, p, out);
  else
    write_untimed(r, p, out);
  rh_status status = write_limit(r, p, out);
  if (several) rh_text_append(out, "</li>\n");
  return status;
}

/* Where nothing but the setting differs, settings are what is compared. */
static void write_best_setting(const report *r, int settings, rh_text *out)
{
  const rh_compared *best = &r->comparison.list[0];
  for (int i = 1; i < r->comparison.count; i++)
    if (merit(r, &r->comparison.list[i]) < merit(r, best)) best = &r->comparison.list[i];
  rh_text_append(out, "<strong>");
  write_setting(r, best, out);
  rh_text_append(out, "</strong> comes out first of %d settings.", settings);
}

/* One sentence over all settings. */
static void write_verdict(const report *r, int settings, rh_text *out)
{
  const rh_compared *list = r->comparison.list;
  const char *winner = NULL;
  bool all = true, none = true;
  for (int first = 0; first < r->comparison.count;) {
    const place p = find_place(r, first);
    if (p.best >= 0) none = false;
    if (p.best < 0 || (winner && strcmp(winner, list[p.best].label) != 0)) all = false;
    if (p.best >= 0) winner = list[p.best].label;
    first = p.last;
  }
  if (none) {
    rh_text_append(out, "The target was reached in none of the %d settings.", settings);
  } else if (all && winner && *winner == '\0') {
    write_best_setting(r, settings, out);
  } else if (all) {
    rh_text name = {0};
    report_name(&name, winner, "");
    write_strong(out, rh_text_get(&name));
    rh_text_append(out, settings == 2 ? " comes out first in both settings." : " comes out first in all %d settings.",
                   settings);
    rh_text_clear(&name);
  } else {
    rh_text_append(out, "<strong>It depends on where it runs:</strong> the winner differs between the %d settings.",
                   settings);
  }
}

/* What a reader must know before believing it. */
static void write_caution(const report *r, rh_text *out)
{
  int most = 0, diverged = 0;
  for (int i = 0; i < r->comparison.count; i++)
    most = r->comparison.list[i].runs > most ? r->comparison.list[i].runs : most;
  for (int32_t i = 0; i < r->runs.count; i++)
    diverged += rh_run_diverged(&r->runs.list[i]);
  rh_text_append(out, "<p class=\"note\">");
  if (r->evaluated == 0)
    rh_text_append(out, "Timing alone: no accuracy was evaluated, so nothing here says what is learned. ");
  else if (isnan(r->comparison.target_accuracy))
    rh_text_append(out, "The runs have no common target accuracy (stop.accuracy, or --target-accuracy). ");
  if (most == 1 && r->evaluated > 0 && r->done > 1)
    rh_text_append(out, "Each configuration ran with one seed: how much of a difference is chance cannot be said. ");
  else if (most > 1 && most < RH_BOOTSTRAP_LEAST)
    rh_text_append(out, "Below %d seeds there is no interval: what is given is the least and the most. ",
                   RH_BOOTSTRAP_LEAST);
  if (diverged) {
    write_count(out, diverged, "run");
    rh_text_append(out, " diverged: the training loss was no longer finite. ");
  }
  if (r->done < r->runs.count) {
    write_count(out, r->runs.count - r->done, "run");
    rh_text_append(out, " of %d %s not done, and counted nowhere in this answer. ", (int)r->runs.count,
                   r->runs.count - r->done == 1 ? "is" : "are");
  }
  if (r->left_out) {
    write_count(out, r->left_out, "run");
    rh_text_append(out, " of timing alone %s not on this page; name such runs to see them. ",
                   r->left_out == 1 ? "is" : "are");
  }
  rh_text_append(out, "Seconds are simulated.</p>\n");
}

/* Runs that are under way, or were killed, have files of their own. */
static void write_elsewhere(const report *r, rh_text *out)
{
  rh_text folder = {0};
  struct stat found;
  rh_text_append(&folder, "%s.runs", r->store->path);
  if (stat(rh_text_get(&folder), &found) == 0 && S_ISDIR(found.st_mode)) {
    rh_text_append(out, "<p class=\"note\">Runs that are under way, or were killed, are in the files of <code>");
    report_escape(out, rh_text_get(&folder));
    rh_text_append(out, "</code>, each a database.</p>\n");
  }
  rh_text_clear(&folder);
}

static void write_nothing(const report *r, rh_text *out)
{
  if (r->runs.count == 0) {
    rh_text_append(out, "<p class=\"answer\">There is no run in this database yet.</p>\n");
    write_elsewhere(r, out);
    return;
  }
  const bool one = r->runs.count == 1;
  rh_text_append(out, "<p class=\"answer\"><strong>No answer yet:</strong> ");
  rh_text_append(out, one ? "the run is not done." : "none of the %d runs is done.", (int)r->runs.count);
  rh_text_append(out, "</p>\n<p class=\"note\">What %s recorded so far is shown below.</p>\n",
                 one ? "it has" : "they have");
}

rh_status report_write_answer(report *r, rh_text *out)
{
  rh_status status = RH_OK;
  int settings = 0;
  if (r->comparison.count == 0) {
    write_nothing(r, out);
    return RH_OK;
  }
  for (int first = 0; first < r->comparison.count; settings++)
    first = find_place(r, first).last;
  rh_text_append(out, "<p class=\"answer\">");
  if (settings > 1) {
    write_verdict(r, settings, out);
    rh_text_append(out, "</p>\n<ul class=\"answers\">\n");
  }
  for (int first = 0; first < r->comparison.count;) {
    const place p = find_place(r, first);
    RH_TRY(write_place(r, &p, settings > 1, out));
    first = p.last;
  }
  rh_text_append(out, settings > 1 ? "</ul>\n" : "</p>\n");
  write_caution(r, out);
done:
  return status;
}
