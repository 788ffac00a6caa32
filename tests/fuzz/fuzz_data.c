/* Data sets in files: the first byte says which kind, the rest is every file that it reads. */
#include <string.h>

#include "dataset.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const char *const kinds[] = {"csv", "idx", "cifar10"};
  if (size == 0) return 0;
  const rh_dataset_kind *kind = rh_dataset_find(kinds[data[0] % 3]);
  const char *path = fuzz_file("data", data + 1, size - 1);
  rh_settings settings = {0};
  rh_dataset dataset;
  void *target = calloc(1, kind->options_size);
  if (!target) abort();
  for (size_t i = 0; i < kind->option_count; i++) {
    char key[96];
    snprintf(key, sizeof key, "data.%s", kind->options[i].name);
    const bool file = strncmp(kind->options[i].name, "train", 5) == 0 || strncmp(kind->options[i].name, "test", 4) == 0;
    if (kind->options[i].kind == RH_OPTION_TEXT && file) rh_settings_set(&settings, key, path, "here", NULL);
  }
  if (rh_option_read(kind->options, kind->option_count, "data", &settings, target) == RH_OK &&
      kind->load(target, "", &dataset) == RH_OK)
    rh_dataset_clear(&dataset);
  free(target);
  rh_settings_clear(&settings);
  return 0;
}
