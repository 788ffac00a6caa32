/* Loading a data set from options written as text, as a study would. */
#ifndef RH_TEST_DATA_LOAD_H
#define RH_TEST_DATA_LOAD_H

#include <stdlib.h>
#include <string.h>

#include "cmocka_all.h"
#include "dataset.h"

/* Loads a kind with "key", "value" pairs, NULL-terminated, as options of section `data`. What the kind does not
 * set holds garbage, the same every time. */
static inline rh_status load_with(const char *kind_name, const char *directory, const char *const *pairs,
                                  rh_dataset *dataset)
{
  const rh_dataset_kind *kind = rh_dataset_find(kind_name);
  assert_non_null(kind);
  rh_settings settings = {0};
  for (; *pairs; pairs += 2) {
    rh_settings_set(&settings, pairs[0], pairs[1], "test", NULL);
  }
  memset(dataset, 0xA5, sizeof *dataset);
  void *options = calloc(1, kind->options_size);
  assert_non_null(options);
  rh_status status = rh_option_read(kind->options, kind->option_count, "data", &settings, options);
  if (status == RH_OK) status = kind->load(options, directory, dataset);
  free(options);
  rh_settings_clear(&settings);
  return status;
}
#define LOAD(kind, directory, dataset, ...)                                                                            \
  load_with(kind, directory, (const char *const[]){__VA_ARGS__, NULL}, dataset)

#endif
