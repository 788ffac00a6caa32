/* Finds series of runs that differ in their workers. See scaling.h. */
#include "scaling.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "grid.h"
#include "store_private.h"
#include "varied.h"

/* --- families ----------------------------------------------------------------------------------------------------- */

/* Keys in which runs of a family may differ: what is varied here, and what says how a run is computed. */
static bool is_free(const rh_scaling_def *def, const char *key)
{
  static const char *const keys[] = {"platform.workers", "train.batch", "run.seed",
                                     "run.threads",      "run.memory",  "run.trace"};
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
    if (strcmp(keys[i], key) == 0) return true;
  const size_t length = strlen(key);
  for (const char *at = def->free; at && (at = strstr(at, key)); at += length)
    if ((at == def->free || at[-1] == ',') && (at[length] == ',' || at[length] == '\0')) return true;
  return false;
}

/* "train.method=dpsgd compress.name=qsgd" of the varied keys that are not free. */
static char *label_of(const rh_scaling_def *def, const rh_varied *varied, const rh_run_summary *run)
{
  rh_text text = {0};
  for (int k = 0; k < varied->count; k++) {
    const rh_piece value = rh_configuration_value(run->configuration, varied->keys[k]);
    if (is_free(def, varied->keys[k]) || !value.data) continue;
    rh_text_append(&text, "%s%s=", text.length ? " " : "", varied->keys[k]);
    rh_text_append_bytes(&text, value.data, value.length);
  }
  char *label = rh_text_duplicate(rh_text_get(&text));
  rh_text_clear(&text);
  return label;
}

/* --- observations ------------------------------------------------------------------------------------------------- */

/* What one run says. */
typedef struct observation {
  char *label; /* owned */
  int32_t workers;
  int64_t batch;
  bool timing_only;
  double rate, round_s, time_to_target_s; /* NaN: no target; INFINITY: not reached */
  double compute, exposed, waiting;
} observation;

typedef struct observations {
  observation *list; /* owned */
  int count;
} observations;

static rh_status read_run(rh_store *store, const rh_run_summary *run, observation *o, bool *usable)
{
  static const char sql[] = "SELECT r.batch, m.rounds, m.simulated_s, k.compute, k.exposed, k.waiting FROM runs r "
                            "JOIN run_summary m USING (id) LEFT JOIN (SELECT run_id, avg(compute_s / t) AS compute, "
                            "avg((communication_s - both_s) / t) AS exposed, avg(waiting_s / t) AS waiting FROM "
                            "(SELECT *, nullif(compute_s + communication_s - both_s + waiting_s, 0) AS t FROM ranks "
                            "WHERE run_id = ?1)) k ON k.run_id = r.id WHERE r.id = ?1";
  rh_binder b = {0};
  bool row;
  rh_status status;
  RH_TRY(rh_store_prepare(store, sql, &b.statement));
  rh_bind_text(&b, run->id);
  RH_TRY(rh_store_next(store, b.statement, &row));
  *usable = false;
  if (row) {
    const double rounds = sqlite3_column_double(b.statement, 1), seconds = rh_column_real(b.statement, 2);
    o->workers = run->workers;
    o->timing_only = run->timing_only;
    o->batch = sqlite3_column_int64(b.statement, 0);
    o->round_s = seconds / rounds;
    o->rate = (double)o->workers * (double)o->batch / o->round_s;
    o->compute = rh_column_real(b.statement, 3);
    o->exposed = rh_column_real(b.statement, 4);
    o->waiting = rh_column_real(b.statement, 5);
    o->time_to_target_s = isnan(run->target_accuracy)    ? (double)NAN
                          : isnan(run->time_to_target_s) ? (double)INFINITY
                                                         : run->time_to_target_s;
    *usable = rounds > 0 && seconds > 0 && o->workers > 0 && o->batch > 0;
  }
  sqlite3_reset(b.statement);
done:
  return status;
}

static rh_status observe(rh_store *store, const rh_scaling_def *def, const rh_run_list *runs, const rh_varied *varied,
                         observations *found)
{
  rh_status status = RH_OK;
  found->list = calloc((size_t)runs->count + 1, sizeof *found->list);
  RH_ASSERT(found->list && "memory is exhausted");
  for (int32_t i = 0; i < runs->count; i++) {
    bool usable = false;
    observation *o = &found->list[found->count];
    if (strcmp(runs->list[i].status, "done") != 0) continue;
    RH_TRY(read_run(store, &runs->list[i], o, &usable));
    if (!usable) continue;
    o->label = label_of(def, varied, &runs->list[i]);
    found->count++;
  }
done:
  return status;
}

static int compare_observations(const void *a, const void *b)
{
  const observation *x = a, *y = b;
  const int order = strcmp(x->label, y->label);
  if (order) return order;
  if (x->workers != y->workers) return x->workers < y->workers ? -1 : 1;
  return (x->batch > y->batch) - (x->batch < y->batch);
}

/* --- series ------------------------------------------------------------------------------------------------------- */

static double median_of(const observation *o, int n, size_t field)
{
  double *x = calloc((size_t)n, sizeof *x);
  RH_ASSERT(x && "memory is exhausted");
  for (int i = 0; i < n; i++)
    memcpy(&x[i], (const char *)&o[i] + field, sizeof *x);
  const double median = rh_median(x, n);
  free(x);
  return median;
}

static double mean_of(const observation *o, int n, size_t field)
{
  double sum = 0, x;
  for (int i = 0; i < n; i++) {
    memcpy(&x, (const char *)&o[i] + field, sizeof x);
    sum += x;
  }
  return sum / n;
}

/* Of n runs that agree in label, workers and batch. */
static rh_scaling_point point_of(const rh_scaling_def *def, const observation *o, int n)
{
  double *rates = calloc((size_t)n, sizeof *rates);
  RH_ASSERT(rates && "memory is exhausted");
  rh_scaling_point p = {.workers = o->workers,
                        .batch = o->batch,
                        .runs = n,
                        .least = INFINITY,
                        .most = -INFINITY,
                        .round_s = median_of(o, n, offsetof(observation, round_s)),
                        .compute = mean_of(o, n, offsetof(observation, compute)),
                        .exposed = mean_of(o, n, offsetof(observation, exposed)),
                        .waiting = mean_of(o, n, offsetof(observation, waiting)),
                        .time_to_target_s = median_of(o, n, offsetof(observation, time_to_target_s))};
  for (int i = 0; i < n; i++) {
    rates[i] = o[i].rate;
    p.least = fmin(p.least, rates[i]);
    p.most = fmax(p.most, rates[i]);
    p.timing_only += o[i].timing_only;
    p.reached += isfinite(o[i].time_to_target_s);
  }
  p.rate = rh_median_interval(rates, n, def->level, 1);
  free(rates);
  return p;
}

static int64_t samples_of(const rh_scaling_point *p, rh_scaling_kind kind)
{
  return kind == RH_SCALING_WEAK ? p->batch : p->batch * p->workers;
}

/* The points of a family with as many samples as the first of them; at least two are a series. Points that were taken
 * are marked by `taken`. */
static void add_series(rh_scaling *scaling, const char *label, rh_scaling_kind kind, const rh_scaling_point *points,
                       int count, int first)
{
  const int64_t samples = samples_of(&points[first], kind);
  for (int i = 0; i < first; i++)
    if (samples_of(&points[i], kind) == samples) return; /* was added with that one */
  int n = 0;
  for (int i = first; i < count; i++)
    n += samples_of(&points[i], kind) == samples;
  if (n < 2) return;
  rh_scaling_series *grown = realloc(scaling->list, ((size_t)scaling->count + 1) * sizeof *grown);
  RH_ASSERT(grown && "memory is exhausted");
  scaling->list = grown;
  rh_scaling_series *s = &grown[scaling->count++];
  *s = (rh_scaling_series){.kind = kind, .label = rh_text_duplicate(label), .samples = samples};
  s->points = calloc((size_t)n, sizeof *s->points);
  RH_ASSERT(s->points && "memory is exhausted");
  for (int i = first; i < count; i++)
    if (samples_of(&points[i], kind) == samples) s->points[s->count++] = points[i];
  rh_scaling_fit(s);
}

/* Sorted observations of one label. */
static void add_family(rh_scaling *scaling, const rh_scaling_def *def, const observation *o, int n)
{
  rh_scaling_point *points = calloc((size_t)n, sizeof *points);
  RH_ASSERT(points && "memory is exhausted");
  int count = 0;
  for (int i = 0, next; i < n; i = next) {
    for (next = i; next < n && o[next].workers == o[i].workers && o[next].batch == o[i].batch;)
      next++;
    points[count++] = point_of(def, &o[i], next - i);
  }
  for (int kind = RH_SCALING_WEAK; kind <= RH_SCALING_STRONG; kind++)
    for (int i = 0; i < count; i++)
      add_series(scaling, o->label, (rh_scaling_kind)kind, points, count, i);
  free(points);
}

static rh_status nothing_to_say(const rh_scaling_def *def, const observations *found, const rh_varied *varied)
{
  rh_text keys = {0};
  for (int k = 0; k < varied->count; k++)
    if (!is_free(def, varied->keys[k])) {
      rh_text_append(&keys, "%s", keys.length ? ", " : "");
      rh_text_append_visible(&keys, varied->keys[k]);
    }
  rh_status status;
  if (found->count < 2)
    status =
        rh_error(RH_EINVAL, "%d runs are done, and scaling needs two with different platform.workers", found->count);
  else if (keys.length > 0)
    status = rh_error(RH_EINVAL,
                      "no two runs differ in platform.workers (and train.batch) alone; these differ as well: %s; "
                      "--free KEY lets runs of a series differ in one",
                      rh_text_get(&keys));
  else
    status = rh_error(RH_EINVAL, "all runs have the same workers: vary platform.workers");
  rh_text_clear(&keys);
  return status;
}

rh_status rh_scaling_find(rh_store *store, const rh_scaling_def *def, rh_scaling *scaling)
{
  rh_run_list runs = {0};
  rh_varied varied = {0};
  observations found = {0};
  rh_status status;
  *scaling = (rh_scaling){0};
  RH_TRY(rh_store_list(store, def->study, NULL, &runs));
  rh_varied_find(&runs, &varied);
  RH_TRY(observe(store, def, &runs, &varied, &found));
  qsort(found.list, (size_t)found.count, sizeof *found.list, compare_observations);
  for (int i = 0, next; i < found.count; i = next) {
    for (next = i; next < found.count && strcmp(found.list[next].label, found.list[i].label) == 0;)
      next++;
    add_family(scaling, def, &found.list[i], next - i);
  }
  if (scaling->count == 0) status = nothing_to_say(def, &found, &varied);
done:
  for (int i = 0; i < found.count; i++)
    free(found.list[i].label);
  free(found.list);
  rh_varied_clear(&varied);
  rh_run_list_clear(&runs);
  return status;
}

void rh_scaling_clear(rh_scaling *scaling)
{
  for (int i = 0; i < scaling->count; i++) {
    free(scaling->list[i].label);
    free(scaling->list[i].points);
  }
  free(scaling->list);
  *scaling = (rh_scaling){0};
}
