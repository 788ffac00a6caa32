/* Text, numbers and quantities on their way into the page. See report_private.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "grid.h"
#include "report_private.h"
#include "unit.h"

void report_escape(rh_text *out, const char *text)
{
  rh_text visible = {0};
  rh_text_append_visible(&visible, text ? text : "");
  for (const char *at = rh_text_get(&visible); *at; at++) {
    const char *entity = *at == '&'    ? "&amp;"
                         : *at == '<'  ? "&lt;"
                         : *at == '>'  ? "&gt;"
                         : *at == '"'  ? "&quot;"
                         : *at == '\'' ? "&#39;"
                                       : NULL;
    if (entity)
      rh_text_append(out, "%s", entity);
    else
      rh_text_append_bytes(out, at, 1);
  }
  rh_text_clear(&visible);
}

void report_number(rh_text *out, double value, int digits)
{
  rh_text_append(out, isfinite(value) ? "%.*g" : "null", digits, value);
}

void report_quantity(rh_text *out, double value, rh_unit unit)
{
  char buffer[64];
  if (!isfinite(value)) {
    rh_text_append(out, isnan(value) ? "\xe2\x80\x93" : "not reached");
    return;
  }
  rh_unit_format(value, unit, buffer, sizeof buffer);
  char *micro = unit == RH_UNIT_SECOND ? strstr(buffer, " us") : NULL; /* as it is written on paper */
  if (micro) *micro = '\0';
  rh_text_append(out, "%s%s", buffer, micro ? " \xc2\xb5s" : "");
}

void report_make_safe(rh_text *out, size_t start)
{
  rh_text safe = {0};
  const char *data = rh_text_get(out);
  for (size_t i = start, from = start; i <= out->length; i++) {
    const bool line =
        i + 2 < out->length && memcmp(data + i, "\xe2\x80", 2) == 0 && (data[i + 2] == '\xa8' || data[i + 2] == '\xa9');
    if (i < out->length && data[i] != '<' && !line) continue;
    rh_text_append_bytes(&safe, data + from, i - from);
    if (i < out->length) rh_text_append(&safe, "%s", !line ? "\\u003c" : data[i + 2] == '\xa8' ? "\\u2028" : "\\u2029");
    from = i + (line ? 3 : 1);
    if (line) i += 2;
  }
  out->length = start;
  if (out->data) out->data[start] = '\0';
  rh_text_append_bytes(out, rh_text_get(&safe), safe.length);
  rh_text_clear(&safe);
}

/* --- names -------------------------------------------------------------------------------------------------------- */

static bool is_number(const char *value, size_t length)
{
  return length > 0 && ((value[0] >= '0' && value[0] <= '9') || value[0] == '-' || value[0] == '.');
}

static bool is_piece(const char *value, size_t length, const char *word)
{
  return length == strlen(word) && memcmp(value, word, length) == 0;
}

/* "a/b/fat-tree-64.xml" gives "fat-tree-64". */
static void append_value(rh_text *out, const char *value, size_t length)
{
  if (length > 4 && memcmp(value + length - 4, ".xml", 4) == 0) {
    length -= 4;
    for (size_t i = length; i > 0; i--)
      if (value[i - 1] == '/') {
        value += i;
        length -= i;
        break;
      }
  }
  rh_text_append_bytes(out, value, length);
}

/* One "section.key=value". Names speak for themselves; numbers and switches do not. */
static void append_pair(rh_text *out, const char *pair, size_t length)
{
  const char *equals = memchr(pair, '=', length), *key = pair;
  const char *value = equals + 1;
  const size_t rest = length - (size_t)(value - pair);
  for (const char *at = pair; at < equals; at++)
    if (*at == '.') key = at + 1;
  if (is_piece(pair, (size_t)(equals - pair), "compress.name") && is_piece(value, rest, "none")) {
    rh_text_append(out, "uncompressed");
    return;
  }
  if (is_number(value, rest) || is_piece(value, rest, "on") || is_piece(value, rest, "off") ||
      is_piece(value, rest, "none") || rest == 0) {
    for (const char *at = key; at < equals; at++)
      rh_text_append_bytes(out, *at == '_' ? " " : at, 1);
    rh_text_append(out, " ");
  }
  append_value(out, value, rest);
}

/* Values may hold blanks: a pair goes on until a blank that a "section.key=" follows. */
static size_t pair_length(const char *label)
{
  for (size_t i = 0;; i++) {
    if (label[i] == '\0') return i;
    if (label[i] != ' ') continue;
    const size_t key = strspn(label + i + 1, "abcdefghijklmnopqrstuvwxyz_0123456789.");
    if (key > 0 && label[i + 1 + key] == '=' && memchr(label + i + 1, '.', key)) return i;
  }
}

void report_name(rh_text *out, const char *label, const char *none)
{
  if (!label[0]) rh_text_append(out, "%s", none);
  for (bool first = true; *label; first = false) {
    const size_t length = pair_length(label);
    if (!first) rh_text_append(out, ", ");
    if (memchr(label, '=', length))
      append_pair(out, label, length);
    else
      rh_text_append_bytes(out, label, length);
    label += length + (label[length] == ' ');
  }
}

void report_alone(const rh_run_summary *run, rh_text *out)
{
  rh_text_append(out, "%s, %s", run->method, strcmp(run->compressor, "none") == 0 ? "uncompressed" : run->compressor);
}
