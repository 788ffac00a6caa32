/* A grid of text: aligned columns under a header, fitted to a width.
 *
 * Cells are added row by row. A grid that is too wide first shortens the cells of its shrinkable columns (the widest
 * first, in their middle), then leaves optional columns out, the last first. What was shortened or left out for want of
 * width is said below. Widths count code points.
 */
#ifndef RH_GRID_H
#define RH_GRID_H

#include <stdbool.h>

#include "text.h"

enum { RH_GRID_COLUMNS_MAX = 32 };

typedef enum rh_grid_flags {
  RH_GRID_LEFT = 0,
  RH_GRID_RIGHT = 1,
  RH_GRID_SHRINK = 2,   /* may be shortened */
  RH_GRID_OPTIONAL = 4, /* may be left out */
  RH_GRID_IF_ANY = 8    /* is left out, without a word, where all its cells are empty */
} rh_grid_flags;

typedef struct rh_grid_column {
  char *title[2]; /* two lines, the first may be empty; owned */
  unsigned flags;
} rh_grid_column;

/* `{0}` is an empty grid. */
typedef struct rh_grid {
  int columns;
  rh_grid_column column[RH_GRID_COLUMNS_MAX];
  char **cells; /* [count] row by row; owned, already escaped */
  int count, size;
} rh_grid;

/* Declares a column, before the first cell. A title "time to|target" has two lines. */
void rh_grid_add_column(rh_grid *grid, const char *title, unsigned flags);
/* Adds the next cell; control characters are escaped. NULL and "" are shown as "-". */
void rh_grid_add_cell(rh_grid *grid, const char *text);
/* Code points of the longest line if nothing is shortened or left out. */
int rh_grid_width(const rh_grid *grid);
/* Appends the grid, every line indented; lines are at most `width` long if that can be reached. */
void rh_grid_write(const rh_grid *grid, int indent, int width, rh_text *out);
void rh_grid_clear(rh_grid *grid);

/* Appends `text` so that it cannot harm a terminal: control characters, bidirectional overrides and invalid UTF-8 are
 * written as \n, \x1b, \u202e. */
void rh_text_append_visible(rh_text *out, const char *text);
/* Appends `text` as a field of CSV (RFC 4180): in quotes, its own doubled, where it holds a comma, a quote or a line's
 * end, or is empty. visible: first as above. */
void rh_text_append_csv(rh_text *out, const char *text, bool visible);

#endif
