/* Rectifier: y = max(x, 0). The model gives it one buffer for x and y, and one for dx and dy. */
#include "model.h"

/* One comparison a value, each way. */
static double forward_flop(const rh_layer *layer)
{
  return (double)rh_shape_count(layer->out);
}

static double backward_flop(const rh_layer *layer, bool with_input)
{
  return with_input ? (double)rh_shape_count(layer->out) : 0;
}

static void forward(const rh_layer *layer, const rh_backend *backend, int64_t batch, int64_t count, rh_tensor params,
                    rh_tensor x, rh_tensor y, rh_tensor scratch)
{
  (void)params, (void)scratch;
  backend->relu_forward(batch * rh_shape_count(layer->out), count, x, y);
}

static void backward(const rh_layer *layer, const rh_backend *backend, int64_t batch, int64_t count, rh_tensor params,
                     rh_tensor x, rh_tensor y, rh_tensor dy, rh_tensor grads, rh_tensor dx, rh_tensor scratch)
{
  (void)params, (void)x, (void)grads, (void)scratch;
  if (dx.data) backend->relu_backward(batch * rh_shape_count(layer->out), count, y, dy, dx);
}

const rh_layer_kind rh_layer_relu = {.name = "relu",
                                     .forward_flop = forward_flop,
                                     .backward_flop = backward_flop,
                                     .forward = forward,
                                     .backward = backward};
