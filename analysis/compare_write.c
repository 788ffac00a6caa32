/* Comparisons as text, JSON and CSV. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compare.h"
#include "grid.h"
#include "unit.h"

enum { CELL = 96, WIDTH = 160 };

static void add_title(rh_grid *grid, const char *title)
{
  rh_grid_add_column(grid, title, RH_GRID_RIGHT);
}

/* "12.3 ms", or "not reached". */
static const char *format_quantity(double value, rh_unit unit, char *buffer, size_t size)
{
  if (isfinite(value)) return rh_unit_format(value, unit, buffer, size);
  snprintf(buffer, size, "%s", isnan(value) ? "-" : "not reached");
  return buffer;
}

/* "12.3 ms [11 ms, 14 ms]"; without an interval the points themselves, by seed. */
static void add_quantity(rh_grid *grid, const rh_interval *x, const double *points, int n, rh_unit unit)
{
  char a[32], b[32], c[32];
  rh_text cell = {0};
  rh_text_append(&cell, "%s", format_quantity(x->estimate, unit, a, sizeof a));
  if (!isnan(x->low))
    rh_text_append(&cell, " [%s, %s]", format_quantity(x->low, unit, b, sizeof b),
                   format_quantity(x->high, unit, c, sizeof c));
  bool some = false; /* else "not reached" says it all */
  for (int i = 0; i < n && n > 1; i++)
    some = some || isfinite(points[i]);
  for (int i = 0; isnan(x->low) && some && i < n; i++)
    rh_text_append(&cell, "%s%s%s", i ? ", " : " (", format_quantity(points[i], unit, b, sizeof b),
                   i + 1 == n ? ")" : "");
  rh_grid_add_cell(grid, rh_text_get(&cell));
  rh_text_clear(&cell);
}

static void add_text(rh_grid *grid, const char *format, double a, double b, double c)
{
  char cell[CELL];
  snprintf(cell, sizeof cell, format, a, b, c);
  rh_grid_add_cell(grid, cell);
}

/* Percent, with two decimals: a point of accuracy is the margin that people ask for. */
static void add_percent(rh_grid *grid, const rh_interval *x, const char *sign)
{
  char format[64];
  if (isnan(x->estimate)) {
    rh_grid_add_cell(grid, "-");
    return;
  }
  if (isnan(x->low))
    snprintf(format, sizeof format, "%%%s.2f", sign);
  else
    snprintf(format, sizeof format, "%%%s.2f [%%%s.2f, %%%s.2f]", sign, sign, sign);
  add_text(grid, format, 100 * x->estimate, 100 * x->low, 100 * x->high);
}

/* Whether there are times: to a target, or of all rounds. */
static bool is_timed(const rh_comparison *c)
{
  return c->timing_only || !isnan(c->target_accuracy);
}

static bool any_diverged(const rh_comparison *c)
{
  for (int i = 0; i < c->count; i++)
    if (c->list[i].diverged > 0) return true;
  return false;
}

static void write_what_each_did(const rh_comparison *c, int first, int last, rh_text *out)
{
  const bool timed = is_timed(c);
  rh_grid grid = {0};
  rh_grid_add_column(&grid, "configuration", RH_GRID_LEFT | RH_GRID_SHRINK);
  add_title(&grid, "runs");
  if (!isnan(c->target_accuracy)) add_title(&grid, "reached");
  if (timed) {
    add_title(&grid, c->timing_only ? "time of all rounds, median" : "time to target, median");
    add_title(&grid, "bytes a worker, median");
  }
  const bool diverged = any_diverged(c);
  if (diverged) add_title(&grid, "diverged");
  add_title(&grid, "accuracy at the end, mean, %");
  for (int i = first; i < last; i++) {
    const rh_compared *e = &c->list[i];
    rh_grid_add_cell(&grid, e->label[0] ? e->label : "all");
    add_text(&grid, "%.0f", e->runs, 0, 0);
    if (!isnan(c->target_accuracy)) add_text(&grid, "%.0f of %.0f", e->reached, e->runs, 0);
    if (timed) {
      add_quantity(&grid, &e->time_s, e->seconds, e->runs, RH_UNIT_SECOND);
      add_quantity(&grid, &e->wire_bytes, e->bytes, e->runs, RH_UNIT_BYTE);
    }
    if (diverged) add_text(&grid, "%.0f of %.0f", e->diverged, e->runs, 0);
    if (c->timing_only)
      rh_grid_add_cell(&grid, "timing only");
    else
      add_percent(&grid, &e->final_accuracy, "");
  }
  rh_grid_write(&grid, 2, WIDTH, out);
  rh_grid_clear(&grid);
}

/* "p 0.03", "p < 0.001". */
static void add_p(rh_grid *grid, double p)
{
  if (isnan(p))
    rh_grid_add_cell(grid, "-");
  else
    add_text(grid, p < 0.001 ? "< 0.001" : "%.3f", p, 0, 0);
}

static void write_differences(const rh_comparison *c, int first, int last, const rh_compared *base, rh_text *out)
{
  const bool timed = is_timed(c);
  char margin[CELL];
  rh_grid grid = {0};
  rh_text_append(out, "\n  against ");
  rh_text_append_visible(out, base->label);
  rh_text_append(out, ", paired by seed:\n");
  rh_grid_add_column(&grid, "configuration", RH_GRID_LEFT | RH_GRID_SHRINK);
  add_title(&grid, "pairs");
  if (timed) {
    add_title(&grid, "time ratio, median");
    add_title(&grid, "p");
  }
  add_title(&grid, "accuracy difference, points");
  add_title(&grid, "p");
  snprintf(margin, sizeof margin, "within %g points", 100 * c->def.margin);
  add_title(&grid, margin);
  for (int i = first; i < last; i++) {
    const rh_compared *e = &c->list[i];
    if (e->baseline) continue;
    rh_grid_add_cell(&grid, e->label);
    add_text(&grid, "%.0f", e->pairs, 0, 0);
    if (timed) {
      const rh_interval *r = &e->time_ratio;
      if (isnan(r->estimate))
        rh_grid_add_cell(&grid, "-");
      else
        add_text(&grid, isnan(r->low) ? "%.3f" : "%.3f [%.3f, %.3f]", r->estimate, r->low, r->high);
      add_p(&grid, e->time_p);
    }
    add_percent(&grid, &e->accuracy_difference, "+");
    add_p(&grid, e->accuracy_p);
    if (isnan(e->equivalence_p))
      rh_grid_add_cell(&grid, "-");
    else
      add_text(&grid, e->equivalence_p < 1 - c->def.level ? "yes (p %.3f)" : "not shown (p %.3f)", e->equivalence_p, 0,
               0);
  }
  rh_grid_write(&grid, 2, WIDTH, out);
  rh_grid_clear(&grid);
}

static void write_legend(const rh_comparison *c, rh_text *out)
{
  const double level = 100 * c->def.level;
  rh_text_append(out, "\n");
  if (c->timing_only) {
    rh_text_append(out,
                   "  Timing only (run.compute: none): nothing was trained; times and bytes are those of all rounds.\n"
                   "  Medians with %g %% bootstrap intervals from %d runs on (fewer: the points). p: sign test, "
                   "Holm-corrected in each setting.\n",
                   level, RH_BOOTSTRAP_LEAST);
    return;
  }
  if (!isnan(c->target_accuracy))
    rh_text_append(
        out,
        "  Times and bytes are those to %g %% test accuracy of the mean model; a run that never had it counts "
        "as later than all.\n"
        "  Medians with %g %% bootstrap intervals from %d runs on (fewer: the points). Time ratios are of pairs "
        "that both reached it; p: sign test on all.\n",
        100 * c->target_accuracy, level, RH_BOOTSTRAP_LEAST);
  rh_text_append(out,
                 "  Accuracies: means and paired differences with Student's %g %% interval; 'within': two one-sided t "
                 "tests. p are Holm-corrected in each setting.\n",
                 level);
  if (any_diverged(c))
    rh_text_append(out, "  Diverged: runs whose training loss was no longer finite; what they had last counts as their "
                        "accuracy.\n");
}

void rh_comparison_write(const rh_comparison *c, rh_text *out)
{
  for (int first = 0, last; first < c->count; first = last) {
    const rh_compared *base = NULL;
    for (last = first; last < c->count && strcmp(c->list[last].setting, c->list[first].setting) == 0; last++)
      if (c->list[last].baseline) base = &c->list[last];
    if (c->list[first].setting[0]) {
      rh_text_append(out, "%s", first ? "\n" : "");
      rh_text_append_visible(out, c->list[first].setting);
      rh_text_append(out, "\n");
    }
    write_what_each_did(c, first, last, out);
    if (base && last - first > 1) write_differences(c, first, last, base, out);
  }
  write_legend(c, out);
}

static void write_interval_json(const char *name, const rh_interval *x, rh_text *out)
{
  const double values[] = {x->estimate, x->low, x->high};
  rh_text_append(out, ", \"%s\": [", name);
  for (int i = 0; i < 3; i++) {
    rh_text_append(out, "%s", i ? ", " : "");
    rh_text_append_json_number(out, values[i]);
  }
  rh_text_append(out, "]");
}

static void write_number_json(const char *name, double value, rh_text *out)
{
  rh_text_append(out, ", \"%s\": ", name);
  rh_text_append_json_number(out, value);
}

void rh_comparison_write_json(const rh_comparison *c, rh_text *out)
{
  rh_text_append(out, "{\"target_accuracy\": ");
  rh_text_append_json_number(out, c->target_accuracy);
  rh_text_append(out, ", \"timing_only\": %s", c->timing_only ? "true" : "false");
  write_number_json("margin", c->def.margin, out);
  write_number_json("level", c->def.level, out);
  rh_text_append(out, ", \"configurations\": [");
  for (int i = 0; i < c->count; i++) {
    const rh_compared *e = &c->list[i];
    rh_text_append(out, "%s{\"setting\": ", i ? ",\n " : "\n ");
    rh_text_append_json(out, e->setting);
    rh_text_append(out, ", \"configuration\": ");
    rh_text_append_json(out, e->label);
    rh_text_append(out,
                   ", \"baseline\": %s, \"runs\": %d, \"reached\": %d, \"diverged\": %d, "
                   "\"pairs\": %d",
                   e->baseline ? "true" : "false", e->runs, e->reached, e->diverged, e->pairs);
    write_interval_json("time_s", &e->time_s, out);
    write_interval_json("bytes_per_worker", &e->wire_bytes, out);
    write_interval_json("accuracy", &e->final_accuracy, out);
    write_interval_json("time_ratio", &e->time_ratio, out);
    write_number_json("time_p", e->time_p, out);
    write_interval_json("accuracy_difference", &e->accuracy_difference, out);
    write_number_json("accuracy_p", e->accuracy_p, out);
    write_number_json("equivalence_p", e->equivalence_p, out);
    rh_text_append(out, "}");
  }
  rh_text_append(out, "]}\n");
}

/* A CSV field in quotes, its own doubled (RFC 4180). */
static void write_field(const char *text, rh_text *out)
{
  rh_text_append(out, "\"");
  for (; *text; text++)
    rh_text_append(out, *text == '"' ? "\"\"" : "%c", *text);
  rh_text_append(out, "\"");
}

/* Empty where there is no number; "inf" for "not reached". */
static void write_number(double value, rh_text *out)
{
  if (isnan(value))
    rh_text_append(out, ",");
  else
    rh_text_append(out, ",%.9g", value);
}

static void write_interval(const rh_interval *x, rh_text *out)
{
  write_number(x->estimate, out);
  write_number(x->low, out);
  write_number(x->high, out);
}

void rh_comparison_write_csv(const rh_comparison *c, rh_text *out)
{
  rh_text_append(out, "setting,configuration,baseline,runs,reached,diverged,pairs,time_s,time_low_s,time_high_s,"
                      "bytes_per_worker,bytes_per_worker_low,bytes_per_worker_high,accuracy,accuracy_low,accuracy_high,"
                      "time_ratio,time_ratio_low,time_ratio_high,time_p,accuracy_difference,accuracy_difference_low,"
                      "accuracy_difference_high,accuracy_p,equivalence_p\n");
  for (int i = 0; i < c->count; i++) {
    const rh_compared *e = &c->list[i];
    write_field(e->setting, out);
    rh_text_append(out, ",");
    write_field(e->label, out);
    rh_text_append(out, ",%d,%d,%d,%d,%d", e->baseline, e->runs, e->reached, e->diverged, e->pairs);
    write_interval(&e->time_s, out);
    write_interval(&e->wire_bytes, out);
    write_interval(&e->final_accuracy, out);
    write_interval(&e->time_ratio, out);
    write_number(e->time_p, out);
    write_interval(&e->accuracy_difference, out);
    write_number(e->accuracy_p, out);
    write_number(e->equivalence_p, out);
    rh_text_append(out, "\n");
  }
}
