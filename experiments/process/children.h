/* Children: several processes of this program at once, supervised by one loop. Ctrl-C is passed on to them. */
#ifndef RH_CHILDREN_H
#define RH_CHILDREN_H

#include "process.h"

typedef struct rh_children_def {
  int jobs; /* children at the same time, at least 1 */
  void *context;
  /* Starts task `task`, or leaves process->pid at -1: there is nothing to do. A failure ends everything with that
   * status. */
  rh_status (*start)(void *context, size_t task, rh_process *process);
  /* One line of a child's stdout, without its line feed. */
  void (*line)(void *context, size_t task, const char *line);
  /* A child has ended: its status or 128 + signal, and its stderr. A failure ends everything with that status. */
  rh_status (*done)(void *context, size_t task, int exit_code, const char *err);
  void (*tick)(void *context); /* a few times a second; NULL: never */
} rh_children_def;

/* Takes SIGINT, SIGTERM and SIGHUP from here on; without it a signal ends the program as usual. A reader of our output
 * that has gone ends nothing either. */
void rh_children_catch_signals(void);
bool rh_children_interrupted(void);

/* Runs tasks 0..count-1, in this order. After a signal, or a failure of a callback, no other is started, the running
 * ones are told with SIGTERM, and killed if they have not ended within 25 s or at the second Ctrl-C.
 *
 * returns     RH_EINTERRUPTED after a signal, else what a callback returned first
 */
RH_CHECKED rh_status rh_children_run(const rh_children_def *def, size_t count);

/* What a child said last on stderr without the program's name, or how it ended. */
rh_status rh_children_error(rh_status code, int exit_code, const char *err, const char *what);

#endif
