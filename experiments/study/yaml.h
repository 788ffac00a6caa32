/* YAML 1.2 through libfyaml: a document whose nodes know their place in the file. */
#ifndef RH_YAML_H
#define RH_YAML_H

#include "status.h"
#include "text.h"

struct fy_node;
struct fy_parser;
struct fy_document;
struct fy_diag;

typedef struct rh_yaml {
  char *file;   /* owned; how messages call it */
  rh_text text; /* owned; the whole file, shown line by line in messages */
  struct fy_diag *diag;
  struct fy_parser *parser;
  struct fy_document *document;
  struct fy_node *root; /* borrowed from the document */
} rh_yaml;

/* Reads and parses a file that holds one document.
 *
 * returns     RH_EIO, or RH_EFORMAT with libfyaml's complaint as "file:line:column: message", the line and a caret;
 *             nothing is printed by the library. On failure `yaml` is empty.
 */
RH_CHECKED rh_status rh_yaml_read(const char *path, rh_yaml *yaml);
void rh_yaml_clear(rh_yaml *yaml);

/* A place in the file. */
typedef struct rh_place {
  int line, column; /* 0-based; columns count characters */
} rh_place;

/* Where a scalar starts (its quote included), or the first scalar in a list or mapping; `otherwise` if it has none. */
rh_place rh_yaml_place(struct fy_node *node, rh_place otherwise);

/* Appends "file:line:column", and the line with a caret under the column: of a long line the part around it, without
 * control characters. */
void rh_yaml_append_where(const rh_yaml *yaml, rh_place place, rh_text *out);
void rh_yaml_append_excerpt(const rh_yaml *yaml, rh_place place, rh_text *out);

/* An error at a place: "file:line:column: message", the line, a caret. */
rh_status rh_yaml_error(const rh_yaml *yaml, rh_status code, rh_place place, const char *format, ...) RH_PRINTF(4, 5);

/* The text of a scalar. Owned by the caller. */
char *rh_yaml_scalar(struct fy_node *node);

#endif
