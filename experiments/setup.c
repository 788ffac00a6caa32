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

rh_status rh_setup_init(const rh_run *run, rh_setup *setup)
{
  rh_status status = RH_OK;
  *setup = (rh_setup){0};
  RH_TRY(choose_device(run, setup));
  RH_TRY(run->dataset_kind->load(run->dataset_options, run->directory, &setup->dataset));
  RH_TRY(run->model_kind->build(run->model_options, setup->dataset.shape, setup->dataset.classes, &setup->model));
  for (int s = 0; s < setup->model.segment_count; s++)
    setup->segment_length[s] = setup->model.segments[s].count;
  setup->layout = (rh_layout){setup->model.segment_count, setup->segment_length, setup->model.parameters};
done:
  if (status != RH_OK) rh_setup_clear(setup);
  return status;
}

void rh_setup_clear(rh_setup *setup)
{
  rh_dataset_clear(&setup->dataset);
  *setup = (rh_setup){0};
}

/* Bytes of what is beside the replicas: the data set and what the method keeps. */
static int64_t other_bytes(const rh_setup *setup, const rh_run *run)
{
  const rh_dataset *d = &setup->dataset;
  int64_t sample = rh_shape_count(d->shape) + (int64_t)sizeof *d->train.labels;
  int64_t bytes = (d->train.count + d->test.count) * sample + d->train.count * (int64_t)sizeof(int32_t);
  if (run->method->state_bytes)
    bytes += run->method->state_bytes(&setup->model, (int32_t)run->platform.workers, run->compressor);
  return bytes;
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
      .copies = run->method->copies == RH_COPIES_ONE ? 1 : workers,
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
