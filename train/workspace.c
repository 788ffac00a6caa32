/* Workspaces, and the passes over a model's layers that run in them.
 *
 * activation[l] holds the input of layer l for every replica of a tile, activation[layer_count] the logits;
 * gradient[l] holds the loss's derivative with respect to activation[l]. A rectifier works in place: it shares both
 * buffers with the layer below, whose backward pass does not look at its own output. Nothing is computed below the
 * first layer with parameters. Where layers l to l + 2 are one operation (conv_pool.h), activation[l + 1] holds the
 * places of maxima, and there is nothing between it and activation[l + 3]; the backward pass of layer l is that of
 * all three.
 *
 * In int8, layer l with parameters reads input[l], a quantised copy of activation[l], and quantised parameters; from
 * the gradient[l+1] that reaches it its parameters' gradients are made first, and only then is it quantised, in place,
 * for gradient[l]. The copy is separate since the rectifier below needs its own output, not the quantised one.
 */
#include <stdlib.h>

#include "conv_pool.h"
#include "int8.h"

enum { ALIGNMENT = 16 }; /* elements; 64 bytes */

struct rh_workspace {
  const rh_backend *backend; /* borrowed */
  int64_t batch, tile;
  double label_smoothing;
  char *memory; /* owned: all that follows */
  int32_t *labels;
  double *loss;
  int64_t *correct;
  rh_tensor activation[RH_TRAINED_LAYERS_MAX + 1], gradient[RH_TRAINED_LAYERS_MAX + 1], scratch;
  rh_tensor input[RH_TRAINED_LAYERS_MAX]; /* what layer l reads */
  rh_tensor rounded;                      /* [tile][stride of the model]: parameters in int8 */
  rh_rounding rounding;
  rh_pixels pixels; /* of the next forward pass; bytes NULL: its input is there */
};

/* Whether a layer's passes are those of int8. */
static bool in_int8(const rh_model *model, int layer)
{
  return model->arithmetic == RH_INT8 && model->layers[layer].weight_count > 0;
}

static int64_t round_up(int64_t elements)
{
  return (elements + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Lowest layer whose gradients are wanted. */
static int first_trained(const rh_model *model)
{
  int l = 0;
  while (model->layers[l].weight_count == 0)
    l++;
  return l;
}

/* Takes [tile][elements] f32 from the block that starts at `memory`, aligned to 64 bytes; with NULL only counts. */
static rh_tensor take(char *memory, int64_t *used_bytes, int64_t elements, int64_t tile)
{
  rh_tensor tensor = {memory ? (float *)(void *)(memory + *used_bytes) : NULL, elements};
  *used_bytes += round_up(elements * tile) * (int64_t)sizeof(float);
  return tensor;
}

/* The convolution whose operation includes the layer: the layer itself, or one or two below it; -1: none does. */
static int convolution_of(const rh_workspace *ws, const rh_model *model, int layer)
{
  for (int l = layer; l >= 0 && l > layer - RH_CONV_POOL_LAYERS; l--)
    if (rh_conv_pool_scratch(model, l, ws->backend, ws->batch) >= 0) return l;
  return -1;
}

/* Elements of a replica's input of a layer, or of the last one's output, or of what takes its place inside an
 * operation. */
static int64_t activation_size(const rh_workspace *ws, const rh_model *model, int layer, bool *inside)
{
  const int first = layer > 0 ? convolution_of(ws, model, layer - 1) : -1;
  *inside = first >= 0 && layer < first + RH_CONV_POOL_LAYERS;
  if (*inside) return rh_conv_pool_places(model, first, ws->batch);
  return ws->batch *
         rh_shape_count(layer < model->layer_count ? model->layers[layer].in : model->layers[layer - 1].out);
}

/* Lays out a workspace in `memory` and returns its bytes; with NULL only the bytes are right. */
static int64_t lay_out(rh_workspace *ws, const rh_model *model, char *memory)
{
  int64_t used = 0;
  int64_t scratch = 0;
  const int first = first_trained(model);
  for (int l = 0; l <= model->layer_count; l++) {
    const bool in_place = l > 0 && model->layers[l - 1].kind == &rh_layer_relu;
    bool inside;
    const int64_t elements = activation_size(ws, model, l, &inside);
    ws->activation[l] = in_place && l > 1 ? ws->activation[l - 1] : take(memory, &used, elements, ws->tile);
    ws->gradient[l] = (rh_tensor){0};
    if (l <= first || inside) continue;
    ws->gradient[l] = in_place && l > first + 1 ? ws->gradient[l - 1] : take(memory, &used, elements, ws->tile);
  }
  for (int l = 0; l < model->layer_count; l++) {
    const rh_layer *layer = &model->layers[l];
    ws->input[l] = ws->activation[l];
    if (in_int8(model, l)) ws->input[l] = take(memory, &used, ws->batch * rh_shape_count(layer->in), ws->tile);
    const int64_t need = layer->kind->scratch ? layer->kind->scratch(layer, ws->backend, ws->batch) : 0;
    if (need > scratch) scratch = need;
    const int64_t of_three = rh_conv_pool_scratch(model, l, ws->backend, ws->batch);
    if (of_three > scratch) scratch = of_three;
  }
  if (model->arithmetic == RH_INT8) ws->rounded = take(memory, &used, model->stride, ws->tile);
  ws->scratch = take(memory, &used, round_up(scratch), ws->tile); /* each replica's part is aligned */
  ws->labels = (int32_t *)(void *)take(memory, &used, ws->batch * ws->tile, 1).data;
  ws->loss = (double *)(void *)take(memory, &used, 2 * ws->tile, 1).data;
  ws->correct = (int64_t *)(void *)take(memory, &used, 2 * ws->tile, 1).data;
  return used;
}

int64_t rh_workspace_bytes(const rh_model *model, const rh_backend *backend, int64_t batch, int64_t tile)
{
  rh_workspace plan = {.backend = backend, .batch = batch, .tile = tile};
  return (int64_t)sizeof plan + lay_out(&plan, model, NULL);
}

rh_status rh_workspace_new(const rh_model *model, const rh_backend *backend, int64_t batch, int64_t tile,
                           rh_workspace **workspace)
{
  RH_ASSERT(batch > 0 && tile > 0);
  const int64_t bytes = rh_workspace_bytes(model, backend, batch, tile);
  rh_workspace *ws = calloc(1, sizeof *ws);
  char *memory = ws ? backend->alloc((size_t)bytes) : NULL;
  if (!memory) {
    free(ws);
    char text[32];
    return rh_error(RH_ENOMEM, "no memory for a workspace of %s (model %s, batch %lld)",
                    rh_unit_format((double)bytes, RH_UNIT_BYTE, text, sizeof text), model->name, (long long)batch);
  }
  *ws = (rh_workspace){.backend = backend, .batch = batch, .tile = tile, .memory = memory};
  lay_out(ws, model, memory);
  *workspace = ws;
  return RH_OK;
}

void rh_workspace_free(rh_workspace *workspace)
{
  if (!workspace) return;
  workspace->backend->release(workspace->memory);
  free(workspace);
}

float *rh_workspace_input(rh_workspace *workspace)
{
  return workspace->activation[0].data;
}

int32_t *rh_workspace_labels(rh_workspace *workspace)
{
  return workspace->labels;
}

void rh_workspace_set_pixels(rh_workspace *workspace, const rh_pixels *pixels)
{
  RH_ASSERT(rh_backend_on_host(workspace->backend));
  workspace->pixels = *pixels;
}

void rh_workspace_fill(rh_workspace *workspace, int64_t count, const float *x, const int32_t *labels)
{
  const int64_t inputs = workspace->activation[0].stride;
  RH_ASSERT(count > 0 && count <= workspace->tile);
  rh_backend_upload(workspace->backend, workspace->activation[0].data, x, (size_t)(count * inputs) * sizeof *x);
  rh_backend_upload(workspace->backend, workspace->labels, labels, (size_t)(count * workspace->batch) * sizeof *labels);
}

void rh_workspace_smooth_labels(rh_workspace *workspace, double share)
{
  RH_ASSERT(share >= 0 && share <= 1);
  workspace->label_smoothing = share;
}

void rh_workspace_set_rounding(rh_workspace *workspace, const rh_rounding *rounding)
{
  workspace->rounding = *rounding;
}

/* Makes the input from pixels, where they are what there is; returns whether the first layer has had its forward pass
 * with it. */
static bool take_pixels(const rh_model *model, rh_workspace *ws, int64_t count, rh_tensor params)
{
  const rh_layer *first = &model->layers[0];
  const rh_pixels pixels = ws->pixels;
  ws->pixels = (rh_pixels){0};
  if (!pixels.bytes) return false;
  RH_ASSERT(pixels.size == rh_shape_count(model->input));
  if (first->kind->forward_pixels && model->arithmetic == RH_FP32 &&
      first->kind->forward_pixels(first, ws->backend, ws->batch, count, params, &pixels, ws->activation[0],
                                  ws->activation[1]))
    return true;
  rh_pixels_values(&pixels, count * ws->batch, ws->activation[0].data);
  return false;
}

/* samples: of an evaluation, of one replica; 0 in training. */
static void forward_layers(const rh_model *model, rh_workspace *ws, int64_t count, int64_t samples, rh_tensor params)
{
  if (model->arithmetic == RH_INT8) {
    rh_int8_parameters(model, ws->backend, ws->rounding.sparse, count, params, ws->rounded);
    params = ws->rounded;
  }
  for (int l = take_pixels(model, ws, count, params) ? 1 : 0; l < model->layer_count; l++) {
    if (convolution_of(ws, model, l) == l) {
      rh_conv_pool_forward(&model->layers[l], ws->backend, ws->batch, count, params, ws->input[l],
                           ws->activation[l + RH_CONV_POOL_LAYERS], ws->activation[l + 1], ws->scratch);
      l += RH_CONV_POOL_LAYERS - 1;
      continue;
    }
    if (in_int8(model, l) && samples > 0)
      rh_int8_evaluated_input(model, ws->backend, l, &ws->rounding, ws->batch, samples, ws->activation[l],
                              ws->input[l]);
    else if (in_int8(model, l))
      rh_int8_input(model, ws->backend, l, &ws->rounding, ws->batch, count, ws->activation[l], ws->input[l]);
    model->layers[l].kind->forward(&model->layers[l], ws->backend, ws->batch, count, params, ws->input[l],
                                   ws->activation[l + 1], ws->scratch);
  }
}

static void forward_with_loss(const rh_model *model, rh_workspace *ws, int64_t count, rh_tensor params, double *loss,
                              int64_t *correct)
{
  RH_ASSERT(count > 0 && count <= ws->tile);
  forward_layers(model, ws, count, 0, params);
  ws->backend->softmax_cross_entropy(ws->batch, model->classes, count, ws->activation[model->layer_count], ws->labels,
                                     ws->batch, ws->label_smoothing, ws->gradient[model->layer_count], loss, correct);
}

/* Brings the results of a pass home, where they were left in the workspace. */
static void take_results(const rh_workspace *ws, int64_t count, double *loss, int64_t *correct)
{
  if (rh_backend_on_host(ws->backend)) return;
  rh_backend_download(ws->backend, loss, ws->loss, (size_t)count * sizeof *loss);
  rh_backend_download(ws->backend, correct, ws->correct, (size_t)count * sizeof *correct);
}

void rh_model_forward(const rh_model *model, rh_workspace *workspace, int64_t count, rh_tensor params)
{
  forward_with_loss(model, workspace, count, params, workspace->loss, workspace->correct);
}

static void backward(const rh_model *model, rh_workspace *ws, int l, int64_t count, rh_tensor params, rh_tensor grads,
                     rh_tensor dx)
{
  model->layers[l].kind->backward(&model->layers[l], ws->backend, ws->batch, count, params, ws->input[l],
                                  ws->activation[l + 1], ws->gradient[l + 1], grads, dx, ws->scratch);
}

void rh_model_backward_layer(const rh_model *model, rh_workspace *workspace, int layer, int64_t count, rh_tensor params,
                             rh_tensor grads)
{
  rh_workspace *ws = workspace;
  RH_ASSERT(layer >= 0 && layer < model->layer_count && count > 0 && count <= ws->tile);
  if (layer < first_trained(model)) return;
  const int convolution = convolution_of(ws, model, layer);
  if (convolution == layer)
    rh_conv_pool_backward(&model->layers[layer], ws->backend, ws->batch, count, params, ws->input[layer],
                          ws->gradient[layer + RH_CONV_POOL_LAYERS], ws->activation[layer + 1], grads,
                          ws->gradient[layer], ws->scratch);
  if (convolution >= 0) return;
  if (!in_int8(model, layer)) {
    backward(model, ws, layer, count, params, grads, ws->gradient[layer]);
    return;
  }
  backward(model, ws, layer, count, ws->rounded, grads, (rh_tensor){0});
  if (!ws->gradient[layer].data) return;
  rh_int8_gradient(model, ws->backend, layer, &ws->rounding, ws->batch, count, ws->gradient[layer + 1]);
  backward(model, ws, layer, count, ws->rounded, (rh_tensor){0}, ws->gradient[layer]);
}

static void gradient(const rh_model *model, rh_workspace *ws, int64_t count, rh_tensor params, rh_tensor grads,
                     double *loss, int64_t *correct)
{
  forward_with_loss(model, ws, count, params, loss, correct);
  for (int l = model->layer_count - 1; l >= 0; l--)
    rh_model_backward_layer(model, ws, l, count, params, grads);
}

/* All that a gradient's calls hang on; in 8 bits that would be the step, too. */
typedef struct gradient_key {
  const rh_model *model;
  const rh_workspace *workspace;
  int64_t count;
  rh_tensor params, grads;
  double label_smoothing;
} gradient_key;

void rh_model_gradient_begin(const rh_model *model, rh_workspace *workspace, int64_t count, rh_tensor params,
                             rh_tensor grads, double *loss, int64_t *correct)
{
  const rh_backend *backend = workspace->backend;
  const gradient_key key = {model, workspace, count, params, grads, workspace->label_smoothing};
  if (rh_backend_on_host(backend)) {
    gradient(model, workspace, count, params, grads, loss, correct);
    return;
  }
  const bool recorded = backend->begin_work && model->arithmetic == RH_FP32;
  bool wanted = !recorded || backend->begin_work(&key, sizeof key);
  while (wanted) {
    gradient(model, workspace, count, params, grads, workspace->loss, workspace->correct);
    wanted = recorded && !backend->end_work();
  }
}

void rh_model_gradient_end(const rh_workspace *workspace, int64_t count, double *loss, int64_t *correct)
{
  take_results(workspace, count, loss, correct);
}

void rh_model_gradient(const rh_model *model, rh_workspace *workspace, int64_t count, rh_tensor params, rh_tensor grads,
                       double *loss, int64_t *correct)
{
  rh_model_gradient_begin(model, workspace, count, params, grads, loss, correct);
  rh_model_gradient_end(workspace, count, loss, correct);
}

void rh_model_evaluate(const rh_model *model, rh_workspace *workspace, rh_tensor params, int64_t samples, double *loss,
                       int64_t *correct)
{
  const bool on_host = rh_backend_on_host(workspace->backend);
  RH_ASSERT(samples > 0 && samples <= workspace->batch);
  forward_layers(model, workspace, 1, samples, params); /* the whole batch: products of one shape give the same bits */
  workspace->backend->softmax_cross_entropy(samples, model->classes, 1, workspace->activation[model->layer_count],
                                            workspace->labels, workspace->batch, 0, (rh_tensor){0},
                                            on_host ? loss : workspace->loss, on_host ? correct : workspace->correct);
  take_results(workspace, 1, loss, correct);
}
