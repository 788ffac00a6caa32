/* What one stage of a convolutional model is made of, with or without a norm. */
#include <stdio.h>

#include "model_kinds.h"

rh_status rh_model_add_stage(rh_model *model, const rh_norm_options *norm, int number, int64_t channels, int64_t kernel)
{
  rh_status status = RH_OK;
  const rh_norm_kind kind = (rh_norm_kind)norm->kind;
  char name[24];
  snprintf(name, sizeof name, "conv%d", number);
  RH_TRY(rh_model_add_conv(model, name, channels, kernel));
  snprintf(name, sizeof name, "norm%d", number);
  if (kind != RH_NORM_NONE) RH_TRY(rh_model_add_norm(model, name, kind, norm->groups));
  if (kind == RH_NORM_NONE || kind == RH_NORM_GROUP) RH_TRY(rh_model_add_relu(model));
done:
  return status;
}
