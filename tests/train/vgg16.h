/* VGG16 with 10 classes, for arithmetic on a model that is too large to be trained here: the layer table's shapes. */
#ifndef VGG16_H
#define VGG16_H

#include <stdlib.h>
#include <string.h>

#include "factor.h"
#include "option.h"

enum { VGG16_WEIGHTS = 16, VGG16_SEGMENTS = 2 * VGG16_WEIGHTS };

/* Segments [VGG16_SEGMENTS]: a weight, its bias, the next layer's. */
static inline void vgg16_segments(rh_segment *segments)
{
  const rh_model_kind *kind = rh_model_find("vgg16");
  rh_model *model = malloc(sizeof *model);
  rh_settings settings = {0};
  rh_settings_set(&settings, "model.classes", "10", "vgg16.h", NULL);
  void *options = calloc(1, kind->options_size);
  RH_ASSERT(model && options);
  rh_status status = rh_option_read(kind->options, kind->option_count, "model", &settings, options);
  if (status == RH_OK) status = kind->build(options, (rh_shape){0}, 0, model);
  RH_ASSERT(status == RH_OK && model->segment_count == VGG16_SEGMENTS);
  memcpy(segments, model->segments, VGG16_SEGMENTS * sizeof *segments);
  rh_settings_clear(&settings);
  free(options);
  free(model);
}

/* Ranks of the same share of each n, k / 4096 (every n divides 4096), but at least 1. */
static inline void vgg16_set_share(rh_factors *factors, int64_t k)
{
  int64_t ranks[RH_SEGMENTS_MAX] = {0};
  for (int i = 0; i < factors->count; i++) {
    ranks[i] = k * factors->list[i].n / 4096;
    if (ranks[i] < 1) ranks[i] = 1;
  }
  rh_factors_set_ranks(factors, ranks);
}

/* Sets the largest such ranks with which full / current parameters is still `compression`; returns k. */
static inline int64_t vgg16_compress(rh_factors *factors, double compression)
{
  int64_t k = 4096;
  do
    vgg16_set_share(factors, k);
  while (1 / rh_factors_ratio(factors) < compression && --k > 0);
  return k;
}

#endif
