/* The report: one HTML file that says what some runs came to, and opens anywhere without asking for anything.
 *
 * The page holds its style, its scripts and its data, and a content policy that forbids it everything else. The answer
 * and the table of results are text written here; pictures are drawn by the page's scripts (analysis/report/) from the
 * data, which is one JSON object. Names come from users: they are text wherever they stand.
 */
#ifndef RH_REPORT_H
#define RH_REPORT_H

#include "store.h"

typedef struct rh_report_def {
  const char *study;       /* runs of this study; NULL: of all, if there is one study only */
  const char *const *runs; /* [run_count] ids or their beginnings; with none the whole study; borrowed */
  int run_count;
  double target_accuracy; /* 0..1; NaN: the runs' own */
  const char *command;    /* that wrote the page, for its end; borrowed */
} rh_report_def;

/* Appends the page. Runs that are not done, without an evaluation or with losses that are not finite are in it, and
 * said to be so.
 *
 * returns     RH_EINVAL: no such run or study, several studies and none was named (they are listed) */
RH_CHECKED rh_status rh_report_write(rh_store *store, const rh_report_def *def, rh_text *out);

#endif
