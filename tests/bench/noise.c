#include "noise.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void succeed(rh_status status)
{
  if (status == RH_OK) return;
  fprintf(stderr, "%s\n", rh_error_message());
  exit(1);
}

double now_s(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *checked(void *memory)
{
  if (memory) return memory;
  fprintf(stderr, "no memory\n");
  exit(1);
}

noise noise_new(int32_t workers)
{
  enum { SHARD = 64 };
  noise n = {0};
  const int64_t pixels = (int64_t)NOISE_SAMPLES * NOISE_SIDE * NOISE_SIDE, held = (int64_t)workers * SHARD;
  rh_rng rng = rh_rng_stream(1, RH_PURPOSE_TEST, 0, 0);
  const rh_samples samples = {NOISE_SAMPLES, checked(malloc((size_t)pixels)),
                              checked(calloc(NOISE_SAMPLES, sizeof(int32_t)))};
  for (int64_t i = 0; i < pixels; i++)
    samples.pixels[i] = (uint8_t)rh_rng_below(&rng, 256);
  for (int i = 0; i < NOISE_SAMPLES; i++)
    samples.labels[i] = (int32_t)rh_rng_below(&rng, NOISE_CLASSES);
  n.dataset = (rh_dataset){.name = "noise",
                           .shape = {1, NOISE_SIDE, NOISE_SIDE},
                           .classes = NOISE_CLASSES,
                           .train = samples,
                           .test = samples,
                           .mean = 0.5F,
                           .deviation = 0.29F};
  n.partition = (rh_partition){workers, checked(calloc((size_t)workers + 1, sizeof(int64_t))),
                               checked(calloc((size_t)held, sizeof(int32_t)))};
  for (int32_t w = 0; w <= workers; w++)
    n.partition.offset[w] = (int64_t)w * SHARD;
  for (int64_t i = 0; i < held; i++)
    n.partition.indices[i] = (int32_t)(i % NOISE_SAMPLES);
  return n;
}

void noise_clear(noise *n)
{
  free(n->dataset.train.pixels);
  free(n->dataset.train.labels);
  free(n->partition.offset);
  free(n->partition.indices);
  *n = (noise){0};
}

rh_model noise_model(const char *name)
{
  rh_model model;
  const rh_settings none = {0};
  int64_t options[16] = {0};
  const rh_model_kind *kind = rh_model_find(name);
  RH_ASSERT(kind && kind->options_size <= sizeof options);
  succeed(rh_option_read(kind->options, kind->option_count, "model", &none, options));
  succeed(kind->build(options, (rh_shape){1, NOISE_SIDE, NOISE_SIDE}, NOISE_CLASSES, &model));
  return model;
}

const rh_backend *open_gpu(const char *path, rh_cuda_products products)
{
  void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL), *symbol = module ? dlsym(module, "rh_cuda_module_open") : NULL;
  const rh_backend *(*open_module)(rh_cuda_products products, char *reason, size_t size);
  char reason[512];
  if (!symbol) {
    fprintf(stderr, "%s\n", dlerror());
    exit(2);
  }
  memcpy(&open_module, &symbol, sizeof open_module); /* ISO C has no cast from object to function pointers */
  const rh_backend *gpu = open_module(products, reason, sizeof reason);
  if (gpu) return gpu;
  printf("no device: %s\n", reason);
  exit(3);
}
