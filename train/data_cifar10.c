/* cifar10: colour images in CIFAR-10's binary files, plain or gzipped.
 *
 * Format      records of 3073 bytes: the label, 0 to 9, then 32 x 32 values of red, of green and of blue, row by row
 * Source      Krizhevsky, Learning multiple layers of features from tiny images, 2009; the files' own page,
 *             www.cs.toronto.edu/~kriz/cifar.html
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data_files.h"
#include "dataset.h"

enum { SIDE = 32, CHANNELS = 3, CLASSES = 10, PIXELS = CHANNELS * SIDE * SIDE, RECORD = 1 + PIXELS, BATCHES_MAX = 5 };

typedef struct cifar10_options {
  const char *directory;
  int64_t batches;
} cifar10_options;

static const rh_option option_rows[] = {
    {.name = "directory",
     .kind = RH_OPTION_TEXT,
     .offset = offsetof(cifar10_options, directory),
     .fallback = "",
     .help = "folder that holds data_batch_1.bin, more up to data_batch_5.bin, and test_batch.bin, each plain or with "
             ".gz"},
    {.name = "batches",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(cifar10_options, batches),
     .fallback = "0",
     .min = 0,
     .max = BATCHES_MAX,
     .help = "files of train samples to read, from data_batch_1.bin on; 0: all that are there"},
};

/* The path of a file of the folder; false if it is not there. */
static bool find(const cifar10_options *o, const char *beside, const char *name, rh_text *path)
{
  rh_text file = {0};
  rh_data_join(&file, o->directory, name);
  const bool found = rh_data_try(beside, rh_text_get(&file), path) || rh_data_try("", rh_text_get(&file), path);
  rh_text_clear(&file);
  return found;
}

static rh_status error_missing(const cifar10_options *o, const char *name)
{
  return rh_error(RH_EIO,
                  "data.directory: no file '%s', plain or .gz, in '%s'; give the folder of CIFAR-10's binary version, "
                  "cifar-10-batches-bin",
                  name, o->directory);
}

/* Appends the paths of the train files, then of the test file, one per line. */
static rh_status files(const void *options, const char *directory, rh_text *paths)
{
  const cifar10_options *o = options;
  if (!o->directory[0])
    return rh_error(RH_EINVAL, "data.directory: not given; data set cifar10 needs the folder of its files");
  const int64_t most = o->batches ? o->batches : BATCHES_MAX;
  for (int64_t b = 1; b <= most; b++) {
    char name[32];
    snprintf(name, sizeof name, "data_batch_%d.bin", (int)b);
    const bool found = find(o, directory, name, paths);
    if (!found && (b == 1 || o->batches)) return error_missing(o, name);
    if (!found) break;
    rh_text_append(paths, "\n");
  }
  if (!find(o, directory, "test_batch.bin", paths)) return error_missing(o, "test_batch.bin");
  rh_text_append(paths, "\n");
  return RH_OK;
}

/* Appends a file's records to a part. */
static rh_status append_file(const char *path, rh_samples *samples)
{
  rh_status status = RH_OK;
  uint8_t *bytes = NULL;
  int64_t length;
  RH_TRY(rh_data_read(path, &bytes, &length));
  const int64_t count = length / RECORD, before = samples->count;
  if (length == 0 || length % RECORD != 0) {
    status =
        rh_error(RH_EFORMAT,
                 "'%s': its %lld bytes are no whole number of CIFAR-10's records of %d; record %lld is cut off, or "
                 "it is another file: give the binary version, not Python's or Matlab's",
                 path, (long long)length, RECORD, (long long)count);
    goto done;
  }
  uint8_t *pixels = realloc(samples->pixels, (size_t)(before + count) * PIXELS);
  if (pixels) samples->pixels = pixels;
  int32_t *labels = realloc(samples->labels, (size_t)(before + count) * sizeof *labels);
  if (labels) samples->labels = labels;
  if (!pixels || !labels) {
    status = rh_error(RH_ENOMEM, "no memory for %lld samples of '%s'", (long long)count, path);
    goto done;
  }
  for (int64_t i = 0; i < count; i++) {
    const uint8_t *record = bytes + i * RECORD;
    if (record[0] >= CLASSES) {
      status = rh_error(RH_EFORMAT,
                        "'%s': record %lld (counted from 0) has the label %d, and CIFAR-10's go to 9; the file is "
                        "damaged, or CIFAR-100's",
                        path, (long long)i, record[0]);
      goto done;
    }
    labels[before + i] = record[0];
    memcpy(pixels + (before + i) * PIXELS, record + 1, PIXELS);
  }
  samples->count = before + count;
done:
  free(bytes);
  return status;
}

static rh_status load(const void *options, const char *directory, rh_dataset *dataset)
{
  rh_status status = RH_OK;
  rh_text paths = {0};
  *dataset = (rh_dataset){.name = "cifar10", .shape = {CHANNELS, SIDE, SIDE}, .classes = CLASSES};
  RH_TRY(files(options, directory, &paths));
  RH_ASSERT(paths.length > 0);
  for (char *path = paths.data, *next; *path; path = next) {
    next = strchr(path, '\n');
    RH_ASSERT(next); /* each line has its end */
    *next++ = '\0';
    RH_TRY(append_file(path, *next ? &dataset->train : &dataset->test));
  }
  rh_dataset_normalise(dataset);
done:
  rh_text_clear(&paths);
  if (status != RH_OK) rh_dataset_clear(dataset);
  return status;
}

extern const rh_dataset_kind rh_dataset_cifar10;
const rh_dataset_kind rh_dataset_cifar10 = {
    .name = "cifar10",
    .summary = "colour images of 32 x 32 in CIFAR-10's binary files, plain or gzipped",
    .source = "Krizhevsky, Learning multiple layers of features from tiny images, 2009",
    .options = option_rows,
    .option_count = RH_COUNT(option_rows),
    .options_size = sizeof(cifar10_options),
    .load = load,
    .files = files,
};
