/* Low-rank factors of a model's weights: W = A B.
 *
 * Symbols     W a weight's matrix view, transposed where it has more columns than rows: m x n with m >= n; r rank;
 *             A m x r, B r x n, both row-major; S singular values
 * A weight (out, in, kernel, kernel) is seen as (out, in * kernel * kernel). All 1-D tensors (views of one column:
 * biases, norms) stay dense, and the first and the last weight unless asked for. Which weights are factored, and their
 * largest rank n, follows from the model alone.
 *
 *     split       W = U S V^T (economy),  A = U sqrt(S),  B = sqrt(S) V^T,  of the r largest singular values
 *     gradient    dA = dW B^T,  dB = A^T dW
 *
 * The factors of a whole model lie one after the other in two vectors, A's and B's, each matrix at its offset for the
 * current ranks: no gaps, so that what travels is contiguous.
 * Source      Coquelin et al., AB-training, arXiv 2405.01067
 */
#ifndef RH_FACTOR_H
#define RH_FACTOR_H

#include "model.h"

typedef struct rh_factor {
  int segment;                /* of the model */
  bool transposed;            /* the weight's matrix view is W^T */
  int64_t m, n;               /* m >= n */
  int64_t rank;               /* r, 1..n */
  int64_t a_offset, b_offset; /* of this matrix in the vectors of factors, at the current ranks */
} rh_factor;

typedef struct rh_factors {
  int count; /* 0: nothing to factorise */
  rh_factor list[RH_SEGMENTS_MAX];
  int64_t full_values;        /* F: sum m n */
  int64_t dense_values;       /* D: P - F */
  int64_t a_values, b_values; /* sum m r, sum r n, at the current ranks */
} rh_factors;

/* Which weights are factored; every rank is n. dense_ends: the first and the last weight stay dense. */
void rh_factors_plan(const rh_model *model, bool dense_ends, rh_factors *factors);
/* The same from a list of segments, for models that cannot be trained here. */
void rh_factors_plan_segments(const rh_segment *segments, int count, bool dense_ends, rh_factors *factors);
/* Sets ranks [count], 1..n each, and the offsets that follow. */
void rh_factors_set_ranks(rh_factors *factors, const int64_t *ranks);
/* Length of A's and B's vectors with full ranks: room for any ranks. */
int64_t rh_factors_a_room(const rh_factors *factors);
int64_t rh_factors_b_room(const rh_factors *factors);
/* (a_values + b_values + D) / P. */
double rh_factors_ratio(const rh_factors *factors);

/* The backend's split of one weight of a parameter row, W = U S V^T. All but the last argument lie in the backend's
 * memory.
 *
 * parameters  a parameter row of the model; the factor's rank is not looked at
 * a, b        U sqrt(S) [m][n], sqrt(S) V^T [n][n]; out
 * room        [n + 1], overwritten
 * s           the program's [n + 1]: S descending, then no value of use; out
 * returns     RH_EINVAL if the SVD does not converge or, in the program's memory, a value is not finite (the weight is
 *             named; on a device the caller has looked), RH_ENOMEM, RH_EDEVICE
 * bits        repeat for one kernel of a backend, on any thread */
RH_CHECKED rh_status rh_factor_split(const rh_model *model, const rh_backend *backend, const rh_factor *factor,
                                     const float *parameters, float *a, float *b, float *room, float *s);
/* Values that the largest of these splits takes while it runs: a matrix and the library's room, of which 4 n^2 counts.
 * Source: sgesdd's documentation (JOBZ = 'S'). */
int64_t rh_factors_split_values(const rh_factors *factors);
/* Number of singular values s [n], descending, above cut * s[0]; at least 1. */
int64_t rh_factor_rank(const float *s, int64_t n, double cut);
/* Takes the first r columns of a [m][n] and rows of b [n][n], as rh_factor_split leaves them, into A [m][r] and
 * B [r][n] of `count` vectors of factors. */
void rh_factor_crop(const rh_backend *backend, const rh_factor *factor, int64_t count, const float *a_full,
                    const float *b_full, rh_tensor a, rh_tensor b);
/* Moments of A [m][r] (or B [r][n]) after a change of rank: cropped or zero-padded. from and to may not overlap. */
void rh_factor_resize_a(const rh_backend *backend, int64_t m, int64_t count, int64_t from_rank, rh_tensor from,
                        int64_t to_rank, rh_tensor to);
void rh_factor_resize_b(const rh_backend *backend, int64_t n, int64_t count, int64_t from_rank, rh_tensor from,
                        int64_t to_rank, rh_tensor to);

/* The rest: of `count` parameter rows, gradient rows and vectors of factors at once. */

/* The weight in parameter rows = A B, with vectors a and b of all factors. */
void rh_factor_compose(const rh_model *model, const rh_backend *backend, const rh_factor *factor, int64_t count,
                       rh_tensor a, rh_tensor b, rh_tensor parameters);
/* dA = dW B^T from gradient rows, into vectors da of all factors; likewise dB = A^T dW. */
void rh_factor_gradient_a(const rh_model *model, const rh_backend *backend, const rh_factor *factor, int64_t count,
                          rh_tensor gradient, rh_tensor b, rh_tensor da);
void rh_factor_gradient_b(const rh_model *model, const rh_backend *backend, const rh_factor *factor, int64_t count,
                          rh_tensor gradient, rh_tensor a, rh_tensor db);

/* flop of the passes above for all factors at their current ranks: 2 m r n each; of the SVD of all of them, stated as
 * 14 m n^2 + 8 n^3 (Golub, Van Loan, Matrix computations, 4th ed., table 8.6.1: R-SVD with U1). */
double rh_factors_product_flop(const rh_factors *factors);
double rh_factors_split_flop(const rh_factors *factors);

#endif
