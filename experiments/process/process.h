/* Processes: the program re-executes itself, since SimGrid's engine, OpenMP and CUDA survive no fork. */
#ifndef RH_PROCESS_H
#define RH_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "status.h"
#include "text.h"

/* The path of this program's executable. */
RH_CHECKED rh_status rh_process_self(char **path);
/* For test programs, which are not `rehearse`: the executable to start instead. Borrowed; NULL: this program again. */
void rh_process_set_self(const char *path);

/* Set in a child's environment unless there are such settings already. SimGrid allocates and frees several objects a
 * message; so many of each size are kept for each thread, in place of 7, which spares a run of timing alone a twelfth
 * of its time. glibc since 2.30; others take no notice. */
#define RH_PROCESS_TUNABLES "GLIBC_TUNABLES=glibc.malloc.tcache_count=4096"

/* Likewise, unless OpenMP was told how to wait. Its threads wait for each other in a loop before they sleep, by
 * libgomp's default for 300,000 rounds of it, which are milliseconds: where something else runs, too, that takes the
 * core from the thread that is waited for. 1000 are some tens of microseconds, longer than threads of one round of
 * training are apart on a free machine. */
#define RH_PROCESS_WAITING "GOMP_SPINCOUNT=1000"

typedef struct rh_process {
  pid_t pid;
  int out, err; /* read ends of the child's stdout and stderr, non-blocking, close-on-exec; -1 when closed */
} rh_process;

/* Starts `rehearse argv[1..]` (argv[0] is replaced by the executable; NULL-terminated) with posix_spawn. stdin is
 * /dev/null. The child is in its own process group so that Ctrl-C reaches the parent alone, which passes it on.
 *
 * keep        a file that the child has open, too, under the same number: with a lock on it, the lock; -1: none */
RH_CHECKED rh_status rh_process_start(const char *const *argv, int keep, rh_process *process);

/* Appends what can be read from one of the child's streams now; closes it at its end (*fd = -1). */
void rh_process_drain(int *fd, rh_text *text);

/* Waits for the child's end and closes its streams. Returns its status, or 128 + the signal that ended it. */
int rh_process_wait(rh_process *process);

/* Sends a signal to the child and its descendants. */
void rh_process_signal(const rh_process *process, int signal);

/* Runs to the end and collects both streams. exit_code: the status, or 128 + the signal.
 *
 * timeout_s   0: none; a child that takes longer is killed
 * cancelled   asked a few times a second and after every signal; once it says so the child is killed. NULL: never
 * returns     RH_EIO: it took too long, or could not be started; RH_EINTERRUPTED: cancelled
 */
RH_CHECKED rh_status rh_process_run(const char *const *argv, double timeout_s, bool (*cancelled)(void), rh_text *out,
                                    rh_text *err, int *exit_code);
#endif
