/* What a model's passes cost: operations by the width of what they work on, and bytes that stay between the passes. */
#include "int8.h"

/* Softmax cross-entropy of one sample, for each class: maximum, difference, exponential, sum, quotient. */
enum { LOSS_FLOP = 5, LOSS_BACKWARD_FLOP = 1 };

/* Scale and offset of a quantised tensor. */
enum { SCALE_BYTES = 8 };

bool rh_model_wants_input_gradient(const rh_model *model, int layer)
{
  for (int l = 0; l < layer; l++)
    if (model->layers[l].weight_count > 0) return true;
  return false;
}

double rh_model_forward_flop(const rh_model *model)
{
  double flop = LOSS_FLOP * (double)model->classes;
  for (int l = 0; l < model->layer_count; l++)
    flop += model->layers[l].kind->forward_flop(&model->layers[l]);
  return flop;
}

double rh_model_backward_flop(const rh_model *model)
{
  double flop = LOSS_BACKWARD_FLOP * (double)model->classes;
  for (int l = 0; l < model->layer_count; l++)
    flop += model->layers[l].kind->backward_flop(&model->layers[l], rh_model_wants_input_gradient(model, l));
  return flop;
}

/* Whether an 8-bit unit can do a layer's sums of products. A norm's quotients and roots stay in f32. */
static bool multiplies_int8(const rh_model *model, const rh_layer *layer)
{
  return model->arithmetic == RH_INT8 && rh_layer_is_product(layer);
}

rh_work rh_model_forward_work(const rh_model *model, int64_t batch)
{
  const double samples = (double)batch;
  rh_work work = {.flop = samples * rh_model_forward_flop(model)};
  if (model->arithmetic == RH_FP32) return work;
  work.flop += RH_QUANTISE_NEAREST_FLOP * (double)model->parameters;
  for (int l = 0; l < model->layer_count; l++) {
    const rh_layer *layer = &model->layers[l];
    if (layer->weight_count == 0) continue;
    work.flop += RH_QUANTISE_STOCHASTIC_FLOP * samples * (double)rh_shape_count(layer->in);
    if (!multiplies_int8(model, layer)) continue;
    work.int8_op += samples * layer->kind->forward_flop(layer);
    work.flop -= samples * layer->kind->forward_flop(layer);
  }
  return work;
}

rh_work rh_model_backward_work(const rh_model *model, int layer, int64_t batch)
{
  const rh_layer *l = &model->layers[layer];
  const double samples = (double)batch;
  const bool below = rh_model_wants_input_gradient(model, layer);
  rh_work work = {.flop = samples * l->kind->backward_flop(l, below)};
  if (model->arithmetic == RH_FP32 || l->weight_count == 0 || !below) return work;
  work.flop += RH_QUANTISE_STOCHASTIC_FLOP * samples * (double)rh_shape_count(l->out);
  if (!multiplies_int8(model, l)) return work;
  work.int8_op = samples * (l->kind->backward_flop(l, true) - l->kind->backward_flop(l, false));
  work.flop -= work.int8_op;
  return work;
}

rh_work rh_model_step_work(const rh_model *model, int64_t batch)
{
  rh_work work = rh_model_forward_work(model, batch);
  work.flop += LOSS_BACKWARD_FLOP * (double)(batch * model->classes);
  for (int l = 0; l < model->layer_count; l++) {
    const rh_work layer = rh_model_backward_work(model, l, batch);
    work.flop += layer.flop;
    work.int8_op += layer.int8_op;
  }
  return work;
}

int64_t rh_model_weight_bytes(const rh_model *model)
{
  if (model->arithmetic == RH_INT8) return model->parameters + SCALE_BYTES * model->segment_count;
  return model->parameters * (int64_t)sizeof(float);
}

int64_t rh_model_activation_bytes(const rh_model *model, int64_t batch)
{
  int64_t bytes = 0;
  for (int l = 0; l < model->layer_count; l++) {
    if (model->layers[l].weight_count == 0) continue;
    const int64_t values = batch * rh_shape_count(model->layers[l].in);
    bytes += model->arithmetic == RH_INT8 ? values + SCALE_BYTES : values * (int64_t)sizeof(float);
  }
  return bytes;
}
