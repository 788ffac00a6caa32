/* Files of tensors: what is written, byte by byte, what comes back, and every way in which a file can be wrong. */
#include "cmocka_all.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model_build.h"
#include "model_file.h"
#include "rng.h"
#include "safetensors.h"

static char path[] = "test-safetensors-XXXXXX";

static void write_bytes(const void *bytes, size_t count)
{
  FILE *file = fopen(path, "wb");
  assert_non_null(file);
  assert_int_equal(fwrite(bytes, 1, count, file), count);
  assert_int_equal(fclose(file), 0);
}

/* A file with this header and so many bytes of values, all 0. */
static void write_file(const char *header, size_t values)
{
  const size_t length = strlen(header);
  char *bytes = calloc(1, 8 + length + values);
  assert_non_null(bytes);
  for (int i = 0; i < 8; i++)
    bytes[i] = (char)(length >> 8 * i & 255);
  /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): the length says where it ends */
  memcpy(bytes + 8, header, length);
  write_bytes(bytes, 8 + length + values);
  free(bytes);
}

/* Two dense layers: a.weight [2, 3], a.bias [2], b.weight [2, 2], b.bias [2]. */
static rh_model small_model(void)
{
  rh_model model;
  assert_int_equal(rh_model_begin(&model, "small", (rh_shape){1, 1, 3}, 2), RH_OK);
  assert_int_equal(rh_model_add_dense(&model, "a", 2), RH_OK);
  assert_int_equal(rh_model_add_relu(&model), RH_OK);
  assert_int_equal(rh_model_add_dense(&model, "b", 2), RH_OK);
  assert_int_equal(rh_model_end(&model), RH_OK);
  return model;
}

static void written_as_the_format_says(void **state)
{
  (void)state;
  static const char header[] =
      "{\"__metadata__\":{\"round\":\"7\"},\"w\":{\"dtype\":\"F32\",\"shape\":[1, 2],\"data_offsets\":"
      "[0,8]},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}";
  const float w[] = {1, -2.5F}, b[] = {0.15625F};
  rh_named_tensor list[] = {{.name = "w", .dimensions = 2, .shape = {1, 2}},
                            {.name = "b", .dimensions = 1, .shape = {1}}};
  const float *const values[] = {w, b};
  const char *const notes[] = {"round", "7", NULL};
  uint8_t bytes[512];
  assert_int_equal(rh_tensor_file_write(path, list, values, 2, notes), RH_OK);
  FILE *file = fopen(path, "rb");
  const size_t count = fread(bytes, 1, sizeof bytes, file), length = (sizeof header - 1 + 7) / 8 * 8;
  fclose(file);
  assert_int_equal(count, 8 + length + 12);
  assert_int_equal(bytes[0], length);
  for (int i = 1; i < 8; i++)
    assert_int_equal(bytes[i], 0);
  assert_memory_equal(bytes + 8, header, sizeof header - 1);
  for (size_t i = sizeof header - 1; i < length; i++)
    assert_int_equal(bytes[8 + i], ' ');
  /* 1, -2.5 and .15625 in IEEE 754 */
  static const uint8_t data[] = {0, 0, 0x80, 0x3f, 0, 0, 0x20, 0xc0, 0, 0, 0x20, 0x3e};
  assert_memory_equal(bytes + 8 + length, data, sizeof data);
}

static void models_come_back_bit_by_bit(void **state)
{
  (void)state;
  static const char *const kinds[][4] = {{"mlp"}, {"cnn", "model.norm", "group"}, {"cnn", "model.norm", "evonorm-s0"}};
  for (size_t k = 0; k < 3; k++) {
    rh_model model;
    build(&model, kinds[k][0], (rh_shape){3, 28, 28}, &kinds[k][1]);
    float *x = calloc((size_t)model.stride, sizeof *x), *y = calloc((size_t)model.stride, sizeof *y);
    rh_rng rng = rh_rng_stream(1, RH_PURPOSE_TEST, 0, k);
    for (int64_t p = 0; p < model.parameters; p++)
      x[p] = (float)rh_rng_normal(&rng);
    for (int64_t p = 0; p < model.stride; p++)
      y[p] = NAN;
    assert_int_equal(rh_model_write(&model, x, NULL, path), RH_OK);
    assert_int_equal(rh_model_read(&model, path, y), RH_OK);
    assert_memory_equal(x, y, (size_t)model.stride * sizeof *x);
    free(x);
    free(y);
  }
}

static void tensors_have_their_layers_shapes(void **state)
{
  (void)state;
  rh_model model;
  rh_tensor_file file;
  build(&model, "cnn", (rh_shape){1, 28, 28}, (const char *const[]){"model.norm", "group", NULL});
  float *x = calloc((size_t)model.stride, sizeof *x);
  assert_int_equal(rh_model_write(&model, x, NULL, path), RH_OK);
  assert_int_equal(rh_tensor_file_open(path, &file), RH_OK);
  assert_int_equal(file.count, model.segment_count);
  const rh_named_tensor *conv = rh_tensor_file_find(&file, "conv2.weight"),
                        *dense = rh_tensor_file_find(&file, "dense1.weight");
  assert_non_null(conv);
  assert_non_null(dense);
  assert_int_equal(conv->dimensions, 4);
  assert_memory_equal(conv->shape, ((int64_t[]){16, 8, 5, 5}), 4 * sizeof(int64_t));
  assert_int_equal(dense->dimensions, 2);
  assert_memory_equal(dense->shape, ((int64_t[]){64, 256}), 2 * sizeof(int64_t));
  assert_int_equal(rh_tensor_file_find(&file, "conv1.bias")->dimensions, 1);
  assert_null(rh_tensor_file_find(&file, "conv9.weight"));
  rh_tensor_file_close(&file);
  free(x);
}

/* Any order, any blanks, escapes in names and metadata: still the same file. */
static void what_the_format_allows_is_read(void **state)
{
  (void)state;
  const rh_model model = small_model();
  float row[32];
  write_file(
      "{ \"b.bias\" : {\"shape\":[2],\"data_offsets\":[0 ,8],\"dtype\":\"F32\"},\n\"a.bias\":{\"dtype\":\"F32\","
      "\"shape\":[2],\"data_offsets\":[8,16]},\"__metadata__\":{\"a\\u00e9\\\"\":\"\\n\"},\"a\\u002eweight\":"
      "{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[32,56]},\"b.weight\":{\"dtype\":\"F32\",\"shape\":[2,2],"
      "\"data_offsets\":[16,32]}}  ",
      56);
  assert_int_equal(rh_model_read(&model, path, row), RH_OK);
}

typedef struct wrong {
  const char *header;
  size_t values; /* bytes */
  rh_status code;
  const char *part; /* of the message */
} wrong;

#define T(name, dtype, shape, from, to)                                                                                \
  "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" #from "," #to "]}"
#define A_W T("a.weight", "F32", "[2,3]", 0, 24)
#define A_B T("a.bias", "F32", "[2]", 24, 32)
#define B_W T("b.weight", "F32", "[2,2]", 32, 48)
#define B_B T("b.bias", "F32", "[2]", 48, 56)

static void what_is_wrong_is_named(void **state)
{
  (void)state;
  static const wrong cases[] = {
      {"{" A_W "," A_B "," B_W "," B_B "}", 52, RH_EFORMAT,
       "tensor 'b.bias' ends at byte 56 of the values, but the file holds 52"},
      {"{" A_W "," A_B "," B_W "," B_B "}", 60, RH_EFORMAT, "4 bytes after the last tensor belong to none"},
      {"{" A_W "," A_B "," B_W "," T("b.bias", "F32", "[2]", 44, 52) "}", 52, RH_EFORMAT,
       "tensor 'b.bias' begins at byte 44 of the values, within another one: expected 48"},
      {"{" A_W "," A_B "," B_W "," T("b.bias", "F32", "[2]", 52, 60) "}", 60, RH_EFORMAT,
       "tensor 'b.bias' begins at byte 52 of the values, after a hole: expected 48"},
      {"{" A_W "," A_B "," B_W "}", 48, RH_EFORMAT, "tensor 'b.bias' [2] of model small is missing"},
      {"{" A_W "," A_B "," B_W "," B_B "," T("c.bias", "F32", "[1]", 56, 60) "}", 60, RH_EFORMAT,
       "model small has no tensor 'c.bias'"},
      {"{" T("a.weight", "F32", "[3,2]", 0, 24) "," A_B "," B_W "," B_B "}", 56, RH_ESHAPE,
       "tensor 'a.weight' has the shape [3, 2], but model small needs [2, 3]"},
      {"{" T("a.weight", "F64", "[2,3]", 0, 48) "}", 48, RH_EFORMAT,
       "tensor 'a.weight' is F64, and F32 alone is read; convert it first"},
      {"{" T("a.weight", "F32", "[2,3]", 0, 20) "}", 20, RH_EFORMAT,
       "tensor 'a.weight': shape [2, 3] of F32 does not take the bytes from 0 to 20"},
      {"{" T("a.weight", "F32", "[2,3]", 24, 0) "}", 24, RH_EFORMAT, "does not take the bytes from 24 to 0"},
      {"{" T("a.weight", "F32", "[4294967296,4294967296]", 0, 0) "}", 0, RH_EFORMAT, "does not take the bytes"},
      {"{" T("a.weight", "C64", "[2]", 0, 16) "}", 16, RH_EFORMAT, "dtype 'C64' is none of the format's"},
      {"{" A_W "," A_W "}", 24, RH_EFORMAT, "tensor 'a.weight' is there twice"},
      {"{\"a.weight\":{\"dtype\":\"F32\",\"shape\":[2,3]}}", 24, RH_EFORMAT,
       "tensor 'a.weight': both data_offsets are missing"},
      {"{\"a.weight\":{\"shape\":[2,3],\"data_offsets\":[0,24]}}", 24, RH_EFORMAT,
       "tensor 'a.weight': dtype is missing"},
      {"{\"a.weight\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", 24, RH_EFORMAT, "key 'dtype' is given twice"},
      {"{\"a.weight\":{\"order\":\"F\"}}", 24, RH_EFORMAT, "key 'order' is none of dtype, shape and data_offsets"},
      {"{\"a.weight\":{\"shape\":[-1]}}", 0, RH_EFORMAT, "byte 22 of its header: expected a whole number"},
      {"{\"a.weight\":{\"shape\":[01]}}", 0, RH_EFORMAT, "expected a whole number"},
      {"{\"a.weight\":{\"shape\":[1e3]}}", 0, RH_EFORMAT, "expected ']'"},
      {"{\"a.weight\":{\"shape\":[99999999999999999999]}}", 0, RH_EFORMAT, "a number that is too large"},
      {"{\"a.weight\":{\"shape\":[1,1,1,1,1,1,1,1,1]}}", 0, RH_EFORMAT, "a list that is too long"},
      {"{\"a.weight\":3}", 0, RH_EFORMAT, "byte 12 of its header: expected '{'"},
      {"{\"__metadata__\":{\"a\":1}}", 0, RH_EFORMAT, "expected a text in quotes"},
      {"{\"__metadata__\":{},\"__metadata__\":{}}", 0, RH_EFORMAT, "__metadata__ is there twice"},
      {"{\"a", 0, RH_EFORMAT, "expected '\"'"},
      {"{\"a\\u0000\":{}}", 0, RH_EFORMAT, "an escape that names of tensors do not have"},
      {"{\"a\n\":{}}", 0, RH_EFORMAT, "a control character within a text"},
      {"{} x", 0, RH_EFORMAT, "something follows the header's object"},
      {" {}", 0, RH_EFORMAT, "byte 0 of its header: expected '{'"},
      {"", 0, RH_EFORMAT, "expected '{'"},
      {"[]", 0, RH_EFORMAT, "expected '{'"},
  };
  const rh_model model = small_model();
  float row[32];
  for (size_t i = 0; i < RH_COUNT(cases); i++) {
    write_file(cases[i].header, cases[i].values);
    const rh_status code = rh_model_read(&model, path, row);
    if (code != cases[i].code || !strstr(rh_error_message(), cases[i].part) || !strstr(rh_error_message(), path))
      fail_msg("%s: %s: %s", cases[i].header, rh_status_name(code), code == RH_OK ? "" : rh_error_message());
  }
}

/* What is no header at all, values that are none, files that are not there. */
static void what_is_no_such_file_is_refused(void **state)
{
  (void)state;
  const rh_model model = small_model();
  static const uint8_t nan_bytes[] = {0, 0, 0xc0, 0x7f};
  float row[32];
  write_bytes("\x01\0\0", 3);
  assert_int_equal(rh_model_read(&model, path, row), RH_EFORMAT);
  assert_non_null(strstr(rh_error_message(), "shorter than the 8 bytes"));
  write_bytes("\x80\0\0\0\0\0\0\0{}", 10);
  assert_int_equal(rh_model_read(&model, path, row), RH_EFORMAT);
  assert_non_null(strstr(rh_error_message(), "its header says it has 128 bytes, but 2 follow"));
  write_bytes("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10);
  assert_int_equal(rh_model_read(&model, path, row), RH_EFORMAT);
  assert_non_null(strstr(rh_error_message(), "100000000 is the most"));
  assert_int_equal(rh_model_read(&model, "no-such-file.safetensors", row), RH_EIO);
  assert_int_equal(rh_model_read(&model, ".", row), RH_EIO);
  assert_int_equal(rh_model_write(&model, row, NULL, "no-such-folder/x"), RH_EIO);

  write_file("{" A_W "," A_B "," B_W "," B_B "}", 56);
  FILE *file = fopen(path, "r+b");
  assert_non_null(file);
  assert_int_equal(fseek(file, -4, SEEK_END), 0); /* b.bias[1] */
  assert_int_equal(fwrite(nan_bytes, 1, 4, file), 4);
  fclose(file);
  assert_int_equal(rh_model_read(&model, path, row), RH_EFORMAT);
  assert_non_null(strstr(rh_error_message(), "tensor 'b.bias': value 1 is"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(written_as_the_format_says),       cmocka_unit_test(models_come_back_bit_by_bit),
      cmocka_unit_test(tensors_have_their_layers_shapes), cmocka_unit_test(what_the_format_allows_is_read),
      cmocka_unit_test(what_is_wrong_is_named),           cmocka_unit_test(what_is_no_such_file_is_refused),
  };
  const int file = mkstemp(path);
  if (file < 0) return 1;
  close(file);
  const int failed = cmocka_run_group_tests(tests, NULL, NULL);
  unlink(path);
  return failed;
}
