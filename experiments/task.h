/* A task file: one resolved run as the parent hands it to the process that executes it.
 *
 *     @id 0123456789abcdef
 *     @study edge-vs-hpc
 *     @question ...
 *     @directory studies/
 *     @store out.db.runs/0123456789abcdef.db
 *     @profile out.db.runs/profile.json
 *     @command rehearse run edge-vs-hpc.yaml
 *     train.lr=0.05
 *     ...
 *
 * The child's stdout carries progress, one line each: "progress <round> <rounds> <accuracy> <simulated_s>" (accuracy
 * "nan" before the first evaluation). Its stderr carries at most one message. Exit status: 0, 1, 2 or 3.
 */
#ifndef RH_TASK_H
#define RH_TASK_H

#include "run.h"

typedef struct rh_task {
  rh_run run;                      /* owned */
  char *store, *profile, *command; /* paths and the command that reproduces the run; owned; NULL if not given */
} rh_task;

/* store, profile and command may be NULL. RH_EIO if the file cannot be written. */
RH_CHECKED rh_status rh_task_write(const rh_run *run, const char *store, const char *profile, const char *command,
                                   const char *path);
RH_CHECKED rh_status rh_task_read(const char *path, rh_task *task);
void rh_task_clear(rh_task *task);

#endif
