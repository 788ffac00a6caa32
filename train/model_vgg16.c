/* VGG16, the layer table: thirteen 3x3 convolutions of 64 to 512 channels, pooling after the 2nd, 4th, 7th, 10th and
 * 13th, dense layers 25088 - 4096 - 4096 - classes; 138,357,544 parameters with 1000 classes, 15.5 billion
 * multiply-adds for an image of 224x224.
 */
#include <stdio.h>

#include "model_table.h"

typedef struct vgg16_options {
  int64_t classes;
} vgg16_options;

static const rh_option rows[] = {RH_TABLE_CLASSES_ROW(vgg16_options)};

static rh_status build(const void *options, rh_shape input, int64_t classes, rh_model *model)
{
  (void)input, (void)classes;
  static const int convolutions[] = {2, 2, 3, 3, 3}, channels[] = {64, 128, 256, 512, 512};
  const vgg16_options *o = options;
  int number = 0;
  rh_table_begin(model, rh_model_vgg16.name, (rh_shape){3, 224, 224});
  rh_shape x = model->input;
  for (int stage = 0; stage < 5; stage++) {
    for (int k = 0; k < convolutions[stage]; k++) {
      char name[24];
      snprintf(name, sizeof name, "conv%d", ++number);
      x = rh_table_add_conv(model, name, x, channels[stage], 3, 1, 1, true);
    }
    x = rh_table_pool(x, 2, 2, 0);
  }
  x = (rh_shape){rh_shape_count(x), 1, 1};
  x = rh_table_add_dense(model, "dense1", x, 4096, true);
  x = rh_table_add_dense(model, "dense2", x, 4096, true);
  rh_table_add_dense(model, "dense3", x, o->classes, true);
  rh_table_end(model);
  return RH_OK;
}

const rh_model_kind rh_model_vgg16 = {
    .name = "vgg16",
    .summary = "layer table of VGG16 on images of 224x224: 138,357,544 parameters with 1000 classes",
    .source = "Simonyan, Zisserman, Very deep convolutional networks for large-scale image recognition, ICLR 2015, "
              "table 1, column D",
    .table = true,
    .options = rows,
    .option_count = RH_COUNT(rows),
    .options_size = sizeof(vgg16_options),
    .build = build};
