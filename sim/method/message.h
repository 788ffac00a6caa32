/* Messages of all workers in one round: what each encoded, how long it is, what the others decode.
 *
 * Symbols     N workers, P parameters (rows padded to the model's stride)
 */
#ifndef RH_MESSAGE_H
#define RH_MESSAGE_H

#include "world.h"

typedef struct rh_message {
  const rh_world *world; /* borrowed */
  int64_t bound;         /* bytes of the longest message */
  uint8_t *wire;         /* [threads][bound]; owned */
  int64_t *bytes;        /* [N] lengths of this round's messages; owned */
} rh_message;

RH_CHECKED rh_status rh_message_init(rh_message *message, const rh_world *world);
void rh_message_clear(rh_message *message);

/* Sends worker i's x [P] of round t through the compressor: keeps the length, returns what the others get in `decoded`
 * [stride], its pad zeroed; decoded may be x. thread: of those of the replicas; safe for different threads and workers
 * at once. */
void rh_message_send(rh_message *message, int thread, int32_t worker, int64_t t, const float *x, float *decoded);

#endif
