/* Max pooling over squares that do not overlap. */
#include "model.h"

static rh_pool shape(const rh_layer *layer, int64_t batch)
{
  return (rh_pool){.batch = batch,
                   .channels = layer->in.channels,
                   .height = layer->in.height,
                   .width = layer->in.width,
                   .side = layer->kernel};
}

/* One comparison for each value of a square. */
static double forward_flop(const rh_layer *layer)
{
  return (double)(rh_shape_count(layer->out) * layer->kernel * layer->kernel);
}

/* The place of the maximum is searched again. */
static double backward_flop(const rh_layer *layer, bool with_input)
{
  return with_input ? forward_flop(layer) : 0;
}

static void forward(const rh_layer *layer, const rh_backend *backend, int64_t batch, int64_t count, rh_tensor params,
                    rh_tensor x, rh_tensor y, rh_tensor scratch)
{
  (void)params, (void)scratch;
  const rh_pool p = shape(layer, batch);
  backend->pool_forward(&p, count, x, y);
}

static void backward(const rh_layer *layer, const rh_backend *backend, int64_t batch, int64_t count, rh_tensor params,
                     rh_tensor x, rh_tensor y, rh_tensor dy, rh_tensor grads, rh_tensor dx, rh_tensor scratch)
{
  (void)params, (void)y, (void)grads, (void)scratch;
  const rh_pool p = shape(layer, batch);
  if (dx.data) backend->pool_backward(&p, count, x, dy, dx);
}

const rh_layer_kind rh_layer_pool = {.name = "pool",
                                     .forward_flop = forward_flop,
                                     .backward_flop = backward_flop,
                                     .forward = forward,
                                     .backward = backward};
