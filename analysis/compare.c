#include "compare.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "varied.h"

/* Options that say how a run is computed, not what: no configuration differs by them. */
static bool is_bookkeeping(const char *key)
{
  static const char *const keys[] = {"run.seed", "run.threads", "run.memory", "run.save"};
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
    if (strcmp(keys[i], key) == 0) return true;
  return false;
}

static bool is_setting(const char *key)
{
  return strncmp(key, "platform.", 9) == 0 || strncmp(key, "network.", 8) == 0;
}

/* Whether `key` stands in a list separated by commas. */
static bool is_listed(const char *list, const char *key)
{
  const size_t length = strlen(key);
  for (const char *at = list; (at = strstr(at, key)); at += length)
    if ((at == list || at[-1] == ',') && (at[length] == ',' || at[length] == '\0')) return true;
  return false;
}

static bool makes_configuration(const rh_compare_def *def, const char *key)
{
  return def->by ? is_listed(def->by, key) : !is_setting(key);
}

static const char *varied_key(const void *context, size_t i)
{
  const rh_varied *varied = context;
  return i < (size_t)varied->count ? varied->keys[i] : NULL;
}

/* Every key of --by must differ between runs. */
static rh_status check_by(const rh_compare_def *def, const rh_varied *varied)
{
  for (const char *at = def->by; at && *at;) {
    rh_text key = {0};
    const size_t length = strcspn(at, ",");
    rh_text_append_bytes(&key, at, length);
    at += length + (at[length] == ',');
    bool known = false;
    for (int k = 0; k < varied->count; k++)
      known = known || strcmp(varied->keys[k], rh_text_get(&key)) == 0;
    if (!known) {
      const char *near = rh_text_nearest(rh_text_get(&key), varied_key, varied);
      rh_text all = {0};
      for (int k = 0; k < varied->count; k++)
        rh_text_append(&all, " %s", varied->keys[k]);
      rh_status status = near ? rh_error(RH_EINVAL, "--by %s: no such key differs between the runs; did you mean %s?",
                                         rh_text_get(&key), near)
                              : rh_error(RH_EINVAL, "--by %s: no such key differs between the runs; these do:%s",
                                         rh_text_get(&key), rh_text_get(&all));
      rh_text_clear(&all);
      rh_text_clear(&key);
      return status;
    }
    rh_text_clear(&key);
  }
  return RH_OK;
}

/* "compress.name=qsgd compress.bits=4" of the keys that make a configuration, or of the others. */
static char *label_of(const rh_compare_def *def, const rh_varied *varied, const rh_run_summary *run, bool configuration)
{
  rh_text text = {0};
  for (int k = 0; k < varied->count; k++) {
    const char *key = varied->keys[k];
    if (is_bookkeeping(key) || makes_configuration(def, key) != configuration) continue;
    const rh_piece value = rh_configuration_value(run->configuration, key);
    if (!value.data) continue;
    rh_text_append(&text, "%s%s=", text.length ? " " : "", key);
    rh_text_append_bytes(&text, value.data, value.length);
  }
  char *label = rh_text_duplicate(rh_text_get(&text));
  rh_text_clear(&text);
  return label;
}

/* The element for a run; a new one at the end of its setting if there is none yet. */
static rh_compared *find_or_add(rh_comparison *c, char *setting, char *label)
{
  int end = c->count;
  for (int i = 0; i < c->count; i++) {
    if (strcmp(c->list[i].setting, setting) != 0) continue;
    end = i + 1;
    if (strcmp(c->list[i].label, label) != 0) continue;
    free(setting);
    free(label);
    return &c->list[i];
  }
  rh_compared *grown = realloc(c->list, ((size_t)c->count + 1) * sizeof *grown);
  RH_ASSERT(grown && "memory is exhausted");
  c->list = grown;
  memmove(grown + end + 1, grown + end, (size_t)(c->count - end) * sizeof *grown);
  c->count++;
  grown[end] = (rh_compared){.setting = setting, .label = label};
  return &grown[end];
}

static void *grown(void *array, int count, size_t size)
{
  void *result = realloc(array, (size_t)count * size);
  RH_ASSERT(result && "memory is exhausted");
  return result;
}

/* Keeps observations in the order of seeds, so that pairs are found by walking along. */
static void add_run(rh_compared *e, const rh_run_summary *run, int32_t place, const rh_reached *reached)
{
  const int n = ++e->runs;
  e->seconds = grown(e->seconds, n, sizeof *e->seconds);
  e->bytes = grown(e->bytes, n, sizeof *e->bytes);
  e->accuracy = grown(e->accuracy, n, sizeof *e->accuracy);
  e->seed = grown(e->seed, n, sizeof *e->seed);
  e->run = grown(e->run, n, sizeof *e->run);
  int i = n - 1;
  for (; i > 0 && e->seed[i - 1] > run->seed; i--) {
    e->seconds[i] = e->seconds[i - 1];
    e->bytes[i] = e->bytes[i - 1];
    e->accuracy[i] = e->accuracy[i - 1];
    e->seed[i] = e->seed[i - 1];
    e->run[i] = e->run[i - 1];
  }
  e->seconds[i] = reached->seconds;
  e->bytes[i] = reached->bytes / run->workers;
  e->accuracy[i] = run->accuracy;
  e->seed[i] = run->seed;
  e->run[i] = place;
  e->reached += isfinite(reached->seconds);
  e->diverged += rh_run_diverged(run);
}

static rh_status collect(rh_store *store, const rh_run_list *runs, const rh_varied *varied, rh_comparison *c)
{
  for (int32_t i = 0; i < runs->count; i++) {
    const rh_run_summary *run = &runs->list[i];
    if (strcmp(run->status, "done") != 0) continue;
    rh_reached reached = {INFINITY, INFINITY, INFINITY};
    if (c->timing_only) {
      reached = (rh_reached){run->simulated_s, (double)run->wire_bytes, (double)run->rounds};
    } else if (!isnan(c->target_accuracy)) {
      rh_status status = rh_store_reached(store, run->id, c->target_accuracy, &reached);
      if (status != RH_OK) return status;
    }
    add_run(find_or_add(c, label_of(&c->def, varied, run, false), label_of(&c->def, varied, run, true)), run, i,
            &reached);
  }
  return RH_OK;
}

static void summarise(rh_compared *e, double level)
{
  e->time_s = rh_median_interval(e->seconds, e->runs, level, 1);
  e->wire_bytes = rh_median_interval(e->bytes, e->runs, level, 2);
  e->final_accuracy = rh_mean_interval(e->accuracy, e->runs, level);
  e->time_ratio = e->accuracy_difference = (rh_interval){NAN, NAN, NAN};
  e->time_p = e->accuracy_p = e->equivalence_p = NAN;
}

/* Paired by seed. A ratio of times needs both; the sign test orders "not reached" after every time. */
static void compare_with(rh_compared *e, const rh_compared *base, const rh_compare_def *def)
{
  const size_t room = (size_t)(e->runs + 1) * sizeof(double);
  double *own = malloc(room), *other = malloc(room), *ratio = malloc(room), *difference = malloc(room);
  RH_ASSERT(own && other && ratio && difference && "memory is exhausted");
  int ratios = 0;
  for (int i = 0, k = 0; i < e->runs; i++) {
    while (k < base->runs && base->seed[k] < e->seed[i])
      k++;
    if (k == base->runs || base->seed[k] != e->seed[i]) continue;
    own[e->pairs] = e->seconds[i];
    other[e->pairs] = base->seconds[k];
    difference[e->pairs++] = e->accuracy[i] - base->accuracy[k];
    if (isfinite(e->seconds[i]) && isfinite(base->seconds[k])) ratio[ratios++] = e->seconds[i] / base->seconds[k];
    k++;
  }
  if (e->pairs > 0) {
    e->time_ratio = rh_median_interval(ratio, ratios, def->level, 3);
    e->time_p = rh_sign_test(own, other, e->pairs);
    e->accuracy_difference = rh_mean_interval(difference, e->pairs, def->level);
    e->accuracy_p = rh_paired_t(difference, e->pairs);
    e->equivalence_p = rh_equivalence(difference, e->pairs, def->margin);
  }
  free(own);
  free(other);
  free(ratio);
  free(difference);
}

/* Holm's correction over the comparisons [first, last) of a setting, one family for each question. */
static void correct(rh_comparison *c, int first, int last)
{
  const int n = last - first;
  double *p = malloc((size_t)n * sizeof *p);
  RH_ASSERT(p && "memory is exhausted");
  const size_t fields[] = {offsetof(rh_compared, time_p), offsetof(rh_compared, accuracy_p),
                           offsetof(rh_compared, equivalence_p)};
  for (size_t f = 0; f < sizeof fields / sizeof fields[0]; f++) {
    for (int i = 0; i < n; i++)
      p[i] = *(double *)((char *)&c->list[first + i] + fields[f]);
    rh_holm(p, n);
    for (int i = 0; i < n; i++)
      *(double *)((char *)&c->list[first + i] + fields[f]) = p[i];
  }
  free(p);
}

/* Index of the baseline among [first, last): the first whose label holds the text; -1: none does. */
static int find_baseline(const rh_comparison *c, int first, int last)
{
  if (!c->def.baseline) return first;
  for (int i = first; i < last; i++)
    if (strstr(c->list[i].label, c->def.baseline)) return i;
  return -1;
}

static rh_status compare_settings(rh_comparison *c)
{
  bool found = false;
  for (int first = 0, last; first < c->count; first = last) {
    for (last = first; last < c->count && strcmp(c->list[last].setting, c->list[first].setting) == 0; last++)
      summarise(&c->list[last], c->def.level);
    const int base = find_baseline(c, first, last);
    if (base < 0) continue;
    found = c->list[base].baseline = true;
    for (int i = first; i < last; i++)
      if (i != base) compare_with(&c->list[i], &c->list[base], &c->def);
    correct(c, first, last);
  }
  if (found || c->count == 0) return RH_OK;
  rh_text labels = {0};
  for (int i = 0; i < c->count; i++) {
    bool known = c->list[i].label[0] == '\0'; /* nothing but settings differs */
    for (int k = 0; k < i && !known; k++)
      known = strcmp(c->list[i].label, c->list[k].label) == 0;
    if (!known) rh_text_append(&labels, "%s'%s'", labels.length ? ", " : "", c->list[i].label);
  }
  rh_status status =
      labels.length ? rh_error(RH_EINVAL, "--baseline '%s' is in no configuration's label; there are %s",
                               c->def.baseline, rh_text_get(&labels))
                    : rh_error(RH_EINVAL,
                               "--baseline '%s': the runs differ in platform and network alone, which make settings; "
                               "--by KEYS makes configurations of them",
                               c->def.baseline);
  rh_text_clear(&labels);
  return status;
}

/* The target that was asked for, or else the runs' own; NaN if they have none, or differ. */
static double target_of(const rh_compare_def *def, const rh_run_list *runs)
{
  if (!isnan(def->target_accuracy)) return def->target_accuracy;
  const double first = runs->list[0].target_accuracy;
  for (int32_t i = 1; i < runs->count; i++)
    if (runs->list[i].target_accuracy != first) return NAN;
  return first;
}

/* Whether the runs are of timing alone; RH_EINVAL if some are and others are not. */
static rh_status take_kind(const rh_run_list *runs, bool *timing_only)
{
  int32_t count = 0;
  for (int32_t i = 0; i < runs->count; i++)
    count += runs->list[i].timing_only;
  *timing_only = count > 0;
  if (count == 0 || count == runs->count) return RH_OK;
  return rh_error(
      RH_EINVAL,
      "%d of %d runs are timing only (run.compute: none) and have no accuracy; compare them apart, by --study",
      (int)count, (int)runs->count);
}

rh_status rh_compare_runs(rh_store *store, const rh_run_list *runs, const rh_compare_def *def,
                          rh_comparison *comparison)
{
  rh_status status;
  rh_varied varied = {0};
  rh_comparison c = {.def = *def};
  rh_varied_find(runs, &varied);
  RH_TRY(check_by(def, &varied));
  RH_TRY(take_kind(runs, &c.timing_only));
  c.target_accuracy = c.timing_only ? (double)NAN : target_of(def, runs);
  RH_TRY(collect(store, runs, &varied, &c));
  if (c.count == 0) {
    status = rh_error(RH_EINVAL, "none of the %d runs is done: there is nothing to compare yet", (int)runs->count);
    goto done;
  }
  rh_comparison_sort(&c);
  RH_TRY(compare_settings(&c));
done:
  rh_varied_clear(&varied);
  if (status == RH_OK)
    *comparison = c;
  else
    rh_comparison_clear(&c);
  return status;
}

rh_status rh_compare(rh_store *store, const rh_compare_def *def, rh_comparison *comparison)
{
  rh_status status;
  rh_run_list runs = {0};
  RH_TRY(rh_store_list(store, def->study, NULL, &runs));
  if (runs.count == 0)
    status = def->study ? rh_error(RH_EINVAL, "there are no runs of study '%s'", def->study)
                        : rh_error(RH_EINVAL, "there are no runs");
  else
    status = rh_compare_runs(store, &runs, def, comparison);
done:
  rh_run_list_clear(&runs);
  return status;
}

void rh_comparison_clear(rh_comparison *c)
{
  for (int i = 0; i < c->count; i++) {
    rh_compared *e = &c->list[i];
    free(e->setting);
    free(e->label);
    free(e->seconds);
    free(e->bytes);
    free(e->accuracy);
    free(e->seed);
    free(e->run);
  }
  free(c->list);
  *c = (rh_comparison){0};
}
