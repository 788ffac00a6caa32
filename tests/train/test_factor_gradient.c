/* Gradients of factors through W = A B, against central differences in double. */
#include "cmocka_all.h"

#include "factor.h"
#include "model_build.h"
#include "naive_double.h"

static const rh_backend *const backends[] = {&rh_backend_ref, &rh_backend_cpu};

static float *new_values(int64_t count)
{
  float *values = calloc((size_t)count, sizeof *values);
  assert_non_null(values);
  return values;
}

/* A batch of random images and labels, factors of random weights at low ranks, and the same in double. */
typedef struct training {
  rh_model model;
  rh_factors factors;
  rh_workspace *workspace;
  int64_t batch;
  const float *x;
  const int32_t *labels;
  float *params, *grads, *a, *b, *da, *db;
  double *exact; /* all parameters; factored weights from the factors */
} training;

/* Row i of A B (column i of the weight's view when that is transposed), in double. */
static void compose_row(training *t, const rh_factor *f, int64_t i, const double *a_row, const double *b)
{
  double *w = t->exact + t->model.segments[f->segment].offset;
  for (int64_t j = 0; j < f->n; j++) {
    double sum = 0;
    for (int64_t k = 0; k < f->rank; k++)
      sum += a_row[k] * b[k * f->n + j];
    w[f->transposed ? j * f->m + i : i * f->n + j] = sum;
  }
}

static void compose_exact(training *t, const rh_factor *f, const double *a, const double *b)
{
  for (int64_t i = 0; i < f->m; i++)
    compose_row(t, f, i, a + i * f->rank, b);
}

static double derivative(training *t, const rh_factor *f, const double *a, const double *b, double *at)
{
  const double h = 1e-5, keep = *at; /* as in naive_derivative */
  double loss[2];
  for (int side = 0; side < 2; side++) {
    *at = keep + (side == 0 ? h : -h);
    compose_exact(t, f, a, b);
    loss[side] = naive_loss(&t->model, t->exact, t->batch, t->x, t->labels);
  }
  *at = keep;
  compose_exact(t, f, a, b);
  return (loss[0] - loss[1]) / (2 * h);
}

static void new_training(training *t, const rh_backend *backend, int64_t batch)
{
  const rh_model *model = &t->model;
  rh_rng rng = rh_rng_stream(12, RH_PURPOSE_TEST, 0, (uint64_t)model->parameters);
  t->batch = batch;
  rh_factors_plan(model, true, &t->factors);
  int64_t ranks[RH_SEGMENTS_MAX];
  for (int k = 0; k < t->factors.count; k++)
    ranks[k] = (t->factors.list[k].n + 3) / 4 + k; /* not the same for all */
  rh_factors_set_ranks(&t->factors, ranks);
  t->params = calloc((size_t)model->stride, sizeof(float));
  t->grads = calloc((size_t)model->stride, sizeof(float));
  t->exact = calloc((size_t)model->stride, sizeof(double));
  assert_true(t->params && t->grads && t->exact);
  t->a = new_values(t->factors.a_values);
  t->b = new_values(t->factors.b_values);
  t->da = new_values(t->factors.a_values);
  t->db = new_values(t->factors.b_values);
  rh_model_init_parameters(model, 3, t->params);
  for (int k = 0; k < t->factors.count; k++) { /* W's entries then have the variance that they had */
    const rh_factor *f = &t->factors.list[k];
    const double scale = pow(2.0 / (double)(model->segments[f->segment].columns * f->rank), 0.25);
    for (int64_t i = 0; i < f->m * f->rank; i++)
      t->a[f->a_offset + i] = (float)(scale * rh_rng_normal(&rng));
    for (int64_t i = 0; i < f->rank * f->n; i++)
      t->b[f->b_offset + i] = (float)(scale * rh_rng_normal(&rng));
    rh_factor_compose(model, backend, f, 1, (rh_tensor){t->a, 0}, (rh_tensor){t->b, 0}, (rh_tensor){t->params, 0});
  }
  assert_int_equal(rh_workspace_new(model, backend, batch, 1, &t->workspace), RH_OK);
  float *x = rh_workspace_input(t->workspace);
  int32_t *labels = rh_workspace_labels(t->workspace);
  for (int64_t i = 0; i < batch * rh_shape_count(model->input); i++)
    x[i] = (float)rh_rng_normal(&rng);
  for (int64_t i = 0; i < batch; i++)
    labels[i] = (int32_t)rh_rng_below(&rng, 10);
  t->x = x;
  t->labels = labels;
  for (int64_t i = 0; i < model->parameters; i++)
    t->exact[i] = t->params[i];
}

static void free_training(training *t)
{
  rh_workspace_free(t->workspace);
  free(t->params);
  free(t->grads);
  free(t->exact);
  free(t->a);
  free(t->b);
  free(t->da);
  free(t->db);
}

static double *in_double(const float *x, int64_t count)
{
  double *y = malloc((size_t)count * sizeof *y);
  assert_non_null(y);
  for (int64_t i = 0; i < count; i++)
    y[i] = x[i];
  return y;
}

/* The weights' gradients are exact to 2e-6 of the largest (test_gradient); here the composed weights are rounded, too,
 * and the gradients are summed once more, over m or n: twice that, of the largest of the factor's gradients. */
static void check_entries(training *t, const rh_factor *f, bool of_a, const float *gradient, const char *backend)
{
  enum { CHECKED = 40 };
  double *a = in_double(t->a + f->a_offset, f->m * f->rank), *b = in_double(t->b + f->b_offset, f->rank * f->n);
  const int64_t count = of_a ? f->m * f->rank : f->rank * f->n;
  double largest = 0;
  for (int64_t i = 0; i < count; i++) {
    assert_true(isfinite(gradient[i]));
    largest = fmax(largest, fabs((double)gradient[i]));
  }
  assert_true(largest > 1e-3);
  for (int64_t k = 0; k < CHECKED; k++) {
    const int64_t i = k * (count - 1) / (CHECKED - 1);
    const double expected = derivative(t, f, a, b, (of_a ? a : b) + i);
    if (!(fabs((double)gradient[i] - expected) <= 4e-6 * largest))
      fail_msg("%s on %s, %s: d loss / d %s[%lld] is %.9g, central differences give %.9g (largest %.3g)", t->model.name,
               backend, t->model.segments[f->segment].name, of_a ? "A" : "B", (long long)i, (double)gradient[i],
               expected, largest);
  }
  free(a);
  free(b);
}

static void check_gradients(training *t, int64_t batch)
{
  for (size_t k = 0; k < RH_COUNT(backends); k++) {
    new_training(t, backends[k], batch);
    double loss;
    int64_t correct;
    rh_model_gradient(&t->model, t->workspace, 1, (rh_tensor){t->params, 0}, (rh_tensor){t->grads, 0}, &loss, &correct);
    assert_true(t->factors.count > 0);
    for (int i = 0; i < t->factors.count; i++) { /* all before the first is looked at: none disturbs another */
      rh_factor_gradient_a(&t->model, backends[k], &t->factors.list[i], 1, (rh_tensor){t->grads, 0},
                           (rh_tensor){t->b, 0}, (rh_tensor){t->da, 0});
      rh_factor_gradient_b(&t->model, backends[k], &t->factors.list[i], 1, (rh_tensor){t->grads, 0},
                           (rh_tensor){t->a, 0}, (rh_tensor){t->db, 0});
    }
    for (int i = 0; i < t->factors.count; i++) {
      const rh_factor *f = &t->factors.list[i];
      check_entries(t, f, true, t->da + f->a_offset, backends[k]->name);
      check_entries(t, f, false, t->db + f->b_offset, backends[k]->name);
    }
    free_training(t);
  }
}

static void test_gradients_cnn(void **state)
{
  (void)state;
  training t;
  build(&t.model, "cnn", (rh_shape){1, 28, 28}, NULL);
  check_gradients(&t, 2);
}

/* The kind's hidden weights are square; a tall one, 30 x 12, is not of the kind. */
static void test_gradients_mlp(void **state)
{
  (void)state;
  training t;
  build(&t.model, "mlp", (rh_shape){1, 9, 8}, (const char *const[]){"model.hidden", "24", "model.layers", "3", NULL});
  check_gradients(&t, 4);
  assert_int_equal(rh_model_begin(&t.model, "tall", (rh_shape){1, 5, 5}, 10), RH_OK);
  assert_int_equal(rh_model_add_dense(&t.model, "one", 12), RH_OK);
  assert_int_equal(rh_model_add_relu(&t.model), RH_OK);
  assert_int_equal(rh_model_add_dense(&t.model, "two", 30), RH_OK);
  assert_int_equal(rh_model_add_relu(&t.model), RH_OK);
  assert_int_equal(rh_model_add_dense(&t.model, "three", 10), RH_OK);
  assert_int_equal(rh_model_end(&t.model), RH_OK);
  check_gradients(&t, 4);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_gradients_cnn),
      cmocka_unit_test(test_gradients_mlp),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
