/* Slurm's side of a planned study: the script of a job array. */
#ifndef RH_SLURM_H
#define RH_SLURM_H

#include "run_plan.h"

/* Writes the script that `sbatch` takes: one task of the array per run, with the memory and time of the largest by
 * prediction.
 *
 * folder      absolute path of the planned study
 * returns     RH_EINVAL if a path cannot stand in a script (a quote, a backslash, a percent sign, which Slurm replaces)
 */
RH_CHECKED rh_status rh_slurm_script(const char *folder, const char *study, const rh_plan *plan, rh_text *script);

#endif
