/* calibrate_gpu MODULE.so [-n SAMPLES] [-o FILE] [MODEL]...: a profile of a GPU (experiments/time.md: time.profile),
 * for machines that have CUDA and none of the libraries of `rehearse calibrate`. It times what that does of passes,
 * updates and mixing: one replica, batch 32, 28x28 images; messages are left out, as fits are.
 *
 * A sample is one step between two waits for the device, repeated until it lasts 1 ms; 200 samples after a warm-up give
 * the median and its 5 % and 95 % quantiles. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "noise.h"

enum { BATCH = 32, SAMPLES = 200, WARM_UP = 3 };
static int samples = SAMPLES; /* at most that many */
static const double sample_least_s = 1e-3;

typedef struct bench {
  const rh_backend *gpu;
  const rh_model *model;
  rh_workspace *workspace;
  float *x, *g, *y, *moments[RH_MOMENTS_MAX]; /* [stride] each, on the device */
  double *square;                             /* of g, on the device */
  rh_optimiser optimiser;
  int layer;
} bench;

static void run_forward(bench *b)
{
  rh_model_forward(b->model, b->workspace, 1, (rh_tensor){b->x, 0});
}

static void run_backward(bench *b)
{
  rh_model_backward_layer(b->model, b->workspace, b->layer, 1, (rh_tensor){b->x, 0}, (rh_tensor){b->g, 0});
}

/* lr 0: any number of repetitions leaves the parameters where they are, at the same cost */
static void run_update(bench *b)
{
  const rh_tensor g = {b->g, 0};
  if (b->optimiser.clip > 0) {
    b->gpu->squared_distances(b->model->stride, 1, g, NULL, b->square);
    b->gpu->scale(b->model->stride, 1, 1, g, g); /* as `rehearse calibrate` does: all repetitions have one gradient */
  }
  rh_optimiser_step(&b->optimiser, b->gpu, b->model->stride, b->x, b->moments, b->g, 0, 1);
}

static void run_mix(bench *b)
{
  b->gpu->add_scaled(b->model->stride, 1, 0.5, (rh_tensor){b->x, 0}, (rh_tensor){b->y, 0});
}

static double time_repeats(bench *b, void (*body)(bench *), int64_t repeats)
{
  b->gpu->wait();
  const double start_s = now_s();
  for (int64_t i = 0; i < repeats; i++)
    body(b);
  b->gpu->wait();
  return now_s() - start_s;
}

static int compare(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

static bool started; /* the list */

static void time_step(bench *b, void (*body)(bench *), const char *name, FILE *out)
{
  static double sample_s[SAMPLES];
  int64_t repeats = 1;
  for (int i = 0; i < WARM_UP; i++)
    body(b);
  while (time_repeats(b, body, repeats) < sample_least_s)
    repeats *= 2;
  for (int i = 0; i < samples; i++)
    sample_s[i] = time_repeats(b, body, repeats) / (double)repeats;
  succeed(rh_backend_check(b->gpu));
  qsort(sample_s, (size_t)samples, sizeof *sample_s, compare);
  fprintf(out, "%s\n  {\"name\": \"%s\", \"samples\": %d, \"median_s\": %.6g, \"low_s\": %.6g, \"high_s\": %.6g}",
          started ? "," : "", name, samples, (sample_s[(samples - 1) / 2] + sample_s[samples / 2]) / 2,
          sample_s[samples / 20], sample_s[samples - 1 - samples / 20]);
  started = true;
}

/* As measure_name (experiments/execute/measure_names.c) writes it: model and its options, input, parameters. */
static void name_model(const rh_model *model, rh_text *name)
{
  const rh_model_kind *kind = rh_model_find(model->name);
  const rh_settings none = {0};
  int64_t options[16] = {0};
  rh_text lines = {0};
  succeed(rh_option_read(kind->options, kind->option_count, "model", &none, options));
  rh_option_write(kind->options, kind->option_count, "", options, &lines);
  rh_text_append(name, "cuda/%s", model->name);
  for (const char *s = rh_text_get(&lines); *s; s++) {
    if (*s == '.' && (s == lines.data || s[-1] == '\n'))
      rh_text_append(name, " ");
    else if (*s != '\n')
      rh_text_append_bytes(name, s, 1);
  }
  rh_text_clear(&lines);
  rh_text_append(name, " %" PRId64 "x%" PRId64 "x%" PRId64 " %" PRId64 "/", model->input.height, model->input.width,
                 model->input.channels, model->parameters);
}

static void time_named(bench *b, void (*body)(bench *), FILE *out, const char *format, const char *what)
{
  rh_text name = {0};
  name_model(b->model, &name);
  rh_text_append(&name, format, what); /* NOLINT(clang-diagnostic-format-nonliteral): of the callers below */
  time_step(b, body, rh_text_get(&name), out);
  rh_text_clear(&name);
}

static float *device_row(const bench *b)
{
  float *row = b->gpu->alloc((size_t)b->model->stride * sizeof *row);
  RH_ASSERT(row && "the device's memory is exhausted");
  return row;
}

/* A replica after its first gradient on a batch. */
static void bench_init(bench *b, const noise *n)
{
  const int64_t inputs = rh_shape_count(b->model->input);
  float *x = calloc((size_t)(BATCH * inputs), sizeof *x), *row = calloc((size_t)b->model->stride, sizeof *row);
  int32_t labels[BATCH], indices[BATCH];
  double loss;
  int64_t correct;
  RH_ASSERT(x && row);
  for (int i = 0; i < BATCH; i++)
    indices[i] = i;
  succeed(rh_workspace_new(b->model, b->gpu, BATCH, 1, &b->workspace));
  float **const rows[] = {&b->x, &b->g, &b->y, &b->moments[0], &b->moments[1]};
  for (int i = 0; i < 5; i++)
    *rows[i] = device_row(b);
  b->square = b->gpu->alloc(sizeof *b->square);
  rh_samples_gather(&n->dataset, &n->dataset.train, indices, BATCH, x, labels);
  rh_workspace_fill(b->workspace, 1, x, labels);
  rh_model_init_parameters(b->model, 1, row);
  b->gpu->upload(b->x, row, (size_t)b->model->stride * sizeof *row);
  rh_model_gradient(b->model, b->workspace, 1, (rh_tensor){b->x, 0}, (rh_tensor){b->g, 0}, &loss, &correct);
  succeed(rh_backend_check(b->gpu));
  free(x);
  free(row);
}

static void bench_clear(bench *b)
{
  void *const rows[] = {b->x, b->g, b->y, b->moments[0], b->moments[1], b->square};
  for (int i = 0; i < 6; i++)
    b->gpu->release(rows[i]);
  rh_workspace_free(b->workspace);
}

static void calibrate(const rh_backend *gpu, const rh_model *model, const noise *n, FILE *out)
{
  static const struct {
    const char *name;
    rh_optimiser optimiser;
  } updates[] = {
      {"sgd/update", {.momentum = 0.9}},
      {"sgd nesterov/update", {.momentum = 0.9, .nesterov = true}},
      {"sgd clipped/update", {.momentum = 0.9, .clip = 1}},
      {"sgd nesterov clipped/update", {.momentum = 0.9, .nesterov = true, .clip = 1}},
      {"adamw/update", {.kind = RH_OPTIMISER_ADAMW, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8}},
      {"adamw clipped/update", {.kind = RH_OPTIMISER_ADAMW, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .clip = 1}},
  };
  bench b = {.gpu = gpu, .model = model};
  bench_init(&b, n);
  time_named(&b, run_forward, out, "%s", "batch 32/forward");
  for (b.layer = 0; b.layer < model->layer_count; b.layer++)
    time_named(&b, run_backward, out, "batch 32/backward %s", model->layers[b.layer].name);
  for (size_t i = 0; i < sizeof updates / sizeof updates[0]; i++) {
    b.optimiser = updates[i].optimiser;
    time_named(&b, run_update, out, "%s", updates[i].name);
  }
  time_named(&b, run_mix, out, "%s", "mix");
  bench_clear(&b);
}

/* 0 unless it is a number of samples */
static int count_of(const char *text)
{
  char *end;
  const long count = strtol(text, &end, 10);
  return *end == 0 && count >= 1 && count <= SAMPLES ? (int)count : 0;
}

int main(int argc, char **argv)
{
  static const char *const all[] = {"logreg", "mlp", "cnn"};
  const char *path = NULL, *models[8];
  int count = 0;
  for (int i = 2; i < argc; i++) {
    if (strcmp(argv[i], "-o") == 0 && i + 1 < argc)
      path = argv[++i];
    else if (strcmp(argv[i], "-n") == 0 && i + 1 < argc)
      samples = count_of(argv[++i]);
    else if (count < 8 && rh_model_find(argv[i]))
      models[count++] = argv[i];
    else
      argc = 0;
  }
  if (argc < 2 || samples == 0) {
    fprintf(stderr, "usage: calibrate_gpu MODULE.so [-n SAMPLES] [-o FILE] [MODEL]..., 1 to %d samples\n", SAMPLES);
    return 2;
  }
  for (int i = 0; count == 0 && i < 3; i++)
    models[i] = all[i];
  if (count == 0) count = 3;
  const rh_backend *gpu = open_gpu(argv[1], RH_CUDA_FP32);
  FILE *out = path ? fopen(path, "w") : stdout;
  if (!out) {
    perror(path);
    return 1;
  }
  char date[16] = "";
  const time_t today = time(NULL);
  struct tm parts;
  if (gmtime_r(&today, &parts)) strftime(date, sizeof date, "%Y-%m-%d", &parts);
  fprintf(
      out,
      "{\"device\": \"%s\",\n \"backend\": \"cuda\",\n \"kernel\": \"%s\",\n \"versions\": \"%s\",\n \"threads\": 1,\n"
      " \"clock\": \"CLOCK_MONOTONIC around waits for the device\",\n \"date\": \"%s\",\n"
      " \"commands\": [\"calibrate_gpu -n %d\"],\n \"durations\": [",
      gpu->kernel(), gpu->kernel(), gpu->kernel(), date, samples);
  noise n = noise_new(2);
  for (int i = 0; i < count; i++) {
    const rh_model model = noise_model(models[i]);
    calibrate(gpu, &model, &n, out);
  }
  noise_clear(&n);
  fprintf(out, "\n ]}\n");
  const bool whole = !ferror(out) && (!path || fclose(out) == 0);
  if (!whole) perror(path ? path : "stdout");
  return whole ? 0 : 1;
}
