#include "option.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { KEY_SIZE = 128 };

static void *field(const rh_option *row, void *target)
{
  return (char *)target + row->offset;
}

static const void *field_const(const rh_option *row, const void *target)
{
  return (const char *)target + row->offset;
}

/* The i-th word of a blank-separated list in buffer, or NULL past the end. */
static const char *word_at(const char *words, size_t i, char *buffer, size_t size)
{
  for (;; i--) {
    words += strspn(words, " ");
    size_t n = strcspn(words, " ");
    if (n == 0) return NULL;
    if (i == 0) {
      snprintf(buffer, size, "%.*s", (int)n, words);
      return buffer;
    }
    words += n;
  }
}

/* rh_text_nearest keeps the pointer of the best candidate, so words need storage that lasts: a few by turns. */
typedef struct word_list {
  const char *words;
  char (*storage)[KEY_SIZE];
  size_t size;
} word_list;

static const char *word_candidate(const void *context, size_t i)
{
  const word_list *list = context;
  return i < list->size ? word_at(list->words, i, list->storage[i], KEY_SIZE) : NULL;
}

/* Whole numbers end at 2^53, beyond which a double, in which ranges are compared, skips some: no limit worth naming. */
static bool has_upper_limit(const rh_option *row)
{
  return isfinite(row->max) && !(row->kind == RH_OPTION_INTEGER && row->max >= 0x1p53);
}

static rh_status check_range(const rh_option *row, const char *text, double value)
{
  if ((row->min == 0 && row->max == 0) || (value >= row->min && value <= row->max)) return RH_OK;
  if (row->kind == RH_OPTION_INTEGER && value > row->max && !has_upper_limit(row))
    return rh_error(RH_EINVAL, "%s is too large", text);
  if (row->unit == RH_UNIT_NONE)
    return has_upper_limit(row) ? rh_error(RH_EINVAL, "%s is out of range: %.15g to %.15g", text, row->min, row->max)
                                : rh_error(RH_EINVAL, "%s is out of range: at least %.15g", text, row->min);
  char low[32], high[32];
  rh_unit_format(row->min, row->unit, low, sizeof low);
  rh_unit_format(row->max, row->unit, high, sizeof high);
  return has_upper_limit(row) ? rh_error(RH_EINVAL, "%s is out of range: %s to %s", text, low, high)
                              : rh_error(RH_EINVAL, "%s is out of range: at least %s", text, low);
}

static rh_status parse_integer(const rh_option *row, const char *text, int64_t *value)
{
  char *end;
  errno = 0;
  long long number = strtoll(text, &end, 10);
  while (isspace((unsigned char)*end))
    end++;
  if (end == text || *end || !text[0]) return rh_error(RH_EINVAL, "'%s' is not a whole number", text);
  if (errno == ERANGE) return rh_error(RH_EINVAL, "%s is too large", text);
  *value = number;
  return check_range(row, text, (double)number);
}

static rh_status parse_real(const rh_option *row, const char *text, double *value)
{
  rh_status status = rh_unit_parse(text, row->unit, value);
  return status == RH_OK ? check_range(row, text, *value) : status;
}

static rh_status parse_switch(const char *text, bool *value)
{
  static const char *const yes[] = {"on", "yes", "true"}, *const no[] = {"off", "no", "false"};
  for (size_t i = 0; i < RH_COUNT(yes); i++) {
    if (strcasecmp(text, yes[i]) == 0 || strcasecmp(text, no[i]) == 0) {
      *value = strcasecmp(text, yes[i]) == 0;
      return RH_OK;
    }
  }
  return rh_error(RH_EINVAL, "'%s' is neither on nor off", text);
}

static rh_status parse_choice(const rh_option *row, const char *text, int *value)
{
  char storage[16][KEY_SIZE];
  word_list list = {row->choices, storage, RH_COUNT(storage)};
  for (size_t i = 0; word_candidate(&list, i); i++) {
    if (strcmp(storage[i], text) == 0) {
      *value = (int)i;
      return RH_OK;
    }
  }
  const char *near = rh_text_nearest(text, word_candidate, &list);
  return near ? rh_error(RH_EINVAL, "'%s' is unknown; did you mean '%s'? (one of: %s)", text, near, row->choices)
              : rh_error(RH_EINVAL, "'%s' is unknown; one of: %s", text, row->choices);
}

static rh_status parse_steps(const char *text, rh_steps *value)
{
  *value = (rh_steps){0};
  for (const char *at = text + strspn(text, " ,"); *at; at += strspn(at, " ,")) {
    char *end;
    errno = 0;
    long long from = strtoll(at, &end, 10);
    bool ok = end != at && *end == ':' && errno == 0 && from >= 0;
    const char *second = end + 1;
    double factor = ok ? strtod(second, &end) : 0;
    if (!ok || end == second || !isfinite(factor) || factor <= 0 || !strchr(" ,", *end))
      return rh_error(RH_EINVAL, "'%s' is not a list of round:factor pairs such as '100:0.1 150:0.1'", text);
    if (value->count == RH_STEPS_MAX) return rh_error(RH_EINVAL, "'%s' has more than %d steps", text, RH_STEPS_MAX);
    if (value->count > 0 && value->step[value->count - 1].from >= from)
      return rh_error(RH_EINVAL, "'%s': rounds must ascend", text);
    value->step[value->count].from = from;
    value->step[value->count++].factor = factor;
    at = end;
  }
  return RH_OK;
}

/* Parses text into the row's field; the message carries no place. */
static rh_status parse(const rh_option *row, const char *text, void *target)
{
  void *at = field(row, target);
  switch (row->kind) {
  case RH_OPTION_INTEGER:
    return parse_integer(row, text, at);
  case RH_OPTION_REAL:
    return parse_real(row, text, at);
  case RH_OPTION_SWITCH:
    return parse_switch(text, at);
  case RH_OPTION_CHOICE:
    return parse_choice(row, text, at);
  case RH_OPTION_STEPS:
    return parse_steps(text, at);
  case RH_OPTION_TEXT:
    *(const char **)at = text;
    return RH_OK;
  }
  RH_ASSERT(false && "an option row without a kind");
  return RH_EINVAL;
}

rh_status rh_option_read(const rh_option *rows, size_t count, const char *section, const rh_settings *settings,
                         void *target)
{
  for (size_t i = 0; i < count; i++) {
    char key[KEY_SIZE];
    snprintf(key, sizeof key, "%s.%s", section, rows[i].name);
    const rh_setting *setting = rh_settings_find(settings, key);
    if (setting) {
      rh_status status = parse(&rows[i], setting->value, target);
      if (status != RH_OK) return rh_settings_error(status, setting, "%s", rh_error_message());
    } else if (!rows[i].fallback) {
      return rh_error(RH_EINVAL, "%s is missing: %s", key, rows[i].help);
    } else {
      RH_ASSERT(parse(&rows[i], rows[i].fallback, target) == RH_OK);
    }
  }
  return RH_OK;
}

typedef struct group_list {
  const rh_option_group *groups;
  size_t count;
} group_list;

static const char *group_candidate(const void *context, size_t i)
{
  const group_list *list = context;
  for (size_t g = 0; g < list->count; i -= list->groups[g++].count)
    if (i < list->groups[g].count) return list->groups[g].rows[i].name;
  return NULL;
}

rh_status rh_option_check_known(const rh_option_group *groups, size_t group_count, const char *section,
                                const rh_settings *settings)
{
  group_list list = {groups, group_count};
  size_t prefix = strlen(section);
  for (size_t i = 0; i < settings->count; i++) {
    const rh_setting *setting = &settings->list[i];
    if (strncmp(setting->key, section, prefix) != 0 || setting->key[prefix] != '.') continue;
    const char *name = setting->key + prefix + 1;
    bool known = false;
    for (size_t k = 0; !known && group_candidate(&list, k); k++)
      known = strcmp(group_candidate(&list, k), name) == 0;
    if (known) continue;
    const char *near = rh_text_nearest(name, group_candidate, &list);
    return near ? rh_settings_error(RH_EINVAL, setting, "unknown key; did you mean '%s'?", near)
                : rh_settings_error(RH_EINVAL, setting, "unknown key here; this section's keys depend on its choices");
  }
  return RH_OK;
}

static void write_value(const rh_option *row, const void *target, rh_text *out)
{
  const void *at = field_const(row, target);
  char word[KEY_SIZE];
  switch (row->kind) {
  case RH_OPTION_INTEGER:
    rh_text_append(out, "%" PRId64, *(const int64_t *)at);
    break;
  case RH_OPTION_SWITCH:
    rh_text_append(out, "%s", *(const bool *)at ? "on" : "off");
    break;
  case RH_OPTION_CHOICE:
    rh_text_append(out, "%s", word_at(row->choices, (size_t) * (const int *)at, word, sizeof word));
    break;
  case RH_OPTION_TEXT:
    rh_text_append(out, "%s", *(const char *const *)at);
    break;
  case RH_OPTION_REAL: {
    static const char *const base[] = {"", "s", "B", "Bps", "f"};
    rh_text_append_json_number(out, *(const double *)at);
    rh_text_append(out, "%s", base[row->unit]);
    break;
  }
  case RH_OPTION_STEPS: {
    const rh_steps *steps = at;
    for (int i = 0; i < steps->count; i++) {
      rh_text_append(out, "%s%" PRId64 ":", i ? " " : "", steps->step[i].from);
      rh_text_append_json_number(out, steps->step[i].factor);
    }
    break;
  }
  }
}

void rh_option_write(const rh_option *rows, size_t count, const char *section, const void *target, rh_text *out)
{
  for (size_t i = 0; i < count; i++) {
    rh_text_append(out, "%s.%s=", section, rows[i].name);
    write_value(&rows[i], target, out);
    rh_text_append(out, "\n");
  }
}

/* "whole number, 2 to 8", "size (B kB MB ...)", "one of: iid skew" */
static void describe_type(const rh_option *row, rh_text *out)
{
  static const char *const plain[] = {
      [RH_OPTION_INTEGER] = "whole number", [RH_OPTION_REAL] = "number", [RH_OPTION_SWITCH] = "on or off",
      [RH_OPTION_CHOICE] = "one of: ",      [RH_OPTION_TEXT] = "text",   [RH_OPTION_STEPS] = "round:factor pairs"};
  rh_text_append(out, "%s", plain[row->kind]);
  if (row->kind == RH_OPTION_CHOICE) rh_text_append(out, "%s", row->choices);
  if (row->unit != RH_UNIT_NONE) rh_text_append(out, " with a unit (%s)", rh_unit_names(row->unit));
  if (row->min == 0 && row->max == 0) return;
  if (row->unit != RH_UNIT_NONE) {
    char low[32];
    rh_text_append(out, ", at least %s", rh_unit_format(row->min, row->unit, low, sizeof low));
  } else if (has_upper_limit(row)) {
    rh_text_append(out, ", %.15g to %.15g", row->min, row->max);
  } else {
    rh_text_append(out, ", at least %.15g", row->min);
  }
}

static void describe_json(const rh_option *row, rh_text *out)
{
  rh_text type = {0};
  describe_type(row, &type);
  rh_text_append(out, "{\"name\": ");
  rh_text_append_json(out, row->name);
  rh_text_append(out, ", \"type\": ");
  rh_text_append_json(out, rh_text_get(&type));
  rh_text_append(out, ", \"default\": ");
  rh_text_append_json(out, row->fallback);
  rh_text_append(out, ", \"help\": ");
  rh_text_append_json(out, row->help);
  rh_text_append(out, "}");
  rh_text_clear(&type);
}

enum { HELP_COLUMN = 21, HELP_WIDTH = 100 };

void rh_option_describe(const rh_option *rows, size_t count, bool json, rh_text *out)
{
  if (json) rh_text_append(out, "[");
  for (size_t i = 0; i < count; i++) {
    if (json) {
      rh_text_append(out, "%s", i ? ", " : "");
      describe_json(&rows[i], out);
      continue;
    }
    rh_text type = {0};
    describe_type(&rows[i], &type);
    if (!rows[i].fallback)
      rh_text_append(&type, "; required");
    else
      rh_text_append(&type, "; default %s", rows[i].fallback[0] ? rows[i].fallback : "none");
    rh_text_append(out, "  %-18s ", rows[i].name);
    rh_text_append_wrapped(out, rows[i].help, HELP_COLUMN, HELP_COLUMN, HELP_WIDTH);
    rh_text_append(out, "\n%*s", (int)HELP_COLUMN, "");
    rh_text_append_wrapped(out, rh_text_get(&type), HELP_COLUMN, HELP_COLUMN, HELP_WIDTH);
    rh_text_append(out, "\n");
    rh_text_clear(&type);
  }
  if (json) rh_text_append(out, "]");
}
