/* Valid convolution with square kernels and stride 1, w [out channels][in channels][kernel][kernel]. */
#include "model.h"

static rh_conv shape(const rh_layer *layer, int64_t batch)
{
  return (rh_conv){.batch = batch,
                   .in_channels = layer->in.channels,
                   .height = layer->in.height,
                   .width = layer->in.width,
                   .out_channels = layer->out.channels,
                   .kernel = layer->kernel};
}

/* Each weight meets each place of an output plane once. */
static double product_flop(const rh_layer *layer)
{
  return 2.0 * (double)layer->weight_count * (double)(layer->out.height * layer->out.width);
}

static double forward_flop(const rh_layer *layer)
{
  return product_flop(layer) + (double)rh_shape_count(layer->out);
}

static double backward_flop(const rh_layer *layer, bool with_input)
{
  return (with_input ? 2 : 1) * product_flop(layer) + (double)rh_shape_count(layer->out);
}

static int64_t scratch_size(const rh_layer *layer, const rh_backend *backend, int64_t batch)
{
  const rh_conv c = shape(layer, batch);
  return backend->conv_scratch(&c);
}

static void forward(const rh_layer *layer, const rh_backend *backend, int64_t batch, int64_t count, rh_tensor params,
                    rh_tensor x, rh_tensor y, rh_tensor scratch)
{
  const rh_conv c = shape(layer, batch);
  backend->conv_forward(&c, count, x, rh_layer_view(params, layer->weight_offset),
                        rh_layer_view(params, layer->bias_offset), y, scratch);
}

static void backward(const rh_layer *layer, const rh_backend *backend, int64_t batch, int64_t count, rh_tensor params,
                     rh_tensor x, rh_tensor y, rh_tensor dy, rh_tensor grads, rh_tensor dx, rh_tensor scratch)
{
  (void)y;
  const rh_conv c = shape(layer, batch);
  backend->conv_backward(&c, count, x, rh_layer_view(params, layer->weight_offset), dy,
                         rh_layer_view(grads, layer->weight_offset), rh_layer_view(grads, layer->bias_offset), dx,
                         scratch);
}

const rh_layer_kind rh_layer_conv = {.name = "conv",
                                     .scratch = scratch_size,
                                     .forward_flop = forward_flop,
                                     .backward_flop = backward_flop,
                                     .forward = forward,
                                     .backward = backward};
