/* Optimisers: steps by hand, in double, and the same in all backends; clipping. Learning rates at named rounds. */
#include "cmocka_all.h"

#include <stdlib.h>

#include "optim.h"
#include "rate.h"
#include "tensors.h"

static const rh_backend *const backends[] = {&rh_backend_ref, &rh_backend_cpu, &rh_backend_poison};
enum { SHAPES = 25 };

/* x 1, u 2, g 3, momentum .5, decay 4, lr .25: g + decay x = 7, u = .5 2 + 7 = 8; x = 1 - .25 (7 + .5 8) = -1.75 */
static void nesterov_by_hand(void **state)
{
  (void)state;
  const rh_sgd sgd = {.lr = 0.25, .momentum = 0.5, .decay = 4, .nesterov = true};
  for (int64_t b = 0; b < COUNT_OF(backends); b++) {
    float x = 1, u = 2, g = 3;
    backends[b]->sgd_step(&sgd, 1, 1, (rh_tensor){&x, 0}, (rh_tensor){&u, 0}, (rh_tensor){&g, 0});
    assert_true(x == -1.75F && u == 8 && g == 3);
  }
}

/* beta1 .5, beta2 .75, epsilon 2, decay .5, lr .25, always g 2. Step 1: m = 1, over 1 - .5 it is 2; v = 1, over 1 - .75
 * it is 4; x = 1 - .25 (.5 1 + 2 / (2 + 2)) = .75. Step 2: m = 1.5 over .75, v = 1.75 over .4375: again 2 and 4;
 * x = .75 - .25 (.5 .75 + .5) = .53125. Thirds and sevenths are rounded to f32: 1e-6. */
static void adamw_by_hand(void **state)
{
  (void)state;
  for (int64_t b = 0; b < COUNT_OF(backends); b++) {
    rh_adamw adamw = {.lr = 0.25, .beta1 = 0.5, .beta2 = 0.75, .epsilon = 2, .decay = 0.5, .step = 1};
    float x = 1, m = 0, v = 0, g = 2;
    const rh_tensor x1 = {&x, 0}, m1 = {&m, 0}, v1 = {&v, 0}, g1 = {&g, 0};
    backends[b]->adamw_step(&adamw, 1, 1, x1, m1, v1, g1);
    assert_true(x == 0.75F && m == 1 && v == 1 && g == 2);
    adamw.step = 2;
    backends[b]->adamw_step(&adamw, 1, 1, x1, m1, v1, g1);
    assert_true(fabs(x - 0.53125) < 1e-6 && m == 1.5F && v == 1.75F);
  }
}

/* The formulas of optim.h in double. */
typedef struct exact {
  double x, m, v;
} exact;

static void exact_step(const rh_optimiser *o, exact *e, double g, double lr, int64_t t)
{
  if (o->kind == RH_OPTIMISER_SGD) {
    e->m = o->momentum * e->m + (g + o->decay * e->x);
    e->x -= lr * (o->nesterov ? g + o->decay * e->x + o->momentum * e->m : e->m);
    return;
  }
  e->m = o->beta1 * e->m + (1 - o->beta1) * g;
  e->v = o->beta2 * e->v + (1 - o->beta2) * g * g;
  const double m = e->m / (1 - pow(o->beta1, (double)t)), v = e->v / (1 - pow(o->beta2, (double)t));
  e->x -= lr * (o->decay * e->x + m / (sqrt(v) + o->epsilon));
}

static const rh_optimiser kinds[] = {
    {.kind = RH_OPTIMISER_SGD, .momentum = 0.9, .decay = 1e-3},
    {.kind = RH_OPTIMISER_SGD, .momentum = 0.9, .decay = 1e-3, .nesterov = true},
    {.kind = RH_OPTIMISER_ADAMW, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .decay = 0.1},
};

/* 40 steps on 333 values, cut into parts of two lengths: the parts have the bits of the whole. In f32 each step rounds
 * x (size 1 to 3) to 6e-8 of itself some four times, and momentum carries an error for ten steps: 1e-5 is that with a
 * margin. lr .01, so that x moves by up to .4 with adamw and more with sgd. */
static void many_steps_follow_the_formulas(void **state)
{
  (void)state;
  enum { VALUES = 333, PART = 100, STEPS = 40 };
  static float x[2][VALUES], moments[2][RH_MOMENTS_MAX][VALUES], g[VALUES];
  static exact e[VALUES];
  rng = rh_rng_stream(21, RH_PURPOSE_TEST, 0, 0);
  for (size_t kind = 0; kind < RH_COUNT(kinds); kind++)
    for (int64_t b = 0; b < COUNT_OF(backends); b++) {
      const rh_optimiser *o = &kinds[kind];
      memset(moments, 0, sizeof moments);
      for (int i = 0; i < VALUES; i++)
        e[i] = (exact){.x = x[0][i] = x[1][i] = (float)rh_rng_normal(&rng)};
      for (int64_t t = 1; t <= STEPS; t++) {
        for (int i = 0; i < VALUES; i++)
          exact_step(o, &e[i], g[i] = (float)rh_rng_normal(&rng), 0.01, t);
        rh_optimiser_step(o, backends[b], VALUES, x[0], (float *[]){moments[0][0], moments[0][1]}, g, 0.01, t);
        for (int from = 0; from < VALUES; from += PART)
          rh_optimiser_step(o, backends[b], VALUES - from < PART ? VALUES - from : PART, x[1] + from,
                            (float *[]){moments[1][0] + from, moments[1][1] + from}, g + from, 0.01, t);
      }
      assert_memory_equal(x[0], x[1], sizeof x[0]);
      assert_memory_equal(moments[0], moments[1], sizeof moments[0]);
      for (int i = 0; i < VALUES; i++)
        if (!(fabs(x[0][i] - e[i].x) < 1e-5)) fail_msg("kind %zu, value %d: %.9g, %.9g", kind, i, x[0][i], e[i].x);
    }
}

static void backends_agree_in_every_bit(void **state)
{
  (void)state;
  rng = rh_rng_stream(22, RH_PURPOSE_TEST, 0, 0);
  const rh_sgd sgd = {.lr = 0.05, .momentum = 0.9, .decay = 1e-2, .nesterov = true};
  for (int i = 0; i < SHAPES; i++) {
    const rh_adamw adamw = {
        .lr = 0.05, .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-8, .decay = 1e-2, .step = between(1, 5000)};
    const int64_t n = between(1, 300), count = between(1, 4);
    rh_tensor x = new_random(count, n), m = new_random(count, n), v = new_random(count, n), g = new_random(count, n);
    for (int64_t r = 0; r < count; r++)
      for (int64_t k = 0; k < n; k++)
        v.data[r * v.stride + k] *= v.data[r * v.stride + k];
    rh_tensor x0 = new_copy(x, count), m0 = new_copy(m, count), v0 = new_copy(v, count);
    rh_backend_ref.adamw_step(&adamw, n, count, x0, m0, v0, g);
    rh_backend_cpu.adamw_step(&adamw, n, count, x, m, v, g);
    rh_backend_ref.sgd_step(&sgd, n, count, x0, m0, g);
    rh_backend_cpu.sgd_step(&sgd, n, count, x, m, g);
    check("x", count, n, x0, x, 0);
    check("m", count, n, m0, m, 0);
    check("v", count, n, v0, v, 0);
    drop(g);
  }
}

/* With a gradient that never changes, the first moment over the root of the second is its sign from the first step on:
 * every value moves by lr, however small or large its gradient. */
static void adamw_moves_by_lr_whatever_the_scale(void **state)
{
  (void)state;
  const rh_optimiser o = {.kind = RH_OPTIMISER_ADAMW, .beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-12};
  float x[4] = {0}, m[4] = {0}, v[4] = {0};
  const float g[4] = {1e-6F, -1e-3F, 1, -1e3F};
  for (int64_t t = 1; t <= 100; t++)
    rh_optimiser_step(&o, &rh_backend_cpu, 4, x, (float *[]){m, v}, g, 0.01, t);
  for (int i = 0; i < 4; i++) /* 100 steps, each rounded to a few ulp */
    assert_true(fabs(fabs(x[i]) - 1) < 1e-4 && (x[i] < 0) == (g[i] > 0));
}

static void long_gradients_are_clipped(void **state)
{
  (void)state;
  const rh_optimiser clipped = {.clip = 2.5}, free_ = {.clip = 0};
  assert_true(rh_optimiser_clip(&clipped, 25) == 0.5); /* |(3, 4)| = 5 */
  assert_true(rh_optimiser_clip(&clipped, 6.25) == 1); /* just as long */
  assert_true(rh_optimiser_clip(&clipped, 0) == 1);
  assert_true(rh_optimiser_clip(&free_, 1e300) == 1);
  assert_true(rh_optimiser_clip(&clipped, INFINITY) == 0); /* what is not finite times 0 is NaN: it shows */
  assert_true(rh_optimiser_clip(&clipped, NAN) == 1);      /* likewise */
}

/* Small integers: exact. Lengths around the 16 partial sums. */
static void squared_norm_is_exact_on_integers(void **state)
{
  (void)state;
  float g[70];
  double sum = 0;
  for (int n = 0; n < 70; n++) {
    assert_true(rh_squared_norm(n, g) == sum);
    g[n] = (float)(n % 7 - 3);
    sum += (n % 7 - 3) * (n % 7 - 3);
  }
}

static rh_status read_optimiser(const char *key, const char *value, rh_optimiser *o)
{
  rh_settings settings = {0};
  if (key) rh_settings_set(&settings, key, value, "test", NULL);
  rh_status status = rh_option_read(rh_optimiser_rows, rh_optimiser_row_count, "train", &settings, o);
  rh_settings_clear(&settings);
  return status;
}

static void options_are_read_and_checked(void **state)
{
  (void)state;
  rh_optimiser o;
  assert_int_equal(read_optimiser(NULL, NULL, &o), RH_OK);
  assert_true(o.kind == RH_OPTIMISER_SGD && o.momentum == 0.9 && !o.nesterov && o.decay == 0 && o.clip == 0);
  assert_true(o.beta1 == 0.9 && o.beta2 == 0.999 && o.epsilon == 1e-8);
  assert_int_equal(rh_optimiser_moments(&o), 1);
  assert_int_equal(read_optimiser("train.optimiser", "adamw", &o), RH_OK);
  assert_int_equal(rh_optimiser_moments(&o), 2);
  assert_int_equal(read_optimiser("train.optimiser", "adam", &o), RH_EINVAL);
  assert_int_equal(read_optimiser("train.beta1", "1", &o), RH_EINVAL);   /* a mean of nothing */
  assert_int_equal(read_optimiser("train.epsilon", "0", &o), RH_EINVAL); /* 0 / 0 where no gradient ever was */
  assert_int_equal(read_optimiser("train.clip", "-1", &o), RH_EINVAL);
}

static bool near(double value, double expected)
{
  return fabs(value - expected) < 1e-12;
}

static void rates_of_steps(void **state)
{
  (void)state;
  rh_rate r = {.lr = 0.8, .lr_steps = {.count = 2, .step = {{10, 0.5}, {20, 0.1}}}};
  assert_int_equal(rh_rate_check(&r, 30), RH_OK);
  assert_true(rh_rate_at(&r, 0, 30) == 0.8 && rh_rate_at(&r, 9, 30) == 0.8);
  assert_true(near(rh_rate_at(&r, 10, 30), 0.4) && near(rh_rate_at(&r, 20, 30), 0.04));
  r.lr_warmup = 3; /* quarters of the way from lr_min to lr */
  r.lr_min = 0.4;
  assert_true(near(rh_rate_at(&r, 0, 30), 0.5) && near(rh_rate_at(&r, 2, 30), 0.7) && rh_rate_at(&r, 3, 30) == 0.8);
  r.lr_cooldown = 12; /* rounds 18 and 19 have the last round's rate already */
  assert_true(near(rh_rate_at(&r, 17, 30), 0.4) && near(rh_rate_at(&r, 18, 30), 0.04));
}

/* The paper's VGG16 run (methods.md): 150 epochs of 100 rounds, ten epochs of warm-up and of cool-down, 3e-3
 * and 1e-5. */
static void rates_of_a_cosine(void **state)
{
  (void)state;
  enum { T = 15000 };
  const rh_rate r = {.kind = RH_RATE_COSINE, .lr = 3e-3, .lr_min = 1e-5, .lr_warmup = 1000, .lr_cooldown = 1000};
  assert_int_equal(rh_rate_check(&r, T), RH_OK);
  assert_true(near(rh_rate_at(&r, 0, T), 1e-5 + 2.99e-3 / 1001));
  assert_true(near(rh_rate_at(&r, 999, T), 1e-5 + 2.99e-3 * 1000 / 1001));
  assert_true(near(rh_rate_at(&r, 1000, T), 3e-3));
  assert_true(near(rh_rate_at(&r, 1000 + 13000 / 3, T), 1e-5 + 2.99e-3 * (1 + cos(acos(-1) * 4333 / 13000)) / 2));
  assert_true(near(rh_rate_at(&r, 7500, T), 1.505e-3)); /* half way */
  assert_true(rh_rate_at(&r, 13999, T) > 1e-5 && rh_rate_at(&r, 14000, T) == 1e-5 && rh_rate_at(&r, T - 1, T) == 1e-5);
  for (int64_t t = 1001; t < T; t++)
    assert_true(rh_rate_at(&r, t, T) <= rh_rate_at(&r, t - 1, T));
}

static void rates_that_leave_nothing_are_refused(void **state)
{
  (void)state;
  rh_rate r = {.lr = 1, .lr_warmup = 6, .lr_cooldown = 3};
  assert_int_equal(rh_rate_check(&r, 10), RH_OK);
  r.lr_cooldown = 4;
  assert_int_equal(rh_rate_check(&r, 10), RH_EINVAL);
  assert_string_equal(rh_error_message(), "lr_warmup 6 and lr_cooldown 4 leave none of 10 rounds between them: "
                                          "together they must be fewer");
  r = (rh_rate){.lr = 1, .lr_min = 2};
  assert_int_equal(rh_rate_check(&r, 10), RH_EINVAL);
  r = (rh_rate){.lr = 1, .lr_warmup = INT64_MAX, .lr_cooldown = INT64_MAX};
  assert_int_equal(rh_rate_check(&r, 10), RH_EINVAL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nesterov_by_hand),
      cmocka_unit_test(adamw_by_hand),
      cmocka_unit_test(many_steps_follow_the_formulas),
      cmocka_unit_test(backends_agree_in_every_bit),
      cmocka_unit_test(adamw_moves_by_lr_whatever_the_scale),
      cmocka_unit_test(long_gradients_are_clipped),
      cmocka_unit_test(squared_norm_is_exact_on_integers),
      cmocka_unit_test(options_are_read_and_checked),
      cmocka_unit_test(rates_of_steps),
      cmocka_unit_test(rates_of_a_cosine),
      cmocka_unit_test(rates_that_leave_nothing_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
