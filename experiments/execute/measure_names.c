#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "factor.h"
#include "measure_private.h"

static const char *const suffixes[] = {
    [STEP_FORWARD] = "forward", [STEP_BACKWARD] = "backward", [STEP_UPDATE] = "update",     [STEP_MIX] = "mix",
    [STEP_ENCODE] = "encode",   [STEP_DECODE] = "decode",     [STEP_FEEDBACK] = "feedback", [STEP_SPLIT] = "factorise",
    [STEP_COMPOSE] = "compose", [STEP_PROJECT] = "project",   [STEP_MASK] = "mask"};

/* "qsgd bits=8 bucket=512": a component and the values of its options. */
static void append_component(const char *name, const rh_option *rows, size_t count, const void *values, rh_text *out)
{
  rh_text lines = {0};
  rh_option_write(rows, count, "", values, &lines);
  rh_text_append(out, "%s", name);
  for (const char *s = rh_text_get(&lines); *s; s++) {
    if (*s == '.' && (s == lines.data || s[-1] == '\n'))
      rh_text_append(out, " ");
    else if (*s != '\n')
      rh_text_append_bytes(out, s, 1);
  }
  rh_text_clear(&lines);
}

/* "adamw clipped/": what the time of a step depends on; the values of its options do not change it. */
static void append_optimiser(const rh_optimiser *o, rh_text *out)
{
  rh_text_append(out, "%s%s/",
                 o->kind == RH_OPTIMISER_ADAMW ? "adamw"
                 : o->nesterov                 ? "sgd nesterov"
                                               : "sgd",
                 o->clip > 0 ? " clipped" : "");
}

/* "magnitude 0.8 global/": what the time of making a mask depends on. */
static void append_mask(const rh_mask_options *o, rh_text *out)
{
  if (o->kind == RH_MASK_NM)
    rh_text_append(out, "%" PRId64 ":%" PRId64, o->n, o->m);
  else
    rh_text_append(out, "%s %.6g %s", o->kind == RH_MASK_RANDOM ? "random" : "magnitude", o->sparsity,
                   o->scope == RH_MASK_LAYER ? "layer" : "global");
  rh_text_append(out, "%s/", o->ends ? "" : " but ends");
}

void measure_name(const rh_run *run, const rh_setup *setup, const char *backend, step kind, int index, rh_text *out)
{
  const rh_model *m = &setup->model;
  const rh_compressor *c = run->compressor;
  rh_text_append(out, "%s/", backend ? backend : setup->backend->name);
  append_component(m->name, run->model_kind->options, run->model_kind->option_count, run->model_options, out);
  rh_text_append(out, " %" PRId64 "x%" PRId64 "x%" PRId64 " %" PRId64 "/", m->input.height, m->input.width,
                 m->input.channels, m->parameters);
  if (kind == STEP_FORWARD || kind == STEP_BACKWARD)
    rh_text_append(out, "batch %" PRId64 "%s/", run->train.batch, m->arithmetic == RH_INT8 ? " int8" : "");
  if (kind == STEP_ENCODE || kind == STEP_DECODE) {
    append_component(c->name, c->options, c->option_count, run->compressor_options, out);
    rh_text_append(out, "/");
  }
  if (kind >= STEP_SPLIT && kind <= STEP_PROJECT && !run->method->dense_ends(run->method_options))
    rh_text_append(out, "all weights/");
  if (kind == STEP_MASK) append_mask(&run->train.mask, out);
  if (kind == STEP_UPDATE) append_optimiser(&run->train.optimiser, out);
  rh_text_append(out, "%s", suffixes[kind]);
  if (kind == STEP_BACKWARD) rh_text_append(out, " %s", m->layers[index].name);
  if (kind == STEP_ENCODE && index % 2 == 1) rh_text_append(out, " again");
  if ((kind == STEP_ENCODE || kind == STEP_DECODE) && setup->bucket_count > 1) {
    const rh_bucket *bucket = &setup->buckets[kind == STEP_ENCODE ? index / 2 : index];
    rh_text_append(out, " %" PRId64 "+%" PRId64, bucket->offset, bucket->layout.values);
  }
}

int measure_indices(const rh_setup *setup, step kind)
{
  switch (kind) {
  case STEP_BACKWARD:
    return setup->model.layer_count;
  case STEP_ENCODE:
    return 2 * setup->bucket_count;
  case STEP_DECODE:
    return setup->bucket_count;
  default:
    return 1;
  }
}

bool measure_needs(const rh_run *run, step kind, int index)
{
  switch (kind) {
  case STEP_MIX:
    return run->method->needs_graph || run->feedback.kind == RH_FEEDBACK_STEP_AHEAD ||
           (!run->compressor->lossless && !run->compressor->sum);
  case STEP_ENCODE:
    return !run->compressor->lossless && (index % 2 == 0 || (run->compressor->sum && run->compressor->sum->phases > 1));
  case STEP_DECODE:
    return !run->compressor->lossless;
  case STEP_FEEDBACK:
    return !run->compressor->lossless && run->feedback.kind != RH_FEEDBACK_NONE;
  case STEP_SPLIT:
  case STEP_COMPOSE:
  case STEP_PROJECT:
    return run->method->dense_ends != NULL;
  case STEP_MASK:
    return run->train.mask.kind != RH_MASK_NONE;
  default:
    return true;
  }
}

static void add_name(rh_names *names, char *name)
{
  names->list = realloc(names->list, ((size_t)names->count + 1) * sizeof *names->list);
  RH_ASSERT(names->list && "memory is exhausted");
  names->list[names->count++] = name;
}

void rh_measure_append_names(const rh_run *run, const rh_setup *setup, const char *backend, rh_names *names)
{
  if (run->time.source == RH_TIME_FLOPS) return;
  for (step kind = 0; kind < STEP_COUNT; kind++) {
    for (int index = 0; index < measure_indices(setup, kind); index++) {
      if (!measure_needs(run, kind, index)) continue;
      rh_text name = {0};
      measure_name(run, setup, backend, kind, index, &name);
      add_name(names, name.data); /* the buffer changes hands */
    }
  }
}

void rh_measure_names(const rh_run *run, const rh_setup *setup, const char *backend, rh_names *names)
{
  *names = (rh_names){0};
  rh_measure_append_names(run, setup, backend, names);
}

void rh_names_clear(rh_names *names)
{
  for (int i = 0; i < names->count; i++)
    free(names->list[i]);
  free(names->list);
  *names = (rh_names){0};
}

/* Of a bucket's message. */
static rh_flop bucket_flop(const rh_run *run, const rh_setup *setup, int bucket)
{
  return rh_compressor_flop(run->compressor, run->compressor_options, &setup->buckets[bucket].layout);
}

/* Floating point operations of a step on one value: as optim.h's formulas count, with their constants known. */
static double update_flop(const rh_optimiser *o)
{
  const double step = o->kind == RH_OPTIMISER_ADAMW ? 16 : o->nesterov ? 8 : 6;
  const double clip = o->clip > 0 ? 3 : 0; /* square and sum of the norm, scaling */
  return step + clip;
}

/* Operations as so many in f32. */
static double charged_flop(const rh_run *run, rh_work work)
{
  return work.flop + work.int8_op / run->time.int8_speedup;
}

/* Floating point operations of a step, for time.source: flops. One term of a mixing row is a product and a sum;
 * feedback adds the error and takes the next one. */
static double work_flop(const rh_run *run, const rh_setup *setup, step kind, int index)
{
  const rh_model *m = &setup->model;
  const double values = (double)m->parameters;
  switch (kind) {
  case STEP_FORWARD:
    return charged_flop(run, rh_model_forward_work(m, run->train.batch));
  case STEP_BACKWARD:
    return charged_flop(run, rh_model_backward_work(m, index, run->train.batch));
  case STEP_UPDATE:
    return update_flop(&run->train.optimiser) * values;
  case STEP_MIX:
    return 2 * values;
  case STEP_ENCODE:
    return bucket_flop(run, setup, index / 2).encode[index % 2];
  case STEP_DECODE:
    return bucket_flop(run, setup, index).decode;
  case STEP_FEEDBACK:
    return 2 * values;
  case STEP_SPLIT:
  case STEP_COMPOSE:
  case STEP_PROJECT: {
    rh_factors factors;
    rh_factors_plan(m, run->method->dense_ends(run->method_options), &factors);
    return kind == STEP_SPLIT ? rh_factors_split_flop(&factors) : rh_factors_product_flop(&factors);
  }
  case STEP_MASK:
    return rh_mask_make_flop(&run->train.mask, m);
  case STEP_COUNT:
    break;
  }
  RH_ASSERT(false && "no such step");
  return 0;
}

static rh_status step_charge(const rh_run *run, const rh_setup *setup, const rh_profile *profile, const char *backend,
                             double fastest_flops, step kind, int index, rh_charge *charge)
{
  if (run->time.source == RH_TIME_FLOPS) {
    charge->seconds = work_flop(run, setup, kind, index) / (fastest_flops * run->time.efficiency);
    return RH_OK;
  }
  rh_text name = {0};
  measure_name(run, setup, backend ? backend : profile->backend, kind, index, &name);
  rh_status status = rh_profile_seconds(profile, rh_text_get(&name), &charge->seconds);
  if (status == RH_OK) charge->duration = rh_profile_find(profile, rh_text_get(&name));
  rh_text_clear(&name);
  return status;
}

/* Where a step's seconds go. */
static double *place(rh_step_seconds *s, step kind, int index)
{
  switch (kind) {
  case STEP_FORWARD:
    return &s->forward_s;
  case STEP_BACKWARD:
    return &s->backward_s[index];
  case STEP_UPDATE:
    return &s->update_s;
  case STEP_MIX:
    return &s->mix_s;
  case STEP_ENCODE:
    return &s->encode_s[index / 2][index % 2];
  case STEP_DECODE:
    return &s->decode_s[index];
  case STEP_FEEDBACK:
    return &s->feedback_s;
  case STEP_SPLIT:
    return &s->split_s;
  case STEP_COMPOSE:
    return &s->compose_s;
  case STEP_PROJECT:
    return &s->project_s;
  case STEP_MASK:
    return &s->mask_s;
  case STEP_COUNT:
    break;
  }
  RH_ASSERT(!"no such step");
  return NULL;
}

rh_status rh_measure_charges(const rh_run *run, const rh_setup *setup, const rh_profile *profile, const char *backend,
                             double fastest_flops, rh_charge *list, int *count)
{
  rh_status status = RH_OK;
  rh_step_seconds seconds;
  *count = 0;
  for (step kind = 0; kind < STEP_COUNT; kind++)
    for (int index = 0; index < measure_indices(setup, kind); index++) {
      if (!measure_needs(run, kind, index)) continue;
      RH_ASSERT(*count < RH_NAMES_MAX);
      rh_charge *charge = &list[(*count)++];
      *charge = (rh_charge){.offset = (size_t)((char *)place(&seconds, kind, index) - (char *)&seconds)};
      RH_TRY(step_charge(run, setup, profile, backend, fastest_flops, kind, index, charge));
    }
done:
  return status;
}

void rh_charges_add_up(const rh_charge *list, int count, rh_step_seconds *seconds)
{
  for (int i = 0; i < count; i++)
    memcpy((char *)seconds + list[i].offset, &list[i].seconds, sizeof list[i].seconds);
  seconds->backward_total_s = 0;
  for (int layer = 0; layer < RH_LAYERS_MAX; layer++)
    seconds->backward_total_s += seconds->backward_s[layer];
}

rh_status rh_measure_seconds(const rh_run *run, const rh_setup *setup, const rh_profile *profile, double fastest_flops,
                             rh_step_seconds *seconds)
{
  rh_charge list[RH_NAMES_MAX];
  int count;
  *seconds = (rh_step_seconds){0};
  if (run->time.source == RH_TIME_FLOPS) {
    seconds->flop_s = 1 / (fastest_flops * run->time.efficiency);
    seconds->int8_op_s = seconds->flop_s / run->time.int8_speedup;
  }
  rh_status status = rh_measure_charges(run, setup, profile, NULL, fastest_flops, list, &count);
  if (status == RH_OK) rh_charges_add_up(list, count, seconds);
  return status;
}
