/* Building a model layer by layer: shapes, the places of its parameters, their initial values, its cost. */
#include "model.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { ROW_ALIGNMENT = 16 }; /* elements; 64 bytes */

int64_t rh_shape_count(rh_shape shape)
{
  return shape.channels * shape.height * shape.width;
}

rh_status rh_model_begin(rh_model *model, const char *name, rh_shape input, int64_t classes)
{
  *model = (rh_model){.name = name, .input = input, .classes = classes};
  /* Sides of at most 2^15 keep every count of one sample below 2^63; the limits of BLAS are checked for each layer. */
  const int64_t most = 1 << 15;
  if (input.channels < 1 || input.height < 1 || input.width < 1 || input.channels > most || input.height > most ||
      input.width > most)
    return rh_error(RH_EINVAL,
                    "model %s: an input of %" PRId64 "x%" PRId64 "x%" PRId64 " is out of range: sides 1 to %d", name,
                    input.height, input.width, input.channels, (int)most);
  if (classes < 2 || classes > most)
    return rh_error(RH_EINVAL, "model %s: %" PRId64 " classes are out of range: 2 to %d", name, classes, (int)most);
  return RH_OK;
}

/* Shape that the next layer is given. */
static rh_shape current_shape(const rh_model *model)
{
  return model->layer_count ? model->layers[model->layer_count - 1].out : model->input;
}

/* Appends a layer without parameters. */
static rh_status add_layer(rh_model *model, const rh_layer_kind *kind, const char *name, rh_shape out, int64_t kernel)
{
  if (model->layer_count == RH_TRAINED_LAYERS_MAX)
    return rh_error(RH_EINVAL, "model %s has more than %d layers", model->name, RH_TRAINED_LAYERS_MAX);
  if (rh_shape_count(out) > INT_MAX)
    return rh_error(RH_EINVAL, "model %s: layer %s has %" PRId64 " outputs; at most %d", model->name, name,
                    rh_shape_count(out), INT_MAX);
  rh_layer *layer = &model->layers[model->layer_count];
  *layer = (rh_layer){.kind = kind,
                      .in = current_shape(model),
                      .out = out,
                      .kernel = kernel,
                      .weight_offset = -1,
                      .bias_offset = -1,
                      .v_offset = -1};
  RH_ASSERT(strlen(name) < sizeof layer->name);
  memcpy(layer->name, name, strlen(name) + 1);
  model->layer_count++;
  return RH_OK;
}

/* Appends one view of the parameter vector and returns its offset. */
static int64_t add_segment(rh_model *model, const char *layer, const char *what, int64_t rows, int64_t columns)
{
  RH_ASSERT(model->segment_count < RH_SEGMENTS_MAX);
  rh_segment *segment = &model->segments[model->segment_count++];
  *segment = (rh_segment){.offset = model->parameters, .count = rows * columns, .rows = rows, .columns = columns};
  char name[sizeof segment->name];
  snprintf(name, sizeof name, "%.23s.%s", layer, what);
  memcpy(segment->name, name, sizeof name);
  model->parameters += segment->count;
  return segment->offset;
}

/* Gives the last layer weights [rows][columns], named `what`, and a bias for each row. */
static rh_status add_parameters(rh_model *model, const char *what, int64_t rows, int64_t columns)
{
  rh_layer *layer = &model->layers[model->layer_count - 1];
  if (columns > INT_MAX / rows || model->parameters + rows * (columns + 1) > INT_MAX)
    return rh_error(RH_EINVAL, "model %s: layer %s makes it larger than %d parameters", model->name, layer->name,
                    INT_MAX);
  layer->weight_count = rows * columns;
  layer->weight_offset = add_segment(model, layer->name, what, rows, columns);
  layer->bias_count = rows;
  layer->bias_offset = add_segment(model, layer->name, "bias", rows, 1);
  return RH_OK;
}

static rh_status check_positive(const rh_model *model, const char *layer, const char *what, int64_t value)
{
  if (value > 0 && value <= INT_MAX) return RH_OK;
  return rh_error(RH_EINVAL, "model %s: layer %s: %" PRId64 " %s are out of range: 1 to %d", model->name, layer, value,
                  what, INT_MAX);
}

rh_status rh_model_add_dense(rh_model *model, const char *name, int64_t outputs)
{
  rh_status status = RH_OK;
  RH_TRY(check_positive(model, name, "outputs", outputs));
  RH_TRY(add_layer(model, &rh_layer_dense, name, (rh_shape){outputs, 1, 1}, 0));
  RH_TRY(add_parameters(model, "weight", outputs, rh_shape_count(model->layers[model->layer_count - 1].in)));
done:
  return status;
}

rh_status rh_model_add_conv(rh_model *model, const char *name, int64_t out_channels, int64_t kernel)
{
  rh_status status = RH_OK;
  const rh_shape in = current_shape(model);
  RH_TRY(check_positive(model, name, "channels", out_channels));
  RH_TRY(check_positive(model, name, "rows of a kernel", kernel));
  if (in.height < kernel || in.width < kernel)
    return rh_error(RH_EINVAL,
                    "model %s: layer %s: a kernel of %" PRId64 "x%" PRId64 " does not fit an image of %" PRId64
                    "x%" PRId64,
                    model->name, name, kernel, kernel, in.height, in.width);
  const rh_shape out = {out_channels, in.height - kernel + 1, in.width - kernel + 1};
  RH_TRY(add_layer(model, &rh_layer_conv, name, out, kernel));
  RH_TRY(add_parameters(model, "weight", out_channels, in.channels * kernel * kernel));
done:
  return status;
}

rh_status rh_model_add_relu(rh_model *model)
{
  char name[24];
  snprintf(name, sizeof name, "relu%d", model->layer_count + 1);
  return add_layer(model, &rh_layer_relu, name, current_shape(model), 0);
}

rh_status rh_model_add_pool(rh_model *model, int64_t side)
{
  char name[24];
  const rh_shape in = current_shape(model);
  snprintf(name, sizeof name, "pool%d", model->layer_count + 1);
  if (side < 1 || in.height < side || in.width < side)
    return rh_error(
        RH_EINVAL, "model %s: layer %s: squares of %" PRId64 "x%" PRId64 " do not fit an image of %" PRId64 "x%" PRId64,
        model->name, name, side, side, in.height, in.width);
  return add_layer(model, &rh_layer_pool, name, (rh_shape){in.channels, in.height / side, in.width / side}, side);
}

/* Largest divisor of `channels` that is at most `groups`. */
static int64_t groups_that_divide(int64_t channels, int64_t groups)
{
  int64_t g = groups < channels ? groups : channels;
  while (channels % g != 0)
    g--;
  return g;
}

rh_status rh_model_add_norm(rh_model *model, const char *name, rh_norm_kind norm, int64_t groups)
{
  rh_status status = RH_OK;
  const rh_shape in = current_shape(model);
  RH_ASSERT(norm > RH_NORM_NONE && norm <= RH_NORM_RANGE_EVO);
  RH_TRY(check_positive(model, name, "groups", groups));
  groups = groups_that_divide(in.channels, groups);
  if (rh_shape_count(in) / groups < 2)
    return rh_error(RH_EINVAL,
                    "model %s: layer %s: %" PRId64 " groups of %" PRId64
                    " values have one value each, and a norm needs two; take fewer groups",
                    model->name, name, groups, rh_shape_count(in));
  RH_TRY(add_layer(model, &rh_layer_norm, name, in, 0));
  rh_layer *layer = &model->layers[model->layer_count - 1];
  layer->norm = norm;
  layer->groups = groups;
  RH_TRY(add_parameters(model, "gain", in.channels, 1));
  if (norm != RH_NORM_GROUP) layer->v_offset = add_segment(model, name, "v", in.channels, 1);
done:
  return status;
}

rh_status rh_model_end(rh_model *model)
{
  if (rh_shape_count(current_shape(model)) != model->classes)
    return rh_error(RH_EINVAL, "model %s ends with %" PRId64 " outputs for %" PRId64 " classes", model->name,
                    rh_shape_count(current_shape(model)), model->classes);
  if (model->parameters == 0) return rh_error(RH_EINVAL, "model %s has no parameters", model->name);
  model->stride = (model->parameters + ROW_ALIGNMENT - 1) / ROW_ALIGNMENT * ROW_ALIGNMENT;
  return RH_OK;
}

/* A norm begins as the plain one: y = q / s. */
static void init_norm(const rh_layer *layer, float *row)
{
  for (int64_t c = 0; c < layer->weight_count; c++) {
    row[layer->weight_offset + c] = 1;
    if (layer->v_offset >= 0) row[layer->v_offset + c] = 1;
  }
}

void rh_model_init_parameters(const rh_model *model, uint64_t seed, float *row)
{
  memset(row, 0, (size_t)model->stride * sizeof *row);
  for (int l = 0; l < model->layer_count; l++) {
    const rh_layer *layer = &model->layers[l];
    if (layer->norm != RH_NORM_NONE) init_norm(layer, row);
    if (layer->weight_count == 0 || layer->norm != RH_NORM_NONE) continue;
    /* He: variance 2 / inputs of one output. One stream a layer, so that a layer's values do not depend on the others.
     */
    const double deviation = sqrt(2 * (double)layer->bias_count / (double)layer->weight_count);
    rh_rng rng = rh_rng_stream(seed, RH_PURPOSE_INIT, 0, (uint64_t)l);
    for (int64_t i = 0; i < layer->weight_count; i++)
      row[layer->weight_offset + i] = (float)(deviation * rh_rng_normal(&rng));
  }
}
