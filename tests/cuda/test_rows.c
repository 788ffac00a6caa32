/* Rows of arenas on the device: scaling, mixing, sums in a fixed order. All have the host's bits. */
#include "fold.h"
#include "optim.h"
#include "pair.h"

static void test_scaling(void)
{
  for (int i = 0; i < shapes; i++) {
    const int64_t n = i % 2 ? 4 * between(1, 200) : between(1, 700), count = between(1, 4);
    pair x = pair_random(count, n), y = pair_random(count, n), z = pair_poison(count, n);
    rh_backend_ref.add_scaled(n, count, -0.3, x.host, y.host);
    gpu->add_scaled(n, count, -0.3, x.device, y.device);
    rh_backend_ref.scale(n, count, 1.7, y.host, z.host);
    gpu->scale(n, count, 1.7, y.device, z.device);
    rh_backend_ref.scale(n, count, 1.7, x.host, x.host);
    gpu->scale(n, count, 1.7, x.device, x.device);
    pair_agree("add_scaled", &y, 0);
    pair_agree("scale", &z, 0);
    pair_agree("scale in place", &x, 0);
  }
}

/* Apart, and in the place of either. */
static void test_combine(void)
{
  for (int i = 0; i < shapes; i++) {
    const int64_t n = i % 2 ? 4 * between(1, 200) : between(1, 700), count = between(1, 4);
    pair x = pair_random(count, n), y = pair_random(count, n), z = pair_poison(count, n);
    rh_tensor host[] = {z.host, x.host, y.host}, device[] = {z.device, x.device, y.device};
    for (int k = 0; k < 3; k++) {
      rh_backend_ref.combine(n, count, -0.3, x.host, 1.7, y.host, host[k]);
      gpu->combine(n, count, -0.3, x.device, 1.7, y.device, device[k]);
    }
    pair_agree("combine", &z, 0);
    pair_agree("combine in place of the first", &x, 0);
    pair_agree("combine in place of the second", &y, 0);
  }
}

static void test_weighted_sum(void)
{
  enum { MOST = 150 };
  for (int i = 0; i < shapes; i++) {
    const int64_t n = between(1, 900), terms = between(1, i % 3 ? 9 : MOST);
    pair x = pair_random(terms, n), y = pair_poison(1, n);
    const float *host[MOST], *device[MOST];
    double weights[MOST];
    for (int64_t k = 0; k < terms; k++) {
      host[k] = x.host.data + k * x.host.stride;
      device[k] = x.device.data + k * x.device.stride;
      weights[k] = rh_rng_normal(&rng);
    }
    rh_backend_ref.weighted_sum(n, terms, weights, host, y.host.data);
    gpu->weighted_sum(n, terms, weights, device, y.device.data);
    pair_agree("weighted_sum", &y, 0);
    pair_drop(&x);
  }
}

/* Row i of the matrix has its diagonal and some random columns. */
static void test_mix(void)
{
  enum { MOST = 40, TERMS = 6 };
  for (int i = 0; i < shapes; i++) {
    const int64_t n = between(1, 600), count = between(1, MOST);
    pair x = pair_random(count, n), y = pair_poison(count, n);
    int32_t offset[MOST + 1] = {0}, column[MOST * TERMS];
    double weights[MOST * TERMS];
    for (int64_t r = 0; r < count; r++) {
      const float *rows[TERMS];
      const int32_t first = offset[r], terms = (int32_t)between(1, TERMS);
      offset[r + 1] = first + terms;
      for (int32_t k = 0; k < terms; k++) {
        column[first + k] = (int32_t)(k ? between(0, count - 1) : r);
        weights[first + k] = rh_rng_f64(&rng);
        rows[k] = x.host.data + column[first + k] * x.host.stride;
      }
      rh_backend_ref.weighted_sum(n, terms, weights + first, rows, y.host.data + r * y.host.stride);
    }
    gpu->mix(n, count, offset, column, weights, (rh_tensor){0}, x.device, y.device);
    pair_agree("mix", &y, 0);
    pair own = pair_random(count, n);
    y = pair_poison(count, n);
    for (int64_t r = 0; r < count; r++) { /* the first term of each row is taken from `own` */
      const float *rows[TERMS];
      const int32_t first = offset[r], terms = offset[r + 1] - first;
      for (int32_t k = 0; k < terms; k++)
        rows[k] = k ? x.host.data + column[first + k] * x.host.stride : own.host.data + r * own.host.stride;
      rh_backend_ref.weighted_sum(n, terms, weights + first, rows, y.host.data + r * y.host.stride);
    }
    gpu->mix(n, count, offset, column, weights, own.device, x.device, y.device);
    pair_agree("mix with own rows", &y, 0);
    pair_drop(&x);
    pair_drop(&own);
  }
}

/* To other places, in another order and some of them twice; and in place, where some values become zero. */
static void test_pick(void)
{
  enum { MOST = 600 };
  for (int i = 0; i < shapes; i++) {
    const int64_t n = between(1, MOST), count = between(1, 5);
    int32_t moved[MOST], stay[MOST], *device = checked(gpu->alloc(sizeof moved));
    pair x = pair_random(count, n), y = pair_poison(count, n);
    for (int64_t k = 0; k < n; k++) {
      moved[k] = (int32_t)between(-1, n - 1);
      stay[k] = (int32_t)(between(0, 1) ? k : -1);
      for (int64_t r = 0; r < count; r++)
        y.host.data[r * y.host.stride + k] = moved[k] < 0 ? 0 : x.host.data[r * x.host.stride + moved[k]];
    }
    gpu->upload(device, moved, (size_t)n * sizeof *moved);
    gpu->pick(n, count, device, x.device, y.device);
    gpu->upload(device, stay, (size_t)n * sizeof *stay);
    gpu->pick(n, count, device, x.device, x.device);
    for (int64_t r = 0; r < count; r++)
      for (int64_t k = 0; k < n; k++)
        if (stay[k] < 0) x.host.data[r * x.host.stride + k] = 0;
    pair_agree("pick", &y, 0);
    pair_agree("pick in place", &x, 0);
    gpu->release(device);
  }
}

static int64_t fold_length;

static void copy_row(void *context, const void *from, void *to)
{
  (void)context;
  memcpy(to, from, (size_t)fold_length * sizeof(float));
}

static void add_row(void *context, const void *from, void *to)
{
  (void)context;
  for (int64_t i = 0; i < fold_length; i++)
    ((float *)to)[i] += ((const float *)from)[i];
}

/* A fold of rows that come in two parts, against base/fold.h's. */
static void test_fold(void)
{
  for (int i = 0; i < shapes; i++) {
    const int64_t n = between(1, 500), count = between(1, 70), part = between(0, count);
    pair x = pair_random(count, n), levels = pair_poison(1, RH_FOLD_LEVELS * n);
    fold_length = n;
    rh_fold fold = {
        .levels = levels.host.data, .row_bytes = n * (int64_t)sizeof(float), .copy = copy_row, .add = add_row};
    for (int64_t r = 0; r < count; r++)
      rh_fold_add(&fold, x.host.data + r * x.host.stride);
    const rh_tensor rest = {x.device.data + part * x.device.stride, x.device.stride};
    if (part > 0) gpu->fold_rows(n, part, x.device, 0, levels.device.data);
    if (part < count) gpu->fold_rows(n, count - part, rest, (uint64_t)part, levels.device.data);
    float *got = checked(malloc(pair_bytes(&levels)));
    gpu->download(got, levels.device.data, pair_bytes(&levels));
    for (int k = 0; k < RH_FOLD_LEVELS; k++) /* levels that are not set hold what is over */
      for (int64_t j = k * n; !(fold.rows >> k & 1) && j < (k + 1) * n; j++)
        levels.host.data[j] = got[j];
    free(got);
    pair_agree("fold_rows", &levels, 0);
    pair_drop(&x);
  }
}

static void test_distances(void)
{
  enum { MOST = 40 };
  for (int i = 0; i < shapes; i++) {
    const int64_t n = between(1, 500), count = between(1, MOST);
    pair x = pair_random(count, n), y = pair_random(1, n);
    double *device = checked(gpu->alloc(MOST * sizeof(double))), squares[MOST], got[MOST];
    const double most = sqrt((double)n);
    gpu->squared_distances(n, count, x.device, i % 2 ? y.device.data : NULL, device);
    gpu->download(got, device, (size_t)count * sizeof(double));
    for (int64_t r = 0; r < count; r++) {
      float *const row = x.host.data + r * x.host.stride;
      double lane[16] = {0}, sum = 0;
      for (int64_t k = 0; k < n; k++) {
        const double d = (double)row[k] - (i % 2 ? y.host.data[k] : 0);
        lane[k % 16] += d * d;
      }
      for (int k = 0; k < 16; k++)
        sum += lane[k];
      if (got[r] != sum) {
        fprintf(stderr, "squared distance of row %lld: %.17g, expected %.17g\n", (long long)r, got[r], sum);
        exit(1);
      }
      squares[r] = sum;
      const double factor = rh_optimiser_clip(&(rh_optimiser){.clip = most}, squares[r]);
      if (factor != 1) rh_backend_ref.scale(n, 1, factor, (rh_tensor){row, 0}, (rh_tensor){row, 0});
    }
    gpu->clip(n, count, most, device, x.device);
    pair_agree("clip", &x, 0);
    pair_drop(&y);
    gpu->release(device);
  }
}

/* Bytes come back as they went, and alloc's are zero. */
static void test_memory(void)
{
  uint8_t out[1000], back[1000];
  for (size_t i = 0; i < sizeof out; i++)
    out[i] = (uint8_t)rh_rng_u32(&rng);
  uint8_t *a = checked(gpu->alloc(sizeof out)), *b = checked(gpu->alloc(sizeof out));
  gpu->download(back, a, sizeof back);
  for (size_t i = 0; i < sizeof back; i++)
    if (back[i] != 0) {
      fprintf(stderr, "alloc: byte %zu is %d, expected 0\n", i, back[i]);
      exit(1);
    }
  gpu->upload(a, out, sizeof out);
  gpu->copy(b + 1, a, sizeof out - 1);
  gpu->download(back, b + 1, sizeof back - 1);
  if (memcmp(back, out, sizeof back - 1) != 0) {
    fprintf(stderr, "upload, copy, download: bytes were changed\n");
    exit(1);
  }
  gpu->release(a);
  gpu->release(b);
}

void test_rows(void)
{
  test_memory();
  test_scaling();
  test_combine();
  test_weighted_sum();
  test_mix();
  test_pick();
  test_fold();
  test_distances();
}
