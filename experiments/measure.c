/* Timing real steps: each alone, on one thread, on one replica with a real batch.
 *
 * A sample repeats the step until it lasts 100 us, which the clock resolves to better than a per mille; 25 samples
 * after a warm-up give the median that is charged and its 5 % and 95 % quantiles.
 */
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "measure_private.h"

enum { SAMPLES = 25, WARM_UP = 3 };
static const double sample_least_s = 100e-6;

typedef struct bench {
  const rh_run *run;
  const rh_setup *setup;
  rh_workspace *workspace;
  float *x, *u, *g, *y; /* [stride] each; of the backend */
  uint8_t *wire;
  int64_t wire_bytes;
  int layer;
} bench;

static double now_s(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void run_forward(bench *b)
{
  rh_model_forward(&b->setup->model, b->workspace, 1, (rh_tensor){b->x, 0});
}

static void run_backward(bench *b)
{
  rh_model_backward_layer(&b->setup->model, b->workspace, b->layer, 1, (rh_tensor){b->x, 0}, (rh_tensor){b->g, 0});
}

static void run_update(bench *b)
{
  /* lr 0: any number of repetitions leaves the parameters where they are, at the same cost */
  b->setup->backend->sgd_step(b->setup->model.stride, 1, (rh_tensor){b->x, 0}, (rh_tensor){b->u, 0},
                              (rh_tensor){b->g, 0}, 0.0, b->run->train.momentum, b->run->train.decay);
}

static void run_mix(bench *b)
{
  b->setup->backend->add_scaled(b->setup->model.stride, 1, 0.5, (rh_tensor){b->x, 0}, (rh_tensor){b->y, 0});
}

static void run_encode(bench *b)
{
  rh_rng rng = rh_rng_stream(1, RH_PURPOSE_COMPRESS, 0, 0);
  b->wire_bytes = b->run->compressor->encode(b->run->compressor_options, &b->setup->layout, b->g, &rng, b->wire);
}

static void run_decode(bench *b)
{
  b->run->compressor->decode(b->run->compressor_options, &b->setup->layout, b->wire, b->wire_bytes, b->y);
}

static void (*const bodies[])(bench *) = {
    [STEP_FORWARD] = run_forward, [STEP_BACKWARD] = run_backward, [STEP_UPDATE] = run_update,
    [STEP_MIX] = run_mix,         [STEP_ENCODE] = run_encode,     [STEP_DECODE] = run_decode};

static double time_repeats(bench *b, void (*body)(bench *), int64_t repeats)
{
  double start_s = now_s();
  for (int64_t i = 0; i < repeats; i++)
    body(b);
  return now_s() - start_s;
}

static void time_step(bench *b, step kind, const char *name, rh_profile *profile)
{
  double sample_s[SAMPLES];
  int64_t repeats = 1;
  for (int i = 0; i < WARM_UP; i++)
    bodies[kind](b);
  while (time_repeats(b, bodies[kind], repeats) < sample_least_s)
    repeats *= 2;
  for (int i = 0; i < SAMPLES; i++)
    sample_s[i] = time_repeats(b, bodies[kind], repeats) / (double)repeats;
  gsl_sort(sample_s, 1, SAMPLES);
  rh_profile_set(profile, name, SAMPLES, gsl_stats_median_from_sorted_data(sample_s, 1, SAMPLES),
                 gsl_stats_quantile_from_sorted_data(sample_s, 1, SAMPLES, 0.05),
                 gsl_stats_quantile_from_sorted_data(sample_s, 1, SAMPLES, 0.95));
}

/* "AMD EPYC, 1 thread, OpenBLAS 0.3.21 SkylakeX" */
static char *device_name(const rh_backend *backend)
{
  char line[256], model[256] = "unknown processor";
  FILE *file = fopen("/proc/cpuinfo", "r");
  while (file && fgets(line, sizeof line, file)) {
    char *value = strchr(line, ':');
    if (strncmp(line, "model name", 10) != 0 || !value) continue;
    value[strcspn(value, "\n")] = '\0';
    snprintf(model, sizeof model, "%s", value + 2);
    break;
  }
  if (file) fclose(file);
  rh_text name = {0};
  rh_text_append(&name, "%s, 1 thread, %s", model, backend->kernel());
  return name.data;
}

static void bench_clear(bench *b)
{
  float *rows[] = {b->x, b->u, b->g, b->y};
  for (size_t i = 0; i < RH_COUNT(rows); i++)
    if (rows[i]) b->setup->backend->release(rows[i]);
  rh_workspace_free(b->workspace);
  free(b->wire);
}

/* A replica after its first gradient on a real batch: typical values in every buffer. */
static rh_status bench_init(bench *b)
{
  const rh_setup *s = b->setup;
  size_t row_bytes = (size_t)s->model.stride * sizeof(float);
  float **rows[] = {&b->x, &b->u, &b->g, &b->y};
  rh_status status = rh_workspace_new(&s->model, s->backend, b->run->train.batch, 1, &b->workspace);
  if (status != RH_OK) return status;
  for (size_t i = 0; i < RH_COUNT(rows); i++)
    if (!(*rows[i] = s->backend->alloc(row_bytes))) return rh_error(RH_ENOMEM, "no memory to time a step");
  b->wire = malloc((size_t)b->run->compressor->bound_bytes(b->run->compressor_options, &s->layout));
  int32_t *indices = calloc((size_t)b->run->train.batch, sizeof *indices);
  if (!b->wire || !indices) {
    free(indices);
    return rh_error(RH_ENOMEM, "no memory to time a step");
  }
  for (int64_t i = 0; i < b->run->train.batch; i++)
    indices[i] = (int32_t)(i % s->dataset.train.count);
  rh_samples_gather(&s->dataset, &s->dataset.train, indices, b->run->train.batch, rh_workspace_input(b->workspace),
                    rh_workspace_labels(b->workspace));
  free(indices);
  rh_model_init_parameters(&s->model, (uint64_t)b->run->run.seed, b->x);
  double loss;
  int64_t correct;
  rh_model_gradient(&s->model, b->workspace, 1, (rh_tensor){b->x, 0}, (rh_tensor){b->g, 0}, &loss, &correct);
  run_encode(b);
  return RH_OK;
}

rh_status rh_measure(const rh_run *run, const rh_setup *setup, rh_profile *profile)
{
  rh_status status = RH_OK;
  bench b = {.run = run, .setup = setup};
  RH_TRY(bench_init(&b));
  if (!profile->device) profile->device = device_name(setup->backend);
  for (step kind = 0; kind < STEP_COUNT; kind++) {
    if (!measure_needs(run, kind)) continue;
    for (b.layer = 0; b.layer < measure_repeats(setup, kind); b.layer++) {
      rh_text name = {0};
      measure_name(run, setup, kind, b.layer, &name);
      if (!rh_profile_find(profile, rh_text_get(&name))) time_step(&b, kind, rh_text_get(&name), profile);
      rh_text_clear(&name);
    }
  }
done:
  bench_clear(&b);
  return status;
}
