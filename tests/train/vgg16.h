/* VGG16's parameters, for arithmetic on a model that is too large to be trained here: 13 convolutions 3x3 of 64 to 512
 * channels on 3 channels, then dense layers 25088 - 4096 - 4096 - 10, as torchvision's vgg16 with num_classes 10.
 * Source      Simonyan & Zisserman, Very deep convolutional networks for large-scale image recognition, ICLR 2015,
 *             table 1, column D: 138,357,544 parameters with 1000 classes, hence 134,301,514 with 10 (4097 a class) */
#ifndef VGG16_H
#define VGG16_H

#include "factor.h"

enum { VGG16_WEIGHTS = 16, VGG16_SEGMENTS = 2 * VGG16_WEIGHTS };

/* Segments [VGG16_SEGMENTS]: a weight, its bias, the next layer's. */
static inline void vgg16_segments(rh_segment *segments)
{
  static const int64_t shapes[VGG16_WEIGHTS][2] = {
      {64, 27},    {64, 576},   {128, 576},  {128, 1152}, {256, 1152}, {256, 2304},   {256, 2304},  {512, 2304},
      {512, 4608}, {512, 4608}, {512, 4608}, {512, 4608}, {512, 4608}, {4096, 25088}, {4096, 4096}, {10, 4096}};
  int64_t offset = 0;
  for (int i = 0; i < VGG16_SEGMENTS; i++) {
    const int64_t rows = shapes[i / 2][0], columns = i % 2 == 0 ? shapes[i / 2][1] : 1;
    segments[i] = (rh_segment){.offset = offset, .count = rows * columns, .rows = rows, .columns = columns};
    offset += rows * columns;
  }
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
