/* The seconds of each rank's steps in each round: of the run's device or of the host's own, drawn anew with jitter.
 *
 * A host without a property `device` is the run's device (time.source), scaled by its speed: the fastest of such
 * hosts takes what was timed. One with a property `device` takes what that profile says, whatever its speed. With
 * jitter every step of every rank is drawn in every round from a stream of its own, f(seed, draw, rank, round), so
 * that draws depend on no order: measured, from the fit of its timings; else from a lognormal whose mean is the
 * step's seconds. Draws are independent: a rank that is slow for long is a host with less speed, or a fault.
 */
#ifndef RH_RANK_TIMES_H
#define RH_RANK_TIMES_H

#include "measure.h"

typedef struct rh_rank_times rh_rank_times;

/* profile: the run's durations, those of hosts' devices under "DEVICE: NAME". RH_EINVAL names a missing duration or
 * fit. */
RH_CHECKED rh_status rh_rank_times_new(const rh_run *run, const rh_setup *setup, const rh_platform *platform,
                                       const rh_profile *profile, rh_rank_times **times);
void rh_rank_times_free(rh_rank_times *times);

/* Sets the world's seconds for round t; they live until the next call. */
void rh_rank_times_set(rh_rank_times *times, int64_t t, rh_world *world);

/* "DEVICE: BACKEND" of a device's entries in the profile, for rh_measure_charges; NULL if it has none. Owned. */
char *rh_device_prefix(const rh_profile *profile, const char *device);

#endif
