/* Convolutional network of LeNet's size: two convolutions with pooling, two dense layers; 20,522 parameters on 28x28x1
 * images of 10 classes. A norm, where one is asked for, follows each convolution: an EvoNorm in place of its rectifier,
 * which it contains, the group norm before it. The dense layer keeps its rectifier. */
#include <limits.h>
#include <stdio.h>

#include "model_kinds.h"

typedef struct cnn_options {
  int norm; /* rh_norm_kind */
  int64_t groups;
} cnn_options;

static const rh_option rows[] = {
    {.name = "norm",
     .kind = RH_OPTION_CHOICE,
     .offset = offsetof(cnn_options, norm),
     .fallback = "none",
     .choices = "none group evonorm-s0 range-evonorm", /* in the order of rh_norm_kind */
     .help = "normalisation after each convolution; the EvoNorms take the place of its rectifier"},
    {.name = "groups",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(cnn_options, groups),
     .fallback = "8",
     .min = 1,
     .max = INT_MAX,
     .help = "groups of channels of a norm, lowered to what divides the channels (8: Liu et al. 2020)"}};

/* Convolution, norm, rectifier, pooling. */
static rh_status add_stage(rh_model *model, const cnn_options *cnn, int stage, int64_t channels)
{
  rh_status status = RH_OK;
  const rh_norm_kind norm = (rh_norm_kind)cnn->norm;
  char name[24];
  snprintf(name, sizeof name, "conv%d", stage);
  RH_TRY(rh_model_add_conv(model, name, channels, 5));
  snprintf(name, sizeof name, "norm%d", stage);
  if (norm != RH_NORM_NONE) RH_TRY(rh_model_add_norm(model, name, norm, cnn->groups));
  if (norm == RH_NORM_NONE || norm == RH_NORM_GROUP) RH_TRY(rh_model_add_relu(model));
  RH_TRY(rh_model_add_pool(model, 2));
done:
  return status;
}

static rh_status build(const void *options, rh_shape input, int64_t classes, rh_model *model)
{
  const cnn_options *cnn = options;
  rh_status status = RH_OK;
  RH_TRY(rh_model_begin(model, rh_model_cnn.name, input, classes));
  RH_TRY(add_stage(model, cnn, 1, 8));
  RH_TRY(add_stage(model, cnn, 2, 16));
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
