/* Masking: sparse training steps of workers that all have the same mask (mask.h).
 *
 * One mask for all is what makes it cheap and keeps the mathematics: in a sparse turn the values inside travel alone,
 * without indices, packed before they are compressed and unpacked afterwards; and mixing with neighbours conserves the
 * sum of the models, since all are zero at the same places. Masks of each worker's own would have to travel with every
 * message, and mixing would fill them up or, masked again, lose a part of the sum in every exchange. All get the same
 * mask so:
 *
 *     random                                    drawn by the seed: everybody knows it
 *     models that are the same at all workers   made of them by everybody: of allreduce's, and of any at round 0
 *     models of each worker's own               rank 0 makes the mask of its own, near all others' as far as gossip is
 *                                               any good, and broadcasts it: a bit for each weight that may be masked
 *
 * Gradients outside are zero then, as parameters and moments are from the making of the mask on, and a step of either
 * optimiser leaves zeros where all three are zero.
 * Time        Making a mask is charged where one is made, and as much for taking up one that was received. Of seconds
 *             that are counted (time.source: flops) sparse turns are charged the sparse form's operations; measured
 *             ones stay those of dense steps, since no sparse kernel was timed, nor is the speed of 2:4 units assumed.
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
 * world's phase and compression ratio. The errors of the aggregate (NULL: there is none), which are packed as its
 * vectors are, move to the new mask. When AC/DC's sparse turn ends, SGD's momentum is zeroed everywhere, as in its
 * authors' runs.
 * returns     whether there is another mask than before, so that rows of the caller's own are to be masked */
bool rh_masking_begin(rh_masking *masking, rh_world *world, int64_t t, rh_aggregate *aggregate);

/* The run as it is sent and charged in this round: buckets of the packed vector, seconds of the step. At one place from
 * new to free; before the first round it is the dense one. */
rh_world *rh_masking_world(rh_masking *masking);

/* Of rows [stride] where the replicas' live: zeroes them outside; packs; unpacks. These may be called with NULL:
 * nothing is masked. */
void rh_masking_apply(const rh_masking *masking, int64_t count, rh_tensor rows);
void rh_masking_pack(const rh_masking *masking, int64_t count, rh_tensor rows);
void rh_masking_unpack(const rh_masking *masking, int64_t count, rh_tensor rows);
bool rh_masking_packs(const rh_masking *masking); /* whether these do anything now */

#endif
