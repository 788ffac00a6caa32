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

enum { RH_NAMES_MAX = RH_LAYERS_MAX + 3 * RH_BUCKETS_MAX + 8 };

typedef struct rh_names {
  char *list[RH_NAMES_MAX + 1]; /* owned, NULL-terminated */
  int count;
} rh_names;

/* The names that a run of time.source `measured` charges; none for `flops`. */
void rh_measure_names(const rh_run *run, const rh_setup *setup, rh_names *names);
void rh_names_clear(rh_names *names);

/* The seconds of a run's steps on the reference device: from the profile, or for `flops` from the operations counted
 * and fastest_flops x efficiency. RH_EINVAL names a missing duration. */
RH_CHECKED rh_status rh_measure_seconds(const rh_run *run, const rh_setup *setup, const rh_profile *profile,
                                        double fastest_flops, rh_step_seconds *seconds);

/* Times every step of `run` that `profile` does not hold yet, alone, on one thread, and adds it. */
RH_CHECKED rh_status rh_measure(const rh_run *run, const rh_setup *setup, rh_profile *profile);

/* Reads what rh_profile_write wrote. `where` stands for the file in messages; profile is empty before. */
RH_CHECKED rh_status rh_profile_read(const char *text, const char *where, rh_profile *profile);

#endif
