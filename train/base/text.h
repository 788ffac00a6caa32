/* Text: a growing buffer, JSON output, natural order, nearest names. */
#ifndef RH_TEXT_H
#define RH_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

/* A growing, always terminated string. `{0}` is an empty one; out of memory aborts, since no message could be built. */
typedef struct rh_text {
  char *data;    /* owned; NULL while empty */
  size_t length; /* bytes, without the terminator */
  size_t size;   /* bytes allocated */
} rh_text;

void rh_text_append(rh_text *text, const char *format, ...) RH_PRINTF(2, 3);
void rh_text_append_bytes(rh_text *text, const char *bytes, size_t length);
const char *rh_text_get(const rh_text *text); /* never NULL */
void rh_text_clear(rh_text *text);

/* How many of the first bytes are UTF-8 characters other than NUL. Behind the last byte there is a NUL. */
size_t rh_text_valid_utf8(const char *bytes, size_t length);

/* Appends a JSON string with its quotes; control characters, quotes and invalid UTF-8 are escaped. NULL gives null. */
void rh_text_append_json(rh_text *text, const char *value);

/* Appends a JSON number that reads back to the same double; NaN and infinity, which JSON lacks, give null. */
void rh_text_append_json_number(rh_text *text, double value);

/* Reads a whole file into `text`. RH_EIO with the file's name and the system's reason; RH_EFORMAT: more
 * than 1 GiB. */
RH_CHECKED rh_status rh_text_read_file(rh_text *text, const char *path);

/* Appends a word as a shell reads it: in quotes where it needs them. */
void rh_text_append_quoted(rh_text *text, const char *word);

/* Appends words broken at blanks into lines of at most `width` bytes, where words are no longer; no line's end.
 *
 * column      bytes that the line has already
 * indent      blanks before each further line */
void rh_text_append_wrapped(rh_text *out, const char *text, int column, int indent, int width);

/* strcmp in natural order: runs of digits compare as numbers, so n2 < n10. Ties fall back to strcmp. */
int rh_text_compare_natural(const char *a, const char *b);

/* The candidate nearest to `name` by edit distance (Damerau-Levenshtein), or NULL when none is near enough to be
 * meant (more than a third of the letters differ): then the first that contains all of it ("ring" in
 * "allreduce-ring"), if it has four letters or more. `get(context, i)` returns candidate i, NULL past the end. */
const char *rh_text_nearest(const char *name, const char *(*get)(const void *context, size_t i), const void *context);

/* A duplicate on the heap; owned by the caller; aborts when memory is exhausted. */
char *rh_text_duplicate(const char *text);

/* The directory part of a path with its slash ("a/b.xml" -> "a/"), "" if it has none. Owned by the caller. */
char *rh_text_directory(const char *path);

#endif
