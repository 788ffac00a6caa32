/* The CUDA module: a shared library that is loaded at run time, so that the program neither needs nor links CUDA.
 *
 * rh_cuda_module_info says who it is and which devices its driver offers; rh_cuda_module_open gives the table of
 * operations (train/backend.h) on the first of them. C and C++ (nvcc) both include this header.
 */
#ifndef RH_CUDA_MODULE_H
#define RH_CUDA_MODULE_H

#include "backend.h"

#ifdef __cplusplus
extern "C" {
#endif

#define RH_CUDA_EXPORT __attribute__((visibility("default")))

enum {
  RH_CUDA_MODULE_VERSION = 4
}; /* of this header and of backend.h: a program refuses a module of another version */

typedef struct rh_cuda_info {
  int version;            /* RH_CUDA_MODULE_VERSION of the module */
  const char *name;       /* "cuda"; valid as long as the module is loaded, as the other texts */
  const char *operations; /* what it can compute, in words */
  int runtime;            /* CUDA runtime, 1000 major + 10 minor */
  int driver;             /* newest CUDA that the driver serves, likewise; 0: no driver */
  int device_count;       /* usable devices; 0: see reason */
  char device[256];       /* name of device 0, or "" */
  char reason[256];       /* why there is no device, and what mends it; or "" */
} rh_cuda_info;

/* Fills `info`. Fails never: a missing driver or device is an answer. */
RH_CUDA_EXPORT void rh_cuda_module_info(rh_cuda_info *info);

/* What products of matrices round their factors to; sums are in f32. All else is f32. */
typedef enum rh_cuda_products { RH_CUDA_FP32, RH_CUDA_TF32, RH_CUDA_BF16 } rh_cuda_products;

/* The operations on device 0, for the rest of the program; opened again, with the new products. The driver numbers the
 * devices, and CUDA_VISIBLE_DEVICES hides some from it.
 *
 * reason      [size] out: why there is none, and what mends it
 * returns     NULL without a device that can be used
 */
RH_CUDA_EXPORT const rh_backend *rh_cuda_module_open(rh_cuda_products products, char *reason, size_t size);

#ifdef __cplusplus
}
#endif
#endif
