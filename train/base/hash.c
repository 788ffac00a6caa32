#include "hash.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

uint64_t rh_hash_bytes(const void *data, size_t bytes, uint64_t seed)
{
  return XXH3_64bits_withSeed(data, bytes, seed);
}

uint64_t rh_hash_text(const char *text, uint64_t seed)
{
  return rh_hash_bytes(text, strlen(text), seed);
}

rh_status rh_hash_file(const char *path, uint64_t *hash)
{
  rh_status status = RH_OK;
  static _Thread_local unsigned char block[1 << 16];
  XXH3_state_t *state = NULL;
  FILE *file = fopen(path, "rb");
  if (!file) return rh_error(RH_EIO, "%s: cannot be opened: %s", path, strerror(errno));
  state = XXH3_createState();
  if (!state || XXH3_64bits_reset(state) != XXH_OK) {
    status = rh_error(RH_ENOMEM, "%s: no memory to hash it", path);
    goto done;
  }
  for (size_t n; (n = fread(block, 1, sizeof block, file)) > 0;)
    XXH3_64bits_update(state, block, n);
  if (ferror(file)) {
    status = rh_error(RH_EIO, "%s: cannot be read: %s", path, strerror(errno));
    goto done;
  }
  *hash = XXH3_64bits_digest(state);
done:
  XXH3_freeState(state);
  fclose(file);
  return status;
}
