/* Safetensors: the header, and the values that it promises. */
#include "safetensors.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  rh_tensor_file file;
  if (rh_tensor_file_open(fuzz_file("values.safetensors", data, size), &file) != RH_OK) return 0;
  for (int64_t i = 0; i < file.count; i++) {
    /* a strict header promises no more values than the file has bytes for */
    float *values = malloc(size + sizeof *values);
    if (!values) abort();
    if (rh_tensor_file_read(&file, &file.list[i], values) != RH_OK) i = file.count;
    free(values);
  }
  rh_tensor_file_close(&file);
  return 0;
}
