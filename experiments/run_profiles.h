/* Profiles that the runs of a plan name (time.source: profile): read once each, and complete before anything runs. */
#ifndef RH_RUN_PROFILES_H
#define RH_RUN_PROFILES_H

#include "run_plan.h"

/* Reads the profiles of all runs; their entries borrow them from the plan. */
RH_CHECKED rh_status rh_plan_read_profiles(rh_plan *plan);

/* RH_EINVAL for durations that a run charges and its profile lacks: the first one, the file, and the command that
 * measures them. After the entries' names are known. */
RH_CHECKED rh_status rh_plan_check_profiles(const rh_plan *plan);

void rh_plan_clear_profiles(rh_plan *plan);

#endif
