/* Profile files: durations of steps on a device, as JSON.
 *
 *     {"device": "AMD EPYC, 1 thread, OpenBLAS 0.3.21 SkylakeX",
 *      "backend": "cpu",
 *      "durations": [
 *       {"name": "cpu/logreg 28x28x1 7850/batch 32/forward", "samples": 200, "median_s": 1.7e-05,
 *        "low_s": 1.69e-05, "high_s": 1.8e-05}]}
 *
 * Names are those of measure.h; what a run is handed holds those of hosts' own devices as well, as "DEVICE: NAME".
 * Whatever else the object holds (how and with what it was measured) is for readers. The backend is the device's: a
 * profile that was taken with another one than a run computes with is charged all the same.
 */
#ifndef RH_PROFILE_FILE_H
#define RH_PROFILE_FILE_H

#include "charge.h"

/* Reads what rh_profile_write wrote. `where` stands for the file in messages; profile is empty before, and after a
 * failure.
 *
 * returns     RH_EFORMAT: no JSON (cut off, for example), no profile, an entry that lacks something, is there twice,
 *             contradicts itself, or is of another backend than the profile
 */
RH_CHECKED rh_status rh_profile_read(const char *text, const char *where, rh_profile *profile);
RH_CHECKED rh_status rh_profile_read_file(const char *path, rh_profile *profile);
RH_CHECKED rh_status rh_profile_write_file(const rh_profile *profile, const char *path);

/* Sets the backend of a profile that does not say it: what its entries begin with, but for those of hosts' devices. */
void rh_profile_set_backend(rh_profile *profile);

/* Adds a line to what took the profile, unless it is there. */
void rh_profile_add_command(rh_profile *profile, const char *command);

/* A line on stderr if timings are disturbed (rh_duration_disturbed): how many, and the worst. */
void rh_profile_warn_disturbed(const rh_profile *profile, const char *where);

/* Finds a profile: NAME or NAME.json beside `directory`, as given, in share/experiments/profiles of the installation or
 * of the source tree. RH_EIO names what was tried. Owned by the caller. */
RH_CHECKED rh_status rh_profile_find_file(const char *name, const char *directory, char **path);

#endif
