/* The arenas of replicas.h, for replicas*.c alone. */
#ifndef RH_REPLICAS_PRIVATE_H
#define RH_REPLICAS_PRIVATE_H

#include "batches.h"
#include "replicas.h"

/* Samples of one evaluation batch: fixed, so that scores do not depend on the training batch. */
enum { SCORE_BATCH = 64 };

typedef struct rh_replicas_device rh_replicas_device;

struct rh_replicas {
  rh_replicas_def def;
  int64_t tile; /* replicas of one call of the model's passes */
  int64_t chunk, bytes;
  float *parameters;                  /* [def.copies][stride]; owned */
  float *moments[RH_MOMENTS_MAX];     /* [def.copies][stride] each that the optimiser keeps, else NULL; owned */
  int32_t copies;                     /* in use */
  int32_t *copy_of;                   /* [N]; owned */
  bool sparse;                        /* zeros of weights are masked values */
  int32_t *indices;                   /* [threads][tile][B] samples of a call; owned */
  int32_t *calls;                     /* [N + 1] workers at which calls of the model's passes start; owned */
  float *grads;                       /* [chunk][stride]; owned */
  rh_workspace **training, **scoring; /* [threads] each; owned */
  rh_batches batches;
  rh_tree_sum *sum; /* owned */
  rh_range
      *ranges; /* [N + 1][layer_count] in int8, by worker, the last row for their mean, in the memory of the passes;
                       owned; NULL in fp32 */
  rh_replicas_device *device; /* of passes on a device; owned; else NULL */
  double *values;             /* [N] results of items, by worker; owned */
  int64_t *hits;              /* [N] likewise; owned */
};

/* Where gradients and scores are computed. */
static inline const rh_backend *rh_replicas_passes(const rh_replicas_def *def)
{
  return def->passes ? def->passes : def->backend;
}

/* Of one row of an arena. */
static inline int64_t row_bytes(const rh_model *model)
{
  return model->stride * (int64_t)sizeof(float);
}

static inline bool stopped(const rh_replicas *replicas)
{
  return replicas->def.stop && *replicas->def.stop;
}

static inline rh_status check_stop(const rh_replicas *replicas)
{
  return stopped(replicas) ? rh_error(RH_EINTERRUPTED, "interrupted") : RH_OK;
}

#endif
