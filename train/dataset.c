/* Data sets: the list of kinds, and what all of them share. */
#include "dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

extern const rh_dataset_kind rh_dataset_glyphs, rh_dataset_idx, rh_dataset_cifar10, rh_dataset_csv;

const rh_dataset_kind *const rh_dataset_kinds[] = {&rh_dataset_glyphs, &rh_dataset_idx, &rh_dataset_cifar10,
                                                   &rh_dataset_csv, NULL};

const rh_dataset_kind *rh_dataset_find(const char *name)
{
  for (const rh_dataset_kind *const *kind = rh_dataset_kinds; *kind; kind++) {
    if (strcmp((*kind)->name, name) == 0) return *kind;
  }
  return NULL;
}

void rh_dataset_clear(rh_dataset *dataset)
{
  free(dataset->train.pixels);
  free(dataset->train.labels);
  free(dataset->test.pixels);
  free(dataset->test.labels);
  *dataset = (rh_dataset){0};
}

/* The sums are integers and thus exact, in whatever order the compiler adds. */
void rh_dataset_normalise(rh_dataset *dataset)
{
  int64_t n = dataset->train.count * rh_shape_count(dataset->shape);
  RH_ASSERT(n > 0);
  uint64_t sum = 0, sum_of_squares = 0;
  for (int64_t i = 0; i < n; i++) {
    uint64_t pixel = dataset->train.pixels[i];
    sum += pixel;
    sum_of_squares += pixel * pixel;
  }
  double mean = (double)sum / (double)n;
  double variance = (double)sum_of_squares / (double)n - mean * mean;
  dataset->mean = (float)(mean / 255);
  /* Images of one single grey carry no information; they are shifted only. */
  dataset->deviation = variance > 0 ? (float)(sqrt(variance) / 255) : 1.0f;
}

rh_pixels rh_samples_pixels(const rh_dataset *dataset, const rh_samples *samples, const int32_t *indices)
{
  return (rh_pixels){.bytes = samples->pixels,
                     .indices = indices,
                     .size = rh_shape_count(dataset->shape),
                     .mean = dataset->mean,
                     .deviation = dataset->deviation};
}

void rh_samples_labels(const rh_samples *samples, const int32_t *indices, int64_t n, int32_t *labels)
{
  for (int64_t i = 0; i < n; i++) {
    RH_ASSERT(indices[i] >= 0 && indices[i] < samples->count);
    labels[i] = samples->labels[indices[i]];
  }
}

void rh_samples_gather(const rh_dataset *dataset, const rh_samples *samples, const int32_t *indices, int64_t n,
                       float *x, int32_t *labels)
{
  const rh_pixels pixels = rh_samples_pixels(dataset, samples, indices);
  rh_samples_labels(samples, indices, n, labels);
  rh_pixels_values(&pixels, n, x);
}
