/* The parts of a state: the memory that it is made of, named one after the other, for whoever writes it to a file,
 * reads it back or counts it. What owns a state tells its parts, always in the same order and of the same sizes; a
 * reader overwrites them, and the owner then brings what follows from them up to date. */
#ifndef RH_PARTS_H
#define RH_PARTS_H

#include <stddef.h>

typedef struct rh_parts {
  void *context;
  /* One part: `bytes` bytes at data. A reader that failed leaves this and all further parts as they are. */
  void (*part)(void *context, const char *name, void *data, size_t bytes);
} rh_parts;

/* data may be NULL: the state has no such part. */
static inline void rh_part(const rh_parts *parts, const char *name, void *data, size_t bytes)
{
  if (data) parts->part(parts->context, name, data, bytes);
}

#endif
