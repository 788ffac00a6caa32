/* Replica-steps a second on one thread, and how near they come to OpenBLAS's bare products of the same shapes.
 *
 *     bench_compute [MODEL]
 *
 * A step is what a worker does in a round of SGD: gather a batch of 32, forward, backward, update. The bare products
 * are those that a step makes, called in a loop on small matrices that stay in cache: what im2col, activations,
 * pooling, loss and update cost is the distance to them. The same steps in int8 make the same products and quantise.
 * Beside that: two threads against one on 16 replicas, 256 replicas against 16 (the cost of each), and PyTorch on one
 * thread (torch_steps.py), where Debian's python3-torch is installed.
 */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "blas_kernel.h"
#include "replicas.h"

enum { BATCH = 32, WORKERS = 4, FEW = 16, MANY = 256, SAMPLES = 8192, SIDE = 28, CLASSES = 10, ROUNDS = 7 };

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

static const product logreg_products[] = {{"nt", 32, 10, 784, 1}, {"tn", 10, 784, 32, 1}};

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

/* How a step is timed. */
typedef struct setting {
  int workers, threads;
  int64_t steps; /* of each worker in a round */
} setting;

static rh_status steps_a_second(const rh_model *model, const rh_dataset *dataset, const setting *how, double *best)
{
  rh_status status = RH_OK;
  rh_replicas *replicas = NULL;
  static int32_t indices[SAMPLES];
  int64_t offset[MANY + 1];
  for (int i = 0; i < SAMPLES; i++)
    indices[i] = i;
  for (int w = 0; w <= how->workers; w++)
    offset[w] = (int64_t)w * (SAMPLES / how->workers);
  const rh_partition partition = {how->workers, offset, indices};
  const rh_replicas_def def = {.backend = &rh_backend_cpu,
                               .model = model,
                               .dataset = dataset,
                               .partition = &partition,
                               .workers = how->workers,
                               .copies = how->workers,
                               .batch = BATCH,
                               .seed = 1,
                               .threads = how->threads,
                               .optimiser = {.momentum = 0.9}};
  RH_TRY(rh_replicas_new(&def, &replicas));
  *best = 0;
  for (int round = 0; round < ROUNDS; round++) {
    const double start_s = now_s();
    for (int64_t t = 0; t < how->steps; t++)
      RH_TRY(rh_replicas_train(replicas, t, 0.01, NULL));
    const double rate = (double)(how->steps * how->workers) / (now_s() - start_s);
    if (rate > *best) *best = rate;
  }
done:
  rh_replicas_free(replicas);
  return status;
}

/* The rates of PyTorch, by torch_steps.py; 0 where it could not be run. */
typedef struct torch_rates {
  double cnn, mlp;
} torch_rates;

static torch_rates run_torch(void)
{
  torch_rates rates = {0};
  /* the distribution's interpreter first: it is the one that sees the distribution's packages */
  FILE *pipe = popen("script=" RH_SOURCE_DIR "/tests/bench/torch_steps.py;"
                     " /usr/bin/python3 $script 2>&1 || python3 $script 2>&1",
                     "r");
  char line[256];
  while (pipe && fgets(line, sizeof line, pipe)) {
    (void)sscanf(line, "cnn %*d %lf", &rates.cnn);
    (void)sscanf(line, "mlp %*d %lf", &rates.mlp);
    if (strncmp(line, "version", 7) == 0) printf("PyTorch %s", line);
  }
  if (pipe && pclose(pipe) != 0) printf("PyTorch: not to be had (Debian: python3-torch)\n");
  return rates;
}

static rh_status report(const char *name, const product *list, size_t count, const rh_dataset *dataset, double torch)
{
  rh_status status = RH_OK;
  rh_model model;
  const rh_model_kind *kind = rh_model_find(name);
  const rh_settings none = {0};
  int64_t options[8] = {0};
  double steps, int8_steps, two_threads, few, many;
  RH_ASSERT(kind && kind->options_size <= sizeof options);
  RH_TRY(rh_option_read(kind->options, kind->option_count, "model", &none, options));
  RH_TRY(kind->build(options, dataset->shape, CLASSES, &model));
  RH_TRY(steps_a_second(&model, dataset, &(setting){WORKERS, 1, 50}, &steps));
  const double bare = products_a_second(list, count);
  RH_TRY(steps_a_second(&model, dataset, &(setting){FEW, 2, 16}, &two_threads));
  RH_TRY(steps_a_second(&model, dataset, &(setting){FEW, 1, 16}, &few));
  RH_TRY(steps_a_second(&model, dataset, &(setting){MANY, 1, 1}, &many));
  const double flop = BATCH * (rh_model_forward_flop(&model) + rh_model_backward_flop(&model));
  model.arithmetic = RH_INT8;
  RH_TRY(steps_a_second(&model, dataset, &(setting){WORKERS, 1, 50}, &int8_steps));
  printf("%-7s %7.0f steps/s %7.1f us %6.1f GFLOP/s  of bare products %.2f  two threads / one %.2f"
         "  a replica's cost, 256 / 16 %.2f  int8 / fp32 %.2f",
         name, steps, 1e6 / steps, steps * flop * 1e-9, steps / bare, two_threads / few, few / many,
         int8_steps / steps);
  if (torch > 0) printf("  PyTorch %.0f steps/s, ours / PyTorch %.2f", torch, steps / torch);
  printf("\n");
done:
  return status;
}

/* Noise: what is learned does not matter here. */
static rh_dataset make_data(uint8_t *pixels, int32_t *labels)
{
  rh_rng rng = rh_rng_stream(1, RH_PURPOSE_TEST, 0, 0);
  for (int i = 0; i < SAMPLES * SIDE * SIDE; i++)
    pixels[i] = (uint8_t)rh_rng_below(&rng, 256);
  for (int i = 0; i < SAMPLES; i++)
    labels[i] = (int32_t)rh_rng_below(&rng, CLASSES);
  const rh_samples samples = {SAMPLES, pixels, labels};
  return (rh_dataset){.name = "noise",
                      .shape = {1, SIDE, SIDE},
                      .classes = CLASSES,
                      .train = samples,
                      .test = samples,
                      .mean = 0.5F,
                      .deviation = 0.29F};
}

int main(int argc, char **argv)
{
  rh_status status = RH_OK;
  static uint8_t pixels[SAMPLES * SIDE * SIDE];
  static int32_t labels[SAMPLES];
  rh_blas_kernel_choose(argv);
  const rh_dataset dataset = make_data(pixels, labels);
  const char *only = argc > 1 ? argv[1] : NULL;
  double load[1] = {0};
  if (getloadavg(load, 1) != 1) load[0] = -1;
  printf("%s, one thread, batch %d; load average %.2f (numbers of a busy machine are not to be trusted)\n",
         rh_backend_cpu.kernel(), BATCH, load[0]);
  const torch_rates torch = run_torch();
  if (!only || strcmp(only, "cnn") == 0)
    RH_TRY(report("cnn", cnn_products, RH_COUNT(cnn_products), &dataset, torch.cnn));
  if (!only || strcmp(only, "mlp") == 0)
    RH_TRY(report("mlp", mlp_products, RH_COUNT(mlp_products), &dataset, torch.mlp));
  if (!only || strcmp(only, "logreg") == 0)
    RH_TRY(report("logreg", logreg_products, RH_COUNT(logreg_products), &dataset, 0));
done:
  if (status != RH_OK) fprintf(stderr, "%s\n", rh_error_message());
  return status == RH_OK ? 0 : 1;
}
