/* The probe: tries a platform in a process of its own before any run does, so that what SimGrid aborts on becomes a
 * message with file, pair and remedy. */
#ifndef RH_PROBE_H
#define RH_PROBE_H

#include "collective.h"
#include "platform.h"

/* What the parent learns of a platform. */
typedef struct rh_probe {
  char model[32];   /* network model in force */
  char version[32]; /* "SimGrid 3.32" */
  int32_t hosts;    /* of the platform */
  int32_t links;
  int32_t plain;     /* ranks whose hosts have no property `device` */
  char devices[512]; /* values of that property at the others, each once and ended by a line feed */
} rh_probe;

/* Runs `rehearse _probe` on the platform, and asks for the route of every pair that the run would use: edges of
 * `neighbours` if given, and the ring over all ranks if `ring`.
 *
 * returns     RH_EINVAL, RH_EFORMAT, RH_EIO or RH_EUNSUPPORTED with file, what SimGrid said in plain words (a missing
 *             profile, a refused DTD and `simgrid_update_xml`, "hosts 'a' and 'b' have no route") and the remedy
 */
RH_CHECKED rh_status rh_probe_platform(const rh_platform_def *def, const rh_neighbours *neighbours, bool ring,
                                       rh_probe *probe);

#endif
