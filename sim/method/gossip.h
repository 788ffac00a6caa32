/* Gossip: every worker's model mixed with its neighbours', as they arrive through the compressor.
 *
 * Symbols     N workers, x_i model of worker i, W mixing matrix of the round (graph.h), C compressor, h_i what all know
 *             of x_i, c the consensus step, w_i weight of worker i
 *
 *     exact        mix_i = sum_j W'_ij x_j,  W' = I + c (W - I)      the neighbours have x_j itself
 *     estimates    mix_i = x_i + c sum_j W_ij (h_j - h_i)
 *     models       mix_i = W_ii x_i + sum_(j != i) W_ij h_j
 *     weights      w_i = sum_j W'_ij w_j, where there are such; one travels with every message
 *
 * What travels, and what it makes of h, is the method's (rh_gossip_send); most send differences to what all know:
 *
 *     q_j = C(x_j - h_j) travels;  h_j = h_j + q_j everywhere
 *
 * C(x_j) itself has an error in proportion to |x_j|, so averaging it stalls at a noise floor; differences shrink as the
 * workers agree, and the noise with them. Everybody knows x_0, so h starts there and nothing is sent for it.
 * With columns of W that sum to 1, exact and estimates leave the sum of the x_i as it is, whatever the h_i are.
 *
 * Source      differences: Koloskova, Stich, Jaggi, Decentralized stochastic optimization and gossip with compressed
 *             communication, ICML 2019 (CHOCO)
 */
#ifndef RH_GOSSIP_H
#define RH_GOSSIP_H

#include "coder.h"
#include "masking.h"
#include "rows.h"

enum rh_gossip_form { RH_GOSSIP_EXACT, RH_GOSSIP_ESTIMATES, RH_GOSSIP_MODELS };

typedef struct rh_gossip_def {
  int form;                  /* enum rh_gossip_form */
  double consensus_step;     /* c, 0 < c <= 1; of models: not used */
  bool weighs;               /* there are weights w_i, 1 at first */
  int scratch_rows;          /* that a body uses for each worker of its call: rh_gossip_scratch; only with loss */
  float *models;             /* [N][stride] x_i; borrowed; NULL: the replicas' parameters */
  const rh_masking *masking; /* messages hold what is inside the mask alone; borrowed; NULL: all */
} rh_gossip_def;

enum { RH_GOSSIP_DIFFERENCE_ROWS = 2 }; /* scratch_rows of rh_gossip_difference */

typedef struct rh_gossip rh_gossip;

/* Of a masked run `world` is what is sent (masking.h). In a world without values messages have their lengths, and
 * nothing else is done: there are no rows. */
RH_CHECKED rh_status rh_gossip_new(const rh_world *world, const rh_gossip_def *def, rh_gossip **gossip);
void rh_gossip_free(rh_gossip *gossip);
void rh_gossip_parts(rh_gossip *gossip, const rh_parts *parts);
/* Bytes that it takes, mix_i and, unless exact, h_i among them. */
int64_t rh_gossip_bytes(const rh_sizes *sizes, const rh_gossip_def *def);

/* Rows [stride] from worker i on. */
rh_tensor rh_gossip_models(const rh_gossip *gossip, int32_t i); /* x_i */
rh_tensor rh_gossip_known(const rh_gossip *gossip, int32_t i);  /* h_i; NULL if exact */
rh_tensor rh_gossip_mixed(const rh_gossip *gossip, int32_t i);  /* mix_i, to be read or stepped */
/* With loss: rows for each worker of a call of a body, free for use within it; k < scratch_rows. */
rh_tensor rh_gossip_scratch(const rh_gossip *gossip, rh_rows rows, int k);
const float *rh_gossip_weights(const rh_gossip *gossip); /* [N] w_i; NULL if there are none */

/* Calls body for all workers. */
void rh_gossip_each(const rh_gossip *gossip, rh_rows_body *body, void *context);

/* Zeroes x_i and h_i outside a new mask: all know it, so that nothing is sent for it. */
void rh_gossip_mask(rh_gossip *gossip);

/* Sends everybody's message of round t: `make` brings its workers' through rh_gossip_encode and updates h. Without loss
 * it is not called: the message is x_i, and h_i becomes x_i. */
void rh_gossip_send(rh_gossip *gossip, int64_t t, rh_rows_body *make, void *context);
/* Within `make`: encodes v [P] of each and writes what the others get to `decoded` [P], which may be v. */
void rh_gossip_encode(rh_gossip *gossip, rh_rows rows, rh_tensor v, rh_tensor decoded);
/* A `make`: q = C(x - h) travels, h = h + q. Its context is the gossip. */
rh_rows_body rh_gossip_difference;

/* Mixes with the weights of round t; models keep what they are until rh_gossip_take. */
void rh_gossip_mix(rh_gossip *gossip, int64_t t);
void rh_gossip_take(rh_gossip *gossip); /* x_i = mix_i */

const int64_t *rh_gossip_message_bytes(const rh_gossip *gossip); /* [N] of the last round */

#endif
