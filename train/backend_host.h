/* What every backend that computes on the host shares: memory. */
#ifndef RH_BACKEND_HOST_H
#define RH_BACKEND_HOST_H

#include <stddef.h>

/* Zeroed, 64-byte aligned; NULL when exhausted. Pages are not touched, so that what is never used costs nothing. */
void *rh_host_alloc(size_t bytes);
void rh_host_release(void *memory);

#endif
