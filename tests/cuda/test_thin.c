/* Products with thin factors and Gram-Schmidt on the device: the bits of train/base/thin.c, but for numbers drawn. */
#include "pair.h"
#include "thin.h"

/* Now and then a matrix that has no factors. */
static rh_thin any(int i)
{
  const int64_t rows = between(1, 70), columns = between(1, 90), most = rows < columns ? rows : columns;
  return (rh_thin){rows, columns, i % 5 == 4 ? 0 : between(1, most < 9 ? most : 9)};
}

static float *row(const pair *p, int64_t r)
{
  return p->host.data + r * p->host.stride;
}

static void test_products(void)
{
  for (int i = 0; i < 2 * shapes; i++) {
    const rh_thin t = any(i);
    const int64_t count = between(1, 4), right = rh_thin_right_values(&t), left = rh_thin_left_values(&t) + 1;
    pair m = pair_random(count, t.rows * t.columns), q = pair_random(count, right), p = pair_poison(count, left);
    pair second = pair_poison(count, right), back = pair_poison(count, t.rows * t.columns);
    const bool shared = i % 3 == 0;
    const rh_tensor q_device = {q.device.data, shared ? 0 : q.device.stride};
    for (int64_t r = 0; r < count; r++) {
      rh_thin_right(&t, row(&m, r), row(&q, shared ? 0 : r), row(&p, r));
      rh_thin_left(&t, row(&m, r), row(&p, r), row(&second, r));
      rh_thin_expand(&t, row(&p, r), row(&second, r), 1.0 / 3, row(&back, r));
    }
    gpu->thin_right(&t, count, m.device, q_device, p.device);
    gpu->thin_left(&t, count, m.device, p.device, second.device);
    gpu->thin_expand(&t, count, 1.0 / 3, p.device, second.device, back.device);
    pair_agree("thin_right", &p, 0);
    pair_agree("thin_left", &second, 0);
    pair_agree("thin_expand", &back, 0);
    pair_drop(&m);
    pair_drop(&q);
  }
}

/* Columns that are random, zero, the first one's double, its double but for rounding, or not finite. */
static void fill(const pair *a, int64_t n, int64_t columns)
{
  for (int64_t r = 0; r < a->count; r++)
    for (int64_t k = 1; k < columns; k++) {
      const int64_t kind = between(0, 6);
      for (int64_t i = 0; kind < 4 && i < n; i++)
        row(a, r)[k * n + i] = kind == 0   ? 0
                               : kind == 3 ? (i == 0 ? NAN : 1)
                                           : 2 * row(a, r)[i] + (kind == 2 ? 1e-8F * row(a, r)[k * n + i] : 0);
    }
  pair_send(a);
}

static void test_orthonormalise(void)
{
  enum { MOST = 5 };
  for (int i = 0; i < 2 * shapes; i++) {
    const int64_t n = between(1, 300), columns = between(1, n < 6 ? n : 6), count = between(1, MOST);
    const bool draws = i % 2 == 0;
    rh_rng stream = rh_rng_stream(3, RH_PURPOSE_SHARED, 7, (uint64_t)i);
    if (i % 4 == 0) stream.counter[0] |= UINT32_C(1) << 31;
    pair a = pair_random(count, n * columns);
    int64_t *const drawn = checked(gpu->alloc(MOST * sizeof *drawn)), want[MOST] = {0}, got[MOST];
    fill(&a, n, columns);
    want[0] = 5; /* by others before */
    gpu->upload(drawn, want, sizeof want);
    for (int64_t r = 0; r < count; r++) {
      rh_rng own = stream;
      own.counter[0] += (uint32_t)want[r];
      own.counter[2] += (uint32_t)r;
      rh_thin_orthonormalise(row(&a, r), n, columns, draws ? &own : NULL);
      if (draws) want[r] = (int64_t)(own.counter[0] - stream.counter[0]);
    }
    gpu->thin_orthonormalise(n, columns, count, draws ? &stream : NULL, drawn, a.device);
    gpu->download(got, drawn, sizeof got);
    for (int64_t r = 0; r < count; r++)
      if (got[r] != want[r]) {
        fprintf(stderr, "thin_orthonormalise: replica %lld drew %lld numbers, expected %lld\n", (long long)r,
                (long long)got[r], (long long)want[r]);
        exit(1);
      }
    /* a number drawn may differ in its last bit, and the columns after it with it */
    pair_agree("thin_orthonormalise", &a, draws ? 1e-6 : 0);
    gpu->release(drawn);
  }
}

void test_thin(void)
{
  test_products();
  test_orthonormalise();
}
