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

typedef struct bench {
  const rh_run *run;
  const rh_setup *setup;
  rh_workspace *workspace;
  float *x, *moments[RH_MOMENTS_MAX], *g, *y; /* [stride] each; where rows live; moments that the optimiser keeps */
  float *pass_x, *pass_g;                     /* x and g where passes are computed: the same where rows live there */
  double clip;                                /* factor of the last update */
  double *square;                             /* squared norm of g, where rows live on a device; else NULL */
  float *state;                               /* of the compressor, the largest bucket's; on a device with `length` */
  float *common;                              /* of summable messages, likewise */
  uint8_t *wire;                              /* the longest message or contribution */
  void *scratch;
  int64_t
      *length; /* of a message that a device makes where rows live, as wire and scratch then are its own; else NULL */
  uint32_t *places;                /* of all buckets' messages that the device makes; NULL: the compressor draws none */
  rh_factors factors;              /* at full rank, of methods that factorise */
  float *factor_a, *factor_b, *da; /* of all of them, where rows live, as room [n + 1] of the largest */
  float *room, *singular;          /* singular: the program's, likewise */
  rh_mask *mask;                   /* NULL without one */
  int64_t wire_bytes;
  int index;
} bench;

static double now_s(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void run_forward(bench *b)
{
  rh_model_forward(&b->setup->model, b->workspace, 1, (rh_tensor){b->pass_x, 0});
}

static void run_backward(bench *b)
{
  rh_model_backward_layer(&b->setup->model, b->workspace, b->index, 1, (rh_tensor){b->pass_x, 0},
                          (rh_tensor){b->pass_g, 0});
}

static void run_update(bench *b)
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

static void run_mix(bench *b)
{
  b->setup->rows->add_scaled(b->setup->model.stride, 1, 0.5, (rh_tensor){b->x, 0}, (rh_tensor){b->y, 0});
}

static rh_coding coding_of(const bench *b, int bucket)
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
static void take_last(bench *b, rh_coding *coding)
{
  const rh_summable *sum = b->run->compressor->sum;
  if (sum->take) sum->take(coding, b->common, sum->phases - 1, b->wire, 1);
}

static int64_t place_count(const bench *b, int bucket)
{
  return b->run->compressor->bound_bytes(b->run->compressor_options, &b->setup->buckets[bucket].layout) / 4;
}

/* A message of a bucket that the device makes, and reads. */
static rh_code code_of(const bench *b, int bucket)
{
  rh_code code;
  const bool has = rh_compressor_code(b->run->compressor, b->run->compressor_options, &b->setup->buckets[bucket].layout,
                                      coding_of(b, bucket).step, &code);
  RH_ASSERT(has);
  code.places = b->places;
  for (int k = 0; b->places && k < bucket; k++)
    code.places += place_count(b, k);
  return code;
}

static int64_t message_stride(const bench *b, int bucket)
{
  return (b->run->compressor->bound_bytes(b->run->compressor_options, &b->setup->buckets[bucket].layout) + 64) / 64 *
         64;
}

static void encode_on_device(bench *b, int bucket)
{
  const rh_code code = code_of(b, bucket);
  const rh_coding coding = coding_of(b, bucket);
  const rh_backend *rows = b->setup->rows;
  const rh_tensor g = {b->g + b->setup->buckets[bucket].offset, 0}, u = {b->state, 0}, v = {b->state + code.values, 0};
  if (b->state) { /* momentum that the worker gathers by itself */
    rows->combine(code.values, 1, coding.momentum, u, 1, g, u);
    rows->add_scaled(code.values, 1, 1, u, v);
  }
  rows->encode(&code, &coding.rng, 1, b->state ? u : g, b->wire, message_stride(b, bucket), b->length, b->scratch);
}

/* What a step of `lowrank` on the device touches. */
static measure_lowrank lowrank_of(const bench *b, int bucket)
{
  const int64_t offset = b->setup->buckets[bucket].offset;
  const rh_tensor g = {b->g + offset, 0}, y = {b->y + offset, 0}, q = {b->scratch, 0};
  return (measure_lowrank){b->setup->rows,           code_of(b, bucket), coding_of(b, bucket).shared, g, y, q,
                           (float *)(void *)b->wire, b->length};
}

static bool is_lowrank(const bench *b)
{
  return b->run->compressor == &rh_compressor_lowrank;
}

/* A second phase begins with what everybody does with the first one's sum. */
static void run_encode(bench *b)
{
  const rh_compressor *c = b->run->compressor;
  const int bucket = b->index / 2, phase = b->index % 2;
  const float *g = b->g + b->setup->buckets[bucket].offset;
  if (b->length && is_lowrank(b)) {
    const measure_lowrank l = lowrank_of(b, bucket);
    measure_lowrank_encode(&l, phase);
    return;
  }
  if (b->length) {
    encode_on_device(b, bucket);
    return;
  }
  rh_coding coding = coding_of(b, bucket);
  if (!c->sum) {
    b->wire_bytes = c->encode(&coding, g, b->state, b->wire);
    return;
  }
  if (phase > 0 && c->sum->take) c->sum->take(&coding, b->common, 0, b->wire, 1);
  c->sum->contribute(&coding, b->common, phase, g, b->wire);
}

static void run_decode(bench *b)
{
  const rh_compressor *c = b->run->compressor;
  float *y = b->y + b->setup->buckets[b->index].offset;
  if (b->length && is_lowrank(b)) {
    const measure_lowrank l = lowrank_of(b, b->index);
    measure_lowrank_decode(&l);
    return;
  }
  if (b->length) {
    const rh_code code = code_of(b, b->index);
    b->setup->rows->decode(&code, 1, b->wire, message_stride(b, b->index), (rh_tensor){y, 0});
    return;
  }
  rh_coding coding = coding_of(b, b->index);
  if (c->sum) {
    take_last(b, &coding);
    c->sum->decode(&coding, b->common, b->wire, 1, y);
  } else {
    c->decode(&coding, b->wire, b->wire_bytes, y);
  }
}

/* Brings wire and common to where the step finds them in a round. */
static void before_step(bench *b, step kind)
{
  const rh_compressor *c = b->run->compressor;
  if (kind != STEP_ENCODE && kind != STEP_DECODE) return;
  const int index = b->index, bucket = kind == STEP_ENCODE ? index / 2 : index;
  rh_coding coding = coding_of(b, bucket);
  if (b->length && is_lowrank(b)) {
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

static void run_feedback(bench *b)
{
  const rh_tensor x = {b->x, 0}, g = {b->g, 0}, y = {b->y, 0};
  b->setup->rows->add_scaled(b->setup->model.stride, 1, 0, x, y);
  b->setup->rows->add_scaled(b->setup->model.stride, 1, 0, g, y);
}

static void run_split(bench *b)
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

static void run_compose(bench *b)
{
  for (int k = 0; k < b->factors.count; k++)
    rh_factor_compose(&b->setup->model, b->setup->rows, &b->factors.list[k], 1, one(b->factor_a), one(b->factor_b),
                      one(b->y));
}

static void run_project(bench *b)
{
  for (int k = 0; k < b->factors.count; k++)
    rh_factor_gradient_a(&b->setup->model, b->setup->rows, &b->factors.list[k], 1, one(b->g), one(b->factor_b),
                         one(b->da));
}

static void run_mask(bench *b)
{
  const rh_mask_options *o = &b->run->train.mask;
  const rh_mask_turn turn = {.number = 1, .sparse = true, .sparsity = o->sparsity};
  rh_mask_make(b->mask, o, &turn, 1, b->x);
}

static void (*const bodies[])(bench *) = {
    [STEP_FORWARD] = run_forward,   [STEP_BACKWARD] = run_backward, [STEP_UPDATE] = run_update,
    [STEP_MIX] = run_mix,           [STEP_ENCODE] = run_encode,     [STEP_DECODE] = run_decode,
    [STEP_FEEDBACK] = run_feedback, [STEP_SPLIT] = run_split,       [STEP_COMPOSE] = run_compose,
    [STEP_PROJECT] = run_project,   [STEP_MASK] = run_mask};

static double time_repeats(bench *b, void (*body)(bench *), int64_t repeats)
{
  rh_backend_wait(b->setup->backend);
  double start_s = now_s();
  for (int64_t i = 0; i < repeats; i++)
    body(b);
  rh_backend_wait(b->setup->backend);
  return now_s() - start_s;
}

/* One series of samples; owned by the caller, in rising order. */
static double *time_samples(bench *b, step kind, int samples)
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

static void time_step(bench *b, step kind, char *name, int samples, rh_profile *profile)
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

static void bench_clear(bench *b)
{
  float *rows[] = {b->x, b->moments[0], b->moments[1], b->g, b->y, b->factor_a, b->factor_b, b->da, b->room};
  for (size_t i = 0; i < RH_COUNT(rows); i++)
    if (rows[i]) b->setup->rows->release(rows[i]);
  b->setup->rows->release(b->square);
  if (b->pass_x != b->x) b->setup->backend->release(b->pass_x);
  if (b->pass_g != b->g) b->setup->backend->release(b->pass_g);
  rh_workspace_free(b->workspace);
  free(b->singular);
  rh_mask_free(b->mask);
  free(b->common);
  if (b->length) {
    b->setup->rows->release(b->state);
    b->setup->rows->release(b->places);
    b->setup->rows->release(b->wire);
    b->setup->rows->release(b->scratch);
    b->setup->rows->release(b->length);
    return;
  }
  free(b->state);
  free(b->wire);
  free(b->scratch);
}

static void take_larger(int64_t *largest, int64_t value)
{
  if (value > *largest) *largest = value;
}

static rh_status no_memory(void)
{
  return rh_error(RH_ENOMEM, "no memory to time a step");
}

/* Places of a round, on the device. */
static rh_status draw_places(bench *b)
{
  const rh_compressor *c = b->run->compressor;
  int64_t all = 1, scratch = 64, at = 0;
  for (int32_t k = 0; k < b->setup->bucket_count; k++) {
    all += place_count(b, k);
    if (c->scratch_bytes)
      take_larger(&scratch, c->scratch_bytes(b->run->compressor_options, &b->setup->buckets[k].layout));
  }
  uint32_t *drawn = malloc((size_t)all * sizeof *drawn);
  void *room = aligned_alloc(64, (size_t)(scratch + 63) / 64 * 64);
  b->places = b->setup->rows->alloc((size_t)all * sizeof *drawn);
  for (int32_t k = 0; drawn && room && b->places && k < b->setup->bucket_count; at += place_count(b, k++)) {
    rh_coding coding = coding_of(b, k);
    coding.scratch = room;
    c->draw(&coding, drawn + at);
  }
  if (drawn && room && b->places) b->setup->rows->upload(b->places, drawn, (size_t)at * sizeof *drawn);
  const bool done = drawn && room && b->places;
  free(drawn);
  free(room);
  return done ? RH_OK : no_memory();
}

/* The same of messages that a device makes. */
static rh_status init_device_messages(bench *b)
{
  const rh_compressor *c = b->run->compressor;
  const rh_backend *rows = b->setup->rows;
  int64_t wire = 64, scratch = 64, state = 0;
  for (int32_t k = 0; k < b->setup->bucket_count; k++) {
    const rh_code code = code_of(b, k);
    take_larger(&wire, message_stride(b, k));
    take_larger(&scratch, is_lowrank(b) ? message_stride(b, k) : rows->code_scratch(&code));
    if (c->state_values) take_larger(&state, c->state_values(b->run->compressor_options, &b->setup->buckets[k].layout));
  }
  if (!(b->length = rows->alloc(sizeof *b->length))) return no_memory();
  b->wire = rows->alloc((size_t)wire);
  b->scratch = rows->alloc((size_t)scratch);
  if (is_lowrank(b)) state = 0; /* of an all-reduce: there is none */
  b->state = state > 0 ? rows->alloc((size_t)state * sizeof *b->state) : NULL;
  if (!b->wire || !b->scratch || (state > 0 && !b->state)) return no_memory();
  return c->draw ? draw_places(b) : RH_OK;
}

/* Room for the messages of any bucket. */
static rh_status init_messages(bench *b)
{
  const rh_compressor *c = b->run->compressor;
  if (rh_coder_fits_device(c, b->setup->rows)) return init_device_messages(b);
  const void *o = b->run->compressor_options;
  int64_t wire = 64, scratch = 64, state = 1, common = 1;
  for (int32_t k = 0; k < b->setup->bucket_count; k++) {
    const rh_layout *layout = &b->setup->buckets[k].layout;
    take_larger(&wire, c->bound_bytes(o, layout));
    if (c->scratch_bytes) take_larger(&scratch, c->scratch_bytes(o, layout));
    if (c->state_values) take_larger(&state, c->state_values(o, layout));
    if (c->sum && c->sum->common_values) take_larger(&common, c->sum->common_values(o, layout));
    for (int phase = 0; c->sum && phase < c->sum->phases; phase++)
      take_larger(&wire, c->sum->element_bytes * c->sum->elements(o, layout, phase));
  }
  b->wire = malloc((size_t)wire);
  b->scratch = aligned_alloc(64, (size_t)(scratch + 63) / 64 * 64);
  b->state = calloc((size_t)state, sizeof *b->state);
  b->common = calloc((size_t)common, sizeof *b->common);
  return b->wire && b->scratch && b->state && b->common ? RH_OK : rh_error(RH_ENOMEM, "no memory to time a step");
}

/* Room for the factors of all weights that the method factorises. */
static rh_status init_factors(bench *b)
{
  const rh_method *method = b->run->method;
  if (!method->dense_ends) return RH_OK;
  rh_factors_plan(&b->setup->model, method->dense_ends(b->run->method_options), &b->factors);
  int64_t largest = 1;
  for (int k = 0; k < b->factors.count; k++)
    take_larger(&largest, b->factors.list[k].n);
  const rh_backend *rows = b->setup->rows;
  b->factor_a = rows->alloc((size_t)(b->factors.a_values + 1) * sizeof *b->factor_a);
  b->factor_b = rows->alloc((size_t)(b->factors.b_values + 1) * sizeof *b->factor_b);
  b->da = rows->alloc((size_t)(b->factors.a_values + 1) * sizeof *b->da);
  b->room = rows->alloc((size_t)(largest + 1) * sizeof *b->room);
  b->singular = calloc((size_t)largest + 1, sizeof *b->singular);
  return b->factor_a && b->factor_b && b->da && b->room && b->singular ? RH_OK : no_memory();
}

/* Rows where they live and, where that is somewhere else, those that passes read and write. */
static rh_status init_rows(bench *b)
{
  const rh_setup *s = b->setup;
  const size_t row_bytes = (size_t)s->model.stride * sizeof(float);
  float **rows[] = {&b->x, &b->g, &b->y, &b->moments[0], &b->moments[1]};
  for (int i = 0; i < 3 + rh_optimiser_moments(&b->run->train.optimiser); i++)
    if (!(*rows[i] = s->rows->alloc(row_bytes))) return no_memory();
  if (s->rows->squared_distances && !(b->square = s->rows->alloc(sizeof *b->square))) return no_memory();
  b->pass_x = s->rows == s->backend ? b->x : s->backend->alloc(row_bytes);
  b->pass_g = s->rows == s->backend ? b->g : s->backend->alloc(row_bytes);
  return b->pass_x && b->pass_g ? RH_OK : no_memory();
}

/* A first gradient on a real batch: typical values in every buffer. row [stride], x and indices for a
 * batch: scratch. */
static rh_status take_gradient(bench *b, float *row, float *x, int32_t *indices, int32_t *labels)
{
  const rh_setup *s = b->setup;
  const int64_t batch = b->run->train.batch;
  const size_t row_bytes = (size_t)s->model.stride * sizeof(float);
  double loss;
  int64_t correct;
  for (int64_t i = 0; i < batch; i++)
    indices[i] = (int32_t)(i % s->dataset.train.count);
  rh_samples_gather(&s->dataset, &s->dataset.train, indices, batch, x, labels);
  rh_workspace_fill(b->workspace, 1, x, labels);
  rh_model_init_parameters(&s->model, (uint64_t)b->run->run.seed, row);
  rh_backend_upload(s->backend, b->pass_x, row, row_bytes);
  rh_model_gradient(&s->model, b->workspace, 1, (rh_tensor){b->pass_x, 0}, (rh_tensor){b->pass_g, 0}, &loss, &correct);
  if (b->pass_x != b->x) rh_backend_upload(s->rows, b->x, row, row_bytes);
  if (b->pass_g != b->g) rh_backend_download(s->backend, b->g, b->pass_g, row_bytes); /* rows are the program's */
  return rh_backend_check(s->backend);
}

/* A replica after its first gradient. */
static rh_status bench_init(bench *b)
{
  const rh_setup *s = b->setup;
  const size_t batch = (size_t)b->run->train.batch, inputs = (size_t)rh_shape_count(s->model.input);
  rh_status status = rh_workspace_new(&s->model, s->backend, b->run->train.batch, 1, &b->workspace);
  if (status == RH_OK) status = init_messages(b);
  if (status == RH_OK) status = init_factors(b);
  if (status == RH_OK && b->run->train.mask.kind != RH_MASK_NONE) status = rh_mask_new(&s->model, &b->mask);
  if (status == RH_OK) status = init_rows(b);
  if (status != RH_OK) return status;
  float *row = calloc((size_t)s->model.stride, sizeof *row), *x = calloc(batch * inputs, sizeof *x);
  int32_t *indices = calloc(batch, sizeof *indices), *labels = calloc(batch, sizeof *labels);
  status = row && x && indices && labels ? take_gradient(b, row, x, indices, labels) : no_memory();
  free(row);
  free(x);
  free(indices);
  free(labels);
  return status;
}

rh_status rh_measure(const rh_run *run, const rh_setup *setup, int samples, rh_profile *profile)
{
  rh_status status = RH_OK;
  bench b = {.run = run, .setup = setup};
  RH_TRY(bench_init(&b));
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
  bench_clear(&b);
  return status;
}
