#include "grid.h"

#include <stdlib.h>
#include <string.h>

enum { GAP = 2, SHRINK_TO = 8, NOTES_MAX = 12, NOTE_BYTES_MAX = 300 };

static const char nothing[] = "-"; /* an empty cell */

/* Length of the UTF-8 sequence at `text` and its code point; 0 if it is invalid. */
static int decode(const unsigned char *text, unsigned *point)
{
  if (text[0] < 0x80) {
    *point = text[0];
    return 1;
  }
  int length = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
  if (text[0] < 0xc2 || text[0] > 0xf4) return 0;
  *point = text[0] & (0xffu >> (length + 1));
  for (int i = 1; i < length; i++) {
    if ((text[i] & 0xc0) != 0x80) return 0;
    *point = *point << 6 | (text[i] & 0x3fu);
  }
  static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
  bool surrogate = *point >= 0xd800 && *point <= 0xdfff;
  return *point < least[length] || *point > 0x10ffff || surrogate ? 0 : length;
}

static bool is_harmful(unsigned point)
{
  return point < 0x20 || (point >= 0x7f && point < 0xa0) || (point >= 0x200e && point <= 0x200f) ||
         (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

void rh_text_append_visible(rh_text *out, const char *text)
{
  for (const unsigned char *c = (const unsigned char *)text; *c;) {
    unsigned point = 0;
    int length = decode(c, &point);
    if (length == 0)
      rh_text_append(out, "\\x%02x", *c);
    else if (point == '\n' || point == '\t' || point == '\r')
      rh_text_append(out, "\\%c", point == '\n' ? 'n' : point == '\t' ? 't' : 'r');
    else if (is_harmful(point))
      rh_text_append(out, point < 0x100 ? "\\x%02x" : "\\u%04x", point);
    else
      rh_text_append_bytes(out, (const char *)c, (size_t)length);
    c += length ? length : 1;
  }
}

void rh_grid_add_column(rh_grid *grid, const char *title, unsigned flags)
{
  RH_ASSERT(grid->columns < RH_GRID_COLUMNS_MAX && grid->count == 0);
  rh_grid_column *column = &grid->column[grid->columns++];
  rh_text visible = {0};
  rh_text_append_visible(&visible, title);
  char *first = rh_text_duplicate(rh_text_get(&visible));
  rh_text_clear(&visible);
  char *bar = strchr(first, '|');
  if (bar) {
    *bar = '\0';
    column->title[0] = first;
    column->title[1] = rh_text_duplicate(bar + 1);
  } else {
    column->title[0] = rh_text_duplicate("");
    column->title[1] = first;
  }
  column->flags = flags;
}

void rh_grid_add_cell(rh_grid *grid, const char *text)
{
  if (grid->count == grid->size) {
    grid->size = grid->size ? 2 * grid->size : 64;
    char **grown = realloc(grid->cells, (size_t)grid->size * sizeof *grown);
    RH_ASSERT(grown);
    grid->cells = grown;
  }
  rh_text visible = {0};
  rh_text_append_visible(&visible, text && text[0] ? text : nothing);
  grid->cells[grid->count++] = rh_text_duplicate(rh_text_get(&visible));
  rh_text_clear(&visible);
}

void rh_grid_clear(rh_grid *grid)
{
  for (int c = 0; c < grid->columns; c++)
    for (int line = 0; line < 2; line++)
      free(grid->column[c].title[line]);
  for (int i = 0; i < grid->count; i++)
    free(grid->cells[i]);
  free(grid->cells);
  *grid = (rh_grid){0};
}

/* Code points; the text is valid UTF-8 here. */
static int width_of(const char *text)
{
  int width = 0;
  for (; *text; text++)
    width += ((unsigned char)*text & 0xc0) != 0x80;
  return width;
}

/* The byte at which code point `n` starts. */
static const char *at_point(const char *text, int n)
{
  for (; *text; text++)
    if (((unsigned char)*text & 0xc0) != 0x80 && n-- == 0) break;
  return text;
}

/* Appends `text` in at most `width` code points: its beginning, "..", its end. */
static void append_fitted(rh_text *out, const char *text, int width)
{
  int length = width_of(text);
  if (length <= width) {
    rh_text_append(out, "%s", text);
    return;
  }
  int head = (width - 2 + 1) / 2, tail = width - 2 - head;
  rh_text_append_bytes(out, text, (size_t)(at_point(text, head) - text));
  rh_text_append(out, "..%s", at_point(text, length - tail));
}

static void append_cell(rh_text *line, const char *text, int width, bool right)
{
  rh_text fitted = {0};
  append_fitted(&fitted, text, width);
  int pad = width - width_of(rh_text_get(&fitted));
  rh_text_append(line, "%*s%s%*s", right ? pad : 0, "", rh_text_get(&fitted), right ? 0 : pad, "");
  rh_text_clear(&fitted);
}

typedef struct layout {
  int width[RH_GRID_COLUMNS_MAX]; /* 0: left out */
  int left_out;
} layout;

static int total_width(const rh_grid *grid, const layout *l, int indent)
{
  int total = indent - GAP;
  for (int c = 0; c < grid->columns; c++)
    if (l->width[c]) total += l->width[c] + GAP;
  return total;
}

/* The widest column that may still be shortened, or -1. */
static int widest_shrinkable(const rh_grid *grid, const layout *l)
{
  int widest = -1;
  for (int c = 0; c < grid->columns; c++) {
    if (!(grid->column[c].flags & RH_GRID_SHRINK) || l->width[c] <= SHRINK_TO) continue;
    if (widest < 0 || l->width[c] > l->width[widest]) widest = c;
  }
  return widest;
}

/* Whether a column is there only for what its cells say, and they say nothing. */
static bool is_idle(const rh_grid *grid, int c)
{
  if (!(grid->column[c].flags & RH_GRID_IF_ANY)) return false;
  for (int i = c; i < grid->count; i += grid->columns)
    if (strcmp(grid->cells[i], nothing) != 0) return false;
  return true;
}

/* Every column as wide as its title and cells. */
static layout natural(const rh_grid *grid)
{
  layout l = {0};
  for (int c = 0; c < grid->columns; c++) {
    if (is_idle(grid, c)) continue;
    for (int line = 0; line < 2; line++) {
      int w = width_of(grid->column[c].title[line]);
      if (w > l.width[c]) l.width[c] = w;
    }
    for (int i = c; i < grid->count; i += grid->columns) {
      int w = width_of(grid->cells[i]);
      if (w > l.width[c]) l.width[c] = w;
    }
  }
  return l;
}

int rh_grid_width(const rh_grid *grid)
{
  layout l = natural(grid);
  return total_width(grid, &l, 0);
}

static layout lay_out(const rh_grid *grid, int indent, int width)
{
  layout l = natural(grid);
  while (total_width(grid, &l, indent) > width) {
    int c = widest_shrinkable(grid, &l);
    if (c >= 0) {
      l.width[c]--;
      continue;
    }
    for (c = grid->columns - 1; c >= 0; c--)
      if ((grid->column[c].flags & RH_GRID_OPTIONAL) && l.width[c]) break;
    if (c < 0) break;
    l.width[c] = 0;
    l.left_out++;
  }
  return l;
}

static void end_line(rh_text *out, rh_text *line)
{
  while (line->length > 0 && line->data[line->length - 1] == ' ')
    line->data[--line->length] = '\0';
  rh_text_append(out, "%s\n", rh_text_get(line));
  rh_text_clear(line);
}

static void write_titles(const rh_grid *grid, const layout *l, int indent, rh_text *out)
{
  bool two = false;
  for (int c = 0; c < grid->columns; c++)
    two = two || (l->width[c] && grid->column[c].title[0][0]);
  for (int i = two ? 0 : 1; i < 2; i++) {
    rh_text line = {0};
    rh_text_append(&line, "%*s", indent, "");
    for (int c = 0; c < grid->columns; c++) {
      if (l->width[c] == 0) continue;
      append_cell(&line, grid->column[c].title[i], l->width[c], grid->column[c].flags & RH_GRID_RIGHT);
      rh_text_append(&line, "%*s", GAP, "");
    }
    end_line(out, &line);
  }
}

/* Says what a shortened cell stands for, once for each text. */
static void write_notes(const rh_grid *grid, const layout *l, int indent, rh_text *out)
{
  int notes = 0;
  for (int i = 0; i < grid->count; i++) {
    int c = i % grid->columns;
    if (l->width[c] == 0 || width_of(grid->cells[i]) <= l->width[c]) continue;
    bool said = false;
    for (int k = c; k < i && !said; k += grid->columns)
      said = strcmp(grid->cells[k], grid->cells[i]) == 0;
    if (said || strlen(grid->cells[i]) > NOTE_BYTES_MAX) continue;
    if (notes++ == NOTES_MAX) break;
    rh_text_append(out, "%*s", indent, "");
    append_fitted(out, grid->cells[i], l->width[c]);
    rh_text_append(out, " = %s\n", grid->cells[i]);
  }
  if (l->left_out == 0) return;
  rh_text_append(out, "%*snot shown for want of width:", indent, "");
  for (int c = 0; c < grid->columns; c++)
    if (l->width[c] == 0 && !is_idle(grid, c))
      rh_text_append(out, " %s%s%s", grid->column[c].title[0], grid->column[c].title[0][0] ? " " : "",
                     grid->column[c].title[1]);
  rh_text_append(out, "\n");
}

void rh_grid_write(const rh_grid *grid, int indent, int width, rh_text *out)
{
  RH_ASSERT(grid->columns > 0 && grid->count % grid->columns == 0);
  layout l = lay_out(grid, indent, width);
  write_titles(grid, &l, indent, out);
  for (int row = 0; row < grid->count; row += grid->columns) {
    rh_text line = {0};
    rh_text_append(&line, "%*s", indent, "");
    for (int c = 0; c < grid->columns; c++) {
      if (l.width[c] == 0) continue;
      append_cell(&line, grid->cells[row + c], l.width[c], grid->column[c].flags & RH_GRID_RIGHT);
      rh_text_append(&line, "%*s", GAP, "");
    }
    end_line(out, &line);
  }
  write_notes(grid, &l, indent, out);
}

void rh_text_append_csv(rh_text *out, const char *text, bool visible)
{
  rh_text shown = {0};
  if (visible)
    rh_text_append_visible(&shown, text);
  else
    rh_text_append(&shown, "%s", text);
  const char *t = rh_text_get(&shown);
  if (t[0] != '\0' && t[strcspn(t, ",\"\r\n")] == '\0') {
    rh_text_append_bytes(out, t, shown.length);
  } else {
    rh_text_append(out, "\"");
    for (const char *quote; (quote = strchr(t, '"')); t = quote + 1) {
      rh_text_append_bytes(out, t, (size_t)(quote - t) + 1);
      rh_text_append(out, "\"");
    }
    rh_text_append(out, "%s\"", t);
  }
  rh_text_clear(&shown);
}
