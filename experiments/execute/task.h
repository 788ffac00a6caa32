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
 * "nan" before the first evaluation), and "full <path>" where it waits for space on a disk. Its stderr carries at most
 * one message. Exit status: 0, 1, 2 or 3.
 */
#ifndef RH_TASK_H
#define RH_TASK_H

#include "run.h"

typedef struct rh_task {
  rh_run run;                      /* owned */
  char *store, *profile, *command; /* paths and the command that reproduces the run; owned; NULL if not given */
  char *checkpoint;                /* base of the checkpoints' files (checkpoint.h); owned; NULL: none are written */
  double checkpoint_s;             /* between them, wall clock; 0: only where the run is stopped */
  bool resume;                     /* go on from the last one */
} rh_task;

/* store, profile and command may be NULL. RH_EIO if the file cannot be written. */
RH_CHECKED rh_status rh_task_write(const rh_run *run, const char *store, const char *profile, const char *command,
                                   const char *path);
/* Adds to a written file where checkpoints go, how often one is written, and whether the run goes on from the
 * last one. */
RH_CHECKED rh_status rh_task_add_checkpoint(const char *path, const char *base, double every_s, bool resume);
/* A configuration's "section.key=value" lines as settings; `where` stands for their place in messages. */
void rh_task_read_lines(const char *lines, const char *where, rh_settings *settings);
RH_CHECKED rh_status rh_task_read(const char *path, rh_task *task);
void rh_task_clear(rh_task *task);

#endif
