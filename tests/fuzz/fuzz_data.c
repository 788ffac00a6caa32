/* Data sets in files: the first byte says which kind, the next two how long the first file is, and the rest are its
 * bytes and those of the second: images and labels of idx, train and test file of csv and cifar10. */
#include <string.h>
#include <sys/stat.h>

#include "dataset.h"

#include "fuzz.h"

/* The folder that cifar10 reads from: its files have names of their own. */
static const char *folder_of_batches(const uint8_t *train, size_t bytes, const uint8_t *test, size_t test_bytes)
{
  static char folder[96];
  snprintf(folder, sizeof folder, "%s", fuzz_path("batches"));
  mkdir(folder, 0777); /* once */
  fuzz_file("batches/data_batch_1.bin", train, bytes);
  fuzz_file("batches/test_batch.bin", test, test_bytes);
  return folder;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const char *const kinds[] = {"csv", "idx", "cifar10"};
  if (size < 3) return 0;
  const rh_dataset_kind *kind = rh_dataset_find(kinds[data[0] % 3]);
  const size_t length = data[1] | (size_t)data[2] << 8, room = size - 3, first = length < room ? length : room;
  const uint8_t *other = data + 3 + first;
  rh_settings settings = {0};
  rh_dataset dataset;
  void *target = calloc(1, kind->options_size);
  if (!target) abort();
  const char *train = fuzz_file("train", data + 3, first), *test = fuzz_file("test", other, room - first);
  if (data[0] % 3 == 0) {
    rh_settings_set(&settings, "data.train_file", train, "here", NULL);
    if (first < room) rh_settings_set(&settings, "data.test_file", test, "here", NULL);
  } else if (data[0] % 3 == 1) {
    rh_settings_set(&settings, "data.train_images", train, "here", NULL);
    rh_settings_set(&settings, "data.train_labels", test, "here", NULL);
    rh_settings_set(&settings, "data.test_images", train, "here", NULL);
    rh_settings_set(&settings, "data.test_labels", test, "here", NULL);
  } else {
    rh_settings_set(&settings, "data.directory", folder_of_batches(data + 3, first, other, room - first), "here", NULL);
  }
  if (rh_option_read(kind->options, kind->option_count, "data", &settings, target) == RH_OK &&
      kind->load(target, "", &dataset) == RH_OK)
    rh_dataset_clear(&dataset);
  free(target);
  rh_settings_clear(&settings);
  return 0;
}
