/* Safetensors: named tensors in one file, read strictly and written plainly.
 *
 * Format      8 bytes little-endian length n of the header, n bytes of JSON, the values. The header is one object,
 *             "NAME": {"dtype": "F32", "shape": [..], "data_offsets": [begin, end]} for each tensor, offsets counted
 *             from the first value; "__metadata__": {"KEY": "TEXT"} may be there, too. Blanks may follow it. Values are
 *             row-major and little-endian
 * Strict      a header is refused that is longer than 100 MB or than the file, has a name twice, a key that the format
 *             lacks, or ranges that overlap, leave a hole, reach past the file or leave a rest of it, or are not as
 *             long as their shape and type say
 * Source      github.com/huggingface/safetensors (README, "Format")
 */
#ifndef RH_SAFETENSORS_H
#define RH_SAFETENSORS_H

#include <stdint.h>
#include <stdio.h>

#include "text.h"

enum { RH_TENSOR_DIMENSIONS = 8, RH_TENSOR_NAME = 256 };

/* One tensor of a file. */
typedef struct rh_named_tensor {
  char name[RH_TENSOR_NAME];
  char dtype[16];
  int dimensions;
  int64_t shape[RH_TENSOR_DIMENSIONS];
  int64_t begin, end; /* bytes, from the first value */
} rh_named_tensor;

typedef struct rh_tensor_file {
  char *path;            /* owned */
  FILE *file;            /* owned */
  int64_t data_offset;   /* of the first value in the file */
  int64_t count;         /* of tensors */
  rh_named_tensor *list; /* [count] in the order of the header; owned */
} rh_tensor_file;

/* Opens a file and reads its header. On failure `file` is empty.
 *
 * returns     RH_EIO, or RH_EFORMAT with the file, the tensor or the byte of the header, and what is wrong
 */
RH_CHECKED rh_status rh_tensor_file_open(const char *path, rh_tensor_file *file);
void rh_tensor_file_close(rh_tensor_file *file);

/* The tensor of that name, or NULL. */
const rh_named_tensor *rh_tensor_file_find(const rh_tensor_file *file, const char *name);

/* Reads an F32 tensor's values. RH_EFORMAT for another type or a value that is not finite. */
RH_CHECKED rh_status rh_tensor_file_read(rh_tensor_file *file, const rh_named_tensor *tensor, float *values);

/* "[8, 1, 5, 5]" */
void rh_tensor_shape_append(int dimensions, const int64_t *shape, rh_text *out);

/* Writes F32 tensors, whose begin and end are filled in, one after the other, with their values taken from values[i];
 * notes: key and text by turns, NULL-terminated. The file appears whole or not at all. */
RH_CHECKED rh_status rh_tensor_file_write(const char *path, rh_named_tensor *list, const float *const *values,
                                          int64_t count, const char *const *notes);

#endif
