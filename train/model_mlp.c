/* Perceptron with one hidden layer: dense, rectifier, dense. */
#include <limits.h>

#include "model_kinds.h"

typedef struct mlp_options {
  int64_t hidden;
} mlp_options;

static const rh_option rows[] = {{.name = "hidden",
                                  .kind = RH_OPTION_INTEGER,
                                  .offset = offsetof(mlp_options, hidden),
                                  .fallback = "128",
                                  .min = 1,
                                  .max = INT_MAX,
                                  .help = "units of the hidden layer"}};

static rh_status build(const void *options, rh_shape input, int64_t classes, rh_model *model)
{
  const mlp_options *mlp = options;
  rh_status status = RH_OK;
  RH_TRY(rh_model_begin(model, rh_model_mlp.name, input, classes));
  RH_TRY(rh_model_add_dense(model, "dense1", mlp->hidden));
  RH_TRY(rh_model_add_relu(model));
  RH_TRY(rh_model_add_dense(model, "dense2", classes));
  RH_TRY(rh_model_end(model));
done:
  return status;
}

const rh_model_kind rh_model_mlp = {.name = "mlp",
                                    .summary = "perceptron with one hidden layer",
                                    .source = "Rumelhart, Hinton, Williams, Nature 323, 1986",
                                    .options = rows,
                                    .option_count = RH_COUNT(rows),
                                    .options_size = sizeof(mlp_options),
                                    .build = build};
