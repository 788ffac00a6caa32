/* The folder DB.runs, where runs keep their files until they are merged into DB, and who is at work in it.
 *
 * All files of a run are NAME.something, under one lock (flock) on NAME.lock, which the run's process inherits: it is
 * held as long as the run or its parent lives, however they end. So several `rehearse run` may work on one database,
 * and what a killed one left behind is told from what is still being written.
 */
#ifndef RH_SCRATCH_H
#define RH_SCRATCH_H

#include <stdbool.h>
#include <sys/types.h>

#include "status.h"
#include "text.h"

typedef struct rh_scratch {
  char *path; /* "DB.runs/"; owned; NULL: closed */
  int fd;     /* of the folder, with a shared lock that says: somebody uses it */
} rh_scratch;

/* Makes the folder if it is not there. RH_EIO if that cannot be. */
RH_CHECKED rh_status rh_scratch_open(const char *db, rh_scratch *scratch);
/* Whether nobody else has it open. Asked at the end of use: the folder may lose its lock. */
bool rh_scratch_alone(rh_scratch *scratch);
/* Removes the folder if it is empty and nobody else has it open, and what a killed process left of making DB. A closed
 * one is fine. */
void rh_scratch_close(rh_scratch *scratch);

/* "DB.runs/NAME.SUFFIX"; owned by the caller. */
char *rh_scratch_path(const rh_scratch *scratch, const char *name, const char *suffix);
/* Removes a file of that name, if there is one. */
void rh_scratch_remove(const rh_scratch *scratch, const char *name, const char *suffix);

/* Removes a file of that name and all that SQLite, or a process that was killed while it wrote it, left beside it. */
void rh_scratch_remove_all(const rh_scratch *scratch, const char *name, const char *suffix);

/* Takes the lock of a name. *fd is -1 if somebody else holds it: then *holder is the process, or 0 if it is not known.
 * RH_EIO if the lock's file cannot be made. */
RH_CHECKED rh_status rh_scratch_lock(const rh_scratch *scratch, const char *name, int *fd, pid_t *holder);
/* Whether somebody holds the lock of a name in DB.runs. Looks only: makes no folder and no file. */
bool rh_scratch_is_locked(const char *db, const char *name);
/* Writes down who works under the lock, for others to be told. */
void rh_scratch_set_holder(int fd, pid_t holder);
/* Removes the lock's file and lets go. fd -1 is fine. */
void rh_scratch_unlock(const rh_scratch *scratch, const char *name, int fd);

/* The names that have a lock's file, in order: of the living and of the dead. Lists are freed with their texts. */
RH_CHECKED rh_status rh_scratch_names(const rh_scratch *scratch, char ***names, size_t *count);

#endif
