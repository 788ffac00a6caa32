/* `rehearse _execute TASK`: one resolved run, in a process of its own. */
#include <signal.h>
#include <stdio.h>

#include "commands.h"
#include "execute.h"
#include "store.h"

static volatile sig_atomic_t stop;

static void raise_stop(int signal)
{
  (void)signal;
  stop = 1;
}

/* A full disk: the parent is told once, and says it. */
static bool wait_for_space(const char *path, double waited_s)
{
  if (stop) return false;
  if (waited_s == 0) {
    printf("full %s\n", path);
    fflush(stdout);
  }
  return true;
}

static void catch_signals(void)
{
  struct sigaction action = {.sa_handler = raise_stop};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  signal(SIGPIPE, SIG_IGN); /* a parent that died: the run goes on and its rows stay in its own file */
}

int rh_cmd_execute(int argc, char **argv)
{
  rh_task task = {0};
  rh_status status;
  catch_signals();
  rh_store_on_full_disk(wait_for_space);
  if (argc != 2)
    status = rh_error(RH_EINVAL, "usage: rehearse _execute TASK");
  else
    status = rh_task_read(argv[1], &task);
  if (status == RH_OK) status = rh_execute(&task, &stop);
  if (status != RH_OK) fprintf(stderr, "rehearse: %s\n", rh_error_message());
  rh_task_clear(&task);
  return status == RH_OK ? 0 : status == RH_EINTERRUPTED ? 3 : 1;
}
