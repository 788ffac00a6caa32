#include "setup.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "cuda_module.h"
#include "machine.h"
#include "masking_device.h"
#include "model_file.h"

static rh_status find_gpu(const rh_run *run, const rh_backend **backend)
{
  const rh_status status = rh_cuda_module_backend((rh_cuda_products)run->run.products, backend);
  if (status == RH_OK) return status;
  return rh_error(status, "run.backend: %s; run.backend: auto, or cpu, does without", rh_error_message());
}

static rh_status find_backend(const rh_run *run, const rh_backend **backend)
{
  const int kind = run->run.backend;
  *backend = kind == RH_RUN_REF ? &rh_backend_ref : &rh_backend_cpu;
  if (kind == RH_RUN_CUDA) return find_gpu(run, backend);
  const rh_backend *gpu;
  if (kind == RH_RUN_AUTO && rh_cuda_driver_found() &&
      rh_cuda_module_backend((rh_cuda_products)run->run.products, &gpu) == RH_OK)
    *backend = gpu;
  if (run->run.products == RH_CUDA_FP32 || !rh_backend_on_host(*backend)) return RH_OK;
  return rh_error(RH_EUNSUPPORTED,
                  "run.products: only a GPU rounds the factors of products; use run.products: fp32, or "
                  "run.backend: cuda on a machine that has one");
}

static rh_status choose_device(const rh_run *run, rh_setup *setup)
{
  rh_status status = find_backend(run, &setup->backend);
  if (status != RH_OK) return status;
  setup->threads = run->run.threads > 0 ? (int)run->run.threads : rh_machine_cores();
  setup->memory_bytes = run->run.memory > 0 ? (int64_t)ceil(run->run.memory) : rh_machine_memory_bytes() / 2;
  return RH_OK;
}

/* What a method is asked about before there is a world: its settings. */
static rh_world world_of(const rh_run *run)
{
  return (rh_world){.method = run->method,
                    .compressor = run->compressor,
                    .feedback = run->feedback,
                    .mask = run->train.mask,
                    .optimiser = &run->train.optimiser,
                    .method_options = run->method_options};
}

/* Rows stay on the device for a method whose rounds touch them by operations alone. */
static void choose_rows(const rh_run *run, rh_setup *setup)
{
  const rh_world world = world_of(run);
  setup->rows = setup->backend;
  if (rh_backend_on_host(setup->backend)) return;
  const bool coded = run->compressor->lossless || setup->backend->encode;
  const bool splits = !run->method->dense_ends || setup->backend->split;
  if (!coded || !splits || !run->method->stays_on_device || !run->method->stays_on_device(&world))
    setup->rows = &rh_backend_cpu;
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

/* Both compress what momentum has gathered, not gradients: by SGD's formula, and with no mean gradient to clip. */
static rh_status check_optimiser(const rh_run *run)
{
  const rh_optimiser *o = &run->train.optimiser;
  const bool ahead = run->feedback.kind == RH_FEEDBACK_STEP_AHEAD;
  const char *key = ahead ? "compress.error_feedback" : "compress.name";
  const char *setting = o->kind != RH_OPTIMISER_SGD ? "train.optimiser: adamw"
                        : o->nesterov               ? "train.nesterov: on"
                        : o->clip > 0               ? "train.clip"
                                                    : NULL;
  if (!setting || (!ahead && !run->compressor->corrects_momentum)) return RH_OK;
  return rh_error(RH_EUNSUPPORTED,
                  "%s does not go with %s: %s: workers gather plain SGD's momentum before they compress, and no mean "
                  "gradient is left to step with or to clip; use optimiser: sgd, nesterov: off and clip: 0",
                  setting, key, ahead ? "step-ahead" : run->compressor->name);
}

/* What is masked must stay masked in all that a method and a compressor keep. */
static rh_status check_mask(const rh_run *run, const rh_setup *setup)
{
  const rh_compressor *c = run->compressor;
  if (run->train.mask.kind == RH_MASK_NONE) return RH_OK;
  if (!run->method->takes_mask)
    return rh_error(
        RH_EUNSUPPORTED,
        "train.mask does not go with train.method: %s: it trains weights as products of two factors, and a product of "
        "thin factors has no zeros to keep; use method: allreduce or a decentralised one, or mask: none",
        run->method->name);
  if (run->feedback.kind == RH_FEEDBACK_STEP_AHEAD)
    return rh_error(RH_EUNSUPPORTED, "train.mask does not go with compress.error_feedback: step-ahead: every worker "
                                     "has momentum and gradients at a point of its own; use classic or none");
  if (c->state_values || (c->sum && c->sum->common_values))
    return rh_error(
        RH_EUNSUPPORTED,
        "train.mask does not go with compress.name: %s: from round to round it keeps a state in the shape of "
        "the whole model, of which a mask leaves a part; use a compressor without one, such as topk or int8",
        c->name);
  return rh_mask_check(&run->train.mask, &setup->model, run->train.rounds);
}

/* What the method itself says, as far as it needs no platform. */
static rh_status check_method(const rh_run *run, const rh_setup *setup)
{
  const rh_world world = {.method = run->method,
                          .workers = (int32_t)run->platform.workers,
                          .rounds = run->train.rounds,
                          .model = &setup->model,
                          .compressor = run->compressor,
                          .compressor_options = run->compressor_options,
                          .feedback = run->feedback,
                          .optimiser = &run->train.optimiser,
                          .method_options = run->method_options};
  return run->method->check_settings ? run->method->check_settings(&world) : RH_OK;
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
  RH_TRY(check_optimiser(run));
  RH_TRY(check_mask(run, setup));
  RH_TRY(check_method(run, setup));
  for (int32_t b = 0; b < setup->bucket_count; b++) {
    const rh_layout *layout = &setup->buckets[b].layout;
    if (run->compressor->check) RH_TRY(run->compressor->check(run->compressor_options, layout));
    RH_TRY(rh_feedback_check(&run->feedback, run->compressor, run->compressor_options, layout));
  }
done:
  return status;
}

char *rh_setup_key(const rh_run *run)
{
  rh_text key = {0};
  rh_text_append(&key, "%s %s %d %d %" PRId64 " %.0f\n", run->dataset_kind->name, run->model_kind->name,
                 run->run.compute, run->run.backend, run->run.threads, run->run.memory);
  rh_option_write(run->dataset_kind->options, run->dataset_kind->option_count, "data", run->dataset_options, &key);
  rh_option_write(run->model_kind->options, run->model_kind->option_count, "model", run->model_options, &key);
  return key.data;
}

static rh_status read_initial(rh_setup *setup, const rh_run *run)
{
  free(setup->initial);
  setup->initial = NULL;
  if (!run->init_path) return RH_OK;
  setup->initial = malloc((size_t)setup->model.stride * sizeof *setup->initial);
  if (!setup->initial) return rh_error(RH_ENOMEM, "no memory for the model of %s", run->init_path);
  rh_status status = rh_model_read(&setup->model, run->init_path, setup->initial);
  if (status == RH_OK) return RH_OK;
  return rh_settings_error(status, rh_settings_find(&run->settings, "run.init"), "%s", rh_error_message());
}

rh_status rh_setup_adapt(rh_setup *setup, const rh_run *run)
{
  setup->bucket_count = 0;
  choose_rows(run, setup);
  setup->model.arithmetic = (rh_arithmetic)run->train.arithmetic;
  cut_buckets(run, setup);
  const rh_status status = read_initial(setup, run);
  return status == RH_OK ? check_compressor(run, setup) : status;
}

rh_status rh_setup_init(const rh_run *run, rh_setup *setup)
{
  rh_status status = RH_OK;
  *setup = (rh_setup){0};
  RH_TRY(choose_device(run, setup));
  if (!run->model_kind->table) RH_TRY(run->dataset_kind->load(run->dataset_options, run->directory, &setup->dataset));
  RH_TRY(run->model_kind->build(run->model_options, setup->dataset.shape, setup->dataset.classes, &setup->model));
  if (rh_run_is_timing_only(run)) rh_dataset_clear(&setup->dataset);
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
  free(setup->initial);
  *setup = (rh_setup){0};
}

/* Different replicas that the method keeps. */
static int32_t copies_of(const rh_run *run, int32_t zones)
{
  const int32_t workers = (int32_t)run->platform.workers;
  if (run->method->copies == RH_COPIES_EACH || run->feedback.kind == RH_FEEDBACK_STEP_AHEAD) return workers;
  if (run->method->copies == RH_COPIES_ONE) return 1;
  const int32_t groups = run->method->group_copies(run->method_options, workers, zones);
  return groups < 1 ? 1 : groups > workers ? workers : groups;
}

/* Of what the method keeps. */
static int64_t state_bytes(const rh_setup *setup, const rh_run *run, int32_t zones)
{
  const rh_sizes sizes = {.method = run->method,
                          .model = &setup->model,
                          .workers = (int32_t)run->platform.workers,
                          .copies = copies_of(run, zones),
                          .moments = rh_optimiser_moments(&run->train.optimiser),
                          .compressor = run->compressor,
                          .compressor_options = run->compressor_options,
                          .layout = &setup->layout,
                          .feedback = run->feedback.kind,
                          .mask = run->train.mask.kind,
                          .threads = setup->threads,
                          .method_options = run->method_options};
  return run->method->state_bytes ? run->method->state_bytes(&sizes) : 0;
}

/* Bytes of what is beside the replicas: the data set, the mean model, and what the method keeps. */
static int64_t other_bytes(const rh_setup *setup, const rh_run *run, int32_t zones)
{
  const rh_dataset *d = &setup->dataset;
  int64_t sample = rh_shape_count(d->shape) + (int64_t)sizeof *d->train.labels;
  int64_t bytes = (d->train.count + d->test.count) * sample + d->train.count * (int64_t)sizeof(int32_t) +
                  (setup->initial ? 2 : 1) * setup->model.stride * (int64_t)sizeof(float);
  return bytes + state_bytes(setup, run, zones);
}

/* Of the device where rows live: what the method keeps there, for messages some 24 bytes a value up to the most that
 * are made at once (coder_device.c), and for a mask a few rows. */
static int64_t device_bytes(const rh_setup *setup, const rh_run *run, int32_t zones)
{
  const int64_t row = 24 * setup->model.stride, most = (512 << 20) + row, all = row * run->platform.workers;
  if (rh_backend_on_host(setup->rows)) return 0;
  return state_bytes(setup, run, zones) +
         (run->compressor->lossless ? 0
          : all < most              ? all
                                    : most) +
         (run->train.mask.kind == RH_MASK_NONE ? 0 : rh_masking_device_bytes(&setup->model));
}

const char *rh_setup_backend(const rh_setup *setup, const rh_run *run)
{
  return rh_run_is_timing_only(run) ? "none" : setup->backend->name;
}

const char *rh_setup_kernel(const rh_setup *setup, const rh_run *run)
{
  return rh_run_is_timing_only(run) ? "none" : setup->backend->kernel();
}

const char *rh_setup_warning(const rh_setup *setup, const rh_run *run)
{
  return run->method->warning ? run->method->warning(run->method_options, setup->bucket_count) : NULL;
}

rh_replicas_def rh_setup_replicas(const rh_setup *setup, const rh_run *run, int32_t zones)
{
  int32_t workers = (int32_t)run->platform.workers;
  int64_t memory_bytes = setup->memory_bytes - other_bytes(setup, run, zones);
  const rh_world world = world_of(run);
  return (rh_replicas_def){
      .backend = setup->rows,
      .passes = setup->backend,
      .model = &setup->model,
      .dataset = &setup->dataset,
      .workers = workers,
      .copies = copies_of(run, zones),
      .batch = run->train.batch,
      .initial = setup->initial,
      .seed = (uint64_t)run->run.seed,
      .threads = setup->threads,
      .memory_bytes = memory_bytes > 1 ? memory_bytes : 1, /* 0 would be no limit */
      .other_bytes = device_bytes(setup, run, zones),
      .trains_at_once = run->method->trains_at_once && run->method->trains_at_once(&world),
      .optimiser = run->train.optimiser,
      .label_smoothing = run->train.label_smoothing,
  };
}

void rh_setup_predict(const rh_setup *setup, const rh_run *run, int64_t *least_bytes, int64_t *most_bytes)
{
  *least_bytes = *most_bytes = 0;
  if (rh_run_is_timing_only(run)) return;
  rh_replicas_def def = rh_setup_replicas(setup, run, 0);
  /* what a prediction needs of a partition: how many samples there are */
  int64_t *offset = calloc((size_t)def.workers + 1, sizeof *offset);
  RH_ASSERT(offset && "memory is exhausted");
  offset[def.workers] = setup->dataset.train.count;
  rh_partition partition = {.workers = def.workers, .offset = offset};
  def.partition = &partition;
  rh_replicas_predict(&def, least_bytes, most_bytes);
  free(offset);
  *least_bytes += other_bytes(setup, run, 0);
  *most_bytes += other_bytes(setup, run, 0);
}
