/* Error feedback in theory: on convex problems it mends compressors that contract, and what the theory excludes fails.
 *
 * Symbols     N workers with losses f_i, f their mean, x* its minimum, g_i gradient of f_i at x_t, gamma step,
 *             L smoothness, C compressor with |C(p) - p|^2 <= (1 - delta) |p|^2, e_i what is fed back, e their mean
 * Round       p_i = g_i + e_i, m_i = C(p_i), e_i' = p_i - m_i, x_{t+1} = x_t - gamma mean of m_i
 *
 * Bound       y_t = x_t - gamma e_t moves by exact gradients: y_{t+1} = y_t - gamma grad f(x_t). For convex f and
 *             gamma <= 1 / (2 L), with <grad f(x_t), x_t - x*> >= f(x_t) - f* + |grad f(x_t)|^2 / (2 L):
 *                 2 gamma (f(x_t) - f*) <= |y_t - x*|^2 - |y_{t+1} - x*|^2 + 2 L gamma^3 |e_t|^2
 *             and |e_t|^2 <= 4 (1 - delta) / delta^2 G^2, G the longest gradient (Karimireddy et al. 2019, lemma 3), so
 *                 mean over t < T of f(x_t) - f* <= |x_0 - x*|^2 / (2 gamma T) + 4 L gamma^2 (1 - delta) / delta^2 G^2
 */
#include "convex.h"

/* A compressor that may be fed back, and what its claim is worth. */
typedef struct entry {
  const char *name, *key, *value;
  bool promises; /* a delta that makes the bound say more than f(x_0) - f* */
} entry;

static const entry contractions[] = {
    {"none", NULL, NULL, true},
    {"topk", "compress.ratio", "0.1", true},
    {"randomk", "compress.ratio", "0.1", true},
    {"ef-sign", NULL, NULL, true},
    {"int", "compress.bits", "4", true},
    {"int8", NULL, NULL, true},
    {"fp16", NULL, NULL, true}, /* what rounding their sums adds, which is not fed back, is too little to see here */
    {"bf16", NULL, NULL, true},
    {"qsgd", "compress.bits", "6", true},
    {"lowrank", "compress.warm", "off", true},
    {"topk", "compress.ratio", "0.02", false}, /* delta = 1 / 60 */
    {"lowrank", "compress.rank", "1", false},  /* a projection only */
};

static double bound(const problem *p, const training *t, double claimed, double rate, int64_t rounds)
{
  double squares = 0;
  for (int v = 0; v < D; v++)
    squares += (p->start[v] - p->minimum[v]) * (p->start[v] - p->minimum[v]);
  /* A deterministic one did on this path what it did; of a random one the expectation counts. */
  const double delta = fmax(claimed, t->contraction);
  assert_true(rate <= 1 / (2 * p->smoothness) && delta > 0);
  return squares / (2 * rate * (double)rounds) +
         4 * p->smoothness * rate * rate * (1 - delta) / (delta * delta) * t->longest * t->longest;
}

static double claimed_delta(const problem *p, const entry *c)
{
  const rh_compressor *compressor = rh_compressor_find(c->name);
  assert_non_null(compressor);
  void *options = options_new(compressor, c->key, c->value);
  const rh_feedback_options feedback = {.kind = RH_FEEDBACK_CLASSIC};
  if (rh_feedback_check(&feedback, compressor, options, &p->layout) != RH_OK) fail_msg("%s", rh_error_message());
  const rh_claims claims = compressor->claims(options, &p->layout);
  free(options);
  return fmax(claims.contraction, claims.unbiased ? 1 - claims.variance : 0);
}

enum { ROUNDS = 4000 };
static const double step = 0.02; /* ROUNDS steps shrink what is left by e^-8 */

/* Every contraction, fed back, keeps to the bound and ends within a thousandth of the uncompressed loss. Measured: at
 * most 1.5e-4 of 0.375 at the start (topk of 1 value in 60), and the mean gap 0.51 of the bound or less. */
static void with_feedback_contractions_converge_as_the_theory_says(void **state)
{
  (void)state;
  const problem p = softmax_problem();
  const double start = p.loss(&p, p.start) - p.least;
  const double uncompressed = train(&p, "none", NULL, NULL, false, step, ROUNDS).loss;
  for (size_t i = 0; i < RH_COUNT(contractions); i++) {
    const entry *c = &contractions[i];
    const training t = train(&p, c->name, c->key, c->value, true, step, ROUNDS);
    const double limit = bound(&p, &t, claimed_delta(&p, c), step, ROUNDS);
    if (c->promises && !(limit < start)) fail_msg("%s: the bound %g says nothing", c->name, limit);
    if (!(t.mean_loss - p.least <= limit)) fail_msg("%s: %g > %g", c->name, t.mean_loss - p.least, limit);
    if (!(fabs(t.loss - uncompressed) < 1e-3 * start)) fail_msg("%s: %g is left", c->name, t.loss - uncompressed);
  }
}

/* The bound's second term falls with gamma^2: a smaller step comes nearer. */
static void with_feedback_a_smaller_step_ends_nearer(void **state)
{
  (void)state;
  const problem p = softmax_problem();
  static const entry some[] = {{"topk", "compress.ratio", "0.1", true}, {"ef-sign", NULL, NULL, true}};
  for (size_t i = 0; i < RH_COUNT(some); i++) {
    const entry *c = &some[i];
    const double coarse = train(&p, c->name, c->key, c->value, true, step, ROUNDS).loss - p.least;
    const double fine = train(&p, c->name, c->key, c->value, true, step / 2, ROUNDS * 2).loss - p.least;
    assert_true(coarse > 1e-6); /* else there is nothing to see */
    assert_true(fine < coarse / 3);
  }
}

/* Negative control: the same compressors alone. Workers that know different classes send different places (topk), or
 * outvote each other (sign): they stop far from the minimum, here even above the loss of the start, and a smaller step
 * does not help. */
static void without_feedback_topk_and_sign_do_not_converge(void **state)
{
  (void)state;
  const problem p = softmax_problem();
  const double start = p.loss(&p, p.start) - p.least;
  static const entry alone[] = {{"topk", "compress.ratio", "0.1", false},
                                {"topk", "compress.ratio", "0.02", false},
                                {"sign", "compress.magnitude", "0.05", false},
                                {"ef-sign", NULL, NULL, false}};
  for (size_t i = 0; i < RH_COUNT(alone); i++) {
    const entry *c = &alone[i];
    const double coarse = train(&p, c->name, c->key, c->value, false, step, ROUNDS).loss - p.least;
    const double fine = train(&p, c->name, c->key, c->value, false, step / 2, ROUNDS).loss - p.least;
    if (!(coarse > 0.5 * start && fine > 0.5 * start)) fail_msg("%s alone: %g, %g", c->name, coarse, fine);
  }
}

/* Three workers, top 1 of 3 values, f_i = <a_i, x>^2 + |x|^2 / 4, a = (-3, 2, 2), (2, -3, 2), (2, 2, -3). At (b, b, b)
 * the gradients are b / 2 (-11, 9, 9) and so on: top-1 sends -11 b / 2 at another place each, and x becomes (1 + 11
 * gamma / 6) x for ever. With feedback x goes to the minimum 0.
 * source: Beznosikov, Horvath, Richtarik, Safaryan, On biased compression for distributed learning, 2020, example 1 */
static void top_1_alone_grows_by_the_known_factor(void **state)
{
  (void)state;
  static const double a[][3] = {{-3, 2, 2}, {2, -3, 2}, {2, 2, -3}}, start[] = {1, 1, 1};
  static int64_t three[] = {3};
  const problem p = {.workers = 3,
                     .layout = {1, three, three, 3},
                     .loss = quadratic_loss,
                     .gradient = quadratic_gradient,
                     .start = start,
                     .direction = a,
                     .curvature = 0.5};
  const training alone = train(&p, "topk", "compress.ratio", "0.34", false, 0.01, 500);
  const double expected = pow(1 + 11 * 0.01 / 6, 500); /* 8800 */
  for (int v = 0; v < 3; v++)                          /* 500 gradients rounded to f32 */
    assert_true(fabs(alone.x[v] / expected - 1) < 500 * 0x1p-24);
  const training fed = train(&p, "topk", "compress.ratio", "0.34", true, 0.01, 2000);
  assert_true(fed.loss < 1e-6 * p.loss(&p, start));
}

/* f_i = <a_i, x>^2, a = (1 + c, c - 1) twice and (c - 1, 1 + c), c = 1/4: all signs of all gradients are +-(1, -1), so
 * x_1 + x_2 never changes, and on the line through (1, 1) the loss is at least 2 / 9. The minimum is 0, at 0.
 * source: Karimireddy, Rebjock, Stich, Jaggi, ICML 2019, counterexample 3 */
static void sign_alone_never_leaves_a_line(void **state)
{
  (void)state;
  static const double a[][3] = {{1.25, -0.75}, {1.25, -0.75}, {-0.75, 1.25}}, start[] = {1, 1};
  static int64_t two[] = {2};
  const problem p = {.workers = 3,
                     .layout = {1, two, two, 2},
                     .loss = quadratic_loss,
                     .gradient = quadratic_gradient,
                     .start = start,
                     .direction = a};
  static const entry alone[] = {{"sign", "compress.magnitude", "0.01", false}, {"ef-sign", NULL, NULL, false}};
  for (size_t i = 0; i < RH_COUNT(alone); i++) {
    const training t = train(&p, alone[i].name, alone[i].key, alone[i].value, false, 0.05, 2000);
    assert_true(fabs(t.x[0] + t.x[1] - 2) < 1e-9);
    assert_true(fabs(t.x[0] - 1) > 0.05); /* it did move */
    assert_true(t.loss > 2.0 / 9 - 1e-9);
  }
  assert_true(train(&p, "ef-sign", NULL, NULL, true, 0.05, 2000).loss < 1e-6);
}

static void check(const rh_layout *layout, int kind, const char *name, const char *key, const char *value,
                  const char *reason)
{
  const rh_compressor *c = rh_compressor_find(name);
  if (!c) fail_msg("no compressor '%s'", name);
  void *options = options_new(c, key, value);
  const rh_feedback_options feedback = {.kind = kind};
  const rh_status status = rh_feedback_check(&feedback, c, options, layout);
  free(options);
  assert_int_equal(status, reason ? RH_EUNSUPPORTED : RH_OK);
  if (reason && !strstr(rh_error_message(), reason)) fail_msg("'%s' is not in: %s", reason, rh_error_message());
}

static void feedback_is_refused_with_the_reason(void **state)
{
  (void)state;
  int64_t many[] = {100352}, sides[] = {784};
  const rh_layout layout = {1, many, sides, 100352};
  static const int kinds[] = {RH_FEEDBACK_CLASSIC, RH_FEEDBACK_STEP_AHEAD};
  for (size_t k = 0; k < RH_COUNT(kinds); k++) {
    /* one level, buckets of 512: sqrt(512) = 22.6 */
    check(&layout, kinds[k], "qsgd", "compress.bits", "2", "a variance of up to 22.6 |x|^2");
    check(&layout, kinds[k], "qsgd", "compress.bits", "2", "smaller buckets");
    check(&layout, kinds[k], "randomk", "compress.scale", "on", "a variance of up to");
    check(&layout, kinds[k], "sign", NULL, NULL, "neither contracts its input nor bounds the error");
    check(&layout, kinds[k], "dgc", NULL, NULL, "keeps what it does not send by itself");
    check(&layout, kinds[k], "qsgd", NULL, NULL, NULL); /* 8 bits: 512 / 127^2 */
    check(&layout, kinds[k], "topk", NULL, NULL, NULL);
    check(&layout, kinds[k], "lowrank", NULL, NULL, NULL);
    check(&layout, kinds[k], "threshold", NULL, NULL, NULL); /* bounded */
  }
  check(&layout, RH_FEEDBACK_NONE, "qsgd", "compress.bits", "2", NULL);
  check(&layout, RH_FEEDBACK_NONE, "sign", NULL, NULL, NULL);
  check(&layout, RH_FEEDBACK_NONE, "dgc", NULL, NULL, NULL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(with_feedback_contractions_converge_as_the_theory_says),
      cmocka_unit_test(with_feedback_a_smaller_step_ends_nearer),
      cmocka_unit_test(without_feedback_topk_and_sign_do_not_converge),
      cmocka_unit_test(top_1_alone_grows_by_the_known_factor),
      cmocka_unit_test(sign_alone_never_leaves_a_line),
      cmocka_unit_test(feedback_is_refused_with_the_reason),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
