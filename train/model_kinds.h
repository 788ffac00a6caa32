/* The kinds of models, one file each. */
#ifndef RH_MODEL_KINDS_H
#define RH_MODEL_KINDS_H

#include "model.h"

extern const rh_model_kind rh_model_logreg, rh_model_mlp, rh_model_cnn;

#endif
