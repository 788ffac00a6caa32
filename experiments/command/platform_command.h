/* The parts of `rehearse platform`: cmd_platform.c has the options, the others one task each. */
#ifndef RH_PLATFORM_COMMAND_H
#define RH_PLATFORM_COMMAND_H

#include <stddef.h>

#include "status.h"

/* Writes a platform file of a kind, and the files beside it; prints it if `output` is "-".
 *
 * assignments  [count] "key=value"
 * returns      RH_EINVAL or RH_EUNIT as rh_generate does, or without an output; RH_EIO
 */
RH_CHECKED rh_status rh_platform_generate(const char *kind, size_t count, const char *const *assignments,
                                          const char *output);

/* The kinds with their keys, for --help; owned by the caller. */
char *rh_platform_generate_help(void);

#endif
