/* A drawing of a platform as SVG: primitives, and the layouts that use them. For platform_draw*.c alone.
 *
 * Coordinates in pixels, y downwards. Colours follow the reader's light or dark scheme.
 */
#ifndef RH_PLATFORM_SVG_H
#define RH_PLATFORM_SVG_H

#include "platform_shape.h"

#define SVG_BOX_W 94
#define SVG_BOX_H 34

typedef struct svg_point {
  double x, y;
} svg_point;

typedef struct drawing {
  rh_platform *platform;
  platform_shape shape;
  bool routes; /* may routes be asked for? */
  void (*trying)(int32_t from, int32_t to);
  rh_text *out;
} drawing;

const char *drawing_name(const drawing *d); /* of the file */
/* Asks for a route; false: there is none, or routes may not be asked for. */
bool drawing_route(drawing *d, int32_t from, int32_t to, const rh_route **route);

void svg_begin(rh_text *out, double width, double height, const char *title);
void svg_end(rh_text *out);
void svg_line(rh_text *out, svg_point a, svg_point b);
/* From the bottom of one box to the top of a lower one. */
void svg_branch(rh_text *out, svg_point upper, svg_point lower);
/* A box around its centre with one or two lines of text (two may be NULL). kind: "host", "switch", "more". */
void svg_box(rh_text *out, svg_point centre, const char *kind, const char *one, const char *two);
void svg_label(rh_text *out, svg_point at, const char *format, ...) RH_PRINTF(3, 4);
/* The label of a line: at a share of its length, on a ground that keeps it readable. */
void svg_line_label(rh_text *out, svg_point a, svg_point b, double share, const char *format, ...) RH_PRINTF(5, 6);
/* Place i of n on an ellipse, from the top, clockwise. */
svg_point svg_on_circle(svg_point centre, double rx, double ry, int32_t i, int32_t n);

/* One layout each. */
void draw_star(drawing *d);
void draw_fat_tree(drawing *d);
void draw_torus(drawing *d);
void draw_dragonfly(drawing *d);
void draw_zones(drawing *d); /* hosts in several zones */
void draw_hosts(drawing *d); /* all others: who is one link away */

#endif
