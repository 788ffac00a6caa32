/* A convolution, the rectifier and the pooling over squares of two behind it, as one operation where the backend has
 * one: what lies between is neither kept nor read again. */
#ifndef RH_CONV_POOL_H
#define RH_CONV_POOL_H

#include "model.h"

enum { RH_CONV_POOL_LAYERS = 3 };

/* Elements of scratch per replica if layers `layer` to `layer` + 2 are such three and are computed as one; else -1. */
int64_t rh_conv_pool_scratch(const rh_model *model, int layer, const rh_backend *backend, int64_t batch);

/* Elements that hold the places of one replica's maxima (backend.h). */
int64_t rh_conv_pool_places(const rh_model *model, int layer, int64_t batch);

/* The three's passes; layer: the convolution's. Tensors as in rh_layer_kind, y and dy the pooling's. */
void rh_conv_pool_forward(const rh_layer *layer, const rh_backend *backend, int64_t batch, int64_t count,
                          rh_tensor params, rh_tensor x, rh_tensor y, rh_tensor places, rh_tensor scratch);
void rh_conv_pool_backward(const rh_layer *layer, const rh_backend *backend, int64_t batch, int64_t count,
                           rh_tensor params, rh_tensor x, rh_tensor dy, rh_tensor places, rh_tensor grads, rh_tensor dx,
                           rh_tensor scratch);

#endif
