/* CSV files: what a table holds, how values become levels and labels classes, and every defect with its line. */
#include <stdio.h>
#include <unistd.h>

#include "data_load.h"

static char train_path[] = "test-csv-train-XXXXXX", test_path[] = "test-csv-test-XXXXXX";

static void write_text(const char *path, const char *text)
{
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
  assert_int_equal(fclose(file), 0);
}

/* Range -1 .. 4 over all columns: a level is 5/255, so v becomes 51 (v + 1). Labels cat, dog, newt in that order. */
static void values_become_levels_and_words_classes(void **state)
{
  (void)state;
  rh_dataset d;
  write_text(train_path, "a, b ,kind\n-1,0,newt\r\n 1 ,\"2\",\"cat\"\n\n3,4,dog\n");
  write_text(test_path, "a,b,kind\n-7,1.5,dog\n9e0,0.005,newt\n");
  assert_int_equal(LOAD("csv", "", &d, "data.train_file", train_path, "data.test_file", test_path), RH_OK);
  assert_int_equal(d.classes, 3);
  assert_int_equal(d.train.count, 3);
  assert_int_equal(d.test.count, 2);
  assert_memory_equal(d.train.labels, ((int32_t[]){2, 0, 1}), 3 * sizeof(int32_t));
  assert_memory_equal(d.test.labels, ((int32_t[]){1, 2}), 2 * sizeof(int32_t));
  assert_memory_equal(d.train.pixels, ((uint8_t[]){0, 51, 102, 153, 204, 255}), 6);
  /* beyond the range: its ends; 127.5 and 51.255: 128 and 51 */
  assert_memory_equal(d.test.pixels, ((uint8_t[]){0, 128, 255, 51}), 4);
  assert_true(d.shape.channels == 2 && d.shape.height == 1 && d.shape.width == 1);
  rh_dataset_clear(&d);
  /* each column for itself: -1 .. 3 and 0 .. 4 */
  assert_int_equal(
      LOAD("csv", "", &d, "data.train_file", train_path, "data.test_file", test_path, "data.range", "column"), RH_OK);
  assert_memory_equal(d.train.pixels, ((uint8_t[]){0, 0, 128, 128, 255, 255}), 6);
  rh_dataset_clear(&d);
}

/* Numbers are classes in the order of numbers; a constant table is level 0. */
static void columns_and_shapes_are_chosen(void **state)
{
  (void)state;
  rh_dataset d;
  write_text(train_path, "10;7;7;7;7\n2;7;7;7;7\n2;7;7;7;7\n10;7;7;7;7\n10;7;7;7;7\n2;7;7;7;7\n");
  assert_int_equal(LOAD("csv", "", &d, "data.train_file", train_path, "data.separator", "semicolon", "data.label",
                        "first", "data.shape", "2x2", "data.test_every", "3"),
                   RH_OK);
  assert_true(d.shape.channels == 1 && d.shape.height == 2 && d.shape.width == 2);
  assert_memory_equal(d.train.labels, ((int32_t[]){1, 0, 1, 1}), 4 * sizeof(int32_t));
  assert_memory_equal(d.test.labels, ((int32_t[]){0, 0}), 2 * sizeof(int32_t)); /* the third and the sixth */
  for (int i = 0; i < 16; i++)
    assert_int_equal(d.train.pixels[i], 0);
  rh_dataset_clear(&d);
  write_text(train_path, "\xef\xbb\xbf"
                         "0\t1\t5\n1\t0\t5\n2\t1\t5\n");
  assert_int_equal(LOAD("csv", "", &d, "data.train_file", train_path, "data.separator", "tab", "data.label", "2",
                        "data.test_every", "3"),
                   RH_OK);
  assert_memory_equal(d.train.pixels, ((uint8_t[]){0, 255, 51, 255}), 4); /* 0 and 5, 1 and 5 of 0 .. 5 */
  rh_dataset_clear(&d);
  /* a name of the header makes a header of it, numbers or not */
  write_text(train_path, "1,y,2\n0,a,1\n0,b,1\n");
  write_text(test_path, "1,y,2\n0,a,1\n");
  assert_int_equal(LOAD("csv", "", &d, "data.train_file", train_path, "data.test_file", test_path, "data.label", "y"),
                   RH_OK);
  assert_int_equal(d.train.count, 2);
  rh_dataset_clear(&d);
}

typedef struct wrong {
  const char *train, *test; /* test NULL: none */
  const char *option, *value;
  rh_status code;
  const char *part; /* of the message */
} wrong;

static void defects_name_file_line_and_cure(void **state)
{
  (void)state;
  static const wrong cases[] = {
      {"1,0\n2,1\nx,0\n", NULL, "data.test_every", "5", RH_EFORMAT, "':3: field 1 'x' is no finite number; fill it in"},
      {"1,0\n,1\n", NULL, "data.test_every", "5", RH_EFORMAT, "':2: field 1 '' is no finite number"},
      {"1,0\ninf,1\n", NULL, "data.test_every", "5", RH_EFORMAT, "':2: field 1 'inf' is no finite number"},
      {"1,0\n1,2,1\n", NULL, "data.test_every", "5", RH_EFORMAT, "':2: 3 fields, but the first line has 2"},
      {"1,0\n2,\n", NULL, "data.test_every", "5", RH_EFORMAT, "':2: field 2, the label, is empty"},
      {"1,\"0\n2,1\n", NULL, "data.test_every", "5", RH_EFORMAT, "':1: field 2: its quotes do not end"},
      {"\"1\"2,0\n", NULL, "data.test_every", "5", RH_EFORMAT, "':1: field 1: '2,0' follows its quotes"},
      {"1 0\n2 1\n", NULL, "data.test_every", "5", RH_EFORMAT, "':1: one field '1 0'"},
      {"1,0\n2,0\n", NULL, "data.test_every", "5", RH_EFORMAT,
       "train labels are of 1 kinds, and 2 to 1000 can be learned"},
      {"1,0\n2,1\n", NULL, "data.test_every", "5", RH_EFORMAT, "none of which data.test_every: 5 keeps for tests"},
      {"1,,a\n3,4,b\n", NULL, "data.test_every", "2", RH_EFORMAT,
       "':1: field 2 '' is no finite number, but others are: if the line names columns set data.header: yes"},
      {"a,b\n", NULL, "data.test_every", "5", RH_EFORMAT, "holds no samples"},
      {"", NULL, "data.test_every", "5", RH_EFORMAT, "holds no samples"},
      {"1,0\n2,1\n", "3,0\n4,2\n", "data.label", "last", RH_EFORMAT, "':2: no train sample has the label '2'"},
      {"1,0\n2,1\n", "3,3,0\n", "data.label", "last", RH_EFORMAT, "has 2 columns, but"},
      {"1,0\n2,1\n", NULL, "data.label", "3", RH_EINVAL, "data.label: '3' is no column of"},
      {"1,0\n2,1\n", NULL, "data.label", "class", RH_EINVAL, "data.label: 'class' is no column of"},
      {"1,0\n2,1\n", NULL, "data.shape", "2x2", RH_EINVAL,
       "data.shape: '2x2' has 4 values, but a sample has 1 columns"},
      {"1,0\n2,1\n", NULL, "data.shape", "1x", RH_EINVAL, "data.shape: '1x' is no HEIGHTxWIDTH"},
      {"1,0\n2,1\n", NULL, "data.shape", "1x1x1x1", RH_EINVAL, "is no HEIGHTxWIDTH"},
  };
  for (size_t i = 0; i < RH_COUNT(cases); i++) {
    const wrong *w = &cases[i];
    rh_dataset d;
    write_text(train_path, w->train);
    if (w->test) write_text(test_path, w->test);
    const rh_status code = LOAD("csv", "", &d, "data.train_file", train_path, "data.test_file",
                                w->test ? test_path : "", w->option, w->value);
    if (code != w->code || !strstr(rh_error_message(), w->part))
      fail_msg("case %zu: %s: %s", i, rh_status_name(code), rh_error_message());
  }
  rh_dataset d;
  assert_int_equal(LOAD("csv", "", &d, "data.label", "last"), RH_EINVAL);
  assert_int_equal(LOAD("csv", "/tmp", &d, "data.train_file", "no-such.csv"), RH_EIO);
  assert_non_null(
      strstr(rh_error_message(), "data.train_file: no file 'no-such.csv', plain or .gz, neither in '/tmp'"));
  FILE *file = fopen(train_path, "wb");
  fwrite("1,0\0,1\n", 1, 7, file);
  fclose(file);
  assert_int_equal(LOAD("csv", "", &d, "data.train_file", train_path), RH_EFORMAT);
  assert_non_null(strstr(rh_error_message(), "holds a zero byte: it is no text file"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_become_levels_and_words_classes),
      cmocka_unit_test(columns_and_shapes_are_chosen),
      cmocka_unit_test(defects_name_file_line_and_cure),
  };
  const int train = mkstemp(train_path), test = mkstemp(test_path);
  if (train < 0 || test < 0) return 1;
  close(train);
  close(test);
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  unlink(train_path);
  unlink(test_path);
  return failed;
}
