/* Fuzz targets: one function that takes bytes, for libFuzzer, or for driver.c where there is no libFuzzer.
 *
 * A target returns 0 whatever the bytes are; what it must not do is crash, hang, or take memory without bound.
 */
#ifndef RH_FUZZ_H
#define RH_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char fuzz_path[96];

static inline void fuzz_file_remove(void)
{
  unlink(fuzz_path);
}

/* Writes the bytes into a file of this process's own, in memory where there is /dev/shm. It goes with the process; a target
 * has one. */
static inline const char *fuzz_file(const char *name, const uint8_t *data, size_t size)
{
  if (!*fuzz_path) atexit(fuzz_file_remove);
  const char *folder = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", *path = fuzz_path;
  snprintf(fuzz_path, sizeof fuzz_path, "%s/rehearse-fuzz-%ld-%s", folder, (long)getpid(), name);
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) abort();
  return path;
}

#endif
