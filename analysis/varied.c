#include "varied.h"

#include <stdlib.h>
#include <string.h>

bool rh_configuration_next(const char **cursor, rh_piece *key, rh_piece *value)
{
  while (**cursor) {
    const char *line = *cursor, *end = strchr(line, '\n');
    size_t length = end ? (size_t)(end - line) : strlen(line);
    *cursor = end ? end + 1 : line + length;
    const char *equals = memchr(line, '=', length);
    if (!equals) continue;
    *key = (rh_piece){line, (size_t)(equals - line)};
    *value = (rh_piece){equals + 1, length - key->length - 1};
    return true;
  }
  return false;
}

bool rh_piece_equal(rh_piece a, rh_piece b)
{
  if (!a.data || !b.data) return a.data == b.data;
  return a.length == b.length && memcmp(a.data, b.data, a.length) == 0;
}

rh_piece rh_configuration_value(const char *configuration, const char *key)
{
  rh_piece wanted = {key, strlen(key)}, found, value;
  while (rh_configuration_next(&configuration, &found, &value))
    if (rh_piece_equal(found, wanted)) return value;
  return (rh_piece){0};
}

static void write_piece_json(rh_piece piece, rh_text *out)
{
  rh_text text = {0};
  rh_text_append_bytes(&text, piece.data, piece.length);
  rh_text_append_json(out, rh_text_get(&text));
  rh_text_clear(&text);
}

void rh_configuration_write_json(const char *configuration, rh_text *out)
{
  rh_piece key, value;
  rh_text_append(out, "{");
  for (bool first = true; rh_configuration_next(&configuration, &key, &value); first = false) {
    rh_text_append(out, "%s", first ? "" : ", ");
    write_piece_json(key, out);
    rh_text_append(out, ": ");
    write_piece_json(value, out);
  }
  rh_text_append(out, "}");
}

/* All values of all runs, one entry a line, so that they can be sorted by key. */
typedef struct entry {
  rh_piece key, value;
  size_t order; /* of appearance */
} entry;

static int compare_pieces(rh_piece a, rh_piece b)
{
  int order = memcmp(a.data, b.data, a.length < b.length ? a.length : b.length);
  return order ? order : (a.length > b.length) - (a.length < b.length);
}

static int by_key(const void *a, const void *b)
{
  const entry *x = a, *y = b;
  int order = compare_pieces(x->key, y->key);
  return order ? order : (x->order > y->order) - (x->order < y->order);
}

static int by_order(const void *a, const void *b)
{
  const entry *x = a, *y = b;
  return (x->order > y->order) - (x->order < y->order);
}

static size_t collect(const rh_run_list *runs, entry *entries)
{
  size_t count = 0;
  for (int32_t i = 0; i < runs->count; i++) {
    const char *cursor = runs->list[i].configuration;
    rh_piece key, value;
    while (rh_configuration_next(&cursor, &key, &value)) {
      if (entries) entries[count] = (entry){key, value, count};
      count++;
    }
  }
  return count;
}

void rh_varied_find(const rh_run_list *runs, rh_varied *varied)
{
  *varied = (rh_varied){0};
  size_t count = collect(runs, NULL), kept = 0;
  if (count == 0) return;
  entry *entries = malloc(count * sizeof *entries);
  RH_ASSERT(entries);
  collect(runs, entries);
  qsort(entries, count, sizeof *entries, by_key);
  for (size_t i = 0, next; i < count; i = next) {
    bool differs = false;
    entry first = entries[i];
    for (next = i; next < count && rh_piece_equal(entries[next].key, first.key); next++)
      differs = differs || !rh_piece_equal(entries[next].value, first.value);
    if (differs) entries[kept++] = first;
  }
  qsort(entries, kept, sizeof *entries, by_order);
  varied->keys = calloc(kept ? kept : 1, sizeof *varied->keys);
  RH_ASSERT(varied->keys);
  for (size_t i = 0; i < kept; i++) {
    rh_text key = {0};
    rh_text_append_bytes(&key, entries[i].key.data, entries[i].key.length);
    varied->keys[varied->count++] = rh_text_duplicate(rh_text_get(&key));
    rh_text_clear(&key);
  }
  free(entries);
}

void rh_varied_clear(rh_varied *varied)
{
  for (int i = 0; i < varied->count; i++)
    free(varied->keys[i]);
  free(varied->keys);
  *varied = (rh_varied){0};
}
