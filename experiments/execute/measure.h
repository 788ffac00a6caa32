/* Durations: which a run charges, how they are named, measured and turned into the seconds of its steps.
 *
 * A duration's name holds everything that it depends on besides the machine:
 *
 *     cpu/cnn norm=none groups=8 28x28x1 20522/batch 32/forward
 *     cpu/cnn norm=none groups=8 28x28x1 20522/batch 32/backward conv1
 *     cpu/cnn norm=none groups=8 28x28x1 20522/batch 32 int8/backward conv1
 *     cpu/cnn norm=none groups=8 28x28x1 20522/sgd/update
 *     cpu/cnn norm=none groups=8 28x28x1 20522/adamw clipped/update
 *     cpu/cnn norm=none groups=8 28x28x1 20522/magnitude 0.8 global/mask
 *     cpu/cnn norm=none groups=8 28x28x1 20522/qsgd bits=8 bucket=512/encode
 *     cpu/cnn norm=none groups=8 28x28x1 20522/lowrank rank=2/encode again 3424+17098
 *
 * The last one is the second phase of a bucket: OFFSET+VALUES.
 */
#ifndef RH_MEASURE_H
#define RH_MEASURE_H

#include "setup.h"

/* Repetitions for a median; RH_FIT_SAMPLES of them give the fit of a distribution, too. */
enum { RH_SAMPLES_MEDIAN = 25 };

enum { RH_NAMES_MAX = RH_LAYERS_MAX + 3 * RH_BUCKETS_MAX + 8 };

typedef struct rh_names {
  char **list; /* [count] owned */
  int count;
} rh_names;

/* The names of the durations that a run charges; none for time.source `flops`. backend: what they begin with; NULL: the
 * name of the run's own. */
void rh_measure_names(const rh_run *run, const rh_setup *setup, const char *backend, rh_names *names);
void rh_measure_append_names(const rh_run *run, const rh_setup *setup, const char *backend, rh_names *names);
void rh_names_clear(rh_names *names);

/* The seconds of a run's steps on the reference device: from the profile, under the names of the profile's backend, or
 * for `flops` from the operations counted and fastest_flops x efficiency. RH_EINVAL names a missing duration. */
RH_CHECKED rh_status rh_measure_seconds(const rh_run *run, const rh_setup *setup, const rh_profile *profile,
                                        double fastest_flops, rh_step_seconds *seconds);

/* A step that a run charges: where its seconds are in rh_step_seconds, and what is known of them. */
typedef struct rh_charge {
  size_t offset;
  double seconds;
  const rh_duration *duration; /* borrowed from the profile; NULL for `flops` */
} rh_charge;

/* The same, step by step, under names that begin with `backend` (NULL: the profile's); list [RH_NAMES_MAX]. */
RH_CHECKED rh_status rh_measure_charges(const rh_run *run, const rh_setup *setup, const rh_profile *profile,
                                        const char *backend, double fastest_flops, rh_charge *list, int *count);
/* Puts the charges' seconds where they belong. backward_total_s is their layers' sum. */
void rh_charges_add_up(const rh_charge *list, int count, rh_step_seconds *seconds);

/* Times every step of `run` that `profile` does not hold yet, alone, on one thread, and adds it. Steps whose timings
 * are spread too wide (rh_duration_disturbed) are timed up to three times, and the narrowest spread is kept.
 *
 * samples     of each step, at least 1
 */
RH_CHECKED rh_status rh_measure(const rh_run *run, const rh_setup *setup, int samples, rh_profile *profile);

/* "AMD EPYC, 1 thread, OpenBLAS 0.3.21 SkylakeX": what a backend's steps are timed on here. Owned by the caller. */
char *rh_measure_device(const rh_backend *backend);

#endif
