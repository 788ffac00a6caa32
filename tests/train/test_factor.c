/* A weight split into two factors, cut, moved and joined again: against the definitions. */
#include "cmocka_all.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "factor.h"

static const rh_backend *const backends[] = {&rh_backend_ref, &rh_backend_cpu, &rh_backend_poison};
static const rh_backend *backend; /* that splits; all tests run with ref's and with cpu's */

static rh_tensor T(const float *data)
{
  return (rh_tensor){(float *)(uintptr_t)data, 0};
}

enum { MARGIN = 3 }; /* values before and after the weight in a row, NaN: nothing but the weight is touched */

/* A model of one weight and its row. */
typedef struct single {
  rh_model model;
  rh_factors factors;
  const rh_factor *f;
  float *row, *w, *a, *b, *room, *s; /* w in row; a, b with room for any rank */
} single;

static float *new_values(int64_t count)
{
  float *values = malloc((size_t)count * sizeof *values);
  assert_non_null(values);
  for (int64_t i = 0; i < count; i++)
    values[i] = NAN;
  return values;
}

static void begin(single *one, int64_t rows, int64_t columns)
{
  const int64_t count = rows * columns;
  *one = (single){.model = {.name = "single", .parameters = count, .segment_count = 1}};
  one->model.segments[0] =
      (rh_segment){.name = "only.weight", .offset = MARGIN, .count = count, .rows = rows, .columns = columns};
  rh_factors_plan(&one->model, false, &one->factors);
  assert_int_equal(one->factors.count, 1);
  one->f = &one->factors.list[0];
  one->row = new_values(count + 2 * MARGIN);
  one->w = one->row + MARGIN;
  one->a = new_values(rh_factors_a_room(&one->factors));
  one->b = new_values(rh_factors_b_room(&one->factors));
  one->room = new_values(one->f->n + 1);
  one->s = new_values(one->f->n + 1);
}

static void end(single *one)
{
  free(one->row);
  free(one->a);
  free(one->b);
  free(one->room);
  free(one->s);
}

static void fill(float *values, int64_t count, uint64_t stream)
{
  rh_rng rng = rh_rng_stream(11, RH_PURPOSE_TEST, 0, stream);
  for (int64_t i = 0; i < count; i++)
    values[i] = (float)rh_rng_normal(&rng);
}

static void begin_random(single *one, int64_t rows, int64_t columns)
{
  begin(one, rows, columns);
  fill(one->w, rows * columns, (uint64_t)(rows * 10000 + columns));
}

static void split(single *one)
{
  assert_int_equal(rh_factor_split(&one->model, backend, one->f, one->row, one->a, one->b, one->room, one->s), RH_OK);
}

/* Entry (i, j) of the working matrix, m x n. */
static double entry(const single *one, int64_t i, int64_t j)
{
  return one->f->transposed ? one->w[j * one->f->m + i] : one->w[i * one->f->n + j];
}

/* An SVD is exact for a matrix that differs by a modest multiple of 6e-8 times the largest singular value; the
 * multiple grows with the root of the sides: 30 for the sides here, up to 300, is some ten times what is seen. */
static const double rounding = 30 * 6e-8;

/* A B = M; A^T A = B B^T = S, as U and V have orthonormal columns; S descends. */
static void check_split(const single *one)
{
  const int64_t m = one->f->m, n = one->f->n;
  const double tolerance = rounding * (double)one->s[0];
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      double sum = 0;
      for (int64_t k = 0; k < n; k++)
        sum += (double)one->a[i * n + k] * (double)one->b[k * n + j];
      if (!(fabs(sum - entry(one, i, j)) <= tolerance))
        fail_msg("%lld x %lld: (%lld, %lld) is %.9g, of factors %.9g", (long long)m, (long long)n, (long long)i,
                 (long long)j, entry(one, i, j), sum);
    }
  for (int64_t k = 0; k < n; k++) {
    assert_true(one->s[k] >= 0 && (k == 0 || one->s[k] <= one->s[k - 1]));
    for (int64_t l = 0; l < n; l++) {
      double aa = 0, bb = 0;
      for (int64_t i = 0; i < m; i++)
        aa += (double)one->a[i * n + k] * (double)one->a[i * n + l];
      for (int64_t j = 0; j < n; j++)
        bb += (double)one->b[k * n + j] * (double)one->b[l * n + j];
      const double want = k == l ? (double)one->s[k] : 0;
      assert_true(fabs(aa - want) <= tolerance && fabs(bb - want) <= tolerance);
    }
  }
}

/* Tall, wide, a convolution's view (16 x 8 * 5 * 5), square, one row, one row more than one column. */
static const int64_t shapes[][2] = {{40, 7}, {7, 40}, {16, 200}, {64, 256}, {9, 9}, {1, 25}, {1, 2}, {25, 2}};

static void test_split(void **state)
{
  (void)state;
  for (size_t k = 0; k < RH_COUNT(shapes); k++) {
    single one;
    begin_random(&one, shapes[k][0], shapes[k][1]);
    assert_true(one.f->transposed == (shapes[k][1] > shapes[k][0]));
    assert_true(one.f->m >= one.f->n && one.f->m * one.f->n == shapes[k][0] * shapes[k][1]);
    split(&one);
    check_split(&one);
    end(&one);
  }
}

/* [0 -3; 4 0; 0 0] = 4 (e2)(1 0) + 3 (e1)(0 -1): S = 4, 3, each factor with the root. Seen transposed it is
 * the same. */
static void test_split_known_values(void **state)
{
  (void)state;
  const float r = sqrtf(3), a[6] = {0, r, 2, 0, 0, 0}, b[4] = {2, 0, 0, -r};
  const float tall[6] = {0, -3, 4, 0, 0, 0}, wide[6] = {0, 4, 0, -3, 0, 0};
  for (int transposed = 0; transposed < 2; transposed++) {
    single one;
    begin(&one, transposed ? 2 : 3, transposed ? 3 : 2);
    memcpy(one.w, transposed ? wide : tall, sizeof tall);
    split(&one);
    for (int i = 0; i < 6; i++)
      assert_true(fabsf(one.a[i] - a[i]) <= 1e-6F); /* a few units in the last place */
    for (int i = 0; i < 4; i++)
      assert_true(fabsf(one.b[i] - b[i]) <= 1e-6F);
    assert_true(fabsf(one.s[0] - 4) <= 1e-6F && fabsf(one.s[1] - 3) <= 1e-6F);
    end(&one);
  }
}

/* The largest entry of each column of A is positive; of the negated weight B alone is negated. Where singular values
 * are near each other, the rounding of their vectors is multiplied: by less than 100 here, up to n = 9. */
static void test_signs(void **state)
{
  (void)state;
  for (size_t k = 0; k < RH_COUNT(shapes); k++) {
    single one, negated;
    begin_random(&one, shapes[k][0], shapes[k][1]);
    begin_random(&negated, shapes[k][0], shapes[k][1]);
    for (int64_t i = 0; i < shapes[k][0] * shapes[k][1]; i++)
      negated.w[i] = -one.w[i];
    split(&one);
    split(&negated);
    const int64_t m = one.f->m, n = one.f->n;
    for (int64_t c = 0; c < n; c++) {
      float largest = 0;
      for (int64_t i = 0; i < m; i++)
        if (fabsf(one.a[i * n + c]) > fabsf(largest)) largest = one.a[i * n + c];
      assert_true(largest > 0);
    }
    for (int64_t i = 0; n < 10 && i < m * n; i++)
      assert_true(fabsf(one.a[i] - negated.a[i]) <= 100 * (float)rounding * sqrtf(one.s[0]));
    for (int64_t i = 0; n < 10 && i < n * n; i++)
      assert_true(fabsf(one.b[i] + negated.b[i]) <= 100 * (float)rounding * sqrtf(one.s[0]));
    end(&one);
    end(&negated);
  }
}

/* A matrix of rank 3, and one of rank 0: the split recomposes, and all singular values but three are rounding. */
static void test_rank_deficient(void **state)
{
  (void)state;
  for (int rank = 0; rank <= 3; rank += 3) {
    single one;
    float left[20 * 3], right[3 * 12];
    fill(left, 60, 1);
    fill(right, 36, 2);
    begin(&one, 12, 20);
    rh_backend_ref.product(&(rh_product){12, 20, 3, true, true}, 1, (rh_tensor){right, 0}, (rh_tensor){left, 0},
                           (rh_tensor){one.w, 0});
    for (int64_t i = 0; rank == 0 && i < 240; i++)
      one.w[i] = 0;
    split(&one);
    check_split(&one);
    for (int64_t k = rank; k < 12; k++)
      assert_true(one.s[k] <= (float)rounding * one.s[0]);
    assert_int_equal(rh_factor_rank(one.s, 12, 1e-4), rank > 0 ? rank : 1);
    end(&one);
  }
}

static single parts[16];

static bool split_part(void *context, int64_t item, int thread)
{
  (void)context, (void)thread;
  single *one = &parts[item];
  return rh_factor_split(&one->model, backend, one->f, one->row, one->a, one->b, one->room, one->s) == RH_OK;
}

/* The same bits from the same weight, also on two threads at a time. */
static void test_same_bits(void **state)
{
  (void)state;
  for (size_t k = 0; k < RH_COUNT(parts); k++)
    begin_random(&parts[k], 16, 200);
  split(&parts[0]);
  single first = parts[0];
  first.a = memcpy(new_values(3200), parts[0].a, 3200 * sizeof(float));
  first.b = memcpy(new_values(256), parts[0].b, 256 * sizeof(float));
  rh_backend_cpu.parallel(RH_COUNT(parts), 2, split_part, NULL);
  for (size_t k = 0; k < RH_COUNT(parts); k++) {
    assert_memory_equal(parts[k].a, first.a, 3200 * sizeof(float));
    assert_memory_equal(parts[k].b, first.b, 256 * sizeof(float));
    end(&parts[k]);
  }
  free(first.a);
  free(first.b);
}

/* All ranks kept, the weight comes back within rounding, and nothing beside it is written. */
static void test_compose_full_rank(void **state)
{
  (void)state;
  for (size_t b = 0; b < RH_COUNT(backends); b++)
    for (size_t k = 0; k < RH_COUNT(shapes); k++) {
      const int64_t count = shapes[k][0] * shapes[k][1];
      single one;
      begin_random(&one, shapes[k][0], shapes[k][1]);
      split(&one);
      float *row = new_values(count + 2 * MARGIN);
      rh_factor_compose(&one.model, backends[b], one.f, 1, T(one.a), T(one.b), T(row));
      for (int64_t i = 0; i < count + 2 * MARGIN; i++)
        if (i < MARGIN || i >= MARGIN + count)
          assert_true(isnan(row[i]));
        else
          assert_true(fabs((double)row[i] - one.row[i]) <= rounding * (double)one.s[0]);
      free(row);
      end(&one);
    }
}

/* Cropped to rank r, A B is the nearest matrix of that rank: off by the root of the dropped values' squares (Eckart &
 * Young, The approximation of one matrix by another of lower rank, Psychometrika 1, 1936). */
static void test_crop(void **state)
{
  (void)state;
  for (int64_t r = 1; r <= 7; r++) {
    single one;
    begin_random(&one, 7, 40);
    split(&one);
    float *a = new_values(40 * r), *b = new_values(7 * r), *row = new_values(280 + 2 * MARGIN);
    rh_factors_set_ranks(&one.factors, &r);
    rh_factor_crop(&rh_backend_ref, one.f, 1, one.a, one.b, T(a), T(b));
    rh_factor_compose(&one.model, &rh_backend_ref, one.f, 1, T(a), T(b), T(row));
    double off = 0, dropped = 0;
    for (int64_t i = 0; i < 280; i++)
      off += pow((double)row[MARGIN + i] - one.w[i], 2);
    for (int64_t k = r; k < 7; k++)
      dropped += pow(one.s[k], 2);
    assert_true(fabs(sqrt(off) - sqrt(dropped)) <= 10 * rounding * (double)one.s[0]); /* of the norm of 280 values */
    free(a);
    free(b);
    free(row);
    end(&one);
  }
}

static void test_rank_cut(void **state)
{
  (void)state;
  const float s[5] = {8, 4, 1.25F, 1, .5F}, none[3] = {0};
  assert_int_equal(rh_factor_rank(s, 5, .15), 3);  /* above 1.2 */
  assert_int_equal(rh_factor_rank(s, 5, .125), 3); /* 1 is not above 1 */
  assert_int_equal(rh_factor_rank(s, 5, .124), 4);
  assert_int_equal(rh_factor_rank(s, 5, 0), 5);
  assert_int_equal(rh_factor_rank(s, 5, .5), 1);
  assert_int_equal(rh_factor_rank(s, 5, 1), 1);
  assert_int_equal(rh_factor_rank(s, 1, .15), 1);
  assert_int_equal(rh_factor_rank(none, 3, 0), 1);
}

static void test_resize(void **state)
{
  (void)state;
  const float a[6] = {1, 2, 3, 4, 5, 6}, a_cut[2] = {1, 4}, a_more[8] = {1, 2, 3, 0, 4, 5, 6, 0}; /* 2 x 3 */
  const float b[6] = {1, 2, 3, 4, 5, 6}, b_more[8] = {1, 2, 3, 4, 5, 6, 0, 0};                    /* 3 x 2 */
  float to[8];
  rh_factor_resize_a(backend, 2, 1, 3, T(a), 1, T(to));
  assert_memory_equal(to, a_cut, sizeof a_cut);
  rh_factor_resize_a(backend, 2, 1, 3, T(a), 3, T(to));
  assert_memory_equal(to, a, sizeof a);
  rh_factor_resize_a(backend, 2, 1, 3, T(a), 4, T(to));
  assert_memory_equal(to, a_more, sizeof a_more);
  rh_factor_resize_b(backend, 2, 1, 3, T(b), 2, T(to));
  assert_memory_equal(to, b, 4 * sizeof *b);
  rh_factor_resize_b(backend, 2, 1, 3, T(b), 4, T(to));
  assert_memory_equal(to, b_more, sizeof b_more);
}

static void test_not_finite(void **state)
{
  (void)state;
  const float bad[3] = {NAN, INFINITY, -INFINITY};
  for (int k = 0; k < 3; k++)
    for (int64_t place = 0; place < 12; place += 11) {
      single one;
      begin_random(&one, 3, 4);
      one.w[place] = bad[k];
      assert_int_equal(rh_factor_split(&one.model, backend, one.f, one.row, one.a, one.b, one.room, one.s), RH_EINVAL);
      assert_non_null(strstr(rh_error_message(), "only.weight"));
      end(&one);
    }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_split),     cmocka_unit_test(test_split_known_values),
      cmocka_unit_test(test_signs),     cmocka_unit_test(test_rank_deficient),
      cmocka_unit_test(test_same_bits), cmocka_unit_test(test_compose_full_rank),
      cmocka_unit_test(test_crop),      cmocka_unit_test(test_rank_cut),
      cmocka_unit_test(test_resize),    cmocka_unit_test(test_not_finite),
  };
  backend = &rh_backend_cpu;
  const int failed = cmocka_run_group_tests_name("split by cpu", tests, NULL, NULL);
  backend = &rh_backend_poison; /* ref, on guarded memory */
  return failed + cmocka_run_group_tests_name("split by ref", tests, NULL, NULL);
}
