/* Label smoothing: losses and gradients by hand, in both backends, and of a model by central differences. */
#include "cmocka_all.h"

#include "naive_double.h"
#include "tensors.h"

static const rh_backend *const backends[] = {&rh_backend_ref, &rh_backend_cpu, &rh_backend_poison};

/* Logits ln 2 and 0: softmax 2/3 and 1/3. Smoothing .5 of label 0: targets .75 and .25; loss ln 3 - .75 ln 2. */
static void smoothing_by_hand(void **state)
{
  (void)state;
  for (int64_t b = 0; b < COUNT_OF(backends); b++) {
    float z[2] = {(float)log(2), 0}, d[2];
    double loss;
    int64_t correct;
    const int32_t label = 0;
    backends[b]->softmax_cross_entropy(1, 2, 1, (rh_tensor){z, 0}, &label, 0, 0.5, (rh_tensor){d, 0}, &loss, &correct);
    assert_true(fabs(loss - (log(3) - 0.75 * log(2))) < 1e-7 && correct == 1);
    assert_true(fabs(d[0] - (2.0 / 3 - 0.75)) < 1e-7 && fabs(d[1] - (1.0 / 3 - 0.25)) < 1e-7);
  }
}

static void backends_agree(void **state)
{
  (void)state;
  rng = rh_rng_stream(31, RH_PURPOSE_TEST, 0, 0);
  for (int i = 0; i < 25; i++) {
    const int64_t batch = between(1, 40), classes = between(2, 30), count = between(1, 4), n = batch * classes;
    const double share = (double)between(0, 10) / 10;
    rh_tensor z = new_random(count, n), d0 = new_poison(count, n), d1 = new_copy(d0, count);
    int32_t labels[160];
    double loss0[4], loss1[4];
    int64_t correct[4];
    for (int64_t k = 0; k < COUNT_OF(labels); k++)
      labels[k] = (int32_t)between(0, classes - 1);
    rh_backend_ref.softmax_cross_entropy(batch, classes, count, z, labels, batch, share, d0, loss0, correct);
    rh_backend_cpu.softmax_cross_entropy(batch, classes, count, z, labels, batch, share, d1, loss1, correct);
    for (int64_t r = 0; r < count; r++)
      assert_true(fabs(loss1[r] - loss0[r]) <= 2e-7 * (1 + loss0[r])); /* exponentials in f32 */
    check("dlogits", count, n, d0, d1, 4e-7);
    drop(z);
  }
}

/* The smoothed loss is (1 - s) of the label's and s of the mean over all classes, so its derivative is the same of the
 * derivatives that central differences give without smoothing. An evaluation does not smooth. The tolerance is that of
 * test_gradient.c. */
static void gradients_of_a_model(void **state)
{
  (void)state;
  enum { BATCH = 3, INPUTS = 12, CLASSES = 4, HIDDEN = 5 };
  static const double share = 0.3;
  rh_model model;
  assert_int_equal(rh_model_begin(&model, "m", (rh_shape){1, 3, 4}, CLASSES), RH_OK);
  assert_int_equal(rh_model_add_dense(&model, "one", HIDDEN), RH_OK);
  assert_int_equal(rh_model_add_relu(&model), RH_OK);
  assert_int_equal(rh_model_add_dense(&model, "two", CLASSES), RH_OK);
  assert_int_equal(rh_model_end(&model), RH_OK);
  float params[256], grads[256];
  double exact[256];
  assert_true(model.stride <= 256);
  rh_model_init_parameters(&model, 3, params);
  for (int64_t i = 0; i < model.parameters; i++)
    exact[i] = params[i];
  rng = rh_rng_stream(32, RH_PURPOSE_TEST, 0, 0);
  for (int64_t b = 0; b < COUNT_OF(backends); b++) {
    rh_workspace *ws;
    double loss;
    int64_t correct;
    assert_int_equal(rh_workspace_new(&model, backends[b], BATCH, 1, &ws), RH_OK);
    rh_workspace_smooth_labels(ws, share);
    float *x = rh_workspace_input(ws);
    int32_t *labels = rh_workspace_labels(ws), all[CLASSES][BATCH];
    for (int64_t i = 0; i < BATCH * INPUTS; i++)
      x[i] = (float)rh_rng_normal(&rng);
    for (int64_t i = 0; i < BATCH; i++)
      labels[i] = (int32_t)between(0, CLASSES - 1);
    double expected = (1 - share) * naive_loss(&model, exact, BATCH, x, labels);
    for (int32_t k = 0; k < CLASSES; k++) {
      for (int64_t i = 0; i < BATCH; i++)
        all[k][i] = k;
      expected += share / CLASSES * naive_loss(&model, exact, BATCH, x, all[k]);
    }
    rh_model_gradient(&model, ws, 1, (rh_tensor){params, 0}, (rh_tensor){grads, 0}, &loss, &correct);
    assert_true(fabs(loss - expected) < 2e-6 * (1 + loss));
    double largest = 0;
    for (int64_t i = 0; i < model.parameters; i++)
      largest = fmax(largest, fabs((double)grads[i]));
    for (int64_t i = 0; i < model.parameters; i++) {
      double slope = (1 - share) * naive_derivative(&model, exact, i, BATCH, x, labels);
      for (int32_t k = 0; k < CLASSES; k++)
        slope += share / CLASSES * naive_derivative(&model, exact, i, BATCH, x, all[k]);
      assert_true(fabs(grads[i] - slope) <= 2e-6 * largest);
    }
    rh_model_evaluate(&model, ws, (rh_tensor){params, 0}, BATCH, &loss, &correct);
    const double plain = naive_loss(&model, exact, BATCH, x, labels);
    assert_true(fabs(loss - plain) < 2e-6 * (1 + plain) && fabs(plain - expected) > 1e-3);
    rh_workspace_free(ws);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(smoothing_by_hand),
      cmocka_unit_test(backends_agree),
      cmocka_unit_test(gradients_of_a_model),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
