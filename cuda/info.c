/* rehearse_cuda_info MODULE: loads the CUDA module as the program does and prints what it says, one line each.
 * Exit status: 0 with a device, 1 without, 2 if the module cannot be used. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "module.h"

int main(int argc, char **argv)
{
  if (argc != 2) {
    fprintf(stderr, "usage: rehearse_cuda_info MODULE.so\n");
    return 2;
  }
  void *module = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (!module) {
    fprintf(stderr, "%s\n", dlerror());
    return 2;
  }
  void (*get_info)(rh_cuda_info * info);
  void *symbol = dlsym(module, "rh_cuda_module_info");
  if (!symbol) {
    fprintf(stderr, "%s\n", dlerror());
    return 2;
  }
  memcpy(&get_info, &symbol, sizeof get_info); /* ISO C has no cast from object to function pointers */
  rh_cuda_info info;
  get_info(&info);
  if (info.version != RH_CUDA_MODULE_VERSION) {
    fprintf(stderr, "%s: module version %d, expected %d\n", argv[1], info.version, RH_CUDA_MODULE_VERSION);
    return 2;
  }
  printf("module %s, version %d: %s\n", info.name, info.version, info.operations);
  printf("CUDA runtime %d.%d, driver %d.%d\n", info.runtime / 1000, info.runtime % 1000 / 10, info.driver / 1000,
         info.driver % 1000 / 10);
  if (info.device_count > 0)
    printf("devices: %d, the first is %s\n", info.device_count, info.device);
  else
    printf("no device: %s\n", info.reason);
  dlclose(module);
  return info.device_count > 0 ? 0 : 1;
}
