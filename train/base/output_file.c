#include "output_file.h"

#include <sys/stat.h>

rh_status rh_output_file_check(const char *path)
{
  struct stat info;
  if (stat(path, &info) != 0 || S_ISREG(info.st_mode)) return RH_OK;
  return rh_error(RH_EIO, "%s: cannot be written: %s", path,
                  S_ISDIR(info.st_mode) ? "Is a directory" : "not a regular file, which a result would replace");
}
