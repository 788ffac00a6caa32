/* A data set of noise, split evenly, and the module that computes on it: what the programs for a GPU share. */
#ifndef NOISE_H
#define NOISE_H

#include "module.h"
#include "replicas.h"

typedef struct noise {
  rh_dataset dataset;
  rh_partition partition;
} noise;

enum { NOISE_SAMPLES = 4096, NOISE_SIDE = 28, NOISE_CLASSES = 10 };

/* Ends the program with the message of a failed call. */
void succeed(rh_status status);
double now_s(void);

/* Pixels and labels at random; worker w holds 64 samples, some of which others hold, too. */
noise noise_new(int32_t workers);
void noise_clear(noise *n);
/* A model by name with the options' defaults. */
rh_model noise_model(const char *name);

/* The device's operations. Ends the program with status 3 and the reason where there is no device. */
const rh_backend *open_gpu(const char *path, rh_cuda_products products);

#endif
