/* What the probe's parent, its child and its translation share. */
#ifndef RH_PROBE_PRIVATE_H
#define RH_PROBE_PRIVATE_H

#include "probe.h"

/* Seconds of the processor after which the child gives up loading a platform, or one route of it. Many routes may take
 * as long as they do together: the 524,288 of a torus of 512 x 256 whose ranks talk half way round take minutes. */
#define RH_PROBE_TIMEOUT_S 60

/* The child writes its failure to stderr as "<mark><code name> <message>", the message to the end of the stream;
 * SimGrid's last words come before it. */
#define RH_PROBE_MARK "@probe "

/* Turns what a failed child left on stderr into one message.
 *
 * file        the platform, for the message
 * said        the child's stderr
 * exit_code   the child's status, or 128 + the signal that ended it
 * at_pair     out: it failed at the route of one pair, the platform itself could be loaded
 */
rh_status rh_probe_translate(const char *file, const char *said, int exit_code, bool *at_pair);

/* Runs `rehearse argv[1..]` and translates its failure; *out is its stdout. */
RH_CHECKED rh_status rh_probe_run(const char *file, const char *const *argv, rh_text *out, bool *at_pair);

#endif
