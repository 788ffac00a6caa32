/* What a command may write its result to. */
#ifndef RH_OUTPUT_FILE_H
#define RH_OUTPUT_FILE_H

#include "status.h"

/* Results are written beside their place and renamed to it, which would replace a device or a pipe by a file.
 * returns     RH_EIO if `path` is there and no regular file; one that is not there yet is fine */
RH_CHECKED rh_status rh_output_file_check(const char *path);

#endif
