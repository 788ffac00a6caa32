#include "compressor.h"

#include <string.h>

const rh_compressor *const rh_compressors[] = {&rh_compressor_none, &rh_compressor_qsgd, NULL};

const rh_compressor *rh_compressor_find(const char *name)
{
  for (size_t i = 0; rh_compressors[i]; i++)
    if (strcmp(rh_compressors[i]->name, name) == 0) return rh_compressors[i];
  return NULL;
}
