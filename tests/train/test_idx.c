/* IDX files: good ones read back, plain and gzipped; every defect is refused with its reason. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "data_load.h"

/* Two train images of 2x3 with labels 0, 1 and one test image, by hand. */
static const uint8_t train_images[] = {0, 0, 8, 3,  0,  0,  0,  2,  0, 0, 0,  2,  0,  0,
                                       0, 3, 1, 20, 30, 40, 50, 60, 7, 8, 90, 10, 11, 255};
static const uint8_t train_labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 0, 1};
static const uint8_t test_images[] = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 5, 4, 3, 2, 1, 0};
static const uint8_t test_labels[] = {0, 0, 8, 1, 0, 0, 0, 1, 1};

typedef struct idx_bytes {
  const char *name;
  const uint8_t *bytes;
  size_t count;
} idx_bytes;
static const idx_bytes good_files[4] = {
    {"train-images-idx3-ubyte", train_images, sizeof train_images},
    {"train-labels-idx1-ubyte", train_labels, sizeof train_labels},
    {"t10k-images-idx3-ubyte", test_images, sizeof test_images},
    {"t10k-labels-idx1-ubyte", test_labels, sizeof test_labels},
};
enum { TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS };

static char folder[64];

static int make_folder(void **state)
{
  (void)state;
  snprintf(folder, sizeof folder, "/tmp/rehearse-data-XXXXXX");
  return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
  (void)state;
  DIR *directory = opendir(folder);
  if (!directory) return -1;
  for (struct dirent *entry; (entry = readdir(directory));) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    if (entry->d_name[0] != '.') unlink(path);
  }
  closedir(directory);
  return rmdir(folder);
}

static void write_file(const char *name, const uint8_t *bytes, size_t count)
{
  char path[512];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, count, file), count);
  assert_int_equal(fclose(file), 0);
}

static void write_gzip(const char *name, const uint8_t *bytes, size_t count)
{
  char path[512];
  snprintf(path, sizeof path, "%s/%s.gz", folder, name);
  gzFile file = gzopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(gzwrite(file, bytes, (unsigned)count), count);
  assert_int_equal(gzclose(file), Z_OK);
}

static void write_good_files(void)
{
  for (int i = 0; i < 4; i++) {
    write_file(good_files[i].name, good_files[i].bytes, good_files[i].count);
  }
}

static void assert_good(const rh_dataset *dataset)
{
  assert_int_equal(dataset->shape.channels, 1);
  assert_int_equal(dataset->shape.height, 2);
  assert_int_equal(dataset->shape.width, 3);
  assert_int_equal(dataset->classes, 2);
  assert_int_equal(dataset->train.count, 2);
  assert_int_equal(dataset->test.count, 1);
  assert_memory_equal(dataset->train.pixels, train_images + 16, 12);
  assert_memory_equal(dataset->test.pixels, test_images + 16, 6);
  assert_int_equal(dataset->train.labels[0], 0);
  assert_int_equal(dataset->train.labels[1], 1);
  assert_int_equal(dataset->test.labels[0], 1);
}

static void idx_plain_files_read_back(void **state)
{
  (void)state;
  write_good_files();
  rh_dataset dataset;
  assert_int_equal(LOAD("idx", "", &dataset, "data.directory", folder), RH_OK);
  assert_good(&dataset);
  rh_dataset_clear(&dataset);
}

static void idx_gzipped_files_read_back(void **state)
{
  (void)state;
  for (int i = 0; i < 4; i++) {
    write_gzip(good_files[i].name, good_files[i].bytes, good_files[i].count);
  }
  rh_dataset dataset;
  assert_int_equal(LOAD("idx", "", &dataset, "data.directory", folder), RH_OK);
  assert_good(&dataset);
  rh_dataset_clear(&dataset);
}

static void idx_single_files_are_found_beside_the_study(void **state)
{
  (void)state;
  write_good_files();
  rh_dataset dataset;
  assert_int_equal(LOAD("idx", folder, &dataset, "data.train_images", good_files[0].name, "data.train_labels",
                        good_files[1].name, "data.test_images", good_files[2].name, "data.test_labels",
                        good_files[3].name),
                   RH_OK);
  assert_good(&dataset);
  rh_dataset_clear(&dataset);
}

static void idx_lists_the_files_that_it_reads(void **state)
{
  (void)state;
  write_good_files();
  const rh_dataset_kind *kind = rh_dataset_find("idx");
  rh_settings settings = {0};
  rh_settings_set(&settings, "data.directory", folder, "test", NULL);
  void *options = calloc(1, kind->options_size);
  assert_int_equal(rh_option_read(kind->options, kind->option_count, "data", &settings, options), RH_OK);
  rh_text paths = {0}, expected = {0};
  for (int i = 0; i < 4; i++) {
    rh_text_append(&expected, "%s/%s\n", folder, good_files[i].name);
  }
  assert_int_equal(kind->files(options, "", &paths), RH_OK);
  assert_string_equal(rh_text_get(&paths), rh_text_get(&expected));
  rh_text_clear(&paths);
  rh_text_clear(&expected);
  free(options);
  rh_settings_clear(&settings);
}

/* Replaces one of the four good files and asserts that loading ends with `code` and a message that holds `said`. */
static void assert_refused(int which, const uint8_t *bytes, size_t count, rh_status code, const char *said)
{
  write_good_files();
  write_file(good_files[which].name, bytes, count);
  rh_dataset dataset;
  assert_int_equal(LOAD("idx", "", &dataset, "data.directory", folder), code);
  if (!strstr(rh_error_message(), said)) fail_msg("'%s' is not in: %s", said, rh_error_message());
  if (!strstr(rh_error_message(), good_files[which].name)) fail_msg("no file name in: %s", rh_error_message());
  assert_null(dataset.train.pixels);
}

static void idx_truncated_file_is_refused_with_both_sizes(void **state)
{
  (void)state;
  assert_refused(TRAIN_IMAGES, train_images, sizeof train_images - 5, RH_EFORMAT, "expected 28 bytes, found 23");
  assert_refused(TEST_LABELS, test_labels, 8, RH_EFORMAT, "expected 9 bytes, found 8");
  assert_refused(TEST_IMAGES, test_images, 9, RH_EFORMAT, "expected 16 bytes, found 9");
  assert_refused(TEST_IMAGES, test_images, 0, RH_EFORMAT, "expected 16 bytes, found 0");
}

static void idx_truncated_gzip_is_refused(void **state)
{
  (void)state;
  write_good_files();
  write_gzip("whole", train_images, sizeof train_images);
  char path[512];
  snprintf(path, sizeof path, "%s/whole.gz", folder);
  uint8_t packed[256];
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  size_t count = fread(packed, 1, sizeof packed, file);
  fclose(file);
  assert_in_range(count, 20, sizeof packed - 1);
  assert_refused(TRAIN_IMAGES, packed, count - 16, RH_EFORMAT, "truncated: expected 28 bytes");
  packed[count - 6] ^= 0xff; /* the check sum */
  assert_refused(TRAIN_IMAGES, packed, count, RH_EFORMAT, "is damaged");
}

static void idx_bad_heads_are_refused(void **state)
{
  (void)state;
  uint8_t bytes[sizeof train_images];
  assert_refused(TRAIN_IMAGES, train_labels, sizeof train_labels, RH_EFORMAT,
                 "starts with 0x00000801, expected 0x00000803");
  assert_refused(TRAIN_LABELS, train_images, sizeof train_images, RH_EFORMAT,
                 "starts with 0x00000803, expected 0x00000801");
  assert_refused(TRAIN_IMAGES, (const uint8_t *)"no images", 9, RH_EFORMAT, "is no IDX file of images");
  memcpy(bytes, train_images, sizeof bytes);
  bytes[7] = 0;
  assert_refused(TRAIN_IMAGES, bytes, 16, RH_EFORMAT, "holds no samples");
  memcpy(bytes, train_images, sizeof bytes);
  bytes[11] = 0;
  assert_refused(TRAIN_IMAGES, bytes, sizeof bytes, RH_EFORMAT, "holds no rows");
  memcpy(bytes, train_images, sizeof bytes);
  bytes[12] = 1; /* 2^24 + 3 columns */
  assert_refused(TRAIN_IMAGES, bytes, sizeof bytes, RH_EFORMAT, "claims 16777219 columns");
  assert_refused(TRAIN_LABELS, (const uint8_t[]){0, 0, 8, 1, 0, 0, 0, 2, 0, 1, 1}, 11, RH_EFORMAT,
                 "longer than the 10 bytes");
}

/* 2^31 - 1 images of 4096 x 4096 would be 32 PiB. */
static void idx_absurd_size_is_refused_without_its_memory(void **state)
{
  (void)state;
  uint8_t bytes[sizeof train_images];
  memcpy(bytes, train_images, sizeof bytes);
  memcpy(bytes + 4, (const uint8_t[]){0x7f, 0xff, 0xff, 0xff, 0, 0, 0x10, 0, 0, 0, 0x10, 0}, 12);
  assert_refused(TRAIN_IMAGES, bytes, sizeof bytes, RH_EFORMAT, "expected 36028797002186768 bytes, found 28");
  bytes[4] = 0xff;
  assert_refused(TRAIN_IMAGES, bytes, sizeof bytes, RH_EFORMAT, "claims 4294967295 samples");
}

static void idx_contradicting_files_are_refused(void **state)
{
  (void)state;
  assert_refused(TRAIN_LABELS, (const uint8_t[]){0, 0, 8, 1, 0, 0, 0, 3, 0, 1, 1}, 11, RH_EFORMAT, "holds 2 images");
  uint8_t bytes[sizeof test_images];
  memcpy(bytes, test_images, sizeof bytes);
  bytes[11] = 3, bytes[15] = 2;
  assert_refused(TEST_IMAGES, bytes, sizeof bytes, RH_EFORMAT, "images of 2x3");
}

static void idx_labels_out_of_range_are_refused(void **state)
{
  (void)state;
  assert_refused(TEST_LABELS, (const uint8_t[]){0, 0, 8, 1, 0, 0, 0, 1, 2}, 9, RH_EFORMAT,
                 "label 2 of sample 0 is out of range: the data set has 2 classes");
  assert_refused(TRAIN_LABELS, (const uint8_t[]){0, 0, 8, 1, 0, 0, 0, 2, 0, 200}, 10, RH_EFORMAT,
                 "label 200 of sample 1 is out of range");
  assert_refused(TRAIN_LABELS, (const uint8_t[]){0, 0, 8, 1, 0, 0, 0, 2, 0, 0}, 10, RH_EFORMAT, "all labels are 0");
  rh_dataset dataset;
  write_good_files();
  assert_int_equal(LOAD("idx", "", &dataset, "data.directory", folder, "data.classes", "1"), RH_EFORMAT);
  assert_non_null(strstr(rh_error_message(), "label 1 of sample 1 is out of range: the data set has 1 classes"));
}

static void idx_given_classes_allow_gaps(void **state)
{
  (void)state;
  write_good_files();
  write_file(good_files[TRAIN_LABELS].name, (const uint8_t[]){0, 0, 8, 1, 0, 0, 0, 2, 0, 4}, 10);
  rh_dataset dataset;
  assert_int_equal(LOAD("idx", "", &dataset, "data.directory", folder, "data.classes", "6"), RH_OK);
  assert_int_equal(dataset.classes, 6);
  rh_dataset_clear(&dataset);
}

static void idx_missing_files_are_named(void **state)
{
  (void)state;
  rh_dataset dataset;
  assert_int_equal(LOAD("idx", "", &dataset, "data.directory", folder), RH_EIO);
  assert_non_null(strstr(rh_error_message(), "train-images-idx3-ubyte"));
  assert_int_equal(LOAD("idx", "studies/", &dataset, "data.directory", "nowhere"), RH_EIO);
  assert_non_null(strstr(rh_error_message(), "neither in 'studies/'"));
  assert_int_equal(LOAD("idx", "", &dataset, "data.train_images", "a"), RH_EIO);
  assert_int_equal(LOAD("idx", "", &dataset, "data.train_labels", "a"), RH_EINVAL);
  assert_non_null(strstr(rh_error_message(), "data.train_images: not given"));
}

static void fashion_mnist_loads(void **state)
{
  (void)state;
  rh_dataset dataset;
  const char *directory = RH_SOURCE_DIR "/../shared/data/fashion-mnist";
  if (access(directory, R_OK) != 0) {
    print_message("skipped: there is no %s\n", directory);
    skip();
  }
  assert_int_equal(LOAD("idx", "", &dataset, "data.directory", directory), RH_OK);
  assert_int_equal(dataset.train.count, 60000);
  assert_int_equal(dataset.test.count, 10000);
  assert_int_equal(dataset.classes, 10);
  assert_int_equal(dataset.shape.height, 28);
  assert_int_equal(dataset.shape.width, 28);
  /* Mean and deviation as published in the data set's benchmark code: 0.2860, 0.3530. */
  assert_float_equal(dataset.mean, 0.2860, 5e-5);
  assert_float_equal(dataset.deviation, 0.3530, 5e-5);
  rh_dataset_clear(&dataset);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
  const struct CMUnitTest tests[] = {
      IN_FOLDER(idx_plain_files_read_back),
      IN_FOLDER(idx_gzipped_files_read_back),
      IN_FOLDER(idx_single_files_are_found_beside_the_study),
      IN_FOLDER(idx_lists_the_files_that_it_reads),
      IN_FOLDER(idx_truncated_file_is_refused_with_both_sizes),
      IN_FOLDER(idx_truncated_gzip_is_refused),
      IN_FOLDER(idx_bad_heads_are_refused),
      IN_FOLDER(idx_absurd_size_is_refused_without_its_memory),
      IN_FOLDER(idx_contradicting_files_are_refused),
      IN_FOLDER(idx_labels_out_of_range_are_refused),
      IN_FOLDER(idx_given_classes_allow_gaps),
      IN_FOLDER(idx_missing_files_are_named),
      cmocka_unit_test(fashion_mnist_loads),
  };
  return cmocka_run_group_tests_name("idx", tests, NULL, NULL);
}
