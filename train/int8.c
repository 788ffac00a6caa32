#include "int8.h"

/* Streams of a step: two a layer. Fixed, so that the numbers do not hang on how many layers a model may have. */
enum { STREAMS = 256 };
_Static_assert(2 * RH_TRAINED_LAYERS_MAX <= STREAMS, "each layer has a stream for its input and one for its gradient");

/* Stream for the r-th replica of the tile. */
static rh_rng stream_of(const rh_rounding *rounding, int64_t r, int layer, bool gradient)
{
  return rh_rng_stream(rounding->seed, RH_PURPOSE_ROUND, rounding->rank + (uint32_t)r,
                       rounding->step * STREAMS + 2 * (uint64_t)layer + gradient);
}

/* Whether a tensor is the weight of a product, which is what masks are made of. */
static bool may_be_masked(const rh_model *model, const rh_segment *segment)
{
  for (int l = 0; l < model->layer_count; l++)
    if (rh_layer_is_product(&model->layers[l]) && model->layers[l].weight_offset == segment->offset) return true;
  return false;
}

static rh_tensor from(rh_tensor rows, int64_t offset)
{
  return (rh_tensor){rows.data + offset, rows.stride};
}

void rh_int8_parameters(const rh_model *model, const rh_backend *backend, bool sparse, int64_t count, rh_tensor params,
                        rh_tensor rounded)
{
  for (int s = 0; s < model->segment_count; s++) {
    const rh_segment *segment = &model->segments[s];
    const bool masked = sparse && may_be_masked(model, segment);
    if (!rh_backend_on_host(backend)) {
      const rh_quantising q = {.nonzero = masked, .samples = 1, .n = segment->count, .values = segment->count};
      backend->quantise(&q, NULL, count, from(params, segment->offset), from(rounded, segment->offset), NULL, 0);
      continue;
    }
    for (int64_t r = 0; r < count; r++) {
      const float *const x = params.data + r * params.stride + segment->offset;
      float *const y = rounded.data + r * rounded.stride + segment->offset;
      if (masked)
        rh_quantise_nearest_nonzero(rh_range_of_nonzero(x, segment->count), segment->count, x, y);
      else
        rh_quantise_nearest(rh_range_of(x, segment->count), segment->count, x, y);
    }
  }
}

void rh_int8_input(const rh_model *model, const rh_backend *backend, int layer, const rh_rounding *rounding,
                   int64_t batch, int64_t count, rh_tensor x, rh_tensor y)
{
  const int64_t n = rh_shape_count(model->layers[layer].in);
  if (!rh_backend_on_host(backend)) {
    const rh_quantising q = {.stochastic = true, .samples = batch, .n = n, .values = batch * n};
    const rh_rng stream = stream_of(rounding, 0, layer, false);
    rh_range *const running = rounding->ranges ? rounding->ranges + layer : NULL;
    backend->quantise(&q, &stream, count, x, y, running, model->layer_count);
    return;
  }
  for (int64_t r = 0; r < count; r++) {
    rh_rng rng = stream_of(rounding, r, layer, false);
    const rh_range range = rh_range_of_samples(x.data + r * x.stride, batch, n);
    if (rounding->ranges) {
      rh_range *const running = &rounding->ranges[r * model->layer_count + layer];
      *running = rh_range_follow(*running, range);
    }
    rh_quantise_stochastic(range, &rng, batch * n, x.data + r * x.stride, y.data + r * y.stride);
  }
}

void rh_int8_evaluated_input(const rh_model *model, const rh_backend *backend, int layer, const rh_rounding *rounding,
                             int64_t batch, int64_t samples, rh_tensor x, rh_tensor y)
{
  const int64_t n = rh_shape_count(model->layers[layer].in);
  if (!rh_backend_on_host(backend)) {
    const rh_quantising q = {.evaluates = true, .samples = samples, .n = n, .values = batch * n};
    backend->quantise(&q, NULL, 1, x, y, rounding->ranges ? rounding->ranges + layer : NULL, 0);
    return;
  }
  rh_range range = rounding->ranges ? rounding->ranges[layer] : RH_RANGE_NONE;
  if (!rh_range_is_known(range)) range = rh_range_of_samples(x.data, samples, n);
  rh_quantise_nearest(range, batch * n, x.data, y.data);
}

void rh_int8_gradient(const rh_model *model, const rh_backend *backend, int layer, const rh_rounding *rounding,
                      int64_t batch, int64_t count, rh_tensor dy)
{
  const int64_t n = batch * rh_shape_count(model->layers[layer].out);
  if (!rh_backend_on_host(backend)) {
    const rh_quantising q = {.stochastic = true, .samples = 1, .n = n, .values = n};
    const rh_rng stream = stream_of(rounding, 0, layer, true);
    backend->quantise(&q, &stream, count, dy, dy, NULL, 0);
    return;
  }
  for (int64_t r = 0; r < count; r++) {
    float *const values = dy.data + r * dy.stride;
    rh_rng rng = stream_of(rounding, r, layer, true);
    rh_quantise_stochastic(rh_range_of(values, n), &rng, n, values, values);
  }
}
