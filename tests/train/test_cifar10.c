/* CIFAR-10's binary files: records made by hand read back, plain and gzipped; defects name the record. */
#include <stdio.h>
#include <unistd.h>
#include <zlib.h>

#include "data_load.h"

enum { RECORD = 3073, PIXELS = 3072 };

static char folder[] = "test-cifar10-XXXXXX";
static const char *const names[] = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "test_batch.bin",
                                    "data_batch_2.bin.gz"};

static void path_of(const char *name, char *path)
{
  snprintf(path, 128, "%s/%s", folder, name);
}

/* Records whose k-th has the label (first + k) mod 10 and the pixel p (first + k + p) mod 251; `cut` bytes
 * are missing. */
static void write_records(const char *name, int first, int count, int cut)
{
  char path[128];
  uint8_t *bytes = malloc((size_t)count * RECORD);
  assert_non_null(bytes);
  for (int k = 0; k < count; k++) {
    bytes[k * RECORD] = (uint8_t)((first + k) % 10);
    for (int p = 0; p < PIXELS; p++)
      bytes[k * RECORD + 1 + p] = (uint8_t)((first + k + p) % 251);
  }
  path_of(name, path);
  const unsigned length = (unsigned)(count * RECORD - cut);
  if (strstr(name, ".gz")) {
    gzFile file = gzopen(path, "wb");
    assert_int_equal(gzwrite(file, bytes, length), length);
    assert_int_equal(gzclose(file), Z_OK);
  } else {
    FILE *file = fopen(path, "wb");
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
  }
  free(bytes);
}

static void remove_all(void)
{
  char path[128];
  for (size_t i = 0; i < RH_COUNT(names); i++) {
    path_of(names[i], path);
    unlink(path);
  }
}

static void records_are_read_in_the_order_of_the_files(void **state)
{
  (void)state;
  rh_dataset d;
  remove_all();
  write_records("data_batch_1.bin", 0, 3, 0);
  write_records("data_batch_2.bin.gz", 7, 2, 0);
  write_records("test_batch.bin", 5, 2, 0);
  for (int one = 0; one < 2; one++) {
    assert_int_equal(LOAD("cifar10", "", &d, "data.directory", folder, "data.batches", one ? "1" : "0"), RH_OK);
    assert_true(d.shape.channels == 3 && d.shape.height == 32 && d.shape.width == 32 && d.classes == 10);
    assert_int_equal(d.train.count, one ? 3 : 5);
    assert_int_equal(d.test.count, 2);
    assert_memory_equal(d.train.labels, ((int32_t[]){0, 1, 2, 7, 8}), (size_t)d.train.count * sizeof(int32_t));
    assert_memory_equal(d.test.labels, ((int32_t[]){5, 6}), 2 * sizeof(int32_t));
    for (int64_t i = 0; i < d.train.count; i++)
      for (int p = 0; p < PIXELS; p++)
        assert_int_equal(d.train.pixels[i * PIXELS + p], (d.train.labels[i] + p) % 251);
    rh_dataset_clear(&d);
  }
}

static void check_refused(rh_status code, const char *batches, const char *part)
{
  rh_dataset d;
  assert_int_equal(LOAD("cifar10", "", &d, "data.directory", folder, "data.batches", batches), code);
  if (!strstr(rh_error_message(), part)) fail_msg("said: %s", rh_error_message());
}

static void defects_name_file_and_record(void **state)
{
  (void)state;
  rh_dataset d;
  remove_all();
  check_refused(RH_EIO, "0", "no file 'data_batch_1.bin', plain or .gz, in 'test-cifar10-");
  write_records("data_batch_1.bin", 0, 2, 0);
  check_refused(RH_EIO, "0", "no file 'test_batch.bin'");
  check_refused(RH_EIO, "2", "no file 'data_batch_2.bin'");
  write_records("test_batch.bin", 0, 2, 1);
  check_refused(
      RH_EFORMAT, "0",
      "/test_batch.bin': its 6145 bytes are no whole number of CIFAR-10's records of 3073; record 1 is cut off");
  write_records("test_batch.bin", 0, 1, RECORD);
  check_refused(RH_EFORMAT, "0", "its 0 bytes are no whole number");
  write_records("test_batch.bin", 0, 2, 0);
  char path[128];
  path_of("data_batch_1.bin", path);
  FILE *file = fopen(path, "r+b");
  assert_int_equal(fseek(file, RECORD, SEEK_SET), 0);
  assert_int_equal(fputc(10, file), 10);
  fclose(file);
  check_refused(RH_EFORMAT, "0", "record 1 (counted from 0) has the label 10, and CIFAR-10's go to 9");
  assert_int_equal(LOAD("cifar10", "", &d, "data.batches", "1"), RH_EINVAL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(records_are_read_in_the_order_of_the_files),
      cmocka_unit_test(defects_name_file_and_record),
  };
  if (!mkdtemp(folder)) return 1;
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  remove_all();
  rmdir(folder);
  return failed;
}
