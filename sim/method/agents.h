/* Agents: what decentralised methods share beside gossip: local steps, rounds of gossip alone, the time of a round.
 *
 * Symbols     N workers, x_i parameters and u_i momentum of worker i, T rounds of a training, G rounds of gossip alone
 *
 * A round is rh_agents_begin; the method's steps, sends and mixes; rh_agents_end. In the last G of the T rounds no
 * gradient is computed or charged: models travel and mix, steps do nothing, and the training loss stays that of round
 * T - G.
 * With train.mask all agents have the same mask at any time (masking.h): models, gradients, moments, estimates and kept
 * errors are zero outside, and messages hold what is inside.
 */
#ifndef RH_AGENTS_H
#define RH_AGENTS_H

#include "gossip.h"

/* When messages travel. */
enum rh_agents_order {
  RH_AGENTS_STEP_FIRST, /* after the step; mixing waits for them */
  RH_AGENTS_MIX_FIRST,  /* while the gradient is computed; the step is applied to what has been mixed */
  RH_AGENTS_BACKGROUND  /* at the end of the round, beside the next gradient; the next mixing waits for them */
};

/* Options that several methods have, of a `type` with fields of these names. */
#define RH_GOSSIP_ROUNDS_ROW(type)                                                                                     \
  {                                                                                                                    \
    .name = "gossip_rounds", .kind = RH_OPTION_INTEGER, .offset = offsetof(type, gossip_rounds), .fallback = "0",      \
    .min = 0, .max = 9007199254740992.0,                                                                               \
    .help = "the last of train.rounds, in which models travel and mix but no gradient is computed or charged; about "  \
            "50 in arXiv 2111.09389"                                                                                   \
  }
#define RH_CONSENSUS_STEP_ROW(type)                                                                                    \
  {                                                                                                                    \
    .name = "consensus_step", .kind = RH_OPTION_REAL, .offset = offsetof(type, consensus_step), .fallback = "1",       \
    .min = 1e-6, .max = 1,                                                                                             \
    .help = "step towards the neighbours' average; 1 with 8-bit messages, .01 in arXiv 2111.09389 where one value in " \
            "a hundred is sent"                                                                                        \
  }

/* A row for each worker that a method has beside the replicas' and the gossip's. */
enum rh_agents_own {
  RH_AGENTS_NOTHING,
  RH_AGENTS_KEPT,      /* zero at first, and zero outside a mask */
  RH_AGENTS_MODELS,    /* the replicas' parameters at first: what gossip mixes in their place */
  RH_AGENTS_FOR_ROUNDS /* nothing is kept from one round to the next */
};

/* What a method is made of: from its options and the compressor alone. */
typedef struct rh_agents_def {
  rh_gossip_def gossip;  /* but for its models and masking */
  int order;             /* enum rh_agents_order */
  int own;               /* enum rh_agents_own */
  int passes;            /* over the model, each charged as one term of a mixing row, beside the row's own */
  int64_t gossip_rounds; /* G */
} rh_agents_def;

typedef struct rh_agents {
  rh_world *world;      /* borrowed */
  const rh_world *sent; /* the run as it is sent and charged: the world, or a masked one; borrowed */
  rh_agents_def def;
  rh_masking *masking;       /* NULL without a mask; owned */
  const rh_backend *backend; /* where rows live; NULL without values; borrowed */
  float *own;                /* [N][stride]; NULL: none; owned */
  rh_gossip *gossip;         /* owned */
  double *loss;              /* [N]; owned */
  rh_token *after;           /* [N]; owned */
  /* of the round at work */
  int64_t t;
  double lr;
  bool trains; /* it is none of the last G */
} rh_agents;

/* rh_method.new_state, free_state, parts and state_bytes of methods whose state is their agents, as rh_method.agents
 * describes them. */
RH_CHECKED rh_status rh_agents_new(rh_world *world, void **agents);
void rh_agents_free(void *agents);
void rh_agents_parts(void *agents, const rh_parts *parts);
int64_t rh_agents_bytes(const rh_sizes *sizes);

/* Rows [stride] from worker i on: the method's own, the replicas' parameters and moments. */
rh_tensor rh_agents_own(const rh_agents *agents, int32_t i);
rh_tensor rh_agents_parameters(const rh_agents *agents, int32_t i);
rh_tensor rh_agents_moments(const rh_agents *agents, int32_t i, int k);

/* rh_method.check_settings: RH_EINVAL if no round would train. */
RH_CHECKED rh_status rh_agents_check(const rh_world *world);
/* rh_method.warn, where errors are kept, or estimates, which may grow: no contraction is known of the compressor. */
void rh_agents_warn(const rh_world *world, rh_text *out);

void rh_agents_begin(rh_agents *agents, int64_t t, double lr);
/* Gradients at the replicas, handed to `step`, which takes a step of its workers and may overwrite g [count][stride];
 * NULL: the optimiser's, on the replicas. Nothing in a round of gossip alone. */
typedef void rh_agents_step_body(void *context, rh_rows rows, rh_tensor g);
RH_CHECKED rh_status rh_agents_step(rh_agents *agents, rh_agents_step_body *step, void *context);
/* Applies the step on gradients taken at the replicas x_i to other rows [count][stride]; the decay is that of x_i. */
void rh_agents_step_on(rh_agents *agents, rh_rows rows, rh_tensor g, rh_tensor y);
/* A `step`: on what has been mixed. Its context is the agents. */
rh_agents_step_body rh_agents_step_mixed;
/* g scaled down to the longest that is stepped with. */
void rh_agents_clip(rh_agents *agents, rh_rows rows, rh_tensor g);
/* Whether agents with these settings can stay on a device: messages that it makes or that need no making. */
bool rh_agents_stay_on_device(const rh_world *world);
/* Whether rh_agents_step without a body is rh_replicas_train: no mask. */
bool rh_agents_train_at_once(const rh_world *world);
/* Appends what the ranks did, and reports losses. */
void rh_agents_end(rh_agents *agents);

#endif
