/* Small boards on Wi-Fi: access points with a channel each, wired together.
 *
 * Source      IEEE 802.11n-2009, table 20-30 (rates)
 */
#include "generate_private.h"

static void write_notes(const rh_generation *g, rh_text *xml)
{
  const int32_t stations = generation_count(g, "stations"), points = generation_count(g, "access-points");
  generate_head(g, xml, "Wi-Fi edge: %d small boards around %d access point%s.", stations, points,
                points > 1 ? "s" : "");
  generate_note(xml, "When",
                "training or federated learning on devices. The stations of an access point share the air: every byte "
                "hurts, and a message between two of them crosses it twice.");
  generate_note(xml, "Zones", "each access point is a zone of %d stations, with a channel of its own.",
                stations / points);
  generate_note(
      xml, "Rates",
      "(bit/s) 39, 31.2, 23.4 and 15.6 Mbit/s, levels 0 to 3: what reaches the application of IEEE 802.11n's "
      "65, 52, 39 and 26 Mbit/s (one stream, 20 MHz, long guard interval: MCS 7, 5, 4, 3; IEEE 802.11n-2009, "
      "table 20-30). The share of 60 %% is an assumption: contention, preambles and acknowledgements take the "
      "rest. A host's property wifi_level picks its level (default 0).");
  if (points > 1)
    generate_note(xml, "Wires",
                  "1000BASE-T (IEEE 802.3ab-1999) from each access point to a switch, 125 MB/s each way and 10 us: an "
                  "assumption; they are thirty times as fast as the air.");
  generate_note(xml, "Latency", "none in the air: SimGrid's Wi-Fi links have no latency, the time on the air is all.");
  generate_note(
      xml, "Hosts",
      "Raspberry Pi 4, four cores as one: 8 Gflop/s measured with HPL in fp64 (B. Feiereisen, Benchmarking the "
      "Raspberry Pi 4 with Raspberry Pi OS64, 2022, feiereisen.net). Runs with measured step times use only "
      "how fast hosts are compared with each other, and these are equal.");
  generate_open(
      xml, MODEL_PLAIN,
      "TCP's share is in the rates already, and LV08 would take it off again; at these rates no window is felt");
}

static void write_zone(rh_text *xml, int32_t point, int32_t stations)
{
  rh_text_append(xml,
                 "    <zone id=\"cell-%d\" routing=\"Wifi\">\n      <prop id=\"access_point\" value=\"point-%d\"/>\n",
                 point, point);
  for (int32_t i = point * stations; i < (point + 1) * stations; i++)
    rh_text_append(xml, "      <host id=\"board-%d\" speed=\"8Gf\"/>\n", i);
  rh_text_append(xml,
                 "      <router id=\"point-%d\"/>\n      <link id=\"air-%d\" sharing_policy=\"WIFI\" "
                 "bandwidth=\"39Mbps,31.2Mbps,23.4Mbps,15.6Mbps\" latency=\"0s\"/>\n    </zone>\n",
                 point, point);
}

static rh_status write(rh_generation *g, rh_text *xml)
{
  const int32_t stations = generation_count(g, "stations"), points = generation_count(g, "access-points");
  if (stations % points != 0 || stations / points < 1)
    return rh_error(
        RH_EINVAL,
        "stations=%d access-points=%d: each access point takes the same number of stations: choose a divisor", stations,
        points);
  write_notes(g, xml);
  rh_text_append(xml, "  <zone id=\"edge\" routing=\"Floyd\">\n");
  for (int32_t point = 0; point < points; point++)
    write_zone(xml, point, stations / points);
  if (points > 1) rh_text_append(xml, "    <zone id=\"core\" routing=\"Full\"><router id=\"switch\"/></zone>\n");
  for (int32_t point = 0; point < points && points > 1; point++)
    rh_text_append(xml,
                   "    <link id=\"wire-%d\" bandwidth=\"125MBps\" latency=\"10us\" sharing_policy=\"SPLITDUPLEX\"/>\n",
                   point);
  for (int32_t point = 0; point < points && points > 1; point++)
    rh_text_append(xml,
                   "    <zoneRoute src=\"cell-%d\" dst=\"core\" gw_src=\"point-%d\" gw_dst=\"switch\"><link_ctn "
                   "id=\"wire-%d\" direction=\"UP\"/></zoneRoute>\n",
                   point, point, point);
  rh_text_append(xml, "  </zone>\n");
  generate_close(xml);
  return RH_OK;
}

const rh_generator generate_wifi_edge = {
    .name = "wifi-edge",
    .summary = "small boards that share the air around access points",
    .keys = {{"stations", RH_KEY_COUNT, RH_UNIT_NONE, "64", 2, 4096, NULL, "boards in all"},
             {"access-points", RH_KEY_COUNT, RH_UNIT_NONE, "4", 1, 64, NULL, "with a channel each; divides stations"}},
    .write = write};
