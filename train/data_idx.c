/* idx: labelled grey images in the IDX files of MNIST and its relatives, plain or gzipped.
 *
 * Format      big-endian 32-bit words: magic (0x803 images, 0x801 labels: unsigned bytes in 3 or 1 dimensions), then
 *             each dimension's size, then the bytes, row by row
 * source      yann.lecun.com/exdb/mnist; fashion-mnist: Xiao, Rasul, Vollgraf, arXiv 1708.07747
 *
 * A file is read as it comes and never trusted: no more memory is taken than twice what was really read, whatever sizes
 * its head claims.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

#include "data_files.h"
#include "dataset.h"

enum { IMAGE_MAGIC = 0x803, LABEL_MAGIC = 0x801 };
enum { SIDE_MAX = 4096, CLASSES_MAX = 256 };
enum { FIRST_BYTES = 1 << 20 };

typedef enum idx_file { TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS, FILE_COUNT } idx_file;

static const struct {
  const char *option, *official;
} idx_files[FILE_COUNT] = {
    [TRAIN_IMAGES] = {"train_images", "train-images-idx3-ubyte"},
    [TRAIN_LABELS] = {"train_labels", "train-labels-idx1-ubyte"},
    [TEST_IMAGES] = {"test_images", "t10k-images-idx3-ubyte"},
    [TEST_LABELS] = {"test_labels", "t10k-labels-idx1-ubyte"},
};

typedef struct idx_options {
  const char *directory;
  const char *file[FILE_COUNT];
  int64_t classes;
} idx_options;

static const rh_option idx_option_rows[] = {
    {.name = "directory",
     .kind = RH_OPTION_TEXT,
     .offset = offsetof(idx_options, directory),
     .fallback = "",
     .help = "folder that holds train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte and "
             "t10k-labels-idx1-ubyte, each plain or with .gz"},
    {.name = "train_images",
     .kind = RH_OPTION_TEXT,
     .offset = offsetof(idx_options, file[TRAIN_IMAGES]),
     .fallback = "",
     .help = "file of train images, instead of the directory's"},
    {.name = "train_labels",
     .kind = RH_OPTION_TEXT,
     .offset = offsetof(idx_options, file[TRAIN_LABELS]),
     .fallback = "",
     .help = "file of train labels, instead of the directory's"},
    {.name = "test_images",
     .kind = RH_OPTION_TEXT,
     .offset = offsetof(idx_options, file[TEST_IMAGES]),
     .fallback = "",
     .help = "file of test images, instead of the directory's"},
    {.name = "test_labels",
     .kind = RH_OPTION_TEXT,
     .offset = offsetof(idx_options, file[TEST_LABELS]),
     .fallback = "",
     .help = "file of test labels, instead of the directory's"},
    {.name = "classes",
     .kind = RH_OPTION_INTEGER,
     .offset = offsetof(idx_options, classes),
     .fallback = "0",
     .min = 0,
     .max = CLASSES_MAX,
     .help =
         "number of classes, larger labels are refused; 0: the largest train label + 1, none may be missing between"},
};

/* Finding files ---------------------------------------------------------------------------------------------------- */

/* Finds one of the four files beside the study, then as given. */
static rh_status find_file(const idx_options *options, idx_file file, const char *beside, rh_text *path)
{
  rh_text name = {0};
  rh_status status = RH_OK;
  if (options->file[file][0]) {
    rh_text_append(&name, "%s", options->file[file]);
  } else if (options->directory[0]) {
    rh_data_join(&name, options->directory, idx_files[file].official);
  } else {
    status = rh_error(RH_EINVAL, "data.%s: not given; data set idx needs `directory`, or each of its four files",
                      idx_files[file].option);
    goto done;
  }
  status = rh_data_find(idx_files[file].option, rh_text_get(&name), beside, path);
done:
  rh_text_clear(&name);
  return status;
}

static rh_status files(const void *options, const char *directory, rh_text *paths)
{
  rh_status status = RH_OK;
  for (int file = 0; file < FILE_COUNT; file++) {
    RH_TRY(find_file(options, (idx_file)file, directory, paths));
    rh_text_append(paths, "\n");
  }
done:
  return status;
}

/* Reading one file ------------------------------------------------------------------------------------------------- */

/* Reads up to `bytes`; fewer only at the end of the file, which gzip may find to be cut off. */
static rh_status read_bytes(gzFile stream, const char *path, uint8_t *target, int64_t bytes, int64_t *got)
{
  *got = 0;
  while (*got < bytes) {
    int64_t left = bytes - *got;
    int count = gzread(stream, target + *got, (unsigned)(left < FIRST_BYTES ? left : FIRST_BYTES));
    if (count > 0) *got += count;
    if (count == 0) break;
    if (count < 0) {
      int code;
      const char *reason = gzerror(stream, &code);
      if (code == Z_BUF_ERROR) break; /* the compressed data ends early: truncated */
      if (code == Z_ERRNO) return rh_error(RH_EIO, "'%s' cannot be read: %s", path, strerror(errno));
      return rh_error(RH_EFORMAT, "'%s' is damaged: %s", path, reason);
    }
  }
  return RH_OK;
}

static rh_status error_truncated(const char *path, int64_t expected, int64_t found)
{
  return rh_error(RH_EFORMAT, "'%s' is truncated: expected %lld bytes, found %lld", path, (long long)expected,
                  (long long)found);
}

/* Reads magic and sizes. size[0] is the count; the images' height and width follow. */
static rh_status read_head(gzFile stream, const char *path, uint32_t magic, int64_t *size)
{
  uint8_t head[16];
  int dimensions = (int)(magic & 255);
  int64_t bytes = 4 + 4 * dimensions, got;
  rh_status status;
  RH_TRY(read_bytes(stream, path, head, bytes, &got));
  uint32_t word[4] = {0};
  for (int64_t i = 0; i < got / 4; i++) {
    word[i] = (uint32_t)head[4 * i] << 24 | (uint32_t)head[4 * i + 1] << 16 | (uint32_t)head[4 * i + 2] << 8 |
              (uint32_t)head[4 * i + 3];
  }
  if (got >= 4 && word[0] != magic) {
    return rh_error(RH_EFORMAT, "'%s' is no IDX file of %s: it starts with 0x%08x, expected 0x%08x", path,
                    magic == IMAGE_MAGIC ? "images" : "labels", (unsigned)word[0], (unsigned)magic);
  }
  if (got < bytes) return error_truncated(path, bytes, got);
  for (int i = 0; i < dimensions; i++) {
    size[i] = word[i + 1];
    int64_t most = i == 0 ? INT32_MAX : SIDE_MAX;
    const char *what = i == 0 ? "samples" : i == 1 ? "rows" : "columns";
    if (size[i] == 0) return rh_error(RH_EFORMAT, "'%s' holds no %s", path, what);
    if (size[i] > most) {
      return rh_error(RH_EFORMAT, "'%s' claims %lld %s; at most %lld are read", path, (long long)size[i], what,
                      (long long)most);
    }
  }
done:
  return status;
}

/* Reads the `bytes` that the head promised, in a buffer that grows with what is really there. */
static rh_status read_body(gzFile stream, const char *path, int64_t head, int64_t bytes, uint8_t **body)
{
  rh_status status = RH_OK;
  int64_t have = 0, size = 0, got, extra;
  uint8_t *data = NULL, byte;
  RH_ASSERT(bytes > 0);
  do {
    size = size == 0 ? FIRST_BYTES : 2 * size;
    if (size > bytes) size = bytes;
    uint8_t *larger = realloc(data, (size_t)size);
    if (!larger) {
      status = rh_error(RH_ENOMEM, "no memory for %lld bytes of '%s'", (long long)size, path);
      goto done;
    }
    data = larger;
    RH_TRY(read_bytes(stream, path, data + have, size - have, &got));
    have += got;
    if (have < size) {
      status = error_truncated(path, head + bytes, head + have);
      goto done;
    }
  } while (have < bytes);
  RH_TRY(read_bytes(stream, path, &byte, 1, &extra));
  int code;
  gzerror(stream, &code);
  if (!extra && code == Z_BUF_ERROR) status = rh_error(RH_EFORMAT, "'%s' is truncated: its check sum is cut off", path);
  if (extra)
    status = rh_error(RH_EFORMAT, "'%s' is longer than the %lld bytes that its head promises", path,
                      (long long)(head + bytes));
done:
  if (status == RH_OK)
    *body = data;
  else
    free(data);
  return status;
}

/* Reads a whole file: its sizes and its bytes, which the caller frees. */
static rh_status read_file(const char *path, uint32_t magic, int64_t *size, uint8_t **body)
{
  rh_status status;
  struct stat info;
  /* a data set is read again by every run, which a pipe does not survive */
  if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) return rh_error(RH_EIO, "'%s' is no regular file", path);
  gzFile stream = gzopen(path, "rb");
  if (!stream) return rh_error(RH_EIO, "'%s' cannot be opened: %s", path, strerror(errno));
  RH_TRY(read_head(stream, path, magic, size));
  int64_t bytes = 1;
  for (int i = 0; i < (int)(magic & 255); i++) {
    bytes *= size[i]; /* below 2^31 * 2^12 * 2^12 */
  }
  RH_TRY(read_body(stream, path, 4 + 4 * (int64_t)(magic & 255), bytes, body));
done:
  gzclose(stream);
  return status;
}

/* Putting a data set together -------------------------------------------------------------------------------------- */

static rh_status load_part(const char *images, const char *labels, rh_samples *samples, rh_shape *shape)
{
  rh_status status;
  int64_t image_size[3] = {0}, label_size[1] = {0};
  uint8_t *bytes = NULL;
  RH_TRY(read_file(images, IMAGE_MAGIC, image_size, &samples->pixels));
  RH_TRY(read_file(labels, LABEL_MAGIC, label_size, &bytes));
  if (image_size[0] != label_size[0]) {
    status = rh_error(RH_EFORMAT, "'%s' holds %lld images, but '%s' %lld labels", images, (long long)image_size[0],
                      labels, (long long)label_size[0]);
    goto done;
  }
  RH_ASSERT(image_size[0] > 0);
  samples->count = image_size[0];
  *shape = (rh_shape){1, image_size[1], image_size[2]};
  samples->labels = malloc((size_t)samples->count * sizeof *samples->labels);
  if (!samples->labels) {
    status = rh_error(RH_ENOMEM, "no memory for %lld labels of '%s'", (long long)samples->count, labels);
    goto done;
  }
  for (int64_t i = 0; i < samples->count; i++) {
    samples->labels[i] = bytes[i];
  }
done:
  free(bytes);
  return status;
}

/* The number of classes where none was given: largest label + 1. Labels that leave a gap below it are more often
 * damage than meant, and each would cost a class that no sample has. */
static rh_status count_classes(const rh_samples *samples, const char *path, int64_t *classes)
{
  int64_t first[CLASSES_MAX]; /* sample that bears the label first; -1: none */
  for (int label = 0; label < CLASSES_MAX; label++) {
    first[label] = -1;
  }
  for (int64_t i = samples->count - 1; i >= 0; i--) {
    first[samples->labels[i]] = i;
  }
  int64_t previous = -1, kinds = 0;
  *classes = 0;
  for (int label = 0; label < CLASSES_MAX; label++) {
    if (first[label] < 0) continue;
    if (previous >= 0 && previous + 1 != label) {
      return rh_error(RH_EFORMAT,
                      "'%s': label %d of sample %lld is out of range: no sample bears a label between %lld and it (if "
                      "it is meant, set data.classes)",
                      path, label, (long long)first[label], (long long)previous);
    }
    previous = label;
    *classes = label + 1;
    kinds++;
  }
  if (kinds < 2)
    return rh_error(RH_EFORMAT,
                    "'%s': all labels are %lld; at least 2 classes are needed (if it is meant, set "
                    "data.classes)",
                    path, (long long)previous);
  return RH_OK;
}

static rh_status check_labels(const rh_samples *samples, const char *path, int64_t classes)
{
  for (int64_t i = 0; i < samples->count; i++) {
    if (samples->labels[i] >= classes) {
      return rh_error(RH_EFORMAT, "'%s': label %d of sample %lld is out of range: the data set has %lld classes", path,
                      (int)samples->labels[i], (long long)i, (long long)classes);
    }
  }
  return RH_OK;
}

static rh_status load(const void *options_pointer, const char *directory, rh_dataset *dataset)
{
  const idx_options *options = options_pointer;
  rh_status status;
  rh_text path[FILE_COUNT] = {0};
  rh_shape test_shape;
  *dataset = (rh_dataset){.name = "idx"};
  for (int file = 0; file < FILE_COUNT; file++) {
    RH_TRY(find_file(options, (idx_file)file, directory, &path[file]));
  }
  const char *train_labels = rh_text_get(&path[TRAIN_LABELS]), *test_labels = rh_text_get(&path[TEST_LABELS]);
  RH_TRY(load_part(rh_text_get(&path[TRAIN_IMAGES]), train_labels, &dataset->train, &dataset->shape));
  RH_TRY(load_part(rh_text_get(&path[TEST_IMAGES]), test_labels, &dataset->test, &test_shape));
  if (dataset->shape.height != test_shape.height || dataset->shape.width != test_shape.width) {
    status =
        rh_error(RH_EFORMAT, "'%s' holds images of %lldx%lld, but '%s' of %lldx%lld", rh_text_get(&path[TRAIN_IMAGES]),
                 (long long)dataset->shape.height, (long long)dataset->shape.width, rh_text_get(&path[TEST_IMAGES]),
                 (long long)test_shape.height, (long long)test_shape.width);
    goto done;
  }
  dataset->classes = options->classes;
  if (dataset->classes == 0) RH_TRY(count_classes(&dataset->train, train_labels, &dataset->classes));
  RH_TRY(check_labels(&dataset->train, train_labels, dataset->classes));
  RH_TRY(check_labels(&dataset->test, test_labels, dataset->classes));
  rh_dataset_normalise(dataset);
done:
  for (int file = 0; file < FILE_COUNT; file++) {
    rh_text_clear(&path[file]);
  }
  if (status != RH_OK) rh_dataset_clear(dataset);
  return status;
}

extern const rh_dataset_kind rh_dataset_idx;
const rh_dataset_kind rh_dataset_idx = {
    .name = "idx",
    .summary = "labelled grey images from IDX files, plain or gzipped: MNIST, Fashion-MNIST and their relatives",
    .source = "yann.lecun.com/exdb/mnist (file format)",
    .options = idx_option_rows,
    .option_count = RH_COUNT(idx_option_rows),
    .options_size = sizeof(idx_options),
    .load = load,
    .files = files,
};
