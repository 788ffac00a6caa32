/* rh_hash_bytes without xxHash, for machines that have none: FNV-1a over 64-bit words. Its values are not the
 * program's; that two runs have the same one is what it is for. */
#include <string.h>

#include "hash.h"

uint64_t rh_hash_bytes(const void *data, size_t bytes, uint64_t seed)
{
  const uint8_t *at = data;
  uint64_t hash = 0xcbf29ce484222325U ^ seed, word = 0;
  for (; bytes >= sizeof word; bytes -= sizeof word, at += sizeof word) {
    memcpy(&word, at, sizeof word);
    hash = (hash ^ word) * 0x100000001b3U;
  }
  word = 0;
  memcpy(&word, at, bytes);
  return (hash ^ word) * 0x100000001b3U;
}
