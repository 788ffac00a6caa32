/* The plan of a study: its runs resolved and tried as far as that goes without running them, so that bad input is found
 * before anything is created. */
#ifndef RH_RUN_PLAN_H
#define RH_RUN_PLAN_H

#include "measure.h"
#include "probe.h"
#include "study.h"

/* A profile that runs name. */
typedef struct rh_plan_profile {
  char *path; /* owned */
  rh_profile profile;
} rh_plan_profile;

typedef struct rh_plan_entry {
  rh_run run;                /* owned; run.id "" until rh_plan_identify knows all durations */
  char *lines;               /* canonical configuration; owned */
  char *command;             /* what repeats this run alone; owned */
  rh_names names;            /* of the durations that it charges */
  rh_probe probe;            /* of its platform */
  char *label;               /* " lr=0.1": what tells it from the study's other runs in messages; owned */
  uint64_t lines_hash;       /* of the lines that a result depends on */
  uint64_t name_hash;        /* the same, with the last names of paths alone */
  uint64_t files_hash;       /* of the content of all input files */
  int64_t parameters;        /* of the model */
  const char *warning;       /* recorded with the run; NULL: none. Borrowed for the program's life */
  const char *kernel;        /* of the backend; borrowed for the program's life */
  const char *backend;       /* its name; likewise */
  int64_t least_bytes;       /* memory, predicted */
  int64_t most_bytes;        /* with the largest useful chunk */
  bool any_threads;          /* the study gives no run.threads: it is this run's share of the cores */
  bool any_memory;           /* likewise run.memory */
  int64_t edges;             /* of its graph, both directions; 0: none */
  double wall_s;             /* predicted, with its threads */
  const rh_profile *profile; /* of time.source profile, borrowed from the plan; NULL: the study's durations */
  rh_profile devices;        /* what hosts with a device of their own charge, as "DEVICE: NAME" */
  char *device_paths;        /* the files of these, one per line; owned; NULL: none */
  uint64_t profile_hash;     /* of the durations used; 0 for flops. Set with the id */
} rh_plan_entry;

typedef struct rh_plan {
  rh_plan_entry *list; /* owned; runs of the same configuration are one entry */
  size_t count;
  int jobs;                   /* runs at the same time */
  size_t twins;               /* runs of the study that are the same as an earlier one */
  rh_plan_profile **profiles; /* [profile_count] owned */
  size_t profile_count;
  rh_text warnings; /* lines about settings that no run reads, or that change nothing */
} rh_plan;

/* Resolves and checks all runs of a study: options, files, graphs, platforms and routes (in processes of their own),
 * data sets and models. sets: those of --set that the study was read with, for the commands that repeat a run.
 *
 * jobs        how many runs will share the machine's cores and memory; 0: as many as there are cores, runs, and shares
 *             of half of the memory that hold the run with the largest need
 * returns     what is wrong, with the place; RH_EINTERRUPTED after a signal. On failure `plan` is empty.
 */
RH_CHECKED rh_status rh_plan_make(const rh_study *study, const char *const *sets, size_t set_count, int jobs,
                                  rh_plan *plan);
void rh_plan_clear(rh_plan *plan);

/* Gives runs that will be executed `jobs` at a time their share of the cores, where the study does not say run.threads.
 * Their memory stays as it was checked. */
void rh_plan_share_cores(rh_plan *plan, int jobs);

/* Sets the id of every run whose durations the study's profile holds, or the one that it names: the hash of its
 * study's name, its configuration, the content of its input files, the durations that it uses, and the library that
 * computes. run.threads and run.memory are left out, since they change no result, and so is where the input files
 * are. */
void rh_plan_identify(rh_plan *plan, const rh_profile *study);

/* The durations that an entry is charged: of the profile that it names, else the study's, and of its hosts' devices. It
 * must be timed. rh_profile_clear. */
void rh_plan_charged(const rh_plan_entry *entry, const rh_profile *study, rh_profile *charged);

/* Whether these are all known; with time.jitter measured, whether they are fitted, too. */
bool rh_plan_is_timed(const rh_plan_entry *entry, const rh_profile *study);

/* "fat-tree-64 16 dpsgd qsgd seed 1 lr=0.1", with ", timing only" where that is so: the entry in a line of progress. */
void rh_plan_label(const rh_plan_entry *entry, rh_text *out);

#endif
