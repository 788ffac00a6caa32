/* A resolved run: every option of a study file, typed, checked, and complete with its defaults. */
#ifndef RH_RUN_H
#define RH_RUN_H

#include "charge.h"
#include "rate.h"
#include "store.h"
#include "world.h"

/* Steps and messages that run.trace records of a run: some 25 MB in the database, what a viewer opens at once. */
#define RH_TRACE_MAX   200000
#define RH_TEXT_OF(x)  RH_TEXT_OF_(x)
#define RH_TEXT_OF_(x) #x

enum rh_jitter { RH_JITTER_OFF, RH_JITTER_MEASURED, RH_JITTER_FACTOR };
enum rh_time_source { RH_TIME_MEASURED, RH_TIME_PROFILE, RH_TIME_FLOPS };
enum rh_compute { RH_COMPUTE_REAL, RH_COMPUTE_NONE };

/* Options of the fixed sections; option rows in resolve.c. Text is borrowed from `settings`. */
typedef struct rh_platform_options {
  const char *file;
  int64_t workers;
  const char *hostfile, *deployment;
} rh_platform_options;

typedef struct rh_network_options {
  const char *model; /* "" : the platform file's */
  int protocol;      /* enum rh_protocol */
  int collective;    /* enum rh_allreduce_choice */
  const char *torus; /* "8x8"; "": as square as the workers allow */
  int64_t shards;    /* of collective server */
  bool steady;       /* steady states are skipped */
} rh_network_options;

typedef struct rh_graph_options {
  bool directed;
  int weights; /* enum rh_weights */
} rh_graph_options;

typedef struct rh_train_options {
  int64_t rounds, batch;
  int arithmetic; /* enum rh_arithmetic */
  rh_rate rate;
  rh_optimiser optimiser;
  rh_mask_options mask;
  double label_smoothing;    /* share of the target that is spread over all classes, 0..1 */
  int64_t evaluate_every;    /* rounds */
  int64_t evaluate_replicas; /* sample size for min/median/max */
  int64_t evaluate_samples;  /* test samples; 0: all */
} rh_train_options;

typedef struct rh_time_options {
  int source;           /* enum rh_time_source */
  const char *profile;  /* of source profile: file, or the name of one that comes with the program; else "" */
  const char *jitter;   /* as written */
  int jitter_kind;      /* enum rh_jitter */
  double jitter_factor; /* coefficient of variation */
  int64_t draw;         /* which of many drawings of the same run */
  double efficiency;    /* of source flops: share of a host's speed that training reaches, 0..1 */
  double int8_speedup;  /* of source flops: operations on 8-bit values for one on f32 */
} rh_time_options;

enum rh_run_backend { RH_RUN_AUTO, RH_RUN_CPU, RH_RUN_REF, RH_RUN_CUDA }; /* choices of run.backend */

typedef struct rh_run_options {
  int compute;  /* enum rh_compute */
  int backend;  /* enum rh_run_backend */
  int products; /* rh_cuda_products (cuda/module.h), of backend cuda */
  int64_t threads;
  double memory; /* bytes; 0: half of the machine's */
  int64_t seed;
  const char *trace;               /* "FROM..TO", rounds; "": none */
  int64_t trace_first, trace_last; /* read from it, from 1; 0: none */
  const char *init, *save;         /* model files (model_file.h); "": none */
} rh_run_options;

typedef struct rh_stop_options {
  double accuracy; /* 0: none */
} rh_stop_options;

typedef struct rh_run {
  char id[17];            /* set by the parent when input files and durations are known; "" before */
  char *study, *question; /* owned */
  char *directory;        /* of the study file, for relative paths; owned */
  rh_settings settings;   /* owned */
  rh_platform_options platform;
  char *platform_path, *hostfile_path, *deployment_path; /* found files; owned; NULL if not given */
  rh_network_options network;
  const rh_graph_kind *graph_kind; /* NULL if the method needs none */
  void *graph_kind_options;        /* owned, as the other void * */
  char *graph_path;                /* found file of the graph's edges; owned; NULL if it reads none */
  rh_graph_options graph;
  const rh_dataset_kind *dataset_kind;
  void *dataset_options;
  rh_partition_def partition;
  const rh_model_kind *model_kind;
  void *model_options;
  const rh_method *method;
  void *method_options;
  rh_train_options train;
  const rh_compressor *compressor;
  void *compressor_options;
  rh_feedback_options feedback;
  rh_time_options time;
  char *init_path;    /* found file of run.init; owned; NULL without one */
  char *profile_path; /* found file of source profile; owned; NULL for other sources */
  rh_run_options run;
  rh_stop_options stop;
} rh_run;

/* Resolves settings into a run: every section checked against its rows, components looked up by name with the nearest
 * name in the message, files found (beside the study, then as given, then in the installed share directory).
 * The settings are copied. On failure `run` is empty. */
RH_CHECKED rh_status rh_run_resolve(const rh_settings *settings, const char *study, const char *question,
                                    const char *directory, rh_run *run);
void rh_run_clear(rh_run *run);

/* A run of timing alone, without values (run.compute: none): no data, no replicas, no accuracy and no loss. */
bool rh_run_is_timing_only(const rh_run *run);
/* RH_EUNSUPPORTED, with the remedy, for what such a run cannot do, and for layer tables in any other run. */
RH_CHECKED rh_status rh_run_check_compute(const rh_run *run);

/* The graphs of the run's rounds, empty if its method needs none. Errors of rh_graph_sequence_new; RH_EINVAL or
 * RH_EUNSUPPORTED for weights or changing graphs that the method cannot use. */
RH_CHECKED rh_status rh_run_graphs(const rh_run *run, rh_graph_sequence *graphs);

/* Canonical "section.key=value" lines of the whole run: reads back (after resolving) to the same lines. */
void rh_run_write(const rh_run *run, rh_text *out);

/* "measured", "profile" or "flops". */
const char *rh_run_time_source(const rh_run *run);

/* Option rows of a fixed section ("platform", "network", "graph", "train", "time", "run", "stop"), for help; those of
 * the optimiser, of the learning rate and of masks, which section `train` has as well, are rh_optimiser_rows,
 * rh_rate_rows and rh_mask_rows. */
const rh_option *rh_run_section(const char *section, size_t *count);

/* Finds a file: beside `directory`, as given, in share/`kind` of the installation or of the source tree.
 * RH_EIO names all places that were tried. Owned by the caller. */
RH_CHECKED rh_status rh_find_file(const char *name, const char *directory, const char *kind, char **path);

#endif
