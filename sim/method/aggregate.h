/* Aggregation: the mean of N workers' vectors as it arrives through the compressor and error feedback.
 *
 * Symbols     N workers, g_i worker i's vector, e_i what was lost of its earlier ones, C compressor, m the mean
 *
 *     p_i = g_i + e_i                     without feedback p_i = g_i
 *     m   = 1/N sum_i C(p_i)              decoded one by one, or the sum decoded once where messages can be added
 *     e_i = p_i - C(p_i)
 *
 * Vectors come in chunks, in the order of ranks; sums follow a tree whose shape depends on N alone.
 */
#ifndef RH_AGGREGATE_H
#define RH_AGGREGATE_H

#include "coder.h"

typedef struct rh_aggregate rh_aggregate;

/* In a world without values lengths are there, and no round begins. */
RH_CHECKED rh_status rh_aggregate_new(const rh_world *world, rh_aggregate **aggregate);
void rh_aggregate_free(rh_aggregate *aggregate);
void rh_aggregate_parts(rh_aggregate *aggregate, const rh_parts *parts);
/* Bytes that an aggregate uses, for predictions: of the sum's levels those that N takes. */
int64_t rh_aggregate_bytes(const rh_sizes *sizes);

/* One round: begin, give all workers' vectors (rows of `count` x stride, overwritten) in rank order, end. */
void rh_aggregate_begin(rh_aggregate *aggregate, int64_t t);
void rh_aggregate_give(rh_aggregate *aggregate, int32_t first, int32_t count, float *rows);
void rh_aggregate_end(rh_aggregate *aggregate, float *mean); /* [stride], its pad zeroed */

/* Lengths of this round's messages of a bucket, by worker; of the contributions to an all-reduce where messages can be
 * added: bytes of phase k. */
const int64_t *rh_aggregate_message_bytes(const rh_aggregate *aggregate, int32_t bucket);
int64_t rh_aggregate_phase_bytes(const rh_aggregate *aggregate, int32_t bucket, int phase);

/* e_i [stride] where rows live, the workers' one behind the other, to be read between rounds and, for averages of the
 * errors, written. NULL without feedback. */
float *rh_aggregate_error(rh_aggregate *aggregate, int32_t worker);

#endif
