/* Executing a plan: durations that are missing are measured first, alone; then every run is a child with a database of
 * its own, which is merged when it has ended. */
#ifndef RH_RUN_EXECUTE_H
#define RH_RUN_EXECUTE_H

#include "progress.h"
#include "run_plan.h"

typedef struct rh_execution {
  rh_plan *plan;       /* borrowed, as what follows */
  rh_store *store;     /* where finished runs go */
  const char *db;      /* its path */
  rh_profile *profile; /* durations of the study; grows */
  int jobs;            /* runs at the same time */
  bool force;          /* repeat runs that are done */
  size_t skipped;      /* out: runs that were done before */
  size_t failed;       /* out */
} rh_execution;

/* Measures what the runs lack, once for each different step, stores it with the study, and sets the runs' ids. */
RH_CHECKED rh_status rh_execution_measure(rh_execution *execution);

/* Runs what is not done yet.
 *
 * returns     RH_EINTERRUPTED after a signal: what the running ones had recorded is merged. A run that fails is
 * recorded with its reason and counted; the others go on.
 */
RH_CHECKED rh_status rh_execution_run(rh_execution *execution);

/* Removes the directory of the runs' files if nothing is left in it. */
void rh_execution_tidy(const rh_execution *execution);

#endif
