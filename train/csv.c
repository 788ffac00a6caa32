#include "csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data_files.h"

enum { FIELDS_MAX = 1 << 20, ROWS_FIRST = 1024 };

/* A file being read. */
typedef struct reader {
  const rh_csv_def *def;
  rh_csv *table;
  char *at;      /* of the next line */
  char **fields; /* [size] of the line at hand */
  int64_t count, size, line;
  int64_t columns; /* of the first line; 0 before */
  int64_t label;   /* its column, from 0 */
  bool named;      /* found by its name: the first line is a header */
  int64_t rows;    /* room in the table */
} reader;

static bool is_blank(char sign)
{
  return sign == ' ' || sign == '\r';
}

static void add_field(reader *r, char *field)
{
  if (r->count == r->size) {
    r->size = r->size ? 2 * r->size : 64;
    r->fields = realloc(r->fields, (size_t)r->size * sizeof *r->fields);
    RH_ASSERT(r->fields && "memory is exhausted");
  }
  r->fields[r->count++] = field;
}

/* A field in quotes, whose quotes are removed in place; *after is what follows them. NULL if they do not end. */
static char *unquote(char *from, char **after)
{
  char *to = from;
  for (char *at = from + 1; *at; at++) {
    if (*at == '"' && at[1] != '"') {
      *to = '\0';
      *after = at + 1;
      return from;
    }
    if (*at == '"') at++;
    *to++ = *at;
  }
  return NULL;
}

/* Cuts a line into fields, in place. */
static rh_status cut_line(reader *r, char *line)
{
  r->count = 0;
  for (bool more = true; more;) {
    while (is_blank(*line))
      line++;
    char *field = line, *end;
    const bool quoted = *line == '"';
    if (quoted) {
      field = unquote(line, &end);
      if (!field)
        return rh_error(RH_EFORMAT, "'%s':%lld: field %lld: its quotes do not end within the line", r->table->path,
                        (long long)r->line, (long long)r->count + 1);
      while (is_blank(*end))
        end++;
      if (*end && *end != r->def->separator)
        return rh_error(RH_EFORMAT, "'%s':%lld: field %lld: '%.20s' follows its quotes; is data.separator right?",
                        r->table->path, (long long)r->line, (long long)r->count + 1, end);
    } else {
      for (end = line; *end && *end != r->def->separator;)
        end++;
    }
    more = *end != '\0';
    line = end + 1;
    *end = '\0';
    for (char *last = end; !quoted && last > field && is_blank(last[-1]);)
      *--last = '\0';
    if (r->count == FIELDS_MAX)
      return rh_error(RH_EFORMAT, "'%s':%lld: more than %d fields; is it a table of numbers?", r->table->path,
                      (long long)r->line, FIELDS_MAX);
    add_field(r, field);
  }
  return RH_OK;
}

/* The next line that holds anything, without its end; NULL: there is none. */
static char *next_line(reader *r)
{
  while (*r->at) {
    char *line = r->at, *end = strchr(line, '\n');
    r->line++;
    r->at = end ? end + 1 : line + strlen(line);
    if (end) *end = '\0';
    if (line[strspn(line, " \t\r")]) return line;
  }
  return NULL;
}

static bool is_number(const char *text, float *value)
{
  char *end;
  *value = strtof(text, &end);
  return end != text && *end == '\0' && isfinite(*value);
}

/* The label's column, from the option and the fields of the first line. */
static rh_status find_label(reader *r, bool may_be_named)
{
  const char *label = r->def->label;
  char *end;
  const long column = strtol(label, &end, 10);
  r->label = -1;
  if (strcmp(label, "first") == 0) r->label = 0;
  if (strcmp(label, "last") == 0) r->label = r->columns - 1;
  if (r->label < 0 && *label && !*end && column >= 1 && column <= r->columns) r->label = column - 1;
  for (int64_t c = 0; r->label < 0 && may_be_named && c < r->columns; c++)
    if (strcmp(r->fields[c], label) == 0) {
      r->label = c;
      r->named = true;
    }
  if (r->label >= 0) return RH_OK;
  return rh_error(
      RH_EINVAL,
      "data.label: '%s' is no column of '%s', which has %lld: give first, last, a number counted from 1, or "
      "a name of its header",
      label, r->table->path, (long long)r->columns);
}

/* Whether the first line names columns. One of words and numbers is asked about: taken for names, a sample whose field
 * is empty would be lost without a word. */
static rh_status find_header(const reader *r, bool *header)
{
  int64_t word = -1, words = 0;
  float value;
  *header = r->named || r->def->header == RH_CSV_YES;
  if (*header || r->def->header == RH_CSV_NO) return RH_OK;
  for (int64_t c = 0; c < r->count; c++)
    if (c != r->label && !is_number(r->fields[c], &value)) {
      if (words++ == 0) word = c;
    }
  *header = words > 0;
  if (words == 0 || words == r->count - 1) return RH_OK;
  return rh_error(RH_EFORMAT,
                  "'%s':%lld: field %lld '%.40s' is no finite number, but others are: if the line names columns set "
                  "data.header: yes, else fill the field in or remove the line",
                  r->table->path, (long long)r->line, (long long)word + 1, r->fields[word]);
}

static rh_status begin_table(reader *r, bool *header)
{
  RH_ASSERT(r->fields && r->count > 0); /* a line has a field, if an empty one */
  r->columns = r->count;
  if (r->columns < 2)
    return rh_error(RH_EFORMAT,
                    "'%s':%lld: one field '%.40s'; a table has a label and features: is data.separator right?",
                    r->table->path, (long long)r->line, r->fields[0]);
  rh_status status = find_label(r, r->def->header != RH_CSV_NO);
  if (status != RH_OK) return status;
  r->table->features = r->columns - 1;
  return find_header(r, header);
}

static void make_room(reader *r)
{
  rh_csv *t = r->table;
  if (t->count < r->rows) return;
  r->rows = r->rows ? 2 * r->rows : ROWS_FIRST;
  t->values = realloc(t->values, (size_t)(r->rows * t->features) * sizeof *t->values);
  t->labels = realloc(t->labels, (size_t)r->rows * sizeof *t->labels);
  t->lines = realloc(t->lines, (size_t)r->rows * sizeof *t->lines);
  RH_ASSERT(t->values && t->labels && t->lines && "memory is exhausted");
}

static rh_status take_record(reader *r)
{
  rh_csv *t = r->table;
  if (r->count != r->columns)
    return rh_error(RH_EFORMAT, "'%s':%lld: %lld fields, but the first line has %lld; mend or remove the line", t->path,
                    (long long)r->line, (long long)r->count, (long long)r->columns);
  make_room(r);
  float *value = t->values + t->count * t->features;
  for (int64_t c = 0; c < r->columns; c++) {
    if (c == r->label) continue;
    if (!is_number(r->fields[c], value++))
      return rh_error(RH_EFORMAT,
                      "'%s':%lld: field %lld '%.40s' is no finite number; fill it in or remove the line (the label's "
                      "column is %lld)",
                      t->path, (long long)r->line, (long long)c + 1, r->fields[c], (long long)r->label + 1);
  }
  if (!r->fields[r->label][0])
    return rh_error(RH_EFORMAT, "'%s':%lld: field %lld, the label, is empty; fill it in or remove the line", t->path,
                    (long long)r->line, (long long)r->label + 1);
  t->labels[t->count] = r->fields[r->label];
  t->lines[t->count++] = r->line;
  return RH_OK;
}

rh_status rh_csv_read(const char *path, const rh_csv_def *def, rh_csv *t)
{
  rh_status status = RH_OK;
  uint8_t *bytes = NULL;
  int64_t length;
  *t = (rh_csv){.path = rh_text_duplicate(path)};
  reader r = {.def = def, .table = t};
  RH_TRY(rh_data_read(path, &bytes, &length));
  t->text = (char *)bytes;
  if (memchr(bytes, 0, (size_t)length)) {
    status = rh_error(RH_EFORMAT, "'%s' holds a zero byte: it is no text file", path);
    goto done;
  }
  r.at = t->text + (strncmp(t->text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0); /* UTF-8's mark */
  for (char *line = next_line(&r); line; line = next_line(&r)) {
    bool header = false;
    RH_TRY(cut_line(&r, line));
    if (r.columns == 0) RH_TRY(begin_table(&r, &header));
    if (!header) RH_TRY(take_record(&r));
  }
  if (t->count == 0) status = rh_error(RH_EFORMAT, "'%s' holds no samples", path);
done:
  free(r.fields);
  if (status != RH_OK) rh_csv_clear(t);
  return status;
}

void rh_csv_clear(rh_csv *t)
{
  free(t->path);
  free(t->text);
  free(t->values);
  free(t->labels);
  free(t->lines);
  *t = (rh_csv){0};
}
