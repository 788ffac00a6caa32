/* Setup: the data, model and device of a resolved run, without a simulation. */
#ifndef RH_SETUP_H
#define RH_SETUP_H

#include "run.h"

typedef struct rh_setup {
  const rh_backend *backend; /* what run.backend stands for here */
  int threads;               /* what run.threads stands for here */
  int64_t memory_bytes;      /* what run.memory stands for here */
  rh_dataset dataset;        /* owned */
  rh_model model;
  int64_t segment_length[RH_SEGMENTS_MAX];
  rh_layout layout; /* borrows segment_length: a setup is not copied */
} rh_setup;

/* Loads and checks the data set, builds the model. Starts no thread and no simulation, so that `run` can do it before
 * anything is created. Errors are the loaders' and the model's. On failure `setup` is empty. */
RH_CHECKED rh_status rh_setup_init(const rh_run *run, rh_setup *setup);
void rh_setup_clear(rh_setup *setup);

/* The replicas' definition of a run; partition and stop are left to the caller. Their memory is what run.memory leaves
 * beside the data set and the method's state. */
rh_replicas_def rh_setup_replicas(const rh_setup *setup, const rh_run *run);

/* Bytes that the run would take at least, and with the largest useful chunk: data set, replicas, method's state. */
void rh_setup_predict(const rh_setup *setup, const rh_run *run, int64_t *least_bytes, int64_t *most_bytes);

#endif
