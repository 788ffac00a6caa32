/* calloc hands out large blocks as fresh pages of the system, which are zero without being written. It aligns to 16
 * bytes only, so a block starts up to 64 bytes later and remembers in the word before it where calloc's block began. */
#include "backend_host.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGNMENT = 64 };

void *rh_host_alloc(size_t bytes)
{
  if (bytes > SIZE_MAX - 2 * ALIGNMENT) return NULL;
  char *block = calloc(1, bytes + 2 * ALIGNMENT);
  if (!block) return NULL;
  char *aligned = block + 2 * ALIGNMENT - (uintptr_t)block % ALIGNMENT;
  ((void **)aligned)[-1] = block;
  return aligned;
}

void rh_host_release(void *memory)
{
  if (memory) free(((void **)memory)[-1]);
}

void rh_host_resize(int64_t rows, int64_t from, int64_t to, int64_t count, rh_tensor x, rh_tensor y)
{
  const int64_t kept = from < to ? from : to;
  for (int64_t r = 0; r < count; r++)
    for (int64_t i = 0; i < rows; i++) {
      float *const row = y.data + r * y.stride + i * to;
      memcpy(row, x.data + r * x.stride + i * from, (size_t)kept * sizeof *row);
      memset(row + kept, 0, (size_t)(to - kept) * sizeof *row);
    }
}
