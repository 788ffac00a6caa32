/* What AB-training's rounds charge, record and take by default: Tw 3, Ts 5, Td 2, so that AB is entered before rounds
 * 3, 7 and 12 (0-based) and left before 5, 10 and 15.
 */
#include <math.h>

#include "ab_fixture.h"

enum { AB_ROUNDS = 8, CHANGES = 3 };

/* Shares that follow from the ranks of each round, and the seconds that rank 0 and rank N - 1 were charged,
 * by label. */
typedef struct charged {
  bool in_ab[ROUNDS];
  double share[ROUNDS];                        /* of the products at full rank: 2 m r n of 2 m n n */
  double trained[2][ROUNDS];                   /* of all parameters, by rank 0 (A) and N - 1 (B) */
  double factorise, compose, gradient, update; /* of rank 0 */
  double last_update;                          /* of rank N - 1 */
} charged;

static fixture f;

static rh_status produce_rounds(void *context, int64_t round, bool *more)
{
  charged *c = context;
  const char *const settings[] = {AB_SETTINGS, NULL};
  if (round == 0) fixture_init(&f, "ab", settings);
  to_clear[0] = &f;
  RH_ASSERT(f.method->round(&f.world, f.state, round, lr) == RH_OK);
  c->in_ab[round] = strcmp(f.world.phase, "AB") == 0;
  if (c->in_ab[round]) { /* 9 x 4 and 4 x 3, with 7 biases */
    assert_int_equal(f.world.rank_count, 2);
    const double r1 = (double)f.world.ranks[0], r2 = (double)f.world.ranks[1];
    c->share[round] = (9 * r1 * 4 + 4 * r2 * 3) / (9 * 4 * 4 + 4 * 3 * 3);
    c->trained[0][round] = (9 * r1 + 4 * r2 + 7) / P;
    c->trained[1][round] = (4 * r1 + 3 * r2 + 7) / P;
    assert_true(fabs(f.world.compression_ratio - (13 * r1 + 7 * r2 + 7) / P) < 1e-12);
  } else {
    assert_int_equal(f.world.rank_count, 0);
    assert_true(f.world.compression_ratio == 1);
  }
  *more = round + 1 < ROUNDS;
  return RH_OK;
}

static void add(void *context, const rh_event *e)
{
  charged *c = context;
  const double seconds = e->finish_s - e->start_s;
  if (e->lane != RH_LANE_COMPUTE) return;
  if (e->rank == N - 1 && strcmp(e->label, "update") == 0) c->last_update += seconds;
  if (e->rank != 0) return;
  if (strcmp(e->label, "factorise") == 0) c->factorise += seconds;
  if (strcmp(e->label, "compose") == 0) c->compose += seconds;
  if (strcmp(e->label, "gradient") == 0) c->gradient += seconds;
  if (strcmp(e->label, "update") == 0) c->update += seconds;
}

static void assert_seconds(double charged_s, double expected_s)
{
  if (!(fabs(charged_s - expected_s) < 1e-9)) fail_msg("%.12g s charged, %.12g s expected", charged_s, expected_s);
}

static void test_seconds_of_steps_are_charged_by_rank(void **state)
{
  (void)state;
  IN_PROCESS();
  charged c = {0};
  run(produce_rounds, &c, add);
  double compose = 0, gradient = 0, update = 0, last_update = 0;
  int in_ab = 0;
  bool fell = false;
  for (int t = 0; t < ROUNDS; t++) {
    if (t > 0 && c.in_ab[t - 1] && !c.in_ab[t]) compose += 2e-4 * c.share[t - 1];
    gradient += 3e-3 + (c.in_ab[t] ? (2e-4 + 3e-4) * c.share[t] : 0);
    update += 1e-4 * (c.in_ab[t] ? c.trained[0][t] : 1);
    last_update += 1e-4 * (c.in_ab[t] ? c.trained[1][t] : 1);
    in_ab += c.in_ab[t];
    fell = fell || (c.in_ab[t] && c.share[t] < 1);
  }
  assert_int_equal(in_ab, AB_ROUNDS);
  assert_true(fell); /* else shares of 1 would do */
  assert_seconds(c.factorise, CHANGES * 5e-3);
  assert_seconds(c.compose, compose);
  assert_seconds(c.gradient, gradient);
  assert_seconds(c.update, update);
  assert_seconds(c.last_update, last_update);
}

/* VGG16's run has 15000 steps (methods.md's table); 600 are experiments/ab-training.yaml's, whose README
 * names these. */
static rh_status produce_defaults(void *context, int64_t round, bool *more)
{
  (void)context, (void)round;
  static const struct {
    int64_t rounds;
    rh_ab_periods periods;
    int64_t ramp;
  } known[] = {{15000, {4330, 759, 60}, 267}, {600, {173, 30, 2}, 11}, {1, {0, 2, 1}, 1}};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
    rounds = known[i].rounds;
    fixture_init(&f, "ab", (const char *const[]){"train.dense_ends", "off", NULL});
    const ab_state *s = f.state;
    assert_int_equal(s->periods.warm_up, known[i].periods.warm_up);
    assert_int_equal(s->periods.synchronise, known[i].periods.synchronise);
    assert_int_equal(s->periods.rebound, known[i].periods.rebound);
    assert_int_equal(s->ramp, known[i].ramp);
    assert_int_equal(f.method->check_settings(&f.world), RH_OK);
    fixture_clear(&f);
  }
  *more = false;
  return RH_OK;
}

static void test_periods_not_given_are_vgg16s_shares(void **state)
{
  (void)state;
  IN_PROCESS();
  run(produce_defaults, NULL, NULL);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_seconds_of_steps_are_charged_by_rank),
      cmocka_unit_test(test_periods_not_given_are_vgg16s_shares),
  };
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
