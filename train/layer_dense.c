/* Fully connected layer: y = x w^T + b, w [outputs][inputs]. */
#include "model.h"

static rh_dense shape(const rh_layer *layer, int64_t batch)
{
  return (rh_dense){.batch = batch, .inputs = rh_shape_count(layer->in), .outputs = rh_shape_count(layer->out)};
}

static double product_flop(const rh_layer *layer)
{
  return 2.0 * (double)layer->weight_count;
}

/* The product, and one addition for each bias. */
static double forward_flop(const rh_layer *layer)
{
  return product_flop(layer) + (double)layer->bias_count;
}

static double backward_flop(const rh_layer *layer, bool with_input)
{
  return (with_input ? 2 : 1) * product_flop(layer) + (double)layer->bias_count;
}

static void forward(const rh_layer *layer, const rh_backend *backend, int64_t batch, int64_t count, rh_tensor params,
                    rh_tensor x, rh_tensor y, rh_tensor scratch)
{
  (void)scratch;
  const rh_dense d = shape(layer, batch);
  backend->dense_forward(&d, count, x, rh_layer_view(params, layer->weight_offset),
                         rh_layer_view(params, layer->bias_offset), y);
}

static bool forward_pixels(const rh_layer *layer, const rh_backend *backend, int64_t batch, int64_t count,
                           rh_tensor params, const rh_pixels *pixels, rh_tensor x, rh_tensor y)
{
  const rh_dense d = shape(layer, batch);
  return backend->dense_forward_pixels &&
         backend->dense_forward_pixels(&d, count, pixels, x, rh_layer_view(params, layer->weight_offset),
                                       rh_layer_view(params, layer->bias_offset), y);
}

static void backward(const rh_layer *layer, const rh_backend *backend, int64_t batch, int64_t count, rh_tensor params,
                     rh_tensor x, rh_tensor y, rh_tensor dy, rh_tensor grads, rh_tensor dx, rh_tensor scratch)
{
  (void)y, (void)scratch;
  const rh_dense d = shape(layer, batch);
  backend->dense_backward(&d, count, x, rh_layer_view(params, layer->weight_offset), dy,
                          rh_layer_view(grads, layer->weight_offset), rh_layer_view(grads, layer->bias_offset), dx);
}

const rh_layer_kind rh_layer_dense = {.name = "dense",
                                      .forward_flop = forward_flop,
                                      .backward_flop = backward_flop,
                                      .forward = forward,
                                      .forward_pixels = forward_pixels,
                                      .backward = backward};
