/* Options that were varied in vain: users of simulators change a topology or a bandwidth, nothing happens, and nobody
 * tells them. Two runs are compared when they differ in one option alone.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "grid.h"
#include "varied.h"

static bool same_number(double a, double b)
{
  return a == b || (isnan(a) && isnan(b));
}

static bool same_result(const rh_run_summary *a, const rh_run_summary *b)
{
  return same_number(a->accuracy, b->accuracy) && same_number(a->simulated_s, b->simulated_s) &&
         a->wire_bytes == b->wire_bytes && a->rounds == b->rounds &&
         strcmp(a->parameters_hash, b->parameters_hash) == 0;
}

/* A run with the values of all varied options but one. */
typedef struct member {
  const rh_run_summary *run;
  char *others; /* owned */
} member;

static int by_others(const void *a, const void *b)
{
  return strcmp(((const member *)a)->others, ((const member *)b)->others);
}

static char *write_others(const rh_run_summary *run, const rh_varied *varied, int without)
{
  rh_text text = {0};
  for (int k = 0; k < varied->count; k++) {
    if (k == without) continue;
    rh_piece value = rh_configuration_value(run->configuration, varied->keys[k]);
    rh_text_append(&text, value.data ? "=" : "-");
    rh_text_append_bytes(&text, value.data ? value.data : "", value.length);
    rh_text_append(&text, "\n");
  }
  char *others = rh_text_duplicate(rh_text_get(&text));
  rh_text_clear(&text);
  return others;
}

/* Compares neighbours in the sorted list that agree in all other options. */
static void compare(const member *members, int32_t count, const char *key, int32_t *compared, bool *changed)
{
  for (int32_t i = 1; i < count; i++) {
    if (strcmp(members[i - 1].others, members[i].others) != 0) continue;
    rh_piece before = rh_configuration_value(members[i - 1].run->configuration, key);
    rh_piece after = rh_configuration_value(members[i].run->configuration, key);
    if (rh_piece_equal(before, after)) continue;
    (*compared)++;
    if (!same_result(members[i - 1].run, members[i].run)) *changed = true;
  }
}

static bool is_done(const rh_run_summary *run)
{
  return strcmp(run->status, "done") == 0;
}

static bool all_agree(const rh_run_list *runs)
{
  const rh_run_summary *first = NULL;
  for (int32_t i = 0; i < runs->count; i++) {
    if (!is_done(&runs->list[i])) continue;
    if (first && !same_result(first, &runs->list[i])) return false;
    first = &runs->list[i];
  }
  return true;
}

bool rh_varied_changed_nothing(const rh_run_list *runs, const rh_varied *varied, int key)
{
  member *members = calloc((size_t)runs->count + 1, sizeof *members);
  RH_ASSERT(members);
  int32_t count = 0, compared = 0;
  bool changed = false;
  for (int32_t i = 0; i < runs->count; i++)
    if (is_done(&runs->list[i])) members[count++] = (member){&runs->list[i], write_others(&runs->list[i], varied, key)};
  qsort(members, (size_t)count, sizeof *members, by_others);
  compare(members, count, varied->keys[key], &compared, &changed);
  for (int32_t i = 0; i < count; i++)
    free(members[i].others);
  free(members);
  /* options that were varied together have no pair of their own: they are blamed when all results agree */
  return compared > 0 ? !changed : all_agree(runs);
}

static void write_line(const rh_run_list *runs, const char *key, rh_text *out)
{
  enum { LISTED = 6 };
  rh_piece seen[LISTED];
  int values = 0;
  rh_text_append_visible(out, key);
  rh_text_append(out, " changed nothing:");
  for (int32_t i = 0; i < runs->count && values <= LISTED; i++) {
    rh_piece value = rh_configuration_value(runs->list[i].configuration, key);
    bool known = !value.data;
    for (int k = 0; k < values && !known; k++)
      known = rh_piece_equal(seen[k], value);
    if (known) continue;
    if (values == LISTED) {
      rh_text_append(out, ", ...");
      break;
    }
    seen[values++] = value;
    rh_text text = {0};
    rh_text_append_bytes(&text, value.data, value.length);
    rh_text_append(out, "%s ", values > 1 ? "," : "");
    rh_text_append_visible(out, value.length ? rh_text_get(&text) : "(empty)");
    rh_text_clear(&text);
  }
  rh_text_append(out, " give the same accuracy, simulated time and bytes\n");
}

void rh_table_write_unchanged(const rh_run_list *runs, rh_text *out)
{
  rh_run_list done = {0}; /* borrows the runs that count */
  done.list = calloc((size_t)runs->count + 1, sizeof *done.list);
  RH_ASSERT(done.list);
  for (int32_t i = 0; i < runs->count; i++)
    if (is_done(&runs->list[i])) done.list[done.count++] = runs->list[i];
  rh_varied varied;
  rh_varied_find(&done, &varied);
  for (int k = 0; k < varied.count; k++)
    if (rh_varied_changed_nothing(&done, &varied, k)) write_line(&done, varied.keys[k], out);
  rh_varied_clear(&varied);
  free(done.list);
}
