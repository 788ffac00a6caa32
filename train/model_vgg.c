/* Deeper network of 3x3 convolutions for small colour images: two of `width` channels, two of twice and one of four
 * times as many, with pooling after each pair, then two dense layers. The convolutions are not padded, so that planes
 * shrink by 2 at each: 32 -> 30 -> 28, 14 -> 12 -> 10, 5 -> 3; inputs of 24x24 are the least. With the defaults,
 * 110,298 parameters on 32x32x3 images of 10 classes.
 */
#include "model_kinds.h"

typedef struct vgg_options {
  int64_t width, dense;
  rh_norm_options norm;
} vgg_options;

static const rh_option rows[] = {{.name = "width",
                                  .kind = RH_OPTION_INTEGER,
                                  .offset = offsetof(vgg_options, width),
                                  .fallback = "16",
                                  .min = 1,
                                  .max = 1 << 12,
                                  .help = "channels of the first two convolutions (VGG has 64)"},
                                 {.name = "dense",
                                  .kind = RH_OPTION_INTEGER,
                                  .offset = offsetof(vgg_options, dense),
                                  .fallback = "128",
                                  .min = 1,
                                  .max = INT_MAX,
                                  .help = "units of the dense layer before the last"},
                                 RH_NORM_ROWS(vgg_options)};

static rh_status build(const void *options, rh_shape input, int64_t classes, rh_model *model)
{
  enum { KERNEL = 3 };
  const vgg_options *vgg = options;
  rh_status status = RH_OK;
  int stage = 0;
  RH_TRY(rh_model_begin(model, rh_model_vgg.name, input, classes));
  for (int64_t channels = vgg->width; channels <= 2 * vgg->width; channels *= 2) {
    RH_TRY(rh_model_add_stage(model, &vgg->norm, ++stage, channels, KERNEL));
    RH_TRY(rh_model_add_stage(model, &vgg->norm, ++stage, channels, KERNEL));
    RH_TRY(rh_model_add_pool(model, 2));
  }
  RH_TRY(rh_model_add_stage(model, &vgg->norm, ++stage, 4 * vgg->width, KERNEL));
  RH_TRY(rh_model_add_dense(model, "dense1", vgg->dense));
  RH_TRY(rh_model_add_relu(model));
  RH_TRY(rh_model_add_dense(model, "dense2", classes));
  RH_TRY(rh_model_end(model));
done:
  return status;
}

const rh_model_kind rh_model_vgg = {
    .name = "vgg",
    .summary = "five 3x3 convolutions with max pooling, two dense layers",
    .source = "after Simonyan, Zisserman, Very deep convolutional networks for large-scale image recognition, ICLR "
              "2015; without padding",
    .options = rows,
    .option_count = RH_COUNT(rows),
    .options_size = sizeof(vgg_options),
    .build = build};
