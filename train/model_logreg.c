/* Multinomial logistic regression: one dense layer. */
#include "model_kinds.h"

static rh_status build(const void *options, rh_shape input, int64_t classes, rh_model *model)
{
  (void)options;
  rh_status status = RH_OK;
  RH_TRY(rh_model_begin(model, rh_model_logreg.name, input, classes));
  RH_TRY(rh_model_add_dense(model, "dense1", classes));
  RH_TRY(rh_model_end(model));
done:
  return status;
}

const rh_model_kind rh_model_logreg = {.name = "logreg",
                                       .summary = "logistic regression: one dense layer",
                                       .source = "Cox, The regression analysis of binary sequences, JRSS B 20(2), 1958",
                                       .build = build};
