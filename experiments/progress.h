/* Progress: on a terminal one line that is rewritten in place, elsewhere a plain line every few seconds. To stderr, so
 * that stdout holds results alone. */
#ifndef RH_PROGRESS_H
#define RH_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

typedef struct rh_progress {
  bool terminal;
  size_t total;    /* runs to execute */
  size_t finished; /* of them, failed ones included */
  size_t failed;   /* of them; they tell nothing about the time that is left */
  double start_s;  /* clock at the beginning */
  double shown_s;  /* clock at the last line */
} rh_progress;

/* What a running child said last. */
typedef struct rh_progress_state {
  int64_t round, rounds;
  double accuracy; /* 0..1; NaN before the first evaluation */
  double simulated_s;
} rh_progress_state;

rh_progress rh_progress_begin(size_t total);

/* Shows one run's state; active_share: the parts of runs done in all active children, for the time that is left. */
void rh_progress_show(rh_progress *progress, const char *label, const rh_progress_state *state, double active_share);

/* Prints a line that stays. */
void rh_progress_say(rh_progress *progress, const char *format, ...) RH_PRINTF(2, 3);

/* Removes the line that was rewritten. */
void rh_progress_end(rh_progress *progress);

#endif
