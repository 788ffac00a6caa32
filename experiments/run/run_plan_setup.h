/* Part of rh_plan_make: what data sets, models and the machine's shares say of the runs. */
#ifndef RH_RUN_PLAN_SETUP_H
#define RH_RUN_PLAN_SETUP_H

#include "run_plan.h"

/* Loads every data set once, builds the models, checks them, predicts memory and wall time, and shares the machine out.
 * jobs: as for rh_plan_make. RH_ENOMEM if a run needs more than its memory. */
RH_CHECKED rh_status plan_set_up(rh_plan *plan, int jobs);

#endif
