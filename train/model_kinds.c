#include "model_kinds.h"

#include <string.h>

#include "model_table.h"

const rh_model_kind *const rh_model_kinds[] = {&rh_model_logreg,  &rh_model_mlp,       &rh_model_cnn,
                                               &rh_model_vgg,     &rh_model_resnet50,  &rh_model_vgg16,
                                               &rh_model_vit_b16, &rh_model_llama2_7b, NULL};

const rh_model_kind *rh_model_find(const char *name)
{
  for (const rh_model_kind *const *kind = rh_model_kinds; *kind; kind++)
    if (strcmp((*kind)->name, name) == 0) return *kind;
  return NULL;
}
