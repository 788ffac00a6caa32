/* Aggregation of rows on a device, for aggregate.c: the same mean, bit for bit, by the backend's operations alone. */
#ifndef RH_AGGREGATE_DEVICE_H
#define RH_AGGREGATE_DEVICE_H

#include "coder.h"

typedef struct rh_aggregate_device rh_aggregate_device;

/* The coder, one of a device, is borrowed. On failure *device is to be freed, too. */
RH_CHECKED rh_status rh_aggregate_device_new(const rh_world *world, rh_coder *coder, rh_aggregate_device **device);
void rh_aggregate_device_free(rh_aggregate_device *device);
void rh_aggregate_device_parts(rh_aggregate_device *device, const rh_parts *parts);
/* As the functions of aggregate.h of these names. */
void rh_aggregate_device_begin(rh_aggregate_device *device, int64_t t);
void rh_aggregate_device_give(rh_aggregate_device *device, int32_t first, int32_t count, float *rows);
void rh_aggregate_device_end(rh_aggregate_device *device, float *mean);
float *rh_aggregate_device_error(const rh_aggregate_device *device, int32_t worker);

#endif
