/* Eight data centres around the world, some hosts each, a leased circuit between any two.
 *
 * Symbols     D great-circle distance of two cities in km
 * Formula     one way: D times 1.5 below 1000 km, 1.25 above 1200 km, 1500 km between, times 5 us per km
 * Source      ITU-T Y.1541 appendix III (length of the cable), ITU-T G.114 annex A (fibre)
 */
#include <math.h>

#include "generate_private.h"

#define CENTRES        8
#define EARTH_KM       6371.0 /* mean radius */
#define FIBRE_S_PER_KM 5e-6

/* Cities where large clouds have regions; degrees to a hundredth. */
static const struct centre {
  const char *city;
  double north, east;
} centres[CENTRES] = {{"Ashburn", 39.04, -77.49},  {"Council Bluffs", 41.26, -95.86}, {"Sao Paulo", -23.55, -46.63},
                      {"London", 51.51, -0.13},    {"Frankfurt", 50.11, 8.68},        {"Mumbai", 19.08, 72.88},
                      {"Singapore", 1.35, 103.82}, {"Tokyo", 35.68, 139.69}};

static double radian(double degree)
{
  return degree * 3.14159265358979323846 / 180;
}

/* Haversine formula. */
static double distance_km(const struct centre *a, const struct centre *b)
{
  const double north = sin(radian(b->north - a->north) / 2), east = sin(radian(b->east - a->east) / 2);
  return 2 * EARTH_KM * asin(sqrt(north * north + cos(radian(a->north)) * cos(radian(b->north)) * east * east));
}

static double latency_s(double km)
{
  const double cable_km = km < 1000 ? 1.5 * km : km < 1200 ? 1500 : 1.25 * km;
  return round(cable_km * FIBRE_S_PER_KM * 1e5) / 1e5; /* hundredths of a millisecond */
}

static void write_notes(const rh_generation *g, rh_text *xml)
{
  const int32_t hosts = generation_count(g, "hosts");
  generate_head(g, xml, "Wide area network of %d data centres with %d GPU servers each, on four continents.", CENTRES,
                hosts);
  generate_note(xml, "When",
                "training across regions: what must cross an ocean, how often, and which method hides it.");
  generate_note(xml, "Zones",
                "each centre is a zone: ranks 0-%d are in Ashburn, then Council Bluffs, Sao Paulo, London, Frankfurt, "
                "Mumbai, Singapore, Tokyo.",
                hosts - 1);
  generate_note(
      xml, "Circuits",
      "%s (byte/s) each way between any two centres, leased, not shared with anybody else: an assumption; the "
      "preset is the most common core capacity of European research networks in TERENA's Compendium of "
      "National Research and Education Networks, chapter 3: 10 Gbit/s.",
      generate_rate(generation_value(g, "bandwidth")).text);
  generate_note(
      xml, "Latency",
      "(one way) great-circle distance D of the cities, times 1.5 below 1000 km and 1.25 above 1200 km for the "
      "length of the cable (ITU-T Y.1541, appendix III), times 5 us per km of fibre (ITU-T G.114, annex A). "
      "Each link names D. LV08 multiplies it by 13.01, made for slow start over a local network: too much here "
      "for messages that fill a long path.");
  generate_note(xml, "Inside",
                "25GBASE (IEEE 802.3by-2016) to a switch that is never busy, 1 us a cable: an assumption, as in "
                "ethernet-25g-64.xml.");
  generate_note_a100(xml);
  generate_open(xml, MODEL_TCP, "what runs over such circuits");
}

static rh_status write(rh_generation *g, rh_text *xml)
{
  const int32_t hosts = generation_count(g, "hosts");
  const generate_quantity circuit = generate_rate(generation_value(g, "bandwidth"));
  write_notes(g, xml);
  rh_text_append(xml, "  <zone id=\"world\" routing=\"Full\">\n");
  for (int i = 0; i < CENTRES; i++)
    rh_text_append(xml,
                   "    <cluster id=\"centre-%d\" prefix=\"gpu-\" suffix=\"\" radical=\"%d-%d\" speed=\"19.5Tf\" "
                   "bw=\"25Gbps\" lat=\"1us\"\n             router_id=\"border-%d\" sharing_policy=\"SPLITDUPLEX\"/> "
                   "<!-- %s -->\n",
                   i, i * hosts, (i + 1) * hosts - 1, i, centres[i].city);
  for (int a = 0; a < CENTRES; a++)
    for (int b = a + 1; b < CENTRES; b++) {
      const double km = distance_km(&centres[a], &centres[b]);
      rh_text_append(xml,
                     "    <link id=\"circuit-%d-%d\" bandwidth=\"%s\" latency=\"%s\" sharing_policy=\"SPLITDUPLEX\"/> "
                     "<!-- %s - %s, %.0f km -->\n",
                     a, b, circuit.text, generate_delay(latency_s(km)).text, centres[a].city, centres[b].city, km);
    }
  for (int a = 0; a < CENTRES; a++)
    for (int b = a + 1; b < CENTRES; b++)
      rh_text_append(xml,
                     "    <zoneRoute src=\"centre-%d\" dst=\"centre-%d\" gw_src=\"border-%d\" gw_dst=\"border-%d\">"
                     "<link_ctn id=\"circuit-%d-%d\" direction=\"UP\"/></zoneRoute>\n",
                     a, b, a, b, a, b);
  rh_text_append(xml, "  </zone>\n");
  generate_close(xml);
  return RH_OK;
}

const rh_generator generate_wan = {
    .name = "wan",
    .summary = "eight data centres around the world",
    .keys = {{"hosts", RH_KEY_COUNT, RH_UNIT_NONE, "8", 1, 4096, NULL, "of a centre"},
             {"bandwidth", RH_KEY_QUANTITY, RH_UNIT_BANDWIDTH, "10Gbps", 1e3, 1e13, NULL, "between two centres"}},
    .write = write};
