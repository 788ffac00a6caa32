/* Codes of 1 to 8 bits, packed: code i takes bits i b .. i b + b - 1 of the stream, least significant bit first; the
 * last byte is filled with zeros. Eight codes take b bytes, so a stream may be written in pieces of a multiple of 8. */
#ifndef RH_BITS_H
#define RH_BITS_H

#include <stdbool.h>
#include <stdint.h>

/* Bytes of n packed codes. */
static inline int64_t rh_bits_bytes(int64_t n, int64_t bits)
{
  return (n * bits + 7) / 8;
}

/* Packs codes[n], each below 2^bits, into wire [rh_bits_bytes(n, bits)]. */
void rh_bits_pack(const uint8_t *codes, int64_t n, int bits, uint8_t *wire);

/* Where to make codes for a place in a message: there, if codes are bytes and `fits` says that no more are written
 * than belong there, else in `room`. */
static inline uint8_t *rh_bits_place(uint8_t *room, bool fits, int64_t bits, uint8_t *wire)
{
  return bits == 8 && fits ? wire : room;
}

/* Packs codes [n] that were made where rh_bits_place said; returns the end of what is written. */
static inline uint8_t *rh_bits_put(const uint8_t *codes, int64_t n, int64_t bits, uint8_t *wire)
{
  if (codes != wire) rh_bits_pack(codes, n, (int)bits, wire);
  return wire + rh_bits_bytes(n, bits);
}

/* The reverse of rh_bits_pack. */
void rh_bits_unpack(const uint8_t *wire, int64_t n, int bits, uint8_t *codes);

#endif
