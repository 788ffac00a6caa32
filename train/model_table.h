/* Layer tables: published models as shapes and operations, for runs of timing alone (run.compute: none). Nothing here
 * can be computed: a table is an rh_model whose layers have no passes, and none of the limits of models that are
 * trained.
 *
 * Symbols     T uses of a weight in one sample: output positions of a convolution, tokens of a transformer
 * A layer's forward pass of a sample is 2 flop a multiply-add of its products: weights x T, or what attention
 * multiplies. Biases, norms, rectifiers, pooling, softmax and the loss are left out, as in published counts. The
 * backward pass takes as many products again for the gradient of the weight and for that of the input, which the first
 * layer's lacks.
 */
#ifndef RH_MODEL_TABLE_H
#define RH_MODEL_TABLE_H

#include "model.h"

extern const rh_model_kind rh_model_resnet50, rh_model_vgg16, rh_model_vit_b16, rh_model_llama2_7b;

/* Row of the option `classes` of a table's options, a `type` with an int64_t of that name. */
#define RH_TABLE_CLASSES_ROW(type)                                                                                     \
  {                                                                                                                    \
    .name = "classes", .kind = RH_OPTION_INTEGER, .offset = offsetof(type, classes), .fallback = "1000", .min = 2,     \
    .max = 1 << 20, .help = "of layer tables of image models: outputs of the last layer"                               \
  }

/* An empty table; input is what a sample is made of: an image, or T tokens as 1 x T x 1. */
void rh_table_begin(rh_model *model, const char *name, rh_shape input);

/* Appends a layer that is given `in`, and returns what it puts out. A name longer than a layer's, or more layers than
 * RH_LAYERS_MAX, break the contract.
 *
 * conv        square kernels, that many rows and columns padded on each side; weight (channels, in kernel^2)
 * norm        a gain and, if asked for, a bias for each channel
 * dense       weight (outputs, channels of in), for each of T = height x width positions
 * lookup      parameters [rows][columns] that are added or looked up, not multiplied
 * products    activations multiplied with each other, no parameters */
rh_shape rh_table_add_conv(rh_model *model, const char *name, rh_shape in, int64_t channels, int64_t kernel,
                           int64_t step, int64_t pad, bool bias);
rh_shape rh_table_add_norm(rh_model *model, const char *name, rh_shape in, bool bias);
rh_shape rh_table_add_dense(rh_model *model, const char *name, rh_shape in, int64_t outputs, bool bias);
rh_shape rh_table_add_lookup(rh_model *model, const char *name, rh_shape in, int64_t rows, int64_t columns,
                             rh_shape out);
rh_shape rh_table_add_products(rh_model *model, const char *name, rh_shape in, double multiply_adds);

/* What pooling makes of a shape; it is no layer of a table. */
rh_shape rh_table_pool(rh_shape in, int64_t square, int64_t step, int64_t pad);

/* The table is complete. */
void rh_table_end(rh_model *model);

#endif
