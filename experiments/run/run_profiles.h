/* Durations of the runs of a plan: profiles that runs name (time.source: profile) or hosts (their property `device`),
 * read once each and complete before anything runs; and what a run is charged in the end. */
#ifndef RH_RUN_PROFILES_H
#define RH_RUN_PROFILES_H

#include "run_plan.h"

/* Reads the profiles that runs and hosts name; entries borrow them from the plan. After the platforms were probed. A
 * device is a file beside the platform's, as given, or one that comes with the program (rh_profile_find_file). */
RH_CHECKED rh_status rh_plan_read_profiles(rh_plan *plan);

/* Sets an entry's names, and takes what its hosts' devices charge out of their profiles. RH_EINVAL as below. */
RH_CHECKED rh_status rh_plan_take_names(rh_plan_entry *entry, const rh_plan *plan, const rh_setup *setup);

/* RH_EINVAL for durations (with time.jitter measured, fits) that a run charges and its profile lacks: the first one,
 * the file, and the command that measures them. After the entries' names are known. */
RH_CHECKED rh_status rh_plan_check_profiles(const rh_plan *plan);

/* RH_EINVAL for durations of the study that were timed without a fit and of which a run needs one: timing them again
 * would give the study two durations for one step. */
RH_CHECKED rh_status rh_plan_check_fits(const rh_plan *plan, const rh_profile *study);

void rh_plan_clear_profiles(rh_plan *plan);

#endif
