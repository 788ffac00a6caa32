/* Passes on a device whose memory the program cannot touch, for replicas*.c alone. */
#ifndef RH_REPLICAS_DEVICE_H
#define RH_REPLICAS_DEVICE_H

#include "replicas_private.h"

/* Bytes that it takes on the device, for calls of at most `tile` replicas. */
int64_t rh_replicas_device_bytes(const rh_replicas_def *def, int64_t tile);

/* Room on the device, with the data set. On failure *device is to be freed, too. */
RH_CHECKED rh_status rh_replicas_device_new(const rh_replicas_def *def, int64_t tile, rh_replicas_device **device);
void rh_replicas_device_free(rh_replicas_device *device);

/* One call: gradients of `count` workers from `first` on, in their rows of the chunk that begins with chunk_first. */
void rh_replicas_device_gradients(rh_replicas *replicas, int64_t t, int32_t chunk_first, int32_t first, int32_t count);
/* rh_replicas_clip where rows live on the device. */
void rh_replicas_device_clip(rh_replicas *replicas, int32_t count, float *grads);
/* values[copy] = |x - mean|^2, where rows live on the device; mean is the program's. */
void rh_replicas_device_distances(rh_replicas *replicas, const float *mean);

/* A row [stride] on the device that is free between calls; with the program's parameters unless they are NULL. */
float *rh_replicas_device_row(rh_replicas *replicas, const float *parameters);
/* Samples from .. from + n - 1 <= SCORE_BATCH with a row of parameters on the device: mean loss, and hits. */
void rh_replicas_device_score(rh_replicas *replicas, const rh_samples *samples, int64_t from, int64_t n,
                              const float *parameters, double *loss, int64_t *hits);

#endif
