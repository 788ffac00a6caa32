/* Perceptron: hidden layers of one width, each followed by a rectifier, then the outputs. */
#include <limits.h>
#include <stdio.h>

#include "model_kinds.h"

typedef struct mlp_options {
  int64_t hidden, layers;
} mlp_options;

static const rh_option rows[] = {
    {.name = "hidden",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(mlp_options, hidden),
     .fallback = "128",
     .min = 1,
     .max = INT_MAX,
     .help = "units of each hidden layer"},
    {.name = "layers",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(mlp_options, layers),
     .fallback = "1",
     .min = 1,
     .max = 6,
     .help = "hidden layers"},
};

static rh_status build(const void *options, rh_shape input, int64_t classes, rh_model *model)
{
  const mlp_options *mlp = options;
  rh_status status = RH_OK;
  RH_TRY(rh_model_begin(model, rh_model_mlp.name, input, classes));
  char name[24];
  for (int64_t k = 1; k <= mlp->layers; k++) {
    snprintf(name, sizeof name, "dense%d", (int)k);
    RH_TRY(rh_model_add_dense(model, name, mlp->hidden));
    RH_TRY(rh_model_add_relu(model));
  }
  snprintf(name, sizeof name, "dense%d", (int)mlp->layers + 1);
  RH_TRY(rh_model_add_dense(model, name, classes));
  RH_TRY(rh_model_end(model));
done:
  return status;
}

const rh_model_kind rh_model_mlp = {.name = "mlp",
                                    .summary = "perceptron with hidden layers of one width",
                                    .source = "Rumelhart, Hinton, Williams, Nature 323, 1986",
                                    .options = rows,
                                    .option_count = RH_COUNT(rows),
                                    .options_size = sizeof(mlp_options),
                                    .build = build};
