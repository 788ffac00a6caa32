/* Methods: what they compute, against each other, and what they charge, against closed forms.
 *
 * Methods append to a schedule, which only its producer may do: a test of values is the producer of one long round, and
 * since that runs on an actor's stack, which cmocka cannot leave, it checks with RH_ASSERT.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate.h"
#include "collectives.h"
#include "in_process.h"
#include "world.h"

enum { N = 8, SAMPLES = 160, SIDE = 6, CLASSES = 3, BATCH = 5 };

static rh_platform *platform;
static rh_schedule *schedule; /* of the values' producer */

/* Noisy bright columns: class c has its bright column at 2 c. */
static rh_dataset dataset_new(void)
{
  rh_dataset d = {.name = "columns", .shape = {1, SIDE, SIDE}, .classes = CLASSES};
  rh_samples *parts[] = {&d.train, &d.test};
  rh_rng rng = rh_rng_stream(1, RH_PURPOSE_TEST, 0, 0);
  for (int p = 0; p < 2; p++) {
    parts[p]->count = SAMPLES;
    parts[p]->pixels = calloc(SAMPLES, SIDE * SIDE);
    parts[p]->labels = calloc(SAMPLES, sizeof(int32_t));
    for (int i = 0; i < SAMPLES; i++) {
      int c = parts[p]->labels[i] = (int32_t)rh_rng_below(&rng, CLASSES);
      for (int k = 0; k < SIDE * SIDE; k++)
        parts[p]->pixels[i * SIDE * SIDE + k] = (uint8_t)(rh_rng_below(&rng, 120) + (k % SIDE == 2 * c ? 100 : 0));
    }
  }
  rh_dataset_normalise(&d);
  return d;
}

/* A world of 8 workers and everything it borrows. */
typedef struct fixture {
  rh_world world;
  rh_dataset dataset;
  rh_partition partition;
  rh_model model;
  rh_graph graph;
  int64_t lengths[RH_SEGMENTS_MAX], rows[RH_SEGMENTS_MAX];
  rh_bucket buckets[3];
  void *method_options, *compressor_options;
  const rh_method *method;
  void *state;
  double elapsed_s;
} fixture;

typedef struct choice {
  const char *method, *graph, *order, *message, *compressor, *bits;
  double momentum, decay;
  int buckets; /* 0: one */
  const char *overlap;
  int feedback;
  int64_t average_every;
} choice;

static void *options_new(const rh_option *rows, size_t count, size_t size, const char *section, const char *key,
                         const char *value, const char *key2, const char *value2)
{
  rh_settings settings = {0};
  char name[64];
  const char *keys[] = {key, key2}, *values[] = {value, value2};
  for (int i = 0; i < 2; i++) {
    if (!values[i]) continue;
    snprintf(name, sizeof name, "%s.%s", section, keys[i]);
    rh_settings_set(&settings, name, values[i], "test", NULL);
  }
  void *options = calloc(1, size + 1);
  RH_ASSERT(rh_option_read(rows, count, section, &settings, options) == RH_OK);
  rh_settings_clear(&settings);
  return options;
}

/* One bucket of everything; or one for each dense layer, the last first (the mlp is dense, ReLU, dense); or three, with
 * the first layer's bias apart, as if it existed one layer earlier. */
static void cut(fixture *f, int buckets)
{
  for (int s = 0; s < f->model.segment_count; s++) {
    f->lengths[s] = f->model.segments[s].count;
    f->rows[s] = f->model.segments[s].rows;
  }
  const rh_segment *second = &f->model.segments[2];
  f->buckets[0] = (rh_bucket){.layout = {4, f->lengths, f->rows, f->model.parameters}};
  if (buckets == 1) return;
  f->buckets[0] = (rh_bucket){.offset = second->offset,
                              .layout = {2, f->lengths + 2, f->rows + 2, f->model.parameters - second->offset},
                              .ready_layer = 2};
  f->buckets[1] = (rh_bucket){.layout = {2, f->lengths, f->rows, second->offset}, .ready_layer = 0};
  if (buckets == 2) return;
  const rh_segment *bias = &f->model.segments[1];
  f->buckets[1] =
      (rh_bucket){.offset = bias->offset, .layout = {1, f->lengths + 1, f->rows + 1, bias->count}, .ready_layer = 1};
  f->buckets[2] = (rh_bucket){.layout = {1, f->lengths, f->rows, bias->offset}, .ready_layer = 0};
}

static void fixture_init(fixture *f, const choice *c)
{
  *f = (fixture){0};
  f->dataset = dataset_new();
  const rh_model_kind *mlp = rh_model_find("mlp");
  void *mlp_options =
      options_new(mlp->options, mlp->option_count, mlp->options_size, "model", "hidden", "16", "", NULL);
  RH_ASSERT(mlp->build(mlp_options, f->dataset.shape, CLASSES, &f->model) == RH_OK);
  free(mlp_options);
  rh_partition_def iid = {.kind = RH_PARTITION_IID};
  RH_ASSERT(rh_partition_new(&iid, &f->dataset, N, 1, &f->partition) == RH_OK);
  f->method = rh_method_find(c->method);
  rh_replicas_def def = {.backend = rh_backend_find("ref"),
                         .model = &f->model,
                         .dataset = &f->dataset,
                         .partition = &f->partition,
                         .workers = N,
                         .copies = f->method->copies == RH_COPIES_EACH || c->feedback == RH_FEEDBACK_STEP_AHEAD ? N : 1,
                         .batch = BATCH,
                         .seed = 1,
                         .threads = 2,
                         .momentum = c->momentum,
                         .decay = c->decay};
  rh_replicas *replicas;
  RH_ASSERT(rh_replicas_new(&def, &replicas) == RH_OK);
  if (c->graph) {
    int64_t torus_rows = 0;
    RH_ASSERT(rh_graph_new(rh_graph_find(c->graph), &torus_rows, N, false, RH_WEIGHTS_METROPOLIS, &f->graph) == RH_OK);
  }
  const rh_compressor *q = rh_compressor_find(c->compressor ? c->compressor : "none");
  f->method_options =
      options_new(f->method->options, f->method->option_count, f->method->options_size, "train",
                  c->overlap ? "overlap" : "order", c->overlap ? c->overlap : c->order, "message", c->message);
  f->compressor_options =
      options_new(q->options, q->option_count, q->options_size, "compress", "bits", c->bits, "", NULL);
  cut(f, c->buckets ? c->buckets : 1);
  f->world = (rh_world){.workers = N,
                        .seed = 1,
                        .model = &f->model,
                        .replicas = replicas,
                        .schedule = schedule,
                        .graph = c->graph ? &f->graph : NULL,
                        .allreduce = &rh_allreduce_ring,
                        .allgather = &rh_allgather_ring,
                        .exchange = &rh_neighbour_exchange,
                        .compressor = q,
                        .compressor_options = f->compressor_options,
                        .feedback = {.kind = c->feedback, .average_every = c->average_every},
                        .bucket_count = c->buckets ? c->buckets : 1,
                        .buckets = f->buckets,
                        .seconds = {.forward_s = 1e-3,
                                    .backward_total_s = 2e-3,
                                    .update_s = 1e-4,
                                    .encode_s = {{3e-5, 3e-5}, {3e-5, 3e-5}, {3e-5, 3e-5}},
                                    .decode_s = {2e-5, 2e-5, 2e-5},
                                    .feedback_s = 4e-5,
                                    .backward_s = {5e-4, 0, 1.5e-3},
                                    .mix_s = 1e-5},
                        .method_options = f->method_options};
  if (c->buckets == 3) {
    const double layers[] = {20e-6, 5e-6, 10e-6};
    f->world.seconds.forward_s = 100e-6;
    memcpy(f->world.seconds.backward_s, layers, sizeof layers);
    f->world.seconds.backward_total_s = 35e-6;
  }
  RH_ASSERT(f->method->new_state(&f->world, &f->state) == RH_OK);
}

static void fixture_clear(fixture *f)
{
  f->method->free_state(f->state);
  rh_replicas_free(f->world.replicas);
  rh_partition_clear(&f->partition);
  rh_graph_clear(&f->graph);
  rh_dataset_clear(&f->dataset);
  free(f->method_options);
  free(f->compressor_options);
}

static void rounds(fixture *f, int64_t first, int64_t count, double lr)
{
  for (int64_t t = first; t < first + count; t++)
    RH_ASSERT(f->method->round(&f->world, f->state, t, lr) == RH_OK);
}

/* Largest difference between worker i of a and worker j of b, over the largest parameter. */
static double relative_difference(fixture *a, int32_t i, fixture *b, int32_t j)
{
  const float *x = rh_replicas_parameters(a->world.replicas, i), *y = rh_replicas_parameters(b->world.replicas, j);
  double difference = 0, largest = 0;
  for (int64_t p = 0; p < a->model.parameters; p++) {
    difference = fmax(difference, fabs((double)x[p] - y[p]));
    largest = fmax(largest, fabs((double)x[p]));
  }
  return difference / largest;
}

/* With everybody as neighbour, the average after the step is the step with the average. f32 rounding of 30 steps: each
 * adds about an ulp (6e-8) of relative error, momentum 0.9 multiplies it by up to 10; 2e-5 is that with a margin. */
static void dpsgd_on_a_complete_graph_is_allreduce_body(void)
{
  choice all = {.method = "allreduce", .momentum = 0.9, .decay = 1e-3};
  choice gossip = {.method = "dpsgd", .graph = "complete", .momentum = 0.9, .decay = 1e-3};
  fixture a, b;
  fixture_init(&a, &all);
  fixture_init(&b, &gossip);
  rounds(&a, 0, 30, 0.05);
  rounds(&b, 0, 30, 0.05);
  for (int32_t i = 0; i < N; i++)
    RH_ASSERT(relative_difference(&a, 0, &b, i) < 2e-5);
  fixture initial;
  fixture_init(&initial, &all);
  RH_ASSERT(relative_difference(&a, 0, &initial, 0) > 0.01); /* and they did move */
  fixture_clear(&initial);
  fixture_clear(&a);
  fixture_clear(&b);
}

/* One worker's neighbourhood by hand: combine-then-adapt gives W x - lr g(x), the gradient taken before mixing. */
static void combine_then_adapt_takes_the_gradient_before_mixing_body(void)
{
  choice c = {.method = "dpsgd", .graph = "ring", .order = "combine-then-adapt"};
  fixture f;
  fixture_init(&f, &c);
  rounds(&f, 0, 3, 0.1); /* now the workers differ */
  size_t bytes = (size_t)f.model.stride * sizeof(float);
  float *x = malloc(N * bytes), *gradient = malloc(bytes);
  for (int32_t i = 0; i < N; i++)
    memcpy(x + i * f.model.stride, rh_replicas_parameters(f.world.replicas, i), bytes);
  float *g;
  RH_ASSERT(rh_replicas_gradients(f.world.replicas, 3, 4, 1, &g, NULL) == RH_OK);
  memcpy(gradient, g, bytes);
  rounds(&f, 3, 1, 0.1);
  const float *after = rh_replicas_parameters(f.world.replicas, 4);
  for (int64_t p = 0; p < f.model.parameters; p++) {
    double mixed = ((double)x[3 * f.model.stride + p] + x[4 * f.model.stride + p] + x[5 * f.model.stride + p]) / 3;
    RH_ASSERT(fabs(mixed - 0.1 * gradient[p] - after[p]) < 1e-6); /* values below 2: a few f32 ulp */
  }
  free(x);
  free(gradient);
  fixture_clear(&f);
}

static double mean_value(fixture *f)
{
  double sum = 0;
  for (int32_t i = 0; i < N; i++)
    for (int64_t p = 0; p < f->model.parameters; p++)
      sum += rh_replicas_parameters(f->world.replicas, i)[p];
  return sum / (N * (double)f->model.parameters);
}

static double consensus(fixture *f)
{
  float *mean = calloc((size_t)f->model.stride, sizeof *mean);
  RH_ASSERT(rh_replicas_mean(f->world.replicas, mean) == RH_OK);
  double distance = rh_replicas_consensus_distance(f->world.replicas, mean);
  free(mean);
  return distance;
}

/* Gossip alone (lr 0) keeps the mean model and contracts the distance by at most |lambda_2| per round. */
static void gossip_keeps_the_mean_and_contracts_body(void)
{
  static const char *const compressors[] = {"none", "qsgd"};
  for (int k = 0; k < 2; k++) {
    choice c = {.method = "dpsgd", .graph = "ring", .compressor = compressors[k], .bits = k ? "8" : NULL};
    fixture f;
    fixture_init(&f, &c);
    rounds(&f, 0, 3, 0.1);
    double mean = mean_value(&f), before = consensus(&f), lambda2;
    RH_ASSERT(rh_graph_lambda2(&f.graph, &lambda2) == RH_OK);
    RH_ASSERT(before > 1e-3);
    rounds(&f, 3, 30, 0);
    /* each exchange rounds N x P values of size 0.3 to f32; their mean error is far below 1e-7 */
    RH_ASSERT(fabs(mean_value(&f) - mean) < 1e-7);
    double after = consensus(&f);
    if (k == 0) {
      RH_ASSERT(after <= before * pow(lambda2, 30) * 1.001 + 1e-6); /* 1e-6: f32 rounding of 600 values */
    } else {
      RH_ASSERT(after < 0.02 * before); /* the noise shrinks with the differences */
    }
    fixture_clear(&f);
  }
}

/* The negative control: whole models through the same quantiser stall at its noise floor. */
static void averaging_quantised_models_stalls_body(void)
{
  static const char *const messages[] = {"difference", "model"};
  double distance[2];
  for (int k = 0; k < 2; k++) {
    choice c = {.method = "dpsgd", .graph = "ring", .compressor = "qsgd", .bits = "8", .message = messages[k]};
    fixture f;
    fixture_init(&f, &c);
    rounds(&f, 0, 3, 0.1);
    rounds(&f, 3, 60, 0);
    distance[k] = consensus(&f);
    fixture_clear(&f);
  }
  RH_ASSERT(distance[1] > 100 * distance[0]);
}

/* allreduce with qsgd trains on what was decoded: without momentum the step is lr times a mean of N messages. */
static void allreduce_steps_on_decoded_messages_body(void)
{
  choice plain = {.method = "allreduce"}, lossy = {.method = "allreduce", .compressor = "qsgd", .bits = "2"};
  fixture a, b;
  fixture_init(&a, &plain);
  fixture_init(&b, &lossy);
  size_t bytes = (size_t)a.model.stride * sizeof(float);
  float *start = malloc(bytes), *sum = calloc((size_t)a.model.stride, sizeof *sum), *y = calloc(1, bytes);
  memcpy(start, rh_replicas_parameters(b.world.replicas, 0), bytes);
  uint8_t *wire = malloc(65536);
  for (int32_t i = 0; i < N; i++) { /* the messages again, by hand */
    float *g;
    RH_ASSERT(rh_replicas_gradients(a.world.replicas, 0, i, 1, &g, NULL) == RH_OK);
    rh_coding coding = {.options = b.compressor_options,
                        .layout = &b.buckets[0].layout,
                        .rng = rh_rng_stream(1, RH_PURPOSE_COMPRESS, (uint32_t)i, 0)};
    int64_t length = b.world.compressor->encode(&coding, g, NULL, wire);
    b.world.compressor->decode(&coding, wire, length, y);
    for (int64_t p = 0; p < a.model.parameters; p++)
      sum[p] += y[p] / N;
  }
  rounds(&b, 0, 1, 0.5);
  const float *after = rh_replicas_parameters(b.world.replicas, 0);
  double moved = 0;
  for (int64_t p = 0; p < a.model.parameters; p++) {
    RH_ASSERT(fabs((double)start[p] - 0.5 * sum[p] - after[p]) < 1e-5); /* sums of 8 in another order, f32 */
    moved = fmax(moved, fabs((double)start[p] - after[p]));
  }
  RH_ASSERT(moved > 1e-2);
  free(start);
  free(sum);
  free(y);
  free(wire);
  fixture_clear(&a);
  fixture_clear(&b);
}

/* Feedback and step-ahead around a lossless compressor change nothing: errors stay zero, and momentum is linear. 20
 * steps of f32 rounding, as above. */
static void feedback_without_loss_changes_nothing_body(void)
{
  choice plain = {.method = "allreduce", .momentum = 0.9};
  fixture a;
  fixture_init(&a, &plain);
  rounds(&a, 0, 20, 0.05);
  for (int kind = RH_FEEDBACK_CLASSIC; kind <= RH_FEEDBACK_STEP_AHEAD; kind++) {
    choice fed = {.method = "allreduce", .momentum = 0.9, .feedback = kind, .average_every = 5, .buckets = 2};
    fixture b;
    fixture_init(&b, &fed);
    rounds(&b, 0, 20, 0.05);
    RH_ASSERT(relative_difference(&a, 0, &b, 0) < 2e-5);
    fixture_clear(&b);
  }
  fixture_clear(&a);
}

/* Classic feedback loses nothing: after T rounds at a constant lr without momentum, x has moved by lr times the sum of
 * all mean gradients less what is still kept: x_0 - x_T = lr (sum_t g_t - mean of e_T). Seen through one step: the mean
 * of p_i is the mean of what arrived plus the mean of e_i. */
static void feedback_keeps_what_is_lost_body(void)
{
  choice c = {.method = "allreduce", .compressor = "qsgd", .bits = "8", .feedback = RH_FEEDBACK_CLASSIC};
  fixture f;
  fixture_init(&f, &c);
  rh_aggregate *a;
  RH_ASSERT(rh_aggregate_new(&f.world, &a) == RH_OK);
  const int64_t stride = f.model.stride, chunk = rh_replicas_chunk(f.world.replicas);
  RH_ASSERT(chunk >= N);
  float *rows = calloc(N * (size_t)stride, sizeof *rows), *mean = calloc((size_t)stride, sizeof *mean);
  double *owed = calloc((size_t)stride, sizeof *owed);
  for (int64_t t = 0; t < 5; t++) {
    rh_rng rng = rh_rng_stream(3, RH_PURPOSE_TEST, 0, (uint64_t)t);
    for (int32_t i = 0; i < N; i++)
      for (int64_t p = 0; p < f.model.parameters; p++)
        owed[p] += (double)(rows[i * stride + p] = (float)rh_rng_normal(&rng)) / N;
    rh_aggregate_begin(a, t);
    rh_aggregate_give(a, 0, N, rows);
    rh_aggregate_end(a, mean);
    double lost = 0;
    for (int64_t p = 0; p < f.model.parameters; p++) {
      double kept = 0;
      owed[p] -= mean[p];
      for (int32_t i = 0; i < N; i++)
        kept += (double)rh_aggregate_error(a, i)[p] / N;
      lost = fmax(lost, fabs(kept));
      RH_ASSERT(fabs(owed[p] - kept) < 1e-5); /* values of size 1 in f32, five rounds */
    }
    RH_ASSERT(lost > 1e-3);
  }
  free(rows);
  free(mean);
  free(owed);
  rh_aggregate_free(a);
  fixture_clear(&f);
}

/* Runs a test of values as the producer of the only round. What was appended is not executed: it speaks of graphs that
 * are gone by then. */
static rh_status produce_values(void *context, int64_t t, bool *more)
{
  (void)t;
  void (**body)(void) = context;
  (*body)();
  *more = false;
  return rh_error(RH_EINTERRUPTED, "values checked");
}

static void load(void)
{
  rh_platform_def def = {.file = RH_SOURCE_DIR "/platforms/ideal.xml", .workers = N};
  if (rh_platform_load(&def, &platform) != RH_OK) fail_msg("%s", rh_error_message());
}

static void check_values(void (*body)(void))
{
  load();
  rh_schedule_def def = {.platform = platform, .lead = 1, .context = &body, .produce = produce_values};
  RH_ASSERT(rh_schedule_new(&def, &schedule) == RH_OK);
  if (rh_schedule_run(schedule) != RH_EINTERRUPTED) fail_msg("%s", rh_error_message());
  assert_string_equal(rh_error_message(), "values checked");
  rh_schedule_free(schedule);
}

#define VALUES_TEST(name)                                                                                              \
  static void name(void **state)                                                                                       \
  {                                                                                                                    \
    (void)state;                                                                                                       \
    IN_PROCESS();                                                                                                      \
    check_values(name##_body);                                                                                         \
  }
VALUES_TEST(dpsgd_on_a_complete_graph_is_allreduce)
VALUES_TEST(combine_then_adapt_takes_the_gradient_before_mixing)
VALUES_TEST(gossip_keeps_the_mean_and_contracts)
VALUES_TEST(averaging_quantised_models_stalls)
VALUES_TEST(allreduce_steps_on_decoded_messages)
VALUES_TEST(feedback_without_loss_changes_nothing)
VALUES_TEST(feedback_keeps_what_is_lost)

enum { TIMED_ROUNDS = 3 };

typedef struct timed {
  fixture fixture;
  double elapsed_s;
} timed;

static rh_status produce(void *context, int64_t t, bool *more)
{
  fixture *f = &((timed *)context)->fixture;
  *more = t + 1 < TIMED_ROUNDS;
  return f->method->round(&f->world, f->state, t, 0.1);
}

static rh_status keep_time(void *context, const rh_round_time *time)
{
  ((timed *)context)->elapsed_s = time->finish_s;
  return RH_OK;
}

/* latency and bandwidth between two hosts of ideal.xml, which are all alike */
static double pair_latency_s, pair_bandwidth_Bps;

static void load_ideal(void)
{
  load();
  const rh_route *route;
  RH_ASSERT(rh_platform_route(platform, 0, 1, &route) == RH_OK);
  pair_latency_s = route->latency_s;
  pair_bandwidth_Bps = route->bandwidth_Bps;
}

/* Hosts of equal speed and a network without contention: a round is its steps one after the other, or side by side. */
static void check_round_seconds(const choice *c, double round_s)
{
  timed run = {0};
  rh_schedule_def def = {.platform = platform, .lead = 2, .context = &run, .produce = produce, .round_done = keep_time};
  RH_ASSERT(rh_schedule_new(&def, &schedule) == RH_OK);
  fixture_init(&run.fixture, c);
  if (rh_schedule_run(schedule) != RH_OK) fail_msg("%s", rh_error_message());
  assert_true(fabs(run.elapsed_s - TIMED_ROUNDS * round_s) < 1e-9 * TIMED_ROUNDS * round_s);
  fixture_clear(&run.fixture);
  rh_schedule_free(schedule);
}

static const double parameters = 6 * 6 * 16 + 16 + 16 * 3 + 3;

static double exchange_s(void)
{
  return pair_latency_s + 2 * 4 * parameters / pair_bandwidth_Bps; /* two messages share the way out */
}

static void an_allreduce_round_takes_its_closed_form(void **state)
{
  (void)state;
  IN_PROCESS();
  load_ideal();
  choice c = {.method = "allreduce"};
  double chunk_bytes = ceil(parameters / N) * 4;
  double ring_s = 2 * (N - 1) * (pair_latency_s + chunk_bytes / pair_bandwidth_Bps);
  check_round_seconds(&c, 3e-3 + ring_s + 1e-4);
}

static void an_adapt_then_combine_round_takes_its_closed_form(void **state)
{
  (void)state;
  IN_PROCESS();
  load_ideal();
  choice c = {.method = "dpsgd", .graph = "ring"};
  check_round_seconds(&c, 3e-3 + 1e-4 + exchange_s() + 3 * 1e-5);
}

/* Models travel while the gradient is computed, which takes longer here. */
static void combine_then_adapt_hides_the_exchange(void **state)
{
  (void)state;
  IN_PROCESS();
  load_ideal();
  choice c = {.method = "dpsgd", .graph = "ring", .order = "combine-then-adapt"};
  assert_true(exchange_s() < 3e-3);
  check_round_seconds(&c, 3e-3 + 3 * 1e-5 + 1e-4);
}

static double ring_s(double values)
{
  return 2 * (N - 1) * (pair_latency_s + ceil(values / N) * 4 / pair_bandwidth_Bps);
}

/* Two buckets, the last layer's 51 values first, then 592. Without overlap both travel after all gradients exist. */
static void buckets_travel_one_after_the_other(void **state)
{
  (void)state;
  IN_PROCESS();
  load_ideal();
  choice c = {.method = "allreduce", .buckets = 2};
  check_round_seconds(&c, 3e-3 + ring_s(51) + ring_s(592) + 1e-4);
}

/* Overlap: forward 1 ms, the last layer 1.5 ms, then its bucket travels while the first layer takes its .5 ms. */
static void overlap_hides_the_first_bucket(void **state)
{
  (void)state;
  IN_PROCESS();
  load_ideal();
  choice c = {.method = "allreduce", .buckets = 2, .overlap = "on"};
  assert_true(ring_s(51) < 5e-4);
  check_round_seconds(&c, 1e-3 + 1.5e-3 + 5e-4 + ring_s(592) + 1e-4);
}

/* Three buckets that queue up, by hand: forward 100 us; layer 2 takes 10 us, layer 1 5 us, layer 0 20 us, so they exist
 * at 110, 115 and 135 us; each needs about 28 us on the communication lane, so they follow each other from 110 us on.
 * Without overlap the first starts at 135 us. */
static void check_three_buckets(const char *overlap, double first_s)
{
  load_ideal();
  choice c = {.method = "allreduce", .buckets = 3, .overlap = overlap};
  check_round_seconds(&c, first_s + ring_s(51) + ring_s(16) + ring_s(576) + 1e-4);
}

static void three_buckets_queue_up(void **state)
{
  (void)state;
  IN_PROCESS();
  check_three_buckets("on", 110e-6);
}

static void three_buckets_wait_without_overlap(void **state)
{
  (void)state;
  IN_PROCESS();
  check_three_buckets("off", 135e-6);
}

/* A lossy message with feedback: encoding, keeping the error, an all-gather of N messages, decoding them all. */
static void a_lossy_round_takes_its_closed_form(void **state)
{
  (void)state;
  IN_PROCESS();
  load_ideal();
  choice c = {.method = "allreduce", .compressor = "qsgd", .bits = "8", .feedback = RH_FEEDBACK_CLASSIC};
  double bytes = 0, lengths[] = {576, 16, 48, 3};
  for (int s = 0; s < 4; s++)
    for (double left = lengths[s]; left > 0; left -= 512)
      bytes += 4 + fmin(left, 512);
  double gather_s = (N - 1) * (pair_latency_s + bytes / pair_bandwidth_Bps);
  check_round_seconds(&c, 3e-3 + 3e-5 + 4e-5 + gather_s + N * 2e-5 + 1e-4);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(dpsgd_on_a_complete_graph_is_allreduce),
      cmocka_unit_test(combine_then_adapt_takes_the_gradient_before_mixing),
      cmocka_unit_test(gossip_keeps_the_mean_and_contracts),
      cmocka_unit_test(averaging_quantised_models_stalls),
      cmocka_unit_test(allreduce_steps_on_decoded_messages),
      cmocka_unit_test(feedback_without_loss_changes_nothing),
      cmocka_unit_test(feedback_keeps_what_is_lost),
      cmocka_unit_test(an_allreduce_round_takes_its_closed_form),
      cmocka_unit_test(an_adapt_then_combine_round_takes_its_closed_form),
      cmocka_unit_test(combine_then_adapt_hides_the_exchange),
      cmocka_unit_test(buckets_travel_one_after_the_other),
      cmocka_unit_test(overlap_hides_the_first_bucket),
      cmocka_unit_test(three_buckets_queue_up),
      cmocka_unit_test(three_buckets_wait_without_overlap),
      cmocka_unit_test(a_lossy_round_takes_its_closed_form),
  };
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
