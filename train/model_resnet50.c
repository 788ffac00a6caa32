/* ResNet-50, the layer table: a 7x7 convolution, sixteen bottleneck blocks (1x1, 3x3, 1x1) in four stages, one dense
 * layer; 25,557,032 parameters with 1000 classes, 4.09 billion multiply-adds for an image of 224x224. The step of two
 * is in the 3x3 convolution of a stage's first block ("version 1.5", as in torchvision); in its first 1x1 convolution,
 * as in the paper, there would be 3.8 billion.
 */
#include <stdio.h>

#include "model_table.h"

typedef struct resnet_options {
  int64_t classes;
} resnet_options;

static const rh_option rows[] = {RH_TABLE_CLASSES_ROW(resnet_options)};

/* A convolution without bias, and its norm. */
static rh_shape add_conv(rh_model *model, const char *block, const char *name, rh_shape x, int64_t channels,
                         int64_t kernel, int64_t step)
{
  char full[48];
  snprintf(full, sizeof full, "%s.conv%s", block, name);
  x = rh_table_add_conv(model, full, x, channels, kernel, step, kernel / 2, false);
  snprintf(full, sizeof full, "%s.norm%s", block, name);
  return rh_table_add_norm(model, full, x, true);
}

/* A stage's first block has a convolution beside it that brings its input to its output's shape. */
static rh_shape add_block(rh_model *model, const char *name, rh_shape in, int64_t width, int64_t step, bool first)
{
  rh_shape x = add_conv(model, name, "1", in, width, 1, 1);
  x = add_conv(model, name, "2", x, width, 3, step);
  x = add_conv(model, name, "3", x, 4 * width, 1, 1);
  return first ? add_conv(model, name, "4", in, 4 * width, 1, step) : x;
}

static rh_status build(const void *options, rh_shape input, int64_t classes, rh_model *model)
{
  (void)input, (void)classes;
  static const int blocks[] = {3, 4, 6, 3};
  const resnet_options *o = options;
  rh_table_begin(model, rh_model_resnet50.name, (rh_shape){3, 224, 224});
  rh_shape x = add_conv(model, "stem", "", model->input, 64, 7, 2);
  x = rh_table_pool(x, 3, 2, 1);
  for (int stage = 0; stage < 4; stage++)
    for (int block = 0; block < blocks[stage]; block++) {
      char name[24];
      snprintf(name, sizeof name, "stage%d.%d", stage + 1, block + 1);
      x = add_block(model, name, x, 64 << stage, block == 0 && stage > 0 ? 2 : 1, block == 0);
    }
  rh_table_add_dense(model, "dense", (rh_shape){x.channels, 1, 1}, o->classes, true);
  rh_table_end(model);
  return RH_OK;
}

const rh_model_kind rh_model_resnet50 = {
    .name = "resnet50",
    .summary = "layer table of ResNet-50 on images of 224x224: 25,557,032 parameters with 1000 classes",
    .source =
        "He, Zhang, Ren, Sun, Deep residual learning for image recognition, CVPR 2016, table 1; the steps of two in "
        "3x3 convolutions as in torchvision's resnet50",
    .table = true,
    .options = rows,
    .option_count = RH_COUNT(rows),
    .options_size = sizeof(resnet_options),
    .build = build};
