/* Files of tensors: reading values, and writing. safetensors_header.c reads what a header says. */
#include "safetensors.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "output_file.h"
#include "safetensors_header.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ && sizeof(float) == 4, "values are read as they lie in files");

enum { HEAD_BYTES = 8 };

static int64_t element_count(int dimensions, const int64_t *shape)
{
  int64_t count = 1;
  for (int d = 0; d < dimensions; d++)
    count *= shape[d];
  return count;
}

static int by_begin(const void *a, const void *b)
{
  const rh_named_tensor *x = *(const rh_named_tensor *const *)a, *y = *(const rh_named_tensor *const *)b;
  if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
  return (x->end > y->end) - (x->end < y->end);
}

/* Ranges follow each other from the first value to the file's last byte. */
static rh_status check_ranges(const rh_tensor_file *f, int64_t data_bytes)
{
  rh_status status = RH_OK;
  const rh_named_tensor **order = malloc((size_t)(f->count + 1) * sizeof *order);
  RH_ASSERT(order && "memory is exhausted");
  for (int64_t i = 0; i < f->count; i++)
    order[i] = &f->list[i];
  qsort(order, (size_t)f->count, sizeof *order, by_begin);
  int64_t at = 0;
  for (int64_t i = 0; i < f->count; i++) {
    const rh_named_tensor *t = order[i];
    if (t->end > data_bytes) {
      status = rh_error(RH_EFORMAT,
                        "%s: tensor '%s' ends at byte %" PRId64 " of the values, but the file holds %" PRId64
                        ": it is cut off, or not what its header says; copy or write it again",
                        f->path, t->name, t->end, data_bytes);
      goto done;
    }
    if (t->begin != at) {
      status = rh_error(RH_EFORMAT,
                        "%s: tensor '%s' begins at byte %" PRId64 " of the values, %s: expected %" PRId64
                        "; write the file again",
                        f->path, t->name, t->begin, t->begin < at ? "within another one" : "after a hole", at);
      goto done;
    }
    at = t->end;
  }
  if (at != data_bytes)
    status = rh_error(RH_EFORMAT, "%s: %" PRId64 " bytes after the last tensor belong to none; write the file again",
                      f->path, data_bytes - at);
done:
  free(order);
  return status;
}

/* Length and text of the header, which the caller frees. */
static rh_status read_header(rh_tensor_file *f, int64_t file_bytes, char **text, int64_t *length)
{
  uint8_t head[HEAD_BYTES];
  if (file_bytes < HEAD_BYTES || fread(head, 1, HEAD_BYTES, f->file) != HEAD_BYTES)
    return rh_error(RH_EFORMAT, "%s: no safetensors file: it is shorter than the 8 bytes of its header's length",
                    f->path);
  uint64_t n = 0;
  for (int i = HEAD_BYTES; i-- > 0;)
    n = n << 8 | head[i];
  if (n > RH_HEADER_MOST)
    return rh_error(RH_EFORMAT,
                    "%s: no safetensors file: its header would be %" PRIu64 " bytes long, and %d is the most", f->path,
                    n, RH_HEADER_MOST);
  if ((int64_t)n > file_bytes - HEAD_BYTES)
    return rh_error(RH_EFORMAT, "%s: its header says it has %" PRIu64 " bytes, but %" PRId64 " follow: it is cut off",
                    f->path, n, file_bytes - HEAD_BYTES);
  *text = malloc((size_t)n + 1);
  if (!*text) return rh_error(RH_ENOMEM, "no memory for the header of %s", f->path);
  if (fread(*text, 1, (size_t)n, f->file) != (size_t)n)
    return rh_error(RH_EIO, "%s: cannot be read: %s", f->path, strerror(errno));
  (*text)[n] = '\0';
  *length = (int64_t)n;
  f->data_offset = HEAD_BYTES + (int64_t)n;
  return RH_OK;
}

rh_status rh_tensor_file_open(const char *path, rh_tensor_file *f)
{
  rh_status status = RH_OK;
  char *text = NULL;
  int64_t length = 0;
  struct stat info;
  *f = (rh_tensor_file){.path = rh_text_duplicate(path), .file = fopen(path, "rb")};
  if (!f->file || fstat(fileno(f->file), &info) != 0) {
    status = rh_error(RH_EIO, "%s: cannot be opened: %s", path, strerror(errno));
    goto done;
  }
  if (!S_ISREG(info.st_mode)) {
    status = rh_error(RH_EIO, "%s: is no regular file", path);
    goto done;
  }
  RH_TRY(read_header(f, info.st_size, &text, &length));
  RH_TRY(rh_header_parse(f, text, length));
  RH_TRY(check_ranges(f, info.st_size - f->data_offset));
done:
  free(text);
  if (status != RH_OK) rh_tensor_file_close(f);
  return status;
}

void rh_tensor_file_close(rh_tensor_file *f)
{
  if (f->file) fclose(f->file);
  free(f->path);
  free(f->list);
  *f = (rh_tensor_file){0};
}

const rh_named_tensor *rh_tensor_file_find(const rh_tensor_file *f, const char *name)
{
  for (int64_t i = 0; i < f->count; i++)
    if (strcmp(f->list[i].name, name) == 0) return &f->list[i];
  return NULL;
}

rh_status rh_tensor_file_read(rh_tensor_file *f, const rh_named_tensor *t, float *values)
{
  const int64_t count = element_count(t->dimensions, t->shape);
  if (strcmp(t->dtype, "F32") != 0)
    return rh_error(RH_EFORMAT, "%s: tensor '%s' is %s, and F32 alone is read; convert it first", f->path, t->name,
                    t->dtype);
  if (fseeko(f->file, (off_t)(f->data_offset + t->begin), SEEK_SET) != 0 ||
      fread(values, sizeof *values, (size_t)count, f->file) != (size_t)count)
    return rh_error(RH_EIO, "%s: tensor '%s' cannot be read: %s", f->path, t->name, strerror(errno));
  for (int64_t i = 0; i < count; i++)
    if (!isfinite(values[i]))
      return rh_error(RH_EFORMAT, "%s: tensor '%s': value %" PRId64 " is %g; a training cannot start there", f->path,
                      t->name, i, (double)values[i]);
  return RH_OK;
}

void rh_tensor_shape_append(int dimensions, const int64_t *shape, rh_text *out)
{
  rh_text_append(out, "[");
  for (int d = 0; d < dimensions; d++)
    rh_text_append(out, "%s%" PRId64, d ? ", " : "", shape[d]);
  rh_text_append(out, "]");
}

/* The header, padded with blanks so that values are aligned to 8 bytes, as its authors' library does. */
static void compose_header(rh_named_tensor *list, int64_t count, const char *const *notes, rh_text *out)
{
  int64_t at = 0;
  rh_text_append(out, "{\"__metadata__\":{");
  for (int k = 0; notes && notes[k]; k += 2) {
    rh_text_append(out, k ? "," : "");
    rh_text_append_json(out, notes[k]);
    rh_text_append(out, ":");
    rh_text_append_json(out, notes[k + 1]);
  }
  rh_text_append(out, "}");
  for (int64_t i = 0; i < count; i++) {
    rh_named_tensor *t = &list[i];
    t->begin = at;
    t->end = at += 4 * element_count(t->dimensions, t->shape);
    rh_text_append(out, ",");
    rh_text_append_json(out, t->name);
    rh_text_append(out, ":{\"dtype\":\"F32\",\"shape\":");
    rh_tensor_shape_append(t->dimensions, t->shape, out);
    rh_text_append(out, ",\"data_offsets\":[%" PRId64 ",%" PRId64 "]}", t->begin, t->end);
  }
  rh_text_append(out, "}");
  while (out->length % 8)
    rh_text_append(out, " ");
}

static bool write_all(FILE *file, const rh_text *header, const rh_named_tensor *list, const float *const *values,
                      int64_t count)
{
  uint8_t head[HEAD_BYTES];
  for (int i = 0; i < HEAD_BYTES; i++)
    head[i] = (uint8_t)((uint64_t)header->length >> 8 * i & 255);
  bool ok = fwrite(head, 1, sizeof head, file) == sizeof head &&
            fwrite(header->data, 1, header->length, file) == header->length;
  for (int64_t i = 0; ok && i < count; i++) {
    const size_t bytes = (size_t)(list[i].end - list[i].begin);
    ok = fwrite(values[i], 1, bytes, file) == bytes;
  }
  return ok;
}

rh_status rh_tensor_file_write(const char *path, rh_named_tensor *list, const float *const *values, int64_t count,
                               const char *const *notes)
{
  rh_text header = {0};
  rh_output_file output;
  rh_status status = rh_output_file_begin(path, &output);
  if (status != RH_OK) return status;
  compose_header(list, count, notes, &header);
  errno = 0;
  if (!write_all(output.file, &header, list, values, count))
    status = rh_error(RH_EIO, "%s: cannot be written: %s", path, strerror(errno ? errno : EIO));
  rh_text_clear(&header);
  return rh_output_file_end(&output, status);
}
