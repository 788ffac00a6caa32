#include "cuda_module.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "process.h"
#include "text.h"

char *rh_cuda_module_path(void)
{
  static const char *const places[] = {"../lib/rehearse/rehearse_cuda.so", "../cuda/rehearse_cuda.so"};
  char *self = NULL, *found = NULL;
  if (rh_process_self(&self) != RH_OK) return NULL;
  char *directory = rh_text_directory(self);
  for (size_t i = 0; i < sizeof places / sizeof places[0] && !found; i++) {
    rh_text path = {0};
    rh_text_append(&path, "%s%s", directory, places[i]);
    if (access(path.data, R_OK) == 0) found = rh_text_duplicate(path.data);
    rh_text_clear(&path);
  }
  free(directory);
  free(self);
  return found;
}

bool rh_cuda_driver_found(void)
{
  void *driver = dlopen("libcuda.so.1", RTLD_LAZY | RTLD_LOCAL); /* the name under which CUDA's runtime loads it */
  return driver != NULL;
}

/* dlopen counts how often it was asked: the module is one, and stays. */
static rh_status load(void **module)
{
  char *path = rh_cuda_module_path();
  if (!path)
    return rh_error(RH_EDEVICE, "no CUDA module beside this program: with nvcc, cuBLAS and cuSOLVER installed (Debian: "
                                "nvidia-cuda-toolkit), configure and build all targets: cmake --preset release && "
                                "cmake --build --preset release");
  *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  free(path);
  if (*module) return RH_OK;
  return rh_error(RH_EDEVICE, "the CUDA module does not load: %s; install the CUDA libraries that it was built with",
                  dlerror());
}

rh_status rh_cuda_module_load(rh_cuda_info *info)
{
  void *module = NULL;
  rh_status status = load(&module);
  if (status != RH_OK) return status;
  void (*ask)(rh_cuda_info *) = NULL;
  void *symbol = dlsym(module, "rh_cuda_module_info");
  memcpy(&ask, &symbol, sizeof ask); /* ISO C has no cast from a data pointer to a function */
  if (!symbol) return rh_error(RH_EDEVICE, "the CUDA module is not one of ours: build and install rehearse again");
  ask(info);
  if (info->version == RH_CUDA_MODULE_VERSION) return RH_OK;
  return rh_error(RH_EDEVICE,
                  "the CUDA module has version %d, and this program needs %d: build and install rehearse again",
                  info->version, RH_CUDA_MODULE_VERSION);
}

rh_status rh_cuda_module_backend(rh_cuda_products products, const rh_backend **backend)
{
  rh_cuda_info info;
  void *module = NULL;
  char reason[512];
  rh_status status = rh_cuda_module_load(&info);
  if (status == RH_OK) status = load(&module);
  if (status != RH_OK) return status;
  const rh_backend *(*open_module)(rh_cuda_products, char *, size_t) = NULL;
  void *symbol = dlsym(module, "rh_cuda_module_open");
  memcpy(&open_module, &symbol, sizeof open_module);
  RH_ASSERT(open_module); /* the version says that it is there */
  *backend = open_module(products, reason, sizeof reason);
  return *backend ? RH_OK : rh_error(RH_EDEVICE, "no GPU can be used: %s", reason);
}
