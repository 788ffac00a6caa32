/* Execution: one resolved run in this process, from its platform to its last row. */
#ifndef RH_EXECUTE_H
#define RH_EXECUTE_H

#include <signal.h>

#include "task.h"

/* Executes a task: real mathematics, simulated time, rows in task->store. Prints progress lines on stdout.
 *
 * stop        raised by a signal handler: the run ends soon, its rows are kept, its status is "interrupted"
 * returns     RH_EINTERRUPTED, or what went wrong; whatever was recorded stays, with the reason
 */
RH_CHECKED rh_status rh_execute(const rh_task *task, const volatile sig_atomic_t *stop);

#endif
