/* The training step in 8 bits: which tensors are quantised, over which range, with which random numbers.
 *
 *     parameters, tensor by tensor                   smallest and largest value            nearest
 *       masked weights of a sparse model (mask.h)    those of the weights inside alone     stay exactly zero
 *     input of each dense, convolution, norm layer   batch mean of the samples' extremes   stochastic
 *       in an evaluation                             running range, .1 old + .9 new        nearest
 *     gradient that reaches such a layer's output    smallest and largest value            stochastic
 *       for the gradients of its parameters          not quantised (bi-precision)
 *
 * Gradients pass through the quantisers unchanged, those of values outside a range, too (straight-through), and are
 * taken with respect to the f32 parameters, which stay. Rectifiers, pooling and the loss work in f32. Products are made
 * in f32 of quantised values, as the source does: what 8-bit units would compute but for the rounding of f32 sums.
 * On a device its `quantise` does the same to tensors, and to running ranges, of its own memory.
 * Source      Aketi et al., arXiv 2111.09389; that an evaluation rounds to the nearest is ours: a score then depends on
 *             the model alone
 */
#ifndef RH_INT8_H
#define RH_INT8_H

#include "model.h"

/* rounded [count][stride of the model] = the replicas' parameters, quantised; sparse: zeros in the weights of
 * products are
 * masked values. */
void rh_int8_parameters(const rh_model *model, const rh_backend *backend, bool sparse, int64_t count, rh_tensor params,
                        rh_tensor rounded);

/* y [count][B][in] = the input x of a layer, quantised for training; the replicas' running ranges follow. */
void rh_int8_input(const rh_model *model, const rh_backend *backend, int layer, const rh_rounding *rounding,
                   int64_t batch, int64_t count, rh_tensor x, rh_tensor y);
/* The same in an evaluation of one replica: over the running range or, where there is none, that of the first `samples`
 * of the batch. */
void rh_int8_evaluated_input(const rh_model *model, const rh_backend *backend, int layer, const rh_rounding *rounding,
                             int64_t batch, int64_t samples, rh_tensor x, rh_tensor y);

/* dy [count][B][out] of a layer, quantised in place. */
void rh_int8_gradient(const rh_model *model, const rh_backend *backend, int layer, const rh_rounding *rounding,
                      int64_t batch, int64_t count, rh_tensor dy);

#endif
