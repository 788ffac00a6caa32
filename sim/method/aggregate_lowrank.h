/* The mean of vectors on a device as `lowrank` sums them, in two phases, for aggregate_device.c: what aggregate.c does
 * in the program's memory, by the backend's operations. */
#ifndef RH_AGGREGATE_LOWRANK_H
#define RH_AGGREGATE_LOWRANK_H

#include "coder.h"

typedef struct rh_aggregate_lowrank rh_aggregate_lowrank;

/* The coder, one of a device, is borrowed. On failure *aggregate is to be freed, too. */
RH_CHECKED rh_status rh_aggregate_lowrank_new(const rh_world *world, rh_coder *coder, rh_aggregate_lowrank **aggregate);
void rh_aggregate_lowrank_free(rh_aggregate_lowrank *aggregate);
void rh_aggregate_lowrank_parts(rh_aggregate_lowrank *aggregate, const rh_parts *parts);
/* As the functions of aggregate.h of these names. */
void rh_aggregate_lowrank_begin(rh_aggregate_lowrank *aggregate, int64_t t);
void rh_aggregate_lowrank_give(rh_aggregate_lowrank *aggregate, int32_t first, int32_t count, float *rows);
void rh_aggregate_lowrank_end(rh_aggregate_lowrank *aggregate, float *mean);
float *rh_aggregate_lowrank_errors(rh_aggregate_lowrank *aggregate); /* [N][stride]; NULL without feedback */

#endif
