/* rehearse_cuda_conformance MODULE.so [SEED [small]]: every operation of the module against `ref`; small: a few shapes of
 * each, for tools that make it a hundred times slower.
 * Exit status: 0 all agree, 1 one does not, 3 there is no device to test, 2 the module cannot be used. */
#include <dlfcn.h>

#include "module.h"
#include "pair.h"

const rh_backend *gpu;
rh_rng rng;
int shapes = 12;

int main(int argc, char **argv)
{
  if (argc < 2) {
    fprintf(stderr, "usage: rehearse_cuda_conformance MODULE.so [SEED [small]]\n");
    return 2;
  }
  void *module = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL), *symbol;
  if (!module || !(symbol = dlsym(module, "rh_cuda_module_open"))) {
    fprintf(stderr, "%s\n", dlerror());
    return 2;
  }
  const rh_backend *(*open_module)(rh_cuda_products products, char *reason, size_t size);
  memcpy(&open_module, &symbol, sizeof open_module); /* ISO C has no cast from object to function pointers */
  char reason[512];
  gpu = open_module(RH_CUDA_FP32, reason, sizeof reason);
  if (!gpu) {
    printf("no device, nothing tested: %s\n", reason);
    return 3;
  }
  const uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
  if (argc > 3) shapes = 2;
  rng = rh_rng_stream(seed, RH_PURPOSE_TEST, 0, 0);
  test_rows();
  printf("rows: all agree\n");
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
