/* What a method sees: the only place where values and time meet.
 *
 * Symbols     N workers, x_i parameters, g_i gradients, W mixing matrix
 * A round of a method does the real mathematics for all replicas through `replicas`, then appends what the ranks do to
 * `schedule`, charging the seconds that rh_world_seconds tells and the bytes that compressors produced.
 */
#ifndef RH_WORLD_H
#define RH_WORLD_H

#include "charge.h"
#include "choice.h"
#include "compressor.h"
#include "graph.h"
#include "mask.h"
#include "replicas.h"
#include "schedule.h"

/* A part of the model that travels by itself: some layers' weights and biases, contiguous in the parameter vector. */
enum { RH_BUCKETS_MAX = RH_LAYERS_MAX };
typedef struct rh_bucket {
  int64_t offset;   /* in the parameter vector */
  rh_layout layout; /* its arrays are borrowed */
  int ready_layer;  /* its gradients exist after the backward pass of this layer */
} rh_bucket;

/* Seconds of the steps of one run on the reference device, resolved from the profile before the first round. */
typedef struct rh_step_seconds {
  double forward_s;                 /* all layers and the loss, one batch */
  double backward_s[RH_LAYERS_MAX]; /* one layer each, one batch; the last layer runs first */
  double backward_total_s;
  double update_s;                    /* one SGD step on one replica; step-ahead's momentum */
  double encode_s[RH_BUCKETS_MAX][2]; /* one worker's message of a bucket, by phase of its sums */
  double decode_s[RH_BUCKETS_MAX];    /* one message, or sum of messages, of a bucket */
  double feedback_s;                  /* adding and keeping the error of the whole model */
  double mix_s;                       /* adding one weighted model to another: one term of a mixing row */
  /* of methods that factorise, all weights together at full rank (factor.h) */
  double split_s, compose_s, project_s; /* SVD; W = A B; the trained factor's gradient from dW */
  double mask_s;                        /* making a mask (mask.h) */
  double flop_s;                        /* of time.source flops: one f32 operation; measured: 0 */
  double int8_op_s;                     /* likewise one on 8-bit values */
} rh_step_seconds;

typedef struct rh_method rh_method;

typedef struct rh_world {
  const rh_method *method; /* borrowed; whose options are method_options */
  int32_t workers;         /* N */
  uint64_t seed;
  int64_t rounds;         /* planned */
  double lr_min;          /* smallest learning rate of the schedule */
  int32_t zone_count;     /* innermost zones (nodes) that hold workers */
  const int32_t *zone_of; /* [workers] 0 .. zone_count - 1, in the order of their first ranks; borrowed */
  const rh_model *model;  /* borrowed, as all that follows */
  rh_replicas
      *replicas; /* NULL in runs of timing alone: no values, and bytes and seconds from shapes (rh_world_has_values) */
  rh_schedule *schedule;
  const rh_graph_sequence *graphs; /* rh_graph_at gives round t's; NULL when the method needs none */
  rh_allreduce allreduce;          /* rh_world_allreduce asks it */
  const rh_collective_kind *allgather, *exchange;
  const rh_compressor *compressor;
  const void *compressor_options;
  rh_feedback_options feedback;
  rh_mask_options mask;          /* of methods that take one; kind RH_MASK_NONE: none */
  const rh_optimiser *optimiser; /* the replicas' */
  int32_t bucket_count;          /* at least 1; the one that exists first comes first */
  const rh_bucket *buckets;
  rh_step_seconds seconds; /* of all ranks, unless rank_seconds is there: rh_world_seconds asks */
  /* [workers] of each rank's device, or drawn for this round; NULL: all take `seconds` */
  const rh_step_seconds *const *rank_seconds;
  const void *method_options;
  /* outputs of a round */
  double learning_rate; /* the schedule's before a round; what the method took of it afterwards */
  double train_loss;    /* mean over workers of the round's batch losses */
  /* of methods with phases, set in every round; strings live as long as the method's state, the rest until the next
   * round */
  const char *phase;             /* NULL: the method has none */
  double compression_ratio;      /* current / full number of parameters; 1 when nothing is factored */
  int32_t rank_count;            /* factored weights */
  const int64_t *ranks;          /* [rank_count] current rank of each */
  const char *const *rank_names; /* [rank_count] names of the weights */
} rh_world;

/* Whether values are computed. Without them a round is its operations alone, and every message has the length that its
 * compressor's bound gives; losses are NaN. */
static inline bool rh_world_has_values(const rh_world *world)
{
  return world->replicas != NULL;
}

/* The all-reduce of `bytes` in elements of element_bytes over the `size` ranks of `group` (NULL: the first ones). */
rh_collective rh_world_allreduce(const rh_world *world, const int32_t *group, int32_t size, int64_t bytes,
                                 int64_t element_bytes);

/* What a rank's steps take in this round. */
static inline const rh_step_seconds *rh_world_seconds(const rh_world *world, int32_t rank)
{
  return world->rank_seconds ? world->rank_seconds[rank] : &world->seconds;
}

/* world->train_loss = mean of the workers' losses [N], added in the order of ranks; NaN without values. */
void rh_world_take_losses(rh_world *world, const double *loss);

typedef enum rh_copies { RH_COPIES_ONE, RH_COPIES_GROUPS, RH_COPIES_EACH } rh_copies;

/* What the memory of a method's own state depends on. */
typedef struct rh_sizes {
  const rh_method *method;
  const rh_model *model;
  int32_t workers, copies;
  int moments; /* rows that the optimiser keeps */
  const rh_compressor *compressor;
  const void *compressor_options;
  const rh_layout *layout;
  int feedback; /* enum rh_feedback */
  int mask;     /* enum rh_mask_kind */
  int threads;
  const void *method_options;
} rh_sizes;

struct rh_method {
  const char *name, *summary, *source;
  const rh_option *options; /* keys of section `train`, beside the common ones */
  size_t option_count, options_size;
  bool needs_graph;
  int mixing;        /* of needs_graph: enum rh_mixing, what it asks of the graph's weights; others are refused */
  bool time_varying; /* of needs_graph: it takes graphs that change every round, without loss; else they are refused */
  rh_copies copies;  /* of error feedback `step-ahead`: always RH_COPIES_EACH */
  /* Of RH_COPIES_GROUPS: how many, in how many zones (0: not known yet, for predictions). */
  int32_t (*group_copies)(const void *options, int32_t workers, int32_t zones);
  /* Why there are no rounds without values, as words after the method's name; NULL: there are. */
  const char *needs_values;
  bool takes_feedback;
  bool takes_mask; /* its models and messages can be of what is inside a mask alone (masking.h) */
  /* Of methods that factorise weights, which are charged split_s, compose_s and project_s: whether the first and the
   * last one stay dense. NULL: nothing is factored. */
  bool (*dense_ends)(const void *options);
  /* Least size of a bucket in bytes, from the method's options; NULL: the whole model is one bucket. */
  double (*bucket_bytes)(const void *options);
  /* What a reader of the results should know when the model is cut into so many buckets, or NULL; may itself
   * be NULL. */
  const char *(*warning)(const void *options, int32_t buckets);
  /* Refuses combinations that the mathematics forbids; NULL: none. */
  RH_CHECKED rh_status (*check)(const rh_world *world);
  /* The same before anything is created: workers, rounds, model, compressor, feedback, optimiser and method_options are
   * known, no platform, graph or replicas. NULL: nothing to say. */
  RH_CHECKED rh_status (*check_settings)(const rh_world *world);
  /* Appends a warning where a combination may not work, nothing where it does; NULL: all do. */
  void (*warn)(const rh_world *world, rh_text *out);
  /* Whether a round with these settings (compressor, feedback, mask, optimiser, method_options) touches rows of
   * replicas by the backend's operations alone, so that they may live on a device. NULL: it does not. */
  bool (*stays_on_device)(const rh_world *world);
  /* Whether a round with these settings takes its steps by rh_replicas_train alone. NULL: it does not. */
  bool (*trains_at_once)(const rh_world *world);
  /* Allocates the method's own state; state_bytes, which may be NULL, says how much that is. */
  RH_CHECKED rh_status (*new_state)(rh_world *world, void **state);
  void (*free_state)(void *state);
  int64_t (*state_bytes)(const rh_sizes *sizes);
  /* The model that is evaluated, [stride], where it is not the mean of the replicas; NULL: it is. */
  const float *(*evaluated)(void *state);
  /* What the method's state goes on from, beside the replicas (parts.h). NULL: the method cannot be stopped and
   * resumed. */
  void (*parts)(void *state, const rh_parts *parts);
  /* One round: t is 0-based, lr the learning rate of this round. */
  RH_CHECKED rh_status (*round)(rh_world *world, void *state, int64_t t, double lr);
  /* Of methods whose state is their agents (agents.h): what those are made of. */
  struct rh_agents_def (*agents)(const rh_compressor *compressor, const void *options);
};

extern const rh_method rh_method_ab, rh_method_allreduce, rh_method_dpsgd, rh_method_choco, rh_method_deepsqueeze,
    rh_method_dcd, rh_method_qg_dsgdm, rh_method_sgp;
extern const rh_method *const rh_methods[]; /* NULL-terminated */
const rh_method *rh_method_find(const char *name);

#endif
