/* Compressors: encode a vector into a real buffer whose length is what travels; train on what decode returns.
 *
 * Symbols     n values, S segments (layers' weights and biases)
 * A compressor is one file: options, claims, formula, encode, decode, and last the descriptor.
 */
#ifndef RH_COMPRESSOR_H
#define RH_COMPRESSOR_H

#include "option.h"
#include "rng.h"

/* Contiguous pieces of the vector that are encoded by themselves; offsets ascend and cover it without gaps. */
typedef struct rh_layout {
  int32_t count;
  const int64_t *length; /* [count], borrowed */
  int64_t values;        /* sum of lengths */
} rh_layout;

typedef struct rh_compressor {
  const char *name, *summary, *source;
  const rh_option *options; /* keys of section `compress`, beside `name` */
  size_t option_count, options_size;
  bool lossless;      /* decode(encode(x)) is x, bit for bit */
  bool unbiased;      /* the expectation of decode(encode(x)) is x */
  bool all_reducible; /* messages can be summed without decoding */
  const char *wire;   /* formula of the length, for `rehearse compressors NAME` */

  /* Largest length of a message, in bytes. */
  int64_t (*bound_bytes)(const void *options, const rh_layout *layout);
  /* Encodes x [values] into wire and returns its length. rng: a stream of this message's own. */
  int64_t (*encode)(const void *options, const rh_layout *layout, const float *x, rh_rng *rng, uint8_t *wire);
  /* Decodes a message of our own encode into x [values]. */
  void (*decode)(const void *options, const rh_layout *layout, const uint8_t *wire, int64_t wire_bytes, float *x);
  /* Floating point operations of encode and of decode per value, for time.source: flops. Stated, not measured. */
  double encode_flop, decode_flop;
} rh_compressor;

extern const rh_compressor rh_compressor_none, rh_compressor_qsgd;
extern const rh_compressor *const rh_compressors[]; /* NULL-terminated */
const rh_compressor *rh_compressor_find(const char *name);

#endif
