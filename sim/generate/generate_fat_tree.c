/* Fat-tree of two or three levels, full or oversubscribed at the leaves: SimGrid's FAT_TREE cluster.
 *
 * Symbols     N hosts, L levels, k switches or hosts below a switch, N = k^L, o oversubscription
 * Shape       extended generalised fat-tree XGFT(L; k, ..., k; 1, k/o, k, ...): a leaf has k hosts and k/o cables up
 * Source      Oehring, Ibel, Das and Kumar, On generalized fat trees, IPPS 1995 (doi 10.1109/IPPS.1995.395911)
 */
#include <math.h>

#include "generate_private.h"

#define WIDEST_LEAF 32 /* hosts below a leaf, so that a full one has 64 ports */

/* k with k^levels = hosts; 0 if there is none. */
static int32_t root_of(int32_t hosts, int32_t levels)
{
  const int32_t k = (int32_t)lround(pow(hosts, 1. / levels));
  int64_t power = 1;
  for (int32_t i = 0; i < levels; i++)
    power *= k;
  return power == hosts && k > 1 ? k : 0;
}

static rh_status choose_shape(const rh_generation *g, int32_t *levels, int32_t *k)
{
  const int32_t hosts = generation_count(g, "hosts");
  const int32_t oversubscription = generation_count(g, "oversubscription");
  if (generation_auto(g, "levels")) {
    *levels = 2;
    *k = root_of(hosts, 2);
    if (*k == 0 || *k > WIDEST_LEAF) {
      *levels = 3;
      *k = root_of(hosts, 3);
    }
  } else {
    *levels = generation_count(g, "levels");
    *k = root_of(hosts, *levels);
  }
  if (*k == 0 || *k > WIDEST_LEAF)
    return rh_error(RH_EINVAL,
                    "hosts=%d: a fat-tree has k^2 or k^3 hosts with k from 2 to %d, for example 64 (8^2), 256 (16^2), "
                    "1024 (32^2), 512 (8^3), 4096 (16^3)",
                    hosts, WIDEST_LEAF);
  if (*k % oversubscription != 0)
    return rh_error(RH_EINVAL, "oversubscription=%d does not divide the %d hosts of a leaf switch: take a divisor",
                    oversubscription, *k);
  return RH_OK;
}

static void write_notes(const rh_generation *g, rh_text *xml, int32_t levels, int32_t k, double latency_s)
{
  const int32_t hosts = generation_count(g, "hosts"), o = generation_count(g, "oversubscription");
  if (o == 1)
    generate_head(g, xml, "Fat-tree of %d nodes with one GPU each, without oversubscription.", hosts);
  else
    generate_head(g, xml, "Fat-tree of %d nodes with one GPU each, oversubscribed %d:1 at the leaf switches.", hosts,
                  o);
  generate_note(xml, "When", "%s",
                o == 1
                    ? "synchronous training in one machine room, as large as one likes; the fast end of a comparison."
                    : "what a cheaper fabric costs: collectives that cross leaves share fewer cables, so rank order "
                      "and two-level collectives matter.");
  generate_note(xml, "Shape",
                "%d levels of %d: ranks 0-%d share a leaf, %d-%d the next one. A leaf has %d cables down and %d up. A "
                "route has 2 links within a leaf and %d between the farthest (Oehring et al., IPPS 1995).",
                levels, k, k - 1, k, 2 * k - 1, k, k / o, 2 * levels);
  generate_note(xml, "Cables",
                "%s (byte/s) each way. The preset is InfiniBand HDR100, 100 Gbit/s = 12.5 GB/s, less headers: of each "
                "packet 4096 bytes are payload and 26 headers and checksums (InfiniBand Architecture Specification, "
                "vol. 1), which leaves 12.42 GB/s.",
                generate_rate(generation_value(g, "bandwidth")).text);
  generate_note(xml, "Latency",
                "%s a link.%s SimGrid has one latency for all cables of a cluster, so hosts on one leaf are a little "
                "too near.",
                generate_delay(latency_s).text,
                generation_auto(g, "latency")
                    ? " 0.6 us end to end through one switch and 90 ns for each further one, as IT4I publishes for the "
                      "HDR100 fat-tree of Karolina (docs.it4i.cz/karolina/network), spread over the longest route."
                    : "");
  generate_note_a100(xml);
  generate_open(xml, MODEL_PLAIN, "reliable credit-based fabrics" NO_TCP);
}

static rh_status write(rh_generation *g, rh_text *xml)
{
  int32_t levels, k;
  rh_status status = choose_shape(g, &levels, &k);
  if (status != RH_OK) return status;
  const int32_t hosts = generation_count(g, "hosts");
  const double latency_s = generation_auto(g, "latency") ? (0.6e-6 + 90e-9 * (2 * levels - 2)) / (2 * levels)
                                                         : generation_value(g, "latency");
  write_notes(g, xml, levels, k, latency_s);
  rh_text down = {0}, up = {0}, parallel = {0};
  for (int32_t level = 0; level < levels; level++) {
    rh_text_append(&down, "%s%d", level ? "," : "", k);
    rh_text_append(&up, "%s%d", level ? "," : "",
                   level == 0   ? 1
                   : level == 1 ? k / generation_count(g, "oversubscription")
                                : k);
    rh_text_append(&parallel, "%s1", level ? "," : "");
  }
  rh_text_append(xml,
                 "  <cluster id=\"fat-tree\" prefix=\"node-\" suffix=\"\" radical=\"0-%d\" speed=\"19.5Tf\" bw=\"%s\"\n"
                 "           lat=\"%s\" topology=\"FAT_TREE\" topo_parameters=\"%d;%s;%s;%s\"\n"
                 "           sharing_policy=\"SPLITDUPLEX\"/>\n",
                 hosts - 1, generate_rate(generation_value(g, "bandwidth")).text, generate_delay(latency_s).text,
                 levels, rh_text_get(&down), rh_text_get(&up), rh_text_get(&parallel));
  rh_text_clear(&down);
  rh_text_clear(&up);
  rh_text_clear(&parallel);
  generate_close(xml);
  return RH_OK;
}

const rh_generator generate_fat_tree = {
    .name = "fat-tree",
    .summary = "two or three levels of switches, full or oversubscribed at the leaves",
    .keys = {{"hosts", RH_KEY_COUNT, RH_UNIT_NONE, "64", 4, 32768, NULL, "k^2 or k^3, k up to 32"},
             {"oversubscription", RH_KEY_COUNT, RH_UNIT_NONE, "1", 1, 32, NULL, "hosts of a leaf per cable up"},
             {"levels", RH_KEY_COUNT, RH_UNIT_NONE, "auto", 2, 3, NULL, "of switches"},
             {"bandwidth", RH_KEY_QUANTITY, RH_UNIT_BANDWIDTH, "12.42GBps", 1e3, 1e13, NULL, "of a cable, each way"},
             {"latency", RH_KEY_QUANTITY, RH_UNIT_SECOND, "auto", 0, 1, NULL, "of a cable"}},
    .write = write};
