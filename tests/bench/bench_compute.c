/* Replica-steps a second on one thread, and how near they come to OpenBLAS's bare products of the same shapes.
 *
 *     bench_compute [MODEL]
 *
 * A step is what a worker does in a round of SGD: gather a batch of 32, forward, backward, update. The bare products
 * are those that a step makes, called in a loop on small matrices that stay in cache: what im2col, activations,
 * pooling, loss and update cost is the distance to them. The same steps in int8 make the same products and quantise.
 * Beside that: two threads against one on 16 replicas, 256 replicas against 16 (the cost of each), what two threads
 * are to one in a loop in registers, which is what the machine gives, and PyTorch on one thread (torch_steps.py), where
 * Debian's python3-torch is installed. All take turns, some hundredths of a second each; ratios are medians of those
 * within a turn, since the clocks of a shared machine change from second to second.
 */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "blas_kernel.h"
#include "process.h"
#include "replicas.h"

enum { BATCH = 32, WORKERS = 4, FEW = 16, MANY = 256, SAMPLES = 8192, SIDE = 28, CLASSES = 10, TURNS = 15 };

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

/* What takes turns. */
enum { BARE, ALONE, IN_INT8, FEW_ONE, FEW_TWO, MANY_ONE, LOOP_ONE, LOOP_TWO, SUBJECTS };

/* One that trains. */
typedef struct trainer {
  int workers, threads;
  int64_t offset[MANY + 1];
  rh_partition partition;
  rh_replicas *replicas; /* owned */
  int64_t steps, t;      /* of each worker in a turn; done */
} trainer;

static rh_status trainer_init(trainer *r, const rh_model *model, const rh_dataset *dataset)
{
  static int32_t indices[SAMPLES];
  for (int i = 0; i < SAMPLES; i++)
    indices[i] = i;
  for (int w = 0; w <= r->workers; w++)
    r->offset[w] = (int64_t)w * (SAMPLES / r->workers);
  r->partition = (rh_partition){r->workers, r->offset, indices};
  const rh_replicas_def def = {.backend = &rh_backend_cpu,
                               .model = model,
                               .dataset = dataset,
                               .partition = &r->partition,
                               .workers = r->workers,
                               .copies = r->workers,
                               .batch = BATCH,
                               .seed = 1,
                               .threads = r->threads,
                               .optimiser = {.momentum = 0.9}};
  return rh_replicas_new(&def, &r->replicas);
}

/* Replica-steps a second. */
static rh_status train(trainer *r, double *rate)
{
  const double start_s = now_s();
  for (int64_t i = 0; i < r->steps; i++) {
    const rh_status status = rh_replicas_train(r->replicas, r->t++, 0.01, NULL);
    if (status != RH_OK) return status;
  }
  *rate = (double)(r->steps * r->workers) / (now_s() - start_s);
  return RH_OK;
}

static double products_a_second(const product *list, size_t count, int64_t steps)
{
  enum { ELEMENTS = 1 << 17 };
  static _Alignas(64) float a[3 * ELEMENTS]; /* as replicas' memory is: elsewhere products take up to a third longer */
  const double start_s = now_s();
  for (int64_t step = 0; step < steps; step++)
    run_products(list, count, a, a + ELEMENTS, a + 2 * ELEMENTS);
  return (double)steps / (now_s() - start_s);
}

/* Item: a loop in registers. */
static bool spin(void *context, int64_t item, int thread)
{
  (void)context, (void)item, (void)thread;
  uint32_t x = 1;
  for (int i = 0; i < 1 << 23; i++)
    x = x * 747796405 + 1; /* each waits for the one before */
  __asm__ volatile("" : : "r"(x));
  return true;
}

static double loops_a_second(int threads)
{
  const double start_s = now_s();
  rh_backend_cpu.parallel(threads, threads, spin, NULL);
  return threads / (now_s() - start_s);
}

static int compare(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median_of_ratios(const double over[TURNS], const double under[TURNS])
{
  double ratio[TURNS];
  for (int i = 0; i < TURNS; i++)
    ratio[i] = over[i] / under[i];
  qsort(ratio, TURNS, sizeof *ratio, compare);
  return ratio[TURNS / 2];
}

/* The least disturbed one. */
static double best(const double rate[TURNS])
{
  double most = 0;
  for (int i = 0; i < TURNS; i++)
    if (rate[i] > most) most = rate[i];
  return most;
}

/* rate[subject][turn] */
static rh_status take_turns(trainer trainers[SUBJECTS], const product *list, size_t count, double rate[][TURNS])
{
  rh_status status = RH_OK;
  double first;
  RH_TRY(train(&trainers[ALONE], &first)); /* caches, pages */
  RH_TRY(train(&trainers[ALONE], &first));
  const int64_t long_enough = (int64_t)(0.03 * first), steps = long_enough > MANY ? long_enough : MANY;
  for (int k = 0; k < SUBJECTS; k++)
    if (trainers[k].workers) trainers[k].steps = steps / trainers[k].workers;
  for (int turn = 0; turn < TURNS; turn++) {
    for (int k = 0; k < SUBJECTS; k++)
      if (trainers[k].workers) RH_TRY(train(&trainers[k], &rate[k][turn]));
    rate[BARE][turn] = products_a_second(list, count, steps);
    rate[LOOP_ONE][turn] = loops_a_second(1);
    rate[LOOP_TWO][turn] = loops_a_second(2);
  }
done:
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

static rh_status build(const char *name, const rh_dataset *dataset, rh_model *model)
{
  rh_status status = RH_OK;
  const rh_model_kind *kind = rh_model_find(name);
  const rh_settings none = {0};
  int64_t options[8] = {0};
  RH_ASSERT(kind && kind->options_size <= sizeof options);
  RH_TRY(rh_option_read(kind->options, kind->option_count, "model", &none, options));
  RH_TRY(kind->build(options, dataset->shape, CLASSES, model));
done:
  return status;
}

static rh_status report(const char *name, const product *list, size_t count, const rh_dataset *dataset, double torch)
{
  rh_status status = RH_OK;
  static double rate[SUBJECTS][TURNS];
  static trainer trainers[SUBJECTS];
  rh_model model, int8_model;
  memset(trainers, 0, sizeof trainers);
  RH_TRY(build(name, dataset, &model));
  int8_model = model;
  int8_model.arithmetic = RH_INT8;
  trainers[ALONE] = trainers[IN_INT8] = (trainer){.workers = WORKERS, .threads = 1, .steps = MANY / WORKERS};
  trainers[FEW_ONE] = (trainer){.workers = FEW, .threads = 1};
  trainers[FEW_TWO] = (trainer){.workers = FEW, .threads = 2};
  trainers[MANY_ONE] = (trainer){.workers = MANY, .threads = 1};
  for (int k = 0; k < SUBJECTS; k++)
    if (trainers[k].workers) RH_TRY(trainer_init(&trainers[k], k == IN_INT8 ? &int8_model : &model, dataset));
  RH_TRY(take_turns(trainers, list, count, rate));
  const double flop = BATCH * (rh_model_forward_flop(&model) + rh_model_backward_flop(&model));
  const double steps = best(rate[ALONE]);
  printf("%-7s %7.0f steps/s %7.1f us %6.1f GFLOP/s  of bare products %.2f  two threads / one %.2f (loops %.2f)"
         "  a replica's cost, 256 / 16 %.2f  int8 / fp32 %.2f",
         name, steps, 1e6 / steps, steps * flop * 1e-9, median_of_ratios(rate[ALONE], rate[BARE]),
         median_of_ratios(rate[FEW_TWO], rate[FEW_ONE]), median_of_ratios(rate[LOOP_TWO], rate[LOOP_ONE]),
         median_of_ratios(rate[FEW_ONE], rate[MANY_ONE]), median_of_ratios(rate[IN_INT8], rate[ALONE]));
  if (torch > 0) printf("  PyTorch %.0f steps/s, ours / PyTorch %.2f", torch, steps / torch);
  printf("\n");
done:
  for (int k = 0; k < SUBJECTS; k++)
    rh_replicas_free(trainers[k].replicas);
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

/* As `rehearse` gives it to its runs; libgomp reads it when it is loaded. */
static void wait_as_runs_do(char **argv)
{
  static char waiting[] = RH_PROCESS_WAITING;
  if (getenv("GOMP_SPINCOUNT") || getenv("OMP_WAIT_POLICY") || putenv(waiting) != 0) return;
  execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
  rh_status status = RH_OK;
  wait_as_runs_do(argv);
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
