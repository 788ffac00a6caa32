/* PowerSGD: factors, what is exact, what is lost, bytes, and sums over workers that are decoded once. */
#include "lowrank_group.h"

/* 5 x 4 weights of rank 4 (full), 3 biases: everything as it is, so the sum is that of no compression. */
static void full_rank_is_no_compression(void **state)
{
  (void)state;
  enum { N = 4, D = 23 };
  int64_t lengths[] = {20, 3}, rows[] = {5, 3};
  static const char *const ranks[] = {"4", "1000000"};
  for (size_t k = 0; k < RH_COUNT(ranks); k++) {
    group g = group_new((rh_layout){2, lengths, rows, D}, N, ranks[k], NULL);
    fill(g.x, N * D, 7);
    float expected[D] = {0};
    mean_of_workers(&g, expected);
    all_reduce(&g, 0);
    for (int p = 0; p < D; p++) /* four f32 sums: 4 half ulp of the largest partial sum, under 8 */
      assert_true(fabsf(g.mean[p] - expected[p]) <= 4 * 0x1p-24F * 8);
    assert_memory_equal(g.own, g.x, sizeof(float) * N * D);
    assert_int_equal(send(&g, 1, 0), 4 * D);
    assert_memory_equal(g.mean, x_of(&g, 1), sizeof(float) * D);
    const rh_claims claims = lowrank->claims(g.options, &g.layout);
    assert_true(claims.contraction == 1 && claims.unbiased);
    group_free(&g);
  }
}

/* The mean of three workers has rank 2, they themselves have not. After one warm step, and in the first round already
 * (a random Q of two columns misses no direction), it comes out exactly, up to f32: eps times the workers' own lengths,
 * times what sums of 96 values add to it. */
static void rank_two_is_exact_after_one_warm_step(void **state)
{
  (void)state;
  enum { N = 3, M = 40, COLUMNS = 96, D = M * COLUMNS };
  int64_t lengths[] = {D}, rows[] = {M};
  group g = group_new((rh_layout){1, lengths, rows, D}, N, "2", "on");
  float *noise = zeros(4 * D), *expected = zeros(4 * D);
  fill(noise, D, 11);
  for (int32_t i = 0; i < N; i++)
    add_low_rank(x_of(&g, i), M, COLUMNS, 2, 12);
  for (int p = 0; p < D; p++) {
    x_of(&g, 0)[p] += noise[p];
    x_of(&g, 1)[p] -= noise[p];
  }
  mean_of_workers(&g, expected);
  all_reduce(&g, 0);
  assert_true(distance(g.mean, expected, D) < 1e-5); /* the random start's condition number is in it */
  all_reduce(&g, 1);
  assert_true(distance(g.mean, expected, D) < 1e-6);
  assert_true(distance(g.own, x_of(&g, 0), D) > 0.1); /* a worker's own part is not what it gave */
  for (int32_t i = 0; i < N; i++)
    memcpy(x_of(&g, i), expected, sizeof(float) * D);
  assert_int_equal(send(&g, 2, 0), 4 * 2 * (M + COLUMNS));
  assert_true(distance(g.mean, expected, D) < 1e-5);
  send(&g, 2, 1);
  assert_true(distance(g.mean, expected, D) < 1e-6);
  group_free(&g);
  free(noise);
  free(expected);
}

/* Warm steps are power iteration: rank 1 of a matrix with singular values 4 > 2 > 1 along known axes converges to the
 * first, by (2 / 4)^2 a round. */
static void warm_steps_find_the_largest_singular_vector(void **state)
{
  (void)state;
  enum { M = 8, COLUMNS = 6, D = M * COLUMNS };
  int64_t lengths[] = {D}, rows[] = {M};
  group g = group_new((rh_layout){1, lengths, rows, D}, 1, "1", "on");
  g.x[0] = 1;
  g.x[1 * COLUMNS + 3] = 4;
  g.x[5 * COLUMNS + 2] = 2;
  double lost = 0, before;
  for (int64_t t = 0; t < 12; t++) {
    before = lost;
    all_reduce(&g, t);
    lost = distance(g.mean, g.x, D) * length_of(g.x, D);
    if (t > 0) assert_true(lost <= before * (1 + 1e-6));
  }
  assert_true(fabs(lost - sqrt(5)) < 1e-5); /* what is left: 2 and 1 */
  assert_true(fabsf(g.mean[1 * COLUMNS + 3] - 4) < 1e-3F);
  group_free(&g);
}

/* C(M) = P P^T M in double precision, for shapes and ranks that leave all kinds of remainders. */
static void decoded_is_the_projection_for_all_shapes(void **state)
{
  (void)state;
  static const int64_t shapes[][2] = {{64, 256}, {37, 53}, {256, 31}, {17, 1500}, {50, 16}};
  static const char *const ranks[] = {"1", "2", "3", "4", "5", "7", "8"};
  for (size_t s = 0; s < RH_COUNT(shapes); s++)
    for (size_t k = 0; k < RH_COUNT(ranks); k++) {
      const int64_t m = shapes[s][0], n = shapes[s][1], d = m * n, r = atol(ranks[k]);
      int64_t lengths[] = {d}, rows[] = {m};
      group g = group_new((rh_layout){1, lengths, rows, d}, 1, ranks[k], NULL);
      float *expected = zeros(4 * d);
      fill(g.x, d, 20 + s);
      all_reduce(&g, 0);
      assert_int_equal(g.left, r * m);
      for (int64_t a = 0; a < r; a++)
        for (int64_t j = 0; j < n; j++) {
          double along = 0;
          for (int64_t i = 0; i < m; i++)
            along += (double)g.common[a * m + i] * (double)g.x[i * n + j];
          for (int64_t i = 0; i < m; i++)
            expected[i * n + j] += g.common[a * m + i] * (float)along;
        }
      assert_true(distance(g.mean, expected, d) < 2e-6); /* f32 sums of up to 256 values */
      assert_true(distance(g.mean, g.x, d) < 1);         /* a projection shortens */
      assert_true(distance(g.mean, g.x, d) > 0.1);
      group_free(&g);
      free(expected);
    }
}

/* Columns of P, and of the Q that is kept, have length 1 and right angles: f32 rounding, 1e-6. */
static void factors_are_orthonormal(void **state)
{
  (void)state;
  enum { M = 60, COLUMNS = 45, R = 6, D = M * COLUMNS };
  int64_t lengths[] = {D}, rows[] = {M};
  group g = group_new((rh_layout){1, lengths, rows, D}, 2, "6", "on");
  fill(g.x, 2 * D, 31);
  for (int32_t i = 0; i < 2; i++) /* columns of M Q that are nearly parallel: singular values 1e4 apart */
    for (int64_t p = 0; p < M; p++)
      for (int64_t j = 0; j < COLUMNS; j++)
        x_of(&g, i)[p * COLUMNS + j] += 1e4F * sinf((float)p) * cosf((float)j);
  for (int64_t t = 0; t < 3; t++) {
    all_reduce(&g, t);
    for (int factor = 0; factor < 2; factor++) {
      const float *v = factor == 0 ? g.common : g.common + R * M;
      const int64_t n = factor == 0 ? M : COLUMNS;
      for (int a = 0; a < R; a++)
        for (int b = 0; b <= a; b++) {
          double dot = 0;
          for (int64_t i = 0; i < n; i++)
            dot += (double)v[a * n + i] * (double)v[b * n + i];
          assert_true(fabs(dot - (a == b)) < 1e-6);
        }
    }
  }
  group_free(&g);
}

/* The sum decoded once is the mean of what each worker decodes of its own: linear once P is known. */
static void mean_of_decoded_is_decoded_mean(void **state)
{
  (void)state;
  enum { N = 5, D = 20 * 30 + 30 + 6 * 4 };
  int64_t lengths[] = {600, 30, 0, 24}, rows[] = {20, 30, 0, 6};
  group g = group_new((rh_layout){4, lengths, rows, D}, N, "3", NULL);
  fill(g.x, N * D, 41);
  for (int64_t t = 0; t < 3; t++) {
    all_reduce(&g, t);
    float expected[D];
    for (int p = 0; p < D; p++) {
      double sum = 0;
      for (int i = 0; i < N; i++)
        sum += (double)g.own[i * D + p];
      expected[p] = (float)(sum / N);
    }
    assert_true(distance(g.mean, expected, D) < 1e-6);
  }
  group_free(&g);
}

/* 784 x 128 and 128 x 10 weights with biases at rank 2: 2 (784 + 128) + 2 (128 + 10) + 128 + 10 = 2238 values. The
 * third matrix, 3 x 3, would not gain at rank 2 (2 * 6 > 9): 9 values. At rank 1 it does (6 < 9). */
static void bytes_are_the_formula(void **state)
{
  (void)state;
  int64_t lengths[] = {100352, 128, 1280, 10, 9, 0}, rows[] = {784, 128, 128, 10, 3, 0};
  const rh_layout layout = {6, lengths, rows, 101779}, empty = {0};
  group g = group_new(layout, 1, NULL, NULL);
  assert_int_equal(lowrank->bound_bytes(g.options, &layout), 4 * (2238 + 9));
  assert_int_equal(4 * g.left, 4 * 2 * (784 + 128));
  assert_int_equal(4 * (g.left + g.tail), 4 * (2238 + 9));
  assert_int_equal(lowrank->bound_bytes(g.options, &empty), 0);
  fill(g.x, layout.values, 51);
  assert_int_equal(send(&g, 0, 0), 4 * (2238 + 9));
  assert_memory_equal(g.mean + 100352, g.x + 100352, 128 * 4); /* biases as they are */
  group_free(&g);
  g = group_new(layout, 1, "1", NULL);
  assert_int_equal(lowrank->bound_bytes(g.options, &layout), 4 * (784 + 128 + 128 + 10 + 128 + 10 + 6));
  group_free(&g);
}

/* Zeros give zeros and lose no direction: what comes afterwards is found at once. */
static void zero_matrix_does_not_blind_the_next_round(void **state)
{
  (void)state;
  enum { M = 12, COLUMNS = 20, D = M * COLUMNS };
  int64_t lengths[] = {D}, rows[] = {M};
  static const char *const warm[] = {"on", "off"};
  for (int w = 0; w < 2; w++) {
    group g = group_new((rh_layout){1, lengths, rows, D}, 2, "2", warm[w]);
    for (int64_t t = 0; t < 2; t++) {
      all_reduce(&g, t);
      for (int p = 0; p < D; p++)
        assert_true(g.mean[p] == 0);
      send(&g, 0, t);
      for (int p = 0; p < D; p++)
        assert_true(g.mean[p] == 0);
    }
    for (int32_t i = 0; i < 2; i++)
      add_low_rank(x_of(&g, i), M, COLUMNS, 2, 61);
    all_reduce(&g, 2);
    assert_true(distance(g.mean, g.x, D) < 1e-5);
    send(&g, 0, 2);
    assert_true(distance(g.mean, g.x, D) < 1e-5);
    group_free(&g);
  }
}

/* Rank 3 of a matrix of rank 1: exact, the other columns are zero or noise; then a matrix of rank 3 is found at once,
 * since the columns that found nothing were drawn afresh. */
static void deficient_rank_keeps_looking(void **state)
{
  (void)state;
  enum { M = 16, COLUMNS = 24, D = M * COLUMNS };
  int64_t lengths[] = {D}, rows[] = {M};
  group g = group_new((rh_layout){1, lengths, rows, D}, 1, "3", "on");
  add_low_rank(g.x, M, COLUMNS, 1, 71);
  for (int64_t t = 0; t < 4; t++) {
    all_reduce(&g, t);
    assert_true(distance(g.mean, g.x, D) < 1e-6);
  }
  add_low_rank(g.x, M, COLUMNS, 2, 72);
  all_reduce(&g, 4);
  assert_true(distance(g.mean, g.x, D) < 1e-5);
  group_free(&g);
}

/* warm off: E |C(x) - x|^2 <= (1 - r / n) |x|^2. A multiple of the identity meets the bound in every draw; a random
 * matrix stays below it in the mean of 300. */
static void fresh_start_contracts_as_claimed(void **state)
{
  (void)state;
  enum { SIDE = 32, D = SIDE * SIDE, DRAWS = 300 };
  int64_t lengths[] = {D}, rows[] = {SIDE};
  group g = group_new((rh_layout){1, lengths, rows, D}, 1, "2", "off");
  const rh_claims claims = lowrank->claims(g.options, &g.layout);
  assert_true(claims.contraction == 2.0 / 32);
  for (int kind = 0; kind < 2; kind++) {
    if (kind == 0) /* all singular values equal: the bound is met exactly */
      for (int i = 0; i < SIDE; i++)
        g.x[i * SIDE + i] = 3;
    else
      fill(g.x, D, 81);
    double sum = 0, first = 0;
    for (int t = 0; t < DRAWS; t++) {
      all_reduce(&g, t);
      double lost = distance(g.mean, g.x, D);
      if (t == 0) first = lost;
      if (kind == 1 && t == 1) assert_true(lost != first); /* another Q in every round */
      assert_true(lost <= 1);
      sum += lost * lost;
    }
    assert_true(sum / DRAWS <= (1 - claims.contraction) * (1 + 1e-6));
    if (kind == 0) assert_true(fabs(sum / DRAWS - (1 - claims.contraction)) < 1e-6);
  }
  group_free(&g);
}

/* A warm start promises no contraction, feedback is allowed all the same: the message is a projection. */
static void warm_start_claims_a_projection(void **state)
{
  (void)state;
  int64_t lengths[] = {1024}, rows[] = {32};
  group g = group_new((rh_layout){1, lengths, rows, 1024}, 1, "2", "on");
  const rh_claims claims = lowrank->claims(g.options, &g.layout);
  assert_true(claims.contraction == 0 && claims.projection && !claims.bounded && !claims.unbiased);
  const rh_feedback_options feedback = {.kind = RH_FEEDBACK_CLASSIC};
  assert_int_equal(rh_feedback_check(&feedback, lowrank, g.options, &g.layout), RH_OK);
  group_free(&g);
}

static void same_bits_when_repeated(void **state)
{
  (void)state;
  enum { N = 3, D = 30 * 40 + 7 };
  int64_t lengths[] = {1200, 7}, rows[] = {30, 7};
  float first[2][D];
  for (int run = 0; run < 2; run++) {
    group g = group_new((rh_layout){2, lengths, rows, D}, N, "3", "on");
    fill(g.x, N * D, 91);
    for (int64_t t = 0; t < 5; t++)
      all_reduce(&g, t);
    if (run == 1) assert_memory_equal(g.mean, first[0], sizeof first[0]);
    memcpy(first[0], g.mean, sizeof first[0]);
    send(&g, 1, 0);
    if (run == 1) assert_memory_equal(g.mean, first[1], sizeof first[1]);
    memcpy(first[1], g.mean, sizeof first[1]);
    group_free(&g);
  }
}

/* A gradient that is not finite must be seen, in the sum and in a single message; very small and large ones must not
 * become so. */
static void nan_stays_visible_and_sizes_do_not_matter(void **state)
{
  (void)state;
  enum { M = 10, COLUMNS = 15, D = M * COLUMNS };
  int64_t lengths[] = {D}, rows[] = {M};
  static const float bad[] = {NAN, INFINITY, -INFINITY};
  for (size_t k = 0; k < RH_COUNT(bad); k++) {
    group g = group_new((rh_layout){1, lengths, rows, D}, 2, "2", NULL);
    fill(g.x, 2 * D, 101);
    x_of(&g, 1)[37] = bad[k];
    all_reduce(&g, 0);
    int seen = 0;
    for (int p = 0; p < D; p++)
      seen += !isfinite(g.mean[p]);
    assert_true(seen > 0);
    send(&g, 1, 0);
    seen = 0;
    for (int p = 0; p < D; p++)
      seen += !isfinite(g.mean[p]);
    assert_true(seen > 0);
    group_free(&g);
  }
  static const float sizes[] = {1e-30F, 1e-10F, 1e10F, 1e30F};
  for (size_t k = 0; k < RH_COUNT(sizes); k++) {
    group g = group_new((rh_layout){1, lengths, rows, D}, 1, "2", NULL);
    add_low_rank(g.x, M, COLUMNS, 2, 102);
    for (int p = 0; p < D; p++)
      g.x[p] *= sizes[k];
    for (int64_t t = 0; t < 4; t++) {
      all_reduce(&g, t);
      assert_true(distance(g.mean, g.x, D) < 1e-5);
      send(&g, 0, t);
      assert_true(distance(g.mean, g.x, D) < 1e-5);
    }
    group_free(&g);
  }
}

/* A 40 x 96 matrix and 10 values that are sent as they are. Rank 2: M Q, M^T P and P R^T are 2 x 2 x 3840 = 15360 each;
 * orthonormalising P takes for each of 40 rows 5 for the first column, 4 + 4 + 5 for the second: 720; Q 96 x 18 = 1728;
 * decoding multiplies P (80) and the 10 values by the factor. Rank 4: products twice that; 4 (0 + 1 + 2 + 3) x 2 + 4 x
 * 5 = 68 a row. Full rank: nothing but the factor. */
static void flop_are_those_of_the_rank(void **state)
{
  (void)state;
  int64_t lengths[] = {3840, 10}, rows[] = {40, 10};
  static const struct {
    const char *rank;
    rh_flop flop;
  } cases[] = {
      {"2", {{15360, 720 + 15360}, 1728 + 15360 + 80 + 10}},
      {"4", {{30720, 40 * 68 + 30720}, 96 * 68 + 30720 + 160 + 10}},
      {"40", {{0, 0}, 3850}},
  };
  for (size_t i = 0; i < RH_COUNT(cases); i++) {
    group g = group_new((rh_layout){2, lengths, rows, 3850}, 1, cases[i].rank, NULL);
    const rh_flop flop = rh_compressor_flop(lowrank, g.options, &g.layout);
    assert_true(flop.encode[0] == cases[i].flop.encode[0] && flop.encode[1] == cases[i].flop.encode[1]);
    assert_true(flop.decode == cases[i].flop.decode);
    group_free(&g);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(full_rank_is_no_compression),
      cmocka_unit_test(rank_two_is_exact_after_one_warm_step),
      cmocka_unit_test(warm_steps_find_the_largest_singular_vector),
      cmocka_unit_test(decoded_is_the_projection_for_all_shapes),
      cmocka_unit_test(factors_are_orthonormal),
      cmocka_unit_test(mean_of_decoded_is_decoded_mean),
      cmocka_unit_test(bytes_are_the_formula),
      cmocka_unit_test(zero_matrix_does_not_blind_the_next_round),
      cmocka_unit_test(deficient_rank_keeps_looking),
      cmocka_unit_test(fresh_start_contracts_as_claimed),
      cmocka_unit_test(warm_start_claims_a_projection),
      cmocka_unit_test(flop_are_those_of_the_rank),
      cmocka_unit_test(same_bits_when_repeated),
      cmocka_unit_test(nan_stays_visible_and_sizes_do_not_matter),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
