/* Progress: on a terminal one line that is rewritten in place, elsewhere a plain line every few seconds. To stderr, so
 * that stdout holds results alone. */
#ifndef RH_PROGRESS_H
#define RH_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"
#include "text.h"

typedef struct rh_progress {
  bool terminal;
  size_t total;    /* runs to execute */
  size_t finished; /* of them, failed ones included */
  size_t failed;   /* of them */
  double work; /* predicted seconds of the runs, without failed ones, which tell nothing about the time that is left */
  double done; /* of them, of runs that are done */
  double start_s; /* clock at the beginning */
  double shown_s; /* clock at the last line */
} rh_progress;

/* What a running child said last. */
typedef struct rh_progress_state {
  int64_t round, rounds;
  double accuracy; /* 0..1; NaN before the first evaluation */
  double simulated_s;
} rh_progress_state;

rh_progress rh_progress_begin(size_t total, double work);

/* ", 34 s left" if the rest goes as fast as what is done, active: of running children; "" if nothing is known yet. */
void rh_progress_append_left(const rh_progress *progress, double active, rh_text *out);

/* Seconds since the beginning. */
double rh_progress_elapsed_s(const rh_progress *progress);

/* Shows one run's state; active: the predicted seconds that are done in all active children, for the time that
 * is left. */
void rh_progress_show(rh_progress *progress, const char *label, const rh_progress_state *state, double active);

/* Prints a line that stays. */
void rh_progress_say(rh_progress *progress, const char *format, ...) RH_PRINTF(2, 3);

/* Removes the line that was rewritten. */
void rh_progress_end(rh_progress *progress);

#endif
