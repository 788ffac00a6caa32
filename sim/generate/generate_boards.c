/* Small boards cabled to each other without a switch: a ring or a torus, SimGrid's TORUS cluster with one or two
 * dimensions.
 *
 * Source      IEEE 802.3ab-1999 (1000BASE-T)
 */
#include <math.h>
#include <string.h>

#include "generate_private.h"

static rh_status write(rh_generation *g, rh_text *xml)
{
  const int32_t boards = generation_count(g, "boards");
  const bool ring = strcmp(generation_text(g, "shape"), "ring") == 0;
  int32_t width = boards;
  if (!ring) { /* as square as it can be */
    for (width = (int32_t)sqrt((double)boards); width > 1 && boards % width != 0;)
      width--;
    if (width < 3)
      return rh_error(RH_EINVAL, "shape=torus boards=%d: no w x h with both at least 3; take for example 9, 12 or 16",
                      boards);
  }
  const generate_quantity bandwidth = generate_rate(generation_value(g, "bandwidth"));
  const generate_quantity latency = generate_delay(generation_value(g, "latency"));
  if (ring)
    generate_head(g, xml, "Ring of %d small boards, each cabled to two neighbours.", boards);
  else
    generate_head(g, xml, "Torus of %d x %d small boards, each cabled to four neighbours.", width, boards / width);
  generate_note(xml, "When",
                "training on the cheapest cluster there is, and gossip on a graph that is the network itself.");
  generate_note(xml, "Shape",
                "%d cables a board, no switch; boards on the way forward what is not theirs, the shorter way round, "
                "which is free here but costs a real board time. Neighbours are neighbours in rank order%s.",
                ring ? 2 : 4, ring ? "" : ", row by row");
  generate_note(xml, "Cables",
                "1000BASE-T (IEEE 802.3ab-1999): 1 Gbit/s = 125 MB/s each way. A Raspberry Pi 4 has one such port; the "
                "others are USB 3 adapters. Frames of 1500 bytes carry 1448 bytes of TCP payload in 1538 bytes on the "
                "wire, 5.9 %% less; LV08 takes off 3 %%. Here %s.",
                bandwidth.text);
  generate_note(xml, "Latency",
                "%s a cable, which LV08 multiplies: an assumption; replace it by a ping-pong of your own.",
                latency.text);
  generate_note(
      xml, "Hosts",
      "Raspberry Pi 4, four cores as one: 8 Gflop/s measured with HPL in fp64 (B. Feiereisen, Benchmarking the "
      "Raspberry Pi 4 with Raspberry Pi OS64, 2022, feiereisen.net). Runs with measured step times use only "
      "how fast hosts are compared with each other, and these are equal.");
  generate_open(xml, MODEL_TCP, "what runs between boards");
  rh_text_append(xml,
                 "  <cluster id=\"boards\" prefix=\"board-\" suffix=\"\" radical=\"0-%d\" speed=\"8Gf\" bw=\"%s\" "
                 "lat=\"%s\"\n           topology=\"TORUS\" topo_parameters=\"%d",
                 boards - 1, bandwidth.text, latency.text, width);
  if (!ring) rh_text_append(xml, ",%d", boards / width);
  rh_text_append(xml, "\" sharing_policy=\"SPLITDUPLEX\"/>\n");
  generate_close(xml);
  return RH_OK;
}

const rh_generator generate_boards = {
    .name = "boards",
    .summary = "small boards cabled to each other: a ring or a torus without a switch",
    .keys = {{"boards", RH_KEY_COUNT, RH_UNIT_NONE, "16", 3, 1024, NULL, "how many"},
             {"shape", RH_KEY_WORD, RH_UNIT_NONE, "ring", 0, 0, "ring torus", "ring or torus"},
             {"bandwidth", RH_KEY_QUANTITY, RH_UNIT_BANDWIDTH, "1Gbps", 1e3, 1e12, NULL, "of a cable, each way"},
             {"latency", RH_KEY_QUANTITY, RH_UNIT_SECOND, "10us", 0, 1, NULL, "of a cable"}},
    .write = write};
