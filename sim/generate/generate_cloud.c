/* Virtual machines with 25 Gbit/s Ethernet in several racks, whose cables to the core they share.
 *
 * Source      Amazon EC2 user guide, instance network bandwidth (rates of flows)
 */
#include "generate_private.h"

#define CABLE_S  1.5e-6 /* of a machine's cable */
#define UPLINK_S 0.5e-6 /* of a rack's */

static void write_notes(const rh_generation *g, rh_text *xml, double uplink_Bps)
{
  const int32_t racks = generation_count(g, "racks"), machines = generation_count(g, "machines");
  generate_head(g, xml, "Cloud: %d racks of %d virtual machines with 25 Gbit/s Ethernet.", racks, machines);
  generate_note(xml, "When",
                "rented machines: TCP, racks that share their way out, and no say in which rack one gets.");
  generate_note(xml, "Zones", "each rack is a zone: ranks 0-%d are in rack 0, the next %d in rack 1.", machines - 1,
                machines);
  generate_note(
      xml, "Cables",
      "25GBASE (IEEE 802.3by-2016), 25 Gbit/s = 3.125 GB/s each way, here %s. LV08 takes 3 %% off for headers; "
      "frames of 1500 bytes carry 1448 bytes of TCP payload in 1538 bytes on the wire, which is 5.9 %%, jumbo "
      "frames 1 %%.",
      generate_rate(generation_value(g, "bandwidth")).text);
  generate_note(
      xml, "Racks",
      "a rack's machines share %s each way to the core, an oversubscription of %d:1: an assumption, providers "
      "publish none.",
      generate_rate(uplink_Bps).text, generation_count(g, "oversubscription"));
  if (generation_auto(g, "flow"))
    generate_note(
        xml, "Flows",
        "one flow may fill the cable. Amazon EC2 holds one to 5 Gbit/s, or 10 in a cluster placement group "
        "(user guide, instance network bandwidth); libraries open several. flow=10Gbps builds that limit in.");
  else
    generate_note(
        xml, "Flows",
        "one message gets at most %s, whatever is free: providers limit single flows, Amazon EC2 to 5 Gbit/s, "
        "or 10 in a cluster placement group (user guide, instance network bandwidth).",
        generate_rate(generation_value(g, "flow")).text);
  generate_note(xml, "Latency",
                "1.5 us a cable, 0.5 us a rack's, which LV08 multiplies by 13.01: 39 us within a rack, 52 us between "
                "racks. An assumption to be replaced by a ping-pong of your own.");
  generate_note(xml, "Hosts",
                "8.1 Tflop/s in fp32 (NVIDIA T4 data sheet). Runs with measured step times use only how fast hosts are "
                "compared with each other, and these are equal.");
  generate_open(xml, MODEL_TCP, "what runs there");
}

static rh_status write(rh_generation *g, rh_text *xml)
{
  const int32_t racks = generation_count(g, "racks"), machines = generation_count(g, "machines");
  const double bandwidth_Bps = generation_value(g, "bandwidth");
  const double uplink_Bps = machines * bandwidth_Bps / generation_count(g, "oversubscription");
  write_notes(g, xml, uplink_Bps);
  rh_text_append(xml, "  <zone id=\"cloud\" routing=\"Floyd\">\n");
  for (int32_t rack = 0; rack < racks; rack++) {
    rh_text_append(xml,
                   "    <cluster id=\"rack-%d\" prefix=\"vm-\" suffix=\"\" radical=\"%d-%d\" speed=\"8.1Tf\" bw=\"%s\" "
                   "lat=\"%s\"\n             router_id=\"switch-%d\" sharing_policy=\"SPLITDUPLEX\"",
                   rack, rack * machines, (rack + 1) * machines - 1, generate_rate(bandwidth_Bps).text,
                   generate_delay(CABLE_S).text, rack);
    /* a backbone that is not shared holds each flow to its rate, and all flows together to nothing */
    if (!generation_auto(g, "flow"))
      rh_text_append(xml, " bb_bw=\"%s\" bb_lat=\"0us\"\n             bb_sharing_policy=\"FATPIPE\"",
                     generate_rate(generation_value(g, "flow")).text);
    rh_text_append(xml, "/>\n");
  }
  rh_text_append(xml, "    <zone id=\"core\" routing=\"Full\"><router id=\"core-switch\"/></zone>\n");
  for (int32_t rack = 0; rack < racks; rack++)
    rh_text_append(xml, "    <link id=\"uplink-%d\" bandwidth=\"%s\" latency=\"%s\" sharing_policy=\"SPLITDUPLEX\"/>\n",
                   rack, generate_rate(uplink_Bps).text, generate_delay(UPLINK_S).text);
  for (int32_t rack = 0; rack < racks; rack++)
    rh_text_append(xml,
                   "    <zoneRoute src=\"rack-%d\" dst=\"core\" gw_src=\"switch-%d\" gw_dst=\"core-switch\"><link_ctn "
                   "id=\"uplink-%d\" direction=\"UP\"/></zoneRoute>\n",
                   rack, rack, rack);
  rh_text_append(xml, "  </zone>\n");
  generate_close(xml);
  return RH_OK;
}

const rh_generator generate_cloud = {
    .name = "cloud",
    .summary = "racks of virtual machines with 25 Gbit/s Ethernet",
    .keys = {{"racks", RH_KEY_COUNT, RH_UNIT_NONE, "4", 2, 64, NULL, "zones"},
             {"machines", RH_KEY_COUNT, RH_UNIT_NONE, "16", 1, 1024, NULL, "of a rack"},
             {"oversubscription", RH_KEY_COUNT, RH_UNIT_NONE, "3", 1, 64, NULL, "of a rack's cables to the core"},
             {"bandwidth", RH_KEY_QUANTITY, RH_UNIT_BANDWIDTH, "25Gbps", 1e3, 1e13, NULL, "of a machine, each way"},
             {"flow", RH_KEY_QUANTITY, RH_UNIT_BANDWIDTH, "auto", 1e3, 1e13, NULL, "limit of one message; auto: none"}},
    .write = write};
