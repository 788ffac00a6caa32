/* Where the files that come with the program are. */
#ifndef RH_SHARE_H
#define RH_SHARE_H

#include <stdbool.h>
#include <stddef.h>

#include "text.h"

/* Appends the i-th directory, with its slash, that may hold `platforms` and `experiments`: beside the program, where it
 * was configured to be installed, its source tree. false past the last. */
bool rh_share_directory(size_t i, rh_text *out);

#endif
