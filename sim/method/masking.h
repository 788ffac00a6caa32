/* Masking: sparse training steps of a model that all workers share (mask.h).
 *
 * The mask is made of the shared model, or drawn: everybody knows it without a message, so that in a sparse turn the
 * values inside travel alone, without indices: vectors are packed before they are aggregated and unpacked afterwards.
 * Gradients outside are zero then, as parameters and moments are from the making of the mask on, and a step of either
 * optimiser leaves zeros where all three are zero.
 * Time        Making a mask is charged where one is made. Of seconds that are counted (time.source: flops) sparse turns
 *             are charged the sparse form's operations; measured ones stay those of dense steps, since no sparse kernel
 *             was timed, nor is the speed of 2:4 units assumed.
 */
#ifndef RH_MASKING_H
#define RH_MASKING_H

#include "aggregate.h"

typedef struct rh_masking rh_masking;

/* NULL if the run has no mask. */
RH_CHECKED rh_status rh_masking_new(const rh_world *world, rh_masking **masking);
void rh_masking_free(rh_masking *masking); /* may be NULL */
/* The aggregate's parts come before these: its errors are packed by the mask. */
void rh_masking_parts(rh_masking *masking, const rh_parts *parts);
int64_t rh_masking_bytes(const rh_sizes *sizes);

/* Before round t: makes a mask if one is due, zeroes parameters and moments outside it, and charges for that; sets the
 * world's phase and compression ratio. The aggregate's errors, which are packed as its vectors are, move to the new mask.
 * When AC/DC's sparse turn ends, SGD's momentum is zeroed everywhere, as in its authors' runs. */
void rh_masking_begin(rh_masking *masking, rh_world *world, int64_t t, rh_aggregate *aggregate);

/* The run as it is sent and charged in this round: buckets of the packed vector, seconds of the step. At one place from
 * new to free; before the first round it is the dense one. */
rh_world *rh_masking_world(rh_masking *masking);

/* Packs rows [count][stride]; unpacks one. */
void rh_masking_pack(const rh_masking *masking, float *rows, int32_t count);
void rh_masking_unpack(const rh_masking *masking, float *row);

#endif
