#include "model_table.h"

#include <stdio.h>
#include <string.h>

enum { ROW_ALIGNMENT = 16 }; /* elements, as of other models */

static double forward_flop(const rh_layer *layer)
{
  return layer->flop;
}

/* The gradient of the weight and that of the input; of products without a weight, of both factors. */
static double backward_flop(const rh_layer *layer, bool with_input)
{
  return layer->weight_count == 0 || with_input ? 2 * layer->flop : layer->flop;
}

static const rh_layer_kind layer_table = {
    .name = "table", .forward_flop = forward_flop, .backward_flop = backward_flop};

void rh_table_begin(rh_model *model, const char *name, rh_shape input)
{
  *model = (rh_model){.name = name, .table = true, .input = input};
}

static rh_layer *add_layer(rh_model *model, const char *name, rh_shape in, rh_shape out)
{
  RH_ASSERT(model->layer_count < RH_LAYERS_MAX);
  rh_layer *layer = &model->layers[model->layer_count++];
  RH_ASSERT(strlen(name) < sizeof layer->name);
  *layer =
      (rh_layer){.kind = &layer_table, .in = in, .out = out, .weight_offset = -1, .bias_offset = -1, .v_offset = -1};
  memcpy(layer->name, name, strlen(name) + 1);
  return layer;
}

static int64_t add_segment(rh_model *model, const char *layer, const char *what, int64_t rows, int64_t columns)
{
  RH_ASSERT(model->segment_count < RH_SEGMENTS_MAX && rows > 0 && columns > 0);
  rh_segment *segment = &model->segments[model->segment_count++];
  *segment = (rh_segment){.offset = model->parameters, .count = rows * columns, .rows = rows, .columns = columns};
  char name[sizeof segment->name];
  snprintf(name, sizeof name, "%.23s.%s", layer, what);
  memcpy(segment->name, name, sizeof name);
  model->parameters += segment->count;
  return segment->offset;
}

static void add_weight(rh_model *model, rh_layer *layer, const char *what, int64_t rows, int64_t columns, bool bias)
{
  layer->weight_count = rows * columns;
  layer->weight_offset = add_segment(model, layer->name, what, rows, columns);
  if (!bias) return;
  layer->bias_count = rows;
  layer->bias_offset = add_segment(model, layer->name, "bias", rows, 1);
}

static int64_t side(int64_t in, int64_t kernel, int64_t step, int64_t pad)
{
  RH_ASSERT(in + 2 * pad >= kernel);
  return (in + 2 * pad - kernel) / step + 1;
}

rh_shape rh_table_pool(rh_shape in, int64_t square, int64_t step, int64_t pad)
{
  return (rh_shape){in.channels, side(in.height, square, step, pad), side(in.width, square, step, pad)};
}

rh_shape rh_table_add_conv(rh_model *model, const char *name, rh_shape in, int64_t channels, int64_t kernel,
                           int64_t step, int64_t pad, bool bias)
{
  const rh_shape out = {channels, side(in.height, kernel, step, pad), side(in.width, kernel, step, pad)};
  rh_layer *layer = add_layer(model, name, in, out);
  layer->kernel = kernel;
  add_weight(model, layer, "weight", channels, in.channels * kernel * kernel, bias);
  layer->flop = 2.0 * (double)layer->weight_count * (double)(out.height * out.width);
  return out;
}

rh_shape rh_table_add_norm(rh_model *model, const char *name, rh_shape in, bool bias)
{
  add_weight(model, add_layer(model, name, in, in), "gain", in.channels, 1, bias);
  return in;
}

rh_shape rh_table_add_dense(rh_model *model, const char *name, rh_shape in, int64_t outputs, bool bias)
{
  const rh_shape out = {outputs, in.height, in.width};
  rh_layer *layer = add_layer(model, name, in, out);
  add_weight(model, layer, "weight", outputs, in.channels, bias);
  layer->flop = 2.0 * (double)layer->weight_count * (double)(in.height * in.width);
  return out;
}

rh_shape rh_table_add_lookup(rh_model *model, const char *name, rh_shape in, int64_t rows, int64_t columns,
                             rh_shape out)
{
  add_weight(model, add_layer(model, name, in, out), "weight", rows, columns, false);
  return out;
}

rh_shape rh_table_add_products(rh_model *model, const char *name, rh_shape in, double multiply_adds)
{
  add_layer(model, name, in, in)->flop = 2 * multiply_adds;
  return in;
}

void rh_table_end(rh_model *model)
{
  model->stride = (model->parameters + ROW_ALIGNMENT - 1) / ROW_ALIGNMENT * ROW_ALIGNMENT;
}
