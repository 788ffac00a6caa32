/* Convolutional network of LeNet's size: two convolutions with pooling, two dense layers; 20,522 parameters on 28x28x1
 * images of 10 classes. A norm, where one is asked for, follows each convolution; the dense layer keeps its rectifier.
 */
#include "model_kinds.h"

typedef struct cnn_options {
  rh_norm_options norm;
} cnn_options;

static const rh_option rows[] = {RH_NORM_ROWS(cnn_options)};

static rh_status build(const void *options, rh_shape input, int64_t classes, rh_model *model)
{
  const cnn_options *cnn = options;
  rh_status status = RH_OK;
  RH_TRY(rh_model_begin(model, rh_model_cnn.name, input, classes));
  RH_TRY(rh_model_add_stage(model, &cnn->norm, 1, 8, 5));
  RH_TRY(rh_model_add_pool(model, 2));
  RH_TRY(rh_model_add_stage(model, &cnn->norm, 2, 16, 5));
  RH_TRY(rh_model_add_pool(model, 2));
  RH_TRY(rh_model_add_dense(model, "dense1", 64));
  RH_TRY(rh_model_add_relu(model));
  RH_TRY(rh_model_add_dense(model, "dense2", classes));
  RH_TRY(rh_model_end(model));
done:
  return status;
}

const rh_model_kind rh_model_cnn = {
    .name = "cnn",
    .summary = "two 5x5 convolutions with max pooling, two dense layers",
    .source = "after LeCun et al., Gradient-based learning applied to document recognition, Proc. IEEE 86(11), 1998",
    .options = rows,
    .option_count = RH_COUNT(rows),
    .options_size = sizeof(cnn_options),
    .build = build};
