/* Counter-based random numbers: Philox4x32-10.
 *
 * stream = f(seed, purpose, rank, step). Adding a rank or a purpose changes no other stream, the order in which streams
 * are used does not matter, and a GPU draws the same integers.
 *
 * source      Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011
 */
#ifndef RH_RNG_H
#define RH_RNG_H

#include <stdint.h>

/* What a stream is for. New purposes go at the end: the numbers are part of every result. */
typedef enum rh_purpose {
  RH_PURPOSE_INIT = 1,  /* initial parameters */
  RH_PURPOSE_DATA,      /* generated samples */
  RH_PURPOSE_PARTITION, /* who holds which sample */
  RH_PURPOSE_SHUFFLE,   /* order of a worker's samples within an epoch */
  RH_PURPOSE_COMPRESS,  /* stochastic rounding of messages */
  RH_PURPOSE_SAMPLE,    /* which replicas are evaluated */
  RH_PURPOSE_GRAPH,     /* random graphs */
  RH_PURPOSE_TEST,      /* test programs only */
  RH_PURPOSE_SHARED,    /* what all workers draw alike in a round: indices, warm starts */
  RH_PURPOSE_ROUND,     /* stochastic rounding within a training step */
  RH_PURPOSE_BOOTSTRAP, /* resampling in comparisons */
  RH_PURPOSE_MASK,      /* random masks of weights */
  RH_PURPOSE_PLATFORM,  /* devices and links of a generated platform */
  RH_PURPOSE_JITTER     /* durations of steps */
} rh_purpose;

typedef struct rh_rng {
  uint32_t key[2];     /* the seed */
  uint32_t counter[4]; /* block, step low, rank, purpose << 24 | step high */
  uint32_t block[4];   /* the current four numbers */
  int used;            /* of the four */
} rh_rng;

/* seed any, rank < 2^32, step < 2^56. A stream holds 2^34 numbers. */
rh_rng rh_rng_stream(uint64_t seed, rh_purpose purpose, uint32_t rank, uint64_t step);

uint32_t rh_rng_u32(rh_rng *rng);
float rh_rng_f32(rh_rng *rng);                           /* [0, 1), multiples of 2^-24 */
double rh_rng_f64(rh_rng *rng);                          /* [0, 1), multiples of 2^-53; takes two numbers */
uint32_t rh_rng_below(rh_rng *rng, uint32_t n);          /* 0..n-1 without bias (Lemire's rejection); n > 0 */
double rh_rng_normal(rh_rng *rng);                       /* mean 0, variance 1 (Box-Muller, one of the pair) */
void rh_rng_shuffle(rh_rng *rng, int32_t *x, int64_t n); /* Fisher-Yates, from the end */

/* Fills x[n] with the stream's next u32, many blocks at a time: the fast path of encoders. */
void rh_rng_fill_u32(rh_rng *rng, uint32_t *x, int64_t n);

/* Fills x[n] with 16-bit numbers, two of each u32, the low half first; of an odd last one the high half is lost. */
void rh_rng_fill_u16(rh_rng *rng, uint16_t *x, int64_t n);

#endif
