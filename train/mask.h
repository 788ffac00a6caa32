/* Masks: which weights take part in a training step, and in which rounds.
 *
 * Symbols     x parameters [P], d weights that may be masked, s sparsity: the share of them that is zero, t round
 *             (0-based), T rounds in all
 *
 *     magnitude   the d - [s d + 1/2] weights of largest |x|, among all (global) or within each layer
 *     random      as many, drawn by the seed
 *     nm          N of largest |x| of every M neighbours in a row of the weight's matrix; a row's end of less than M
 *                 keeps N of them, too
 *
 * Of equal ones the lower index is kept. Biases, norms and all other vectors are never masked; the first and the last
 * weight are, unless `mask_ends` is off. Rows are outputs, their values in the order of the memory: of a convolution
 * input channel, kernel row, kernel column.
 *
 *     fixed       one mask from round `mask_start` on
 *     gradual     every `mask_every` rounds another one, with s (1 - (1 - (t - start) / (end - start))^3)
 *     ac-dc       dense, then by turns `mask_sparse` rounds with a mask and `mask_dense` without; sparse from
 *                 `mask_end` on. Every sparse turn has its own mask
 *
 * Outside a mask x, gradients and moments are zero; what comes back in a dense turn starts at zero. In int8 weights are
 * masked first and quantised then: the range is that of the weights inside, and the others, which a sparse form does
 * not hold, are exactly zero (int8.h).
 * bits        the same on every machine
 * Source      gradual: Zhu, Gupta, To prune, or not to prune, ICLR workshop 2018; ac-dc: Peste et al., AC/DC, NeurIPS
 *             2021; nm: Mishra et al., Accelerating sparse deep neural networks, arXiv 2104.08378
 */
#ifndef RH_MASK_H
#define RH_MASK_H

#include "model.h"
#include "parts.h"

enum rh_mask_kind { RH_MASK_NONE, RH_MASK_MAGNITUDE, RH_MASK_NM, RH_MASK_RANDOM };
enum rh_mask_schedule { RH_MASK_FIXED, RH_MASK_GRADUAL, RH_MASK_ACDC };
enum rh_mask_scope { RH_MASK_GLOBAL, RH_MASK_LAYER };

typedef struct rh_mask_options {
  int kind;        /* enum rh_mask_kind; option `mask` */
  double sparsity; /* s, 0..1, of magnitude and random */
  int64_t n, m;    /* of nm */
  int scope;       /* enum rh_mask_scope, of magnitude and random */
  bool ends;       /* the first and the last weight are masked, too */
  int schedule;    /* enum rh_mask_schedule */
  int64_t start;   /* rounds before the first mask */
  int64_t end;     /* of gradual: round of the last mask; of ac-dc: first of the last turn; 0: three quarters of T */
  int64_t every;   /* of gradual, rounds */
  int64_t sparse_rounds, dense_rounds; /* of ac-dc: length of a turn */
} rh_mask_options;

/* Rows `mask`, `sparsity`, `mask_*` of section `train`. */
extern const rh_option rh_mask_rows[];
extern const size_t rh_mask_row_count;

/* Refuses masks that leave no weight or mask none, of a layer's own share too, and schedules that do not fit T rounds
 * (an ac-dc without a dense turn is none). */
RH_CHECKED rh_status rh_mask_check(const rh_mask_options *options, const rh_model *model, int64_t rounds);

/* Weights that magnitude and random leave in the end: among all, or, within layers, in the one of fewest. */
int64_t rh_mask_least_kept(const rh_mask_options *options, const rh_model *model);

/* What the schedule says of a round. */
typedef struct rh_mask_turn {
  int64_t number;  /* of the mask: rounds of the same number have the same one */
  bool sparse;     /* there is a mask */
  double sparsity; /* of magnitude and random; 0 where there is none */
} rh_mask_turn;
rh_mask_turn rh_mask_turn_at(const rh_mask_options *options, int64_t t, int64_t rounds);

typedef struct rh_mask rh_mask;

/* A mask that keeps everything. The model is borrowed. */
RH_CHECKED rh_status rh_mask_new(const rh_model *model, rh_mask **mask);
void rh_mask_free(rh_mask *mask);
void rh_mask_parts(rh_mask *mask, const rh_parts *parts);
int64_t rh_mask_bytes(const rh_model *model); /* that it takes */

/* Makes it anew for x [P]; a turn without mask keeps everything. */
void rh_mask_make(rh_mask *mask, const rh_mask_options *options, const rh_mask_turn *turn, uint64_t seed,
                  const float *x);
/* Operations of that, stated: of magnitude a key, two counts and a comparison for each weight; of random the draw (ten
 * rounds of two products for four values) instead of the key; of nm a key and M comparisons. */
double rh_mask_make_flop(const rh_mask_options *options, const rh_model *model);

int64_t rh_mask_bitmap_bytes(const rh_mask_options *options,
                             const rh_model *model); /* a bit for each of the d weights */
const int32_t *rh_mask_inside(const rh_mask *mask);  /* [kept] places of the values inside, ascending */
int64_t rh_mask_kept(const rh_mask *mask);           /* values of P inside */
int64_t rh_mask_kept_of(const rh_mask *mask, int64_t from, int64_t count); /* of so many from an offset on */

/* Zeroes row [stride] outside. */
void rh_mask_apply(const rh_mask *mask, float *row);
/* Moves the values inside to the front of row [stride], in order, and zeroes the rest. */
void rh_mask_pack(const rh_mask *mask, float *row);
/* The way back: the first values to their places, zero elsewhere. */
void rh_mask_unpack(const rh_mask *mask, float *row);

/* Operations that the sparse form of a layer's products saves in a batch: in the forward pass those of masked weights,
 * in int8 their quantising, too; in the backward pass their gradients, which nobody needs and which are made in f32,
 * and their part of the gradient below. */
rh_work rh_mask_forward_saving(const rh_mask *mask, int layer, int64_t batch);
rh_work rh_mask_backward_saving(const rh_mask *mask, int layer, int64_t batch);

#endif
