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

#endif
