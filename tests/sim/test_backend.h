/* What computes in tests of methods: RH_TEST_BACKEND, or ref. */
#ifndef RH_TEST_BACKEND_H
#define RH_TEST_BACKEND_H

#include <stdlib.h>

#include "backend.h"
#include "status.h"

static inline const rh_backend *test_backend(void)
{
  const char *name = getenv("RH_TEST_BACKEND");
  const rh_backend *backend = rh_backend_find(name ? name : "ref");
  RH_ASSERT(backend && "RH_TEST_BACKEND names no backend");
  return backend;
}

/* Of a device, only passes run on it, as of a method that keeps its rows in the program's memory, unless `rows` asks
 * for them, too. In int8 nothing does. passes: NULL: as backend. */
static inline void test_backends(bool int8, bool rows, const rh_backend **backend, const rh_backend **passes)
{
  const rh_backend *const found = test_backend();
  *backend = rows ? &rh_backend_poison_device : rh_backend_on_host(found) ? found : &rh_backend_ref;
  *passes = rows || int8 || rh_backend_on_host(found) ? NULL : found;
}

#endif
