/* A task file: one resolved run as the parent hands it to the process that executes it.
 *
 *     @id 0123456789abcdef
 *     @study edge-vs-hpc
 *     @question ...
 *     @directory /home/me/studies/
 *     @store out.db.runs/0123456789abcdef.db
 *     @profile out.db.runs/profile.json
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
  rh_run run;            /* owned */
  char *store, *profile; /* paths; owned; NULL if not given */
} rh_task;

RH_CHECKED rh_status rh_task_write(const rh_run *run, const char *store, const char *profile, const char *path);
RH_CHECKED rh_status rh_task_read(const char *path, rh_task *task);
void rh_task_clear(rh_task *task);

/* Reads a profile's JSON (or YAML) into `profile`, which is empty before. RH_EFORMAT with the place. */
RH_CHECKED rh_status rh_profile_read(const char *text, const char *where, rh_profile *profile);

/* Names of the durations that a run charges, each `names` entry owned; none for time.source flops.
 * kernel is the backend's, part of the names. */
RH_CHECKED rh_status rh_measure_names(const rh_run *run, const rh_model *model, rh_text *names);

#endif
