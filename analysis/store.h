/* The store: one SQLite file per run while it goes, one file for all when it is merged.
 *
 * The schema stands in one place, analysis/schema.c; units are part of the column names. A file is WAL, STRICT, with
 * foreign keys, `application_id` and `user_version`; a file of another application or version is refused by name and
 * never written to. One writer per file; readers are always welcome.
 */
#ifndef RH_STORE_H
#define RH_STORE_H

#include <stdbool.h>

#include "record.h"
#include "text.h"

typedef struct rh_store rh_store;

typedef enum rh_store_mode {
  RH_STORE_READ,  /* an existing file, never written to */
  RH_STORE_WRITE, /* an existing file of ours, or a new one */
  RH_STORE_NEW    /* a new file; an existing one of ours is replaced */
} rh_store_mode;

/* returns     RH_EIO: missing, not readable, not writable, full; RH_EFORMAT: no database, another application's,
 *             another version (both versions named). Nothing is changed in a file that is refused. */
RH_CHECKED rh_status rh_store_open(const char *path, rh_store_mode mode, rh_store **store);
rh_status rh_store_close(rh_store *store); /* commits; NULL is fine */
void rh_store_remove(const char *path);    /* a closed one, with what SQLite keeps beside it */

/* What to do when a write finds no space: true to wait a moment and try again, false to give up, so that the write
 * fails with RH_EIO and what was committed before is kept. waited_s: seconds waited so far for this write. */
typedef bool rh_store_wait(const char *path, double waited_s);
/* For all stores of the process; NULL, the default: give up at once. */
void rh_store_on_full_disk(rh_store_wait *wait);

/* Everything that a run knows of itself before its first round. Strings are borrowed for the call. */
typedef struct rh_run_header {
  const char *id; /* 16 hexadecimal digits: hash of configuration, input files and durations used */
  const char *study, *question;
  const char *configuration; /* canonical "section.key=value" lines */
  const char *platform;      /* file name without directory and ".xml" */
  const char *platform_file; /* as given */
  uint64_t platform_hash;    /* of the file's bytes */
  const char *network_model; /* "CM02" */
  const char *protocol;      /* "rendezvous" */
  double precision_s;        /* SimGrid's surf/precision */
  int32_t workers;
  int32_t zones; /* innermost ones that hold workers; 0: not known */
  const char *method, *compressor, *model, *dataset, *partition, *graph; /* graph: "" if none */
  bool timing_only; /* without values: no accuracy and no loss will come */
  double lambda2;   /* of the graph's mixing matrix; NaN if none */
  int64_t parameters, batch, seed, rounds_planned;
  double step_flop, step_int8_op; /* of a worker's forward and backward pass; step_flop 0: these four are unknown */
  int64_t weight_bytes, activation_bytes; /* in the run's arithmetic */
  const char *backend, *kernel;           /* "cpu", "OpenBLAS 0.3.21 SkylakeX" */
  int32_t threads;
  const char *time_source;  /* "measured" | "profile" | "flops" */
  const char *profile_json; /* rh_profile_write of the durations used; "" for flops */
  uint64_t profile_hash;
  double target_accuracy; /* 0..1; NaN if none */
  const char *versions;   /* "rehearse 0.1.0, SimGrid 3.32, OpenBLAS ..., SQLite ..., GSL ..." */
  const char *command;    /* reproduces the run */
} rh_run_header;

/* Writes study, profile and the run's row with status "running", and commits. */
RH_CHECKED rh_status rh_store_begin_run(rh_store *store, const rh_run_header *header);
/* A recorder that writes rows of the run begun in this store; valid until rh_store_close. Rows wait: they are written
 * and committed with the first that comes a second after the last commit, at the run's end, and at rh_store_close;
 * what is wrong with a row may be told by a later call. */
rh_recorder rh_store_recorder(rh_store *store);
/* A load as the byte that rh_link_row's bin_loads and the column of that name hold: 0, or steps of 6 % from a millionth
 * to 1, which is the most. A picture of ten thousand links over time needs no more. */
uint8_t rh_load_byte(double load);
/* Writes the end and commits. */
RH_CHECKED rh_status rh_store_end_run(rh_store *store, const rh_run_end *end);

/* Copies every run of the file `from` that `into` does not hold as done; a run that is there with another status is
 * replaced. Idempotent. Runs still "running" in `from` (their process died) are taken as "interrupted".
 * merged/skipped count runs, may be NULL. */
RH_CHECKED rh_status rh_store_merge(rh_store *into, const char *from, int *merged, int *skipped);

/* Status of a run by id: "done", "failed", "interrupted", "running", or "" if it is not there. buffer [16]. */
RH_CHECKED rh_status rh_store_run_status(rh_store *store, const char *id, char *buffer, size_t size);

/* Records a run that ended before its process could (crash, bad input found late). Rows of it that are there are kept
 * and its status is set; one that is done already is left alone. */
RH_CHECKED rh_status rh_store_fail_run(rh_store *store, const rh_run_header *header, const char *reason);

/* The study's stored durations as one profile JSON, "" if there are none; and their addition to the study. */
RH_CHECKED rh_status rh_store_profile(rh_store *store, const char *study, rh_text *profile_json);
/* The durations that runs of a study used, by their hash; "" if there are none. */
RH_CHECKED rh_status rh_store_profile_of(rh_store *store, const char *study, const char *hash, rh_text *profile_json);
RH_CHECKED rh_status rh_store_save_profile(rh_store *store, const char *study, const char *question,
                                           const char *profile_json);

/* One line of `list`. Strings are owned by the list. NaN where nothing was recorded. */
typedef struct rh_run_summary {
  char *id, *study, *platform, *network_model, *method, *compressor, *model, *dataset, *graph, *status, *reason;
  char *configuration; /* canonical lines */
  int32_t workers;
  bool timing_only; /* without values: accuracy is NaN, and no failure of learning */
  int64_t seed, rounds, parameters;
  double accuracy; /* of the last evaluation */
  double target_accuracy, time_to_target_s, bytes_to_target;
  double simulated_s, wall_s;
  int64_t wire_bytes;       /* of all ranks, whole run */
  double closed_form_ratio; /* simulated / closed form, summed over the run's collectives */
  char *busiest_link;       /* by load */
  double busiest_load;
  int64_t peak_memory_bytes;
  char *parameters_hash; /* of the final training state; "" if unknown */
} rh_run_summary;

/* Whether the run is done because its training loss was no longer finite: a result, whose accuracy means nothing. */
bool rh_run_diverged(const rh_run_summary *run);

typedef struct rh_run_list {
  rh_run_summary *list; /* owned */
  int32_t count, size;
} rh_run_list;

/* Appends all runs, or those of one study (NULL: all), or those whose id starts with `id` (NULL: all), oldest first.
 * On failure the list is as before. */
RH_CHECKED rh_status rh_store_list(rh_store *store, const char *study, const char *id, rh_run_list *list);
void rh_run_list_clear(rh_run_list *list);
/* Takes runs of timing alone out of the list; returns how many. */
int32_t rh_run_list_drop_timing_only(rh_run_list *list);
/* The id of the one run whose id starts with `prefix`. RH_EINVAL if there is none, or several (they are listed). */
RH_CHECKED rh_status rh_store_find_run(rh_store *store, const char *prefix, char **id);

/* When a run first had this test accuracy: simulated seconds, bytes of all ranks and rounds until then; INFINITY each
 * if never. */
typedef struct rh_reached {
  double seconds, bytes, rounds;
} rh_reached;
RH_CHECKED rh_status rh_store_reached(rh_store *store, const char *id, double accuracy, rh_reached *reached);

/* Times of a run's round with its durations drawn anew; they take the place of those that the run has. */
typedef struct rh_timing_draws {
  int64_t round; /* the first with the target's accuracy; without a target the last */
  int count;
  const double *finish_s;        /* [count] of the round's last rank, by draw; borrowed */
  const char *mathematics_again; /* why values were computed again; NULL: they were not */
} rh_timing_draws;
RH_CHECKED rh_status rh_store_put_timing_draws(rh_store *store, const char *id, const rh_timing_draws *draws);

/* The closing table of some runs; and `list`, as text and as a JSON array of objects. */
void rh_table_write(const rh_run_list *runs, rh_text *out);
void rh_list_write(const rh_run_list *runs, rh_text *out);
void rh_list_write_json(const rh_run_list *runs, rh_text *out);
/* A line for every key that differs between the runs' configurations but changed no result at all. */
void rh_table_write_unchanged(const rh_run_list *runs, rh_text *out);
/* Appends what a run's time was spent on, with the numbers (bottleneck.h); nothing for a run that took no time. */
RH_CHECKED rh_status rh_store_bottleneck(rh_store *store, const char *id, rh_text *sentence);
/* The same in a word (rh_bottleneck_name); NULL where nothing can be said. */
RH_CHECKED rh_status rh_store_bottleneck_name(rh_store *store, const char *id, const char **name);
/* The same below the closing table: a sentence for each run that is done, or how many runs have which bottleneck where
 * there are more than four runs. */
RH_CHECKED rh_status rh_table_write_bottlenecks(rh_store *store, const rh_run_list *runs, rh_text *out);
/* Lines on where the charged seconds of runs that are done come from: a device, a profile's, or counted operations. */
RH_CHECKED rh_status rh_table_write_devices(rh_store *store, const rh_run_list *runs, rh_text *out);
/* A line on messages that were simulated and those that were skipped; nothing where none was. */
RH_CHECKED rh_status rh_table_write_steady(rh_store *store, const rh_run_list *runs, rh_text *out);
/* `show RUN`: bottleneck, configuration, versions, timing breakdown, top links and the most loaded one over time,
 * closed-form ratios, warnings; text or JSON.
 * id: a prefix that fits one run, as in rh_store_find_run. */
RH_CHECKED rh_status rh_show_write(rh_store *store, const char *id, bool json, rh_text *out);

#endif
