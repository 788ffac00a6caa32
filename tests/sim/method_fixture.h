/* A small world for tests of methods: 8 workers, an mlp, a data set of bright columns, one platform per process. */
#ifndef RH_METHOD_FIXTURE_H
#define RH_METHOD_FIXTURE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "aggregate.h"
#include "collectives.h"
#include "in_process.h"
#include "test_backend.h"
#include "world.h"

enum { N = 8, SAMPLES = 160, SIDE = 6, CLASSES = 3, BATCH = 5 };

static rh_platform *platform;
static rh_schedule *schedule; /* of the values' producer */

/* Noisy bright columns: class c has its bright column at 2 c. */
static inline rh_dataset dataset_new(void)
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
  rh_graph_sequence graphs;
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
  const rh_optimiser *optimiser; /* instead of sgd with these two */
  int buckets;                   /* 0: one */
  const char *overlap, *gather;
  int feedback;
  int64_t average_every;
  const char *const *settings; /* more of "train.consensus_step=.5", of graph, train and compress; NULL-terminated */
  bool directed;
  int weights;          /* enum rh_weights; uniform unless told: METROPOLIS where undirected */
  const char *edges;    /* of graph `file` */
  int64_t rounds;       /* planned */
  double seconds_scale; /* of all steps; 0: 1 */
  bool int8;            /* arithmetic of the model */
  bool on_device;       /* rows and passes on a device that is none */
  int collective;       /* enum rh_allreduce_choice; rings unless told */
} choice;

static inline void set_key(rh_settings *settings, const char *section, const char *key, const char *value)
{
  char name[64];
  snprintf(name, sizeof name, "%s.%s", section, key);
  if (value) rh_settings_set(settings, name, value, "test", NULL);
}

/* All that a choice says of the options of graph, method and compressor. */
static inline rh_settings settings_of(const choice *c)
{
  rh_settings settings = {0};
  set_key(&settings, "train", "order", c->order);
  set_key(&settings, "train", "message", c->message);
  set_key(&settings, "train", "overlap", c->overlap);
  set_key(&settings, "train", "gather", c->gather);
  set_key(&settings, "compress", "bits", c->bits);
  for (int i = 0; c->settings && c->settings[i]; i++) {
    char text[128];
    snprintf(text, sizeof text, "%s", c->settings[i]);
    char *value = strchr(text, '=');
    RH_ASSERT(value);
    *value = '\0';
    rh_settings_set(&settings, text, value + 1, "test", NULL);
  }
  return settings;
}

static inline void *options_read(const rh_option *rows, size_t count, size_t size, const char *section,
                                 const rh_settings *settings)
{
  void *options = calloc(1, size + 1);
  RH_ASSERT(rh_option_read(rows, count, section, settings, options) == RH_OK);
  return options;
}

static inline void *options_new(const rh_option *rows, size_t count, size_t size, const char *section, const char *key,
                                const char *value)
{
  rh_settings settings = {0};
  set_key(&settings, section, key, value);
  void *options = options_read(rows, count, size, section, &settings);
  rh_settings_clear(&settings);
  return options;
}

/* One bucket of everything; or one for each dense layer, the last first (the mlp is dense, ReLU, dense); or three, with
 * the first layer's bias apart, as if it existed one layer earlier. */
static inline void cut(fixture *f, int buckets)
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

static inline void build_graphs(fixture *f, const choice *c, const rh_settings *settings)
{
  const rh_graph_kind *kind = rh_graph_find(c->graph);
  char file[] = "fixture-edges-XXXXXX";
  const int edges = c->edges ? mkstemp(file) : -1;
  if (c->edges) RH_ASSERT(write(edges, c->edges, strlen(c->edges)) == (ssize_t)strlen(c->edges));
  void *options = options_read(kind->options, kind->option_count, kind->options_size, "graph", settings);
  const rh_graph_def graph = {.kind = kind,
                              .options = options,
                              .file = c->edges ? file : NULL,
                              .workers = N,
                              .directed = c->directed,
                              .weights = c->weights || c->directed ? c->weights : RH_WEIGHTS_METROPOLIS};
  RH_ASSERT(rh_graph_sequence_new(&graph, &f->graphs) == RH_OK);
  free(options);
  if (!c->edges) return;
  close(edges);
  unlink(file);
}

static inline void scale_seconds(rh_step_seconds *s, double scale)
{
  double *const steps[] = {&s->forward_s,      &s->backward_total_s, &s->update_s,
                           &s->encode_s[0][0], &s->decode_s[0],      &s->mix_s};
  for (int k = 0; k < 6; k++)
    *steps[k] *= scale;
}

/* Data, the mlp, and the replicas that the method wants of it. */
static inline rh_replicas *build_replicas(fixture *f, const choice *c)
{
  const rh_model_kind *mlp = rh_model_find("mlp");
  void *mlp_options = options_new(mlp->options, mlp->option_count, mlp->options_size, "model", "hidden", "16");
  f->dataset = dataset_new();
  RH_ASSERT(mlp->build(mlp_options, f->dataset.shape, CLASSES, &f->model) == RH_OK);
  free(mlp_options);
  f->model.arithmetic = c->int8 ? RH_INT8 : RH_FP32;
  rh_partition_def iid = {.kind = RH_PARTITION_IID};
  RH_ASSERT(rh_partition_new(&iid, &f->dataset, N, 1, &f->partition) == RH_OK);
  rh_replicas_def def = {.model = &f->model,
                         .dataset = &f->dataset,
                         .partition = &f->partition,
                         .workers = N,
                         .copies = f->method->copies == RH_COPIES_EACH || c->feedback == RH_FEEDBACK_STEP_AHEAD ? N : 1,
                         .batch = BATCH,
                         .seed = 1,
                         .threads = 2,
                         .optimiser = {.momentum = c->momentum, .decay = c->decay}};
  test_backends(c->int8, c->on_device, &def.backend, &def.passes);
  if (c->optimiser) def.optimiser = *c->optimiser;
  if (f->method->group_copies) def.copies = f->method->group_copies(f->method_options, N, 0);
  rh_replicas *replicas;
  RH_ASSERT(rh_replicas_new(&def, &replicas) == RH_OK);
  return replicas;
}

/* A round's charged seconds; three buckets are those of a shorter backward pass. */
static inline rh_step_seconds seconds_of(const choice *c)
{
  rh_step_seconds s = {.forward_s = 1e-3,
                       .backward_total_s = 2e-3,
                       .update_s = 1e-4,
                       .encode_s = {{3e-5, 3e-5}, {3e-5, 3e-5}, {3e-5, 3e-5}},
                       .decode_s = {2e-5, 2e-5, 2e-5},
                       .feedback_s = 4e-5,
                       .backward_s = {5e-4, 0, 1.5e-3},
                       .mix_s = 1e-5};
  if (c->buckets == 3) {
    const double layers[] = {20e-6, 5e-6, 10e-6};
    s.forward_s = 100e-6;
    memcpy(s.backward_s, layers, sizeof layers);
    s.backward_total_s = 35e-6;
  }
  if (c->seconds_scale > 0) scale_seconds(&s, c->seconds_scale);
  return s;
}

static inline void fixture_init(fixture *f, const choice *c)
{
  *f = (fixture){.method = rh_method_find(c->method)};
  rh_settings settings = settings_of(c);
  f->method_options =
      options_read(f->method->options, f->method->option_count, f->method->options_size, "train", &settings);
  rh_replicas *replicas = build_replicas(f, c);
  if (c->graph) build_graphs(f, c, &settings);
  const rh_compressor *q = rh_compressor_find(c->compressor ? c->compressor : "none");
  f->compressor_options = options_read(q->options, q->option_count, q->options_size, "compress", &settings);
  rh_settings_clear(&settings);
  cut(f, c->buckets ? c->buckets : 1);
  f->world = (rh_world){.method = f->method,
                        .workers = N,
                        .seed = 1,
                        .rounds = c->rounds,
                        .model = &f->model,
                        .replicas = replicas,
                        .schedule = schedule,
                        .graphs = c->graph ? &f->graphs : NULL,
                        .allreduce = {.choice = c->collective},
                        .allgather = &rh_allgather_ring,
                        .exchange = &rh_neighbour_exchange,
                        .compressor = q,
                        .compressor_options = f->compressor_options,
                        .feedback = {.kind = c->feedback, .average_every = c->average_every},
                        .optimiser = &rh_replicas_get_def(replicas)->optimiser,
                        .bucket_count = c->buckets ? c->buckets : 1,
                        .buckets = f->buckets,
                        .seconds = seconds_of(c),
                        .method_options = f->method_options};
  RH_ASSERT(f->method->new_state(&f->world, &f->state) == RH_OK);
}

static inline void fixture_clear(fixture *f)
{
  f->method->free_state(f->state);
  rh_replicas_free(f->world.replicas);
  rh_partition_clear(&f->partition);
  rh_graph_sequence_clear(&f->graphs);
  rh_dataset_clear(&f->dataset);
  free(f->method_options);
  free(f->compressor_options);
}

static inline void rounds(fixture *f, int64_t first, int64_t count, double lr)
{
  for (int64_t t = first; t < first + count; t++)
    RH_ASSERT(f->method->round(&f->world, f->state, t, lr) == RH_OK);
}

static inline void load(void)
{
  rh_platform_def def = {.file = RH_SOURCE_DIR "/platforms/ideal.xml", .workers = N};
  if (rh_platform_load(&def, &platform) != RH_OK) fail_msg("%s", rh_error_message());
}

/* Largest difference between worker i of a and worker j of b, over the largest parameter. */
static inline double relative_difference(fixture *a, int32_t i, fixture *b, int32_t j)
{
  const float *x = rh_replicas_parameters(a->world.replicas, i), *y = rh_replicas_parameters(b->world.replicas, j);
  double difference = 0, largest = 0;
  for (int64_t p = 0; p < a->model.parameters; p++) {
    difference = fmax(difference, fabs((double)x[p] - y[p]));
    largest = fmax(largest, fabs((double)x[p]));
  }
  return difference / largest;
}

static inline double consensus(fixture *f)
{
  float *mean = calloc((size_t)f->model.stride, sizeof *mean);
  RH_ASSERT(rh_replicas_mean(f->world.replicas, mean) == RH_OK);
  double distance = rh_replicas_consensus_distance(f->world.replicas, mean);
  free(mean);
  return distance;
}

/* Runs a test of values as the producer of the only round. What was appended is not executed: it speaks of graphs that
 * are gone by then. */
static inline rh_status produce_values(void *context, int64_t t, bool *more)
{
  (void)t;
  void (**body)(void) = context;
  (*body)();
  *more = false;
  return rh_error(RH_EINTERRUPTED, "values checked");
}

static inline void check_values(void (*body)(void))
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

#endif
