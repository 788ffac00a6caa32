/* The kinds of models, one file each, and what convolutional ones share. */
#ifndef RH_MODEL_KINDS_H
#define RH_MODEL_KINDS_H

#include <limits.h>

#include "model.h"

extern const rh_model_kind rh_model_logreg, rh_model_mlp, rh_model_cnn, rh_model_vgg;

/* Which norm follows each convolution. */
typedef struct rh_norm_options {
  int kind; /* rh_norm_kind */
  int64_t groups;
} rh_norm_options;

/* Rows of rh_norm_options that is the field `norm` of a model's options; the choices are in the order
 * of rh_norm_kind. */
/* clang-format off */
#define RH_NORM_ROWS(options)                                                                                          \
  {.name = "norm",                                                                                                     \
   .kind = RH_OPTION_CHOICE,                                                                                           \
   .offset = offsetof(options, norm.kind),                                                                             \
   .fallback = "none",                                                                                                 \
   .choices = "none group evonorm-s0 range-evonorm",                                                                   \
   .help = "normalisation after each convolution; the EvoNorms take the place of its rectifier"},                      \
  {.name = "groups",                                                                                                   \
   .kind = RH_OPTION_INTEGER,                                                                                          \
   .offset = offsetof(options, norm.groups),                                                                           \
   .fallback = "8",                                                                                                    \
   .min = 1,                                                                                                           \
   .max = INT_MAX,                                                                                                     \
   .help = "groups of channels of a norm, lowered to what divides the channels (8: Liu et al. 2020)"}
/* clang-format on */

/* Appends convolution NUMBER ("conv1"), its norm ("norm1") and its rectifier: an EvoNorm contains one, the group norm
 * comes before it. */
RH_CHECKED rh_status rh_model_add_stage(rh_model *model, const rh_norm_options *norm, int number, int64_t channels,
                                        int64_t kernel);

#endif
