/* Masks of rows on a device, for masking.c: the mask is made in the program's memory, of one row; rows stay. */
#ifndef RH_MASKING_DEVICE_H
#define RH_MASKING_DEVICE_H

#include "world.h"

typedef struct rh_masking_device rh_masking_device;

int64_t rh_masking_device_bytes(const rh_model *model); /* of the device, at most */
/* On failure *device is to be freed, too. */
RH_CHECKED rh_status rh_masking_device_new(const rh_world *world, rh_masking_device **device);
void rh_masking_device_free(rh_masking_device *device); /* may be NULL */

/* A row [stride] as the program can read it, until the next call. */
const float *rh_masking_device_read(rh_masking_device *device, const float *row);
/* What the three below go by from now on. */
void rh_masking_device_take(rh_masking_device *device, const rh_mask *mask);
/* As rh_masking_apply, _pack and _unpack, whether anything is masked or not. */
void rh_masking_device_apply(rh_masking_device *device, int64_t count, rh_tensor rows);
void rh_masking_device_pack(rh_masking_device *device, int64_t count, rh_tensor rows);
void rh_masking_device_unpack(rh_masking_device *device, int64_t count, rh_tensor rows);
void rh_masking_device_clear(rh_masking_device *device, int64_t count, rh_tensor rows); /* all of them become zeros */

#endif
