/* The closing table: what came out of some runs, for a person to read. What all runs share stands above it once, what
 * differs is a column. A few names are a column in any case, as long as there is room. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grid.h"
#include "unit.h"
#include "varied.h"

enum { TABLE_WIDTH = 120, DIVERGED_SHOWN = 4 };

/* Names of a run that are a column when they differ, and otherwise stand above the table. */
typedef struct name_field {
  const char *title;
  const char *key; /* the option behind it, so that it gets no second column */
  size_t offset;   /* of the text in rh_run_summary */
  bool always;     /* a column even when all runs agree, unless the table is too wide */
} name_field;

enum { STUDY, PLATFORM, NETWORK, METHOD, COMPRESSOR, MODEL, DATA, GRAPH, NAME_FIELDS };

static const name_field name_fields[NAME_FIELDS] = {
    [STUDY] = {"study", "", offsetof(rh_run_summary, study), false},
    [PLATFORM] = {"platform", "platform.file", offsetof(rh_run_summary, platform), true},
    [NETWORK] = {"network|model", "network.model", offsetof(rh_run_summary, network_model), false},
    [METHOD] = {"method", "train.method", offsetof(rh_run_summary, method), true},
    [COMPRESSOR] = {"com-|pressor", "compress.name", offsetof(rh_run_summary, compressor), true},
    [MODEL] = {"model", "model.name", offsetof(rh_run_summary, model), false},
    [DATA] = {"data", "data.name", offsetof(rh_run_summary, dataset), false},
    [GRAPH] = {"graph", "graph.name", offsetof(rh_run_summary, graph), false},
};

static const char *name_of(const rh_run_summary *run, const name_field *field)
{
  return *(char *const *)((const char *)run + field->offset);
}

/* Two runs have different names here; a run without one (a graph, under allreduce) does not count. */
static bool names_differ(const rh_run_list *runs, const name_field *field)
{
  const char *first = "";
  for (int32_t i = 0; i < runs->count; i++) {
    const char *name = name_of(&runs->list[i], field);
    if (name[0] == '\0') continue;
    if (first[0] != '\0' && strcmp(first, name) != 0) return true;
    first = name;
  }
  return false;
}

/* The network model belongs to the platform: a column only where one platform was run under two. */
static bool model_differs_within_platform(const rh_run_list *runs)
{
  for (int32_t i = 0; i < runs->count; i++)
    for (int32_t k = 0; k < i; k++)
      if (strcmp(runs->list[i].platform, runs->list[k].platform) == 0 &&
          strcmp(runs->list[i].network_model, runs->list[k].network_model) != 0)
        return true;
  return false;
}

typedef struct shape {
  bool name[NAME_FIELDS]; /* is a column */
  bool workers, seed, target, link;
  rh_varied varied; /* other options that differ, one column each; first those that changed something */
} shape;

static bool has_column(const shape *s, const char *key)
{
  for (int f = 0; f < NAME_FIELDS; f++)
    if (strcmp(name_fields[f].key, key) == 0) return true;
  return (s->workers && strcmp(key, "platform.workers") == 0) || (s->seed && strcmp(key, "run.seed") == 0);
}

/* Keeps the options that have no column yet. Those that changed nothing come last: they are left out first where the
 * table is too wide, and have a line of their own below it. */
static void choose_varied(const rh_run_list *runs, shape *s)
{
  char **keys = calloc((size_t)s->varied.count + 1, sizeof *keys);
  bool *vain = calloc((size_t)s->varied.count + 1, sizeof *vain);
  RH_ASSERT(keys && vain);
  int kept = 0;
  for (int k = 0; k < s->varied.count; k++)
    vain[k] = rh_varied_changed_nothing(runs, &s->varied, k);
  for (int pass = 0; pass < 2; pass++)
    for (int k = 0; k < s->varied.count; k++) {
      if (vain[k] != (pass == 1)) continue;
      if (!has_column(s, s->varied.keys[k]) && kept < RH_GRID_COLUMNS_MAX / 3)
        keys[kept++] = s->varied.keys[k];
      else
        free(s->varied.keys[k]);
    }
  free(vain);
  free(s->varied.keys);
  s->varied = (rh_varied){keys, kept};
}

static shape find_shape(const rh_run_list *runs)
{
  shape s = {.link = true};
  const rh_run_summary *first = &runs->list[0];
  for (int f = 0; f < NAME_FIELDS; f++)
    s.name[f] = name_fields[f].always || names_differ(runs, &name_fields[f]);
  s.name[NETWORK] = model_differs_within_platform(runs);
  for (int32_t i = 0; i < runs->count; i++) {
    const rh_run_summary *run = &runs->list[i];
    s.workers = s.workers || run->workers != first->workers;
    s.seed = s.seed || run->seed != first->seed;
    s.target = s.target || !isnan(run->target_accuracy);
  }
  rh_varied_find(runs, &s.varied);
  choose_varied(runs, &s);
  return s;
}

/* "lr" for train.lr; the whole key where two options have the same last word. */
static const char *short_key(const rh_varied *varied, int key)
{
  const char *dot = strrchr(varied->keys[key], '.');
  if (!dot) return varied->keys[key];
  for (int k = 0; k < varied->count; k++) {
    const char *other = strrchr(varied->keys[k], '.');
    if (k != key && other && strcmp(other, dot) == 0) return varied->keys[key];
  }
  return dot + 1;
}

static void add_columns(const shape *s, rh_grid *grid)
{
  for (int f = 0; f < NAME_FIELDS; f++)
    if (s->name[f]) rh_grid_add_column(grid, name_fields[f].title, RH_GRID_LEFT | RH_GRID_SHRINK);
  if (s->workers) rh_grid_add_column(grid, "workers", RH_GRID_RIGHT);
  if (s->seed) rh_grid_add_column(grid, "seed", RH_GRID_RIGHT | RH_GRID_SHRINK);
  for (int k = 0; k < s->varied.count; k++)
    rh_grid_add_column(grid, short_key(&s->varied, k), RH_GRID_RIGHT | RH_GRID_SHRINK | RH_GRID_OPTIONAL);
  rh_grid_add_column(grid, "accuracy", RH_GRID_RIGHT);
  if (s->target) rh_grid_add_column(grid, "time to|target", RH_GRID_RIGHT);
  rh_grid_add_column(grid, "total|time", RH_GRID_RIGHT);
  rh_grid_add_column(grid, "MB per|worker", RH_GRID_RIGHT);
  if (s->link) rh_grid_add_column(grid, "busiest|link", RH_GRID_LEFT | RH_GRID_SHRINK);
  rh_grid_add_column(grid, "its|load", RH_GRID_RIGHT);
  rh_grid_add_column(grid, "closed|form", RH_GRID_RIGHT);
  rh_grid_add_column(grid, "wall|time", RH_GRID_RIGHT);
  rh_grid_add_column(grid, "memory", RH_GRID_RIGHT);
}

static void add_formatted(rh_grid *grid, const char *format, double value)
{
  char buffer[64];
  snprintf(buffer, sizeof buffer, format, value);
  rh_grid_add_cell(grid, isnan(value) ? "-" : buffer);
}

static void add_quantity(rh_grid *grid, double value, rh_unit unit)
{
  char buffer[64];
  rh_grid_add_cell(grid, rh_unit_format(value, unit, buffer, sizeof buffer));
}

static void add_megabytes(rh_grid *grid, double bytes)
{
  double megabytes = bytes / 1e6;
  int digits = megabytes >= 100 || megabytes == 0 ? 0 : megabytes >= 10 ? 1 : megabytes >= 0.1 ? 2 : 4;
  char buffer[64];
  snprintf(buffer, sizeof buffer, "%.*f", digits, megabytes);
  rh_grid_add_cell(grid, isnan(megabytes) ? "-" : buffer);
}

static void add_names(const shape *s, const rh_run_summary *run, rh_grid *grid)
{
  for (int f = 0; f < NAME_FIELDS; f++)
    if (s->name[f]) rh_grid_add_cell(grid, name_of(run, &name_fields[f]));
  if (s->workers) add_formatted(grid, "%.0f", run->workers);
  if (s->seed) {
    char seed[32];
    snprintf(seed, sizeof seed, "%lld", (long long)run->seed);
    rh_grid_add_cell(grid, seed);
  }
  for (int k = 0; k < s->varied.count; k++) {
    rh_piece value = rh_configuration_value(run->configuration, s->varied.keys[k]);
    rh_text text = {0};
    rh_text_append_bytes(&text, value.data ? value.data : "", value.length);
    rh_grid_add_cell(grid, rh_text_get(&text));
    rh_text_clear(&text);
  }
}

/* The time, or the word that says why there is none. */
static void add_time_to_target(const rh_run_summary *run, bool done, rh_grid *grid)
{
  if (!isnan(run->time_to_target_s))
    add_quantity(grid, run->time_to_target_s, RH_UNIT_SECOND);
  else if (!done)
    rh_grid_add_cell(grid, run->status);
  else
    rh_grid_add_cell(grid, isnan(run->target_accuracy) ? "no target" : "not reached");
}

static void add_row(const shape *s, const rh_run_summary *run, rh_grid *grid)
{
  add_names(s, run, grid);
  if (run->timing_only)
    rh_grid_add_cell(grid, "timing only");
  else if (rh_run_diverged(run))
    rh_grid_add_cell(grid, "diverged");
  else
    add_formatted(grid, "%.1f %%", 100 * run->accuracy);
  bool done = strcmp(run->status, "done") == 0;
  if (s->target) add_time_to_target(run, done, grid);
  if (!s->target && !done)
    rh_grid_add_cell(grid, run->status);
  else
    add_quantity(grid, run->simulated_s, RH_UNIT_SECOND);
  bool began = done || run->rounds > 0; /* else 0 bytes would be no finding */
  add_megabytes(grid, began && run->workers > 0 ? (double)run->wire_bytes / run->workers : (double)NAN);
  if (s->link) rh_grid_add_cell(grid, run->busiest_link);
  add_formatted(grid, run->busiest_load < 0.0995 ? "%.1f %%" : "%.0f %%", 100 * run->busiest_load);
  add_formatted(grid, "%.3f", run->closed_form_ratio);
  add_quantity(grid, run->wall_s, RH_UNIT_SECOND);
  add_quantity(grid, run->peak_memory_bytes > 0 ? (double)run->peak_memory_bytes : (double)NAN, RH_UNIT_BYTE);
}

static void fill_grid(const rh_run_list *runs, const shape *s, rh_grid *grid)
{
  rh_grid_clear(grid);
  add_columns(s, grid);
  for (int32_t i = 0; i < runs->count; i++)
    add_row(s, &runs->list[i], grid);
}

static bool links_agree(const rh_run_list *runs)
{
  const char *first = runs->list[0].busiest_link;
  for (int32_t i = 1; i < runs->count; i++)
    if (strcmp(runs->list[i].busiest_link, first) != 0) return false;
  return first[0] != '\0';
}

/* Where the table is too wide, columns with one value in all rows go above it, one after the other: no cell is
 * shortened for their sake. The platform goes first, since it stands there with its network model anyway. */
static void fit_grid(const rh_run_list *runs, shape *s, rh_grid *grid)
{
  static const int leaving[] = {PLATFORM, METHOD, COMPRESSOR};
  fill_grid(runs, s, grid);
  for (size_t i = 0; i < sizeof leaving / sizeof *leaving && rh_grid_width(grid) > TABLE_WIDTH; i++) {
    if (names_differ(runs, &name_fields[leaving[i]])) continue;
    s->name[leaving[i]] = false;
    fill_grid(runs, s, grid);
  }
  if (rh_grid_width(grid) <= TABLE_WIDTH || !links_agree(runs)) return;
  s->link = false;
  fill_grid(runs, s, grid);
}

static void write_shared_target(const rh_run_list *runs, rh_text *out)
{
  double target = runs->list[0].target_accuracy;
  for (int32_t i = 1; i < runs->count; i++)
    if (runs->list[i].target_accuracy != target) return; /* NaN differs from itself: no target, no word */
  if (!isnan(target)) rh_text_append(out, ", target accuracy %.4g %%", 100 * target);
}

/* What has lost its column. */
static void write_moved(const rh_run_summary *run, const shape *s, rh_text *out)
{
  const struct {
    bool column;
    const char *title, *value;
  } moved[] = {{s->name[PLATFORM], "platform", run->platform},
               {s->name[METHOD], "method", run->method},
               {s->name[COMPRESSOR], "compressor", run->compressor},
               {s->link, "busiest link", run->busiest_link}};
  for (size_t i = 0; i < sizeof moved / sizeof *moved; i++) {
    if (moved[i].column) continue;
    rh_text_append(out, ", %s ", moved[i].title);
    rh_text_append_visible(out, moved[i].value);
  }
}

/* One line: what all runs have in common. */
static void write_shared(const rh_run_list *runs, const shape *s, rh_text *out)
{
  const rh_run_summary *first = &runs->list[0];
  rh_text_append(out, "%d run%s", (int)runs->count, runs->count == 1 ? "" : "s");
  if (!s->name[STUDY]) {
    rh_text_append(out, " of study ");
    rh_text_append_visible(out, first->study);
  }
  rh_text_append(out, ":");
  if (!s->workers) rh_text_append(out, " %d workers,", first->workers);
  const char *graph = "";
  for (int32_t i = 0; i < runs->count && graph[0] == '\0'; i++)
    graph = runs->list[i].graph;
  if (!s->name[MODEL]) {
    rh_text_append(out, " ");
    rh_text_append_visible(out, first->model);
    rh_text_append(out, " with %lld parameters,", (long long)first->parameters);
  }
  if (!s->name[DATA]) {
    rh_text_append(out, " data ");
    rh_text_append_visible(out, first->dataset);
  }
  if (!s->name[GRAPH] && graph[0] != '\0') {
    rh_text_append(out, ", graph ");
    rh_text_append_visible(out, graph);
  }
  if (!s->seed) rh_text_append(out, ", seed %lld", (long long)first->seed);
  write_shared_target(runs, out);
  write_moved(first, s, out);
  rh_text_append(out, "\n");
}

/* "network model: CM02 (fattree-64), LV08 (edge-wifi-16)" */
static void write_network_models(const rh_run_list *runs, rh_text *out)
{
  rh_text_append(out, "network model: ");
  for (int32_t i = 0, said = 0; i < runs->count; i++) {
    bool known = false;
    for (int32_t k = 0; k < i && !known; k++)
      known = strcmp(runs->list[k].platform, runs->list[i].platform) == 0;
    if (known) continue;
    rh_text_append(out, "%s", said++ ? ", " : "");
    rh_text_append_visible(out, runs->list[i].network_model);
    rh_text_append(out, " (");
    rh_text_append_visible(out, runs->list[i].platform);
    rh_text_append(out, ")");
  }
  rh_text_append(out, "\n");
}

/* "failed: run 0123abcd, fat-tree-64 dpsgd qsgd: " */
static void write_who(const char *what, const rh_run_summary *run, rh_text *out)
{
  rh_text_append_visible(out, what);
  rh_text_append(out, ": run %.8s, ", run->id);
  rh_text_append_visible(out, run->platform);
  rh_text_append(out, " ");
  rh_text_append_visible(out, run->method);
  rh_text_append(out, " ");
  rh_text_append_visible(out, run->compressor);
  rh_text_append(out, ": ");
}

/* Why a run is not done; a reason of several lines (a study's line with a caret) keeps them. */
static void write_reason(const rh_run_summary *run, rh_text *out)
{
  write_who(run->status, run, out);
  char *reason = rh_text_duplicate(run->reason), *rest = reason;
  for (char *line; (line = strsep(&rest, "\n"));) {
    if (line != reason && line[0] != '\0') rh_text_append(out, "\n    ");
    rh_text_append_visible(out, line);
  }
  rh_text_append(out, "\n");
  free(reason);
}

/* Runs that diverged, the first of them by name: a table of hundreds shows which in its rows. */
static void write_diverged(const rh_run_list *runs, rh_text *out)
{
  int diverged = 0;
  for (int32_t i = 0; i < runs->count; i++) {
    const rh_run_summary *run = &runs->list[i];
    if (!rh_run_diverged(run) || ++diverged > DIVERGED_SHOWN) continue;
    write_who("diverged", run, out);
    rh_text_append(out, "its training loss was no longer finite in round %lld\n", (long long)run->rounds);
  }
  if (diverged > DIVERGED_SHOWN) rh_text_append(out, "diverged: %d more\n", diverged - DIVERGED_SHOWN);
  if (diverged)
    rh_text_append(out, "    a smaller train.lr, train.momentum or, of methods that have it, train.consensus_step may "
                        "mend that, or train.clip\n");
}

static bool any_timing_only(const rh_run_list *runs)
{
  for (int32_t i = 0; i < runs->count; i++)
    if (runs->list[i].timing_only) return true;
  return false;
}

void rh_table_write(const rh_run_list *runs, rh_text *out)
{
  if (runs->count == 0) {
    rh_text_append(out, "no runs\n");
    return;
  }
  shape s = find_shape(runs);
  rh_grid grid = {0};
  fit_grid(runs, &s, &grid);
  write_shared(runs, &s, out);
  if (!s.name[NETWORK]) write_network_models(runs, out);
  rh_text_append(out, "\n");
  rh_grid_write(&grid, 0, TABLE_WIDTH, out);
  rh_text_append(out,
                 "\ntime: simulated. load: bytes / (bandwidth x total time). closed form: seconds of the collectives\n"
                 "divided by those of their formula, which knows no contention. memory: peak of the process.\n");
  if (any_timing_only(runs))
    rh_text_append(out,
                   "timing only: messages and steps by the model's shapes; nothing was trained (run.compute: none).\n");
  for (int32_t i = 0; i < runs->count; i++)
    if (strcmp(runs->list[i].status, "done") != 0) write_reason(&runs->list[i], out);
  write_diverged(runs, out);
  rh_grid_clear(&grid);
  rh_varied_clear(&s.varied);
}
