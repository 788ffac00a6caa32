/* The operations of norm layers: values worked by hand, and all backends against `ref` on random shapes. Their
 * gradients are held to central differences in test_gradient.c. */
#include "cmocka_all.h"

#include <stdlib.h>

#include "model.h"
#include "tensors.h"

static const rh_backend *const backends[] = {&rh_backend_ref, &rh_backend_cpu, &rh_backend_poison};
static const rh_norm_kind kinds[] = {RH_NORM_GROUP, RH_NORM_EVO_S0, RH_NORM_RANGE_EVO};
enum { SHAPES = 25, MOST = 64 };

/* What a call of both passes on one replica gives. */
typedef struct outcome {
  float y[MOST], dx[MOST], dgain[MOST], dbias[MOST], dv[MOST];
} outcome;

static outcome compute(const rh_backend *b, const rh_norm *n, const float *x, const float *gain, const float *bias,
                       const float *v, const float *dy)
{
  outcome o;
  assert_true(n->batch * n->channels * n->places <= MOST);
  memset(&o, 255, sizeof o); /* NaN */
  const bool has_v = n->kind != RH_NORM_GROUP;
  const rh_tensor in = {(float *)x, 0}, gains = {(float *)gain, 0}, slopes = {has_v ? (float *)v : NULL, 0};
  b->norm_forward(n, 1, in, gains, (rh_tensor){(float *)bias, 0}, slopes, (rh_tensor){o.y, 0});
  b->norm_backward(n, 1, in, gains, slopes, (rh_tensor){(float *)dy, 0}, (rh_tensor){o.dgain, 0},
                   (rh_tensor){o.dbias, 0}, (rh_tensor){has_v ? o.dv : NULL, 0}, (rh_tensor){o.dx, 0});
  return o;
}

/* Within four roundings to f32 of the larger of 1 and the value. */
static void near(float value, double expected)
{
  if (!(fabs((double)value - expected) <= 4 * 6e-8 * fmax(1, fabs(expected))))
    fail_msg("%.9g, expected %.9g", (double)value, expected);
}

/* x = 1, 3: mean 2, variance 1, s = sqrt(1.00001). y = 2 q / s + 5 with q = -1, 1; dy = 1, 0:
 * ds = 2 / s^2, dx = 2 / s - (2 / s) / 2 -+ ds / (2 s). */
static void test_group_by_hand(void **state)
{
  (void)state;
  const double s = sqrt(1.00001);
  for (int64_t b = 0; b < COUNT_OF(backends); b++) {
    const outcome o = compute(backends[b], &(rh_norm){RH_NORM_GROUP, 1, 1, 2, 1}, (const float[]){1, 3},
                              (const float[]){2}, (const float[]){5}, NULL, (const float[]){1, 0});
    near(o.y[0], 5 - 2 / s);
    near(o.y[1], 5 + 2 / s);
    near(o.dbias[0], 1);
    near(o.dgain[0], -1 / s);
    near(o.dx[0], 1 / s - 1 / (s * s * s));
    near(o.dx[1], -1 / s + 1 / (s * s * s));
  }
}

/* Two channels of one place, x = 1, 3, the same s. Slopes ln 3 and 0: sigmoids of 3/4 and 1/2, q = .75, 1.5.
 * dq/dx = h + v x h (1 - h) = .75 + .1875 ln 3 and .5; dq/dv = x^2 h (1 - h) = .1875 and 2.25.
 * Gains 2 and 3, dy = 1, 1: ds = -(1.5 + 4.5) / s^2, ds/dx = -+1 / (2 s). */
static void test_evonorm_by_hand(void **state)
{
  (void)state;
  const double s = sqrt(1.00001), ds = -6 / (s * s);
  for (int64_t b = 0; b < COUNT_OF(backends); b++) {
    const float slopes[] = {(float)log(3), 0};
    const outcome o = compute(backends[b], &(rh_norm){RH_NORM_EVO_S0, 1, 2, 1, 1}, (const float[]){1, 3},
                              (const float[]){2, 3}, (const float[]){-1, 7}, slopes, (const float[]){1, 1});
    near(o.y[0], 2 * 0.75 / s - 1);
    near(o.y[1], 3 * 1.5 / s + 7);
    near(o.dgain[0], 0.75 / s);
    near(o.dgain[1], 1.5 / s);
    near(o.dbias[0], 1);
    near(o.dbias[1], 1);
    near(o.dv[0], 2 * 0.1875 / s);
    near(o.dv[1], 3 * 2.25 / s);
    near(o.dx[0], 2 / s * (0.75 + 0.1875 * log(3)) - ds / (2 * s));
    near(o.dx[1], 3 / s * 0.5 + ds / (2 * s));
  }
}

/* Four values are two chunks of M = 2: .175 (1 + sqrt(pi ln 4)) / sqrt(2 ln 2) = 0.45881074. x = 0, 3 | -3, 6: ranges 3
 * and 9, sigma = 6 x 0.45881074; h = .5, 1, 0, 1 and q = 0, 3, 0, 6. Gradient 1 everywhere: ds = -9 / s^2, and half of
 * it times the factor goes to 3 and 6, its opposite to 0 and -3. The ends of the clip, 3 and -3, have the slopes
 * outside: 1 and 0. */
static void test_range_evonorm_by_hand(void **state)
{
  (void)state;
  const double factor = 0.4588107389588686, s = 6 * factor + 1e-5, part = -9 / (s * s) * factor / 2;
  for (int64_t b = 0; b < COUNT_OF(backends); b++) {
    const outcome o =
        compute(backends[b], &(rh_norm){RH_NORM_RANGE_EVO, 1, 1, 4, 1}, (const float[]){0, 3, -3, 6},
                (const float[]){1}, (const float[]){0.25}, (const float[]){1}, (const float[]){1, 1, 1, 1});
    near(o.y[0], 0.25);
    near(o.y[1], 3 / s + 0.25);
    near(o.y[2], 0.25);
    near(o.y[3], 6 / s + 0.25);
    near(o.dgain[0], 9 / s);
    near(o.dbias[0], 4);
    near(o.dv[0], 0);
    near(o.dx[0], 0.5 / s - part);
    near(o.dx[1], 1 / s + part);
    near(o.dx[2], -part);
    near(o.dx[3], 1 / s + part);
  }
}

/* 48 values, 16 chunks of 3. The first chunk is 4, 1, 4: of the two maxima, alike otherwise, the first takes the
 * gradient. The second is 2, 2, 2: its maximum and minimum are one place, which takes none. */
static void test_first_of_equal_maxima(void **state)
{
  (void)state;
  float x[48], dy[48];
  for (int i = 0; i < 48; i++) {
    x[i] = (float)(i % 7) - 2;
    dy[i] = 1;
  }
  memcpy(x, (const float[]){4, 1, 4, 2, 2, 2}, 6 * sizeof *x);
  for (int64_t b = 0; b < COUNT_OF(backends); b++) {
    const outcome o = compute(backends[b], &(rh_norm){RH_NORM_RANGE_EVO, 1, 1, 48, 1}, x, (const float[]){1},
                              (const float[]){0}, (const float[]){1}, dy);
    assert_true(o.dx[0] < o.dx[2] - 0.001F); /* a larger range makes y smaller */
    assert_true(o.dx[3] == o.dx[4] && o.dx[4] == o.dx[5]);
  }
}

/* A constant image: no variance and no range; the epsilon keeps all finite. Group norm: q = 0 but for the rounding of
 * the mean, 3e-8 / sqrt(1e-5). */
static void test_constant_input(void **state)
{
  (void)state;
  rng = rh_rng_stream(1, RH_PURPOSE_TEST, 0, 1);
  const float constants[] = {0, 0.7F, -100, 1e-30F};
  for (int64_t b = 0; b < COUNT_OF(backends); b++)
    for (int64_t k = 0; k < COUNT_OF(kinds); k++)
      for (int64_t i = 0; i < COUNT_OF(constants); i++) {
        float x[40], dy[40];
        for (int j = 0; j < 40; j++) {
          x[j] = constants[i];
          dy[j] = (float)rh_rng_normal(&rng);
        }
        const outcome o = compute(backends[b], &(rh_norm){kinds[k], 1, 4, 10, 2}, x, (const float[]){1, 2, 3, 4},
                                  (const float[]){5, 6, 7, 8}, (const float[]){1, 1, 1, 1}, dy);
        for (int j = 0; j < 40; j++) {
          const int bias = 5 + j / 10;
          assert_true(isfinite(o.y[j]) && isfinite(o.dx[j]));
          if (kinds[k] == RH_NORM_GROUP && constants[i] == 0.7F) assert_true(fabs((double)o.y[j] - bias) < 1e-4);
        }
        for (int c = 0; c < 4; c++)
          assert_true(isfinite(o.dgain[c]) && (kinds[k] == RH_NORM_GROUP || isfinite(o.dv[c])));
      }
}

/* A diverged training must show: a NaN spoils its group, wherever it is, and no other. Large values saturate the gate.
 */
static void test_nan_and_large_values(void **state)
{
  (void)state;
  for (int64_t b = 0; b < COUNT_OF(backends); b++)
    for (int64_t k = 0; k < COUNT_OF(kinds); k++)
      for (int place = 0; place < 40; place += 3) {
        float x[40], dy[40];
        for (int j = 0; j < 40; j++) {
          x[j] = (float)(j % 11) * (j % 2 ? 40 : -40);
          dy[j] = 1;
        }
        x[place] = NAN;
        const outcome o = compute(backends[b], &(rh_norm){kinds[k], 1, 4, 10, 2}, x, (const float[]){1, 1, 1, 1},
                                  (const float[]){0, 0, 0, 0}, (const float[]){1, 1, 1, 1}, dy);
        for (int j = 0; j < 40; j++)
          assert_true(isfinite(o.y[j]) == (j / 20 != place / 20) && isfinite(o.dx[j]) == (j / 20 != place / 20));
        assert_true(isnan(o.dgain[place / 10]));
      }
}

/* dgain, dbias and dv are sums over batch x places; dx holds a sum over its group. */
static void compare(const rh_backend *b, const rh_norm *n, int64_t count, bool with_input)
{
  const int64_t xn = n->batch * n->channels * n->places, c = n->channels;
  const bool has_v = n->kind != RH_NORM_GROUP;
  const rh_tensor none = {0};
  rh_tensor x = new_random(count, xn), gain = new_random(count, c), bias = new_random(count, c);
  rh_tensor v = new_random(count, c), dy = new_random(count, xn);
  rh_tensor y0 = new_poison(count, xn), y1 = new_copy(y0, count), dx0 = new_poison(count, xn);
  rh_tensor dx1 = new_copy(dx0, count), dgain0 = new_poison(count, c), dgain1 = new_copy(dgain0, count);
  rh_tensor dbias0 = new_poison(count, c), dbias1 = new_copy(dbias0, count);
  rh_tensor dv0 = new_poison(count, c), dv1 = new_copy(dv0, count);
  const rh_tensor slopes = has_v ? v : none;
  rh_backend_ref.norm_forward(n, count, x, gain, bias, slopes, y0);
  b->norm_forward(n, count, x, gain, bias, slopes, y1);
  rh_backend_ref.norm_backward(n, count, x, gain, slopes, dy, dgain0, dbias0, has_v ? dv0 : none,
                               with_input ? dx0 : none);
  b->norm_backward(n, count, x, gain, slopes, dy, dgain1, dbias1, has_v ? dv1 : none, with_input ? dx1 : none);
  const double one = sum_tolerance(n->channels / n->groups * n->places), all = sum_tolerance(n->batch * n->places);
  check("norm y", count, xn, y0, y1, one);
  check("norm dgain", count, c, dgain0, dgain1, one + all);
  check("norm dbias", count, c, dbias0, dbias1, all);
  check("norm dv", count, has_v ? c : 0, dv0, dv1, one + all);
  check("norm dx", count, with_input ? xn : 0, dx0, dx1, one);
  drop(x);
  drop(gain);
  drop(bias);
  drop(v);
  drop(dy);
}

/* `check` is also told that nothing is written: all of a tensor of no values is a gap. */
static void test_backends_agree(void **state)
{
  (void)state;
  rng = rh_rng_stream(2, RH_PURPOSE_TEST, 0, 1);
  for (int64_t b = 0; b < COUNT_OF(backends); b++)
    for (int64_t k = 0; k < COUNT_OF(kinds); k++) {
      compare(backends[b], &(rh_norm){kinds[k], 2, 8, 576, 8}, 2, true);
      compare(backends[b], &(rh_norm){kinds[k], 1, 16, 64, 8}, 1, true);
      for (int i = 0; i < SHAPES; i++) {
        const int64_t groups = between(1, 5);
        const rh_norm n = {kinds[k], between(1, 4), groups * between(1, 4), between(2, i % 2 ? 20 : 600), groups};
        compare(backends[b], &n, between(1, 3), i % 3 != 0);
      }
    }
}

/* Three replicas in one call, and each alone: the same bits. */
static void test_bits_do_not_hang_on_the_count(void **state)
{
  (void)state;
  rng = rh_rng_stream(3, RH_PURPOSE_TEST, 0, 1);
  enum { COUNT = 3, CHANNELS = 6, PLACES = 37, VALUES = 2 * CHANNELS * PLACES };
  for (int64_t b = 0; b < COUNT_OF(backends); b++)
    for (int64_t k = 0; k < COUNT_OF(kinds); k++) {
      const rh_norm n = {kinds[k], 2, CHANNELS, PLACES, 3};
      const bool has_v = kinds[k] != RH_NORM_GROUP;
      rh_tensor x = new_random(COUNT, VALUES), gain = new_random(COUNT, CHANNELS), y0 = new_poison(COUNT, VALUES);
      rh_tensor y1 = new_copy(y0, COUNT), v = has_v ? gain : (rh_tensor){0};
      backends[b]->norm_forward(&n, COUNT, x, gain, gain, v, y0);
      for (int64_t r = 0; r < COUNT; r++) {
        const rh_tensor one = {gain.data + r * gain.stride, 0};
        backends[b]->norm_forward(&n, 1, (rh_tensor){x.data + r * x.stride, 0}, one, one, has_v ? one : (rh_tensor){0},
                                  (rh_tensor){y1.data + r * y1.stride, 0});
      }
      check("norm of one replica", COUNT, VALUES, y0, y1, 0);
      drop(x);
      drop(gain);
    }
}

/* A model with a norm of one kind, its replicas' parameters, and a workspace for each thread. */
enum { REPLICAS = 6, THREADS = 2, BATCH = 5 };

typedef struct job {
  rh_model model;
  rh_workspace *workspace[THREADS];
  rh_tensor params, grads;
} job;

static bool train_one(void *context, int64_t item, int thread)
{
  job *j = context;
  double loss;
  int64_t correct;
  rh_rng values = rh_rng_stream(4, RH_PURPOSE_TEST, 0, (uint64_t)item);
  float *const x = rh_workspace_input(j->workspace[thread]);
  for (int64_t i = 0; i < BATCH * rh_shape_count(j->model.input); i++)
    x[i] = (float)rh_rng_normal(&values);
  for (int i = 0; i < BATCH; i++)
    rh_workspace_labels(j->workspace[thread])[i] = (int32_t)rh_rng_below(&values, 3);
  rh_model_gradient(&j->model, j->workspace[thread], 1, (rh_tensor){j->params.data + item * j->params.stride, 0},
                    (rh_tensor){j->grads.data + item * j->grads.stride, 0}, &loss, &correct);
  return true;
}

static void test_same_bits_on_any_threads(void **state)
{
  (void)state;
  rng = rh_rng_stream(5, RH_PURPOSE_TEST, 0, 1);
  for (int64_t k = 0; k < COUNT_OF(kinds); k++) {
    job j;
    assert_int_equal(rh_model_begin(&j.model, "m", (rh_shape){2, 11, 13}, 3), RH_OK);
    assert_int_equal(rh_model_add_conv(&j.model, "conv1", 6, 3), RH_OK);
    assert_int_equal(rh_model_add_norm(&j.model, "norm1", kinds[k], 3), RH_OK);
    assert_int_equal(rh_model_add_dense(&j.model, "dense1", 3), RH_OK);
    assert_int_equal(rh_model_end(&j.model), RH_OK);
    for (int t = 0; t < THREADS; t++)
      assert_int_equal(rh_workspace_new(&j.model, &rh_backend_cpu, BATCH, 1, &j.workspace[t]), RH_OK);
    j.params = new_random(REPLICAS, j.model.parameters);
    rh_tensor one = new_poison(REPLICAS, j.model.parameters), two = new_copy(one, REPLICAS);
    j.grads = one;
    rh_backend_cpu.parallel(REPLICAS, 1, train_one, &j);
    j.grads = two;
    rh_backend_cpu.parallel(REPLICAS, THREADS, train_one, &j);
    check("gradient on two threads", REPLICAS, j.model.parameters, one, two, 0);
    drop(j.params);
    for (int t = 0; t < THREADS; t++)
      rh_workspace_free(j.workspace[t]);
  }
}

/* Segments, their order and first values; groups that do not divide; a group of one value. */
static void test_norms_in_a_model(void **state)
{
  (void)state;
  rh_model model;
  float row[64];
  assert_int_equal(rh_model_begin(&model, "m", (rh_shape){6, 2, 1}, 2), RH_OK);
  assert_int_equal(rh_model_add_norm(&model, "norm1", RH_NORM_EVO_S0, 5), RH_OK);
  assert_int_equal(rh_model_add_dense(&model, "d", 2), RH_OK);
  assert_int_equal(rh_model_end(&model), RH_OK);
  assert_int_equal(model.parameters, 18 + 26);
  assert_int_equal(model.layers[0].groups, 3);
  static const char *const names[] = {"norm1.gain", "norm1.bias", "norm1.v", "d.weight", "d.bias"};
  assert_int_equal(model.segment_count, COUNT_OF(names));
  for (int s = 0; s < model.segment_count; s++)
    assert_string_equal(model.segments[s].name, names[s]);
  assert_int_equal(model.segments[2].offset, 12);
  rh_model_init_parameters(&model, 1, row);
  for (int i = 0; i < 18; i++)
    assert_true(row[i] == (i / 6 == 1 ? 0 : 1));
  assert_true(row[18] != 0 && row[18] != 1);
  /* dense: 2 x 24 + 2 and loss 5 x 2 forward; the norm 11 each of 12 values, and 17 backward, its input's gradient
   * left out; the dense layer's is not: 2 x 48 + 2, and 1 x 2 for the loss */
  assert_true(rh_model_forward_flop(&model) == 11 * 12 + 48 + 2 + 10);
  assert_true(rh_model_backward_flop(&model) == 17 * 12 + 96 + 2 + 2);
  assert_int_equal(rh_model_begin(&model, "m", (rh_shape){6, 1, 1}, 2), RH_OK);
  assert_int_equal(rh_model_add_norm(&model, "norm1", RH_NORM_GROUP, 8), RH_EINVAL);
  assert_non_null(strstr(rh_error_message(), "6 groups of 6 values"));
  assert_int_equal(rh_model_add_norm(&model, "norm1", RH_NORM_GROUP, 0), RH_EINVAL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_group_by_hand),
      cmocka_unit_test(test_evonorm_by_hand),
      cmocka_unit_test(test_range_evonorm_by_hand),
      cmocka_unit_test(test_first_of_equal_maxima),
      cmocka_unit_test(test_constant_input),
      cmocka_unit_test(test_nan_and_large_values),
      cmocka_unit_test(test_backends_agree),
      cmocka_unit_test(test_bits_do_not_hang_on_the_count),
      cmocka_unit_test(test_same_bits_on_any_threads),
      cmocka_unit_test(test_norms_in_a_model),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
