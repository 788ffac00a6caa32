#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "measure_private.h"

static const char *const suffixes[] = {
    [STEP_FORWARD] = "forward", [STEP_BACKWARD] = "backward", [STEP_UPDATE] = "update",
    [STEP_MIX] = "mix",         [STEP_ENCODE] = "encode",     [STEP_DECODE] = "decode"};

/* "qsgd bits=8 bucket=512" */
static void append_compressor(const rh_run *run, rh_text *out)
{
  const rh_compressor *c = run->compressor;
  rh_text lines = {0};
  rh_option_write(c->options, c->option_count, "", run->compressor_options, &lines);
  rh_text_append(out, "%s", c->name);
  for (const char *s = rh_text_get(&lines); *s; s++) {
    if (*s == '.' && (s == lines.data || s[-1] == '\n'))
      rh_text_append(out, " ");
    else if (*s != '\n')
      rh_text_append_bytes(out, s, 1);
  }
  rh_text_clear(&lines);
}

void measure_name(const rh_run *run, const rh_setup *setup, step kind, int layer, rh_text *out)
{
  const rh_model *m = &setup->model;
  rh_text_append(out, "%s/%s %" PRId64 "x%" PRId64 "x%" PRId64 " %" PRId64 "/", setup->backend->name, m->name,
                 m->input.height, m->input.width, m->input.channels, m->parameters);
  if (kind == STEP_FORWARD || kind == STEP_BACKWARD) rh_text_append(out, "batch %" PRId64 "/", run->train.batch);
  if (kind == STEP_ENCODE || kind == STEP_DECODE) {
    append_compressor(run, out);
    rh_text_append(out, "/");
  }
  rh_text_append(out, "%s", suffixes[kind]);
  if (kind == STEP_BACKWARD) rh_text_append(out, " %s", m->layers[layer].name);
}

bool measure_needs(const rh_run *run, step kind)
{
  switch (kind) {
  case STEP_MIX:
    return run->method->needs_graph;
  case STEP_ENCODE:
  case STEP_DECODE:
    return !run->compressor->lossless;
  default:
    return true;
  }
}

int measure_repeats(const rh_setup *setup, step kind)
{
  return kind == STEP_BACKWARD ? setup->model.layer_count : 1;
}

void rh_measure_names(const rh_run *run, const rh_setup *setup, rh_names *names)
{
  *names = (rh_names){0};
  if (run->time.source == RH_TIME_FLOPS) return;
  for (step kind = 0; kind < STEP_COUNT; kind++) {
    if (!measure_needs(run, kind)) continue;
    for (int layer = 0; layer < measure_repeats(setup, kind); layer++) {
      rh_text name = {0};
      measure_name(run, setup, kind, layer, &name);
      RH_ASSERT(names->count < RH_NAMES_MAX);
      names->list[names->count++] = name.data; /* the buffer changes hands */
    }
  }
}

void rh_names_clear(rh_names *names)
{
  for (int i = 0; i < names->count; i++)
    free(names->list[i]);
  *names = (rh_names){0};
}

/* Floating point operations of a step, for time.source: flops. An SGD step reads and writes each parameter in 6
 * operations; one term of a mixing row is a product and a sum. */
static double work_flop(const rh_run *run, const rh_setup *setup, step kind, int layer)
{
  const rh_model *m = &setup->model;
  double batch = (double)run->train.batch, values = (double)m->parameters;
  bool first = m->layers[layer].weight_offset == 0 || (m->layers[layer].weight_offset < 0 && layer == 0);
  switch (kind) {
  case STEP_FORWARD:
    return batch * rh_model_forward_flop(m);
  case STEP_BACKWARD:
    return batch * m->layers[layer].kind->backward_flop(&m->layers[layer], !first);
  case STEP_UPDATE:
    return 6 * values;
  case STEP_MIX:
    return 2 * values;
  case STEP_ENCODE:
    return values * run->compressor->encode_flop;
  case STEP_DECODE:
    return values * run->compressor->decode_flop;
  case STEP_COUNT:
    break;
  }
  RH_ASSERT(false && "no such step");
  return 0;
}

static rh_status step_seconds(const rh_run *run, const rh_setup *setup, const rh_profile *profile, double fastest_flops,
                              step kind, int layer, double *seconds)
{
  if (run->time.source == RH_TIME_FLOPS) {
    *seconds = work_flop(run, setup, kind, layer) / (fastest_flops * run->time.efficiency);
    return RH_OK;
  }
  rh_text name = {0};
  measure_name(run, setup, kind, layer, &name);
  rh_status status = rh_profile_seconds(profile, rh_text_get(&name), seconds);
  rh_text_clear(&name);
  return status;
}

rh_status rh_measure_seconds(const rh_run *run, const rh_setup *setup, const rh_profile *profile, double fastest_flops,
                             rh_step_seconds *seconds)
{
  rh_status status = RH_OK;
  double once[STEP_COUNT] = {0};
  *seconds = (rh_step_seconds){0};
  for (step kind = 0; kind < STEP_COUNT; kind++) {
    if (!measure_needs(run, kind)) continue;
    for (int layer = 0; layer < measure_repeats(setup, kind); layer++) {
      double *to = kind == STEP_BACKWARD ? &seconds->backward_s[layer] : &once[kind];
      RH_TRY(step_seconds(run, setup, profile, fastest_flops, kind, layer, to));
    }
  }
  seconds->forward_s = once[STEP_FORWARD];
  seconds->update_s = once[STEP_UPDATE];
  seconds->mix_s = once[STEP_MIX];
  seconds->encode_s = once[STEP_ENCODE];
  seconds->decode_s = once[STEP_DECODE];
  for (int layer = 0; layer < setup->model.layer_count; layer++)
    seconds->backward_total_s += seconds->backward_s[layer];
done:
  return status;
}
