/* Torus of up to six dimensions without switches: SimGrid's TORUS cluster.
 *
 * Source      Jouppi et al., TPU v4: An Optically Reconfigurable Supercomputer for Machine Learning, ISCA 2023
 */
#include "generate_private.h"

static rh_status write(rh_generation *g, rh_text *xml)
{
  int32_t sizes[GENERATE_DIMENSIONS];
  int dimensions;
  int64_t hosts = 1;
  rh_status status = generation_sizes(g, "sizes", 2, 1024, sizes, &dimensions);
  if (status != RH_OK) return status;
  for (int i = 0; i < dimensions; i++)
    hosts *= sizes[i];
  if (hosts > 131072)
    return rh_error(RH_EINVAL, "sizes=%s: %lld hosts; at most 131072", generation_text(g, "sizes"), (long long)hosts);
  const generate_quantity bandwidth = generate_rate(generation_value(g, "bandwidth"));
  const generate_quantity latency = generate_delay(generation_value(g, "latency"));
  generate_head(g, xml, "Torus of %s = %lld accelerators, wired to their neighbours without switches.",
                generation_text(g, "sizes"), (long long)hosts);
  generate_note(xml, "When",
                "neighbour exchanges and collectives by dimension; what a switchless pod makes of the others.");
  generate_note(xml, "Shape",
                "rank = x + %d y + ..., the first size fastest; a cable each way to both neighbours in each dimension, "
                "the ends joined. Routes go dimension by dimension, the shorter way round.",
                sizes[0]);
  generate_note(xml, "Cables",
                "%s (byte/s) each way. The preset is TPU v4's inter-chip link: six a chip of 50 GB/s each (Jouppi et "
                "al., ISCA 2023), in a pod of 4096 chips, which is 16x16x16.",
                bandwidth.text);
  generate_note(xml, "Latency", "%s a link: an assumption; measure your own.", latency.text);
  generate_note(xml, "Hosts",
                "275 Tflop/s in bfloat16, TPU v4's peak (the same source). Runs with measured step times use only how "
                "fast hosts are compared with each other, and these are equal.");
  generate_open(xml, MODEL_PLAIN, "links between accelerators with credits of their own" NO_TCP);
  rh_text_append(xml,
                 "  <cluster id=\"torus\" prefix=\"node-\" suffix=\"\" radical=\"0-%lld\" speed=\"275Tf\" bw=\"%s\" "
                 "lat=\"%s\"\n           topology=\"TORUS\" topo_parameters=\"",
                 (long long)hosts - 1, bandwidth.text, latency.text);
  for (int i = 0; i < dimensions; i++)
    rh_text_append(xml, "%s%d", i ? "," : "", sizes[i]);
  rh_text_append(xml, "\" sharing_policy=\"SPLITDUPLEX\"/>\n");
  generate_close(xml);
  return RH_OK;
}

const rh_generator generate_torus = {
    .name = "torus",
    .summary = "accelerators wired to their neighbours, up to six dimensions",
    .keys = {{"sizes", RH_KEY_SIZES, RH_UNIT_NONE, "16x16x16", 0, 0, NULL, "of the dimensions"},
             {"bandwidth", RH_KEY_QUANTITY, RH_UNIT_BANDWIDTH, "50GBps", 1e3, 1e13, NULL, "of a cable, each way"},
             {"latency", RH_KEY_QUANTITY, RH_UNIT_SECOND, "0.5us", 0, 1, NULL, "of a cable"}},
    .write = write};
