/* Timing real steps: each alone, on one thread, on one replica with a real batch.
 *
 * A sample repeats the step until it lasts 100 us, which the clock resolves to better than a per mille; 25 samples
 * after a warm-up give the median that is charged and its 5 % and 95 % quantiles. Of a step shorter than that a sample
 * is the mean of several, whose spread is narrower than that of a single one.
 */
#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "coder.h"
#include "factor.h"
#include "measure_private.h"

enum { WARM_UP = 3, ATTEMPTS = 3 };
static const double sample_least_s = 100e-6;

static double now_s(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void run_forward(measure_bench *b)
{
  rh_model_forward(&b->setup->model, b->workspace, 1, (rh_tensor){b->pass_x, 0});
}

static void run_backward(measure_bench *b)
{
  rh_model_backward_layer(&b->setup->model, b->workspace, b->index, 1, (rh_tensor){b->pass_x, 0},
                          (rh_tensor){b->pass_g, 0});
}

static void run_update(measure_bench *b)
{
  /* lr 0: any number of repetitions leaves the parameters where they are, at the same cost */
  const rh_optimiser *o = &b->run->train.optimiser;
  const rh_backend *rows = b->setup->rows;
  const int64_t stride = b->setup->model.stride;
  const rh_tensor g = {b->g, 0};
  if (o->clip > 0) { /* the norm and one scaling, by 1, so that all repetitions have the same gradient */
    if (rows->squared_distances)
      rows->squared_distances(stride, 1, g, NULL, b->square);
    else
      b->clip = rh_optimiser_clip(o, rh_squared_norm(stride, b->g));
    rows->scale(stride, 1, 1, g, g);
  }
  rh_optimiser_step(o, rows, stride, b->x, b->moments, b->g, 0, 1);
}

static void run_mix(measure_bench *b)
{
  b->setup->rows->add_scaled(b->setup->model.stride, 1, 0.5, (rh_tensor){b->x, 0}, (rh_tensor){b->y, 0});
}

rh_coding measure_coding(const measure_bench *b, int bucket)
{
  return (rh_coding){.options = b->run->compressor_options,
                     .layout = &b->setup->buckets[bucket].layout,
                     .rng = rh_rng_stream(1, RH_PURPOSE_COMPRESS, 0, 0),
                     .shared = rh_rng_stream(1, RH_PURPOSE_SHARED, 0, 0),
                     .step = INT64_MAX, /* after any warm-up */
                     .momentum = b->run->train.optimiser.momentum,
                     .scratch = b->scratch};
}

/* Decoding a sum begins with what everybody keeps of it: of the last phase here, as the first phase's is encoding's. */
static void take_last(measure_bench *b, rh_coding *coding)
{
  const rh_summable *sum = b->run->compressor->sum;
  if (sum->take) sum->take(coding, b->common, sum->phases - 1, b->wire, 1);
}

int64_t measure_place_count(const measure_bench *b, int bucket)
{
  return b->run->compressor->bound_bytes(b->run->compressor_options, &b->setup->buckets[bucket].layout) / 4;
}

/* A message of a bucket that the device makes, and reads. */
rh_code measure_code(const measure_bench *b, int bucket)
{
  rh_code code;
  const bool has = rh_compressor_code(b->run->compressor, b->run->compressor_options, &b->setup->buckets[bucket].layout,
                                      measure_coding(b, bucket).step, &code);
  RH_ASSERT(has);
  code.places = b->places;
  for (int k = 0; b->places && k < bucket; k++)
    code.places += measure_place_count(b, k);
  return code;
}

int64_t measure_message_stride(const measure_bench *b, int bucket)
{
  return (b->run->compressor->bound_bytes(b->run->compressor_options, &b->setup->buckets[bucket].layout) + 64) / 64 *
         64;
}

static void encode_on_device(measure_bench *b, int bucket)
{
  const rh_code code = measure_code(b, bucket);
  const rh_coding coding = measure_coding(b, bucket);
  const rh_backend *rows = b->setup->rows;
  const rh_tensor g = {b->g + b->setup->buckets[bucket].offset, 0}, u = {b->state, 0}, v = {b->state + code.values, 0};
  if (b->state) { /* momentum that the worker gathers by itself */
    rows->combine(code.values, 1, coding.momentum, u, 1, g, u);
    rows->add_scaled(code.values, 1, 1, u, v);
  }
  rows->encode(&code, &coding.rng, 1, b->state ? u : g, b->wire, measure_message_stride(b, bucket), b->length,
               b->scratch);
}

/* What a step of `lowrank` on the device touches. */
static measure_lowrank lowrank_of(const measure_bench *b, int bucket)
{
  const int64_t offset = b->setup->buckets[bucket].offset;
  const rh_tensor g = {b->g + offset, 0}, y = {b->y + offset, 0}, q = {b->scratch, 0};
  return (measure_lowrank){
      b->setup->rows, measure_code(b, bucket), measure_coding(b, bucket).shared, g, y, q, (float *)(void *)b->wire,
      b->length};
}

bool measure_is_lowrank(const measure_bench *b)
{
  return b->run->compressor == &rh_compressor_lowrank;
}

/* A second phase begins with what everybody does with the first one's sum. */
static void run_encode(measure_bench *b)
{
  const rh_compressor *c = b->run->compressor;
  const int bucket = b->index / 2, phase = b->index % 2;
  const float *g = b->g + b->setup->buckets[bucket].offset;
  if (b->length && measure_is_lowrank(b)) {
    const measure_lowrank l = lowrank_of(b, bucket);
    measure_lowrank_encode(&l, phase);
    return;
  }
  if (b->length) {
    encode_on_device(b, bucket);
    return;
  }
  rh_coding coding = measure_coding(b, bucket);
  if (!c->sum) {
    b->wire_bytes = c->encode(&coding, g, b->state, b->wire);
    return;
  }
  if (phase > 0 && c->sum->take) c->sum->take(&coding, b->common, 0, b->wire, 1);
  c->sum->contribute(&coding, b->common, phase, g, b->wire);
}

static void run_decode(measure_bench *b)
{
  const rh_compressor *c = b->run->compressor;
  float *y = b->y + b->setup->buckets[b->index].offset;
  if (b->length && measure_is_lowrank(b)) {
    const measure_lowrank l = lowrank_of(b, b->index);
    measure_lowrank_decode(&l);
    return;
  }
  if (b->length) {
    const rh_code code = measure_code(b, b->index);
    b->setup->rows->decode(&code, 1, b->wire, measure_message_stride(b, b->index), (rh_tensor){y, 0});
    return;
  }
  rh_coding coding = measure_coding(b, b->index);
  if (c->sum) {
    take_last(b, &coding);
    c->sum->decode(&coding, b->common, b->wire, 1, y);
  } else {
    c->decode(&coding, b->wire, b->wire_bytes, y);
  }
}

/* Brings wire and common to where the step finds them in a round. */
static void before_step(measure_bench *b, step kind)
{
  const rh_compressor *c = b->run->compressor;
  if (kind != STEP_ENCODE && kind != STEP_DECODE) return;
  const int index = b->index, bucket = kind == STEP_ENCODE ? index / 2 : index;
  rh_coding coding = measure_coding(b, bucket);
  if (b->length && measure_is_lowrank(b)) {
    const measure_lowrank l = lowrank_of(b, bucket);
    measure_lowrank_start(&l);
  } else if (!b->length && c->sum && c->sum->start) {
    c->sum->start(&coding, b->common);
  }
  const int last = kind == STEP_DECODE ? 2 * bucket + (c->sum ? c->sum->phases - 1 : 0) : index - 1;
  for (b->index = 2 * bucket; b->index <= last; b->index++)
    run_encode(b);
  b->index = index;
}

static void run_feedback(measure_bench *b)
{
  const rh_tensor x = {b->x, 0}, g = {b->g, 0}, y = {b->y, 0};
  b->setup->rows->add_scaled(b->setup->model.stride, 1, 0, x, y);
  b->setup->rows->add_scaled(b->setup->model.stride, 1, 0, g, y);
}

static void run_split(measure_bench *b)
{
  for (int k = 0; k < b->factors.count; k++) {
    const rh_factor *f = &b->factors.list[k];
    /* initial weights are finite: it cannot fail, but with the device, which is asked for that elsewhere */
    rh_status status = rh_factor_split(&b->setup->model, b->setup->rows, f, b->x, b->factor_a + f->a_offset,
                                       b->factor_b + f->b_offset, b->room, b->singular);
    RH_ASSERT(status == RH_OK || rh_backend_check(b->setup->rows) != RH_OK);
    (void)status;
  }
}

static rh_tensor one(float *row)
{
  return (rh_tensor){row, 0};
}

static void run_compose(measure_bench *b)
{
  for (int k = 0; k < b->factors.count; k++)
    rh_factor_compose(&b->setup->model, b->setup->rows, &b->factors.list[k], 1, one(b->factor_a), one(b->factor_b),
                      one(b->y));
}

static void run_project(measure_bench *b)
{
  for (int k = 0; k < b->factors.count; k++)
    rh_factor_gradient_a(&b->setup->model, b->setup->rows, &b->factors.list[k], 1, one(b->g), one(b->factor_b),
                         one(b->da));
}

static void run_mask(measure_bench *b)
{
  const rh_mask_options *o = &b->run->train.mask;
  const rh_mask_turn turn = {.number = 1, .sparse = true, .sparsity = o->sparsity};
  rh_mask_make(b->mask, o, &turn, 1, b->x);
}

static void (*const bodies[])(measure_bench *) = {
    [STEP_FORWARD] = run_forward,   [STEP_BACKWARD] = run_backward, [STEP_UPDATE] = run_update,
    [STEP_MIX] = run_mix,           [STEP_ENCODE] = run_encode,     [STEP_DECODE] = run_decode,
    [STEP_FEEDBACK] = run_feedback, [STEP_SPLIT] = run_split,       [STEP_COMPOSE] = run_compose,
    [STEP_PROJECT] = run_project,   [STEP_MASK] = run_mask};

static double time_repeats(measure_bench *b, void (*body)(measure_bench *), int64_t repeats)
{
  rh_backend_wait(b->setup->backend);
  double start_s = now_s();
  for (int64_t i = 0; i < repeats; i++)
    body(b);
  rh_backend_wait(b->setup->backend);
  return now_s() - start_s;
}

/* One series of samples; owned by the caller, in rising order. */
static double *time_samples(measure_bench *b, step kind, int samples)
{
  double *sample_s = calloc((size_t)samples, sizeof *sample_s);
  int64_t repeats = 1;
  RH_ASSERT(sample_s && "memory is exhausted");
  for (int i = 0; i < WARM_UP; i++)
    bodies[kind](b);
  while (time_repeats(b, bodies[kind], repeats) < sample_least_s)
    repeats *= 2;
  for (int i = 0; i < samples; i++)
    sample_s[i] = rh_fit_rounded(time_repeats(b, bodies[kind], repeats) / (double)repeats);
  gsl_sort(sample_s, 1, (size_t)samples);
  return sample_s;
}

static void time_step(measure_bench *b, step kind, char *name, int samples, rh_profile *profile)
{
  rh_duration best = {0};
  before_step(b, kind);
  for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
    double *sample_s = time_samples(b, kind, samples);
    const size_t count = (size_t)samples;
    const rh_duration d = {.name = name,
                           .samples = samples,
                           .median_s = rh_fit_rounded(gsl_stats_median_from_sorted_data(sample_s, 1, count)),
                           .low_s = rh_fit_rounded(gsl_stats_quantile_from_sorted_data(sample_s, 1, count, 0.05)),
                           .high_s = rh_fit_rounded(gsl_stats_quantile_from_sorted_data(sample_s, 1, count, 0.95)),
                           .fit = rh_fit_make(sample_s, samples)};
    if (attempt == 0 || rh_duration_spread(&d) < rh_duration_spread(&best)) best = d;
    free(sample_s);
    if (!rh_duration_disturbed(&best)) break;
  }
  rh_profile_put(profile, &best);
}

char *rh_measure_device(const rh_backend *backend)
{
  if (!rh_backend_on_host(backend)) return rh_text_duplicate(backend->kernel()); /* which names the device */
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

rh_status rh_measure(const rh_run *run, const rh_setup *setup, int samples, rh_profile *profile)
{
  rh_status status = RH_OK;
  measure_bench b = {.run = run, .setup = setup};
  RH_TRY(measure_bench_init(&b));
  if (!profile->device) profile->device = rh_measure_device(setup->backend);
  for (step kind = 0; kind < STEP_COUNT; kind++) {
    for (b.index = 0; b.index < measure_indices(setup, kind); b.index++) {
      if (!measure_needs(run, kind, b.index)) continue;
      rh_text name = {0};
      measure_name(run, setup, NULL, kind, b.index, &name);
      if (!rh_profile_find(profile, rh_text_get(&name))) time_step(&b, kind, name.data, samples, profile);
      rh_text_clear(&name);
    }
  }
done:
  measure_bench_clear(&b);
  return status;
}
