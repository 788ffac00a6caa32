/* Drawings of regular shapes: star, fat-tree, torus, dragonfly. Large ones are drawn in part, and say so. */
#include <stdio.h>

#include "platform_svg.h"
#include "unit.h"

#define MOST_ON_CIRCLE 24
#define MOST_IN_ROW    8  /* subtrees of a fat-tree, the last one "... more" */
#define MOST_IN_GRID   12 /* of a torus, each way */

/* "12.4 GBps, 195 ns" */
static const char *cable(const drawing *d, char *buffer, size_t size)
{
  char rate[32], delay[32];
  snprintf(buffer, size, "%s, %s", rh_unit_format(d->shape.bandwidth_Bps, RH_UNIT_BANDWIDTH, rate, sizeof rate),
           rh_unit_format(d->shape.latency_s, RH_UNIT_SECOND, delay, sizeof delay));
  return d->shape.bandwidth_Bps > 0 ? buffer : "cables that differ";
}

static void label_spoke(drawing *d, int32_t rank, svg_point centre, svg_point at)
{
  char rate[32], delay[32];
  const rh_route *route;
  if (!drawing_route(d, rank, (rank + 1) % d->platform->workers, &route)) return;
  const platform_link *up = &d->platform->links[route->links[0]];
  /* neighbours' labels by turns nearer and farther, or they cover each other */
  svg_line_label(d->out, centre, at, rank % 2 ? 0.48 : 0.72, "%s, %s up",
                 rh_unit_format(up->bandwidth_Bps, RH_UNIT_BANDWIDTH, rate, sizeof rate),
                 rh_unit_format(up->latency_s, RH_UNIT_SECOND, delay, sizeof delay));
}

void draw_star(drawing *d)
{
  const int32_t N = d->platform->workers, drawn = N > MOST_ON_CIRCLE ? MOST_ON_CIRCLE - 1 : N;
  const int32_t places = drawn + (N > drawn);
  const svg_point centre = {480, 390};
  char title[256], rest[64];
  snprintf(title, sizeof title, "%s: %d hosts around one switch", drawing_name(d), N);
  svg_begin(d->out, 960, 760, title);
  for (int32_t i = 0; i < places; i++)
    svg_line(d->out, centre, svg_on_circle(centre, 410, 320, i, places));
  for (int32_t i = 0; i < drawn && N > 1; i++)
    label_spoke(d, i, centre, svg_on_circle(centre, 410, 320, i, places));
  for (int32_t i = 0; i < drawn; i++)
    svg_box(d->out, svg_on_circle(centre, 410, 320, i, places), "host", rh_platform_host(d->platform, i), NULL);
  snprintf(rest, sizeof rest, "... %d more", N - drawn);
  if (N > drawn) svg_box(d->out, svg_on_circle(centre, 410, 320, drawn, places), "more", rest, NULL);
  svg_box(d->out, centre, "switch", "switch", NULL);
  svg_end(d->out);
}

/* Subtrees below one of level `level` (0: hosts) in a row; the first is opened again. A row's boxes stand for all
 * switches of a subtree together, its lines for all their cables. */
static void draw_subtrees(drawing *d, int32_t level, svg_point above, int64_t hosts)
{
  const platform_shape *s = &d->shape;
  const int32_t n = s->sizes[level], drawn = n > MOST_IN_ROW ? MOST_IN_ROW - 1 : n, places = drawn + (n > drawn);
  int64_t switches = 1, cables = 1;
  char one[64], two[64], each[64];
  for (int32_t i = 0; i < level; i++)
    switches *= s->up[i];
  cables = switches * s->up[level] * s->cables[level];
  for (int32_t i = 0; i < places; i++) {
    const svg_point at = {72 + (i + 0.5) * (960 - 144) / places, above.y + 150};
    svg_branch(d->out, above, at);
    if (i < drawn) svg_line_label(d->out, above, at, 0.72, "%lld x", (long long)cables);
    snprintf(one, sizeof one, "%lld switch%s", (long long)switches, switches > 1 ? "es" : "");
    snprintf(two, sizeof two, "%lld hosts", (long long)hosts / n);
    if (i == drawn) {
      snprintf(one, sizeof one, "... %d more", n - drawn);
      svg_box(d->out, at, "more", one, NULL);
    } else if (level == 0) {
      svg_box(d->out, at, "host", rh_platform_host(d->platform, i), NULL);
    } else {
      svg_box(d->out, at, "switch", one, two);
    }
  }
  svg_label(d->out, (svg_point){480, above.y + 84}, "cables of %s", cable(d, each, sizeof each));
  if (level > 0) draw_subtrees(d, level - 1, (svg_point){72 + 0.5 * (960 - 144) / places, above.y + 150}, hosts / n);
}

void draw_fat_tree(drawing *d)
{
  const platform_shape *s = &d->shape;
  int64_t top = 1;
  char title[256], one[64];
  for (int32_t i = 0; i < s->dimensions; i++)
    top *= s->up[i];
  snprintf(title, sizeof title, "%s: fat-tree of %d levels, %d hosts; the first subtree of each level is opened",
           drawing_name(d), s->dimensions, s->hosts);
  svg_begin(d->out, 960, 130 + 150. * s->dimensions, title);
  draw_subtrees(d, s->dimensions - 1, (svg_point){480, 70}, s->hosts);
  snprintf(one, sizeof one, "%lld switch%s", (long long)top, top > 1 ? "es" : "");
  svg_box(d->out, (svg_point){480, 70}, "switch", one, NULL);
  svg_end(d->out);
}

static void draw_ring(drawing *d)
{
  const int32_t n = d->shape.sizes[0], drawn = n > MOST_ON_CIRCLE ? MOST_ON_CIRCLE - 1 : n,
                places = drawn + (n > drawn);
  const svg_point centre = {480, 390};
  char each[64], rest[64];
  for (int32_t i = 0; i < places; i++) {
    const svg_point a = svg_on_circle(centre, 400, 310, i, places), b = svg_on_circle(centre, 400, 310, i + 1, places);
    svg_line(d->out, a, b);
  }
  for (int32_t i = 0; i < drawn; i++)
    svg_box(d->out, svg_on_circle(centre, 400, 310, i, places), "host", rh_platform_host(d->platform, i), NULL);
  snprintf(rest, sizeof rest, "... %d more", n - drawn);
  if (n > drawn) svg_box(d->out, svg_on_circle(centre, 400, 310, drawn, places), "more", rest, NULL);
  svg_label(d->out, centre, "each cable %s", cable(d, each, sizeof each));
}

static void draw_grid(drawing *d)
{
  const int32_t w = d->shape.sizes[0], h = d->shape.sizes[1];
  const int32_t columns = w > MOST_IN_GRID ? MOST_IN_GRID : w, rows = h > MOST_IN_GRID ? MOST_IN_GRID : h;
  char each[64];
  for (int32_t y = 0; y < rows; y++) {
    const double at = 100 + y * 56.;
    svg_line(d->out, (svg_point){20, at}, (svg_point){80 + columns * 124., at});
  }
  for (int32_t x = 0; x < columns; x++) {
    const double at = 100 + x * 124.;
    svg_line(d->out, (svg_point){at, 66}, (svg_point){at, 78 + rows * 56.});
  }
  for (int32_t y = 0; y < rows; y++)
    for (int32_t x = 0; x < columns; x++)
      svg_box(d->out, (svg_point){100 + x * 124., 100 + y * 56.}, "host", rh_platform_host(d->platform, y * w + x),
              NULL);
  svg_label(d->out, (svg_point){50 + columns * 62., 54}, "each cable %s; lines that leave the picture %s",
            cable(d, each, sizeof each),
            w > columns || h > rows ? "go on, and join their other ends" : "join their other ends");
}

void draw_torus(drawing *d)
{
  const platform_shape *s = &d->shape;
  rh_text sizes = {0};
  char title[256];
  int32_t planes = 1;
  for (int32_t i = 0; i < s->dimensions; i++) {
    rh_text_append(&sizes, "%s%d", i ? " x " : "", s->sizes[i]);
    if (i > 1) planes *= s->sizes[i];
  }
  snprintf(title, sizeof title, "%s: torus of %s hosts%s", drawing_name(d), rh_text_get(&sizes),
           planes > 1 ? ", its first plane" : "");
  if (s->dimensions == 1) {
    svg_begin(d->out, 960, 760, title);
    draw_ring(d);
  } else {
    const int32_t columns = s->sizes[0] > MOST_IN_GRID ? MOST_IN_GRID : s->sizes[0];
    const int32_t rows = s->sizes[1] > MOST_IN_GRID ? MOST_IN_GRID : s->sizes[1];
    svg_begin(d->out, 100 + columns * 124., 110 + rows * 56., title);
    draw_grid(d);
  }
  svg_end(d->out);
  rh_text_clear(&sizes);
}

void draw_dragonfly(drawing *d)
{
  const platform_shape *s = &d->shape;
  const int32_t drawn = s->groups > MOST_ON_CIRCLE ? MOST_ON_CIRCLE - 1 : s->groups;
  const int32_t places = drawn + (s->groups > drawn);
  const svg_point centre = {480, 390};
  char title[256], one[64], two[64], each[64];
  snprintf(title, sizeof title, "%s: dragonfly of %d groups, %d hosts", drawing_name(d), s->groups, s->hosts);
  svg_begin(d->out, 960, 760, title);
  for (int32_t a = 0; a < places; a++)
    for (int32_t b = a + 1; b < places; b++)
      svg_line(d->out, svg_on_circle(centre, 400, 310, a, places), svg_on_circle(centre, 400, 310, b, places));
  for (int32_t i = 0; i < drawn; i++) {
    snprintf(one, sizeof one, "group %d", i);
    snprintf(two, sizeof two, "%d sw. x %d hosts", s->chassis * s->switches, s->nodes);
    svg_box(d->out, svg_on_circle(centre, 400, 310, i, places), "switch", one, two);
  }
  snprintf(one, sizeof one, "... %d more", s->groups - drawn);
  if (s->groups > drawn) svg_box(d->out, svg_on_circle(centre, 400, 310, drawn, places), "more", one, NULL);
  svg_label(d->out, centre, "between two groups %d cables of %s", s->global, cable(d, each, sizeof each));
  svg_end(d->out);
}
