/* The recorder: what a run reports while it goes. Implemented by analysis/store.c; a test may implement it in memory.
 *
 * Rows are final when they are handed over. Every function may fail (a full disk); the run then ends, rows that were
 * committed stay.
 */
#ifndef RH_RECORD_H
#define RH_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "status.h"

typedef struct rh_round_row {
  int64_t round;         /* 1-based: after how many rounds */
  double finish_s;       /* simulated, when the last rank was done */
  double first_finish_s; /* when the first rank was done */
  double train_loss;     /* mean over workers of their batch losses; NaN is a value */
  double learning_rate;
  int64_t messages;      /* of all ranks */
  int64_t within_bytes;  /* of all ranks, pads included, to ranks in the sender's innermost zone */
  int64_t between_bytes; /* ... and to ranks in another one */
} rh_round_row;

/* Of methods with phases, one per round. */
typedef struct rh_phase_row {
  int64_t round;
  const char *phase;        /* "AB" */
  double compression_ratio; /* current / full number of parameters */
} rh_phase_row;

/* The current rank of one factored weight. */
typedef struct rh_factor_rank_row {
  int64_t round;
  const char *weight; /* its name in the model */
  int64_t rank;
} rh_factor_rank_row;

typedef struct rh_evaluation_row {
  int64_t round;
  double simulated_s;                                 /* the round's finish_s */
  double train_loss;                                  /* of the mean model on a part of the train data */
  double test_loss, test_accuracy;                    /* of the mean model, accuracy 0..1 */
  int32_t sample_count;                               /* replicas in the next three; 1 when all are equal */
  double accuracy_min, accuracy_median, accuracy_max; /* over a sample of replicas */
  double consensus_distance;
} rh_evaluation_row;

typedef struct rh_collective_row {
  int64_t round;
  const char *kind; /* "allreduce-ring" */
  int32_t group_size;
  int64_t payload_bytes;
  int64_t messages, wire_bytes;
  double start_s, finish_s;
  double closed_form_s;
} rh_collective_row;

typedef struct rh_link_row {
  const char *name;
  double bandwidth_Bps; /* of a link that changes with time the mean over the run */
  double latency_s;     /* as in the platform's file */
  double down_s;        /* of the run in which a profile had it off, or all but off (capacity.h) */
  double stalled_s;     /* of these, while transfers over it were under way */
  int64_t bytes;
  double busy_s;
  double load;      /* bytes / (bandwidth x simulated time), 0..1 on a wired link */
  double peak_load; /* the same in the fullest bin of time; at least `load` */
  /* what all transfers over it have in common, where they come from and go to: "rank 3", "zone left"; "" or NULL if
   * they differ */
  const char *from_where, *to_where;
  const uint8_t
      *bin_loads; /* [bin_count] loads in bins of rh_run_end's bin_s from 0 on: 0, or 10^((byte - 255) / 42) */
  int32_t bin_count;
} rh_link_row;

/* Bytes of a link over time, in bins of rh_run_end's bin_s from 0 on; later ones hold nothing. */
typedef struct rh_series_row {
  const char *link;
  int32_t count;
  const int64_t *bytes; /* [count] */
  const double *loads;  /* [count] bytes over what the link could carry in that bin; 0 where it was down all the time */
} rh_series_row;

typedef struct rh_rank_row {
  int32_t rank;
  const char *host;
  double speed_flops; /* flop/s */
  double compute_s, communication_s, both_s, waiting_s;
  double encode_s, decode_s; /* of compute_s: making messages, and making use of those that arrived */
  int64_t sent_bytes, received_bytes, sent_messages, samples;
} rh_rank_row;

/* What a rank did in one of the rounds that run.trace names: computed, or received a message. */
typedef struct rh_event_row {
  int64_t round;
  int32_t rank;
  bool compute;     /* else a message */
  const char *kind; /* "gradient", "allreduce-ring" */
  int32_t peer;     /* of a message: its sender's rank */
  int64_t bytes;    /* of a message */
  double start_s, finish_s;
} rh_event_row;

/* What a rank holds of the train data; classes of which it has none need no row. */
typedef struct rh_class_count_row {
  int32_t rank;
  int64_t label; /* the class, from 0 */
  int64_t samples;
} rh_class_count_row;

/* The network as a picture (sim/time/platform/network.h): nodes, and lines that stand for links between two of them. */
typedef struct rh_node_row {
  const char *kind; /* "host", "switch", "air" */
  const char *name; /* "" for a switch */
  int32_t rank;     /* the first on a host; -1: none */
  double x, y;      /* without unit, y points down */
} rh_node_row;

typedef struct rh_line_row {
  const char *link;
  int32_t from, to; /* nodes, by their place in the picture */
} rh_line_row;

typedef struct rh_network_row {
  const char *layout;     /* "fat-tree" */
  int64_t lines_left_out; /* those of the links with the fewest bytes */
  int32_t node_count, line_count;
  const rh_node_row *nodes; /* [node_count] */
  const rh_line_row *lines; /* [line_count] */
} rh_network_row;

/* Bytes that `block` ranks from `from` on have sent to as many from `to` on. */
typedef struct rh_pair_row {
  int32_t from, to, block;
  int64_t bytes;
} rh_pair_row;

/* What is known at the end of a run. */
typedef struct rh_run_end {
  const char *status; /* "done" | "failed" | "interrupted" */
  const char *reason; /* "target reached", "all rounds done", the error, ... */
  double simulated_s, wall_s;
  int64_t rounds;
  int64_t peak_memory_bytes;
  uint64_t parameters_hash; /* 0 if unknown */
  double bin_s;             /* width of the bins of rh_series_row; NaN: not known */
  /* of steady states: messages that were simulated and that were skipped, whole rounds and seconds that were skipped,
   * and why collectives were simulated in full ("": none was) */
  int64_t simulated_messages, skipped_messages, skipped_rounds;
  double skipped_s;
  const char *simulated_in_full;
} rh_run_end;

typedef struct rh_recorder {
  void *context;
  rh_status (*round)(void *context, const rh_round_row *row);
  rh_status (*phase)(void *context, const rh_phase_row *row);
  rh_status (*factor_rank)(void *context, const rh_factor_rank_row *row);
  rh_status (*evaluation)(void *context, const rh_evaluation_row *row);
  rh_status (*collective)(void *context, const rh_collective_row *row);
  rh_status (*link)(void *context, const rh_link_row *row);
  rh_status (*series)(void *context, const rh_series_row *row);
  rh_status (*rank)(void *context, const rh_rank_row *row);
  rh_status (*class_count)(void *context, const rh_class_count_row *row);
  rh_status (*event)(void *context, const rh_event_row *row);
  rh_status (*network)(void *context, const rh_network_row *row);
  rh_status (*pair)(void *context, const rh_pair_row *row);
  rh_status (*warning)(void *context, const char *text);
  rh_status (*flush)(void *context); /* commits if a second has passed since the last commit */
} rh_recorder;

#endif
