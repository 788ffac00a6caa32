#include "setup.h"

#include <math.h>
#include <stdlib.h>

#include "machine.h"

static rh_status choose_device(const rh_run *run, rh_setup *setup)
{
  static const char *const names[] = {"cpu", "cpu", "ref"}; /* auto, cpu, ref: the choices of run.backend */
  RH_ASSERT(run->run.backend >= 0 && (size_t)run->run.backend < RH_COUNT(names));
  setup->backend = rh_backend_find(names[run->run.backend]);
  if (!setup->backend) return rh_error(RH_EDEVICE, "run.backend: '%s' is not in this build", names[run->run.backend]);
  setup->threads = run->run.threads > 0 ? (int)run->run.threads : rh_machine_cores();
  setup->memory_bytes = run->run.memory > 0 ? (int64_t)ceil(run->run.memory) : rh_machine_memory_bytes() / 2;
  return RH_OK;
}

/* Cuts the model into buckets of whole layers, the last layers first, since their gradients exist first. */
static void cut_buckets(const rh_run *run, rh_setup *setup)
{
  const rh_model *m = &setup->model;
  const double least_bytes =
      run->method->bucket_bytes ? run->method->bucket_bytes(run->method_options) : 0; /* 0: all in one */
  int end = m->segment_count, first = end;                                            /* of the bucket in the making */
  for (int layer = m->layer_count - 1; layer >= 0; layer--) {
    if (m->layers[layer].weight_offset < 0) continue;
    while (first > 0 && m->segments[first - 1].offset >= m->layers[layer].weight_offset)
      first--;
    const int64_t offset = m->segments[first].offset;
    const int64_t values = m->segments[end - 1].offset + m->segments[end - 1].count - offset;
    if (first > 0 && (least_bytes == 0 || 4 * (double)values < least_bytes)) continue;
    setup->buckets[setup->bucket_count++] =
        (rh_bucket){.offset = offset,
                    .layout = {end - first, &setup->segment_length[first], &setup->segment_rows[first], values},
                    .ready_layer = layer};
    end = first;
  }
}

static rh_status check_compressor(const rh_run *run, const rh_setup *setup)
{
  rh_status status = RH_OK;
  if (run->feedback.kind != RH_FEEDBACK_NONE && !run->method->takes_feedback)
    return rh_error(RH_EUNSUPPORTED,
                    "compress.error_feedback: '%s' keeps what a message lost in its differences; use none",
                    run->method->name);
  if (run->compressor->gradients_only && run->method->copies == RH_COPIES_EACH)
    return rh_error(RH_EUNSUPPORTED, "compress.name: '%s' compresses gradients, and '%s' sends differences of models",
                    run->compressor->name, run->method->name);
  for (int32_t b = 0; b < setup->bucket_count; b++) {
    const rh_layout *layout = &setup->buckets[b].layout;
    if (run->compressor->check) RH_TRY(run->compressor->check(run->compressor_options, layout));
    RH_TRY(rh_feedback_check(&run->feedback, run->compressor, run->compressor_options, layout));
  }
done:
  return status;
}

rh_status rh_setup_adapt(rh_setup *setup, const rh_run *run)
{
  setup->bucket_count = 0;
  cut_buckets(run, setup);
  return check_compressor(run, setup);
}

rh_status rh_setup_init(const rh_run *run, rh_setup *setup)
{
  rh_status status = RH_OK;
  *setup = (rh_setup){0};
  RH_TRY(choose_device(run, setup));
  RH_TRY(run->dataset_kind->load(run->dataset_options, run->directory, &setup->dataset));
  RH_TRY(run->model_kind->build(run->model_options, setup->dataset.shape, setup->dataset.classes, &setup->model));
  for (int s = 0; s < setup->model.segment_count; s++) {
    setup->segment_length[s] = setup->model.segments[s].count;
    setup->segment_rows[s] = setup->model.segments[s].rows;
  }
  setup->layout =
      (rh_layout){setup->model.segment_count, setup->segment_length, setup->segment_rows, setup->model.parameters};
  RH_TRY(rh_setup_adapt(setup, run));
done:
  if (status != RH_OK) rh_setup_clear(setup);
  return status;
}

void rh_setup_clear(rh_setup *setup)
{
  rh_dataset_clear(&setup->dataset);
  *setup = (rh_setup){0};
}

/* Bytes of what is beside the replicas: the data set, the mean model, and what the method keeps. */
static int64_t other_bytes(const rh_setup *setup, const rh_run *run)
{
  const rh_dataset *d = &setup->dataset;
  int64_t sample = rh_shape_count(d->shape) + (int64_t)sizeof *d->train.labels;
  int64_t bytes = (d->train.count + d->test.count) * sample + d->train.count * (int64_t)sizeof(int32_t) +
                  setup->model.stride * (int64_t)sizeof(float);
  if (run->method->state_bytes)
    bytes += run->method->state_bytes(&setup->model, (int32_t)run->platform.workers, run->compressor,
                                      run->compressor_options, &setup->layout, run->feedback.kind, setup->threads);
  return bytes;
}

const char *rh_setup_warning(const rh_setup *setup, const rh_run *run)
{
  return run->method->warning ? run->method->warning(run->method_options, setup->bucket_count) : NULL;
}

rh_replicas_def rh_setup_replicas(const rh_setup *setup, const rh_run *run)
{
  int32_t workers = (int32_t)run->platform.workers;
  int64_t memory_bytes = setup->memory_bytes - other_bytes(setup, run);
  return (rh_replicas_def){
      .backend = setup->backend,
      .model = &setup->model,
      .dataset = &setup->dataset,
      .workers = workers,
      .copies = run->method->copies == RH_COPIES_EACH || run->feedback.kind == RH_FEEDBACK_STEP_AHEAD ? workers : 1,
      .batch = run->train.batch,
      .seed = (uint64_t)run->run.seed,
      .threads = setup->threads,
      .memory_bytes = memory_bytes > 1 ? memory_bytes : 1, /* 0 would be no limit */
      .momentum = run->train.momentum,
      .decay = run->train.decay,
  };
}

void rh_setup_predict(const rh_setup *setup, const rh_run *run, int64_t *least_bytes, int64_t *most_bytes)
{
  rh_replicas_def def = rh_setup_replicas(setup, run);
  /* what a prediction needs of a partition: how many samples there are */
  int64_t *offset = calloc((size_t)def.workers + 1, sizeof *offset);
  RH_ASSERT(offset && "memory is exhausted");
  offset[def.workers] = setup->dataset.train.count;
  rh_partition partition = {.workers = def.workers, .offset = offset};
  def.partition = &partition;
  rh_replicas_predict(&def, least_bytes, most_bytes);
  free(offset);
  *least_bytes += other_bytes(setup, run);
  *most_bytes += other_bytes(setup, run);
}
