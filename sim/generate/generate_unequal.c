/* Devices of unequal speed behind last miles that are slower up than down: SimGrid's Cluster zone, two links a device.
 *
 * Who has which device and which line is drawn from the seed, by shares that are an assumption; the lines' rates are
 * those of standards.
 */
#include "generate_private.h"
#include "rng.h"

typedef struct line {
  const char *name;
  double share; /* of the devices; they sum to 1 */
  double up_Bps, down_Bps, latency_s;
} line;

#define MBIT 0.125e6

static const line lines[] = {{"ADSL2+", 0.15, 1.4 * MBIT, 24 * MBIT, 10e-3},
                             {"VDSL2", 0.3, 40 * MBIT, 100 * MBIT, 6e-3},
                             {"DOCSIS 3.0", 0.25, 108 * MBIT, 152 * MBIT, 8e-3},
                             {"LTE", 0.15, 50 * MBIT, 150 * MBIT, 20e-3},
                             {"GPON", 0.15, 38.9 * MBIT, 77.8 * MBIT, 1e-3}};

typedef struct device {
  const char *name;
  double share;
  double flops; /* fp32 */
} device;

static const device devices[] = {{"Raspberry Pi 4", 0.25, 8e9},
                                 {"Jetson Nano", 0.25, 235.8e9},
                                 {"Jetson Orin Nano", 0.25, 1.28e12},
                                 {"GeForce RTX 3060", 0.25, 12.7e12}};

/* The class in whose share a uniform number falls. */
static size_t draw(rh_rng *rng, const double *shares, size_t count, size_t stride)
{
  double left = rh_rng_f64(rng);
  size_t i = 0;
  for (; i + 1 < count; i++) {
    const double share = *(const double *)((const char *)shares + i * stride);
    if (left < share) break;
    left -= share;
  }
  return i;
}

static void write_notes(const rh_generation *g, rh_text *xml)
{
  generate_head(g, xml, "%d unequal devices at home, behind last miles that are slower up than down.",
                generation_count(g, "devices"));
  generate_note(xml, "When", "federated learning: stragglers, slow uplinks, whom to wait for.");
  generate_note(
      xml, "Lines",
      "(Mbit/s up / down, share) ADSL2+ 1.4 / 24, 15 %% (ITU-T G.992.5 Annex A, at best); VDSL2 40 / 100, 30 %% "
      "(ITU-T G.993.2, profile 17a, a common product); DOCSIS 3.0 108 / 152, 25 %% (four channels bonded of 27 "
      "and 38 Mbit/s, CableLabs MULPI 3.0); LTE 50 / 150, 15 %% (category 4, 3GPP TS 36.306); GPON 38.9 / 77.8, "
      "15 %% (ITU-T G.984, 1.244 and 2.488 Gbit/s shared by 32). The shares are an assumption. The backbone "
      "is never busy, and neither is LTE's cell.");
  generate_note(
      xml, "Latency",
      "(one way, in each of the two lines) 10, 6, 8, 20 and 1 ms: an assumption, the order of what speed tests "
      "show.");
  generate_note(
      xml, "Hosts",
      "(fp32, a quarter each, an assumption) Raspberry Pi 4 8 Gflop/s (HPL in fp64, B. Feiereisen, 2022, "
      "feiereisen.net); Jetson Nano 235.8 Gflop/s and Jetson Orin Nano 1.28 Tflop/s (128 and 1024 cores at "
      "0.92 and 0.625 GHz, two flop a cycle; NVIDIA data sheets); GeForce RTX 3060 12.7 Tflop/s (3584 cores at "
      "1.78 GHz, the same). Runs with measured step times take the fastest as the measured one.");
  generate_note(xml, "Names", "d0 .. are the devices, u0 .. their links up, v0 .. their links down.");
  generate_open(xml, MODEL_TCP, "what crosses the internet");
}

static rh_status write(rh_generation *g, rh_text *xml)
{
  const int32_t count = generation_count(g, "devices");
  write_notes(g, xml);
  rh_text_append(xml, "  <zone id=\"homes\" routing=\"Cluster\">\n");
  for (int32_t i = 0; i < count; i++) {
    rh_rng rng = rh_rng_stream((uint64_t)generation_value(g, "seed"), RH_PURPOSE_PLATFORM, (uint32_t)i, 0);
    const line *l = &lines[draw(&rng, &lines[0].share, sizeof lines / sizeof *lines, sizeof *lines)];
    const device *d = &devices[draw(&rng, &devices[0].share, sizeof devices / sizeof *devices, sizeof *devices)];
    const generate_quantity latency = generate_delay(l->latency_s);
    rh_text_append(xml,
                   "    <host id=\"d%d\" speed=\"%s\"/><link id=\"u%d\" bandwidth=\"%s\" latency=\"%s\"/>"
                   "<link id=\"v%d\" bandwidth=\"%s\" latency=\"%s\"/>\n",
                   i, generate_speed(d->flops).text, i, generate_rate(l->up_Bps).text, latency.text, i,
                   generate_rate(l->down_Bps).text, latency.text);
  }
  for (int32_t i = 0; i < count; i++)
    rh_text_append(xml, "    <host_link id=\"d%d\" up=\"u%d\" down=\"v%d\"/>\n", i, i, i);
  rh_text_append(xml, "  </zone>\n");
  generate_close(xml);
  return RH_OK;
}

const rh_generator generate_unequal = {
    .name = "unequal",
    .summary = "unequal devices behind last miles that are slower up than down",
    .keys = {{"devices", RH_KEY_COUNT, RH_UNIT_NONE, "1024", 2, 65536, NULL, "how many"},
             {"seed", RH_KEY_COUNT, RH_UNIT_NONE, "1", 0, 4294967295., NULL, "who has which device and line"}},
    .write = write};
