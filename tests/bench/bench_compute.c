/* Replica-steps a second on one thread, and how near they come to OpenBLAS's bare products of the same shapes.
 *
 * A step is what a worker does in a round of SGD: gather a batch of 32, forward, backward, update. The bare products
 * are those that a step makes, called in a loop on small matrices that stay in cache: what im2col, activations,
 * pooling, loss and update cost is the distance to them. The same steps in int8 make the same products and quantise.
 */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "replicas.h"

enum { BATCH = 32, WORKERS = 4, SAMPLES = 1024, SIDE = 28, CLASSES = 10, ROUNDS = 7 };

static double now_s(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* A product of row-major matrices: [m][k] times [k][n]; the letters say what is read transposed. */
typedef struct product {
  const char *transposed; /* "nn", "nt", "tn" */
  int m, n, k, calls;
} product;

static const product cnn_products[] = {
    {"nn", 8, 576, 25, BATCH},  {"nn", 16, 64, 200, BATCH}, {"nt", 32, 64, 256, 1},    {"nt", 32, 10, 64, 1},
    {"tn", 10, 64, 32, 1},      {"nn", 32, 64, 10, 1},      {"tn", 64, 256, 32, 1},    {"nn", 32, 256, 64, 1},
    {"nt", 200, 16, 64, BATCH}, {"tn", 200, 64, 16, BATCH}, {"nt", 25, 8, 576, BATCH},
};
static const product mlp_products[] = {
    {"nt", 32, 128, 784, 1}, {"nt", 32, 10, 128, 1},  {"tn", 10, 128, 32, 1},
    {"nn", 32, 128, 10, 1},  {"tn", 128, 784, 32, 1},
};

static void run_products(const product *list, size_t count, const float *a, const float *b, float *c)
{
  for (size_t i = 0; i < count; i++) {
    const product *p = &list[i];
    const int a_t = p->transposed[0] == 't', b_t = p->transposed[1] == 't';
    for (int call = 0; call < p->calls; call++)
      cblas_sgemm(CblasRowMajor, a_t ? CblasTrans : CblasNoTrans, b_t ? CblasTrans : CblasNoTrans, p->m, p->n, p->k, 1,
                  a, a_t ? p->m : p->k, b, b_t ? p->k : p->n, 0, c, p->n);
  }
}

/* Best of several rounds, as the least disturbed one. */
static double products_a_second(const product *list, size_t count)
{
  enum { ELEMENTS = 1 << 17, STEPS = 200 };
  float *a = calloc(3 * ELEMENTS, sizeof *a);
  RH_ASSERT(a);
  double best = 0;
  for (int round = 0; round < ROUNDS; round++) {
    const double start_s = now_s();
    for (int step = 0; step < STEPS; step++)
      run_products(list, count, a, a + ELEMENTS, a + 2 * ELEMENTS);
    const double rate = STEPS / (now_s() - start_s);
    if (rate > best) best = rate;
  }
  free(a);
  return best;
}

static rh_status steps_a_second(const rh_model *model, const rh_dataset *dataset, const rh_partition *partition,
                                double *best)
{
  rh_status status = RH_OK;
  enum { STEPS = 100 };
  rh_replicas *replicas = NULL;
  const rh_replicas_def def = {.backend = &rh_backend_cpu,
                               .model = model,
                               .dataset = dataset,
                               .partition = partition,
                               .workers = WORKERS,
                               .copies = WORKERS,
                               .batch = BATCH,
                               .seed = 1,
                               .threads = 1,
                               .optimiser = {.momentum = 0.9}};
  RH_TRY(rh_replicas_new(&def, &replicas));
  *best = 0;
  for (int round = 0; round < ROUNDS; round++) {
    const double start_s = now_s();
    for (int64_t t = 0; t < STEPS; t++) {
      float *grads;
      RH_TRY(rh_replicas_gradients(replicas, t, 0, WORKERS, &grads, NULL));
      rh_replicas_step(replicas, 0, WORKERS, grads, 0.01, t);
    }
    const double rate = STEPS * WORKERS / (now_s() - start_s);
    if (rate > *best) *best = rate;
  }
done:
  rh_replicas_free(replicas);
  return status;
}

static rh_status report(const char *name, const product *list, size_t count, const rh_dataset *dataset,
                        const rh_partition *partition)
{
  rh_status status = RH_OK;
  rh_model model;
  const rh_model_kind *kind = rh_model_find(name);
  const rh_settings none = {0};
  int64_t options[8] = {0};
  double steps, int8_steps;
  RH_ASSERT(kind && kind->options_size <= sizeof options);
  RH_TRY(rh_option_read(kind->options, kind->option_count, "model", &none, options));
  RH_TRY(kind->build(options, dataset->shape, CLASSES, &model));
  RH_TRY(steps_a_second(&model, dataset, partition, &steps));
  model.arithmetic = RH_INT8;
  RH_TRY(steps_a_second(&model, dataset, partition, &int8_steps));
  const double bare = products_a_second(list, count);
  const double flop = BATCH * (rh_model_forward_flop(&model) + rh_model_backward_flop(&model));
  printf("%-7s %9.0f steps/s %8.1f us %7.1f GFLOP/s   bare products %9.0f /s   ratio %.2f   int8 / fp32 %.2f\n", name,
         steps, 1e6 / steps, steps * flop * 1e-9, bare, steps / bare, int8_steps / steps);
done:
  return status;
}

int main(void)
{
  rh_status status = RH_OK;
  static uint8_t pixels[SAMPLES * SIDE * SIDE];
  static int32_t labels[SAMPLES], indices[SAMPLES];
  int64_t offset[WORKERS + 1];
  rh_rng rng = rh_rng_stream(1, RH_PURPOSE_TEST, 0, 0);
  for (int i = 0; i < SAMPLES * SIDE * SIDE; i++)
    pixels[i] = (uint8_t)rh_rng_below(&rng, 256);
  for (int i = 0; i < SAMPLES; i++) {
    labels[i] = (int32_t)rh_rng_below(&rng, CLASSES);
    indices[i] = i;
  }
  for (int w = 0; w <= WORKERS; w++)
    offset[w] = w * (SAMPLES / WORKERS);
  const rh_samples samples = {SAMPLES, pixels, labels};
  const rh_dataset dataset = {.name = "noise",
                              .shape = {1, SIDE, SIDE},
                              .classes = CLASSES,
                              .train = samples,
                              .test = samples,
                              .mean = 0.5F,
                              .deviation = 0.29F};
  const rh_partition partition = {WORKERS, offset, indices};
  double load[1] = {0};
  if (getloadavg(load, 1) != 1) load[0] = -1;
  printf("%s, one thread, batch %d; load average %.2f (numbers of a busy machine are not to be trusted)\n",
         rh_backend_cpu.kernel(), BATCH, load[0]);
  RH_TRY(report("cnn", cnn_products, RH_COUNT(cnn_products), &dataset, &partition));
  RH_TRY(report("mlp", mlp_products, RH_COUNT(mlp_products), &dataset, &partition));
done:
  if (status != RH_OK) fprintf(stderr, "%s\n", rh_error_message());
  return status == RH_OK ? 0 : 1;
}
