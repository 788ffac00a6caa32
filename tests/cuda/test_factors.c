/* Splits of weights on the device: against their definition, and against ref's factors where those are well determined;
 * and what moves factors between ranks. */
#include "pair.h"

/* An SVD is exact for a matrix that differs by a modest multiple of 6e-8 times the largest singular value; the multiple
 * grows with the root of the sides: 30 for sides up to 300, as of LAPACK's (tests/train/test_factor.c). */
static const double rounding = 30 * 6e-8;

typedef struct factors {
  int64_t m, n;
  const float *matrix; /* [m][n], or transposed */
  bool transposed;
  const float *a, *b, *s;
} factors;

static void fail(const factors *f, const char *what, int64_t i, int64_t j, double got, double want)
{
  fprintf(stderr, "split of %lld x %lld%s: %s at (%lld, %lld): %.9g, expected %.9g%s%s\n", (long long)f->m,
          (long long)f->n, f->transposed ? ", transposed" : "", what, (long long)i, (long long)j, got, want,
          gpu->failure() ? ": " : "", gpu->failure() ? gpu->failure() : "");
  exit(1);
}

/* A B = M */
static void check_product(const factors *f, double tolerance)
{
  for (int64_t i = 0; i < f->m; i++)
    for (int64_t j = 0; j < f->n; j++) {
      const double want = f->matrix[f->transposed ? j * f->m + i : i * f->n + j];
      double sum = 0;
      for (int64_t k = 0; k < f->n; k++)
        sum += (double)f->a[i * f->n + k] * f->b[k * f->n + j];
      if (!(fabs(sum - want) <= tolerance)) fail(f, "the product", i, j, sum, want);
    }
}

/* A^T A = B B^T = S, which descends; of each column of A the largest entry is positive, or as long as one that is. */
static void check_columns(const factors *f, double tolerance)
{
  for (int64_t k = 0; k < f->n; k++) {
    if (!(f->s[k] >= 0) || (k > 0 && f->s[k] > f->s[k - 1])) fail(f, "a singular value", k, k, f->s[k], 0);
    for (int64_t l = 0; l < f->n; l++) {
      double aa = 0, bb = 0;
      for (int64_t i = 0; i < f->m; i++)
        aa += (double)f->a[i * f->n + k] * f->a[i * f->n + l];
      for (int64_t j = 0; j < f->n; j++)
        bb += (double)f->b[k * f->n + j] * f->b[l * f->n + j];
      const double want = k == l ? f->s[k] : 0;
      if (!(fabs(aa - want) <= tolerance)) fail(f, "A^T A", k, l, aa, want);
      if (!(fabs(bb - want) <= tolerance)) fail(f, "B B^T", k, l, bb, want);
    }
    double most = 0, least = 0;
    for (int64_t i = 0; i < f->m; i++) {
      most = fmax(most, f->a[i * f->n + k]);
      least = fmin(least, f->a[i * f->n + k]);
    }
    if (most < -least) fail(f, "a sign", k, k, least, most);
  }
}

/* Vectors of a singular value turn by the matrix's rounding over its distance to the next one. */
static void check_against_ref(const factors *f, const float *a, const float *b, const float *s)
{
  const double far = 0.02 * (double)s[0], tolerance = rounding / 0.02 * sqrt(s[0]);
  for (int64_t k = 0; k < f->n; k++) {
    if (!(fabs((double)f->s[k] - s[k]) <= rounding * (double)s[0])) fail(f, "a singular value", k, k, f->s[k], s[k]);
    if ((k > 0 && s[k - 1] - s[k] < far) || (k + 1 < f->n && s[k] - s[k + 1] < far) || s[k] < far) continue;
    float largest = 0, other = 0; /* of the two signs */
    for (int64_t i = 0; i < f->m; i++) {
      largest = fmaxf(largest, a[i * f->n + k]);
      other = fmaxf(other, -a[i * f->n + k]);
    }
    if (largest - other < 2 * tolerance) continue; /* which is the larger hangs on rounding */
    for (int64_t i = 0; i < f->m; i++)
      if (!(fabs((double)f->a[i * f->n + k] - a[i * f->n + k]) <= tolerance))
        fail(f, "A", i, k, f->a[i * f->n + k], a[i * f->n + k]);
    for (int64_t j = 0; j < f->n; j++)
      if (!(fabs((double)f->b[k * f->n + j] - b[k * f->n + j]) <= tolerance))
        fail(f, "B", k, j, f->b[k * f->n + j], b[k * f->n + j]);
  }
}

/* Replica 0 as it is drawn, replica 1 of rank 2 at most, replica 2 zero. */
static void fill(const rh_svd *p, const pair *x)
{
  for (int64_t r = 1; r < x->count; r++)
    for (int64_t i = 0; i < p->m; i++)
      for (int64_t j = 0; j < p->n; j++)
        x->host.data[r * x->host.stride + (p->transposed ? j * p->m + i : i * p->n + j)] =
            r == 2 ? 0 : (float)(cos((double)i) * (double)(j + 1) + sin((double)(3 * i)) * (double)(j % 3));
  pair_send(x);
}

static void compare(const rh_svd *p, int64_t count)
{
  pair x = pair_random(count, p->m * p->n), a = pair_poison(count, p->m * p->n), b = pair_poison(count, p->n * p->n);
  pair s = pair_poison(count, p->n);
  int32_t want[3], got[3], *const results = checked(gpu->alloc(sizeof got));
  float *const device_a = checked(malloc(pair_bytes(&a))), *const device_b = checked(malloc(pair_bytes(&b)));
  float *const device_s = checked(malloc(pair_bytes(&s)));
  fill(p, &x);
  if (gpu->prepare_split && !gpu->prepare_split(p)) checked(NULL);
  rh_backend_ref.split(p, count, x.host, a.host, b.host, s.host, want);
  gpu->split(p, count, x.device, a.device, b.device, s.device, results);
  gpu->download(device_a, a.device.data, pair_bytes(&a));
  gpu->download(device_b, b.device.data, pair_bytes(&b));
  gpu->download(device_s, s.device.data, pair_bytes(&s));
  gpu->download(got, results, (size_t)count * sizeof *got);
  for (int64_t r = 0; r < count; r++) {
    const factors f = {p->m,
                       p->n,
                       x.host.data + r * x.host.stride,
                       p->transposed,
                       device_a + r * a.host.stride,
                       device_b + r * b.host.stride,
                       device_s + r * s.host.stride};
    if (got[r] != RH_SPLIT_DONE || want[r] != RH_SPLIT_DONE) fail(&f, "the result", r, 0, got[r], want[r]);
    check_product(&f, rounding * (double)f.s[0]);
    check_columns(&f, rounding * (double)f.s[0]);
    check_against_ref(&f, a.host.data + r * a.host.stride, b.host.data + r * b.host.stride,
                      s.host.data + r * s.host.stride);
  }
  gpu->release(results);
  free(device_a);
  free(device_b);
  free(device_s);
  pair_drop(&x);
  pair_drop(&a);
  pair_drop(&b);
  pair_drop(&s);
}

static void test_split(void)
{
  compare(&(rh_svd){1, 1, false}, 3);
  compare(&(rh_svd){300, 40, false}, 3); /* more rows than a block has threads */
  compare(&(rh_svd){300, 40, true}, 3);
  for (int i = 0; i < shapes; i++) {
    const int64_t n = between(1, 30);
    compare(&(rh_svd){n + between(0, 40), n, i % 2 == 0}, between(1, 3));
  }
}

/* Two calls leave the same bits. */
static void test_repeats(void)
{
  const rh_svd p = {90, 25, false};
  pair x = pair_random(1, p.m * p.n), a[2], b[2], s = pair_poison(1, p.n);
  int32_t *const results = checked(gpu->alloc(sizeof *results));
  for (int k = 0; k < 2; k++) {
    a[k] = pair_poison(1, p.m * p.n);
    b[k] = pair_poison(1, p.n * p.n);
    gpu->split(&p, 1, x.device, a[k].device, b[k].device, s.device, results);
    gpu->download(a[k].host.data, a[k].device.data, pair_bytes(&a[k]));
    gpu->download(b[k].host.data, b[k].device.data, pair_bytes(&b[k]));
  }
  for (int64_t i = 0; i < p.m * p.n; i++)
    if (a[0].host.data[i] != a[1].host.data[i]) {
      fprintf(stderr, "a split leaves other bits when it is repeated\n");
      exit(1);
    }
  if (memcmp(b[0].host.data, b[1].host.data, (size_t)(p.n * p.n) * sizeof(float)) != 0) {
    fprintf(stderr, "a split leaves other bits when it is repeated\n");
    exit(1);
  }
  gpu->release(results);
  pair_drop(&x);
  pair_drop(&s);
  for (int k = 0; k < 2; k++) {
    pair_drop(&a[k]);
    pair_drop(&b[k]);
  }
}

static void test_resize(void)
{
  for (int i = 0; i < shapes; i++) {
    const int64_t rows = between(1, 40), from = between(1, 30), to = between(1, 30), count = between(1, 5);
    pair x = pair_random(count, rows * from), y = pair_poison(count, rows * to);
    const bool shared = i % 3 == 0;
    const rh_tensor one_host = {x.host.data, 0}, one_device = {x.device.data, 0};
    rh_backend_ref.resize(rows, from, to, count, shared ? one_host : x.host, y.host);
    gpu->resize(rows, from, to, count, shared ? one_device : x.device, y.device);
    pair_agree("resize", &y, 0);
    pair_drop(&x);
  }
}

static void test_add_doubles(void)
{
  enum { MOST = 700 };
  static double terms[MOST], sums[MOST], got[MOST];
  const int64_t count = between(1, MOST);
  const size_t bytes = (size_t)count * sizeof *terms;
  double *const device_terms = checked(gpu->alloc(bytes)), *const device_sums = checked(gpu->alloc(bytes));
  for (int64_t i = 0; i < count; i++) {
    terms[i] = rh_rng_normal(&rng);
    sums[i] = rh_rng_normal(&rng);
  }
  gpu->upload(device_terms, terms, bytes);
  gpu->upload(device_sums, sums, bytes);
  gpu->add_doubles(count, device_terms, device_sums);
  gpu->download(got, device_sums, bytes);
  for (int64_t i = 0; i < count; i++)
    if (got[i] != sums[i] + terms[i]) {
      fprintf(stderr, "add_doubles: %lld of %lld is %.17g, expected %.17g\n", (long long)i, (long long)count, got[i],
              sums[i] + terms[i]);
      exit(1);
    }
  gpu->release(device_terms);
  gpu->release(device_sums);
}

void test_factors(void)
{
  test_split();
  test_repeats();
  test_resize();
  test_add_doubles();
}
