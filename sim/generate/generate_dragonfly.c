/* Dragonfly: groups of fully connected switches, each group connected to each other: SimGrid's DRAGONFLY cluster.
 *
 * Source      Kim, Dally, Scott and Abts, Technology-driven, highly-scalable dragonfly topology, ISCA 2008;
 *             De Sensi et al., An in-depth analysis of the Slingshot interconnect, SC 2020 (arXiv 2008.08886)
 */
#include "generate_private.h"

#define PORTS 64 /* of a Rosetta switch */

static rh_status check(int32_t groups, int32_t switches, int32_t nodes, int32_t global)
{
  /* SimGrid connects switch j of group i to switch i of group j */
  if (switches < groups)
    return rh_error(RH_EINVAL,
                    "groups=%d switches=%d: each switch of a group leads to one other group, so a group needs at least "
                    "as many switches as there are groups: take switches=%d or fewer groups",
                    groups, switches, groups);
  if (nodes + switches - 1 + global > PORTS)
    return rh_error(RH_EINVAL,
                    "nodes=%d + %d other switches + global=%d: a switch has %d ports: take fewer nodes, switches or "
                    "global cables",
                    nodes, switches - 1, global, PORTS);
  return RH_OK;
}

static rh_status write(rh_generation *g, rh_text *xml)
{
  const int32_t groups = generation_count(g, "groups"), switches = generation_count(g, "switches");
  const int32_t nodes = generation_count(g, "nodes"), global = generation_count(g, "global");
  rh_status status = check(groups, switches, nodes, global);
  if (status != RH_OK) return status;
  const generate_quantity bandwidth = generate_rate(generation_value(g, "bandwidth"));
  const generate_quantity latency = generate_delay(generation_value(g, "latency"));
  generate_head(g, xml, "Dragonfly of %d nodes: %d groups of %d switches with %d nodes each.",
                groups * switches * nodes, groups, switches, nodes);
  generate_note(xml, "When",
                "what-if studies on the fabric of large machines: few hops, but thin bundles between groups.");
  generate_note(
      xml, "Shape",
      "ranks 0-%d share a switch, 0-%d a group. Inside a group each switch has a cable to each other one; "
      "between two groups runs one bundle of %d cables, at switch j of group i and switch i of group j (Kim et "
      "al., ISCA 2008). A route has at most 5 links, by the shortest way: real machines also take detours "
      "under load, which is not modelled, so traffic between two groups is worse here.",
      nodes - 1, switches * nodes - 1, global);
  generate_note(xml, "Cables",
                "%s (byte/s) each way. The preset is Slingshot's 200 Gbit/s; switches have %d ports (De Sensi et al., "
                "SC 2020). Headers are not taken off.",
                bandwidth.text, PORTS);
  generate_note(xml, "Latency",
                "%s a link. The preset is 350 ns a switch (the same source: the mean of a Rosetta switch), four "
                "switches on the longest route spread over its five links; adapters come on top, measure your own.",
                latency.text);
  generate_note_a100(xml);
  generate_open(xml, MODEL_PLAIN, "reliable fabrics with congestion control in hardware" NO_TCP);
  rh_text_append(
      xml,
      "  <cluster id=\"dragonfly\" prefix=\"node-\" suffix=\"\" radical=\"0-%d\" speed=\"19.5Tf\" bw=\"%s\"\n"
      "           lat=\"%s\" topology=\"DRAGONFLY\" topo_parameters=\"%d,%d;1,1;%d,1;%d\"\n"
      "           sharing_policy=\"SPLITDUPLEX\"/>\n",
      groups * switches * nodes - 1, bandwidth.text, latency.text, groups, global, switches, nodes);
  generate_close(xml);
  return RH_OK;
}

const rh_generator generate_dragonfly = {
    .name = "dragonfly",
    .summary = "groups of fully connected switches, each connected to each other",
    .keys = {{"groups", RH_KEY_COUNT, RH_UNIT_NONE, "12", 2, 64, NULL, "at most as many as switches"},
             {"switches", RH_KEY_COUNT, RH_UNIT_NONE, "12", 2, 64, NULL, "of a group"},
             {"nodes", RH_KEY_COUNT, RH_UNIT_NONE, "8", 1, 62, NULL, "of a switch"},
             {"global", RH_KEY_COUNT, RH_UNIT_NONE, "4", 1, 62, NULL, "cables between two groups"},
             {"bandwidth", RH_KEY_QUANTITY, RH_UNIT_BANDWIDTH, "25GBps", 1e3, 1e13, NULL, "of a cable, each way"},
             {"latency", RH_KEY_QUANTITY, RH_UNIT_SECOND, "0.28us", 0, 1, NULL, "of a cable"}},
    .write = write};
