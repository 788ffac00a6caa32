/* What a run's process left behind becomes rows of the study's database: at its end, or later if nobody was there. */
#ifndef RH_RUN_MERGE_H
#define RH_RUN_MERGE_H

#include "run_plan.h"
#include "scratch.h"

enum { RH_RUN_STATUS_SIZE = 16 }; /* bytes for the status of a run */

/* Takes over what a process that is no more recorded under `name`, and removes its files. The caller holds the lock.
 * Files that are no database, because their process was killed while it made them, are removed with a word on stderr.
 * On failure the files are kept. */
RH_CHECKED rh_status rh_merge_leftover(rh_store *store, const rh_scratch *scratch, const char *name);

/* The same for every name at which nobody works. */
RH_CHECKED rh_status rh_merge_leftovers(rh_store *store, const rh_scratch *scratch);

/* Takes over what the process of a run recorded, and removes its files. The caller holds the lock.
 *
 * replace     a run that is done replaces the one that is done in `store`, which a merge by itself would keep
 * state       [RH_RUN_STATUS_SIZE] out: the run's status in the process's own file; "" without a file that can be read
 */
RH_CHECKED rh_status rh_merge_run(rh_store *store, const rh_scratch *scratch, const rh_plan_entry *entry, bool replace,
                                  char *state);

/* Records that a run failed. */
RH_CHECKED rh_status rh_merge_failure(rh_store *store, const rh_plan_entry *entry, const char *reason);

#endif
