/* rehearse_cuda_conformance MODULE.so|poison-device [SEED [small] [GROUP]...]: every operation of the module against
 * `ref`; small: a few shapes of each and no whole models, for tools that make it a hundred times slower; GROUP: rows,
 * factors, thin, codes, layers, models, replicas, all of them unless one is named. poison-device is a device that is
 * none: with it these tests themselves run on any machine.
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

static const struct {
  const char *name;
  void (*run)(void);
} groups[] = {{"rows", test_rows},     {"factors", test_factors}, {"thin", test_thin},        {"codes", test_codes},
              {"layers", test_layers}, {"models", test_models},   {"replicas", test_replicas}};

enum { GROUPS = sizeof groups / sizeof groups[0] };

/* Which groups to run; false: one of the words is none. */
static bool read_groups(int count, char **words, bool *asked)
{
  bool small = false, any = false;
  for (int i = 0; i < count; i++) {
    bool known = strcmp(words[i], "small") == 0;
    small = small || known;
    for (int k = 0; k < GROUPS; k++)
      if (strcmp(words[i], groups[k].name) == 0) asked[k] = any = known = true;
    if (!known) return false;
  }
  for (int k = 0; k < GROUPS && !any; k++)
    asked[k] = !small || groups[k].run != test_models;
  if (small) shapes = 2;
  return true;
}

int main(int argc, char **argv)
{
  int status;
  bool asked[GROUPS] = {false};
  if (argc < 2 || !read_groups(argc > 3 ? argc - 3 : 0, argv + 3, asked)) {
    fprintf(stderr, "usage: rehearse_cuda_conformance MODULE.so|poison-device [SEED [small] [GROUP]...]\n");
    return 2;
  }
  gpu = open_device(argv[1], &status);
  if (!gpu) return status;
  const uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
  rng = rh_rng_stream(seed, RH_PURPOSE_TEST, 0, 0);
  for (int k = 0; k < GROUPS; k++) {
    if (!asked[k]) continue;
    groups[k].run();
    printf("%s: all agree\n", groups[k].name);
    fflush(stdout);
  }
  gpu->wait();
  if (gpu->failure()) {
    fprintf(stderr, "%s\n", gpu->failure());
    return 1;
  }
  printf("%s: every operation agrees with ref, seed %llu\n", gpu->kernel(), (unsigned long long)seed);
  return 0;
}
