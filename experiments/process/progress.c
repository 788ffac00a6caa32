#include "progress.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "text.h"
#include "unit.h"

static const double terminal_every_s = 0.1, plain_every_s = 5;

static double now_s(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

rh_progress rh_progress_begin(size_t total, double work)
{
  double now = now_s();
  return (rh_progress){.terminal = isatty(STDERR_FILENO), .total = total, .work = work, .start_s = now, .shown_s = now};
}

double rh_progress_elapsed_s(const rh_progress *progress)
{
  return now_s() - progress->start_s;
}

void rh_progress_append_left(const rh_progress *progress, double active, rh_text *out)
{
  const double done = (progress->done + active) / progress->work;
  const double elapsed_s = rh_progress_elapsed_s(progress);
  if (!(done > 0) || elapsed_s < 1) return;
  const double left_s = fmax(0, ceil(elapsed_s * (1 - done) / done));
  if (left_s < 120)
    rh_text_append(out, ", %.0f s left", left_s);
  else
    rh_text_append(out, ", %.0f min left", ceil(left_s / 60));
}

/* Characters that fit in one line of the terminal. A longer line would wrap, and "\r" return to its last part only. */
static int terminal_columns(void)
{
  struct winsize size;
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1 : 79;
}

/* One line that replaces the last one. Where it is too long the label is cut, and only then the rest. */
static void show_on_terminal(const char *head, const char *label, const char *rest)
{
  int columns = terminal_columns();
  int label_room = columns - (int)(strlen(head) + strlen(rest));
  rh_text line = {0};
  rh_text_append(&line, "%s%.*s%s", head, label_room > 0 ? label_room : 0, label, rest);
  fprintf(stderr, "\r\033[K%.*s", columns, line.data);
  rh_text_clear(&line);
}

void rh_progress_show(rh_progress *progress, const char *label, const rh_progress_state *state, double active)
{
  double now = now_s();
  if (now - progress->shown_s < (progress->terminal ? terminal_every_s : plain_every_s)) return;
  progress->shown_s = now;
  rh_text rest = {0};
  char head[64], seconds[32];
  snprintf(head, sizeof head, "[%zu/%zu] ", progress->finished + 1, progress->total);
  rh_text_append(&rest, ": round %" PRId64 "/%" PRId64, state->round, state->rounds);
  if (!isnan(state->accuracy)) rh_text_append(&rest, ", accuracy %.1f %%", 100 * state->accuracy);
  rh_text_append(&rest, ", %s simulated", rh_unit_format(state->simulated_s, RH_UNIT_SECOND, seconds, sizeof seconds));
  rh_progress_append_left(progress, active, &rest);
  if (progress->terminal)
    show_on_terminal(head, label, rest.data);
  else
    fprintf(stderr, "%s%s%s\n", head, label, rest.data);
  fflush(stderr);
  rh_text_clear(&rest);
}

void rh_progress_say(rh_progress *progress, const char *format, ...)
{
  rh_progress_end(progress);
  va_list args;
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fputc('\n', stderr);
}

void rh_progress_end(rh_progress *progress)
{
  if (progress->terminal) fputs("\r\033[K", stderr);
  fflush(stderr);
}
