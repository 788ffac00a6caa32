/* Error bars on time: the runs of a plan simulated again and again with durations drawn anew (time.jitter, time.draw).
 *
 * In all methods there are, values do not depend on time: the round in which a run reached its accuracy stays, the
 * time of that round is drawn. So nothing is computed again (run.compute: none), unless lengths of messages follow
 * from values, or masks, or whatever else a run without values cannot have: then the mathematics is done again, with
 * the same values.
 */
#ifndef RH_REPEAT_TIMING_H
#define RH_REPEAT_TIMING_H

#include "run_execute.h"

enum { RH_REPEAT_MAX = 1000 };

/* RH_EINVAL if no run of the plan draws its durations. */
RH_CHECKED rh_status rh_repeat_timing_check(const rh_plan *plan);

/* Draws `draws` times for every run that is done and draws its durations, and stores the times with the run.
 *
 * out         a line for each run: time to its target accuracy (or of its last round), and the draws' least, 5 %, 50 %,
 *             95 % and largest; or a JSON array
 * returns     RH_EINTERRUPTED after a signal; RH_EINVAL if a repetition sent other bytes than its run, or failed
 */
RH_CHECKED rh_status rh_repeat_timing(rh_execution *execution, int draws, bool json, rh_text *out);

#endif
