/* Charged seconds: how long a step takes on the reference device, by name. A missing entry is an error, never zero.
 *
 * An entry's name says everything that its duration depends on, for example
 * "cpu/OpenBLAS-SkylakeX/cnn 28x28x1/batch 32/forward". The profile is measured once per study by
 * experiments/execute/measure.c, stored with it, and read here.
 */
#ifndef RH_CHARGE_H
#define RH_CHARGE_H

#include <stdbool.h>
#include <stdint.h>

#include "fit.h"
#include "status.h"
#include "text.h"

typedef struct rh_duration {
  char *name;           /* owned */
  int32_t samples;      /* timed repetitions */
  double median_s;      /* what is charged */
  double low_s, high_s; /* 5 % and 95 % quantiles */
  rh_fit fit;           /* of RH_FIT_SAMPLES samples or more; of fewer: none */
} rh_duration;

typedef struct rh_profile {
  char *device;      /* "AMD EPYC, 1 thread, OpenBLAS 0.3.21 SkylakeX"; owned */
  char *backend;     /* of a profile file: what its entries' names begin with; NULL: that of the run. Owned */
  char *about;       /* of a profile file: how it was taken, JSON members for readers, unread; owned; NULL: nothing */
  char *commands;    /* of a profile file: what took it, one per line; owned; NULL: not known */
  rh_duration *list; /* owned; sorted by name */
  int32_t count, size;
} rh_profile;

/* (high - low) / median: 0.1 says that nine samples in ten are within a tenth of the median of each other. */
double rh_duration_spread(const rh_duration *duration);
/* Whether the spread says that something else was going on: above a quarter, where an idle machine's steps are within a
 * few per cent. */
bool rh_duration_disturbed(const rh_duration *duration);

/* Adds or replaces an entry; the name is copied. */
void rh_profile_put(rh_profile *profile, const rh_duration *duration);
/* The same. */
void rh_profile_set(rh_profile *profile, const char *name, int32_t samples, double median_s, double low_s,
                    double high_s);
const rh_duration *rh_profile_find(const rh_profile *profile, const char *name); /* NULL if absent */
/* The entries of `from`, which is empty afterwards, take the place of the profile's. */
void rh_profile_take_list(rh_profile *profile, rh_profile *from);
void rh_profile_clear(rh_profile *profile);
/* Hash of device, names, medians and fits of the entries in `names` (NULL-terminated; NULL: all), in sorted order. */
uint64_t rh_profile_hash(const rh_profile *profile, const char *const *names);

/* The median of one entry; RH_EINVAL "no timing for '...' in the profile; `rehearse run STUDY` measures what is
 * missing". */
RH_CHECKED rh_status rh_profile_seconds(const rh_profile *profile, const char *name, double *seconds);

/* One JSON object: {"device": ..., "backend": ..., `about`, "commands": [...] (where they are set), "durations":
 * [{"name":..., "samples":..., "median_s":..., "low_s":..., "high_s":..., "fit": {...} (if there is one)}]}; read
 * back by rh_profile_read (experiments/study/profile_file.h, where libfyaml is known). */
void rh_profile_write(const rh_profile *profile, rh_text *out);

#endif
