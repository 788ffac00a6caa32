/* What a run will take of the machine that it runs on, before it runs. Memory is rh_setup_predict's. */
#ifndef RH_PREDICT_H
#define RH_PREDICT_H

#include "setup.h"

/* Wall seconds with the run's threads: mathematics at a nominal rate, and messages at SimGrid's. An order of magnitude,
 * to start the longest run first and to ask a queue for enough.
 *
 * edges       of the run's graph; 0: it uses collectives over all workers
 */
double rh_predict_wall_s(const rh_run *run, const rh_setup *setup, int64_t edges);

#endif
