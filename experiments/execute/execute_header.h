/* What a run writes of itself before its first round; for execute.c alone. */
#ifndef RH_EXECUTE_HEADER_H
#define RH_EXECUTE_HEADER_H

#include "measure.h"
#include "task.h"

/* Begins the run's row. graphs may be NULL. Appends to `warnings` what a reader of the results should know. */
RH_CHECKED rh_status rh_execute_begin(rh_store *store, const rh_task *task, const rh_setup *setup,
                                      const rh_graph_sequence *graphs, const rh_platform *platform,
                                      const rh_profile *profile, rh_text *warnings);

/* Versions of the libraries in use, one line. Owned by the caller. */
char *rh_execute_versions(void);

#endif
