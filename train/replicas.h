/* Replicas: N workers' models in flat arenas, stepped in chunks.
 *
 * Symbols     N workers, P parameters, B batch, x_i parameters of worker i, g_i its gradient
 * Equal replicas are stored once: there are `copies` of x and of the optimiser's moments, 1 (all workers hold the same)
 * to N (each its own), and a map says which worker holds which. What differs per rank
 * (gradients in flight) lives in a chunk buffer of `chunk` rows, sized so that everything fits `memory_bytes`.
 * bits        the same for any number of threads and any chunk size: each replica is computed by one thread with fixed
 *             call shapes, and sums over workers follow a binary tree whose shape depends on N alone
 */
#ifndef RH_REPLICAS_H
#define RH_REPLICAS_H

#include <signal.h>

#include "dataset.h"
#include "optim.h"
#include "parts.h"

typedef struct rh_replicas_def {
  const rh_backend *backend;     /* where rows of parameters, moments and gradients live; borrowed */
  const rh_backend *passes;      /* where gradients and scores are computed; NULL: there, too; borrowed */
  const rh_model *model;         /* borrowed */
  const rh_dataset *dataset;     /* borrowed */
  const rh_partition *partition; /* borrowed */
  int32_t workers;               /* N */
  int32_t copies;                /* 1..N; worker i holds copy i copies / N until rh_replicas_share says otherwise */
  int64_t batch;                 /* B, per worker */
  const float *initial;          /* [stride] parameters to start from; borrowed until _new returns; NULL: drawn */
  uint64_t seed;
  int threads;
  int64_t memory_bytes; /* of arenas, chunk buffer and workspaces; 0: no limit */
  int64_t other_bytes;  /* of the device where rows live: what a method will keep there, too */
  bool trains_at_once;  /* steps are rh_replicas_train's alone: gradients need but the rows of its threads */
  rh_optimiser optimiser;
  double label_smoothing;            /* share of the target that is spread over all classes, 0..1 */
  const volatile sig_atomic_t *stop; /* borrowed; non-zero ends a long loop early; NULL: never */
} rh_replicas_def;

typedef struct rh_replicas rh_replicas;

/* All replicas start from the same parameters.
 * returns     RH_ENOMEM, with what is needed and what would fit, if one chunk row does not fit `memory_bytes`, or a
 *             device's memory; RH_EUNSUPPORTED for steps in int8 on a device that has none */
RH_CHECKED rh_status rh_replicas_new(const rh_replicas_def *def, rh_replicas **replicas);
void rh_replicas_free(rh_replicas *replicas);

const rh_replicas_def *rh_replicas_get_def(const rh_replicas *replicas);
int64_t rh_replicas_chunk(const rh_replicas *replicas); /* rows that rh_replicas_gradients takes at once */
int64_t rh_replicas_bytes(const rh_replicas *replicas); /* allocated */

/* Bytes that a set of replicas would take with the smallest and with the largest useful chunk. */
void rh_replicas_predict(const rh_replicas_def *def, int64_t *least_bytes, int64_t *most_bytes);

/* From now on there are `copies` <= def.copies copies and worker i holds copy_of[i] (NULL: i copies / N). Copies'
 * values stay; those beyond `copies` are forgotten by mean, distance and hash. copy_of is copied. */
void rh_replicas_share(rh_replicas *replicas, int32_t copies, const int32_t *copy_of);
int32_t rh_replicas_copies(const rh_replicas *replicas); /* in use */

float *rh_replicas_parameters(rh_replicas *replicas, int32_t worker);    /* x_i [P, padded], of the copy it holds */
float *rh_replicas_moment(rh_replicas *replicas, int32_t worker, int k); /* k-th row of the optimiser, likewise */
/* The same by copy. */
float *rh_replicas_copy(rh_replicas *replicas, int32_t copy);
float *rh_replicas_copy_moment(rh_replicas *replicas, int32_t copy, int k);

/* Whether zeros in the weights of products are masked values from now on (mask.h): in int8 they stay zero then. Off at
 * first. */
void rh_replicas_set_sparse(rh_replicas *replicas, bool sparse);

/* Gradients of workers first .. first + count - 1 on their batches of step t, at their current parameters.
 *
 * t           0-based; worker i's batch t is B samples of its shard: a new seeded order every epoch, wrapped at its end
 * grads       out, borrowed until the next call: [count][stride] rows
 * loss        [count] out, may be NULL
 * returns     RH_EINTERRUPTED if `stop` was raised
 */
RH_CHECKED rh_status rh_replicas_gradients(rh_replicas *replicas, int64_t t, int32_t first, int32_t count,
                                           float **grads, double *loss);

/* A step of the optimiser (its t is `t` + 1), gradients clipped first, on copies first .. first + count - 1.
 * grads [count][stride]. */
void rh_replicas_step(rh_replicas *replicas, int32_t first, int32_t count, float *grads, double lr, int64_t t);

/* Both for all workers, each of which has a copy of its own (worker i copy i): the same bits as rh_replicas_gradients
 * and rh_replicas_step of one chunk after the other, but each gradient is stepped with while it is in the cache.
 *
 * loss        [N] out, may be NULL
 * returns     RH_EINTERRUPTED if `stop` was raised, after which some workers have made their step and others not */
RH_CHECKED rh_status rh_replicas_train(rh_replicas *replicas, int64_t t, double lr, double *loss);

/* The same step of workers first .. first + count - 1, who have a copy each, on other rows [count][stride] where theirs
 * live; the decay is that of their own parameters. May be called for different workers on several threads at once. */
void rh_replicas_step_on(rh_replicas *replicas, int32_t first, int32_t count, float *grads, float *rows, double lr,
                         int64_t t);
/* Gradients [count][stride] scaled down to the longest that is stepped with; likewise. */
void rh_replicas_clip(rh_replicas *replicas, int32_t count, float *grads);

/* Streaming sum of N rows in rank order as a balanced binary tree: same bits for any chunking. */
typedef struct rh_tree_sum rh_tree_sum;
RH_CHECKED rh_status rh_tree_sum_new(const rh_backend *backend, int64_t stride, rh_tree_sum **sum);
/* The same with room for sums of at most so many rows: a device's memory is taken whether it is used or not. */
RH_CHECKED rh_status rh_tree_sum_new_of(const rh_backend *backend, int64_t stride, int64_t most, rh_tree_sum **sum);
void rh_tree_sum_free(rh_tree_sum *sum);
void rh_tree_sum_begin(rh_tree_sum *sum);
void rh_tree_sum_add(rh_tree_sum *sum, const float *row);          /* [stride], as out of the backend's memory */
void rh_tree_sum_end(rh_tree_sum *sum, double factor, float *out); /* out [stride] = factor * total */

/* Adds `count` rows, one behind the other: the same bits. */
void rh_tree_sum_add_rows(rh_tree_sum *sum, const float *rows, int64_t count);

/* Parameters of the mean model, tree sum / N, into out [stride] of the program's memory. */
RH_CHECKED rh_status rh_replicas_mean(rh_replicas *replicas, float *out);
/* sqrt(1/N sum_i |x_i - mean|^2) over P, workers weighed equally; 0 with one copy in use. Source: Kong et al., ICML
 * 2021 (consensus control). */
double rh_replicas_consensus_distance(rh_replicas *replicas, const float *mean);

/* Loss (mean) and accuracy of one parameter row, in the program's memory, on the first `limit` samples (0: all) of a
 * part of the data. RH_EINTERRUPTED as above. */
typedef struct rh_score {
  double loss, accuracy; /* accuracy 0..1 */
} rh_score;
RH_CHECKED rh_status rh_replicas_score(rh_replicas *replicas, const float *parameters, const rh_samples *samples,
                                       int64_t limit, rh_score *score);

/* The same of worker i's own model. In int8 it goes with the running ranges of i's own activations; a row of
 * parameters, whoever made it, goes with the mean over workers of theirs. */
RH_CHECKED rh_status rh_replicas_score_worker(rh_replicas *replicas, int32_t worker, const rh_samples *samples,
                                              int64_t limit, rh_score *score);

/* Hash of the parameters and moments of the copies in use, and of int8's running ranges: equal hashes mean equal
 * training states. */
uint64_t rh_replicas_hash(rh_replicas *replicas);

/* All that training goes on from (parts.h): parameters, moments, who holds which copy, int8's running ranges. Batches
 * and draws follow from the seed and the step. */
void rh_replicas_parts(rh_replicas *replicas, const rh_parts *parts);

/* Rows in the backend's memory as a part; NULL: there is none. */
void rh_replicas_arena_part(const rh_backend *backend, const rh_parts *parts, const char *name, float *rows,
                            size_t bytes);

#endif
