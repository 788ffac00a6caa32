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
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_PATHS = 8 };
static char fuzz_paths[FUZZ_PATHS][96];

static inline void fuzz_remove(void)
{
  for (int i = FUZZ_PATHS - 1; i >= 0; i--) /* what is in a folder was named after it */
    if (*fuzz_paths[i]) remove(fuzz_paths[i]);
}

/* A path of this process's own, in memory where there is /dev/shm; a target has few names. It goes with the process. */
static inline const char *fuzz_path(const char *name)
{
  char path[sizeof fuzz_paths[0]];
  int i = 0;
  if (!*fuzz_paths[0]) atexit(fuzz_remove);
  snprintf(path, sizeof path, "%s/rehearse-fuzz-%ld-%s", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp",
           (long)getpid(), name);
  while (i < FUZZ_PATHS && *fuzz_paths[i] && strcmp(fuzz_paths[i], path) != 0)
    i++;
  if (i == FUZZ_PATHS) abort();
  memcpy(fuzz_paths[i], path, sizeof path);
  return fuzz_paths[i];
}

/* Writes the bytes into a file there. */
static inline const char *fuzz_file(const char *name, const uint8_t *data, size_t size)
{
  const char *path = fuzz_path(name);
  FILE *file = fopen(path, "wb");
  if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) abort();
  return path;
}

#endif
