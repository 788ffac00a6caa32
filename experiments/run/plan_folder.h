/* A planned study in a folder: numbered tasks that a queue runs one by one, on other machines, each into its own file.
 *
 *     DIR/plan           "rehearse-plan 1", then lines of version, study, tasks
 *     DIR/profile.json   the study's durations, measured when it was planned
 *     DIR/tasks/7.task   one resolved run (task.h)
 *     DIR/results/7.db   what it recorded
 *     DIR/logs/          what Slurm keeps of the output
 *     DIR/slurm.sh       the job array, if asked for
 */
#ifndef RH_PLAN_FOLDER_H
#define RH_PLAN_FOLDER_H

#include "run_plan.h"
#include "task.h"

typedef struct rh_folder {
  char *path;  /* with its slash; owned */
  char *study; /* name; owned */
  int64_t count;
} rh_folder;

/* Whether the path is a folder with a plan in it, of whatever version. */
bool rh_folder_is(const char *path);

/* Writes the plan's runs, which have their ids, as tasks of one thread each unless the study says run.threads; the
 * folder appears whole or not at all. RH_EINVAL if something of that name is there. */
RH_CHECKED rh_status rh_folder_create(const char *path, const rh_study *study, rh_plan *plan, const rh_profile *profile,
                                      bool slurm);

/* RH_EFORMAT: no plan; RH_EUNSUPPORTED: one of another version of the format or of this program (both are named). */
RH_CHECKED rh_status rh_folder_open(const char *path, rh_folder *folder);
void rh_folder_clear(rh_folder *folder);

/* "DIR/KIND/INDEX.SUFFIX"; owned by the caller. */
char *rh_folder_file(const rh_folder *folder, const char *kind, int64_t index, const char *suffix);

/* Reads a task. RH_EINVAL: no such index, 1 to count. */
RH_CHECKED rh_status rh_folder_task(const rh_folder *folder, int64_t index, rh_task *task);

/* The study that a task's run is all of. */
void rh_study_of_run(const rh_run *run, rh_study *study);

/* The durations of the plan. */
RH_CHECKED rh_status rh_folder_profile(const rh_folder *folder, rh_profile *profile);

/* How a task stands: "done", "failed", "running" or "missing" (interrupted ones, too: they have to run again). id: the
 * task's run. reason: why it failed; owned by the caller; may be NULL. */
RH_CHECKED rh_status rh_folder_state(const rh_folder *folder, int64_t index, const char *id, const char **state,
                                     char **reason);

#endif
