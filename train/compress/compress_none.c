/* No compression: 4 bytes a value, as they are; sums are f32 sums. */
#include <string.h>

#include "compressor.h"
#include "summable.h"

static rh_claims claims(const void *options, const rh_layout *layout)
{
  (void)options;
  (void)layout;
  return (rh_claims){.unbiased = true, .variance = 0, .contraction = 1};
}

static int64_t bound_bytes(const void *options, const rh_layout *layout)
{
  (void)options;
  return 4 * layout->values;
}

static int64_t encode(rh_coding *coding, const float *x, float *state, uint8_t *wire)
{
  (void)state;
  int64_t bytes = 4 * coding->layout->values;
  memcpy(wire, x, (size_t)bytes);
  return bytes;
}

static void decode(rh_coding *coding, const uint8_t *wire, int64_t wire_bytes, float *x)
{
  RH_ASSERT(wire_bytes == 4 * coding->layout->values);
  memcpy(x, wire, (size_t)wire_bytes);
}

static int64_t elements(const void *options, const rh_layout *layout, int phase)
{
  (void)options;
  (void)phase;
  return layout->values;
}

static void contribute(rh_coding *coding, const float *common, int phase, const float *x, void *wire)
{
  (void)common;
  (void)phase;
  memcpy(wire, x, (size_t)coding->layout->values * sizeof *x);
}

static void decode_sum(rh_coding *coding, const float *common, const void *wire, double factor, float *x)
{
  (void)common;
  const float *sum = wire;
  for (int64_t i = 0; i < coding->layout->values; i++)
    x[i] = (float)(factor * (double)sum[i]);
}

static const rh_summable sum = {
    .phases = 1,
    .element_bytes = 4,
    .elements = elements,
    .contribute = contribute,
    .add = rh_summable_add_f32,
    .decode = decode_sum,
};

const rh_compressor rh_compressor_none = {
    .name = "none",
    .summary = "32-bit values as they are",
    .source = "-",
    .wire = "4 d",
    .claim = "lossless",
    .lossless = true,
    .exact_residual = true,
    .claims = claims,
    .bound_bytes = bound_bytes,
    .encode = encode,
    .decode = decode,
    .sum = &sum,
    .encode_flop = 0,
    .decode_flop = 0,
};
