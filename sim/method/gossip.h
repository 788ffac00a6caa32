/* Gossip: every worker's model mixed with its neighbours', as they arrive through the compressor.
 *
 * Symbols     N workers, x_i model of worker i, W mixing matrix, C compressor, h_i what all know of x_i, c the
 *             consensus step
 *
 *     lossless            mix_i = sum_j W_ij x_j
 *     lossy differences   q_j = C(x_j - h_j) travels;  h_j = h_j + q_j everywhere;
 *                         mix_i = x_i + c sum_j W_ij (h_j - h_i)
 *     lossy models        mix_i = W_ii x_i + sum_(j != i) W_ij C(x_j)
 *
 * C(x_j) itself has an error in proportion to |x_j|, so averaging it stalls at a noise floor; differences shrink as the
 * workers agree, and the noise with them. Everybody knows x_0, so h starts there and nothing is sent for it.
 *
 * Source      differences: Koloskova, Stich, Jaggi, Decentralized stochastic optimization and gossip with compressed
 *             communication, ICML 2019 (CHOCO)
 */
#ifndef RH_GOSSIP_H
#define RH_GOSSIP_H

#include "coder.h"

/* What a lossy compressor encodes; the choices of a method's option `message`. */
enum rh_gossip_message { RH_GOSSIP_DIFFERENCE, RH_GOSSIP_MODEL };

typedef struct rh_gossip rh_gossip;

RH_CHECKED rh_status rh_gossip_new(const rh_world *world, int message, double consensus_step, rh_gossip **gossip);
void rh_gossip_free(rh_gossip *gossip);
/* Bytes that it takes, for predictions. */
int64_t rh_gossip_bytes(const rh_sizes *sizes);

/* Sends everybody's model of round t and mixes; the replicas keep theirs until rh_gossip_take. */
void rh_gossip_mix(rh_gossip *gossip, int64_t t);
float *rh_gossip_mixed(rh_gossip *gossip, int32_t worker); /* mix_i [stride], to be read or stepped */
void rh_gossip_take(rh_gossip *gossip);                    /* x_i = mix_i */

const int64_t *rh_gossip_message_bytes(const rh_gossip *gossip); /* [N] of the last round */

#endif
