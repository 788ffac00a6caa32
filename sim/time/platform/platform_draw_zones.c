/* Drawings of platforms without a regular shape: zones and the routes between them, or hosts and who is one link away.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "platform_svg.h"
#include "unit.h"

#define MOST_ON_CIRCLE 32
#define MOST_HOSTS     72
#define MOST_LABELS    40 /* of lines; more would hide the picture */

static void label_route(drawing *d, const rh_route *route, svg_point a, svg_point b, double share)
{
  char rate[32], delay[32];
  svg_line_label(d->out, a, b, share, "%s, %s",
                 rh_unit_format(route->bandwidth_Bps, RH_UNIT_BANDWIDTH, rate, sizeof rate),
                 rh_unit_format(route->latency_s, RH_UNIT_SECOND, delay, sizeof delay));
}

/* First rank and number of ranks of a zone. */
static int32_t first_of(const rh_platform *platform, int32_t zone, int32_t *count)
{
  int32_t first = -1;
  *count = 0;
  for (int32_t rank = 0; rank < platform->workers; rank++) {
    if (platform->zone_of[rank] != zone) continue;
    if (first < 0) first = rank;
    ++*count;
  }
  return first;
}

/* Are all routes between zones alike? Then one label does. */
static bool alike(const rh_route *a, const rh_route *b)
{
  return a->bandwidth_Bps == b->bandwidth_Bps && fabs(a->latency_s - b->latency_s) <= 1e-9 * a->latency_s;
}

static void join_zones(drawing *d, svg_point centre, int32_t drawn, int32_t places)
{
  const rh_route *route, *first = NULL;
  int32_t labels = 0, count;
  bool equal = drawn > 3;
  for (int pass = 0; pass < 2; pass++) /* labels over all lines */
    for (int32_t a = 0; a < drawn; a++)
      for (int32_t b = a + 1; b < drawn; b++) {
        const svg_point from = svg_on_circle(centre, 480, 380, a, places),
                        to = svg_on_circle(centre, 480, 380, b, places);
        if (!drawing_route(d, first_of(d->platform, a, &count), first_of(d->platform, b, &count), &route)) continue;
        if (!first) first = route;
        equal = equal && alike(first, route);
        if (pass == 0)
          svg_line(d->out, from, to);
        else if (!equal && labels++ < MOST_LABELS)
          label_route(d, route, from, to, a % 2 ? 0.4 : 0.3);
      }
  if (equal && first) label_route(d, first, centre, centre, 0);
}

void draw_zones(drawing *d)
{
  const int32_t zones = d->platform->zone_count, drawn = zones > MOST_ON_CIRCLE ? MOST_ON_CIRCLE - 1 : zones;
  const int32_t places = drawn + (zones > drawn);
  const svg_point centre = {580, 460};
  char title[256], one[64], two[64], rate[32];
  snprintf(title, sizeof title, "%s: %d hosts in %d zones; lines are routes between their first hosts", drawing_name(d),
           d->platform->workers, zones);
  svg_begin(d->out, 1160, 900, title);
  join_zones(d, centre, drawn, places);
  for (int32_t zone = 0; zone < drawn; zone++) {
    const rh_route *route;
    int32_t count, first = first_of(d->platform, zone, &count);
    snprintf(one, sizeof one, "%.14s", rh_platform_host(d->platform, first));
    if (count > 1) snprintf(one, sizeof one, "%.14s .. +%d", rh_platform_host(d->platform, first), count - 1);
    snprintf(two, sizeof two, "%s", "alone");
    if (count > 1 && first + 1 < d->platform->workers && d->platform->zone_of[first + 1] == zone &&
        drawing_route(d, first, first + 1, &route))
      snprintf(two, sizeof two, "%s inside",
               rh_unit_format(route->bandwidth_Bps, RH_UNIT_BANDWIDTH, rate, sizeof rate));
    svg_box(d->out, svg_on_circle(centre, 480, 380, zone, places), "switch", one, two);
  }
  snprintf(one, sizeof one, "... %d more", zones - drawn);
  if (zones > drawn) svg_box(d->out, svg_on_circle(centre, 480, 380, drawn, places), "more", one, NULL);
  svg_end(d->out);
}

/* At top and bottom of a circle neighbours stand beside each other, and their boxes would cover a label between them:
 * it moves outwards, up to 50 units. */
static svg_point move_out(svg_point at, svg_point centre)
{
  const double x = at.x - centre.x, y = at.y - centre.y, radius = hypot(x, y), steep = y * y / (radius * radius);
  const double share = radius > 0 ? 50 * steep * steep / radius : 0;
  return (svg_point){at.x + share * x, at.y + share * y};
}

/* Lines between hosts that are one link apart. Returns how many. */
static int32_t join_hosts(drawing *d, svg_point centre, double radius, int32_t drawn, int32_t places)
{
  const rh_route *route;
  int32_t lines = 0;
  for (int pass = 0; pass < 2; pass++)
    for (int32_t a = 0; a < drawn; a++)
      for (int32_t b = a + 1; b < drawn; b++) {
        svg_point from = svg_on_circle(centre, radius, radius, a, places);
        svg_point to = svg_on_circle(centre, radius, radius, b, places);
        const bool beside = b == a + 1 || (a == 0 && b == places - 1);
        if (!drawing_route(d, a, b, &route) || route->link_count != 1) continue;
        if (pass == 0) {
          svg_line(d->out, from, to);
          lines++;
        } else if (lines <= MOST_LABELS) {
          if (beside) from = to = move_out((svg_point){(from.x + to.x) / 2, (from.y + to.y) / 2}, centre);
          label_route(d, route, from, to, 0.5);
        }
      }
  return lines;
}

/* Hosts that no single link joins: each with a line to the network between them, labelled by its route to the next. */
static void join_network(drawing *d, svg_point centre, double radius, int32_t drawn, int32_t places)
{
  const rh_route *route;
  for (int32_t i = 0; i < places; i++)
    svg_line(d->out, centre, svg_on_circle(centre, radius, radius, i, places));
  for (int32_t i = 0; i < drawn && drawn <= MOST_LABELS && d->platform->workers > 1; i++)
    if (drawing_route(d, i, (i + 1) % d->platform->workers, &route))
      label_route(d, route, centre, svg_on_circle(centre, radius, radius, i, places), 0.6);
  svg_box(d->out, centre, "switch", "network", d->routes ? NULL : "no routes told");
}

/* The number in a host's property `plane`, as satellites have it; -1: it has none. */
static int32_t plane_of(const drawing *d, int32_t rank)
{
  const char *plane = sg_host_get_property_value(d->platform->ranks[rank], "plane");
  return plane ? (int32_t)strtol(plane, NULL, 10) : -1;
}

/* Where a satellite stands: `rows` of them in a column. */
static svg_point place_of(int32_t rank, int32_t rows, svg_point start, svg_point step)
{
  const int32_t column = rank / rows, row = rank % rows;
  return (svg_point){start.x + column * step.x, start.y + row * step.y};
}

/* Satellites: a column a plane, lines to the next place and to the next plane. */
static bool draw_planes(drawing *d)
{
  const int32_t N = d->platform->workers, planes = plane_of(d, N - 1) + 1, rows = planes > 0 ? N / planes : 0;
  const svg_point step = {230, 64}, start = {130, 100};
  const rh_route *route;
  char title[256];
  if (planes < 2 || planes * rows != N) return false;
  for (int32_t rank = 0; rank < N; rank++)
    if (plane_of(d, rank) != rank / rows) return false;
  snprintf(title, sizeof title, "%s: %d planes of %d satellites; lines as the file gives them", drawing_name(d), planes,
           rows);
  svg_begin(d->out, 2 * start.x + (planes - 1) * step.x, start.y + 60 + (rows - 1) * step.y, title);
  for (int32_t plane = 0; plane < planes; plane++)
    svg_line(d->out, (svg_point){start.x + plane * step.x, start.y - 40},
             (svg_point){start.x + plane * step.x, start.y + 40 + (rows - 1) * step.y});
  svg_label(d->out, (svg_point){start.x + (planes - 1) * step.x / 2, 48}, "columns close to rings: the ends join");
  for (int32_t rank = 0; rank < N; rank++) {
    const svg_point at = place_of(rank, rows, start, step);
    const svg_point east = {at.x + step.x, at.y}, below = {at.x, at.y + step.y};
    if (rank + rows < N && drawing_route(d, rank, rank + rows, &route) && route->link_count == 1) {
      svg_line(d->out, at, east);
      label_route(d, route, at, east, 0.5);
    }
    if (rank % rows + 1 < rows && drawing_route(d, rank, rank + 1, &route)) label_route(d, route, at, below, 0.5);
  }
  for (int32_t rank = 0; rank < N; rank++)
    svg_box(d->out, place_of(rank, rows, start, step), "host", rh_platform_host(d->platform, rank), NULL);
  svg_end(d->out);
  return true;
}

void draw_hosts(drawing *d)
{
  const int32_t N = d->platform->workers, drawn = N > MOST_HOSTS ? MOST_HOSTS - 1 : N, places = drawn + (N > drawn);
  const double radius = places > 24 ? 20. * places : 360; /* boxes beside each other */
  const svg_point centre = {radius + 80, radius + 80};
  char title[256], rest[64];
  if (draw_planes(d)) return;
  snprintf(title, sizeof title, "%s: %d hosts; lines join those that are one link apart", drawing_name(d), N);
  svg_begin(d->out, 2 * centre.x, 2 * centre.y, title);
  if (join_hosts(d, centre, radius, drawn, places) == 0) join_network(d, centre, radius, drawn, places);
  for (int32_t i = 0; i < drawn; i++)
    svg_box(d->out, svg_on_circle(centre, radius, radius, i, places), "host", rh_platform_host(d->platform, i), NULL);
  snprintf(rest, sizeof rest, "... %d more", N - drawn);
  if (N > drawn) svg_box(d->out, svg_on_circle(centre, radius, radius, drawn, places), "more", rest, NULL);
  svg_end(d->out);
}
