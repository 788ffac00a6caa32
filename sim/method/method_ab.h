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
  int32_t count;    /* g */
  int32_t *ranks;   /* [g] ascending; owned */
  bool trains_a;    /* else B */
  rh_tree_sum *sum; /* of its ranks' gradients; owned */
} ab_group;

/* Groups first .. first + count - 1, whose rows follow each other and who train the same factor: in the program's
 * memory one, on a device many with each operation. */
typedef struct ab_some {
  int32_t first, count;
  int slot; /* the first of `count` rows of scratch that belong to the call */
} ab_some;

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
  /* where the replicas' rows live; owned */
  const rh_backend *backend;      /* that memory; borrowed */
  int64_t room;                   /* of A's vector: B's is not longer */
  float *a, *b;                   /* [group_count][room] vectors of factors, for any rank */
  float *moments[RH_MOMENTS_MAX]; /* [group_count][room] of the factor that the group trains */
  int32_t slots;                  /* rows of scratch: threads, or groups that a device steps at once */
  float *mean;                    /* [slots][stride] */
  float *factor_grads;            /* [slots][room] */
  double *squares;                /* [2][slots] of gradients that are clipped; of a device alone, else NULL */
  float *entering;                /* full A, full B, moments, singular values: ab_enter_values */
  /* the program's; owned */
  float *singular; /* [n + 1] of the largest weight */
  double *loss;    /* [N]; owned */
  rh_token *after; /* [N]; owned */
  int64_t ranks[RH_SEGMENTS_MAX];
  const char *rank_names[RH_SEGMENTS_MAX];
} ab_state;

/* What a method of these settings keeps (ab_state.c). */
RH_CHECKED rh_status ab_new_state(rh_world *world, const rh_ab_periods *periods, int64_t ramp, int32_t groups,
                                  ab_state **state);
void ab_free_state(void *state);
void ab_parts(void *state, const rh_parts *parts);
int64_t ab_state_bytes(const rh_sizes *sizes);

/* Values of a phase change (ab_model.c). */
RH_CHECKED rh_status ab_finite(rh_world *world, ab_state *state, bool *finite); /* rank 0's parameters: those that are
                                                                                   not have no singular values */
void ab_spread(rh_world *world, ab_state *state); /* copy 0 and its moments to all groups: they are apart from now on */
RH_CHECKED rh_status ab_enter(rh_world *world, ab_state *state, bool cut); /* W -> A, B in all groups */
void ab_synchronise(rh_world *world, ab_state *state);                     /* the groups' averages, by mode */
void ab_leave(rh_world *world, ab_state *state);                           /* A, B -> W in all groups */

/* Values of a step (ab_step.c). */
RH_CHECKED rh_status ab_sum_gradients(rh_world *world, ab_state *state, int64_t t);
void ab_step(rh_world *world, ab_state *state, int64_t t, double lr); /* all groups, from these sums */
/* The weights of some groups = A B. */
void ab_compose(rh_world *world, ab_state *state, ab_some some);

/* Rows of group g and those after it. */
static inline rh_tensor ab_a(const ab_state *s, int32_t g)
{
  return (rh_tensor){s->a + g * s->room, s->room};
}

static inline rh_tensor ab_b(const ab_state *s, int32_t g)
{
  return (rh_tensor){s->b + g * s->room, s->room};
}

static inline rh_tensor ab_moment(const ab_state *s, int32_t g, int m)
{
  return (rh_tensor){s->moments[m] + g * s->room, s->room};
}

/* Whether some groups can be stepped with one call of each operation. */
static inline bool ab_on_device(const ab_state *s)
{
  return !rh_backend_on_host(s->backend);
}

/* What the ranks do, and for how long (method_ab_time.c). */
void ab_append_synchronise(rh_world *world, ab_state *state);
void ab_append_enter(rh_world *world, ab_state *state, bool cut);
void ab_append_leave(rh_world *world, ab_state *state);
void ab_append_step(rh_world *world, ab_state *state);

#endif
