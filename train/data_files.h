/* What loaders of data sets share: finding files and reading them whole, plain or gzipped. */
#ifndef RH_DATA_FILES_H
#define RH_DATA_FILES_H

#include "text.h"

/* Appends `folder`/`name`; `folder` may be empty or end in a slash, an absolute `name` stands alone. */
void rh_data_join(rh_text *path, const char *folder, const char *name);

/* Whether there is a file at `folder`/`name`, or there with .gz: then it is appended to `path`. */
bool rh_data_try(const char *folder, const char *name, rh_text *path);

/* The file that option data.`option` names, beside the study or as given; RH_EIO names the option and the places. */
RH_CHECKED rh_status rh_data_find(const char *option, const char *name, const char *beside, rh_text *path);

/* Reads a whole file into bytes [count + 1], the last of which is 0; owned by the caller. No more memory is taken than
 * twice what is really there. RH_EIO, RH_EFORMAT for a damaged .gz, RH_ENOMEM. */
RH_CHECKED rh_status rh_data_read(const char *path, uint8_t **bytes, int64_t *count);

#endif
