/* What timed steps work on: rows, messages and factors, filled with typical values. See measure_private.h. */
#include <stdlib.h>

#include "coder.h"
#include "factor.h"
#include "measure_private.h"

void measure_bench_clear(measure_bench *b)
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
static rh_status draw_places(measure_bench *b)
{
  const rh_compressor *c = b->run->compressor;
  int64_t all = 1, scratch = 64, at = 0;
  for (int32_t k = 0; k < b->setup->bucket_count; k++) {
    all += measure_place_count(b, k);
    if (c->scratch_bytes)
      take_larger(&scratch, c->scratch_bytes(b->run->compressor_options, &b->setup->buckets[k].layout));
  }
  uint32_t *drawn = malloc((size_t)all * sizeof *drawn);
  void *room = aligned_alloc(64, (size_t)(scratch + 63) / 64 * 64);
  b->places = b->setup->rows->alloc((size_t)all * sizeof *drawn);
  for (int32_t k = 0; drawn && room && b->places && k < b->setup->bucket_count; at += measure_place_count(b, k++)) {
    rh_coding coding = measure_coding(b, k);
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
static rh_status init_device_messages(measure_bench *b)
{
  const rh_compressor *c = b->run->compressor;
  const rh_backend *rows = b->setup->rows;
  int64_t wire = 64, scratch = 64, state = 0;
  for (int32_t k = 0; k < b->setup->bucket_count; k++) {
    const rh_code code = measure_code(b, k);
    take_larger(&wire, measure_message_stride(b, k));
    take_larger(&scratch, measure_is_lowrank(b) ? measure_message_stride(b, k) : rows->code_scratch(&code));
    if (c->state_values) take_larger(&state, c->state_values(b->run->compressor_options, &b->setup->buckets[k].layout));
  }
  if (!(b->length = rows->alloc(sizeof *b->length))) return no_memory();
  b->wire = rows->alloc((size_t)wire);
  b->scratch = rows->alloc((size_t)scratch);
  if (measure_is_lowrank(b)) state = 0; /* of an all-reduce: there is none */
  b->state = state > 0 ? rows->alloc((size_t)state * sizeof *b->state) : NULL;
  if (!b->wire || !b->scratch || (state > 0 && !b->state)) return no_memory();
  return c->draw ? draw_places(b) : RH_OK;
}

/* Room for the messages of any bucket. */
static rh_status init_messages(measure_bench *b)
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
static rh_status init_factors(measure_bench *b)
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
static rh_status init_rows(measure_bench *b)
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
static rh_status take_gradient(measure_bench *b, float *row, float *x, int32_t *indices, int32_t *labels)
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
rh_status measure_bench_init(measure_bench *b)
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
