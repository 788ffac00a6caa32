/* The steps that are timed; for measure*.c alone. */
#ifndef RH_MEASURE_PRIVATE_H
#define RH_MEASURE_PRIVATE_H

#include "code.h"
#include "factor.h"
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

/* What steps work on: a replica after its first gradient. */
typedef struct measure_bench {
  const rh_run *run;
  const rh_setup *setup;
  rh_workspace *workspace;
  float *x, *moments[RH_MOMENTS_MAX], *g, *y; /* [stride] each; where rows live; moments that the optimiser keeps */
  float *pass_x, *pass_g;                     /* x and g where passes are computed: the same where rows live there */
  double clip;                                /* factor of the last update */
  double *square;                             /* squared norm of g, where rows live on a device; else NULL */
  float *state;                               /* of the compressor, the largest bucket's; on a device with `length` */
  float *common;                              /* of summable messages, likewise */
  uint8_t *wire;                              /* the longest message or contribution */
  void *scratch;
  int64_t
      *length; /* of a message that a device makes where rows live, as wire and scratch then are its own; else NULL */
  uint32_t *places;                /* of all buckets' messages that the device makes; NULL: the compressor draws none */
  rh_factors factors;              /* at full rank, of methods that factorise */
  float *factor_a, *factor_b, *da; /* of all of them, where rows live, as room [n + 1] of the largest */
  float *room, *singular;          /* singular: the program's, likewise */
  rh_mask *mask;                   /* NULL without one */
  int64_t wire_bytes;
  int index;
} measure_bench;

RH_CHECKED rh_status
measure_bench_init(measure_bench *b); /* of b->run and b->setup; on failure it is to be cleared, too */
void measure_bench_clear(measure_bench *b);

/* A bucket's message (measure.c): what its encoder is given, the same of one that a device makes, the bytes between two
 * such messages, the places of one whose compressor draws them, and whether it is made by measure_lowrank. */
rh_coding measure_coding(const measure_bench *b, int bucket);
rh_code measure_code(const measure_bench *b, int bucket);
int64_t measure_message_stride(const measure_bench *b, int bucket);
int64_t measure_place_count(const measure_bench *b, int bucket);
bool measure_is_lowrank(const measure_bench *b);

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
