/* The steps that are timed; for measure*.c alone. */
#ifndef RH_MEASURE_PRIVATE_H
#define RH_MEASURE_PRIVATE_H

#include "code.h"
#include "measure.h"

typedef enum step {
  STEP_FORWARD,
  STEP_BACKWARD, /* index: layer */
  STEP_UPDATE,
  STEP_MIX,
  STEP_ENCODE, /* index: 2 bucket + phase */
  STEP_DECODE, /* index: bucket */
  STEP_FEEDBACK,
  STEP_SPLIT,   /* SVD of all factored weights */
  STEP_COMPOSE, /* W = A B of all of them, at full rank */
  STEP_PROJECT, /* the gradients of all A, at full rank */
  STEP_MASK,    /* making one of initial parameters */
  STEP_COUNT
} step;

/* Appends the name of a step's duration; backend NULL: the run's. */
void measure_name(const rh_run *run, const rh_setup *setup, const char *backend, step kind, int index, rh_text *out);

/* How many indices a step has, and which of them a run charges. */
int measure_indices(const rh_setup *setup, step kind);
bool measure_needs(const rh_run *run, step kind, int index);

/* A message of `lowrank` of rows on a device (measure_lowrank.c): of a gradient g, decoded into y; the two phases begin
 * with what everybody does with the sum before, and so does decoding. */
typedef struct measure_lowrank {
  const rh_backend *rows;
  rh_code code;
  rh_rng shared;
  rh_tensor g, y, q; /* q: right factors */
  float *wire;       /* left factors, then the second phase's contribution */
  int64_t *drawn;    /* [1] */
} measure_lowrank;

void measure_lowrank_start(const measure_lowrank *l);
void measure_lowrank_encode(const measure_lowrank *l, int phase);
void measure_lowrank_decode(const measure_lowrank *l);

#endif
