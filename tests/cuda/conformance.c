/* rehearse_cuda_conformance MODULE.so|poison-device [SEED [small]]: every operation of the module against `ref`;
 * small: a few shapes of each, for tools that make it a hundred times slower. poison-device is a device that is none:
 * with it these tests themselves run on any machine.
 * Exit status: 0 all agree, 1 one does not, 3 there is no device to test, 2 the module cannot be used. */
#include <dlfcn.h>

#include "module.h"
#include "pair.h"

const rh_backend *gpu;
rh_rng rng;
int shapes = 12;

/* The module's backend; else NULL, with the exit status. */
static const rh_backend *open_device(const char *name, int *status)
{
  *status = 2;
  if (strcmp(name, rh_backend_poison_device.name) == 0) return &rh_backend_poison_device;
  void *module = dlopen(name, RTLD_NOW | RTLD_LOCAL), *symbol;
  if (!module || !(symbol = dlsym(module, "rh_cuda_module_open"))) {
    fprintf(stderr, "%s\n", dlerror());
    return NULL;
  }
  const rh_backend *(*open_module)(rh_cuda_products products, char *reason, size_t size);
  memcpy(&open_module, &symbol, sizeof open_module); /* ISO C has no cast from object to function pointers */
  char reason[512];
  const rh_backend *device = open_module(RH_CUDA_FP32, reason, sizeof reason);
  *status = 3;
  if (!device) printf("no device, nothing tested: %s\n", reason);
  return device;
}

int main(int argc, char **argv)
{
  int status;
  if (argc < 2) {
    fprintf(stderr, "usage: rehearse_cuda_conformance MODULE.so|poison-device [SEED [small]]\n");
    return 2;
  }
  gpu = open_device(argv[1], &status);
  if (!gpu) return status;
  const uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
  if (argc > 3) shapes = 2;
  rng = rh_rng_stream(seed, RH_PURPOSE_TEST, 0, 0);
  test_rows();
  printf("rows: all agree\n");
  test_codes();
  printf("codes: all agree\n");
  test_layers();
  printf("layers: all agree\n");
  if (argc <= 3) {
    test_models();
    printf("models: all agree\n");
  }
  test_replicas();
  printf("replicas: all agree\n");
  gpu->wait();
  if (gpu->failure()) {
    fprintf(stderr, "%s\n", gpu->failure());
    return 1;
  }
  printf("%s: every operation agrees with ref, seed %llu\n", gpu->kernel(), (unsigned long long)seed);
  return 0;
}
