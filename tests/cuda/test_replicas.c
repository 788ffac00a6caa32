/* Replicas on the device: rows there, and rows in the program's memory with passes on the device. */
#include "pair.h"
#include "replicas.h"

enum { WORKERS = 7, BATCH = 4, SAMPLES = 90, SIDE = 28, CLASSES = 10, ROUNDS = 3 };

static uint8_t pixels[SAMPLES * SIDE * SIDE];
static int32_t sample_labels[SAMPLES], indices[SAMPLES];
static int64_t offset[WORKERS + 1];

static rh_dataset noise(void)
{
  for (int i = 0; i < SAMPLES * SIDE * SIDE; i++)
    pixels[i] = (uint8_t)between(0, 255);
  for (int i = 0; i < SAMPLES; i++) {
    sample_labels[i] = (int32_t)between(0, CLASSES - 1);
    indices[i] = i;
  }
  for (int w = 0; w <= WORKERS; w++)
    offset[w] = w * SAMPLES / WORKERS;
  const rh_samples samples = {SAMPLES, pixels, sample_labels};
  return (rh_dataset){.name = "noise",
                      .shape = {1, SIDE, SIDE},
                      .classes = CLASSES,
                      .train = samples,
                      .test = samples,
                      .mean = 0.5F,
                      .deviation = 0.29F};
}

static void succeed(rh_status status)
{
  if (status == RH_OK) return;
  fprintf(stderr, "replicas: %s\n", rh_error_message());
  exit(1);
}

/* What a few rounds lead to. */
typedef struct outcome {
  double loss[ROUNDS][WORKERS], distance;
  rh_score mean_score, worker_score;
  float *mean; /* [stride] owned */
  uint64_t hash;
} outcome;

/* Rounds of a step on each worker's own gradient; with fewer copies, of each on the mean of all. */
static outcome train(rh_replicas_def *def)
{
  outcome o;
  rh_replicas *replicas;
  rh_tree_sum *sum;
  const int64_t stride = def->model->stride;
  succeed(rh_replicas_new(def, &replicas));
  succeed(rh_tree_sum_new(def->backend, stride, &sum));
  float *const total = checked(def->backend->alloc((size_t)stride * sizeof(float)));
  const int32_t chunk = (int32_t)rh_replicas_chunk(replicas);
  for (int64_t t = 0; t < ROUNDS; t++) {
    rh_tree_sum_begin(sum);
    for (int32_t first = 0; first < WORKERS; first += chunk) {
      const int32_t count = WORKERS - first < chunk ? WORKERS - first : chunk;
      float *grads;
      succeed(rh_replicas_gradients(replicas, t, first, count, &grads, o.loss[t] + first));
      if (def->copies < WORKERS)
        rh_tree_sum_add_rows(sum, grads, count);
      else
        rh_replicas_step(replicas, first, count, grads, 0.05, t);
    }
    if (def->copies == WORKERS) continue;
    rh_tree_sum_end(sum, 1.0 / WORKERS, total);
    for (int32_t k = 0; k < def->copies; k++)
      rh_replicas_step(replicas, k, 1, total, 0.05 + 0.01 * k, t);
  }
  o.mean = checked(calloc((size_t)stride, sizeof *o.mean));
  succeed(rh_replicas_mean(replicas, o.mean));
  o.distance = rh_replicas_consensus_distance(replicas, o.mean);
  succeed(rh_replicas_score(replicas, o.mean, &def->dataset->test, 0, &o.mean_score));
  succeed(rh_replicas_score_worker(replicas, WORKERS - 1, &def->dataset->train, 70, &o.worker_score));
  o.hash = rh_replicas_hash(replicas);
  rh_tree_sum_free(sum);
  def->backend->release(total);
  rh_replicas_free(replicas);
  return o;
}

static void near(const char *what, double got, double want, double tolerance)
{
  if (fabs(got - want) <= tolerance * fmax(1e-3, fabs(want))) return;
  fprintf(stderr, "replicas: %s: %.9g, expected %.9g\n", what, got, want);
  exit(1);
}

/* Three steps of gradients that agree within 1e-6 or so; in 8 bits a value now and then falls to the next of 255
 * levels. */
static void compare(const outcome *got, const outcome *want, int64_t parameters, bool int8)
{
  const double tolerance = int8 ? 2e-2 : 1e-4;
  for (int t = 0; t < ROUNDS; t++)
    for (int i = 0; i < WORKERS; i++)
      near("loss", got->loss[t][i], want->loss[t][i], tolerance);
  near("consensus distance", got->distance, want->distance, tolerance);
  near("loss of the mean", got->mean_score.loss, want->mean_score.loss, tolerance);
  near("loss of a worker", got->worker_score.loss, want->worker_score.loss, tolerance);
  double difference = 0, length = 0;
  for (int64_t p = 0; p < parameters; p++) {
    difference += pow((double)got->mean[p] - want->mean[p], 2);
    length += pow(want->mean[p], 2);
  }
  near("mean", sqrt(difference / length), 0, 100 * tolerance); /* that is 1e-5, or in 8 bits 2e-3 */
}

static void compare_copies(const rh_model *model, const rh_dataset *dataset, int32_t copies,
                           const rh_optimiser *optimiser)
{
  const rh_partition partition = {WORKERS, offset, indices};
  rh_replicas_def def = {.backend = &rh_backend_ref,
                         .model = model,
                         .dataset = dataset,
                         .partition = &partition,
                         .workers = WORKERS,
                         .copies = copies,
                         .batch = BATCH,
                         .seed = 1,
                         .threads = 2,
                         .optimiser = *optimiser,
                         .label_smoothing = 0.1};
  outcome ref = train(&def);
  def.passes = gpu;
  outcome staged = train(&def);
  def.backend = gpu;
  outcome resident = train(&def), again = train(&def);
  compare(&staged, &ref, model->parameters, model->arithmetic == RH_INT8);
  compare(&resident, &ref, model->parameters, model->arithmetic == RH_INT8);
  if (resident.hash != again.hash || resident.hash != staged.hash || resident.distance != staged.distance) {
    fprintf(stderr,
            "replicas: hashes %llx and %llx of one run, %llx of rows in the program's memory: all should be equal\n",
            (unsigned long long)resident.hash, (unsigned long long)again.hash, (unsigned long long)staged.hash);
    exit(1);
  }
  outcome *const all[] = {&ref, &staged, &resident, &again};
  for (int i = 0; i < 4; i++)
    free(all[i]->mean);
}

void test_replicas(void)
{
  static const char *const names[] = {"logreg", "cnn"};
  const rh_settings none = {0};
  const rh_dataset dataset = noise();
  const rh_optimiser sgd = {.momentum = 0.9, .clip = 1};
  const rh_optimiser adamw = {.kind = RH_OPTIMISER_ADAMW, .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-3, .decay = 0.1};
  for (int i = 0; i < (shapes > 2 ? 2 : 1); i++) {
    rh_model model;
    int64_t options[16] = {0};
    const rh_model_kind *kind = rh_model_find(names[i]);
    succeed(rh_option_read(kind->options, kind->option_count, "model", &none, options));
    succeed(kind->build(options, dataset.shape, CLASSES, &model));
    compare_copies(&model, &dataset, 1, &sgd);
    compare_copies(&model, &dataset, 3, &adamw);
    compare_copies(&model, &dataset, WORKERS, &sgd);
    if (!gpu->quantise) continue;
    model.arithmetic = RH_INT8;
    compare_copies(&model, &dataset, WORKERS, &sgd);
  }
}
