/* 64-bit content hashes (XXH3): parameters, configurations, input files. Not for secrets. */
#ifndef RH_HASH_H
#define RH_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

uint64_t rh_hash_bytes(const void *data, size_t bytes, uint64_t seed); /* seed chains: hash(b, hash(a, 0)) */
uint64_t rh_hash_text(const char *text, uint64_t seed);
RH_CHECKED rh_status rh_hash_file(const char *path, uint64_t *hash);

#endif
