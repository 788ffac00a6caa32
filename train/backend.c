#include "backend.h"

#include <string.h>

const rh_backend *rh_backend_find(const char *name)
{
  static const rh_backend *const backends[] = {&rh_backend_ref, &rh_backend_cpu, &rh_backend_poison,
                                               &rh_backend_poison_device};
  for (size_t i = 0; i < sizeof backends / sizeof backends[0]; i++)
    if (strcmp(backends[i]->name, name) == 0) return backends[i];
  return NULL;
}
