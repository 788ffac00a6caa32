/* cuSOLVER for a machine without a device: what the module uses of it. */
#ifndef RH_EMULATED_CUSOLVERDN_H
#define RH_EMULATED_CUSOLVERDN_H

#include "cuda_runtime.h"

enum cusolverStatus_t { CUSOLVER_STATUS_SUCCESS = 0, CUSOLVER_STATUS_NOT_INITIALIZED = 1 };
typedef struct emulated_solver *cusolverDnHandle_t;

#endif
