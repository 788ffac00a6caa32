/* No compression: 4 bytes a value, as they are. */
#include <string.h>

#include "compressor.h"

static int64_t bound_bytes(const void *options, const rh_layout *layout)
{
  (void)options;
  return 4 * layout->values;
}

static int64_t encode(const void *options, const rh_layout *layout, const float *x, rh_rng *rng, uint8_t *wire)
{
  (void)rng;
  int64_t bytes = bound_bytes(options, layout);
  memcpy(wire, x, (size_t)bytes);
  return bytes;
}

static void decode(const void *options, const rh_layout *layout, const uint8_t *wire, int64_t wire_bytes, float *x)
{
  (void)options;
  RH_ASSERT(wire_bytes == 4 * layout->values);
  memcpy(x, wire, (size_t)wire_bytes);
}

const rh_compressor rh_compressor_none = {
    .name = "none",
    .summary = "32-bit values as they are",
    .source = "-",
    .lossless = true,
    .unbiased = true,
    .all_reducible = true,
    .wire = "4 d",
    .bound_bytes = bound_bytes,
    .encode = encode,
    .decode = decode,
    .encode_flop = 0,
    .decode_flop = 0,
};
