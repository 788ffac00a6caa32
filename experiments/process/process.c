/* Processes with posix_spawn: no code of the parent runs in the child, so locks, threads and engines do not matter. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { POLL_MS = 200 };

static const char *other_self;

void rh_process_set_self(const char *path)
{
  other_self = path;
}

rh_status rh_process_self(char **path)
{
  if (other_self) {
    *path = rh_text_duplicate(other_self);
    return RH_OK;
  }
  char buffer[4096];
  ssize_t length = readlink("/proc/self/exe", buffer, sizeof buffer - 1);
  if (length < 0) return rh_error(RH_EIO, "cannot find this program's file: /proc/self/exe: %s", strerror(errno));
  buffer[length] = '\0';
  *path = rh_text_duplicate(buffer);
  return RH_OK;
}

static void close_pair(int pair[2])
{
  for (int i = 0; i < 2; i++)
    if (pair[i] >= 0) close(pair[i]);
}

static void set_tunables(void)
{
  static char tunables[] = RH_PROCESS_TUNABLES, waiting[] = RH_PROCESS_WAITING; /* the environment keeps them */
  if (getenv("GLIBC_TUNABLES") == NULL) putenv(tunables);
  if (getenv("GOMP_SPINCOUNT") == NULL && getenv("OMP_WAIT_POLICY") == NULL) putenv(waiting);
}

/* The child's streams, process group and signals. The signals that a parent may ignore or block are put back to
 * normal, since both are inherited. */
static int spawn(const char *path, char *const *argv, int keep, int out, int err, pid_t *pid)
{
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, usual;
  sigemptyset(&none);
  sigemptyset(&usual);
  sigaddset(&usual, SIGINT);
  sigaddset(&usual, SIGTERM);
  sigaddset(&usual, SIGPIPE);
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
  if (keep >= 0) posix_spawn_file_actions_adddup2(&actions, keep, keep); /* which takes its close-on-exec away */
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &usual);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  int failure = posix_spawn(pid, path, &actions, &attributes, argv, environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return failure;
}

rh_status rh_process_start(const char *const *argv, int keep, rh_process *process)
{
  rh_status status = RH_OK;
  int out[2] = {-1, -1}, err[2] = {-1, -1}, failure;
  char *path = NULL, **arguments = NULL;
  size_t count = 0;
  *process = (rh_process){.pid = -1, .out = -1, .err = -1};

  RH_TRY(rh_process_self(&path));
  RH_ASSERT(path);
  while (argv[count])
    count++;
  RH_ASSERT(count > 0);
  arguments = calloc(count + 1, sizeof *arguments);
  RH_ASSERT(arguments);
  for (size_t i = 0; i < count; i++)
    arguments[i] = rh_text_duplicate(i == 0 ? path : argv[i]);

  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) {
    status = rh_error(RH_EIO, "cannot open a pipe to a child process: %s", strerror(errno));
    goto done;
  }
  set_tunables();
  failure = spawn(path, arguments, keep, out[1], err[1], &process->pid);
  if (failure != 0) {
    status = rh_error(RH_EIO, "cannot start '%s %s': %s", path, count > 1 ? argv[1] : "", strerror(failure));
    goto done;
  }
  process->out = out[0];
  process->err = err[0];
  out[0] = err[0] = -1;
  fcntl(process->out, F_SETFL, O_NONBLOCK);
  fcntl(process->err, F_SETFL, O_NONBLOCK);
done:
  close_pair(out);
  close_pair(err);
  for (size_t i = 0; arguments && i < count; i++)
    free(arguments[i]);
  free(arguments);
  free(path);
  return status;
}

void rh_process_drain(int *fd, rh_text *text)
{
  char buffer[4096];
  while (*fd >= 0) {
    ssize_t length = read(*fd, buffer, sizeof buffer);
    if (length > 0) {
      rh_text_append_bytes(text, buffer, (size_t)length);
    } else if (length < 0 && errno == EINTR) {
      continue;
    } else if (length < 0 && errno == EAGAIN) {
      return;
    } else {
      close(*fd);
      *fd = -1;
    }
  }
}

void rh_process_signal(const rh_process *process, int signal)
{
  if (process->pid > 0) kill(-process->pid, signal);
}

int rh_process_wait(rh_process *process)
{
  int state = 0;
  while (waitpid(process->pid, &state, 0) < 0)
    if (errno != EINTR) return 127; /* reaped by somebody else: nothing is known of its end */
  if (process->out >= 0) close(process->out);
  if (process->err >= 0) close(process->err);
  *process = (rh_process){.pid = -1, .out = -1, .err = -1};
  return WIFSIGNALED(state) ? 128 + WTERMSIG(state) : WEXITSTATUS(state);
}

static double now_s(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static rh_status end_early(rh_process *process, rh_status status)
{
  rh_process_signal(process, SIGKILL);
  (void)rh_process_wait(process);
  return status;
}

rh_status rh_process_run(const char *const *argv, double timeout_s, bool (*cancelled)(void), rh_text *out, rh_text *err,
                         int *exit_code)
{
  rh_process process;
  rh_status status = rh_process_start(argv, -1, &process);
  if (status != RH_OK) return status;
  double end_s = timeout_s > 0 ? now_s() + timeout_s : INFINITY;
  while (process.out >= 0 || process.err >= 0) {
    struct pollfd streams[2] = {{.fd = process.out, .events = POLLIN}, {.fd = process.err, .events = POLLIN}};
    double left_s = end_s - now_s();
    if (cancelled && cancelled()) return end_early(&process, rh_error(RH_EINTERRUPTED, "interrupted"));
    if (left_s <= 0)
      return end_early(&process, rh_error(RH_EIO, "'rehearse %s' did not end within %g s", argv[1], timeout_s));
    (void)poll(streams, 2, left_s * 1000 < POLL_MS ? (int)(left_s * 1000) + 1 : POLL_MS); /* a signal ends it early */
    rh_process_drain(&process.out, out);
    rh_process_drain(&process.err, err);
  }
  *exit_code = rh_process_wait(&process);
  return RH_OK;
}
