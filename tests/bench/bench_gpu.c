/* bench_gpu MODULE.so [small] [PART]...: replicas on a GPU, beside bare products of the same shapes.
 *
 * A round is what N workers do in a round of SGD: gather a batch of 32, forward, backward, update, all on the device.
 * The bare products are the strided-batched gemms that a round of the mlp makes, each alone on buffers of the same
 * sizes. PART is one or more of hash, cnn, many, mlp, tf32, bf16; all of them unless one is named. A line says one
 * thing; `gpu.sh` reads lines that begin with "bench ". small: a few replicas and one round, to try the program out.
 * Exit status: 0 done, 1 a run failed, 2 bad usage, 3 no device. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "noise.h"

enum { BATCH = 32, WARM_UP = 2, ROUNDS = 5, SMALLER = 4096 };

static const rh_backend *gpu;
static bool small;

/* As many as are asked for, or a few. */
static int32_t replicas_of(int32_t count)
{
  return !small ? count : count < SMALLER ? 1 : count / SMALLER;
}

static rh_replicas_def definition(const rh_model *model, const noise *n, int32_t workers)
{
  return (rh_replicas_def){.backend = gpu,
                           .model = model,
                           .dataset = &n->dataset,
                           .partition = &n->partition,
                           .workers = workers,
                           .copies = workers,
                           .batch = BATCH,
                           .seed = 1,
                           .threads = 1,
                           .optimiser = {.momentum = 0.9}};
}

static void run_round(rh_replicas *replicas, int32_t workers, int64_t t)
{
  const int32_t chunk = (int32_t)rh_replicas_chunk(replicas);
  for (int32_t first = 0; first < workers; first += chunk) {
    const int32_t count = workers - first < chunk ? workers - first : chunk;
    float *grads;
    succeed(rh_replicas_gradients(replicas, t, first, count, &grads, NULL));
    rh_replicas_step(replicas, first, count, grads, 0.01, t);
  }
  gpu->wait();
}

static int compare(const void *a, const void *b)
{
  const double x = *(const double *)a, y = *(const double *)b;
  return x < y ? -1 : x > y;
}

/* Median seconds of a round, which is said. Of a small one, none is done beforehand. */
static double round_s(const char *name, int32_t workers)
{
  double sample_s[ROUNDS];
  const int rounds = small ? 1 : ROUNDS, warm_up = small ? 0 : WARM_UP;
  const int64_t free_bytes = gpu->free_bytes();
  noise n = noise_new(workers);
  const rh_model model = noise_model(name);
  const rh_replicas_def def = definition(&model, &n, workers);
  rh_replicas *replicas;
  succeed(rh_replicas_new(&def, &replicas));
  for (int round = -warm_up; round < rounds; round++) {
    const double start_s = now_s();
    run_round(replicas, workers, round + warm_up);
    if (round >= 0) sample_s[round] = now_s() - start_s;
  }
  succeed(rh_backend_check(gpu));
  qsort(sample_s, (size_t)rounds, sizeof *sample_s, compare);
  const double median_s = sample_s[rounds / 2],
               flop = BATCH * (rh_model_forward_flop(&model) + rh_model_backward_flop(&model)),
               rows = 2.0 * workers * (double)model.stride * sizeof(float); /* parameters and momentum */
  printf("bench %s: %d replicas, %.3f ms a round, %.0f replica-steps/s, %.2f TFLOP/s, calls of %lld\n", name, workers,
         1e3 * median_s, workers / median_s, 1e-12 * flop * workers / median_s, (long long)rh_replicas_chunk(replicas));
  printf("bench %s: %d replicas, %.3f GB of the device, %.3f GB without parameters and momentum\n", name, workers,
         1e-9 * (double)(free_bytes - gpu->free_bytes()), 1e-9 * ((double)(free_bytes - gpu->free_bytes()) - rows));
  fflush(stdout);
  rh_replicas_free(replicas);
  noise_clear(&n);
  return median_s;
}

/* The products of one round of the mlp: forward, and gradients of weights and of the hidden layer. */
static const rh_product mlp_products[] = {{BATCH, 128, 784, false, true},
                                          {BATCH, 10, 128, false, true},
                                          {10, 128, BATCH, true, false},
                                          {BATCH, 128, 10, false, false},
                                          {128, 784, BATCH, true, false}};

/* [count][n] normal numbers on the device: of zeros a product would take less power, and less time. */
static rh_tensor numbers(int64_t count, int64_t n)
{
  enum { PATTERN = 1 << 16 };
  static float pattern[PATTERN];
  const rh_tensor x = {gpu->alloc((size_t)(count * n) * sizeof(float)), n};
  rh_rng rng = rh_rng_stream(1, RH_PURPOSE_TEST, 0, 1);
  RH_ASSERT(x.data);
  for (int i = 0; i < PATTERN && pattern[PATTERN - 1] == 0; i++)
    pattern[i] = (float)rh_rng_normal(&rng);
  for (int64_t done = 0, piece; done < count * n; done += piece) {
    piece = count * n - done < PATTERN ? count * n - done : PATTERN;
    gpu->upload(x.data + done, pattern, (size_t)piece * sizeof *pattern);
  }
  return x;
}

/* Seconds of the bare products of a round, in calls of as many replicas as the round's. */
static double products_s(int64_t workers)
{
  const int64_t count = workers < gpu->tile ? workers : gpu->tile;
  double all_s = 0;
  for (size_t i = 0; i < sizeof mlp_products / sizeof mlp_products[0]; i++) {
    const rh_product *p = &mlp_products[i];
    const rh_tensor a = numbers(count, p->m * p->k), b = numbers(count, p->k * p->n);
    const rh_tensor c = numbers(count, p->m * p->n);
    double best_s = 1e9;
    for (int round = small ? 0 : -WARM_UP; round < (small ? 1 : ROUNDS); round++) {
      gpu->wait();
      const double start_s = now_s();
      for (int64_t first = 0; first < workers; first += count)
        gpu->product(p, count, a, b, c);
      gpu->wait();
      const double round_s_ = now_s() - start_s;
      if (round >= 0 && round_s_ < best_s) best_s = round_s_;
    }
    all_s += best_s;
    gpu->release(a.data);
    gpu->release(b.data);
    gpu->release(c.data);
  }
  succeed(rh_backend_check(gpu));
  printf("bench mlp: bare products of %lld replicas, %.3f ms\n", (long long)workers, 1e3 * all_s);
  return all_s;
}

/* The same rounds twice, in one process: equal hashes of parameters and moments. */
static void repeat(const char *name, int32_t workers)
{
  uint64_t hash[2];
  noise n = noise_new(workers);
  const rh_model model = noise_model(name);
  const rh_replicas_def def = definition(&model, &n, workers);
  for (int k = 0; k < 2; k++) {
    rh_replicas *replicas;
    succeed(rh_replicas_new(&def, &replicas));
    for (int64_t t = 0; t < 3; t++)
      run_round(replicas, workers, t);
    hash[k] = rh_replicas_hash(replicas);
    rh_replicas_free(replicas);
  }
  printf("bench %s: hash %016llx of %d replicas after 3 rounds, %s\n", name, (unsigned long long)hash[0], workers,
         hash[0] == hash[1] ? "twice the same" : "AND ANOTHER ONE THE SECOND TIME");
  noise_clear(&n);
  if (hash[0] != hash[1]) exit(1);
}

static void bench_hash(void)
{
  repeat("mlp", replicas_of(1024));
  repeat("cnn", replicas_of(1024));
}

static void bench_cnn(void)
{
  round_s("cnn", replicas_of(1024));
  round_s("cnn", replicas_of(4096));
}

static void bench_many(void)
{
  round_s("cnn", replicas_of(16384));
}

static void bench_mlp(void)
{
  const double mlp_s = round_s("mlp", replicas_of(4096)), bare_s = products_s(replicas_of(4096));
  printf("bench mlp: a round takes %.2f of the rate of its bare products\n", bare_s / mlp_s);
}

static const struct {
  const char *name;
  rh_cuda_products products;
  void (*run)(void);
} parts[] = {{"hash", RH_CUDA_FP32, bench_hash}, {"cnn", RH_CUDA_FP32, bench_cnn},  {"many", RH_CUDA_FP32, bench_many},
             {"mlp", RH_CUDA_FP32, bench_mlp},   {"tf32", RH_CUDA_TF32, bench_mlp}, {"bf16", RH_CUDA_BF16, bench_mlp}};

enum { PARTS = sizeof parts / sizeof parts[0] };

static int usage(void)
{
  fprintf(stderr, "usage: bench_gpu MODULE.so [small] [hash|cnn|many|mlp|tf32|bf16]...\n");
  return 2;
}

int main(int argc, char **argv)
{
  bool asked[PARTS] = {false}, any = false;
  if (argc < 2) return usage();
  for (int i = 2; i < argc; i++) {
    bool known = strcmp(argv[i], "small") == 0;
    small = small || known;
    for (int k = 0; k < PARTS; k++)
      if (strcmp(argv[i], parts[k].name) == 0) asked[k] = any = known = true;
    if (!known) return usage();
  }
  for (int k = 0; k < PARTS; k++) {
    if (any && !asked[k]) continue;
    gpu = open_gpu(argv[1], parts[k].products);
    printf("bench with %s, batch %d\n", gpu->kernel(), BATCH);
    parts[k].run();
  }
  return 0;
}
