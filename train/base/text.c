#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Of a text that is read whole: /dev/zero would take all memory. A complete graph's list of pairs comes close to it. */
enum { FILE_BYTES_MAX = 1 << 30 };

static void reserve(rh_text *text, size_t more)
{
  size_t need = text->length + more + 1;
  if (need <= text->size) return;
  size_t size = text->size ? text->size : 64;
  while (size < need)
    size *= 2;
  char *data = realloc(text->data, size);
  RH_ASSERT(data && "memory is exhausted");
  text->data = data;
  text->size = size;
}

void rh_text_append_bytes(rh_text *text, const char *bytes, size_t length)
{
  reserve(text, length);
  if (length) memcpy(text->data + text->length, bytes, length);
  text->length += length;
  text->data[text->length] = '\0';
}

void rh_text_append(rh_text *text, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  va_list again;
  va_copy(again, args);
  reserve(text, 63); /* most fit at the first attempt */
  const size_t room = text->size - text->length;
  const int length = vsnprintf(text->data + text->length, room, format, args);
  va_end(args);
  RH_ASSERT(length >= 0);
  if ((size_t)length >= room) {
    reserve(text, (size_t)length);
    vsnprintf(text->data + text->length, (size_t)length + 1, format, again);
  }
  va_end(again);
  text->length += (size_t)length;
}

const char *rh_text_get(const rh_text *text)
{
  return text->data ? text->data : "";
}

void rh_text_clear(rh_text *text)
{
  free(text->data);
  *text = (rh_text){0};
}

/* Length of the valid UTF-8 sequence at s, or 0. */
static size_t utf8_length(const unsigned char *s)
{
  if (s[0] < 0x80) return 1;
  size_t n = s[0] >= 0xF0 && s[0] <= 0xF4 ? 4 : s[0] >= 0xE0 && s[0] < 0xF0 ? 3 : s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : 0;
  for (size_t i = 1; i < n; i++)
    if ((s[i] & 0xC0) != 0x80) return 0;
  if (n == 3 && ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F))) return 0; /* overlong, surrogates */
  if (n == 4 && ((s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))) return 0;
  return n;
}

size_t rh_text_valid_utf8(const char *bytes, size_t length)
{
  size_t at = 0;
  while (at < length) {
    /* the text ends in a NUL, so that a sequence that is cut off is not read past it */
    const size_t n = bytes[at] ? utf8_length((const unsigned char *)bytes + at) : 0;
    if (n == 0 || at + n > length) break;
    at += n;
  }
  return at;
}

/* Bytes at s that JSON takes as they are, all of them ASCII. */
static size_t plain_length(const unsigned char *s)
{
  size_t n = 0;
  while (s[n] >= 0x20 && s[n] < 0x7F && s[n] != '"' && s[n] != '\\')
    n++;
  return n;
}

void rh_text_append_json(rh_text *text, const char *value)
{
  if (!value) {
    rh_text_append(text, "null");
    return;
  }
  rh_text_append_bytes(text, "\"", 1);
  for (const unsigned char *s = (const unsigned char *)value; *s;) {
    const size_t plain = plain_length(s);
    rh_text_append_bytes(text, (const char *)s, plain);
    s += plain;
    if (!*s) break;
    const size_t n = utf8_length(s);
    if (*s == '"' || *s == '\\') {
      rh_text_append(text, "\\%c", *s);
    } else if (*s == '\n') {
      rh_text_append(text, "\\n");
    } else if (*s == '\t') {
      rh_text_append(text, "\\t");
    } else if (*s < 0x20 || *s == 0x7F || n == 0) {
      rh_text_append(text, "\\u%04x", n == 0 ? 0xFFFDU : (unsigned)*s);
    } else {
      rh_text_append_bytes(text, (const char *)s, n);
    }
    s += n ? n : 1;
  }
  rh_text_append_bytes(text, "\"", 1);
}

void rh_text_append_json_number(rh_text *text, double value)
{
  if (!isfinite(value)) {
    rh_text_append(text, "null");
    return;
  }
  char shortest[40];
  for (int digits = 6; digits <= 17; digits++) {
    snprintf(shortest, sizeof shortest, "%.*g", digits, value);
    if (strtod(shortest, NULL) == value) break;
  }
  rh_text_append(text, "%s", shortest);
}

rh_status rh_text_read_file(rh_text *text, const char *path)
{
  rh_status status = RH_OK;
  char block[1 << 14];
  FILE *file = fopen(path, "rb");
  if (!file) return rh_error(RH_EIO, "%s: cannot be opened: %s", path, strerror(errno));
  struct stat info;
  if (fstat(fileno(file), &info) == 0 && S_ISDIR(info.st_mode)) {
    status = rh_error(RH_EIO, "%s: is a directory", path);
    goto done;
  }
  for (size_t n; text->length <= FILE_BYTES_MAX && (n = fread(block, 1, sizeof block, file)) > 0;)
    rh_text_append_bytes(text, block, n);
  if (text->length > FILE_BYTES_MAX)
    status = rh_error(RH_EFORMAT, "%s: is larger than %d MiB, which no text that is read here should be", path,
                      FILE_BYTES_MAX >> 20);
  if (ferror(file)) status = rh_error(RH_EIO, "%s: cannot be read: %s", path, strerror(errno));
done:
  fclose(file);
  return status;
}

/* Compares the runs of digits at *a and *b as numbers and moves past them. */
static int compare_digits(const char **a, const char **b)
{
  while (**a == '0' && isdigit((unsigned char)(*a)[1]))
    (*a)++;
  while (**b == '0' && isdigit((unsigned char)(*b)[1]))
    (*b)++;
  size_t n = strspn(*a, "0123456789"), m = strspn(*b, "0123456789");
  int order = n != m ? (n < m ? -1 : 1) : strncmp(*a, *b, n);
  *a += n;
  *b += m;
  return order;
}

int rh_text_compare_natural(const char *a, const char *b)
{
  const char *first = a, *second = b;
  while (*a && *b) {
    if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
      int order = compare_digits(&a, &b);
      if (order) return order;
    } else if (*a != *b) {
      return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
    } else {
      a++;
      b++;
    }
  }
  if (*a || *b) return *a ? 1 : -1;
  return strcmp(first, second);
}

enum { NAME_MAX_LENGTH = 64, PART_LENGTH = 4 }; /* the least of a name that is looked for inside others */

static int least(int a, int b)
{
  return a < b ? a : b;
}

/* Damerau-Levenshtein distance (optimal string alignment) without regard to case; names up to NAME_MAX_LENGTH. */
static int edit_distance(const char *a, const char *b)
{
  int n = (int)strlen(a), m = (int)strlen(b);
  int row[3][NAME_MAX_LENGTH + 1]; /* the last two rows and the current one, by turns */
  for (int j = 0; j <= m; j++)
    row[0][j] = j;
  for (int i = 1; i <= n; i++) {
    int *now = row[i % 3], *before = row[(i + 2) % 3], *earlier = row[(i + 1) % 3];
    now[0] = i;
    for (int j = 1; j <= m; j++) {
      int differ = tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]);
      now[j] = least(before[j - 1] + differ, least(before[j], now[j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) now[j] = least(now[j], earlier[j - 2] + 1);
    }
  }
  return row[n % 3][m];
}

void rh_text_append_wrapped(rh_text *out, const char *text, int column, int indent, int width)
{
  bool first = true; /* of its line */
  for (text += strspn(text, " "); *text; text += strspn(text, " ")) {
    const size_t word = strcspn(text, " ");
    if (!first && column + 1 + (int)word > width) {
      rh_text_append(out, "\n%*s", indent, "");
      column = indent;
      first = true;
    }
    if (!first) rh_text_append(out, " ");
    rh_text_append_bytes(out, text, word);
    column += !first + (int)word;
    text += word;
    first = false;
  }
}

const char *rh_text_nearest(const char *name, const char *(*get)(const void *context, size_t i), const void *context)
{
  const char *best = NULL;
  size_t length = strlen(name);
  if (length > NAME_MAX_LENGTH) return NULL;
  int limit = length < 3 ? 1 : (int)(length + 2) / 3, best_distance = limit + 1;
  for (size_t i = 0; get(context, i); i++) {
    const char *candidate = get(context, i);
    if (strlen(candidate) > NAME_MAX_LENGTH) continue;
    int distance = edit_distance(name, candidate);
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  for (size_t i = 0; !best && length >= PART_LENGTH && get(context, i); i++)
    if (strstr(get(context, i), name)) best = get(context, i);
  return best;
}

char *rh_text_duplicate(const char *text)
{
  char *copy = strdup(text);
  RH_ASSERT(copy && "memory is exhausted");
  return copy;
}

char *rh_text_directory(const char *path)
{
  char *copy = rh_text_duplicate(path);
  char *slash = strrchr(copy, '/');
  if (slash)
    slash[1] = '\0';
  else
    copy[0] = '\0';
  return copy;
}

void rh_text_append_quoted(rh_text *text, const char *word)
{
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=,+-";
  if (*word && word[strspn(word, plain)] == '\0') {
    rh_text_append(text, "%s", word);
    return;
  }
  rh_text_append(text, "'");
  for (; *word; word++)
    rh_text_append(text, *word == '\'' ? "'\\''" : "%c", *word);
  rh_text_append(text, "'");
}
