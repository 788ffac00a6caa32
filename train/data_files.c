#include "data_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { FIRST_BYTES = 1 << 20 };

void rh_data_join(rh_text *path, const char *folder, const char *name)
{
  size_t length = name[0] == '/' ? 0 : strlen(folder);
  rh_text_append(path, "%.*s%s%s", (int)length, folder, length > 0 && folder[length - 1] != '/' ? "/" : "", name);
}

bool rh_data_try(const char *folder, const char *name, rh_text *path)
{
  rh_text plain = {0};
  rh_data_join(&plain, folder, name);
  bool found = access(rh_text_get(&plain), F_OK) == 0;
  if (!found) {
    rh_text_append(&plain, ".gz");
    found = access(rh_text_get(&plain), F_OK) == 0;
  }
  if (found) rh_text_append(path, "%s", rh_text_get(&plain));
  rh_text_clear(&plain);
  return found;
}

rh_status rh_data_find(const char *option, const char *name, const char *beside, rh_text *path)
{
  if (rh_data_try(beside, name, path) || rh_data_try("", name, path)) return RH_OK;
  bool elsewhere = beside[0] && name[0] != '/';
  return rh_error(RH_EIO, "data.%s: no file '%s', plain or .gz%s%s%s", option, name, elsewhere ? ", neither in '" : "",
                  elsewhere ? beside : "", elsewhere ? "' nor in the current folder" : "");
}

static rh_status error_of(gzFile stream, const char *path)
{
  int code;
  const char *reason = gzerror(stream, &code);
  if (code == Z_ERRNO) return rh_error(RH_EIO, "'%s' cannot be read: %s", path, strerror(errno));
  if (code == Z_BUF_ERROR) return rh_error(RH_EFORMAT, "'%s' is truncated: its compressed data ends early", path);
  return rh_error(RH_EFORMAT, "'%s' is damaged: %s", path, reason);
}

rh_status rh_data_read(const char *path, uint8_t **bytes, int64_t *count)
{
  struct stat info;
  uint8_t *data = NULL;
  int64_t have = 0, size = 0;
  rh_status status = RH_OK;
  /* a data set is read again by every run, which a pipe does not survive */
  if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) return rh_error(RH_EIO, "'%s' is no regular file", path);
  gzFile stream = gzopen(path, "rb");
  if (!stream) return rh_error(RH_EIO, "'%s' cannot be opened: %s", path, strerror(errno));
  for (int got = 1; got > 0; have += got) {
    if (have == size) {
      size = size ? 2 * size : FIRST_BYTES;
      uint8_t *larger = realloc(data, (size_t)size + 1);
      if (!larger) {
        status = rh_error(RH_ENOMEM, "no memory for %lld bytes of '%s'", (long long)size, path);
        goto done;
      }
      data = larger;
    }
    got = gzread(stream, data + have, (unsigned)(size - have < FIRST_BYTES ? size - have : FIRST_BYTES));
    if (got < 0) {
      status = error_of(stream, path);
      goto done;
    }
  }
  int code;
  gzerror(stream, &code);
  if (code == Z_BUF_ERROR) {
    status = error_of(stream, path);
    goto done;
  }
  data[have] = 0;
  *bytes = data;
  *count = have;
done:
  gzclose(stream);
  if (status != RH_OK) free(data);
  return status;
}
