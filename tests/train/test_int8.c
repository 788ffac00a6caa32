/* Passes in 8 bits: what is quantised and what is not, on values worked by hand and against the same passes spelled out
 * with a backend's operations. */
#include "cmocka_all.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "int8.h"

static const rh_backend *const backends[] = {&rh_backend_ref, &rh_backend_cpu, &rh_backend_poison};

static rh_workspace *new_workspace(const rh_model *model, const rh_backend *backend, int64_t batch, int64_t tile)
{
  rh_workspace *ws;
  assert_int_equal(rh_workspace_new(model, backend, batch, tile, &ws), RH_OK);
  return ws;
}

static float *new_values(int64_t n)
{
  float *values = calloc((size_t)n, sizeof *values);
  assert_non_null(values);
  return values;
}

static void fill_normal(float *x, int64_t n, double deviation, uint64_t step)
{
  rh_rng rng = rh_rng_stream(5, RH_PURPOSE_TEST, 1, step);
  for (int64_t i = 0; i < n; i++)
    x[i] = (float)(deviation * rh_rng_normal(&rng));
}

/* Two inputs, two classes, weights {0, 2.55; .104, 1.0051}, biases 0 (constant: kept): the scale is .01 and the weights
 * become {0, 2.55; .10, 1.01}. Samples (0, 1) of class 0 and (1, 0) of class 1 lie on levels of their range 0 .. 1.
 *
 *     logits      (2.55, 1.01) and (0, .10)
 *     p_0         1 / (1 + e^-1.54) = .823465 and 1 / (1 + e^.10) = .475021
 *     loss        (-ln .823465 - ln .524979) / 2 = .419316
 *     dw          (p - [label]) x / 2: {.237510, -.088268; -.237510, .088268}
 *     db          sums over samples: .149243, -.149243 */
static void test_one_layer_by_hand(void **state)
{
  (void)state;
  static const float weights[] = {0, 2.55F, 0.104F, 1.0051F, 0, 0}, x[] = {0, 1, 1, 0};
  static const double expected[] = {0.237510, -0.088268, -0.237510, 0.088268, 0.149243, -0.149243};
  for (size_t b = 0; b < RH_COUNT(backends); b++) {
    rh_model model;
    double loss;
    int64_t correct;
    float params[16] = {0}, grads[16];
    assert_int_equal(rh_model_begin(&model, "tiny", (rh_shape){2, 1, 1}, 2), RH_OK);
    assert_int_equal(rh_model_add_dense(&model, "dense1", 2), RH_OK);
    assert_int_equal(rh_model_end(&model), RH_OK);
    model.arithmetic = RH_INT8;
    memcpy(params, weights, sizeof weights);
    rh_workspace *ws = new_workspace(&model, backends[b], 2, 1);
    memcpy(rh_workspace_input(ws), x, sizeof x);
    rh_workspace_labels(ws)[0] = 0;
    rh_workspace_labels(ws)[1] = 1;
    rh_model_gradient(&model, ws, 1, (rh_tensor){params, 0}, (rh_tensor){grads, 0}, &loss, &correct);
    assert_true(fabs(loss - 0.419316) < 1e-6); /* the digits of the values by hand */
    assert_int_equal(correct, 2);
    for (size_t i = 0; i < RH_COUNT(expected); i++)
      if (!(fabs(grads[i] - expected[i]) < 1e-6)) fail_msg("gradient %zu is %.7g", i, (double)grads[i]);
    assert_memory_equal(params, weights, sizeof weights); /* the f32 weights stay */
    rh_workspace_free(ws);
  }
}

/* Weights {0, 3.55; 1.004, 1} and biases {0, .3}, by hand: 256 levels from 1 to 3.55 for those inside a mask, which 0
 * is not, and from 0 to 3.55 without one; biases are never masked. What nothing is left of stays zero. */
static void test_masked_weights_have_no_level(void **state)
{
  (void)state;
  rh_model model;
  float params[16] = {0, 3.55F, 1.004F, 1, 0, 0.3F}, rounded[16] = {0};
  assert_int_equal(rh_model_begin(&model, "tiny", (rh_shape){2, 1, 1}, 2), RH_OK);
  assert_int_equal(rh_model_add_dense(&model, "dense1", 2), RH_OK);
  assert_int_equal(rh_model_end(&model), RH_OK);
  for (int sparse = 0; sparse < 2; sparse++) {
    const double third = sparse ? 1 : 72 * (3.55 / 255); /* 1.004 is .4 levels above 1, and 72.1 levels above 0 */
    rh_int8_parameters(&model, &rh_backend_ref, sparse, 1, (rh_tensor){params, 0}, (rh_tensor){rounded, 0});
    assert_true(rounded[0] == 0 && fabs((double)rounded[1] - 3.55) < 1e-6); /* f32's rounding of the ends */
    assert_true(fabs((double)rounded[2] - third) < 1e-6);
    assert_true(rounded[4] == 0 && fabs((double)rounded[5] - 0.3) < 1e-7);
  }
  for (int k = 0; k < 4; k++)
    params[k] = 0;
  rh_int8_parameters(&model, &rh_backend_ref, true, 1, (rh_tensor){params, 0}, (rh_tensor){rounded, 0});
  assert_memory_equal(rounded, params, 4 * sizeof *params);
  params[1] = NAN;
  params[2] = 1;
  rh_int8_parameters(&model, &rh_backend_ref, true, 1, (rh_tensor){params, 0}, (rh_tensor){rounded, 0});
  assert_true(isnan(rounded[0]) && isnan(rounded[2])); /* what diverged shows */
}

enum { BATCH = 6, INPUTS = 20, HIDDEN = 12, CLASSES = 5 };

/* 20 inputs, 12 rectified, 12 that are not, 5 classes. */
static void build(rh_model *model)
{
  assert_int_equal(rh_model_begin(model, "three", (rh_shape){INPUTS, 1, 1}, CLASSES), RH_OK);
  assert_int_equal(rh_model_add_dense(model, "dense1", HIDDEN), RH_OK);
  assert_int_equal(rh_model_add_relu(model), RH_OK);
  assert_int_equal(rh_model_add_dense(model, "dense2", HIDDEN), RH_OK);
  assert_int_equal(rh_model_add_dense(model, "dense3", CLASSES), RH_OK);
  assert_int_equal(rh_model_end(model), RH_OK);
  model->arithmetic = RH_INT8;
}

/* The last sample is ten times the others, so that some of its values lie outside the mean range. */
static void fill_batch(rh_workspace *ws, int64_t inputs, uint64_t step)
{
  fill_normal(rh_workspace_input(ws), BATCH * inputs, 1, step);
  for (int64_t i = (BATCH - 1) * inputs; i < BATCH * inputs; i++)
    rh_workspace_input(ws)[i] *= 10;
  for (int i = 0; i < BATCH; i++)
    rh_workspace_labels(ws)[i] = i % CLASSES;
}

/* Values of the passes of the model above, spelled out. */
typedef struct passes {
  float x[4][BATCH * INPUTS]; /* inputs of dense1, dense2, dense3, and the logits */
  float xq[3][BATCH * INPUTS], dy[3][BATCH * INPUTS];
} passes;

static const int dense_layers[] = {0, 2, 3};

static rh_tensor one(float *data)
{
  return (rh_tensor){data, 0};
}

/* Gradients of dense layer k and dy of the one below it. bi: the former are those of the unquantised dy. */
static void spell_backward(const rh_model *model, const rh_backend *backend, const rh_rounding *rounding, passes *p,
                           int k, bool bi, float *rounded, float *grads)
{
  const int l = dense_layers[k];
  const rh_layer *layer = &model->layers[l];
  const rh_dense d = {BATCH, rh_shape_count(layer->in), rh_shape_count(layer->out)};
  float unquantised[BATCH * INPUTS];
  memcpy(unquantised, p->dy[k], sizeof unquantised);
  if (k > 0) rh_int8_gradient(model, &rh_backend_ref, l, rounding, BATCH, 1, one(p->dy[k]));
  float *const dw_of = bi ? unquantised : p->dy[k];
  backend->dense_backward(&d, 1, one(p->xq[k]), one(rounded + layer->weight_offset), one(dw_of),
                          one(grads + layer->weight_offset), one(grads + layer->bias_offset), (rh_tensor){0});
  if (k == 0) return;
  backend->dense_backward(&d, 1, one(p->xq[k]), one(rounded + layer->weight_offset), one(p->dy[k]), (rh_tensor){0},
                          (rh_tensor){0}, one(p->dy[k - 1]));
  /* dense1's output is x[1] after the rectifier; its mask is that of the unquantised values */
  if (k == 1) backend->relu_backward(BATCH * HIDDEN, 1, one(p->x[1]), one(p->dy[0]), one(p->dy[0]));
}

static void spell_out(const rh_model *model, const rh_backend *backend, const rh_rounding *rounding, bool bi,
                      float *params, const int32_t *labels, passes *p, float *grads)
{
  float *const rounded = new_values(model->stride);
  double loss;
  int64_t correct;
  rh_int8_parameters(model, &rh_backend_ref, rounding->sparse, 1, one(params), one(rounded));
  for (int k = 0; k < 3; k++) {
    const int l = dense_layers[k];
    const rh_layer *layer = &model->layers[l];
    const rh_dense d = {BATCH, rh_shape_count(layer->in), rh_shape_count(layer->out)};
    rh_int8_input(model, &rh_backend_ref, l, rounding, BATCH, 1, one(p->x[k]), one(p->xq[k]));
    backend->dense_forward(&d, 1, one(p->xq[k]), one(rounded + layer->weight_offset), one(rounded + layer->bias_offset),
                           one(p->x[k + 1]));
    if (k == 0) backend->relu_forward(BATCH * HIDDEN, 1, one(p->x[1]), one(p->x[1]));
  }
  backend->softmax_cross_entropy(BATCH, CLASSES, 1, one(p->x[3]), labels, 0, 0, one(p->dy[2]), &loss, &correct);
  for (int k = 2; k >= 0; k--)
    spell_backward(model, backend, rounding, p, k, bi, rounded, grads);
  free(rounded);
}

/* The model's gradients are, bit for bit, those of the operations in the order of the table in int8.h: parameters'
 * gradients from the unquantised dy and the quantised input, dx from the quantised dy and the quantised weights, and no
 * gradient lost where an input was clamped. With parameters' gradients of the quantised dy they would be others. */
static void test_gradients_are_bi_precise_and_straight_through(void **state)
{
  (void)state;
  rh_model model;
  build(&model);
  const rh_rounding rounding = {.seed = 3, .rank = 7, .step = 41};
  float *const params = new_values(model.stride), *const grads = new_values(model.stride);
  float *const expected = new_values(model.stride);
  passes *const p = calloc(1, sizeof *p);
  assert_non_null(p);
  rh_model_init_parameters(&model, 3, params);
  for (size_t b = 0; b < RH_COUNT(backends); b++) {
    rh_workspace *ws = new_workspace(&model, backends[b], BATCH, 1);
    double loss;
    int64_t correct, clamped = 0;
    rh_workspace_set_rounding(ws, &rounding);
    fill_batch(ws, INPUTS, b);
    memcpy(p->x[0], rh_workspace_input(ws), sizeof p->x[0]);
    rh_model_gradient(&model, ws, 1, one(params), one(grads), &loss, &correct);
    spell_out(&model, backends[b], &rounding, true, params, rh_workspace_labels(ws), p, expected);
    assert_memory_equal(grads, expected, (size_t)model.parameters * sizeof *grads);
    const rh_range range = rh_range_of_samples(p->x[2], BATCH, HIDDEN);
    for (int i = 0; i < BATCH * HIDDEN; i++)
      clamped += p->x[2][i] < range.lo || p->x[2][i] > range.hi;
    assert_true(clamped > 0);
    spell_out(&model, backends[b], &rounding, false, params, rh_workspace_labels(ws), p, expected);
    assert_memory_not_equal(grads, expected, (size_t)model.parameters * sizeof *grads);
    rh_workspace_free(ws);
  }
  free(p);
  free(params);
  free(grads);
  free(expected);
}

/* Backward passes in two calls, first for the parameters and then for dx, give the bits of one call; what is not asked
 * for is not written. */
static void check_split(const rh_layer *layer, const rh_backend *backend)
{
  const int64_t in = BATCH * rh_shape_count(layer->in), out = BATCH * rh_shape_count(layer->out), n = 4000;
  const int64_t scratch_size = layer->kind->scratch ? layer->kind->scratch(layer, backend, BATCH) : 0;
  float *const x = new_values(in), *const dy = new_values(out), *const y = new_values(out);
  float *const params = new_values(n), *const scratch = backend->alloc((size_t)(scratch_size + 16) * sizeof(float));
  float *const whole = new_values(n), *const split = new_values(n), *const dx = new_values(in);
  float *const dx_split = new_values(in);
  fill_normal(x, in, 1, 20);
  fill_normal(dy, out, 1, 21);
  fill_normal(params, n, 1, 22);
  layer->kind->backward(layer, backend, BATCH, 1, one(params), one(x), one(y), one(dy), one(whole), one(dx),
                        one(scratch));
  layer->kind->backward(layer, backend, BATCH, 1, one(params), one(x), one(y), one(dy), one(split), (rh_tensor){0},
                        one(scratch));
  layer->kind->backward(layer, backend, BATCH, 1, one(params), one(x), one(y), one(dy), (rh_tensor){0}, one(dx_split),
                        one(scratch));
  assert_memory_equal(whole, split, (size_t)n * sizeof *whole);
  assert_memory_equal(dx, dx_split, (size_t)in * sizeof *dx);
  float *const owned[] = {x, dy, y, params, whole, split, dx, dx_split};
  for (size_t i = 0; i < RH_COUNT(owned); i++)
    free(owned[i]);
  backend->release(scratch);
}

static void test_backward_in_two_calls(void **state)
{
  (void)state;
  rh_model model;
  assert_int_equal(rh_model_begin(&model, "kinds", (rh_shape){2, 9, 9}, CLASSES), RH_OK);
  assert_int_equal(rh_model_add_conv(&model, "conv1", 8, 3), RH_OK);
  assert_int_equal(rh_model_add_norm(&model, "norm1", RH_NORM_GROUP, 4), RH_OK);
  assert_int_equal(rh_model_add_norm(&model, "norm2", RH_NORM_EVO_S0, 4), RH_OK);
  assert_int_equal(rh_model_add_norm(&model, "norm3", RH_NORM_RANGE_EVO, 4), RH_OK);
  assert_int_equal(rh_model_add_dense(&model, "dense1", CLASSES), RH_OK);
  assert_int_equal(rh_model_end(&model), RH_OK);
  assert_true(model.parameters <= 4000);
  for (size_t b = 0; b < RH_COUNT(backends); b++)
    for (int l = 0; l < model.layer_count; l++)
      check_split(&model.layers[l], backends[b]);
}

static double evaluated(const rh_model *model, rh_workspace *ws, float *params, int64_t samples, rh_range *ranges)
{
  double loss;
  int64_t correct;
  rh_workspace_set_rounding(ws, &(rh_rounding){.ranges = ranges});
  rh_model_evaluate(model, ws, one(params), samples, &loss, &correct);
  return loss;
}

/* Running ranges: those of the first batch, then .1 old + .9 new; of each replica of a tile its own. */
static void test_running_ranges_follow(void **state)
{
  (void)state;
  enum { TILE = 2 };
  rh_model model;
  build(&model);
  float *const params = new_values(model.stride), *const grads = new_values(TILE * model.stride);
  rh_model_init_parameters(&model, 3, params);
  rh_range ranges[TILE * RH_TRAINED_LAYERS_MAX], first[TILE];
  double loss[TILE];
  int64_t correct[TILE];
  for (size_t i = 0; i < RH_COUNT(ranges); i++)
    ranges[i] = RH_RANGE_NONE;
  rh_workspace *ws = new_workspace(&model, &rh_backend_cpu, BATCH, TILE);
  for (uint64_t step = 0; step < 2; step++) {
    rh_workspace_set_rounding(ws, &(rh_rounding){.step = step, .ranges = ranges});
    fill_normal(rh_workspace_input(ws), TILE * BATCH * INPUTS, 1, 50 + step);
    memset(rh_workspace_labels(ws), 0, TILE * BATCH * sizeof(int32_t));
    rh_model_gradient(&model, ws, TILE, one(params), (rh_tensor){grads, model.stride}, loss, correct);
    for (int r = 0; r < TILE; r++) {
      const rh_range batch = rh_range_of_samples(rh_workspace_input(ws) + r * BATCH * INPUTS, BATCH, INPUTS);
      const rh_range *running = &ranges[r * model.layer_count];
      if (step == 0) first[r] = running[0];
      const double lo = step == 0 ? batch.lo : 0.1 * first[r].lo + 0.9 * batch.lo;
      const double hi = step == 0 ? batch.hi : 0.1 * first[r].hi + 0.9 * batch.hi;
      assert_true(fabs(running[0].lo - lo) < 1e-6 && fabs(running[0].hi - hi) < 1e-6); /* f32, values near 2 */
      assert_false(rh_range_is_known(running[1])); /* the rectifier reads what it reads */
      assert_true(rh_range_is_known(running[2]) && rh_range_is_known(running[3]));
    }
  }
  assert_memory_not_equal(&ranges[0], &ranges[model.layer_count], sizeof ranges[0]);
  rh_workspace_free(ws);
  free(params);
  free(grads);
}

/* Before any step an evaluation takes the ranges of the samples that count; these given as running ranges change no
 * bit, ranges half as wide do, and an evaluation draws nothing. */
static void test_evaluation_uses_running_ranges(void **state)
{
  (void)state;
  rh_model model;
  assert_int_equal(rh_model_begin(&model, "one", (rh_shape){INPUTS, 1, 1}, CLASSES), RH_OK);
  assert_int_equal(rh_model_add_dense(&model, "dense1", CLASSES), RH_OK);
  assert_int_equal(rh_model_end(&model), RH_OK);
  model.arithmetic = RH_INT8;
  float *const params = new_values(model.stride);
  rh_model_init_parameters(&model, 3, params);
  rh_workspace *ws = new_workspace(&model, &rh_backend_cpu, BATCH, 1);
  fill_batch(ws, INPUTS, 60);
  const int64_t samples = BATCH - 1; /* not the large one */
  rh_range own = rh_range_of_samples(rh_workspace_input(ws), samples, INPUTS), none = RH_RANGE_NONE;
  rh_range half = {own.lo / 2, own.hi / 2};
  const double loss = evaluated(&model, ws, params, samples, NULL);
  assert_true(isfinite(loss));
  assert_true(evaluated(&model, ws, params, samples, &none) == loss);
  assert_true(evaluated(&model, ws, params, samples, &own) == loss);
  assert_true(evaluated(&model, ws, params, samples, &half) != loss);
  rh_workspace_free(ws);
  free(params);
}

/* An input that is not finite makes the loss NaN, which a run records as diverged. */
static void test_what_is_not_finite_reaches_the_loss(void **state)
{
  (void)state;
  rh_model model;
  build(&model);
  float *const params = new_values(model.stride), *const grads = new_values(model.stride);
  rh_model_init_parameters(&model, 3, params);
  for (size_t b = 0; b < RH_COUNT(backends); b++) {
    rh_workspace *ws = new_workspace(&model, backends[b], BATCH, 1);
    double loss;
    int64_t correct;
    fill_batch(ws, INPUTS, 70);
    rh_workspace_input(ws)[3] = INFINITY;
    rh_model_gradient(&model, ws, 1, one(params), one(grads), &loss, &correct);
    assert_true(isnan(loss));
    rh_workspace_free(ws);
  }
  free(params);
  free(grads);
}

/* dense1 20 x 12, dense2 12 x 12, dense3 12 x 5, batch 6; P = 252 + 156 + 65 = 473 in six tensors.
 *
 *     8 bits, forward     6 x (2 x 240 + 12 + 2 x 144 + 12 + 2 x 60 + 5) = 5502
 *     8 bits, backward    dx of dense2 and dense3: 6 x (288 + 120) = 2448
 *     f32, forward        rectifier and loss 6 x (12 + 25) = 222, parameters 9 x 473 = 4257, inputs 12.5 x 6 x 44 =
 *                         3300
 *     f32, backward       dw and db 6 x (480 + 12 + 288 + 12 + 120 + 5) = 5502, loss 30, gradients 12.5 x 6 x 17 =
 *                         1275; the rectifier above the first parameters 72 */
static void test_operations_by_width(void **state)
{
  (void)state;
  rh_model model;
  build(&model);
  const rh_work forward = rh_model_forward_work(&model, BATCH), step = rh_model_step_work(&model, BATCH);
  assert_true(forward.int8_op == 5502 && forward.flop == 222 + 4257 + 3300);
  assert_true(step.int8_op == 5502 + 2448 && step.flop == forward.flop + 5502 + 30 + 1275 + 72);
  assert_int_equal(rh_model_weight_bytes(&model), 473 + 6 * 8);
  assert_int_equal(rh_model_activation_bytes(&model, BATCH), 6 * 44 + 3 * 8);
  model.arithmetic = RH_FP32;
  const rh_work f32 = rh_model_step_work(&model, BATCH);
  assert_true(f32.int8_op == 0);
  assert_true(f32.flop == BATCH * (rh_model_forward_flop(&model) + rh_model_backward_flop(&model)));
  assert_int_equal(rh_model_weight_bytes(&model), 4 * 473);
  assert_int_equal(rh_model_activation_bytes(&model, BATCH), 4 * 6 * 44);
}

/* The draws of a replica are its own, wherever it stands in a tile, and others for each layer, step, and direction: the
 * same values between the same ends are rounded differently, and the same again where all of these are the same. */
static void test_draws_are_apart(void **state)
{
  (void)state;
  enum { ROW = BATCH * HIDDEN, ROWS = 6 };
  rh_model model;
  build(&model);
  float x[2][ROW], y[ROWS][ROW], again[ROW];
  fill_normal(x[0], ROW, 1, 1);
  for (int b = 0; b < BATCH; b++) { /* every sample has the range of all */
    x[0][b * HIDDEN] = -5;
    x[0][b * HIDDEN + 1] = 5;
  }
  memcpy(x[1], x[0], sizeof x[1]);
  const rh_rounding at = {.seed = 3, .rank = 4, .step = 7}, next_rank = {.seed = 3, .rank = 5, .step = 7};
  const rh_rounding next_step = {.seed = 3, .rank = 4, .step = 8};
  rh_int8_input(&model, &rh_backend_ref, 2, &at, BATCH, 2, (rh_tensor){x[0], ROW},
                (rh_tensor){y[0], ROW}); /* y[0], y[1] */
  rh_int8_input(&model, &rh_backend_ref, 3, &at, BATCH, 1, one(x[0]), one(y[2]));
  rh_int8_input(&model, &rh_backend_ref, 2, &next_step, BATCH, 1, one(x[0]), one(y[3]));
  memcpy(y[4], x, 2 * sizeof y[4]);
  rh_int8_gradient(&model, &rh_backend_ref, 2, &at, BATCH, 2, (rh_tensor){y[4], ROW}); /* y[4], y[5] */
  for (int i = 0; i < ROWS; i++)
    for (int j = 0; j < i; j++)
      if (memcmp((const void *)y[i], (const void *)y[j], sizeof y[i]) == 0)
        fail_msg("draws %d and %d are the same", j, i);
  rh_int8_input(&model, &rh_backend_ref, 2, &next_rank, BATCH, 1, one(x[0]), one(again));
  assert_memory_equal(again, y[1], sizeof again);
  memcpy(again, x[0], sizeof again);
  rh_int8_gradient(&model, &rh_backend_ref, 2, &next_rank, BATCH, 1, one(again));
  assert_memory_equal(again, y[5], sizeof again);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_layer_by_hand),
      cmocka_unit_test(test_masked_weights_have_no_level),
      cmocka_unit_test(test_gradients_are_bi_precise_and_straight_through),
      cmocka_unit_test(test_backward_in_two_calls),
      cmocka_unit_test(test_running_ranges_follow),
      cmocka_unit_test(test_evaluation_uses_running_ranges),
      cmocka_unit_test(test_what_is_not_finite_reaches_the_loss),
      cmocka_unit_test(test_operations_by_width),
      cmocka_unit_test(test_draws_are_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
