/* Models of the program's kinds, for tests. */
#ifndef MODEL_BUILD_H
#define MODEL_BUILD_H

#include "model.h"

/* A kind's model on images of 10 classes; settings: NULL-terminated pairs. */
static inline void build(rh_model *model, const char *name, rh_shape input, const char *const *settings)
{
  const rh_model_kind *kind = rh_model_find(name);
  rh_settings set = {0};
  int64_t options[8];
  assert_non_null(kind);
  assert_true(kind->options_size <= sizeof options);
  for (; settings && *settings; settings += 2)
    rh_settings_set(&set, settings[0], settings[1], "test", NULL);
  assert_int_equal(rh_option_read(kind->options, kind->option_count, "model", &set, options), RH_OK);
  assert_int_equal(kind->build(options, input, 10, model), RH_OK);
  rh_settings_clear(&set);
}

#endif
