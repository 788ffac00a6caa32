/* Six workers with uneven shards of a small data set, for tests of replicas. */
#ifndef REPLICAS_RIG_H
#define REPLICAS_RIG_H

#include <stdlib.h>
#include <string.h>

#include "batches.h"
#include "replicas.h"

enum { WORKERS = 6, SIDE = 16, PIXELS = SIDE * SIDE, CLASSES = 3, TRAIN = 97, TEST = 150, BATCH = 5, STEPS = 100 };

/* Noise with a bright quarter that tells the class: small, and there is something to learn. */
static uint8_t pixels[TRAIN + TEST][PIXELS];
static int32_t labels[TRAIN + TEST];
static rh_dataset dataset;

/* Uneven shards: 0, the smallest, holds fewer samples than a batch. */
static int64_t offsets[WORKERS + 1] = {0, 3, 20, 41, 60, 77, TRAIN};
static int32_t indices[TRAIN];
static const rh_partition partition = {WORKERS, offsets, indices};

static inline int make_data(void **state)
{
  (void)state;
  rh_rng rng = rh_rng_stream(11, RH_PURPOSE_TEST, 0, 0);
  for (int i = 0; i < TRAIN + TEST; i++) {
    labels[i] = (int32_t)rh_rng_below(&rng, CLASSES);
    for (int k = 0; k < PIXELS; k++) {
      const bool bright = k / SIDE / 8 * 2 + k % SIDE / 8 == labels[i];
      pixels[i][k] = (uint8_t)(rh_rng_below(&rng, 156) + (bright ? 100 : 0));
    }
  }
  for (int i = 0; i < TRAIN; i++)
    indices[i] = (i * 31 + 5) % TRAIN;
  dataset = (rh_dataset){.name = "quarters",
                         .shape = {1, SIDE, SIDE},
                         .classes = CLASSES,
                         .train = {TRAIN, pixels[0], labels},
                         .test = {TEST, pixels[TRAIN], labels + TRAIN},
                         .mean = 0.4F,
                         .deviation = 0.25F};
  return 0;
}

static inline rh_model build(const char *name, rh_shape input, int64_t classes)
{
  const rh_model_kind *kind = rh_model_find(name);
  const rh_settings none = {0};
  int64_t options[8];
  rh_model model;
  assert_non_null(kind);
  assert_true(kind->options_size <= sizeof options);
  assert_int_equal(rh_option_read(kind->options, kind->option_count, "model", &none, options), RH_OK);
  assert_int_equal(kind->build(options, input, classes, &model), RH_OK);
  return model;
}

static inline rh_replicas_def default_def(const rh_model *model)
{
  return (rh_replicas_def){.backend = &rh_backend_cpu,
                           .model = model,
                           .dataset = &dataset,
                           .partition = &partition,
                           .workers = WORKERS,
                           .copies = WORKERS,
                           .batch = BATCH,
                           .seed = 5,
                           .threads = 1,
                           .optimiser = {.momentum = 0.9, .decay = 1e-4}};
}

static inline rh_replicas *new_replicas(const rh_replicas_def *def)
{
  rh_replicas *replicas = NULL;
  if (rh_replicas_new(def, &replicas) != RH_OK) fail_msg("%s", rh_error_message());
  return replicas;
}

/* memory_bytes that leaves room for a chunk of `rows`. */
static inline int64_t memory_for(const rh_replicas_def *def, int64_t rows)
{
  int64_t least, most;
  rh_replicas_predict(def, &least, &most);
  return least + (rows - 1) * def->model->stride * (int64_t)sizeof(float);
}

#endif
