/* What a method sees: the only place where values and time meet.
 *
 * Symbols     N workers, x_i parameters, g_i gradients, W mixing matrix
 * A round of a method does the real mathematics for all replicas through `replicas`, then appends what the ranks do to
 * `schedule`, charging the seconds that `seconds` holds and the bytes that compressors produced.
 */
#ifndef RH_WORLD_H
#define RH_WORLD_H

#include "charge.h"
#include "compressor.h"
#include "graph.h"
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
} rh_step_seconds;

typedef struct rh_world {
  int32_t workers; /* N */
  uint64_t seed;
  const rh_model *model; /* borrowed, as all that follows */
  rh_replicas *replicas;
  rh_schedule *schedule;
  const rh_graph *graph; /* NULL when the method needs none */
  const rh_collective_kind *allreduce, *allgather, *exchange;
  const rh_compressor *compressor;
  const void *compressor_options;
  rh_feedback_options feedback;
  int32_t bucket_count; /* at least 1; the one that exists first comes first */
  const rh_bucket *buckets;
  rh_step_seconds seconds;
  const void *method_options;
  /* outputs of a round */
  double train_loss; /* mean over workers of the round's batch losses */
} rh_world;

/* world->train_loss = mean of the workers' losses [N], added in the order of ranks. */
void rh_world_take_losses(rh_world *world, const double *loss);

typedef enum rh_copies { RH_COPIES_ONE, RH_COPIES_EACH } rh_copies;

typedef struct rh_method {
  const char *name, *summary, *source;
  const rh_option *options; /* keys of section `train`, beside the common ones */
  size_t option_count, options_size;
  bool needs_graph;
  rh_copies copies; /* of error feedback `step-ahead`: always RH_COPIES_EACH */
  bool takes_feedback;
  /* Least size of a bucket in bytes, from the method's options; NULL: the whole model is one bucket. */
  double (*bucket_bytes)(const void *options);
  /* What a reader of the results should know when the model is cut into so many buckets, or NULL; may itself be NULL. */
  const char *(*warning)(const void *options, int32_t buckets);
  /* Refuses combinations that the mathematics forbids; NULL: none. */
  RH_CHECKED rh_status (*check)(const rh_world *world);
  /* Allocates the method's own state; state_bytes, which may be NULL, says how much that is. */
  RH_CHECKED rh_status (*new_state)(rh_world *world, void **state);
  void (*free_state)(void *state);
  int64_t (*state_bytes)(const rh_model *model, int32_t workers, const rh_compressor *compressor,
                         const void *compressor_options, const rh_layout *layout, int feedback, int threads);
  /* The model that is evaluated, [stride], where it is not the mean of the replicas; NULL: it is. */
  const float *(*evaluated)(void *state);
  /* One round: t is 0-based, lr the learning rate of this round. */
  RH_CHECKED rh_status (*round)(rh_world *world, void *state, int64_t t, double lr);
} rh_method;

extern const rh_method rh_method_allreduce, rh_method_dpsgd;
extern const rh_method *const rh_methods[]; /* NULL-terminated */
const rh_method *rh_method_find(const char *name);

#endif
