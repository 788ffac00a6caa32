#include "children.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "last_words.h"

enum { POLL_MS = 200 };
static const double patience_s = 25; /* for a child that was told to end: it finishes a round and writes a checkpoint */

static volatile sig_atomic_t signals;

static void count_signal(int number)
{
  (void)number;
  signals = signals + 1;
}

void rh_children_catch_signals(void)
{
  struct sigaction action = {.sa_handler = count_signal};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGHUP, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
}

bool rh_children_interrupted(void)
{
  return signals > 0;
}

typedef struct child {
  rh_process process;
  size_t task;
  rh_text out, err;
} child;

typedef struct pool {
  const rh_children_def *def;
  child *children; /* [jobs]; the first `active` are alive */
  struct pollfd *streams;
  int active;
  rh_status status; /* of the first failure */
  char *message;    /* its message: later ones must not replace it */
  int told;         /* how often the children were told to end */
  double told_s;
} pool;

static double now_s(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void fail(pool *p, rh_status status)
{
  if (status == RH_OK || p->status != RH_OK) return;
  p->status = status;
  p->message = rh_text_duplicate(rh_error_message());
}

static void start_one(pool *p, size_t task)
{
  child *c = &p->children[p->active];
  *c = (child){.task = task, .process = {.pid = -1, .out = -1, .err = -1}};
  rh_status status = p->def->start(p->def->context, task, &c->process);
  fail(p, status);
  if (status == RH_OK && c->process.pid > 0) p->active++;
}

/* Hands over the complete lines of a child's stdout; `all`: the last one, too, if it lacks a line feed. */
static void hand_lines(pool *p, child *c, bool all)
{
  char *line = c->out.data, *end;
  if (!line) return;
  while ((end = strchr(line, '\n')) || (all && *line)) {
    if (end) *end = '\0';
    p->def->line(p->def->context, c->task, line);
    line = end ? end + 1 : line + strlen(line);
  }
  rh_text rest = {0};
  rh_text_append(&rest, "%s", line);
  rh_text_clear(&c->out);
  c->out = rest;
}

static void end_one(pool *p, int i)
{
  child *c = &p->children[i];
  hand_lines(p, c, true);
  int code = rh_process_wait(&c->process);
  fail(p, p->def->done(p->def->context, c->task, code, rh_text_get(&c->err)));
  rh_text_clear(&c->out);
  rh_text_clear(&c->err);
  p->children[i] = p->children[--p->active];
}

static void tell(pool *p, int signal)
{
  for (int i = 0; i < p->active; i++)
    rh_process_signal(&p->children[i].process, signal);
  p->told++;
  p->told_s = now_s();
}

/* Waits for output or a moment, takes what is there, ends the children that have ended. */
static void serve(pool *p)
{
  for (int i = 0; i < p->active; i++) {
    p->streams[2 * i] = (struct pollfd){.fd = p->children[i].process.out, .events = POLLIN};
    p->streams[2 * i + 1] = (struct pollfd){.fd = p->children[i].process.err, .events = POLLIN};
  }
  (void)poll(p->streams, (nfds_t)(2 * p->active), POLL_MS); /* a signal ends it early, which is welcome */
  for (int i = p->active - 1; i >= 0; i--) {
    child *c = &p->children[i];
    rh_process_drain(&c->process.out, &c->out);
    rh_process_drain(&c->process.err, &c->err);
    hand_lines(p, c, false);
    if (c->process.out < 0 && c->process.err < 0) end_one(p, i);
  }
  if (p->def->tick) p->def->tick(p->def->context);
}

rh_status rh_children_run(const rh_children_def *def, size_t count)
{
  RH_ASSERT(def->jobs >= 1);
  pool p = {.def = def, .status = RH_OK};
  p.children = calloc((size_t)def->jobs, sizeof *p.children);
  p.streams = calloc(2 * (size_t)def->jobs, sizeof *p.streams);
  RH_ASSERT(p.children && p.streams && "memory is exhausted");
  for (size_t next = 0;;) {
    while (p.status == RH_OK && !signals && p.active < def->jobs && next < count)
      start_one(&p, next++);
    if (p.active == 0) break;
    bool stopping = signals > 0 || p.status != RH_OK;
    if (stopping && p.told == 0) tell(&p, SIGTERM); /* not SIGINT: SimGrid takes that and exits at once */
    if (stopping && p.told == 1 && (signals > 1 || now_s() - p.told_s > patience_s)) tell(&p, SIGKILL);
    serve(&p);
  }
  free(p.children);
  free(p.streams);
  if (p.status != RH_OK) rh_error(p.status, "%s", p.message);
  free(p.message);
  if (p.status == RH_OK && signals) return rh_error(RH_EINTERRUPTED, "interrupted");
  return p.status;
}

rh_status rh_children_error(rh_status code, int exit_code, const char *err, const char *what)
{
  static const char prefix[] = "rehearse: ";
  if (strncmp(err, prefix, sizeof prefix - 1) == 0) err += sizeof prefix - 1;
  size_t length = strlen(err);
  while (length > 0 && err[length - 1] == '\n')
    length--;
  char *words = exit_code > 128 ? rh_last_words(err) : NULL; /* instead of SimGrid's backtrace */
  if (words) {
    (void)rh_error(code, "SimGrid ended %s: %s", what, words);
    free(words);
    return code;
  }
  if (length > 0) return rh_error(code, "%.*s", (int)length, err);
  if (exit_code > 128)
    return rh_error(code, "%s was ended by signal %d (%s)", what, exit_code - 128, strsignal(exit_code - 128));
  return rh_error(code, "%s ended with status %d and no word", what, exit_code);
}
