/* One run at work, for execute.c (rounds and time) and execute_values.c (what is computed). */
#ifndef RH_EXECUTE_PRIVATE_H
#define RH_EXECUTE_PRIVATE_H

#include "execute.h"
#include "execute_pending.h"
#include "execute_resume.h"
#include "measure.h"
#include "rank_times.h"

enum { LEAD = 3 }; /* rounds by which the mathematics may lead: enough for ranks to run ahead of each other */

/* All that lives as long as the run. */
typedef struct execution {
  const rh_task *task;
  const rh_run *run;
  const volatile sig_atomic_t *stop;
  rh_setup setup;
  rh_partition partition;
  rh_graph_sequence graphs;
  rh_platform *platform;
  rh_replicas *replicas;
  rh_profile profile;
  rh_rank_times *times;
  rh_world world;
  void *method_state;
  rh_store *store;
  rh_recorder recorder;
  float *mean; /* [stride] */
  rh_pending_round pending[LEAD + 2];
  int64_t produced, finished; /* rounds */
  double accuracy;            /* of the last evaluation written; NaN before */
  double progress_s;          /* wall clock of the last progress line */
  double start_wall_s;
  rh_status event_status; /* of the events written so far */
  rh_resume resume;
  bool torn; /* a round was left in its midst: its values are no state to go on from */
  const char *reason;
} execution;

/* Data, model and replicas; of the platform they know its zones alone. Without values shapes and graphs. */
RH_CHECKED rh_status execution_prepare_values(execution *e);
bool execution_has_values(const execution *e); /* else it is a run of timing alone */
RH_CHECKED rh_status execution_evaluate(execution *e, rh_evaluation_row *row);
/* All that the next round starts from; context is the execution. */
void execution_tell_values(void *context, const rh_parts *parts);
RH_CHECKED rh_status execution_save_model(execution *e); /* writes run.save */

#endif
