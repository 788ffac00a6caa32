/* Sparsifiers whose messages depend on the round: random k, whose places all workers share, and deep gradient
 * compression, which keeps momentum. */
#include "sparse_rig.h"

/* Indices of the values that are not zero; x must have none. */
static int64_t places_of(const float *y, int64_t d, int *places)
{
  int64_t n = 0;
  for (int i = 0; i < d; i++)
    if (y[i] != 0) places[n++] = i;
  return n;
}

static void randomk_draws_the_same_places_on_all_workers(void **state)
{
  (void)state;
  const int64_t lengths[] = {90, 0, 10};
  const rh_layout layout = {3, lengths, lengths, 100};
  float x[100], y[100], z[100];
  int first[100], again[100], later[100];
  fill(x, 100, 1);
  rig r = rig_new(&rh_compressor_randomk, "ratio=0.2", layout);
  int same = 0;
  for (int64_t step = 0; step < 50; step++) {
    assert_int_equal(rig_send(&r, 0, step, x, y), 4 * (18 + 2));
    assert_int_equal(rig_send(&r, 9, step, x, z), 4 * (18 + 2));
    assert_int_equal(places_of(y, 100, first), 20);
    assert_int_equal(places_of(z, 100, again), 20);
    assert_memory_equal(first, again, 20 * sizeof *first);
    assert_int_equal(places_of(y + 90, 10, again), 2);
    for (int j = 0; j < 20; j++)
      assert_true(y[first[j]] == x[first[j]]);
    rig_send(&r, 0, step + 1, x, z);
    places_of(z, 100, later);
    same += memcmp(first, later, sizeof first[0] * 20) == 0;
  }
  assert_int_equal(same, 0); /* two rounds agree with a chance of 1 / C(90, 18) / C(10, 2) */
  rig_free(&r);
}

/* The sum of four workers' contributions, decoded once, is the mean at the places and zero elsewhere; small integers,
 * so that sums are exact. A contribution is the message of encode. */
static void randomk_contributions_add_up(void **state)
{
  (void)state;
  static const char *const texts[] = {"ratio=0.25", "ratio=0.25 scale=on", "ratio=0.25 scope=global"};
  const int64_t lengths[] = {16, 4};
  const rh_layout layout = {2, lengths, lengths, 20};
  for (size_t t = 0; t < RH_COUNT(texts); t++) {
    rig r = rig_new(&rh_compressor_randomk, texts[t], layout);
    const rh_summable *s = r.c->sum;
    const int64_t k = s->elements(r.options, &layout, 0);
    const float factor = t == 1 ? 4 : 1;
    float total[20] = {0}, one[20], mean[20], y[20];
    assert_int_equal(k, 5);
    for (uint32_t worker = 0; worker < 4; worker++) {
      float x[20];
      for (int i = 0; i < 20; i++)
        x[i] = (float)(i + 1) * (float)(worker + 1);
      rh_coding coding = rig_coding(&r, worker, 3);
      s->contribute(&coding, NULL, 0, x, one);
      assert_int_equal(rig_send(&r, worker, 3, x, y), 4 * k);
      assert_memory_equal(r.wire, one, (size_t)(4 * k));
      s->add(k, one, total);
    }
    rh_coding coding = rig_coding(&r, 0, 3);
    s->decode(&coding, NULL, total, 0.25, mean);
    int sent = 0;
    for (int i = 0; i < 20; i++) {
      assert_true(mean[i] == 0 || mean[i] == factor * (float)(i + 1) * 2.5F);
      sent += mean[i] != 0;
    }
    assert_int_equal(sent, 5);
    rig_free(&r);
  }
}

/* 1e5 rounds of 5 of 20 places, scaled by 4. The mean of each value has a standard error of sqrt(3 / 1e5) = 0.55 % of
 * it; it is x to 4.5 of them, 20 values: one seed in 7,000 fails, and the seed is fixed. So every place is drawn in a
 * quarter of the rounds. Pairs of places are drawn together in 5 4 / (20 19) of them, which a biased draw of several
 * places would miss. Off: |C(x) - x|^2 is 15/20 |x|^2 in the mean. */
static void randomk_is_unbiased_scaled_and_contracts_unscaled(void **state)
{
  (void)state;
  enum { D = 20, ROUNDS = 100000, MEASURED = ROUNDS / 10 };
  const int64_t d = D;
  const rh_layout layout = {1, &d, &d, d};
  float x[D], y[D];
  int places[D];
  double sum[D] = {0}, ratio = 0, square = 0;
  static int32_t together[D][D];
  fill(x, D, 2);
  rig scaled = rig_new(&rh_compressor_randomk, "ratio=0.25 scale=on", layout),
      plain = rig_new(&rh_compressor_randomk, "ratio=0.25", layout);
  const rh_claims on = scaled.c->claims(scaled.options, &layout), off = plain.c->claims(plain.options, &layout);
  assert_true(on.unbiased && on.variance == 3 && on.contraction == 0);
  assert_true(!off.unbiased && off.contraction == 0.25);
  for (int64_t step = 0; step < ROUNDS; step++) {
    rig_send(&scaled, 0, step, x, y);
    for (int i = 0; i < D; i++)
      sum[i] += y[i];
    assert_int_equal(places_of(y, D, places), 5);
    for (int a = 0; a < 5; a++)
      for (int b = 0; b < a; b++)
        together[places[b]][places[a]]++;
    if (step % 10) continue;
    rig_send(&plain, 0, step, x, y);
    const double lost = distance(x, y, D) / squares(x, D);
    ratio += lost / MEASURED;
    square += lost * lost / MEASURED;
  }
  for (int i = 0; i < D; i++)
    assert_true(fabs(sum[i] / ROUNDS - x[i]) < 4.5 * sqrt(3.0 / ROUNDS) * fabs(x[i]));
  const double p = 5.0 * 4 / (20 * 19);
  for (int i = 0; i < D; i++)
    for (int j = i + 1; j < D; j++)
      assert_true(fabs(together[i][j] - p * ROUNDS) < 4.5 * sqrt(p * (1 - p) * ROUNDS));
  assert_true(fabs(ratio - 0.75) < 4.5 * sqrt((square - ratio * ratio) / MEASURED));
  rig_free(&scaled);
  rig_free(&plain);
}

/* Momentum 1/2, one of four values a round; u and v followed on paper, all values exact in f32.
 *
 *     g               u before masking    v before masking     sent
 *     1 2 0 -1        1 2 0 -1            1 2 0 -1             2 at 1
 *     0 1 0 -1        .5 1 0 -1.5         1.5 1 0 -2.5         -2.5 at 3
 *     1 0 .25 0       1.25 .5 .25 0       2.75 1.5 .25 0       2.75 at 0
 */
static void dgc_by_hand(void **state)
{
  (void)state;
  const int64_t d = 4;
  const float g[3][4] = {{1, 2, 0, -1}, {0, 1, 0, -1}, {1, 0, 0.25F, 0}},
              sent[3][4] = {{0, 2, 0, 0}, {0, 0, 0, -2.5F}, {2.75F, 0, 0, 0}},
              left[8] = {0, 0.5F, 0.25F, 0, 0, 1.5F, 0.25F, 0}; /* u, then v */
  float y[4];
  rig r = rig_new(&rh_compressor_dgc, "ratio=0.25 index=u16", (rh_layout){1, &d, &d, d});
  r.momentum = 0.5;
  assert_int_equal(r.c->state_values(r.options, &r.layout), 8);
  for (int64_t t = 0; t < 3; t++) {
    assert_int_equal(rig_send(&r, 0, t, g[t], y), 2 + 4);
    assert_memory_equal(y, sent[t], sizeof y);
  }
  assert_memory_equal(r.state, left, sizeof left);
  rig_free(&r);
}

/* Four quarters of a warm-up are the paper's epochs: sparsities of 75, 93.75, 98.4, 99.6 and then 99.9 %. */
static void dgc_warms_up_as_in_the_paper(void **state)
{
  (void)state;
  enum { D = 10000 };
  static const double paper[] = {75, 93.75, 98.4, 99.6, 99.9, 99.9};
  const int64_t d = D;
  float *x = malloc(D * sizeof *x), *y = malloc(D * sizeof *y);
  rig r = rig_new(&rh_compressor_dgc, "warmup=400 index=u32", (rh_layout){1, &d, &d, d});
  assert_int_equal(r.bound, 8 * 2500);
  fill(x, D, 3);
  for (int64_t t = 0; t < 6; t++) {
    const int64_t bytes = rig_send(&r, 0, 100 * t, x, y);
    const double sparsity = 100 - 100.0 * (double)bytes / (8 * D);
    assert_int_equal(bytes % 8, 0);
    assert_true(fabs(sparsity - paper[t]) < 0.05); /* the paper rounds, and 0.25^5 to 0.001 */
  }
  rig_free(&r);
  r = rig_new(&rh_compressor_dgc, "index=u32", (rh_layout){1, &d, &d, d});
  assert_int_equal(rig_send(&r, 0, 0, x, y), 8 * 10); /* no warm-up unless asked for */
  rig_free(&r);
  free(x);
  free(y);
}

/* What was sent and what is kept add up to the sum of the velocities; small integers and a momentum of 1/2 over 12
 * rounds keep every number exact. The velocities are followed here, from the messages alone. */
static void dgc_loses_nothing(void **state)
{
  (void)state;
  const int64_t lengths[] = {50, 7};
  rig r = rig_new(&rh_compressor_dgc, "ratio=0.1 warmup=5", (rh_layout){2, lengths, lengths, 57});
  r.momentum = 0.5;
  rh_rng rng = rh_rng_stream(5, RH_PURPOSE_TEST, 0, 0);
  double velocity[57] = {0}, gathered[57] = {0}, sent[57] = {0};
  for (int64_t t = 0; t < 12; t++) {
    float g[57], y[57];
    for (int i = 0; i < 57; i++) {
      g[i] = (float)rh_rng_below(&rng, 2001) - 1000;
      velocity[i] = 0.5 * velocity[i] + g[i];
      gathered[i] += velocity[i];
    }
    rig_send(&r, 0, t, g, y);
    for (int i = 0; i < 57; i++) {
      sent[i] += y[i];
      if (y[i] != 0) velocity[i] = 0;
    }
  }
  int kept = 0;
  for (int i = 0; i < 57; i++) {
    assert_true(r.state[i] == velocity[i]);
    assert_true(sent[i] + r.state[57 + i] == gathered[i]);
    kept += r.state[57 + i] != 0;
  }
  assert_true(kept > 20);
  rig_free(&r);
}

/* A layout's parts keep their own state: what one tensor keeps is not another's. */
static void dgc_masks_in_every_tensor(void **state)
{
  (void)state;
  const int64_t lengths[] = {2, 0, 3};
  const float g[5] = {1, 3, 5, -7, 6};
  float y[5];
  rig r = rig_new(&rh_compressor_dgc, "ratio=0.1 index=bitmap", (rh_layout){3, lengths, lengths, 5});
  assert_int_equal(rig_send(&r, 0, 0, g, y), 2 * (1 + 4));
  assert_memory_equal(y, ((float[]){0, 3, 0, -7, 0}), sizeof y);
  assert_memory_equal(r.state + 5, ((float[]){1, 0, 5, 0, 6}), sizeof y);
  rig_free(&r);
}

/* 100 values and 7: a fifth at random is 20 and 1, drawn at 5 operations each on both sides, and a product for each
 * when decoded; a scan takes mask and compare, a mean square 2 more, zeros 1. */
static void flop_are_those_of_the_options(void **state)
{
  (void)state;
  static const int64_t lengths[] = {100, 7};
  const rh_layout layout = {2, lengths, lengths, 107};
  static const struct {
    const rh_compressor *compressor;
    const char *options;
    double encode, decode;
  } cases[] = {
      {&rh_compressor_randomk, "ratio=0.2", 2 * 107 + 5 * 21, 107 + 6 * 21},
      {&rh_compressor_randomk, "ratio=0.2 scope=global", 2 * 107 + 5 * 21, 107 + 6 * 21}, /* floor(21.4) */
      {&rh_compressor_threshold, "relative=off", 2 * 107, 107},
      {&rh_compressor_threshold, "relative=on", 4 * 107, 107},
      {&rh_compressor_topk, "ratio=0.2", 4 * 107, 107}, /* a constant per value */
  };
  for (size_t i = 0; i < RH_COUNT(cases); i++) {
    rig r = rig_new(cases[i].compressor, cases[i].options, layout);
    const rh_flop flop = rh_compressor_flop(r.c, r.options, &r.layout);
    assert_true(flop.encode[0] == cases[i].encode && flop.encode[1] == 0 && flop.decode == cases[i].decode);
    rig_free(&r);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(flop_are_those_of_the_options),
      cmocka_unit_test(randomk_draws_the_same_places_on_all_workers),
      cmocka_unit_test(randomk_contributions_add_up),
      cmocka_unit_test(randomk_is_unbiased_scaled_and_contracts_unscaled),
      cmocka_unit_test(dgc_by_hand),
      cmocka_unit_test(dgc_warms_up_as_in_the_paper),
      cmocka_unit_test(dgc_loses_nothing),
      cmocka_unit_test(dgc_masks_in_every_tensor),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
