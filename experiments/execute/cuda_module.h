/* The CUDA module on disk: where it is, and its operations. Nothing but this loads it. */
#ifndef RH_CUDA_MODULE_FILE_H
#define RH_CUDA_MODULE_FILE_H

#include "module.h"

/* The module beside the installed program (PREFIX/lib/rehearse) or in the build tree; NULL if there is none. Owned by
 * the caller. */
char *rh_cuda_module_path(void);

/* Whether an NVIDIA driver is installed; without one no device can be used, and the module need not be loaded to learn
 * that: its libraries take some 200 MB and a tenth of a second. */
bool rh_cuda_driver_found(void);

/* Loads the module, for the life of the program, and asks it who it is.
 * returns     RH_EDEVICE, with what mends it, if there is none or it is not this program's */
RH_CHECKED rh_status rh_cuda_module_load(rh_cuda_info *info);

/* Its operations on the first device. RH_EDEVICE, with the reason and what mends it, where there is none. */
RH_CHECKED rh_status rh_cuda_module_backend(rh_cuda_products products, const rh_backend **backend);

#endif
