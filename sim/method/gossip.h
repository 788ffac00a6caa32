/* Gossip: every worker's model mixed with its neighbours', as they arrive through the compressor.
 *
 * Symbols     N workers, x_i model of worker i, W mixing matrix of the round (graph.h), C compressor, h_i what all know
 *             of x_i, c the consensus step
 *
 *     exact        mix_i = sum_j W'_ij x_j,  W' = I + c (W - I)      the neighbours have x_j itself
 *     estimates    mix_i = x_i + c sum_j W_ij (h_j - h_i)
 *     models       mix_i = W_ii x_i + sum_(j != i) W_ij h_j
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

enum rh_gossip_form { RH_GOSSIP_EXACT, RH_GOSSIP_ESTIMATES, RH_GOSSIP_MODELS };

/* Messages of workers first .. first + count - 1, of rows on a device. */
typedef void rh_gossip_rows(void *context, int32_t first, int32_t count);

typedef struct rh_gossip_def {
  int form;                  /* enum rh_gossip_form */
  double consensus_step;     /* c, 0 < c <= 1; of models: not used */
  float *models;             /* [N][stride] x_i; borrowed; NULL: the replicas' parameters */
  int64_t extra_bytes;       /* that every message is longer than its model */
  rh_gossip_rows *make_rows; /* what the method's `make` does, of rows on a device; NULL: rh_gossip_difference's */
  const rh_masking *masking; /* messages hold what is inside the mask alone; borrowed; NULL: all */
} rh_gossip_def;

typedef struct rh_gossip rh_gossip;

/* Of a masked run `world` is what is sent (masking.h). In a world without values messages have their lengths, and
 * nothing else is done: there are no rows. */
RH_CHECKED rh_status rh_gossip_new(const rh_world *world, const rh_gossip_def *def, rh_gossip **gossip);
void rh_gossip_free(rh_gossip *gossip);
void rh_gossip_parts(rh_gossip *gossip, const rh_parts *parts);
/* Bytes that it takes beside [N][stride] of mix_i and, unless exact, of h_i. */
int64_t rh_gossip_bytes(const rh_sizes *sizes);

/* Rows [stride] of worker i. */
float *rh_gossip_model(rh_gossip *gossip, int32_t i); /* x_i */
float *rh_gossip_known(rh_gossip *gossip, int32_t i); /* h_i; NULL if exact */
float *rh_gossip_mixed(rh_gossip *gossip, int32_t i); /* mix_i, to be read or stepped */
float *rh_gossip_row(rh_gossip *gossip, int thread);  /* with loss: free for use within one call of a body */

/* Calls body for all workers, on several threads; a body writes what is worker i's alone. */
typedef void rh_worker_body(void *context, int32_t i, int thread);
void rh_gossip_each(rh_gossip *gossip, rh_worker_body *body, void *context);

/* Zeroes x_i and h_i outside a new mask: all know it, so that nothing is sent for it. */
void rh_gossip_mask(rh_gossip *gossip);

/* Sends everybody's message of round t: `make` brings worker i's through rh_gossip_encode and updates h_i. Without loss
 * it is not called: the message is x_i, and h_i becomes x_i. */
void rh_gossip_send(rh_gossip *gossip, int64_t t, rh_worker_body *make, void *context);
/* Within `make`: encodes v [P] and writes what the others get to `decoded` [P], which may be v. */
void rh_gossip_encode(rh_gossip *gossip, int32_t i, int thread, const float *v, float *decoded);
/* Within `make_rows`: the same of neighbouring rows, of v and of decoded. */
void rh_gossip_encode_rows(rh_gossip *gossip, int32_t first, int32_t count, rh_tensor v, rh_tensor decoded);
int64_t rh_gossip_stride(const rh_gossip *gossip); /* of all rows */
/* Where rows live, if that is a device; else NULL. Methods that stay there branch on it. */
const rh_backend *rh_gossip_device(const rh_gossip *gossip);
/* A `make`: q = C(x - h) travels, h = h + q. Its context is the gossip. */
rh_worker_body rh_gossip_difference;

/* Mixes with the weights of round t; models keep what they are until rh_gossip_take. */
void rh_gossip_mix(rh_gossip *gossip, int64_t t);
void rh_gossip_take(rh_gossip *gossip); /* x_i = mix_i */
/* next = W' value, of one number a worker, [N] each. */
void rh_gossip_mix_numbers(const rh_gossip *gossip, int64_t t, const float *value, float *next);

const int64_t *rh_gossip_message_bytes(const rh_gossip *gossip); /* [N] of the last round */

#endif
