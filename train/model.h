/* Models: a chain of layers over one flat parameter vector.
 *
 * Symbols     P parameters (without padding), B batch
 * Parameters of a replica are one contiguous f32 vector; each weight or bias is a view at an offset in it. A row of an
 * arena has `stride` elements: P rounded up to 16, the pad is always zero.
 */
#ifndef RH_MODEL_H
#define RH_MODEL_H

#include "backend.h"
#include "option.h"
#include "pixels.h"
#include "quantise.h"

typedef struct rh_shape {
  int64_t channels, height, width; /* a flat vector of n is n x 1 x 1 */
} rh_shape;
int64_t rh_shape_count(rh_shape shape);

typedef struct rh_layer_kind rh_layer_kind;

/* A view of the parameter vector, for compressors ("per layer") and factorisations (matrix view). */
typedef struct rh_segment {
  char name[32];         /* "conv1.weight" */
  int64_t offset;        /* elements from the start of the vector */
  int64_t count;         /* elements */
  int64_t rows, columns; /* matrix view: (out, in * kernel * kernel); biases are count x 1 */
} rh_segment;

typedef struct rh_layer {
  const rh_layer_kind *kind;
  char name[24];
  rh_shape in, out;
  int64_t kernel;        /* side of a convolution or a pooling square, else 0 */
  rh_norm_kind norm;     /* RH_NORM_NONE unless the layer is a norm, whose weight is its gain */
  int64_t groups;        /* of a norm's channels, else 0 */
  int64_t weight_offset; /* in the parameter vector; -1 without weights */
  int64_t weight_count;
  int64_t bias_offset; /* -1 without bias */
  int64_t bias_count;
  int64_t v_offset; /* slopes of an EvoNorm, as many as its gains; else -1 */
  double flop;      /* of a layer table: products and sums of one sample's forward pass; else 0 */
} rh_layer;

/* A layer's view of rows of parameters or gradients; NULL where there are none, or the layer has no such tensor. */
static inline rh_tensor rh_layer_view(rh_tensor rows, int64_t offset)
{
  return rows.data && offset >= 0 ? (rh_tensor){rows.data + offset, rows.stride} : (rh_tensor){0};
}

/* Whether its weight is a matrix that inputs are multiplied with: dense and convolution layers. */
static inline bool rh_layer_is_product(const rh_layer *layer)
{
  return layer->weight_count > 0 && layer->norm == RH_NORM_NONE;
}

/* Of models that are trained, and of layer tables (model_table.h) as well; a layer has at most three segments. */
enum { RH_TRAINED_LAYERS_MAX = 32, RH_LAYERS_MAX = 384, RH_SEGMENTS_MAX = 3 * RH_LAYERS_MAX };

/* How a model is computed: in f32, or with 8-bit values in its products (int8.h). */
typedef enum rh_arithmetic { RH_FP32, RH_INT8 } rh_arithmetic;

typedef struct rh_model {
  const char *name;
  bool table;               /* a layer table: shapes and operations, nothing that could be computed (model_table.h) */
  rh_arithmetic arithmetic; /* RH_FP32 unless set after rh_model_end and before any workspace */
  rh_shape input;
  int64_t classes;
  int64_t parameters; /* P */
  int64_t stride;     /* P rounded up to 16 */
  int layer_count;
  rh_layer layers[RH_LAYERS_MAX]; /* without the loss */
  int segment_count;
  rh_segment segments[RH_SEGMENTS_MAX];
} rh_model;

/* How a layer is planned and computed. One file each: layer_dense.c, layer_conv.c, layer_relu.c, layer_pool.c,
 * layer_norm.c. */
struct rh_layer_kind {
  const char *name;
  /* f32 elements of scratch per replica of a tile, for a batch; NULL: none */
  int64_t (*scratch)(const rh_layer *layer, const rh_backend *backend, int64_t batch);
  /* floating point operations of the forward pass of one sample */
  double (*forward_flop)(const rh_layer *layer);
  /* floating point operations of the backward pass of one sample; with_input: dx is computed, too */
  double (*backward_flop)(const rh_layer *layer, bool with_input);
  /* x [count][B][in] -> y [count][B][out]; params: the replicas' parameter vectors */
  void (*forward)(const rh_layer *layer, const rh_backend *backend, int64_t batch, int64_t count, rh_tensor params,
                  rh_tensor x, rh_tensor y, rh_tensor scratch);
  /* (optional) the same of samples that are bytes as yet, whose values go to x; false, and nothing was done: not on
   * this backend, or not for such a layer */
  bool (*forward_pixels)(const rh_layer *layer, const rh_backend *backend, int64_t batch, int64_t count,
                         rh_tensor params, const rh_pixels *pixels, rh_tensor x, rh_tensor y);
  /* dy -> dx (skipped when dx.data is NULL) and the layer's part of grads (likewise), overwritten; of y only a
   * rectifier's may be read: others may find it changed */
  void (*backward)(const rh_layer *layer, const rh_backend *backend, int64_t batch, int64_t count, rh_tensor params,
                   rh_tensor x, rh_tensor y, rh_tensor dy, rh_tensor grads, rh_tensor dx, rh_tensor scratch);
};

extern const rh_layer_kind rh_layer_dense, rh_layer_conv, rh_layer_relu, rh_layer_pool, rh_layer_norm;

/* Appending layers, for model files; each returns RH_EINVAL when the input is too small or the model too large. */
RH_CHECKED rh_status rh_model_begin(rh_model *model, const char *name, rh_shape input, int64_t classes);
RH_CHECKED rh_status rh_model_add_dense(rh_model *model, const char *name, int64_t outputs);
RH_CHECKED rh_status rh_model_add_conv(rh_model *model, const char *name, int64_t out_channels, int64_t kernel);
RH_CHECKED rh_status rh_model_add_relu(rh_model *model);
RH_CHECKED rh_status rh_model_add_pool(rh_model *model, int64_t side);
/* Segments NAME.gain, NAME.bias and, for an EvoNorm, NAME.v. The channels are cut into the largest number of equal
 * groups that is at most `groups`; each must have two values or more. An EvoNorm takes the place of the rectifier after
 * it. */
RH_CHECKED rh_status rh_model_add_norm(rh_model *model, const char *name, rh_norm_kind norm, int64_t groups);
RH_CHECKED rh_status rh_model_end(rh_model *model); /* checks that the last layer has `classes` outputs */

/* A kind of model: one file each (model_logreg.c, model_mlp.c, model_cnn.c). */
typedef struct rh_model_kind {
  const char *name, *summary, *source;
  bool table;               /* it makes layer tables, from its options alone: input and classes are not looked at */
  const rh_option *options; /* keys of section `model`, beside `name` */
  size_t option_count, options_size;
  RH_CHECKED rh_status (*build)(const void *options, rh_shape input, int64_t classes, rh_model *model);
} rh_model_kind;

extern const rh_model_kind *const rh_model_kinds[];   /* NULL-terminated */
const rh_model_kind *rh_model_find(const char *name); /* NULL if unknown */

/* Initial parameters, the same for every replica: He normal weights (He et al. 2015), gains and slopes
 * of norms 1, zero biases; pad zeroed. */
void rh_model_init_parameters(const rh_model *model, uint64_t seed, float *row);

/* Floating point operations of one sample, loss included, were all in f32. */
double rh_model_forward_flop(const rh_model *model);
double rh_model_backward_flop(const rh_model *model);

/* Whether a layer below has parameters, so that the gradient must reach it. */
bool rh_model_wants_input_gradient(const rh_model *model, int layer);

/* Operations of passes over a batch in the model's arithmetic. In int8 the sums of products of dense and convolution
 * layers, forward and for dx, are of 8-bit values; the rest is f32: gradients of parameters, norms, rectifiers,
 * pooling, the loss, and quantising itself (quantise.h has what that counts). */
typedef struct rh_work {
  double flop;    /* f32 */
  double int8_op; /* products and sums of 8-bit values */
} rh_work;
rh_work rh_model_forward_work(const rh_model *model, int64_t batch);
rh_work rh_model_backward_work(const rh_model *model, int layer, int64_t batch); /* of one layer, without the loss */
rh_work rh_model_step_work(const rh_model *model, int64_t batch);                /* forward and backward, with it */

/* Bytes of the weights in the model's arithmetic, and of the inputs of layers with parameters, which a backward pass
 * needs; in int8 one a value and 8 a tensor (scale and offset). The f32 master weights are not among them. */
int64_t rh_model_weight_bytes(const rh_model *model);
int64_t rh_model_activation_bytes(const rh_model *model, int64_t batch);

/* Workspace of one tile: activations, their gradients, scratch. */
typedef struct rh_workspace rh_workspace;
RH_CHECKED rh_status rh_workspace_new(const rh_model *model, const rh_backend *backend, int64_t batch, int64_t tile,
                                      rh_workspace **workspace);
void rh_workspace_free(rh_workspace *workspace);
int64_t rh_workspace_bytes(const rh_model *model, const rh_backend *backend, int64_t batch, int64_t tile);
float *rh_workspace_input(rh_workspace *workspace); /* [tile][B][input], to be filled by the caller; backend memory */
int32_t *rh_workspace_labels(rh_workspace *workspace); /* [tile][B]; likewise */
/* The next forward pass makes the input from these samples, replica r's being those from r B on, where the layer that
 * reads it wants it; only where the memory is the program's. What `pixels` points to is borrowed until then. */
void rh_workspace_set_pixels(rh_workspace *workspace, const rh_pixels *pixels);
/* Fills both for `count` <= tile replicas from the program's memory. */
void rh_workspace_fill(rh_workspace *workspace, int64_t count, const float *x, const int32_t *labels);

/* What passes in int8 need beside parameters. At first seed, rank and step are 0, and no ranges are kept. */
typedef struct rh_rounding {
  uint64_t seed;    /* numbers are drawn from streams of seed, replica, step and layer */
  uint32_t rank;    /* of the first replica of the tile; the others follow */
  uint64_t step;    /* < 2^48 */
  bool sparse;      /* zeros in the weights of products are masked values (mask.h), which stay zero */
  rh_range *ranges; /* [count][layer_count] running ranges of the layers' inputs: followed by a gradient, used by an
                       evaluation; RH_RANGE_NONE, or NULL for all: the batch's own is used. In the backend's memory;
                       borrowed */
} rh_rounding;
void rh_workspace_set_rounding(rh_workspace *workspace, const rh_rounding *rounding);

/* From now on this share of the target is spread over all classes in gradients and their losses, not in evaluations;
 * 0 at first. */
void rh_workspace_smooth_labels(rh_workspace *workspace, double share);

/* Forward, loss and backward of `count` <= tile replicas on the batches in the workspace.
 *
 * params      [count][P] view; grads [count][P] view, out, overwritten without its pad
 * loss        [count] mean over the batch, out; correct [count] out
 */
void rh_model_gradient(const rh_model *model, rh_workspace *workspace, int64_t count, rh_tensor params, rh_tensor grads,
                       double *loss, int64_t *correct);
/* The same in two halves, for a device: the first gives it the work, the second waits for it and takes the results. What
 * the program does in between costs nothing as long as the device is at work. On the host the first half does it all. */
void rh_model_gradient_begin(const rh_model *model, rh_workspace *workspace, int64_t count, rh_tensor params,
                             rh_tensor grads, double *loss, int64_t *correct);
void rh_model_gradient_end(const rh_workspace *workspace, int64_t count, double *loss, int64_t *correct);
/* Forward and loss only. The first `samples` <= B of the batch count; the rest of the input is ignored. */
void rh_model_evaluate(const rh_model *model, rh_workspace *workspace, rh_tensor params, int64_t samples, double *loss,
                       int64_t *correct);

/* Single passes, for timing them: forward runs all layers and the loss; backward one layer of the last forward. Where
 * layers are one operation (conv_pool.h), the lowest one's backward pass is that of all, and the others' is nothing. */
void rh_model_forward(const rh_model *model, rh_workspace *workspace, int64_t count, rh_tensor params);
void rh_model_backward_layer(const rh_model *model, rh_workspace *workspace, int layer, int64_t count, rh_tensor params,
                             rh_tensor grads);

#endif
