/* Draws a platform by its kind. See platform_svg.h. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform_svg.h"

#define PI 3.14159265358979323846

static void append_escaped(rh_text *out, const char *text)
{
  for (; *text; text++) {
    const char *entity = *text == '&' ? "&amp;" : *text == '<' ? "&lt;" : *text == '>' ? "&gt;" : NULL;
    if (entity)
      rh_text_append(out, "%s", entity);
    else
      rh_text_append_bytes(out, (unsigned char)*text < ' ' ? " " : text, 1);
  }
}

static void append_text(rh_text *out, svg_point at, const char *class, const char *text)
{
  rh_text_append(out, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\">", class, at.x, at.y);
  append_escaped(out, text);
  rh_text_append(out, "</text>\n");
}

void svg_begin(rh_text *out, double width, double height, const char *title)
{
  rh_text_append(out,
                 "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" "
                 "height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\">\n<title>",
                 width, height, width, height);
  append_escaped(out, title);
  rh_text_append(out,
                 "</title>\n<style>\n"
                 "text { font: 11px sans-serif; fill: #1f2328; text-anchor: middle; }\n"
                 ".title { font-size: 14px; font-weight: bold; }\n"
                 ".label { stroke: #ffffff; stroke-width: 3px; paint-order: stroke; }\n"
                 ".page { fill: #ffffff; }\n"
                 ".link { stroke: #8c959f; stroke-width: 1.2; }\n"
                 ".host { fill: #ddf4ff; stroke: #0969da; }\n"
                 ".switch { fill: #fff8c5; stroke: #9a6700; }\n"
                 ".more { fill: #ffffff; stroke: #8c959f; stroke-dasharray: 4 3; }\n"
                 "@media (prefers-color-scheme: dark) {\n"
                 "  text { fill: #e6edf3; }\n"
                 "  .label { stroke: #0d1117; }\n"
                 "  .page { fill: #0d1117; }\n"
                 "  .link { stroke: #848d97; }\n"
                 "  .host { fill: #0c2d6b; stroke: #58a6ff; }\n"
                 "  .switch { fill: #4b2900; stroke: #d29922; }\n"
                 "  .more { fill: #0d1117; }\n"
                 "}\n</style>\n<rect class=\"page\" width=\"%.0f\" height=\"%.0f\"/>\n",
                 width, height);
  append_text(out, (svg_point){width / 2, 24}, "title", title);
}

void svg_end(rh_text *out)
{
  rh_text_append(out, "</svg>\n");
}

void svg_line(rh_text *out, svg_point a, svg_point b)
{
  rh_text_append(out, "<line class=\"link\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", a.x, a.y, b.x, b.y);
}

void svg_branch(rh_text *out, svg_point upper, svg_point lower)
{
  svg_line(out, (svg_point){upper.x, upper.y + SVG_BOX_H / 2.}, (svg_point){lower.x, lower.y - SVG_BOX_H / 2.});
}

void svg_box(rh_text *out, svg_point centre, const char *kind, const char *one, const char *two)
{
  rh_text_append(out, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%d\" height=\"%d\" rx=\"5\"/>\n", kind,
                 centre.x - SVG_BOX_W / 2., centre.y - SVG_BOX_H / 2., SVG_BOX_W, SVG_BOX_H);
  append_text(out, (svg_point){centre.x, centre.y + (two ? -3 : 4)}, "in", one);
  if (two) append_text(out, (svg_point){centre.x, centre.y + 11}, "in", two);
}

static void append_label(rh_text *out, svg_point at, const char *format, va_list arguments)
{
  char *text;
  int length = vasprintf(&text, format, arguments);
  RH_ASSERT(length >= 0);
  append_text(out, at, "label", text);
  free(text);
}

void svg_label(rh_text *out, svg_point at, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  append_label(out, at, format, arguments);
  va_end(arguments);
}

void svg_line_label(rh_text *out, svg_point a, svg_point b, double share, const char *format, ...)
{
  va_list arguments;
  va_start(arguments, format);
  append_label(out, (svg_point){a.x + share * (b.x - a.x), a.y + share * (b.y - a.y) + 4}, format, arguments);
  va_end(arguments);
}

svg_point svg_on_circle(svg_point centre, double rx, double ry, int32_t i, int32_t n)
{
  const double angle = 2 * PI * i / n - PI / 2;
  return (svg_point){centre.x + rx * cos(angle), centre.y + ry * sin(angle)};
}

const char *drawing_name(const drawing *d)
{
  const char *slash = strrchr(d->platform->file, '/');
  return slash ? slash + 1 : d->platform->file;
}

bool drawing_route(drawing *d, int32_t from, int32_t to, const rh_route **route)
{
  if (!d->routes) return false;
  if (d->trying) d->trying(from, to);
  return rh_platform_route(d->platform, from, to, route) == RH_OK;
}

rh_status rh_platform_draw(rh_platform *platform, bool routes, void (*trying)(int32_t from, int32_t to), rh_text *out)
{
  static void (*const layouts[])(drawing *) = {[SHAPE_STAR] = draw_star,
                                               [SHAPE_FAT_TREE] = draw_fat_tree,
                                               [SHAPE_TORUS] = draw_torus,
                                               [SHAPE_DRAGONFLY] = draw_dragonfly};
  drawing d = {.platform = platform, .routes = routes, .trying = trying, .out = out};
  rh_status status = platform_shape_read(platform, &d.shape);
  if (status != RH_OK) return status;
  if (d.shape.kind != SHAPE_OTHER)
    layouts[d.shape.kind](&d);
  else if (platform->zone_count > 1)
    draw_zones(&d);
  else
    draw_hosts(&d);
  return RH_OK;
}
