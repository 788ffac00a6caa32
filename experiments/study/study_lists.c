/* The lists of values to try: under `vary` and `zip`, in the items of `include` and `exclude`. */
#include <errno.h>
#include <libfyaml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "study_private.h"

enum { VALUES_MAX = 1000000 }; /* of one list */

/* "a..b" in whole numbers, nothing before or behind. */
static bool is_range(const char *text, long long *first, long long *last)
{
  char *end;
  errno = 0;
  *first = strtoll(text, &end, 10);
  if (end == text || strncmp(end, "..", 2) != 0) return false;
  const char *second = end + 2;
  *last = strtoll(second, &end, 10);
  return end != second && !*end && errno == 0;
}

bool study_is_zipped(const study_list *list)
{
  return strcmp(list->kind, "zip") == 0;
}

static rh_status add_value(const study_reader *r, study_list *v, const char *text, rh_place place)
{
  if (v->count >= VALUES_MAX)
    return rh_yaml_error(&r->yaml, RH_EINVAL, place, "%s: %s: more than %d values", v->kind, v->key, VALUES_MAX);
  if (v->count == v->size) {
    v->size = v->size ? 2 * v->size : 8;
    v->values = realloc(v->values, v->size * sizeof *v->values);
    RH_ASSERT(v->values && "memory is exhausted");
  }
  v->values[v->count++] = (study_value){rh_text_duplicate(text), place};
  return RH_OK;
}

static rh_status add_range(const study_reader *r, study_list *v, const char *text, long long first, long long last,
                           rh_place place)
{
  if (first > last)
    return rh_yaml_error(&r->yaml, RH_EINVAL, place, "%s: %s: the range %s is empty", v->kind, v->key, text);
  for (long long i = first;; i++) {
    char value[32];
    snprintf(value, sizeof value, "%lld", i);
    rh_status status = add_value(r, v, value, place);
    if (status != RH_OK || i == last) return status; /* before i++, which the largest number does not survive */
  }
}

static int compare_values(const void *a, const void *b)
{
  const study_value *const *x = a, *const *y = b;
  int order = strcmp((*x)->text, (*y)->text);
  return order != 0 ? order : (*x > *y) - (*x < *y); /* pointers into one array: the order of writing */
}

static int compare_texts(const void *a, const void *b)
{
  return strcmp(((const study_value *)a)->text, ((const study_value *)b)->text);
}

/* A value twice is a mistake, but for zip, where another list may tell the two apart. */
static rh_status check_twice(const study_reader *r, const study_list *v)
{
  if (study_is_zipped(v) || v->count < 2) return RH_OK;
  const study_value **sorted = malloc(v->count * sizeof *sorted), *second = NULL;
  RH_ASSERT(sorted && "memory is exhausted");
  for (size_t i = 0; i < v->count; i++)
    sorted[i] = &v->values[i];
  qsort(sorted, v->count, sizeof *sorted, compare_values);
  for (size_t i = 1; i < v->count; i++)
    if (strcmp(sorted[i - 1]->text, sorted[i]->text) == 0 && (!second || sorted[i] < second)) second = sorted[i];
  free(sorted);
  if (!second) return RH_OK;
  return rh_yaml_error(&r->yaml, RH_EINVAL, second->place, "%s: %s: '%s' is there twice", v->kind, v->key,
                       second->text);
}

static rh_status read_value(const study_reader *r, study_list *v, struct fy_node *item, rh_place place)
{
  char *value = NULL;
  long long first, last;
  rh_status status = study_read_scalar(r, item, place, v->key, &value);
  rh_place at = rh_yaml_place(item, place);
  if (status == RH_OK)
    status = fy_node_get_style(item) == FYNS_PLAIN && is_range(value, &first, &last)
                 ? add_range(r, v, value, first, last, at)
                 : add_value(r, v, value, at);
  free(value);
  return status;
}

static rh_status read_values(const study_reader *r, study_list *v, struct fy_node *list, rh_place place)
{
  bool single = strcmp(v->kind, "include") == 0 || strcmp(v->kind, "exclude") == 0;
  if (list && fy_node_is_alias(list))
    return rh_yaml_error(&r->yaml, RH_EUNSUPPORTED, rh_yaml_place(list, place),
                         "%s: aliases are not read; write the value out", v->key);
  if (single && list && fy_node_is_scalar(list)) return read_value(r, v, list, place);
  if (!list || !fy_node_is_sequence(list))
    return rh_yaml_error(&r->yaml, RH_EINVAL, rh_yaml_place(list, place),
                         "%s: %s: expects %sa list such as [1, 2] or [1..3]", v->kind, v->key,
                         single ? "a value or " : "");
  void *iterator = NULL;
  for (struct fy_node *item; (item = fy_node_sequence_iterate(list, &iterator));) {
    rh_status status = read_value(r, v, item, place);
    if (status != RH_OK) return status;
  }
  if (v->count == 0) return rh_yaml_error(&r->yaml, RH_EINVAL, place, "%s: %s: the list is empty", v->kind, v->key);
  rh_status status = check_twice(r, v);
  if (strcmp(v->kind, "exclude") == 0) qsort(v->values, v->count, sizeof *v->values, compare_texts);
  return status;
}

/* A key of a block, which no other list of it may have, with its values. */
static rh_status read_key(const study_reader *r, study_block *block, const char *kind, struct fy_node_pair *pair,
                          rh_place block_place)
{
  study_list *v = &block->lists[block->count];
  rh_place place = rh_yaml_place(fy_node_pair_key(pair), block_place);
  rh_status status = study_read_scalar(r, fy_node_pair_key(pair), block_place, kind, &v->key);
  if (status != RH_OK) return status;
  v->kind = kind;
  block->count++;
  for (size_t i = 0; i + 1 < block->count; i++)
    if (strcmp(block->lists[i].key, v->key) == 0)
      return rh_yaml_error(&r->yaml, RH_EINVAL, place, "%s: %s is under %s already", kind, v->key,
                           block->lists[i].kind);
  if (study_is_key(v->key)) return read_values(r, v, fy_node_pair_value(pair), place);
  rh_text reason = {0};
  study_explain_key(v->key, &reason);
  status = rh_yaml_error(&r->yaml, RH_EINVAL, place, "%s: %s", kind, reason.data);
  rh_text_clear(&reason);
  return status;
}

const study_list *study_find_zipped(const study_block *block)
{
  for (size_t i = 0; i < block->count; i++)
    if (study_is_zipped(&block->lists[i])) return &block->lists[i];
  return NULL;
}

static rh_status read_block(const study_reader *r, study_block *block, const char *kind, struct fy_node *node,
                            rh_place place)
{
  if (!node || !fy_node_is_mapping(node))
    return rh_yaml_error(&r->yaml, RH_EINVAL, rh_yaml_place(node, place),
                         "%s: expects keys with lists, such as run.seed: [1..3]", kind);
  const size_t size = block->count + (size_t)fy_node_mapping_item_count(node) + 1;
  block->lists = realloc(block->lists, size * sizeof *block->lists);
  RH_ASSERT(block->lists && "memory is exhausted");
  memset(block->lists + block->count, 0, (size - block->count) * sizeof *block->lists);
  void *iterator = NULL;
  for (struct fy_node_pair *pair; (pair = fy_node_mapping_iterate(node, &iterator));) {
    rh_status status = read_key(r, block, kind, pair, place);
    if (status != RH_OK) return status;
    const study_list *v = &block->lists[block->count - 1], *first = study_find_zipped(block);
    if (study_is_zipped(v) && v->count != first->count)
      return rh_yaml_error(&r->yaml, RH_EINVAL, rh_yaml_place(fy_node_pair_key(pair), place),
                           "zip: %s has %zu values and %s has %zu: lists that advance together are equally long",
                           v->key, v->count, first->key, first->count);
  }
  return RH_OK;
}

rh_status study_read_lists(study_reader *r, const char *kind, struct fy_node *node, rh_place place)
{
  return read_block(r, &r->product, kind, node, place);
}

rh_status study_read_blocks(study_reader *r, const char *kind, struct fy_node *node, rh_place place)
{
  study_blocks *blocks = strcmp(kind, "include") == 0 ? &r->included : &r->excluded;
  if (!node || !fy_node_is_sequence(node))
    return rh_yaml_error(&r->yaml, RH_EINVAL, rh_yaml_place(node, place),
                         "%s: expects a list of items such as {train.method: dpsgd, run.seed: [1..3]}", kind);
  blocks->list = calloc((size_t)fy_node_sequence_item_count(node) + 1, sizeof *blocks->list);
  RH_ASSERT(blocks->list && "memory is exhausted");
  void *iterator = NULL;
  for (struct fy_node *item; (item = fy_node_sequence_iterate(node, &iterator));) {
    study_block *block = &blocks->list[blocks->count++];
    block->place = rh_yaml_place(item, place);
    rh_status status = read_block(r, block, kind, item, block->place);
    if (status == RH_OK && block->count == 0)
      status = rh_yaml_error(&r->yaml, RH_EINVAL, block->place, "%s: an item names no key", kind);
    if (status != RH_OK) return status;
  }
  return RH_OK;
}

static void list_clear(study_list *list)
{
  for (size_t i = 0; i < list->count; i++)
    free(list->values[i].text);
  free(list->values);
  free(list->key);
}

static void drop_from(study_block *block, const char *key)
{
  for (size_t i = 0; i < block->count; i++) {
    if (strcmp(block->lists[i].key, key) != 0) continue;
    list_clear(&block->lists[i]);
    block->count--;
    memmove(&block->lists[i], &block->lists[i + 1], (block->count - i) * sizeof *block->lists);
    return; /* a key is once in a block */
  }
}

void study_drop_key(study_reader *r, const char *key)
{
  drop_from(&r->product, key);
  for (size_t i = 0; i < r->included.count; i++)
    drop_from(&r->included.list[i], key);
}

void study_block_clear(study_block *block)
{
  for (size_t i = 0; i < block->count; i++)
    list_clear(&block->lists[i]);
  free(block->lists);
  *block = (study_block){0};
}

void study_blocks_clear(study_blocks *blocks)
{
  for (size_t i = 0; i < blocks->count; i++)
    study_block_clear(&blocks->list[i]);
  free(blocks->list);
  *blocks = (study_blocks){0};
}
