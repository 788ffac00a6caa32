/* AB-training against a literal version of the paper (ab_literal.h), value by value; its bits without an AB phase; what
 * it refuses.
 *
 * The model is two dense layers without anything between, both factorised: 4 x 9 and 3 x 4, so that the first matrix is
 * transposed and the second is, too. Eight ranks; Tw 3, Ts 5, Td 2, a cut of .6, so that ranks fall.
 */
#include "ab_literal.h"

/* What is followed: ranks in groups, an optimiser, a schedule. */
typedef struct setting {
  int sync; /* enum ab_sync */
  const char *groups;
  int32_t group_of[N]; /* as `groups` says */
  int32_t count;
  rh_optimiser optimiser;
  double lr, fall, lr_min; /* the scheduled rate of round t: lr (1 - fall t) */
  int clipped_from;        /* rounds from here on include a FULL one whose gradient is clipped; ROUNDS: not asked */
} setting;

static const char *const modes[] = {"with-stale", "only-learned", "full", "only-b"};

static void begin(const setting *s, fixture *f, literal *l)
{
  const char *const settings[] = {
      AB_SETTINGS,     "train.ab_ramp", "3", "train.groups", s->groups, "train.group_size", "2",
      "train.ab_sync", modes[s->sync],  NULL};
  optimiser = s->optimiser;
  lr_min = s->lr_min;
  zones = s->count;
  memcpy(zone_of, s->group_of, sizeof zone_of);
  if (strcmp(s->groups, "blocks") == 0) /* zones are others, and nothing hangs on them */
    for (int k = 0; k < N; k++)
      zone_of[k] = k % s->count;
  fixture_init(f, "ab", settings);
  to_clear[0] = f;
  const bool one_group = s->sync == AB_SYNC_ONLY_B;
  for (int k = 0; k < N; k++) {
    for (int p = 0; p < P; p++)
      l->rank[k].x[p] = rh_replicas_parameters(f->world.replicas, k)[p];
    l->rank[k].group = one_group ? 0 : s->group_of[k];
    l->rank[k].trains_a = !one_group && s->group_of[k] < s->count / 2;
  }
  l->ramp_start = -100;
}

/* The literal version's round; returns whether it clipped a gradient in FULL. */
static bool literal_round(const setting *s, literal *l, const double g[N][P], double rate)
{
  if (!l->in_ab) return literal_full_step(l, g, rate);
  for (int k = 0; k < (s->sync == AB_SYNC_ONLY_B ? 1 : s->count); k++)
    literal_group_step(l, g, k, rate);
  return false;
}

/* The phase by hand (Tw 3, Ts 5, Td 2); the learning rate starts again where it changes (R 3). */
static double literal_change(const setting *s, literal *l, int64_t t)
{
  static const char phases[ROUNDS + 1] = "FFFAAFFAAAFFAAAFF";
  const double scheduled = s->lr * (1 - s->fall * (double)t);
  const bool wanted = phases[t] == 'A';
  if (wanted != l->in_ab) {
    if (wanted)
      literal_enter(l, t == 3 ? 0 : .6);
    else
      literal_leave(l, s->sync);
    l->ramp_start = t;
    l->ramp_lr = scheduled;
  }
  const int64_t k = t - l->ramp_start + 1;
  return k > 3 ? scheduled : fmin(scheduled, (double)k * (l->ramp_lr - s->lr_min) / 3);
}

/* f32 against double over 17 rounds: some 1e-6 each round. */
static void assert_same_values(const setting *s, const fixture *f, const literal *l, int t)
{
  for (int k = 0; k < N; k++) {
    const float *x = rh_replicas_parameters(f->world.replicas, k);
    for (int p = 0; p < P; p++)
      if (!(fabs(x[p] - l->rank[k].x[p]) < 2e-5))
        fail_msg("%s, groups %s, round %d, rank %d, value %d: %g, literally %g", modes[s->sync], s->groups, t, k, p,
                 (double)x[p], l->rank[k].x[p]);
  }
}

/* What is evaluated: the mean over ranks, not over groups. */
static void assert_same_mean(const fixture *f, const literal *l)
{
  float *mean = calloc((size_t)f->model.stride, sizeof *mean);
  RH_ASSERT(mean && rh_replicas_mean(f->world.replicas, mean) == RH_OK);
  for (int p = 0; p < P; p++) {
    double sum = 0;
    for (int k = 0; k < N; k++)
      sum += l->rank[k].x[p] / N;
    assert_true(fabs(mean[p] - sum) < 2e-5);
  }
  free(mean);
}

/* Both versions side by side. */
static void follow(const setting *s)
{
  static fixture f; /* what is appended borrows from it until the schedule has run */
  literal *l = calloc(1, sizeof *l);
  rh_batches batches;
  rh_workspace *ws;
  begin(s, &f, l);
  RH_ASSERT(rh_batches_init(&f.dataset, &f.partition, 1, &batches) == RH_OK);
  RH_ASSERT(rh_workspace_new(&f.model, test_backend(), BATCH, 1, &ws) == RH_OK);
  bool fell = false, did_clip = s->clipped_from == ROUNDS;
  for (int64_t t = 0; t < ROUNDS; t++) {
    const double rate = literal_change(s, l, t);
    double g[N][P];
    for (int k = 0; k < N; k++)
      literal_gradient(&f, &batches, ws, &l->rank[k], k, t, g[k]);
    const bool clipping = literal_round(s, l, g, rate);
    did_clip = did_clip || (clipping && t >= s->clipped_from);
    RH_ASSERT(f.method->round(&f.world, f.state, t, s->lr * (1 - s->fall * (double)t)) == RH_OK);
    assert_int_equal(rh_replicas_copies(f.world.replicas), t < 3 || s->sync == AB_SYNC_ONLY_B ? 1 : s->count);
    assert_string_equal(f.world.phase, l->in_ab ? "AB" : "FULL");
    assert_true(fabs(f.world.learning_rate - rate) < 1e-12);
    for (int w = 0; l->in_ab && w < 2; w++)
      assert_int_equal(f.world.ranks[w], l->r[w]);
    fell = fell || (l->in_ab && l->r[0] < HIDDEN);
    assert_same_values(s, &f, l, (int)t);
    assert_same_mean(&f, l);
  }
  assert_true(fell); /* the cut did something */
  assert_true(did_clip);
  rh_workspace_free(ws);
  rh_batches_clear(&batches);
  free(l);
}

/* Values need a schedule to append to, and that needs a platform: rounds run inside one schedule's production. */
static rh_status produce_follow(void *context, int64_t round, bool *more)
{
  (void)round;
  follow(context);
  *more = false;
  return RH_OK;
}

/* Four groups of two consecutive ranks; momentum. */
static void follow_blocks(int sync)
{
  setting s = {.sync = sync,
               .groups = "blocks",
               .group_of = {0, 0, 1, 1, 2, 2, 3, 3},
               .count = 4,
               .optimiser = {.kind = RH_OPTIMISER_SGD, .momentum = momentum, .clip = 1},
               .lr = lr,
               .clipped_from = ROUNDS};
  run(produce_follow, &s, NULL);
}

/* Three zones whose ranks are neither consecutive nor as many in each: two train A, four and two train B. AdamW counts
 * the steps of each tensor; FULL steps are clipped as well; the rate falls, and its smallest is not 0. */
static void follow_zones(int sync)
{
  setting s = {
      .sync = sync,
      .groups = "zones",
      .group_of = {0, 1, 1, 0, 2, 1, 2, 1},
      .count = 3,
      .optimiser = {.kind = RH_OPTIMISER_ADAMW, .beta1 = .9, .beta2 = .95, .epsilon = 1e-3, .decay = .1, .clip = .1},
      .lr = .02,
      .fall = .05,
      .lr_min = .001,
      .clipped_from = 5};
  run(produce_follow, &s, NULL);
}

#define FOLLOWS(mode, sync)                                                                                            \
  static void test_##mode##_follows_the_paper_rank_by_rank(void **state)                                               \
  {                                                                                                                    \
    (void)state;                                                                                                       \
    IN_PROCESS();                                                                                                      \
    follow_blocks(sync);                                                                                               \
  }                                                                                                                    \
  static void test_##mode##_follows_the_paper_in_unequal_zones_with_adamw(void **state)                                \
  {                                                                                                                    \
    (void)state;                                                                                                       \
    IN_PROCESS();                                                                                                      \
    follow_zones(sync);                                                                                                \
  }
FOLLOWS(with_stale, AB_SYNC_WITH_STALE)
FOLLOWS(only_learned, AB_SYNC_ONLY_LEARNED)
FOLLOWS(full, AB_SYNC_FULL)
FOLLOWS(only_b, AB_SYNC_ONLY_B)

/* A warm-up longer than the training: the very bits of `allreduce`, moments included. */
static rh_status produce_warm_up(void *context, int64_t round, bool *more)
{
  (void)context, (void)round;
  const char *const settings[] = {"train.ab_warmup", "100", "train.dense_ends", "off", NULL};
  static fixture ab, plain;
  fixture_init(&ab, "ab", settings);
  fixture_init(&plain, "allreduce", NULL);
  for (int64_t t = 0; t < ROUNDS; t++) {
    RH_ASSERT(ab.method->round(&ab.world, ab.state, t, lr) == RH_OK);
    RH_ASSERT(plain.method->round(&plain.world, plain.state, t, lr) == RH_OK);
    assert_true(ab.world.train_loss == plain.world.train_loss);
  }
  assert_true(rh_replicas_hash(ab.world.replicas) == rh_replicas_hash(plain.world.replicas));
  to_clear[0] = &ab;
  to_clear[1] = &plain;
  *more = false;
  return RH_OK;
}

static void test_endless_warm_up_is_allreduce_bit_for_bit(void **state)
{
  (void)state;
  IN_PROCESS();
  run(produce_warm_up, NULL, NULL);
}

/* Values that are not finite have no singular values: that is a training that diverged, not an error. */
static rh_status produce_divergence(void *context, int64_t round, bool *more)
{
  (void)context, (void)round;
  const char *const settings[] = {
      "train.ab_warmup", "1", "train.ab_period", "5", "train.ab_rebound", "2", "train.dense_ends", "off", NULL};
  static fixture f;
  fixture_init(&f, "ab", settings);
  to_clear[0] = &f;
  to_clear[1] = NULL;
  RH_ASSERT(f.method->round(&f.world, f.state, 0, lr) == RH_OK);
  assert_true(isfinite(f.world.train_loss));
  rh_replicas_parameters(f.world.replicas, 0)[0] = -INFINITY;
  assert_int_equal(f.method->round(&f.world, f.state, 1, lr), RH_OK);
  assert_string_equal(f.world.phase, "FULL");
  assert_true(isnan(f.world.train_loss));
  *more = false;
  return RH_OK;
}

static void test_weights_that_are_not_finite_are_a_divergence(void **state)
{
  (void)state;
  IN_PROCESS();
  run(produce_divergence, NULL, NULL);
}

/* Factors of lr_steps may take the schedule below lr_min: the ramp then stands at 0 and does not climb the loss. */
static rh_status produce_low_rate(void *context, int64_t round, bool *more)
{
  (void)context, (void)round;
  const char *const settings[] = {"train.ab_warmup",
                                  "1",
                                  "train.ab_period",
                                  "5",
                                  "train.ab_rebound",
                                  "2",
                                  "train.ab_ramp",
                                  "2",
                                  "train.dense_ends",
                                  "off",
                                  NULL};
  static fixture f;
  lr_min = .1;
  fixture_init(&f, "ab", settings);
  to_clear[0] = &f;
  const double expected[] = {.05, 0, 0, .05}; /* ramp in rounds 1 and 2 */
  for (int64_t t = 0; t < 4; t++) {
    RH_ASSERT(f.method->round(&f.world, f.state, t, .05) == RH_OK);
    assert_true(f.world.learning_rate == expected[t]);
  }
  *more = false;
  return RH_OK;
}

static void test_ramp_is_never_below_nothing(void **state)
{
  (void)state;
  IN_PROCESS();
  run(produce_low_rate, NULL, NULL);
}

/* What `check` refuses, and what of the reason must be said. */
static void refuse(const char *const *settings, int32_t zones, const char *compressor, const char *said)
{
  fixture f;
  const char *const good[] = {"train.dense_ends", "off", NULL};
  fixture_init(&f, "ab", good);
  rh_settings given = {0};
  for (; settings[0]; settings += 2)
    rh_settings_set(&given, settings[0], settings[1], "test", NULL);
  RH_ASSERT(rh_option_read(f.method->options, f.method->option_count, "train", &given, f.options) == RH_OK);
  rh_settings_clear(&given);
  f.world.zone_count = zones;
  f.world.compressor = rh_compressor_find(compressor);
  rh_status status = f.method->check_settings(&f.world);
  if (status == RH_OK) status = f.method->check(&f.world);
  assert_int_equal(status, RH_EINVAL);
  if (!strstr(rh_error_message(), said)) fail_msg("\"%s\" is not in: %s", said, rh_error_message());
  fixture_clear(&f);
}

static void test_what_cannot_work_is_refused_with_its_reason(void **state)
{
  (void)state;
  refuse((const char *const[]){"train.groups", "blocks", "train.group_size", "3", "train.dense_ends", "off", NULL}, 4,
         "none", "does not divide");
  refuse((const char *const[]){"train.dense_ends", "off", NULL}, 1, "none", "one group only");
  refuse((const char *const[]){"train.groups", "blocks", "train.group_size", "8", "train.dense_ends", "off", NULL}, 4,
         "none", "one group only");
  refuse((const char *const[]){"train.ab_period", "5", "train.ab_rebound", "5", "train.dense_ends", "off", NULL}, 4,
         "none", "must be at least 1 and less than");
  refuse((const char *const[]){"train.dense_ends", "on", NULL}, 4, "none", "nothing to factorise");
  refuse((const char *const[]){"train.dense_ends", "off", NULL}, 4, "topk", "must be none");
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_with_stale_follows_the_paper_rank_by_rank),
      cmocka_unit_test(test_only_learned_follows_the_paper_rank_by_rank),
      cmocka_unit_test(test_full_follows_the_paper_rank_by_rank),
      cmocka_unit_test(test_only_b_follows_the_paper_rank_by_rank),
      cmocka_unit_test(test_with_stale_follows_the_paper_in_unequal_zones_with_adamw),
      cmocka_unit_test(test_only_learned_follows_the_paper_in_unequal_zones_with_adamw),
      cmocka_unit_test(test_full_follows_the_paper_in_unequal_zones_with_adamw),
      cmocka_unit_test(test_only_b_follows_the_paper_in_unequal_zones_with_adamw),
      cmocka_unit_test(test_endless_warm_up_is_allreduce_bit_for_bit),
      cmocka_unit_test(test_weights_that_are_not_finite_are_a_divergence),
      cmocka_unit_test(test_ramp_is_never_below_nothing),
      cmocka_unit_test(test_what_cannot_work_is_refused_with_its_reason),
  };
  in_process_begin(argc, argv);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
