/* Norm layers: group norm, EvoNorm-S0 and Range-EvoNorm, all over groups of neighbouring channels of one sample. */
#include "model.h"

static rh_norm shape(const rh_layer *layer, int64_t batch)
{
  return (rh_norm){.kind = layer->norm,
                   .batch = batch,
                   .channels = layer->out.channels,
                   .places = layer->out.height * layer->out.width,
                   .groups = layer->groups};
}

/* Operations a value; an exponential, a root or a comparison is one; what is done once a group is not counted.
 *
 * forward     group: mean 1, variance 3, y 3.  evonorm-s0: mean 1, variance 3, sigmoid 4, q 1, y 2.
 *             range-evonorm: maximum and minimum 2, clip 5, q 1, y 2
 * gradients   the same up to q, then the sums of dy, dy q and dy dq/dv 1 + 2 + 2 (group: no v), dq/dv 3 (range: 2)
 * input       evonorm-s0: dq/dx 4, dy dq/dx 1, scaled 1, through s 3.  group: scaled 1, through s and the mean 4.
 *             range-evonorm: dq/dx 2, dy dq/dx 1, scaled 1 */
static const struct {
  double forward, gradients, input;
} flop[] = {[RH_NORM_GROUP] = {7, 8, 5}, [RH_NORM_EVO_S0] = {11, 17, 9}, [RH_NORM_RANGE_EVO] = {10, 15, 4}};

static double forward_flop(const rh_layer *layer)
{
  return flop[layer->norm].forward * (double)rh_shape_count(layer->out);
}

static double backward_flop(const rh_layer *layer, bool with_input)
{
  return (flop[layer->norm].gradients + (with_input ? flop[layer->norm].input : 0)) *
         (double)rh_shape_count(layer->out);
}

static void forward(const rh_layer *layer, const rh_backend *backend, int64_t batch, int64_t count, rh_tensor params,
                    rh_tensor x, rh_tensor y, rh_tensor scratch)
{
  (void)scratch;
  const rh_norm n = shape(layer, batch);
  backend->norm_forward(&n, count, x, rh_layer_view(params, layer->weight_offset),
                        rh_layer_view(params, layer->bias_offset), rh_layer_view(params, layer->v_offset), y);
}

static void backward(const rh_layer *layer, const rh_backend *backend, int64_t batch, int64_t count, rh_tensor params,
                     rh_tensor x, rh_tensor y, rh_tensor dy, rh_tensor grads, rh_tensor dx, rh_tensor scratch)
{
  (void)y, (void)scratch; /* y may hold what a rectifier made of it */
  const rh_norm n = shape(layer, batch);
  backend->norm_backward(&n, count, x, rh_layer_view(params, layer->weight_offset),
                         rh_layer_view(params, layer->v_offset), dy, rh_layer_view(grads, layer->weight_offset),
                         rh_layer_view(grads, layer->bias_offset), rh_layer_view(grads, layer->v_offset), dx);
}

const rh_layer_kind rh_layer_norm = {.name = "norm",
                                     .forward_flop = forward_flop,
                                     .backward_flop = backward_flop,
                                     .forward = forward,
                                     .backward = backward};
