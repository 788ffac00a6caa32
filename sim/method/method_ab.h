/* What the parts of `ab` share: the rounds (method_ab.c), the phases' values (ab_model.c), time (method_ab_time.c). */
#ifndef RH_METHOD_AB_H
#define RH_METHOD_AB_H

#include "ab_phase.h"
#include "factor.h"
#include "world.h"

enum ab_groups { AB_GROUPS_ZONES, AB_GROUPS_BLOCKS };
enum ab_sync { AB_SYNC_WITH_STALE, AB_SYNC_ONLY_LEARNED, AB_SYNC_FULL, AB_SYNC_ONLY_B };

typedef struct ab_options {
  int64_t warm_up, period, rebound, ramp; /* Tw, Ts, Td, R in rounds; -1: as VGG16's share of all rounds */
  double rank_cut;
  int sync;           /* enum ab_sync */
  int groups;         /* enum ab_groups */
  int64_t group_size; /* g, of blocks */
  bool dense_ends;    /* the first and the last weight stay dense */
} ab_options;

/* One group of ranks: they hold the same weights and moments, the replicas' copy of the same number. */
typedef struct ab_group {
  int32_t count;                  /* g */
  int32_t *ranks;                 /* [g] ascending; owned */
  bool trains_a;                  /* else B */
  float *a, *b;                   /* vectors of factors, for any rank; owned */
  float *moments[RH_MOMENTS_MAX]; /* of the factor that it trains; owned */
  rh_tree_sum *sum;               /* of its ranks' gradients; owned */
} ab_group;

/* A run of values that stay dense, in the parameter vector. */
typedef struct ab_span {
  int64_t offset, count;
} ab_span;

typedef struct ab_state {
  rh_ab_periods periods;
  int64_t ramp;       /* R */
  rh_factors factors; /* at the current ranks, the same in all groups */
  int span_count;
  ab_span spans[RH_SEGMENTS_MAX + 1];
  int32_t group_count;
  ab_group *groups;                 /* [group_count]; owned */
  int32_t *group_of;                /* [N]; owned */
  int32_t a_ranks;                  /* ranks in A-groups */
  int32_t *order;                   /* [2 N] the A-groups' ranks, the B-groups', the A-groups' again; owned */
  double *weight;                   /* [2][group_count] share of the ranks, and scratch; owned */
  const float **rows;               /* [group_count] scratch of averages; owned */
  bool in_ab;                       /* else FULL */
  bool apart;                       /* the groups have copies of their own: from the first AB phase on */
  bool diverged;                    /* weights were not finite when a phase ended: no phase follows */
  int64_t full_steps, factor_steps; /* of the optimiser, on the full weights and on factors */
  int64_t ramp_start;               /* round of the last change; -1 before the first */
  double ramp_lr;                   /* scheduled then */
  rh_tree_sum *sum;                 /* of all gradients; owned */
  float *mean;                      /* [threads][stride]; owned */
  float *factor_grads;              /* [threads][room of a factor]; owned */
  double *loss;                     /* [N]; owned */
  rh_token *after;                  /* [N]; owned */
  int64_t ranks[RH_SEGMENTS_MAX];
  const char *rank_names[RH_SEGMENTS_MAX];
} ab_state;

/* Values of a phase change (ab_model.c). */
bool ab_finite(rh_world *world);                  /* rank 0's parameters: those that are not have no singular values */
void ab_spread(rh_world *world, ab_state *state); /* copy 0 and its moments to all groups: they are apart from now on */
int64_t ab_enter_values(const rh_factors *factors); /* that the next takes while it runs, beside a split's */
RH_CHECKED rh_status ab_enter(rh_world *world, ab_state *state, bool cut); /* W -> A, B in all groups */
void ab_synchronise(rh_world *world, ab_state *state);                     /* the groups' averages, by mode */
void ab_leave(rh_world *world, ab_state *state);                           /* A, B -> W in all groups */
/* One group's step in AB from the sum of its gradients. */
void ab_step_factors(rh_world *world, ab_state *state, int32_t group, int thread, int64_t t, double lr);
/* One group's step in FULL, groups being apart, from the mean of all gradients (clipped by the caller). */
void ab_step_full(rh_world *world, ab_state *state, int32_t group, int64_t t, const float *mean, double lr);

/* What the ranks do, and for how long (method_ab_time.c). */
void ab_append_synchronise(rh_world *world, ab_state *state);
void ab_append_enter(rh_world *world, ab_state *state, bool cut);
void ab_append_leave(rh_world *world, ab_state *state);
void ab_append_step(rh_world *world, ab_state *state);

#endif
