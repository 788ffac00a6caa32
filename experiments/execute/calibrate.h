/* Calibration: timing the steps of many runs into one profile, without a platform or a simulation. */
#ifndef RH_CALIBRATE_H
#define RH_CALIBRATE_H

#include "profile_file.h"
#include "study.h"

/* Names to take every combination of; NULL-terminated, borrowed. */
typedef struct rh_calibration_grid {
  const char *const *models, *const *batches, *const *arithmetics, *const *compressors;
} rh_calibration_grid;

/* Appends the settings of runs that together charge every step of the grid's combinations: passes, all optimisers'
 * updates, mixing, and the compressors' messages with error feedback. RH_EINVAL for an unknown name, with the nearest
 * one. */
RH_CHECKED rh_status rh_calibration_expand(const rh_calibration_grid *grid, rh_settings **runs, size_t *count);

/* Times what the runs charge and `profile` lacks, or holds disturbed (rh_duration_disturbed).
 *
 * runs        [count] settings, of which those of sections platform, network and time do not count
 * directory   of their study, for relative paths
 * samples     of each step
 * progress    called before a run's steps are timed, with what it is; NULL: nobody
 * returns     RH_EINVAL: the profile is of another device; errors of resolving a run and of its data
 */
RH_CHECKED rh_status rh_calibrate(const rh_settings *runs, size_t count, const char *directory, int samples,
                                  void (*progress)(const char *run), rh_profile *profile);

#endif
