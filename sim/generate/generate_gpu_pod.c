/* GPU pod: nodes of eight accelerators on a local switch, one network adapter each, rails above.
 *
 * Rail i is a leaf switch to which accelerator i of every node is connected; a spine joins the rails. All is one zone
 * of SimGrid, since its zones have one way out each and a node here has eight; the hosts' property `node` makes the
 * nodes.
 *
 * Source      NVIDIA DGX SuperPOD reference architecture (DGX H100), compute fabric
 */
#include "generate_private.h"

#define GPUS       8
#define NVSWITCH_S 0.3e-6  /* share of the local latency in the switch */
#define NVLINK_S   0.1e-6  /* and in each of the two ports */
#define NIC_S      0.3e-6  /* of a cable to a rail: 0.6 us through one switch */
#define SPINE_S    0.09e-6 /* of a cable to the spine: 90 ns for each of two more switches */

static void write_notes(const rh_generation *g, rh_text *xml, int32_t nodes, double uplink_Bps)
{
  generate_head(g, xml, "GPU pod: %d nodes of %d accelerators, %d in all, on eight rails.", nodes, GPUS, nodes * GPUS);
  generate_note(xml, "When",
                "data parallel training where the local fabric is nine times as fast as the network: "
                "two-level collectives, groups, rank order.");
  generate_note(xml, "Nodes",
                "ranks 0-7 are node 0, 8-15 node 1, and so on; each host's property node says so (train.groups: zones "
                "and the bytes within and between zones go by it).");
  generate_note(
      xml, "Inside",
      "each accelerator has a port of %s (byte/s) each way to a switch that is never busy: NVLink 4, 900 GB/s "
      "in both directions (NVIDIA H100 data sheet). Latency .5 us: an assumption, less than between nodes.",
      generate_rate(generation_value(g, "nvlink")).text);
  generate_note(xml, "Rails",
                "an adapter an accelerator; adapter i of every node is on rail switch i, so equal accelerators are one "
                "switch apart, others three, over the spine (DGX SuperPOD reference architecture, compute fabric). "
                "Nothing is forwarded through another accelerator of the node, as NCCL's PXN would. A rail's cables to "
                "the spine are one link of %s here%s.",
                generate_rate(uplink_Bps).text, generation_count(g, "oversubscription") > 1 ? ", oversubscribed" : "");
  generate_note(xml, "Cables",
                "InfiniBand NDR, 400 Gbit/s = 50 GB/s; of each packet 4096 bytes are payload and 26 headers and "
                "checksums (InfiniBand Architecture Specification, vol. 1), which leaves 49.68 GB/s. Here %s each way.",
                generate_rate(generation_value(g, "nic")).text);
  generate_note(xml, "Latency",
                "0.6 us through one switch and 90 ns for each further one, as IT4I publishes for HDR "
                "(docs.it4i.cz/karolina/network); that NDR is the same is an assumption.");
  generate_note(
      xml, "Hosts",
      "67 Tflop/s in fp32 (NVIDIA H100 SXM data sheet). Runs with measured step times use only how fast hosts "
      "are compared with each other, and these are equal.");
  generate_open(xml, MODEL_PLAIN, "NVLink and reliable credit-based fabrics" NO_TCP);
}

static void write_link(rh_text *xml, const char *name, int32_t number, double bandwidth_Bps, double latency_s,
                       const char *sharing)
{
  rh_text_append(xml, "    <link id=\"%s-%d\" bandwidth=\"%s\" latency=\"%s\" sharing_policy=\"%s\"/>\n", name, number,
                 generate_rate(bandwidth_Bps).text, generate_delay(latency_s).text, sharing);
}

static void write_links(const rh_generation *g, rh_text *xml, int32_t nodes, double uplink_Bps)
{
  for (int32_t rail = 0; rail < GPUS; rail++)
    write_link(xml, "uplink", rail, uplink_Bps, SPINE_S, "SPLITDUPLEX");
  for (int32_t node = 0; node < nodes; node++)
    write_link(xml, "nvswitch", node, generation_value(g, "nvlink"), NVSWITCH_S, "FATPIPE");
  for (int32_t gpu = 0; gpu < nodes * GPUS; gpu++) {
    write_link(xml, "nvlink", gpu, generation_value(g, "nvlink"), NVLINK_S, "SPLITDUPLEX");
    write_link(xml, "nic", gpu, generation_value(g, "nic"), NIC_S, "SPLITDUPLEX");
  }
}

/* Three links a pair of one node, so that the way over the spine, four, is shorter than one through a
 * neighbour, five. */
static void write_routes(rh_text *xml, int32_t nodes)
{
  for (int32_t rail = 0; rail < GPUS; rail++)
    rh_text_append(xml,
                   "    <route src=\"rail-%d\" dst=\"spine\"><link_ctn id=\"uplink-%d\" direction=\"UP\"/></route>\n",
                   rail, rail);
  for (int32_t gpu = 0; gpu < nodes * GPUS; gpu++)
    rh_text_append(xml,
                   "    <route src=\"gpu-%d\" dst=\"rail-%d\"><link_ctn id=\"nic-%d\" direction=\"UP\"/></route>\n",
                   gpu, gpu % GPUS, gpu);
  for (int32_t a = 0; a < nodes * GPUS; a++)
    for (int32_t b = a + 1; b < (a / GPUS + 1) * GPUS; b++)
      rh_text_append(xml,
                     "    <route src=\"gpu-%d\" dst=\"gpu-%d\"><link_ctn id=\"nvlink-%d\" direction=\"UP\"/><link_ctn "
                     "id=\"nvswitch-%d\"/><link_ctn id=\"nvlink-%d\" direction=\"DOWN\"/></route>\n",
                     a, b, a, a / GPUS, b);
}

static rh_status write(rh_generation *g, rh_text *xml)
{
  const int32_t nodes = generation_count(g, "nodes");
  const double uplink_Bps = nodes * generation_value(g, "nic") / generation_count(g, "oversubscription");
  write_notes(g, xml, nodes, uplink_Bps);
  rh_text_append(xml, "  <zone id=\"pod\" routing=\"Floyd\">\n");
  for (int32_t gpu = 0; gpu < nodes * GPUS; gpu++)
    rh_text_append(xml, "    <host id=\"gpu-%d\" speed=\"67Tf\"><prop id=\"node\" value=\"node-%d\"/></host>\n", gpu,
                   gpu / GPUS);
  for (int32_t rail = 0; rail < GPUS; rail++)
    rh_text_append(xml, "    <router id=\"rail-%d\"/>\n", rail);
  rh_text_append(xml, "    <router id=\"spine\"/>\n");
  write_links(g, xml, nodes, uplink_Bps);
  write_routes(xml, nodes);
  rh_text_append(xml, "  </zone>\n");
  generate_close(xml);
  return RH_OK;
}

const rh_generator generate_gpu_pod = {
    .name = "gpu-pod",
    .summary = "nodes of eight accelerators on a local switch, rail-optimised above",
    /* more nodes: SimGrid's shortest ways (Floyd) take the cube of the hosts */
    .keys = {{"nodes", RH_KEY_COUNT, RH_UNIT_NONE, "8", 2, 64, NULL, "of eight accelerators"},
             {"oversubscription", RH_KEY_COUNT, RH_UNIT_NONE, "1", 1, 64, NULL, "of the rails' cables to the spine"},
             {"nvlink", RH_KEY_QUANTITY, RH_UNIT_BANDWIDTH, "450GBps", 1e3, 1e13, NULL, "of a local port, each way"},
             {"nic", RH_KEY_QUANTITY, RH_UNIT_BANDWIDTH, "49.68GBps", 1e3, 1e13, NULL, "of an adapter, each way"}},
    .write = write};
