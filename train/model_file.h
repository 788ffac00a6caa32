/* A model's parameters in a safetensors file.
 *
 * One F32 tensor for each of the model's, under its own name and in the order of the parameter vector:
 *
 *     NAME.weight   dense [outputs, inputs]; convolution [out channels, in channels, kernel, kernel]: what PyTorch's
 *                   Linear and Conv2d of that name hold; a dense layer after images reads them flattened, channels
 *                   first
 *     NAME.bias     [outputs]
 *     NAME.gain, NAME.bias, NAME.v of a norm   [channels]; gain is PyTorch's GroupNorm.weight
 */
#ifndef RH_MODEL_FILE_H
#define RH_MODEL_FILE_H

#include "model.h"

/* row [stride] = the file's values, padded with zeros.
 *
 * returns     RH_EFORMAT or RH_ESHAPE naming the file and the tensor: one that is missing, one that the model lacks,
 *             another shape, another type than F32, a value that is not finite; RH_EIO
 */
RH_CHECKED rh_status rh_model_read(const rh_model *model, const char *path, float *row);

/* Writes row [stride]; notes: key and text by turns, NULL-terminated, for the file's metadata. RH_EIO. */
RH_CHECKED rh_status rh_model_write(const rh_model *model, const float *row, const char *const *notes,
                                    const char *path);

#endif
