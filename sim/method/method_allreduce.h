/* What the two halves of `allreduce` share: values (method_allreduce.c) and time (method_allreduce_time.c). */
#ifndef RH_METHOD_ALLREDUCE_H
#define RH_METHOD_ALLREDUCE_H

#include "masking.h"

enum allreduce_gather { ALLREDUCE_GATHER_ALL, ALLREDUCE_GATHER_SERVER };

typedef struct allreduce_options {
  double bucket_bytes; /* 0: the whole model */
  bool overlap;
  int gather;
} allreduce_options;

typedef struct allreduce_state {
  const rh_world *world;     /* borrowed */
  const rh_backend *backend; /* where rows live; borrowed */
  rh_aggregate *aggregate;
  rh_masking *masking; /* NULL without a mask */
  rh_tree_sum *sum;    /* to average errors; of gradients where rows live on a device */
  float *mean;         /* [stride] where rows live */
  float *x;            /* [stride] the model, with feedback step-ahead; else NULL: it is the replicas' only copy */
  float *evaluated;    /* the same as the program can read it */
  bool averages;       /* this round averages the errors */
  double *loss;        /* [N] */
  rh_token *ready;     /* [buckets][N] when a bucket's message exists, and later when what came of it has arrived */
} allreduce_state;

/* Appends what the ranks do in this round, and for how long; the world is the masking's where there is one. */
void allreduce_append(rh_world *world, allreduce_state *state);

#endif
