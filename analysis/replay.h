/* A run that is done again: what is needed for it, and how its rows compare with those stored. */
#ifndef RH_REPLAY_H
#define RH_REPLAY_H

#include "store.h"

/* What a run is repeated from. Strings are owned. */
typedef struct rh_stored_run {
  char *id, *study, *question, *status;
  char *configuration; /* canonical lines */
  char *command;       /* what made it */
  char *kernel, *versions, *time_source;
  char *platform_hash, *platform_file;
  char *profile; /* JSON of the durations that it was charged; "" for flops */
} rh_stored_run;

/* The one run whose id starts with `prefix`; errors of rh_store_find_run. */
RH_CHECKED rh_status rh_store_stored_run(rh_store *store, const char *prefix, rh_stored_run *run);
void rh_stored_run_clear(rh_stored_run *run);

/* When a run's round ended, and the bytes of all ranks until then. *round 0: the last one, which it becomes.
 * RH_EINVAL if the run has no such round. */
RH_CHECKED rh_status rh_store_round_end(rh_store *store, const char *id, int64_t *round, double *finish_s,
                                        int64_t *wire_bytes);

/* What kind of fact a column holds. */
typedef enum rh_fact { RH_FACT_TIME, RH_FACT_LENGTH, RH_FACT_VALUE, RH_FACT_SETTING } rh_fact;

typedef struct rh_difference {
  char *table, *column; /* column "": rows that one of the two alone has; owned */
  rh_fact fact;
  int64_t rows; /* that differ */
  char *first;  /* "round 10: 0.5 instead of 0.4"; owned */
} rh_difference;

typedef struct rh_differences {
  int64_t rows; /* compared, of all tables */
  rh_difference *list;
  int32_t count, size;
} rh_differences;

/* Compares every recorded row of run `id` in `store` with that in the file `again`: bit for bit, or, not `exact`,
 * times and all other real numbers to 1e-9 of them (another compiler or SimGrid rounds otherwise). Left out are what
 * the machine adds: dates, wall clock, memory, threads, versions. */
RH_CHECKED rh_status rh_store_compare_run(rh_store *store, const char *again, const char *id, bool exact,
                                          rh_differences *comparison);
void rh_differences_clear(rh_differences *comparison);
const char *rh_fact_name(rh_fact fact); /* "time", "length of messages", "value", "setting" */

#endif
