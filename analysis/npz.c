/* NumPy's .npz: a zip of .npy files, stored without compression.
 *
 * .npy 1.0: "\x93NUMPY", the bytes 1 and 0, the header's length in 16 bits, the header (a Python literal that ends in a
 * newline and is filled up with blanks, so that the data begins at a multiple of 64), the data.
 * zip: for each file a local header and the data, then the central directory, then its end. All numbers little-endian.
 *
 * source      NumPy Enhancement Proposal 1; PKWARE, .ZIP File Format Specification (APPNOTE) 6.3, sections 4.3 and 4.4
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "export_private.h"

struct rh_npz {
  FILE *out;         /* borrowed */
  rh_text directory; /* the central directory so far */
  uint64_t at;       /* bytes written */
  int count;         /* files */
};

static const uint64_t zip_max = 0xffffffff; /* of a length or a place, without the 64-bit extension */

rh_npz *rh_npz_new(FILE *out)
{
  rh_npz *npz = calloc(1, sizeof *npz);
  RH_ASSERT(npz && "memory is exhausted");
  npz->out = out;
  return npz;
}

void rh_npz_free(rh_npz *npz)
{
  if (npz == NULL) return;
  rh_text_clear(&npz->directory);
  free(npz);
}

static rh_status put(rh_npz *npz, const void *data, size_t bytes)
{
  npz->at += bytes;
  errno = 0;
  if (bytes == 0 || fwrite(data, 1, bytes, npz->out) == bytes) return RH_OK;
  return rh_error(RH_EIO, "the output cannot be written%s%s", errno ? ": " : "", errno ? strerror(errno) : "");
}

static void append_number(rh_text *out, uint64_t value, int bytes)
{
  for (int i = 0; i < bytes; i++) {
    const char byte = (char)(value >> 8 * i & 0xff);
    rh_text_append_bytes(out, &byte, 1);
  }
}

static void append_npy_header(const char *descr, const int64_t *shape, int dimensions, rh_text *out)
{
  enum { FIXED = 10, MULTIPLE = 64 };
  rh_text text = {0};
  rh_text_append(&text, "{'descr': '%s', 'fortran_order': False, 'shape': (", descr);
  for (int i = 0; i < dimensions; i++)
    rh_text_append(&text, "%lld,%s", (long long)shape[i], i + 1 < dimensions ? " " : "");
  rh_text_append(&text, "), }");
  while ((FIXED + text.length + 1) % MULTIPLE != 0)
    rh_text_append(&text, " ");
  rh_text_append(&text, "\n");
  rh_text_append_bytes(out, "\x93NUMPY\x01\x00", 8);
  append_number(out, text.length, 2);
  rh_text_append_bytes(out, rh_text_get(&text), text.length);
  rh_text_clear(&text);
}

/* What the local header and the directory have in common: from the version needed to the length of the extra field. */
static void append_file(rh_text *out, uint32_t crc, uint64_t bytes, size_t name_length)
{
  enum { VERSION = 20, FLAGS_UTF8 = 1 << 11, STORED = 0, MIDNIGHT = 0, DAY_ONE = 1 << 5 | 1 };
  append_number(out, VERSION, 2);
  append_number(out, FLAGS_UTF8, 2);
  append_number(out, STORED, 2);
  append_number(out, MIDNIGHT, 2);
  append_number(out, DAY_ONE, 2); /* 1 January 1980: the same runs give the same file */
  append_number(out, crc, 4);
  append_number(out, bytes, 4);
  append_number(out, bytes, 4);
  append_number(out, name_length, 2);
  append_number(out, 0, 2);
}

static uint32_t add_to_crc(uint32_t crc, const void *data, size_t bytes)
{
  return (uint32_t)crc32_z(crc, data, bytes);
}

rh_status rh_npz_add(rh_npz *npz, const char *name, const char *descr, const int64_t *shape, int dimensions,
                     const void *data, size_t bytes)
{
  rh_text file = {0}, head = {0}, local = {0};
  rh_status status;
  rh_text_append(&file, "%s.npy", name);
  append_npy_header(descr, shape, dimensions, &head);
  const uint64_t length = head.length + bytes, place = npz->at;
  if (length > zip_max || npz->at > zip_max) {
    status = rh_error(RH_EUNSUPPORTED, "%s: the arrays take more than 4 GiB: export fewer runs", name);
    goto done;
  }
  uint32_t crc = add_to_crc(0, rh_text_get(&head), head.length);
  if (bytes > 0) crc = add_to_crc(crc, data, bytes);
  append_number(&local, 0x04034b50, 4);
  append_file(&local, crc, length, file.length);
  RH_TRY(put(npz, rh_text_get(&local), local.length));
  RH_TRY(put(npz, rh_text_get(&file), file.length));
  RH_TRY(put(npz, rh_text_get(&head), head.length));
  RH_TRY(put(npz, data, bytes));
  append_number(&npz->directory, 0x02014b50, 4);
  append_number(&npz->directory, 20, 2); /* made by: version 2.0 */
  append_file(&npz->directory, crc, length, file.length);
  append_number(&npz->directory, 0, 4); /* no comment, disk 0 */
  append_number(&npz->directory, 0, 6); /* no attributes */
  append_number(&npz->directory, place, 4);
  rh_text_append_bytes(&npz->directory, rh_text_get(&file), file.length);
  npz->count++;
done:
  rh_text_clear(&file);
  rh_text_clear(&head);
  rh_text_clear(&local);
  return status;
}

rh_status rh_npz_finish(rh_npz *npz)
{
  rh_text end = {0};
  rh_status status = RH_OK;
  const uint64_t place = npz->at;
  if (place > zip_max || npz->count > 0xffff) {
    status = rh_error(RH_EUNSUPPORTED, "the arrays are more than 4 GiB or 65,535: export fewer runs");
    goto done;
  }
  append_number(&end, 0x06054b50, 4);
  append_number(&end, 0, 4); /* disk 0 */
  append_number(&end, (uint64_t)npz->count, 2);
  append_number(&end, (uint64_t)npz->count, 2);
  append_number(&end, npz->directory.length, 4);
  append_number(&end, place, 4);
  append_number(&end, 0, 2); /* no comment */
  RH_TRY(put(npz, rh_text_get(&npz->directory), npz->directory.length));
  RH_TRY(put(npz, rh_text_get(&end), end.length));
  if (fflush(npz->out) != 0) status = rh_error(RH_EIO, "the output cannot be written: %s", strerror(errno));
done:
  rh_text_clear(&end);
  return status;
}
