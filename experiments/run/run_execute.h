/* Executing a plan: durations that are missing are measured first, alone; then every run is a child with a database of
 * its own, which is merged when it has ended. Several parents may work on one database: each run is one's alone. */
#ifndef RH_RUN_EXECUTE_H
#define RH_RUN_EXECUTE_H

#include "progress.h"
#include "run_plan.h"
#include "scratch.h"

typedef struct rh_execution {
  rh_plan *plan;       /* borrowed, as what follows */
  rh_store *store;     /* where finished runs go */
  const char *db;      /* its path */
  rh_scratch *scratch; /* its folder for the runs' files */
  rh_profile *profile; /* durations of the study; grows */
  int jobs;            /* runs at the same time, which share the cores; 0: as the plan says */
  bool force;          /* repeat runs that are done */
  bool resume;         /* runs that left a checkpoint go on from it */
  double checkpoint_s; /* between checkpoints of a run, wall clock; 0: only when it is stopped */
  bool fail_fast;      /* the first run that fails ends the others */
  size_t skipped;      /* out: runs that were done before */
  size_t done;         /* out: of those that were started */
  size_t failed;       /* out */
  size_t left;         /* out: runs that another process is at, and that are not done */
  bool ran;            /* out: at least one run was started */
  bool recorded;       /* out: the database holds something of this study */
} rh_execution;

/* Measures what the runs lack, once for each different step, stores it with the study, and sets the runs' ids. */
RH_CHECKED rh_status rh_execution_measure(rh_execution *execution);

/* Runs what is not done yet, the longest by prediction first.
 *
 * returns     RH_EINTERRUPTED after a signal: what the running ones had recorded is merged. A run that fails is
 * recorded with its reason and counted; the others go on,
 * unless fail_fast: they are interrupted. One that another process is at is left to it.
 */
RH_CHECKED rh_status rh_execution_run(rh_execution *execution);

#endif
