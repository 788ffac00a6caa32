/* The CUDA module: a shared library that is loaded at run time, so that the program neither needs nor links CUDA.
 *
 * It has no operations yet: it says who it is and which devices its driver offers. C and C++ (nvcc) both include this
 * header.
 */
#ifndef RH_CUDA_MODULE_H
#define RH_CUDA_MODULE_H

#ifdef __cplusplus
extern "C" {
#endif

enum { RH_CUDA_MODULE_VERSION = 1 }; /* of this header: a program refuses a module of another version */

typedef struct rh_cuda_info {
  int version;            /* RH_CUDA_MODULE_VERSION of the module */
  const char *name;       /* "cuda"; valid as long as the module is loaded, as the other texts */
  const char *operations; /* what it can compute: "no operations yet" */
  int runtime;            /* CUDA runtime, 1000 major + 10 minor */
  int driver;             /* newest CUDA that the driver serves, likewise; 0: no driver */
  int device_count;       /* usable devices; 0: see reason */
  char device[256];       /* name of device 0, or "" */
  char reason[256];       /* the driver's reason when there is no device, or "" */
} rh_cuda_info;

/* Fills `info`. Fails never: a missing driver or device is an answer. The one symbol to look up with dlsym. */
void rh_cuda_module_info(rh_cuda_info *info);

#ifdef __cplusplus
}
#endif
#endif
