/* How vectors become messages, in numbers: for devices that code them on their own.
 *
 * train/compress has formulas, wire formats and claims, and fills this (rh_compressor.code); backend.h has the
 * operations.
 * bits        the bytes of a message, and the values it says, are those of the program's own encoders, but for the
 *             bits of a NaN
 */
#ifndef RH_CODE_H
#define RH_CODE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum rh_code_kind {
  RH_CODE_FP16, /* 16 bits a value */
  RH_CODE_BF16,
  RH_CODE_INT,  /* uniform levels over a segment's range */
  RH_CODE_QSGD, /* levels of a bucket's norm */
  RH_CODE_TERNGRAD,
  RH_CODE_SIGN,      /* signs times a constant, of the whole vector */
  RH_CODE_EF_SIGN,   /* signs times a segment's mean magnitude */
  RH_CODE_COSINE,    /* angles */
  RH_CODE_TOPK,      /* largest magnitudes with their places */
  RH_CODE_THRESHOLD, /* magnitudes of at least a bound, with their places */
  RH_CODE_DGC, /* as topk, of what waits: x is [2][d], momentum and what waits, both zeroed where values were sent */
  RH_CODE_LOWRANK, /* products of thin factors (thin.h): not by encode and decode, but by operations on those */
  RH_CODE_RANDOMK  /* values at places that all know; messages are f32 and can be added */
} rh_code_kind;

/* How places are written; compress/index.h has the formats. */
typedef enum rh_index_layout {
  RH_INDEX_AUTO,
  RH_INDEX_U32,
  RH_INDEX_U16,
  RH_INDEX_BITMAP,
  RH_INDEX_PACKED
} rh_index_layout;

typedef struct rh_code {
  rh_code_kind kind;
  int bits;               /* of a value on the wire: int, qsgd, cosine */
  bool stochastic;        /* of int */
  int64_t bucket;         /* of qsgd: values that share a norm; 0: a segment's */
  double parameter;       /* terngrad: clip; sign: magnitude; topk, dgc, randomk: ratio; threshold: it */
  bool relative;          /* of threshold: it is in units of a segment's root mean square */
  bool scaled;            /* of randomk: decoded values are multiplied by d / k of their segment, */
  double factor;          /* and by this: 1 of a message, 1 / N of the sum of N */
  const uint32_t *places; /* of randomk: [k] of each segment, from its start, ascending; the device's; borrowed */
  rh_index_layout index;  /* of topk, threshold and dgc */
  int64_t rank;           /* of lowrank: most columns of a factor, */
  bool warm;              /* the right one of which starts from the last round's, */
  const int64_t *rows;    /* and [count] rows of each segment; borrowed */
  int32_t count;          /* of segments */
  const int64_t *length;  /* [count] values of each; borrowed */
  int64_t values;         /* d, their sum */
} rh_code;

#endif
