/* Reading a header: the part of JSON that the format uses, a byte at a time, with no depth to recurse into. */
#include "safetensors_header.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { TENSORS_FIRST = 64 };

typedef struct cursor {
  const char *path, *start, *at, *end;
} cursor;

static rh_status error_at(const cursor *c, const char *what)
{
  return rh_error(RH_EFORMAT, "%s: byte %" PRId64 " of its header: %s; no safetensors file, or a damaged one", c->path,
                  (int64_t)(c->at - c->start), what);
}

static void skip_blanks(cursor *c)
{
  while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r'))
    c->at++;
}

/* Whether the next sign is this one, which is then behind the cursor. */
static bool take(cursor *c, char sign)
{
  skip_blanks(c);
  if (c->at == c->end || *c->at != sign) return false;
  c->at++;
  return true;
}

static rh_status expect(cursor *c, char sign)
{
  char what[] = "expected ' '";
  what[10] = sign;
  return take(c, sign) ? RH_OK : error_at(c, what);
}

/* After an element of a list or object: *more = whether another one follows, else it was closed. */
static rh_status next_of(cursor *c, char close, bool *more)
{
  *more = take(c, ',');
  return *more ? RH_OK : expect(c, close);
}

/* \uXXXX, of which names need no more than ASCII: others stay as they are written. */
static bool take_escape(cursor *c, char *out)
{
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  if (c->at == c->end) return false;
  const char *known = *c->at ? strchr(from, *c->at) : NULL;
  if (known) {
    *out = to[known - from];
    c->at++;
    return true;
  }
  char digits[5] = {0}, *last;
  if (*c->at != 'u' || c->end - c->at < 5) return false;
  memcpy(digits, c->at + 1, 4);
  if (strspn(digits, "0123456789abcdefABCDEF") != 4) return false;
  const long code = strtol(digits, &last, 16);
  if (code < 1 || code > 127) return false;
  *out = (char)code;
  c->at += 5;
  return true;
}

/* A text of fewer than `size` bytes; out NULL: of any length, dropped. */
static rh_status take_text(cursor *c, char *out, size_t size)
{
  size_t length = 0;
  if (!take(c, '"')) return error_at(c, "expected a text in quotes");
  while (c->at < c->end && *c->at != '"') {
    char sign = *c->at;
    if ((unsigned char)sign < 32) return error_at(c, "a control character within a text");
    c->at++;
    if (sign == '\\') {
      if (!out) { /* of metadata, which nobody reads */
        c->at += c->at < c->end;
        continue;
      }
      if (!take_escape(c, &sign)) return error_at(c, "an escape that names of tensors do not have");
    }
    if (out && length + 1 >= size) return error_at(c, "a name or type that is too long");
    if (out) out[length++] = sign;
  }
  if (out) out[length] = '\0';
  return expect(c, '"');
}

/* A whole number that is not negative. */
static rh_status take_number(cursor *c, int64_t *out)
{
  skip_blanks(c);
  int64_t value = 0;
  const char *first = c->at;
  for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++) {
    if (value > (INT64_MAX - 9) / 10) return error_at(c, "a number that is too large");
    value = 10 * value + (*c->at - '0');
  }
  if (c->at == first || (*first == '0' && c->at > first + 1)) return error_at(c, "expected a whole number");
  *out = value;
  return RH_OK;
}

/* [1, 2]: up to `most` numbers. */
static rh_status take_numbers(cursor *c, int most, int64_t *out, int *count)
{
  rh_status status = RH_OK;
  *count = 0;
  RH_TRY(expect(c, '['));
  if (take(c, ']')) return RH_OK;
  for (bool more = true; more;) {
    if (*count == most) return error_at(c, "a list that is too long");
    RH_TRY(take_number(c, &out[(*count)++]));
    RH_TRY(next_of(c, ']', &more));
  }
done:
  return status;
}

static rh_status take_metadata(cursor *c)
{
  rh_status status = RH_OK;
  RH_TRY(expect(c, '{'));
  if (take(c, '}')) return RH_OK;
  for (bool more = true; more;) {
    RH_TRY(take_text(c, NULL, 0));
    RH_TRY(expect(c, ':'));
    RH_TRY(take_text(c, NULL, 0));
    RH_TRY(next_of(c, '}', &more));
  }
done:
  return status;
}

/* Bytes of a value; 0 for a type that the format lacks. */
static int64_t bytes_of(const char *dtype)
{
  static const struct {
    const char *name;
    int bytes;
  } types[] = {{"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"I64", 8}, {"I32", 4},
               {"I16", 2}, {"I8", 1},  {"U64", 8}, {"U32", 4},  {"U16", 2},     {"U8", 1},      {"BOOL", 1}};
  for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
    if (strcmp(types[i].name, dtype) == 0) return types[i].bytes;
  return 0;
}

/* The range is as long as type and shape say. */
static rh_status check_length(const cursor *c, const rh_named_tensor *t)
{
  rh_status status = RH_OK;
  rh_text shape = {0};
  int64_t bytes = bytes_of(t->dtype);
  bool fits = true;
  rh_tensor_shape_append(t->dimensions, t->shape, &shape);
  if (bytes == 0) {
    status = rh_error(RH_EFORMAT, "%s: tensor '%s': dtype '%s' is none of the format's", c->path, t->name, t->dtype);
    goto done;
  }
  for (int d = 0; d < t->dimensions; d++)
    fits = fits && !__builtin_mul_overflow(bytes, t->shape[d], &bytes);
  if (!fits || t->end < t->begin || t->end - t->begin != bytes)
    status = rh_error(RH_EFORMAT,
                      "%s: tensor '%s': shape %s of %s does not take the bytes from %" PRId64 " to %" PRId64
                      "; write the file again",
                      c->path, t->name, rh_text_get(&shape), t->dtype, t->begin, t->end);
done:
  rh_text_clear(&shape);
  return status;
}

/* {"dtype": .., "shape": .., "data_offsets": ..} in any order. */
static rh_status take_tensor(cursor *c, rh_named_tensor *t)
{
  rh_status status = RH_OK;
  char key[RH_TENSOR_NAME];
  bool dtype = false, shape = false, offsets = false;
  int64_t range[2];
  int count = 0;
  RH_TRY(expect(c, '{'));
  for (bool more = true; more;) {
    RH_TRY(take_text(c, key, sizeof key));
    RH_TRY(expect(c, ':'));
    bool *seen = strcmp(key, "dtype") == 0          ? &dtype
                 : strcmp(key, "shape") == 0        ? &shape
                 : strcmp(key, "data_offsets") == 0 ? &offsets
                                                    : NULL;
    if (!seen || *seen)
      return rh_error(RH_EFORMAT, "%s: tensor '%s': key '%s' is %s", c->path, t->name, key,
                      seen ? "given twice" : "none of dtype, shape and data_offsets");
    *seen = true;
    if (seen == &dtype) RH_TRY(take_text(c, t->dtype, sizeof t->dtype));
    if (seen == &shape) RH_TRY(take_numbers(c, RH_TENSOR_DIMENSIONS, t->shape, &t->dimensions));
    if (seen == &offsets) RH_TRY(take_numbers(c, 2, range, &count));
    RH_TRY(next_of(c, '}', &more));
  }
  if (!dtype || !shape || count != 2)
    return rh_error(RH_EFORMAT, "%s: tensor '%s': %s missing", c->path, t->name,
                    !dtype   ? "dtype is"
                    : !shape ? "shape is"
                             : "both data_offsets are");
  t->begin = range[0];
  t->end = range[1];
  status = check_length(c, t);
done:
  return status;
}

static rh_named_tensor *append(rh_tensor_file *f, int64_t *room)
{
  if (f->count == *room) {
    *room = *room ? 2 * *room : TENSORS_FIRST;
    f->list = realloc(f->list, (size_t)*room * sizeof *f->list);
    RH_ASSERT(f->list && "memory is exhausted");
  }
  f->list[f->count] = (rh_named_tensor){0};
  return &f->list[f->count++];
}

static int compare_names(const void *a, const void *b)
{
  return strcmp((*(const rh_named_tensor *const *)a)->name, (*(const rh_named_tensor *const *)b)->name);
}

static rh_status check_names(const rh_tensor_file *f)
{
  const rh_named_tensor **order = malloc((size_t)(f->count + 1) * sizeof *order), *twice = NULL;
  RH_ASSERT(order && "memory is exhausted");
  for (int64_t i = 0; i < f->count; i++)
    order[i] = &f->list[i];
  qsort(order, (size_t)f->count, sizeof *order, compare_names);
  for (int64_t i = 1; i < f->count && !twice; i++)
    if (strcmp(order[i - 1]->name, order[i]->name) == 0) twice = order[i];
  free(order);
  return twice ? rh_error(RH_EFORMAT, "%s: tensor '%s' is there twice; write the file again", f->path, twice->name)
               : RH_OK;
}

rh_status rh_header_parse(rh_tensor_file *f, const char *text, int64_t length)
{
  rh_status status = RH_OK;
  cursor c = {.path = f->path, .start = text, .at = text, .end = text + length};
  char name[RH_TENSOR_NAME];
  int64_t room = 0;
  bool metadata = false;
  if (length == 0 || text[0] != '{') return error_at(&c, "expected '{'");
  c.at++;
  for (bool more = !take(&c, '}'); more;) {
    RH_TRY(take_text(&c, name, sizeof name));
    RH_TRY(expect(&c, ':'));
    if (strcmp(name, "__metadata__") == 0) {
      if (metadata) return error_at(&c, "__metadata__ is there twice");
      metadata = true;
      RH_TRY(take_metadata(&c));
    } else {
      rh_named_tensor *t = append(f, &room);
      memcpy(t->name, name, sizeof name);
      RH_TRY(take_tensor(&c, t));
    }
    RH_TRY(next_of(&c, '}', &more));
  }
  skip_blanks(&c);
  if (c.at != c.end) return error_at(&c, "something follows the header's object");
  status = check_names(f);
done:
  return status;
}
