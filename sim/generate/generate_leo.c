/* Satellites in low earth orbit: planes over the poles, laser links ahead, astern and to the planes beside.
 *
 * Links along a plane never change. Links between planes grow shorter towards the poles, and are dropped near them,
 * where the satellites trade sides; their latency and bandwidth follow profiles computed from the orbits (orbit.h).
 * SimGrid takes no profile for two links, so each has files of its own.
 *
 * Source      Walker, JBIS 37, 1984 (star constellations)
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "generate_private.h"
#include "orbit.h"

#define PI           3.14159265358979323846
#define ATMOSPHERE_M 80e3 /* light must pass above it */
/* Of a link that is down: a message waits, and goes on when it is back. No state profile, with which it would fail: in
 * SimGrid 3.32 links that are split by direction take none. */
#define STALLED_BPS 0.125

typedef struct constellation {
  int32_t planes, satellites, samples;
  double altitude_m, inclination, polar_limit; /* radian */
  double bandwidth_Bps, range_m, period_s;
} constellation;

/* Both ends of a link between planes when its western end is at u; the eastern plane is pi / P further and half a slot
 * ahead. */
static void ends_of(const constellation *c, double u, orbit_position *west, orbit_position *east)
{
  *west = orbit_at(c->altitude_m, c->inclination, 0, u);
  *east = orbit_at(c->altitude_m, c->inclination, PI / c->planes, u + PI / c->satellites);
}

static bool is_up(const constellation *c, orbit_position west, orbit_position east)
{
  return fabs(orbit_latitude(west)) < c->polar_limit && fabs(orbit_latitude(east)) < c->polar_limit &&
         orbit_distance_m(west, east) <= c->range_m && orbit_clearance_m(west, east) >= ATMOSPHERE_M;
}

/* The profiles of the link that leads east from satellite `rank`. */
static void write_profiles(rh_generation *g, const constellation *c, int32_t rank)
{
  char name[64];
  orbit_position west, east;
  const double step_s = c->period_s / c->samples;
  const int32_t place = rank % c->satellites, orbit = rank / c->satellites;
  const double start = PI * (2 * place + orbit) / c->satellites;
  snprintf(name, sizeof name, "latency-%d.profile", rank);
  rh_text *text = generation_side_file(g, name);
  for (int32_t i = 0; i < c->samples; i++) {
    ends_of(c, start + 2 * PI * i / c->samples, &west, &east);
    rh_text_append(text, "%.3f %.7f\n", i * step_s, orbit_distance_m(west, east) / ORBIT_LIGHT_M_PER_S);
  }
  rh_text_append(text, "LOOPAFTER %.3f\n", step_s);
  snprintf(name, sizeof name, "bandwidth-%d.profile", rank);
  text = generation_side_file(g, name);
  bool before = true;
  for (int32_t i = 0; i < c->samples; i++) {
    ends_of(c, start + 2 * PI * i / c->samples, &west, &east);
    const bool up = is_up(c, west, east);
    if (i == 0 || up != before || i == c->samples - 1) /* changes; and the last, from which SimGrid counts the loop */
      rh_text_append(text, "%.3f %.9g\n", i * step_s, up ? c->bandwidth_Bps : STALLED_BPS);
    before = up;
  }
  rh_text_append(text, "LOOPAFTER %.3f\n", step_s);
}

static void write_notes(const rh_generation *g, const constellation *c, rh_text *xml, double up, double least_m,
                        double most_m)
{
  generate_head(g, xml, "Low earth orbit: %d satellites in %d planes of %d, with laser links to their neighbours.",
                c->planes * c->satellites, c->planes, c->satellites);
  generate_note(xml, "When", "training in orbit, and any method on links that come and go by a timetable.");
  generate_note(
      xml, "Orbits",
      "circular, %.0f km high, inclined by %.1f degrees, period %.0f s (Kepler, with mu and radius of WGS 84); "
      "planes %.1f degrees apart over half the equator, neighbours half a slot ahead (Walker star). The preset "
      "is Iridium's: 6 planes of 11, 780 km, 86.4 degrees. Rank = plane times %d + place.",
      c->altitude_m / 1e3, c->inclination * 180 / PI, c->period_s, 180. / c->planes, c->satellites);
  generate_note(
      xml, "Links",
      "ahead and astern in the plane, and to the planes at both sides but across the seam between the last and "
      "the first, which fly towards each other. Light takes distance / 299792458 m/s: %.2f ms along a plane, "
      "%.2f to %.2f ms between planes.",
      2 * (ORBIT_EARTH_M + c->altitude_m) * sin(PI / c->satellites) / ORBIT_LIGHT_M_PER_S * 1e3,
      least_m / ORBIT_LIGHT_M_PER_S * 1e3, most_m / ORBIT_LIGHT_M_PER_S * 1e3);
  generate_note(
      xml, "Up",
      "a link between planes is up while both ends are below %.0f degrees of latitude, nearer than %.0f km and "
      "see each other above %.0f km of air: %.0f %% of the time. Routes do not "
      "change: a message that meets a link that is down waits (the profile gives it 1 bit/s) and goes on when it "
      "is back, as in a network that stores and forwards.",
      c->polar_limit * 180 / PI, c->range_m / 1e3, ATMOSPHERE_M / 1e3, 100 * up);
  generate_note(
      xml, "Profiles",
      "%d samples a period, each held until the next one, repeated for ever, from the start of the simulation "
      "on; in the folder beside this file, two for each link between planes. What stands beside them in this file, for "
      "descriptions and closed forms, is the rate of a link that is up and its mean latency.",
      c->samples);
  generate_note(
      xml, "Rate",
      "%s (byte/s) each way. The preset is 2.5 Gbit/s, and 5500 km its range, as General Atomics gives for its "
      "terminal after the Space Development Agency's standard (press, September 2025).",
      generate_rate(c->bandwidth_Bps).text);
  generate_note(
      xml, "Hosts",
      "1.28 Tflop/s in fp32: Jetson Orin Nano (1024 cores at 0.625 GHz, two flop a cycle; NVIDIA data sheet), "
      "an assumption for a small satellite. Runs with measured step times use only how fast hosts are compared "
      "with each other, and these are equal.");
  generate_open(xml, MODEL_PLAIN, "links with forward error correction and frames of their own" NO_TCP);
}

/* Share of the time that a link is up, and the least, most and mean distance, over all places. */
static void survey(const constellation *c, double *up, double *least_m, double *most_m, double *mean_m)
{
  const int32_t places = 2 * c->satellites * c->samples;
  int32_t count = 0;
  *least_m = INFINITY;
  *most_m = *mean_m = 0;
  for (int32_t i = 0; i < places; i++) {
    orbit_position west, east;
    ends_of(c, 2 * PI * i / places, &west, &east);
    count += is_up(c, west, east);
    *least_m = fmin(*least_m, orbit_distance_m(west, east));
    *most_m = fmax(*most_m, orbit_distance_m(west, east));
    *mean_m += orbit_distance_m(west, east) / places;
  }
  *up = (double)count / places;
}

static void write_links(const rh_generation *g, const constellation *c, rh_text *xml, double mean_m)
{
  const int32_t S = c->satellites;
  const generate_quantity rate = generate_rate(c->bandwidth_Bps);
  const char *beside = g->out->files[0].name;
  const generate_quantity along =
      generate_delay(2 * (ORBIT_EARTH_M + c->altitude_m) * sin(PI / S) / ORBIT_LIGHT_M_PER_S);
  const generate_quantity across = generate_delay(mean_m / ORBIT_LIGHT_M_PER_S);
  const int folder = (int)strcspn(beside, "/");
  for (int32_t rank = 0; rank < c->planes * S; rank++)
    rh_text_append(xml, "    <link id=\"along-%d\" bandwidth=\"%s\" latency=\"%s\" sharing_policy=\"SPLITDUPLEX\"/>\n",
                   rank, rate.text, along.text);
  for (int32_t rank = 0; rank < (c->planes - 1) * S; rank++) {
    rh_text_append(xml,
                   "    <link id=\"across-%d\" bandwidth=\"%s\" latency=\"%s\" sharing_policy=\"SPLITDUPLEX\" "
                   "latency_file=\"%.*s/latency-%d.profile\" bandwidth_file=\"%.*s/bandwidth-%d.profile\"/>\n",
                   rank, rate.text, across.text, folder, beside, rank, folder, beside, rank);
  }
}

static void write_routes(const constellation *c, rh_text *xml)
{
  const int32_t S = c->satellites;
  for (int32_t rank = 0; rank < c->planes * S; rank++)
    rh_text_append(xml,
                   "    <route src=\"sat-%d\" dst=\"sat-%d\"><link_ctn id=\"along-%d\" direction=\"UP\"/></route>\n",
                   rank, rank / S * S + (rank % S + 1) % S, rank);
  for (int32_t rank = 0; rank < (c->planes - 1) * S; rank++)
    rh_text_append(xml,
                   "    <route src=\"sat-%d\" dst=\"sat-%d\"><link_ctn id=\"across-%d\" direction=\"UP\"/></route>\n",
                   rank, rank + S, rank);
}

static rh_status write(rh_generation *g, rh_text *xml)
{
  constellation c = {.planes = generation_count(g, "planes"),
                     .satellites = generation_count(g, "satellites"),
                     .samples = generation_count(g, "samples"),
                     .altitude_m = generation_value(g, "altitude-km") * 1e3,
                     .inclination = generation_value(g, "inclination") * PI / 180,
                     .polar_limit = generation_value(g, "polar-limit") * PI / 180,
                     .bandwidth_Bps = generation_value(g, "bandwidth"),
                     .range_m = generation_value(g, "range-km") * 1e3};
  double up, least_m, most_m, mean_m;
  c.period_s = orbit_period_s(c.altitude_m);
  orbit_position here = orbit_at(c.altitude_m, c.inclination, 0, 0);
  orbit_position ahead = orbit_at(c.altitude_m, c.inclination, 0, 2 * PI / c.satellites);
  if (orbit_distance_m(here, ahead) > c.range_m || orbit_clearance_m(here, ahead) < ATMOSPHERE_M)
    return rh_error(
        RH_EINVAL,
        "satellites=%d: neighbours in a plane are %.0f km apart, out of range or behind the earth: take more "
        "satellites or a larger range-km",
        c.satellites, orbit_distance_m(here, ahead) / 1e3);
  survey(&c, &up, &least_m, &most_m, &mean_m);
  if (up == 0)
    return rh_error(RH_EINVAL,
                    "planes=%d: neighbouring planes never see each other (%.0f km apart at least): take more planes, a "
                    "larger range-km or a larger polar-limit",
                    c.planes, least_m / 1e3);
  write_notes(g, &c, xml, up, least_m, most_m);
  for (int32_t rank = 0; rank < (c.planes - 1) * c.satellites; rank++)
    write_profiles(g, &c, rank);
  rh_text_append(xml, "  <zone id=\"orbits\" routing=\"Floyd\">\n");
  for (int32_t i = 0; i < c.planes * c.satellites; i++)
    rh_text_append(xml, "    <host id=\"sat-%d\" speed=\"1.28Tf\"><prop id=\"plane\" value=\"%d\"/></host>\n", i,
                   i / c.satellites);
  write_links(g, &c, xml, mean_m);
  write_routes(&c, xml);
  rh_text_append(xml, "  </zone>\n");
  generate_close(xml);
  return RH_OK;
}

const rh_generator generate_leo = {
    .name = "leo",
    .summary = "satellites in low earth orbit, whose links change by the timetable of their orbits",
    .keys = {{"planes", RH_KEY_COUNT, RH_UNIT_NONE, "6", 2, 32, NULL, "over half the equator"},
             {"satellites", RH_KEY_COUNT, RH_UNIT_NONE, "11", 3, 64, NULL, "of a plane"},
             {"altitude-km", RH_KEY_COUNT, RH_UNIT_NONE, "780", 200, 2000, NULL, "of the orbits"},
             {"inclination", RH_KEY_QUANTITY, RH_UNIT_NONE, "86.4", 60, 100, NULL, "in degrees"},
             {"polar-limit", RH_KEY_QUANTITY, RH_UNIT_NONE, "70", 10, 90, NULL, "degrees of latitude, links below it"},
             {"range-km", RH_KEY_COUNT, RH_UNIT_NONE, "5500", 500, 20000, NULL, "of a laser link"},
             {"bandwidth", RH_KEY_QUANTITY, RH_UNIT_BANDWIDTH, "2.5Gbps", 1e3, 1e12, NULL, "of a link, each way"},
             {"samples", RH_KEY_COUNT, RH_UNIT_NONE, "66", 8, 4096, NULL, "of a period"}},
    .write = write};
