/* What every backend that computes on the host shares: memory, and moving what lies in it. */
#ifndef RH_BACKEND_HOST_H
#define RH_BACKEND_HOST_H

#include "backend.h"

/* Zeroed, 64-byte aligned; NULL when exhausted. Pages are not touched, so that what is never used costs nothing. */
void *rh_host_alloc(size_t bytes);
void rh_host_release(void *memory);

/* The operation of this name. */
void rh_host_resize(int64_t rows, int64_t from, int64_t to, int64_t count, rh_tensor x, rh_tensor y);

#endif
