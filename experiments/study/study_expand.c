/* From lists of values to the settings of every run.
 *
 * The runs are the product of the lists of `vary` in the order of the keys, the last one fastest; those of `zip` count
 * as one list, the slowest. What an item of `exclude` fits is left out of it; then come, item by item, the products
 * of `include`.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "study_private.h"

/* How many runs a block stands for; RH_STUDY_RUNS_MAX + 1 for more. */
static size_t count_of(const study_block *block)
{
  const study_list *zipped = study_find_zipped(block);
  size_t count = zipped ? zipped->count : 1;
  for (size_t i = 0; i < block->count; i++) {
    if (study_is_zipped(&block->lists[i])) continue;
    count *= block->lists[i].count; /* at most a million times ten million: no overflow */
    if (count > RH_STUDY_RUNS_MAX) return (size_t)RH_STUDY_RUNS_MAX + 1;
  }
  return count;
}

/* Which of its values each list takes in a run of the block. picked [block->count] */
static void pick(const study_block *block, size_t run, size_t *picked)
{
  size_t rest = run;
  for (size_t i = block->count; i-- > 0;) {
    if (study_is_zipped(&block->lists[i])) continue;
    picked[i] = rest % block->lists[i].count;
    rest /= block->lists[i].count;
  }
  for (size_t i = 0; i < block->count; i++)
    if (study_is_zipped(&block->lists[i])) picked[i] = rest;
}

static const study_list *find_list(const study_block *block, const char *key)
{
  for (size_t i = 0; i < block->count; i++)
    if (strcmp(block->lists[i].key, key) == 0) return &block->lists[i];
  return NULL;
}

/* An item of `exclude`, made quick to ask. */
typedef struct filter {
  size_t count;    /* of keys that are varied */
  size_t *list;    /* [count] of the product */
  bool **excluded; /* [count][values of the list] */
  bool never;      /* a key that is not varied has another value */
  bool used;       /* it fits a run */
} filter;

static int compare_text(const void *key, const void *value)
{
  return strcmp(key, ((const study_value *)value)->text);
}

/* Whether a list of `exclude` has the value. */
static bool holds(const study_list *excluded, const char *text)
{
  return bsearch(text, excluded->values, excluded->count, sizeof *excluded->values, compare_text) != NULL;
}

static rh_status filter_key(const study_reader *r, const study_list *excluded, filter *f)
{
  const study_block *product = &r->product;
  const study_list *list = find_list(product, excluded->key);
  const rh_setting *setting = rh_settings_find(&r->base, excluded->key);
  if (!list && !setting)
    return rh_yaml_error(&r->yaml, RH_EINVAL, r->exclude_place,
                         "exclude: %s is neither varied nor set, so there is nothing to compare with", excluded->key);
  if (!list) {
    f->never = f->never || !holds(excluded, setting->value);
    return RH_OK;
  }
  bool *fits = calloc(list->count, sizeof *fits);
  RH_ASSERT(fits && "memory is exhausted");
  for (size_t i = 0; i < list->count; i++)
    fits[i] = holds(excluded, list->values[i].text);
  f->list[f->count] = (size_t)(list - product->lists);
  f->excluded[f->count++] = fits;
  return RH_OK;
}

static rh_status filter_new(const study_reader *r, const study_block *item, filter *f)
{
  f->list = calloc(item->count, sizeof *f->list);
  f->excluded = calloc(item->count, sizeof *f->excluded);
  RH_ASSERT(f->list && f->excluded && "memory is exhausted");
  for (size_t i = 0; i < item->count; i++) {
    rh_status status = filter_key(r, &item->lists[i], f);
    if (status != RH_OK) return status;
  }
  return RH_OK;
}

static void filters_free(filter *filters, size_t count)
{
  for (size_t i = 0; i < count; i++) {
    for (size_t k = 0; k < filters[i].count; k++)
      free(filters[i].excluded[k]);
    free(filters[i].excluded);
    free(filters[i].list);
  }
  free(filters);
}

static bool filter_fits(const filter *f, const size_t *picked)
{
  if (f->never) return false;
  for (size_t k = 0; k < f->count; k++)
    if (!f->excluded[k][picked[f->list[k]]]) return false;
  return true;
}

/* Which runs of the product stay. kept [count]; left: how many they are. */
static rh_status exclude(study_reader *r, bool *kept, size_t count, size_t *left)
{
  rh_status status = RH_OK;
  const size_t item_count = r->excluded.count;
  size_t *picked = calloc(r->product.count + 1, sizeof *picked);
  filter *filters = calloc(item_count + 1, sizeof *filters);
  RH_ASSERT(picked && filters && "memory is exhausted");
  for (size_t i = 0; i < item_count; i++)
    RH_TRY(filter_new(r, &r->excluded.list[i], &filters[i]));
  *left = count;
  for (size_t run = 0; run < count; run++) {
    pick(&r->product, run, picked);
    kept[run] = true;
    for (size_t i = 0; i < item_count; i++) {
      bool fits = filter_fits(&filters[i], picked);
      filters[i].used = filters[i].used || fits;
      if (fits) kept[run] = false;
    }
    *left -= !kept[run];
  }
  for (size_t i = 0; i < item_count; i++) {
    if (filters[i].used) continue;
    rh_yaml_append_where(&r->yaml, r->excluded.list[i].place, &r->study->warnings);
    rh_text_append(&r->study->warnings, ": exclude: this item fits no run\n");
  }
done:
  filters_free(filters, item_count);
  free(picked);
  return status;
}

static void append_run(study_reader *r, const study_block *block, const size_t *picked)
{
  rh_settings *settings = &r->study->runs[r->study->count++];
  rh_settings_copy(settings, &r->base);
  for (size_t i = 0; i < block->count; i++) {
    const study_value *value = &block->lists[i].values[picked[i]];
    study_set_at(r, settings, block->lists[i].key, value->text, value->place);
  }
}

static void append_block(study_reader *r, const study_block *block, size_t count, const bool *kept)
{
  size_t *picked = calloc(block->count + 1, sizeof *picked);
  RH_ASSERT(picked && "memory is exhausted");
  for (size_t run = 0; run < count; run++) {
    if (kept && !kept[run]) continue;
    pick(block, run, picked);
    append_run(r, block, picked);
  }
  free(picked);
}

/* Memory of a planned run, to say what a study of many takes: --dry-run with 30,000 seeds of logreg took 270 MB. */
static const double planned_bytes = 9e3;

bool rh_study_agree(const char *file, size_t runs)
{
  (void)file, (void)runs;
  return true;
}

bool rh_study_ask(const char *file, size_t runs)
{
  char memory[32], answer[16];
  if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) return false;
  fprintf(stderr, "%s: has %zu runs, whose plan takes about %s of memory. Go on? [y/N] ", file, runs,
          rh_unit_format(planned_bytes * (double)runs, RH_UNIT_BYTE, memory, sizeof memory));
  return fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

/* Too many runs are refused, many asked about, before memory is taken for them. */
static rh_status check_count(const study_reader *r, size_t count, rh_study_confirm *confirm)
{
  if (count > RH_STUDY_RUNS_MAX)
    return rh_error(RH_EINVAL, "%s: more than %d runs; split the study", r->yaml.file, RH_STUDY_RUNS_MAX);
  if (count <= RH_STUDY_RUNS_ASK || (confirm && confirm(r->yaml.file, count))) return RH_OK;
  return rh_error(RH_EINVAL, "%s: has %zu runs; more than %d need --yes", r->yaml.file, count, RH_STUDY_RUNS_ASK);
}

static void keep_varied_key(rh_study *study, const char *key, size_t *size)
{
  for (size_t i = 0; i < study->varied_count; i++)
    if (strcmp(study->varied[i], key) == 0) return;
  if (study->varied_count == *size) {
    *size = *size ? 2 * *size : 8;
    study->varied = realloc(study->varied, *size * sizeof *study->varied);
    RH_ASSERT(study->varied && "memory is exhausted");
  }
  study->varied[study->varied_count++] = rh_text_duplicate(key);
}

static void keep_varied_keys(study_reader *r)
{
  size_t size = 0;
  for (size_t i = 0; i < r->product.count; i++)
    keep_varied_key(r->study, r->product.lists[i].key, &size);
  for (size_t b = 0; b < r->included.count; b++)
    for (size_t i = 0; i < r->included.list[b].count; i++)
      keep_varied_key(r->study, r->included.list[b].lists[i].key, &size);
}

rh_status study_expand(study_reader *r, rh_study_confirm *confirm)
{
  rh_status status = RH_OK;
  const size_t product = count_of(&r->product);
  size_t included = 0, left = product;
  bool *kept = NULL;
  for (size_t i = 0; i < r->included.count; i++)
    included += count_of(&r->included.list[i]);
  RH_TRY(check_count(r, product + included, confirm));
  if (r->excluded.count > 0) {
    kept = calloc(product, sizeof *kept);
    RH_ASSERT(kept && "memory is exhausted");
    RH_TRY(exclude(r, kept, product, &left));
  }
  if (left + included == 0) {
    status = rh_yaml_error(&r->yaml, RH_EINVAL, r->exclude_place, "exclude: leaves none of the %zu runs", product);
    goto done;
  }
  r->study->runs = calloc(left + included, sizeof *r->study->runs);
  RH_ASSERT(r->study->runs && "memory is exhausted");
  append_block(r, &r->product, product, kept);
  for (size_t i = 0; i < r->included.count; i++)
    append_block(r, &r->included.list[i], count_of(&r->included.list[i]), NULL);
  keep_varied_keys(r);
done:
  free(kept);
  return status;
}
