/* Optimisers: how a gradient becomes a step.
 *
 * Symbols     x parameters, g gradient, t steps done so far counting this one (from 1), lr learning rate
 *
 *     sgd      u = momentum u + (g + decay x)
 *              x = x - lr u                            nesterov: x = x - lr (g + decay x + momentum u)
 *     adamw    m = beta1 m + (1 - beta1) g,  v = beta2 v + (1 - beta2) g^2
 *              x = x - lr (decay x + (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon))
 *
 * All are element by element: a step on a part of a row is that part of the step on the row.
 * Source      sgd: Sutskever et al., ICML 2013, in PyTorch's form; adamw: Loshchilov, Hutter, Decoupled weight decay
 *             regularization, ICLR 2019
 */
#ifndef RH_OPTIM_H
#define RH_OPTIM_H

#include "backend.h"
#include "option.h"

enum rh_optimiser_kind { RH_OPTIMISER_SGD, RH_OPTIMISER_ADAMW };
enum { RH_MOMENTS_MAX = 2 };

typedef struct rh_optimiser {
  int kind;                     /* enum rh_optimiser_kind */
  double momentum;              /* of sgd */
  bool nesterov;                /* of sgd */
  double beta1, beta2, epsilon; /* of adamw */
  double decay;                 /* weight decay: added to the gradient (sgd) or to the step (adamw) */
  double clip;                  /* largest Euclidean norm of a gradient, longer ones are scaled down; 0: any length */
} rh_optimiser;

/* Rows `optimiser`, `momentum`, `nesterov`, `beta1`, `beta2`, `epsilon`, `decay`, `clip` of section `train`. */
extern const rh_option rh_optimiser_rows[];
extern const size_t rh_optimiser_row_count;

/* Rows of the size of x that it keeps: 1 (u) or 2 (m, v). */
int rh_optimiser_moments(const rh_optimiser *optimiser);

/* One step on n values. moments [rh_optimiser_moments] rows of n; step is t above; g is not changed. */
void rh_optimiser_step(const rh_optimiser *optimiser, const rh_backend *backend, int64_t n, float *x,
                       float *const *moments, const float *g, double lr, int64_t step);

/* The same step on `count` rows; moments [rh_optimiser_moments] tensors. */
void rh_optimiser_step_rows(const rh_optimiser *optimiser, const rh_backend *backend, int64_t n, int64_t count,
                            rh_tensor x, const rh_tensor *moments, rh_tensor g, double lr, int64_t step);

/* What a gradient of this squared norm is multiplied with before a step: 1, or clip / norm.
 * Source: Pascanu, Mikolov, Bengio, ICML 2013, in PyTorch's form. */
double rh_optimiser_clip(const rh_optimiser *optimiser, double squared_norm);

/* |g|^2 over n values in 16 interleaved partial sums: the same bits wherever it is computed. */
double rh_squared_norm(int64_t n, const float *g);

#endif
