/* Scaling as text, JSON and CSV. See scaling.h. */
#include <math.h>
#include <stdio.h>

#include "grid.h"
#include "scaling.h"
#include "unit.h"

enum { WIDTH = 140 };

static const char *const kinds[] = {[RH_SCALING_WEAK] = "weak", [RH_SCALING_STRONG] = "strong"};

static void add(rh_grid *grid, const char *format, double value)
{
  char cell[48];
  snprintf(cell, sizeof cell, format, value);
  rh_grid_add_cell(grid, isnan(value) ? NULL : cell);
}

/* "1.2e+04"; with an interval, or the range over runs: "1.2e+04 (1.1e+04 .. 1.3e+04)". */
static void add_rate(rh_grid *grid, const rh_scaling_point *p)
{
  char cell[96];
  if (!isnan(p->rate.low))
    snprintf(cell, sizeof cell, "%.4g [%.4g, %.4g]", p->rate.estimate, p->rate.low, p->rate.high);
  else if (p->runs > 1)
    snprintf(cell, sizeof cell, "%.4g (%.4g .. %.4g)", p->rate.estimate, p->least, p->most);
  else
    snprintf(cell, sizeof cell, "%.4g", p->rate.estimate);
  rh_grid_add_cell(grid, cell);
}

static void add_target(rh_grid *grid, const rh_scaling_point *p)
{
  char cell[64], time[32];
  if (isnan(p->time_to_target_s)) {
    rh_grid_add_cell(grid, NULL);
    return;
  }
  snprintf(cell, sizeof cell, "%s, %d of %d",
           isinf(p->time_to_target_s) ? "not reached"
                                      : rh_unit_format(p->time_to_target_s, RH_UNIT_SECOND, time, sizeof time),
           p->reached, p->runs);
  rh_grid_add_cell(grid, cell);
}

static void write_points(const rh_scaling_series *s, rh_text *out)
{
  static const char *const titles[] = {"workers",      "batch|a worker",
                                       "runs",         "round",
                                       "samples/s",    "speed-up",
                                       "efficiency",   "fit, off by",
                                       "compute",      "exposed|communication",
                                       "waiting|only", "time to target,|reached"};
  rh_grid grid = {0};
  char buffer[32];
  for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
    rh_grid_add_column(&grid, titles[i], RH_GRID_RIGHT);
  for (int i = 0; i < s->count; i++) {
    const rh_scaling_point *p = &s->points[i];
    add(&grid, "%.0f", p->workers);
    add(&grid, "%.0f", (double)p->batch);
    add(&grid, "%.0f", p->runs);
    rh_grid_add_cell(&grid, rh_unit_format(p->round_s, RH_UNIT_SECOND, buffer, sizeof buffer));
    add_rate(&grid, p);
    add(&grid, "%.3g", p->speed_up);
    add(&grid, "%.0f %%", 100 * p->efficiency);
    add(&grid, "%+.1f %%", 100 * (p->fitted / p->rate.estimate - 1));
    add(&grid, "%.0f %%", 100 * p->compute);
    add(&grid, "%.0f %%", 100 * p->exposed);
    add(&grid, "%.0f %%", 100 * p->waiting);
    add_target(&grid, p);
  }
  rh_grid_write(&grid, 2, WIDTH, out);
  rh_grid_clear(&grid);
}

/* "0.012 +- 0.003". */
static void append_share(rh_text *out, double share, double error)
{
  rh_text_append(out, "%.3g", share);
  if (!isnan(error) && share > 0) rh_text_append(out, " +- %.1g", error);
}

/* The speed-up that the fit gives, counted as in the table. */
static double fitted_speed_up(const rh_scaling_series *s, double N)
{
  const rh_scaling_point *first = &s->points[0];
  const double rate = s->gamma * N / (1 + s->serial * (N - 1) + s->pairwise * N * (N - 1));
  return rate / first->rate.estimate * first->workers;
}

/* Beyond which number of workers more do not help, and what twice and four times as many as were tried would bring.
 * What was seen counts for more than the law, which is off by some percent. best: the fastest of those tried. */
static void write_limit(const rh_scaling_series *s, const rh_scaling_point *best, rh_text *out)
{
  const double most = s->points[s->count - 1].workers;
  if (isinf(s->best_workers) && isinf(s->ceiling))
    rh_text_append(out, "  No limit shows up to %.0f workers.", most);
  else if (isinf(s->best_workers))
    rh_text_append(out, "  More workers always help a little, up to a speed-up of %.3g (extrapolated).", s->ceiling);
  else if (s->best_workers <= s->points[0].workers)
    rh_text_append(out, "  More than %d workers do not help; fewer were not tried.", (int)s->points[0].workers);
  else if (best->workers > s->best_workers && best->speed_up > s->ceiling)
    rh_text_append(
        out, "  More than %d workers do not help: the speed-up was %.3g there; the law's is largest at %.0f, %.3g.",
        (int)best->workers, best->speed_up, s->best_workers, s->ceiling);
  else
    rh_text_append(out, "  More than %.0f workers do not help%s: the speed-up is %.3g at most.", s->best_workers,
                   s->best_workers > most ? " (extrapolated: no run had so many)" : "", s->ceiling);
  rh_text_append(out, " Extrapolated:");
  for (int times = 2; times <= 4; times += 2)
    rh_text_append(out, "%s %.0f workers, speed-up %.3g", times == 2 ? "" : ";", times * most,
                   fitted_speed_up(s, times * most));
  rh_text_append(out, ".\n");
}

static void write_fit(const rh_scaling_series *s, rh_text *out)
{
  const rh_scaling_point *best = &s->points[0];
  for (int i = 1; i < s->count; i++)
    if (s->points[i].rate.estimate > best->rate.estimate) best = &s->points[i];
  rh_text_append(out, "  Of those tried, %d workers do most: %.4g samples/s.\n", (int)best->workers,
                 best->rate.estimate);
  if (!s->fitted) {
    rh_text_append(out, "  Serial and communication shares need three numbers of workers; there are %d.\n", s->count);
    return;
  }
  rh_text_append(out, "  Fitted: serial share ");
  append_share(out, s->serial, s->serial_error);
  rh_text_append(out, ", communication share of a pair ");
  append_share(out, s->pairwise, s->pairwise_error);
  rh_text_append(out, "; off by %.1f %% at most%s.\n", 100 * s->deviation,
                 s->count == 3 ? ", but three points leave a fit of three numbers no choice" : "");
  if (s->deviation <= RH_SCALING_TRUSTED)
    write_limit(s, best, out);
  else
    rh_text_append(out, "  The law does not describe these runs: neither a limit nor what lies beyond them is told.\n");
}

static bool any_timing_only(const rh_scaling_series *s)
{
  for (int k = 0; k < s->count; k++)
    if (s->points[k].timing_only > 0) return true;
  return false;
}

void rh_scaling_write(const rh_scaling *scaling, rh_text *out)
{
  for (int i = 0; i < scaling->count; i++) {
    const rh_scaling_series *s = &scaling->list[i];
    rh_text_append(out, "%s%s scaling, %lld samples %s", i ? "\n" : "", s->kind == RH_SCALING_WEAK ? "Weak" : "Strong",
                   (long long)s->samples, s->kind == RH_SCALING_WEAK ? "a worker and round" : "a round");
    if (any_timing_only(s)) rh_text_append(out, ", timing only (nothing was trained)");
    if (s->label[0]) rh_text_append(out, ": ");
    rh_text_append_visible(out, s->label);
    rh_text_append(out, "\n");
    write_points(s, out);
    write_fit(s, out);
  }
}

/* --- for programs ------------------------------------------------------------------------------------------------- */

static void json(rh_text *out, const char *name, double value)
{
  rh_text_append(out, ", \"%s\": ", name);
  rh_text_append_json_number(out, value);
}

static void write_point_json(const rh_scaling_point *p, rh_text *out)
{
  rh_text_append(out, "{\"workers\": %d, \"batch\": %lld, \"runs\": %d", (int)p->workers, (long long)p->batch, p->runs);
  json(out, "round_s", p->round_s);
  json(out, "samples_per_s", p->rate.estimate);
  json(out, "low", p->rate.low);
  json(out, "high", p->rate.high);
  json(out, "least", p->least);
  json(out, "most", p->most);
  json(out, "speed_up", p->speed_up);
  json(out, "efficiency", p->efficiency);
  json(out, "fitted_samples_per_s", p->fitted);
  json(out, "compute_share", p->compute);
  json(out, "exposed_communication_share", p->exposed);
  json(out, "waiting_share", p->waiting);
  json(out, "time_to_target_s", p->time_to_target_s);
  rh_text_append(out, ", \"reached\": %d, \"timing_only\": %d}", p->reached, p->timing_only);
}

void rh_scaling_write_json(const rh_scaling *scaling, rh_text *out)
{
  rh_text_append(out, "{\"series\": [");
  for (int i = 0; i < scaling->count; i++) {
    const rh_scaling_series *s = &scaling->list[i];
    const double most = s->points[s->count - 1].workers;
    rh_text_append(out, "%s{\"kind\": \"%s\", \"samples\": %lld, \"label\": ", i ? ",\n " : "\n ", kinds[s->kind],
                   (long long)s->samples);
    rh_text_append_json(out, s->label);
    json(out, "serial_share", s->serial);
    json(out, "serial_share_error", s->serial_error);
    json(out, "pair_share", s->pairwise);
    json(out, "pair_share_error", s->pairwise_error);
    json(out, "largest_deviation", s->fitted ? s->deviation : (double)NAN);
    json(out, "best_workers", s->fitted ? s->best_workers : (double)NAN); /* null: it grows for ever, or no fit */
    json(out, "largest_speed_up", s->fitted ? s->ceiling : (double)NAN);
    rh_text_append(out, ", \"trusted\": %s", s->fitted && s->deviation <= RH_SCALING_TRUSTED ? "true" : "false");
    rh_text_append(out, ", \"extrapolated\": %s, \"points\": [",
                   s->fitted && s->best_workers > most && isfinite(s->ceiling) ? "true" : "false");
    for (int k = 0; k < s->count; k++) {
      rh_text_append(out, "%s", k ? ",\n  " : "\n  ");
      write_point_json(&s->points[k], out);
    }
    rh_text_append(out, "]}");
  }
  rh_text_append(out, "]}\n");
}

static void csv(rh_text *out, double value)
{
  rh_text_append(out, ",");
  if (isfinite(value)) rh_text_append(out, "%.17g", value);
}

void rh_scaling_write_csv(const rh_scaling *scaling, rh_text *out)
{
  rh_text_append(out, "kind,samples,label,workers,batch,runs,round_s,samples_per_s,low,high,least,most,speed_up,"
                      "efficiency,fitted_samples_per_s,compute_share,exposed_communication_share,waiting_share,"
                      "time_to_target_s,reached,serial_share,pair_share,best_workers,timing_only\n");
  for (int i = 0; i < scaling->count; i++)
    for (int k = 0; k < scaling->list[i].count; k++) {
      const rh_scaling_series *s = &scaling->list[i];
      const rh_scaling_point *p = &s->points[k];
      rh_text_append(out, "%s,%lld,", kinds[s->kind], (long long)s->samples);
      rh_text_append_csv(out, s->label, false);
      rh_text_append(out, ",%d,%lld,%d", (int)p->workers, (long long)p->batch, p->runs);
      const double numbers[] = {p->round_s, p->rate.estimate, p->rate.low,        p->rate.high, p->least,
                                p->most,    p->speed_up,      p->efficiency,      p->fitted,    p->compute,
                                p->exposed, p->waiting,       p->time_to_target_s};
      for (size_t n = 0; n < sizeof numbers / sizeof numbers[0]; n++)
        csv(out, numbers[n]);
      rh_text_append(out, ",%d", p->reached);
      csv(out, s->serial);
      csv(out, s->pairwise);
      csv(out, s->fitted ? s->best_workers : (double)NAN);
      rh_text_append(out, ",%d\n", p->timing_only);
    }
}
