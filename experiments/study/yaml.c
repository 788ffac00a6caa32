#include "yaml.h"

#include <libfyaml.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXCERPT_COLUMNS = 120 }; /* shown of a line */

/* libfyaml would print its diagnostics; they are collected instead and become our one message. */
static void print_nothing(struct fy_diag *diag, void *user, const char *text, size_t length)
{
  (void)diag, (void)user, (void)text, (void)length;
}

static rh_status parse(rh_yaml *yaml)
{
  struct fy_diag_cfg quiet;
  fy_diag_cfg_default(&quiet);
  quiet.fp = NULL;
  quiet.output_fn = print_nothing;
  yaml->diag = fy_diag_create(&quiet);
  RH_ASSERT(yaml->diag && "memory is exhausted");
  fy_diag_set_collect_errors(yaml->diag, true);
  struct fy_parse_cfg settings = {
      .flags = FYPCF_QUIET | FYPCF_COLLECT_DIAG | FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE, .diag = yaml->diag};
  yaml->parser = fy_parser_create(&settings);
  RH_ASSERT(yaml->parser && "memory is exhausted");

  struct fy_document *second = NULL;
  if (fy_parser_set_string(yaml->parser, rh_text_get(&yaml->text), yaml->text.length) == 0) {
    yaml->document = fy_parse_load_document(yaml->parser);
    if (yaml->document) second = fy_parse_load_document(yaml->parser);
  }
  void *iterator = NULL;
  const struct fy_diag_error *first = fy_diag_errors_iterate(yaml->diag, &iterator);
  if (second) fy_parse_document_destroy(yaml->parser, second);
  if (first)
    return rh_yaml_error(yaml, RH_EFORMAT, (rh_place){first->line - 1, first->column - 1}, "malformed YAML: %s",
                         first->msg);
  if (second) return rh_error(RH_EFORMAT, "%s: holds more than one YAML document", yaml->file);
  yaml->root = yaml->document ? fy_document_root(yaml->document) : NULL;
  if (!yaml->root) return rh_error(RH_EFORMAT, "%s: is empty or no YAML text", yaml->file);
  return RH_OK;
}

/* Whether a byte begins a UTF-8 character. */
static bool is_first_byte(char c)
{
  return ((unsigned char)c & 0xC0) != 0x80;
}

/* libfyaml reads bytes that are no UTF-8 wherever they stand, and within a directive for ever. */
static rh_status check_characters(const rh_yaml *yaml)
{
  const char *text = rh_text_get(&yaml->text);
  const size_t valid = rh_text_valid_utf8(text, yaml->text.length);
  rh_place place = {0, 0};
  if (valid == yaml->text.length) return RH_OK;
  for (size_t i = 0; i < valid; i++) {
    if (text[i] == '\n')
      place = (rh_place){place.line + 1, 0};
    else
      place.column += is_first_byte(text[i]);
  }
  return rh_yaml_error(yaml, RH_EFORMAT, place, "malformed YAML: a byte that is no UTF-8 text (0x%02X)",
                       (unsigned char)text[valid]);
}

/* libfyaml 0.7.12 takes time quadratic in the blanks before a value: 12 s for 100,000 of them, 0.1 s for these. */
enum { BLANKS_MOST = 10000 };

static rh_status check_blanks(const rh_yaml *yaml)
{
  const char *text = rh_text_get(&yaml->text);
  int32_t line = 0;
  for (size_t i = 0, blanks = 0; i < yaml->text.length; i++) {
    if (text[i] == '\n') line++;
    blanks = text[i] == ' ' || text[i] == '\t' ? blanks + 1 : 0;
    if (blanks > BLANKS_MOST)
      return rh_yaml_error(yaml, RH_EFORMAT, (rh_place){line, 0}, "more than %d blanks in a row; take some out",
                           BLANKS_MOST);
  }
  return RH_OK;
}

rh_status rh_yaml_read(const char *path, rh_yaml *yaml)
{
  *yaml = (rh_yaml){.file = rh_text_duplicate(path)};
  rh_status status = rh_text_read_file(&yaml->text, path);
  if (status == RH_OK) status = check_characters(yaml);
  if (status == RH_OK) status = check_blanks(yaml);
  if (status == RH_OK) status = parse(yaml);
  if (status != RH_OK) rh_yaml_clear(yaml);
  return status;
}

void rh_yaml_clear(rh_yaml *yaml)
{
  if (yaml->document) fy_parse_document_destroy(yaml->parser, yaml->document);
  if (yaml->parser) fy_parser_destroy(yaml->parser);
  if (yaml->diag) fy_diag_destroy(yaml->diag);
  rh_text_clear(&yaml->text);
  free(yaml->file);
  *yaml = (rh_yaml){0};
}

static struct fy_node *first_child(struct fy_node *node)
{
  if (fy_node_is_sequence(node)) return fy_node_sequence_get_by_index(node, 0);
  struct fy_node_pair *pair = fy_node_mapping_get_by_index(node, 0);
  return pair ? fy_node_pair_key(pair) : NULL;
}

rh_place rh_yaml_place(struct fy_node *node, rh_place otherwise)
{
  while (node && !fy_node_is_scalar(node))
    node = first_child(node);
  struct fy_token *token = node ? fy_node_get_scalar_token(node) : NULL;
  const struct fy_mark *mark = token ? fy_token_start_mark(token) : NULL;
  if (!mark) return otherwise;
  enum fy_node_style style = fy_node_get_style(node);
  int quote = style == FYNS_SINGLE_QUOTED || style == FYNS_DOUBLE_QUOTED; /* the mark is behind it */
  return (rh_place){mark->line, mark->column - quote};
}

void rh_yaml_append_where(const rh_yaml *yaml, rh_place place, rh_text *out)
{
  rh_text_append(out, "%s:%d:%d", yaml->file, place.line + 1, place.column + 1);
}

/* A terminal would obey control characters. */
static void append_visible(char c, rh_text *out)
{
  bool control = ((unsigned char)c < 0x20 && c != '\t') || c == 0x7F;
  rh_text_append_bytes(out, control ? "?" : &c, 1);
}

void rh_yaml_append_excerpt(const rh_yaml *yaml, rh_place place, rh_text *out)
{
  const char *line = rh_text_get(&yaml->text);
  for (int i = 0; i < place.line; i++) {
    line = strchr(line, '\n');
    if (!line) return; /* the end of the file has no line to show */
    line++;
  }
  size_t length = strcspn(line, "\r\n");
  if (length == 0) return;
  rh_text caret = {0};
  int first = place.column < EXCERPT_COLUMNS ? 0 : place.column - EXCERPT_COLUMNS / 2, column = -1;
  rh_text_append(out, "    %s", first > 0 ? "..." : "");
  rh_text_append(&caret, "    %s", first > 0 ? "   " : "");
  for (size_t i = 0; i < length && column < first + EXCERPT_COLUMNS; i++) {
    column += is_first_byte(line[i]);
    if (column < first) continue;
    if (column == first + EXCERPT_COLUMNS)
      rh_text_append(out, "...");
    else
      append_visible(line[i], out);
    if (column < place.column && is_first_byte(line[i])) rh_text_append(&caret, "%c", line[i] == '\t' ? '\t' : ' ');
  }
  rh_text_append(out, "\n%s^\n", rh_text_get(&caret));
  rh_text_clear(&caret);
}

rh_status rh_yaml_error(const rh_yaml *yaml, rh_status code, rh_place place, const char *format, ...)
{
  char message[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(message, sizeof message, format, args);
  va_end(args);
  rh_text text = {0};
  rh_yaml_append_where(yaml, place, &text);
  rh_text_append(&text, ": %s\n", message);
  rh_yaml_append_excerpt(yaml, place, &text);
  text.data[text.length - 1] = '\0'; /* a message ends without a line feed */
  rh_status status = rh_error(code, "%s", text.data);
  rh_text_clear(&text);
  return status;
}

char *rh_yaml_scalar(struct fy_node *node)
{
  size_t length = 0;
  const char *value = fy_node_get_scalar(node, &length);
  rh_text text = {0};
  rh_text_append_bytes(&text, value ? value : "", value ? length : 0);
  return text.data;
}
