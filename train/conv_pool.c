#include "conv_pool.h"

static rh_conv shape(const rh_layer *layer, int64_t batch)
{
  return (rh_conv){.batch = batch,
                   .in_channels = layer->in.channels,
                   .height = layer->in.height,
                   .width = layer->in.width,
                   .out_channels = layer->out.channels,
                   .kernel = layer->kernel};
}

/* In int8 the products' inputs are rounded between layers, which is not done inside. */
int64_t rh_conv_pool_scratch(const rh_model *model, int layer, const rh_backend *backend, int64_t batch)
{
  const rh_layer *l = &model->layers[layer];
  if (!backend->conv_pool_scratch || model->arithmetic != RH_FP32 || layer + RH_CONV_POOL_LAYERS > model->layer_count ||
      l[0].kind != &rh_layer_conv || l[1].kind != &rh_layer_relu || l[2].kind != &rh_layer_pool || l[2].kernel != 2)
    return -1;
  const rh_conv c = shape(l, batch);
  return backend->conv_pool_scratch(&c);
}

int64_t rh_conv_pool_places(const rh_model *model, int layer, int64_t batch)
{
  const int64_t values = batch * rh_shape_count(model->layers[layer + RH_CONV_POOL_LAYERS - 1].out);
  return (values + (int64_t)sizeof(float) - 1) / (int64_t)sizeof(float);
}

void rh_conv_pool_forward(const rh_layer *layer, const rh_backend *backend, int64_t batch, int64_t count,
                          rh_tensor params, rh_tensor x, rh_tensor y, rh_tensor places, rh_tensor scratch)
{
  const rh_conv c = shape(layer, batch);
  backend->conv_pool_forward(&c, count, x, rh_layer_view(params, layer->weight_offset),
                             rh_layer_view(params, layer->bias_offset), y, places, scratch);
}

void rh_conv_pool_backward(const rh_layer *layer, const rh_backend *backend, int64_t batch, int64_t count,
                           rh_tensor params, rh_tensor x, rh_tensor dy, rh_tensor places, rh_tensor grads, rh_tensor dx,
                           rh_tensor scratch)
{
  const rh_conv c = shape(layer, batch);
  backend->conv_pool_backward(&c, count, x, rh_layer_view(params, layer->weight_offset), dy, places,
                              rh_layer_view(grads, layer->weight_offset), rh_layer_view(grads, layer->bias_offset), dx,
                              scratch);
}
