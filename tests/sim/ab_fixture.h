/* A small world for AB-training: eight ranks in zones of two, two dense layers without anything between. */
#ifndef RH_AB_FIXTURE_H
#define RH_AB_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "collectives.h"
#include "in_process.h"
#include "method_ab.h"
#include "test_backend.h"

enum { N = 8, G = 2, BATCH = 4, SAMPLES = 64, SIDE = 3, INPUTS = SIDE * SIDE, HIDDEN = 4, CLASSES = 3, ROUNDS = 17 };
enum { P = HIDDEN * INPUTS + HIDDEN + CLASSES * HIDDEN + CLASSES };
static const double lr = 0.3, momentum = 0.9;

/* Settings with which AB is entered before rounds 3, 7 and 12 (0-based) and left before 5, 10 and 15. */
#define AB_SETTINGS                                                                                                    \
  "train.ab_warmup", "3", "train.ab_period", "5", "train.ab_rebound", "2", "train.rank_cut", ".6", "train.dense_ends", \
      "off"

/* Of worlds that are made from now on. */
static rh_optimiser optimiser = {.kind = RH_OPTIMISER_SGD, .momentum = momentum, .clip = 1};
static int64_t rounds = ROUNDS;
static double lr_min = 0;
static int32_t zones = N / G;
static int32_t zone_of[N] = {0, 0, 1, 1, 2, 2, 3, 3};

static rh_platform *platform;
static rh_schedule *schedule;

typedef struct fixture {
  rh_world world;
  rh_dataset dataset;
  rh_partition partition;
  rh_model model;
  int64_t lengths[4], rows[4];
  rh_bucket bucket;
  void *options;
  const rh_method *method;
  void *state;
} fixture;

static inline rh_dataset dataset_new(void)
{
  rh_dataset d = {.name = "spots", .shape = {1, SIDE, SIDE}, .classes = CLASSES};
  rh_samples *parts[] = {&d.train, &d.test};
  rh_rng rng = rh_rng_stream(7, RH_PURPOSE_TEST, 0, 0);
  for (int p = 0; p < 2; p++) {
    parts[p]->count = SAMPLES;
    parts[p]->pixels = calloc(SAMPLES, INPUTS);
    parts[p]->labels = calloc(SAMPLES, sizeof(int32_t));
    for (int i = 0; i < SAMPLES; i++) {
      const int c = parts[p]->labels[i] = (int32_t)rh_rng_below(&rng, CLASSES);
      for (int k = 0; k < INPUTS; k++)
        parts[p]->pixels[i * INPUTS + k] = (uint8_t)(rh_rng_below(&rng, 100) + (k % SIDE == c ? 120 : 0));
    }
  }
  rh_dataset_normalise(&d);
  return d;
}

static inline void fixture_init(fixture *f, const char *method, const char *const *settings)
{
  *f = (fixture){.dataset = dataset_new(), .method = rh_method_find(method)};
  RH_ASSERT(rh_model_begin(&f->model, "linear", f->dataset.shape, CLASSES) == RH_OK);
  RH_ASSERT(rh_model_add_dense(&f->model, "first", HIDDEN) == RH_OK);
  RH_ASSERT(rh_model_add_dense(&f->model, "second", CLASSES) == RH_OK);
  RH_ASSERT(rh_model_end(&f->model) == RH_OK);
  RH_ASSERT(f->model.parameters == P);
  rh_partition_def iid = {.kind = RH_PARTITION_IID};
  RH_ASSERT(rh_partition_new(&iid, &f->dataset, N, 1, &f->partition) == RH_OK);
  rh_settings given = {0};
  for (; settings && settings[0]; settings += 2)
    rh_settings_set(&given, settings[0], settings[1], "test", NULL);
  f->options = calloc(1, f->method->options_size);
  RH_ASSERT(rh_option_read(f->method->options, f->method->option_count, "train", &given, f->options) == RH_OK);
  rh_settings_clear(&given);
  for (int s = 0; s < f->model.segment_count; s++) {
    f->lengths[s] = f->model.segments[s].count;
    f->rows[s] = f->model.segments[s].rows;
  }
  f->bucket = (rh_bucket){.layout = {f->model.segment_count, f->lengths, f->rows, P}};
  const rh_compressor *none = rh_compressor_find("none");
  rh_replicas_def def = {.backend = test_backend(),
                         .model = &f->model,
                         .dataset = &f->dataset,
                         .partition = &f->partition,
                         .workers = N,
                         .copies = f->method->group_copies ? f->method->group_copies(f->options, N, zones) : 1,
                         .batch = BATCH,
                         .seed = 1,
                         .threads = 2,
                         .optimiser = optimiser};
  rh_replicas *replicas;
  RH_ASSERT(rh_replicas_new(&def, &replicas) == RH_OK);
  f->world = (rh_world){.method = f->method,
                        .workers = N,
                        .seed = 1,
                        .rounds = rounds,
                        .model = &f->model,
                        .replicas = replicas,
                        .schedule = schedule,
                        .lr_min = lr_min,
                        .zone_count = zones,
                        .zone_of = zone_of,
                        .allgather = &rh_allgather_ring,
                        .compressor = none,
                        .bucket_count = 1,
                        .buckets = &f->bucket,
                        .seconds = {.forward_s = 1e-3,
                                    .backward_total_s = 2e-3,
                                    .update_s = 1e-4,
                                    .split_s = 5e-3,
                                    .compose_s = 2e-4,
                                    .project_s = 3e-4},
                        .method_options = f->options};
  if (f->method->check && f->method->check(&f->world) != RH_OK) fail_msg("%s", rh_error_message());
  RH_ASSERT(f->method->new_state(&f->world, &f->state) == RH_OK);
}

static inline void fixture_clear(fixture *f)
{
  f->method->free_state(f->state);
  rh_replicas_free(f->world.replicas);
  rh_partition_clear(&f->partition);
  rh_dataset_clear(&f->dataset);
  free(f->options);
}

static fixture *to_clear[2]; /* what is appended borrows from them until the schedule has run */

/* Rounds append to a schedule, which needs a platform: `produce` is called once, from inside. */
static inline void run(rh_status (*produce)(void *context, int64_t round, bool *more), void *context,
                       void (*event)(void *context, const rh_event *event))
{
  rh_platform_def def = {.file = RH_SOURCE_DIR "/platforms/ideal.xml", .workers = N};
  RH_ASSERT(rh_platform_load(&def, &platform) == RH_OK);
  rh_schedule_def s = {.platform = platform, .lead = 3, .context = context, .produce = produce, .event = event};
  RH_ASSERT(rh_schedule_new(&s, &schedule) == RH_OK);
  RH_ASSERT(rh_schedule_run(schedule) == RH_OK);
  rh_schedule_free(schedule);
  for (int i = 0; i < 2; i++)
    if (to_clear[i]) fixture_clear(to_clear[i]);
}

#endif
