/* Setup: the data, model and device of a resolved run, without a simulation. */
#ifndef RH_SETUP_H
#define RH_SETUP_H

#include "run.h"

typedef struct rh_setup {
  const rh_backend *backend; /* what run.backend stands for here: it computes gradients and scores */
  const rh_backend *rows;    /* where rows live: there, or, of a method that touches them, in the program's memory */
  int threads;               /* what run.threads stands for here */
  int64_t memory_bytes;      /* what run.memory stands for here */
  rh_dataset dataset;        /* owned; empty in a run of timing alone */
  rh_model model;
  int64_t segment_length[RH_SEGMENTS_MAX], segment_rows[RH_SEGMENTS_MAX];
  rh_layout layout; /* of the whole model; borrows the arrays above, as the buckets do: a setup is not copied */
  float *initial;   /* [stride] of run.init; owned; NULL without one */
  int32_t bucket_count;
  rh_bucket buckets[RH_BUCKETS_MAX];
} rh_setup;

/* Loads and checks the data set, builds the model, cuts it into buckets, and checks what the method, the compressor and
 * error feedback ask of each other. Starts no thread and no simulation, so that `run` can do it before
 * anything is created. Errors are the loaders' and the model's. On failure `setup` is empty. */
RH_CHECKED rh_status rh_setup_init(const rh_run *run, rh_setup *setup);
/* Everything that the data set, the model and the device depend on, and the memory that they take: runs with the same
 * key can share a setup. Owned by the caller. */
char *rh_setup_key(const rh_run *run);
/* Fits a setup to another run with the same data, model and device: its buckets, the parameters that it starts from,
 * and the checks. On failure the setup is still there, to be cleared or fitted again. */
RH_CHECKED rh_status rh_setup_adapt(rh_setup *setup, const rh_run *run);
void rh_setup_clear(rh_setup *setup);

/* Backend and its library, for whoever reads or repeats the results; "none" of timing alone, where neither computes. */
const char *rh_setup_backend(const rh_setup *setup, const rh_run *run);
const char *rh_setup_kernel(const rh_setup *setup, const rh_run *run);

/* What the method says of its options with these buckets, for whoever reads the results; NULL: nothing. */
const char *rh_setup_warning(const rh_setup *setup, const rh_run *run);

/* The replicas' definition of a run on a platform whose workers are in so many zones (0: not known yet); partition and
 * stop are left to the caller. Their memory is what run.memory leaves beside the data set and the method's state. */
rh_replicas_def rh_setup_replicas(const rh_setup *setup, const rh_run *run, int32_t zones);

/* Bytes that the run would take at least, and with the largest useful chunk: data set, replicas, method's state; 0 of
 * timing alone. */
void rh_setup_predict(const rh_setup *setup, const rh_run *run, int64_t *least_bytes, int64_t *most_bytes);

#endif
