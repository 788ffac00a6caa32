/* Codes of 1 to 8 bits, packed: code i takes bits i b .. i b + b - 1 of the stream, least significant bit first; the
 * last byte is filled with zeros. Eight codes take b bytes, so a stream may be written in pieces of a multiple of 8. */
#ifndef RH_BITS_H
#define RH_BITS_H

#include <stdint.h>

/* Bytes of n packed codes. */
static inline int64_t rh_bits_bytes(int64_t n, int64_t bits)
{
  return (n * bits + 7) / 8;
}

/* Packs codes[n], each below 2^bits, into wire [rh_bits_bytes(n, bits)]. */
void rh_bits_pack(const uint8_t *codes, int64_t n, int bits, uint8_t *wire);

/* The reverse. */
void rh_bits_unpack(const uint8_t *wire, int64_t n, int bits, uint8_t *codes);

#endif
