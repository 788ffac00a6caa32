#include "output_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

static rh_output_wait *wait_for_space;
static const double moment_s = 0.5;

rh_status rh_output_file_check(const char *path)
{
  struct stat info;
  if (stat(path, &info) != 0 || S_ISREG(info.st_mode)) return RH_OK;
  return rh_error(RH_EIO, "%s: cannot be written: %s", path,
                  S_ISDIR(info.st_mode) ? "Is a directory" : "not a regular file, which a result would replace");
}

static rh_status cannot(const char *path, int reason)
{
  return rh_error(RH_EIO, "%s: cannot be written: %s", path, strerror(reason));
}

static void clear(rh_output_file *output)
{
  free(output->path);
  free(output->part);
  *output = (rh_output_file){0};
}

rh_status rh_output_file_begin(const char *path, rh_output_file *output)
{
  rh_text part = {0};
  *output = (rh_output_file){0};
  const rh_status status = rh_output_file_check(path);
  if (status != RH_OK) return status;
  rh_text_append(&part, "%s.part-%ld", path, (long)getpid());
  *output =
      (rh_output_file){.file = fopen(rh_text_get(&part), "wbe"), .path = rh_text_duplicate(path), .part = part.data};
  if (output->file) return RH_OK;
  clear(output);
  (void)cannot(path, errno);
  return RH_EIO;
}

rh_status rh_output_file_try(const char *path)
{
  rh_output_file output;
  const rh_status status = rh_output_file_begin(path, &output);
  if (status != RH_OK) return status;
  RH_ASSERT(output.file != NULL);
  fclose(output.file);
  unlink(output.part);
  clear(&output);
  return RH_OK;
}

rh_status rh_output_file_end(rh_output_file *output, rh_status written)
{
  int reason = 0;
  const bool lost = ferror(output->file);
  errno = 0;
  if (fflush(output->file) != 0 || fsync(fileno(output->file)) != 0 || lost) reason = errno ? errno : EIO;
  if (fclose(output->file) != 0 && reason == 0) reason = errno;
  if (written == RH_OK && reason == 0 && rename(output->part, output->path) != 0) reason = errno;
  if (written != RH_OK || reason != 0) unlink(output->part);
  if ((written == RH_OK || lost) && reason != 0) written = cannot(output->path, reason);
  clear(output);
  errno = reason; /* for rh_output_file_write */
  return written;
}

static rh_status write_once(const char *path, const void *data, size_t bytes)
{
  rh_output_file output;
  rh_status status = rh_output_file_begin(path, &output);
  if (status != RH_OK) return status;
  RH_ASSERT(output.file != NULL);
  errno = 0;
  if (bytes > 0 && fwrite(data, 1, bytes, output.file) != bytes) {
    const int reason = errno ? errno : EIO;
    clearerr(output.file); /* what was lost is told here, with its reason */
    status = rh_output_file_end(&output, cannot(path, reason));
    errno = reason;
    return status;
  }
  return rh_output_file_end(&output, RH_OK);
}

rh_status rh_output_file_write(const char *path, const void *data, size_t bytes)
{
  const struct timespec moment = {.tv_nsec = (long)(1e9 * moment_s)};
  for (double waited_s = 0;; waited_s += moment_s) {
    const rh_status status = write_once(path, data, bytes);
    const bool full = status == RH_EIO && (errno == ENOSPC || errno == EDQUOT);
    if (!full || !wait_for_space || !wait_for_space(path, waited_s)) return status;
    nanosleep(&moment, NULL);
  }
}

void rh_output_file_on_full_disk(rh_output_wait *wait)
{
  wait_for_space = wait;
}
