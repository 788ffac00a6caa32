/* The gradients of every kind of layer, and of every kind of model, against central differences in double. */
#include "cmocka_all.h"

#include "naive_double.h"

static const rh_backend *const backends[] = {&rh_backend_ref, &rh_backend_cpu};

/* One batch, and what central differences say of it: computed once, since they take most of the time. */
typedef struct reference {
  float *x;        /* [batch][inputs] */
  int32_t *labels; /* [batch] */
  double loss;
  double *derivative; /* [checked] of parameters evenly spread, the first and the last among them */
  int64_t batch, checked;
} reference;

/* A gradient in f32 is a sum of up to batch x places products, each rounded to 6e-8 of itself after a forward pass with
 * errors of the same kind: 2e-6 of the largest gradient of a model leaves a factor of ten above what is seen. */
static void check_backend(const rh_model *model, const rh_backend *backend, float *params, const reference *r)
{
  const int64_t inputs = rh_shape_count(model->input), p = model->parameters;
  float *grads = malloc((size_t)model->stride * sizeof *grads);
  rh_workspace *ws;
  double loss, largest = 0;
  int64_t correct;
  assert_non_null(grads);
  assert_int_equal(rh_workspace_new(model, backend, r->batch, 1, &ws), RH_OK);
  memcpy(rh_workspace_input(ws), r->x, (size_t)(r->batch * inputs) * sizeof *r->x);
  memcpy(rh_workspace_labels(ws), r->labels, (size_t)r->batch * sizeof *r->labels);
  for (int64_t i = 0; i < model->stride; i++)
    grads[i] = NAN;
  rh_model_gradient(model, ws, 1, (rh_tensor){params, 0}, (rh_tensor){grads, 0}, &loss, &correct);
  assert_true(fabs(loss - r->loss) < 2e-6 * (1 + loss));
  for (int64_t i = 0; i < p; i++) {
    assert_true(isfinite(grads[i]));
    largest = fmax(largest, fabs((double)grads[i]));
  }
  assert_true(largest > 1e-3);
  for (int64_t k = 0; k < r->checked; k++) {
    const int64_t i = k * (p - 1) / (r->checked - 1);
    if (!(fabs(grads[i] - r->derivative[k]) <= 2e-6 * largest))
      fail_msg("%s on %s: d loss / d parameter %lld is %.9g, central differences give %.9g (largest %.3g)", model->name,
               backend->name, (long long)i, (double)grads[i], r->derivative[k], largest);
  }
  rh_workspace_free(ws);
  free(grads);
}

/* Parameters [stride] for a test: no bias is zero and no gain or slope is one, so that a lost one shows. */
static float *draw_parameters(const rh_model *model, rh_rng *rng)
{
  float *params = calloc((size_t)model->stride, sizeof *params);
  assert_non_null(params);
  rh_model_init_parameters(model, 3, params);
  for (int l = 0; l < model->layer_count; l++) {
    const rh_layer *layer = &model->layers[l];
    for (int64_t i = 0; i < layer->bias_count; i++) {
      params[layer->bias_offset + i] = 0.2F * (float)rh_rng_normal(rng);
      if (layer->norm != RH_NORM_NONE) params[layer->weight_offset + i] += 0.3F * (float)rh_rng_normal(rng);
      if (layer->v_offset >= 0) params[layer->v_offset + i] += 0.5F * (float)rh_rng_normal(rng);
    }
  }
  return params;
}

/* Compares the gradient of `checked` parameters with central differences, on every backend. */
static void check_gradient(const rh_model *model, int64_t batch, int64_t checked)
{
  const int64_t inputs = rh_shape_count(model->input), p = model->parameters;
  rh_rng rng = rh_rng_stream(7, RH_PURPOSE_TEST, 0, (uint64_t)p);
  float *params = draw_parameters(model, &rng);
  double *exact = calloc((size_t)p, sizeof *exact);
  reference r = {.batch = batch, .checked = checked};
  r.x = calloc((size_t)(batch * inputs), sizeof *r.x);
  r.labels = calloc((size_t)batch, sizeof *r.labels);
  r.derivative = calloc((size_t)checked, sizeof *r.derivative);
  assert_true(exact && r.x && r.labels && r.derivative);
  for (int64_t i = 0; i < p; i++)
    exact[i] = params[i];
  for (int64_t i = 0; i < batch * inputs; i++)
    r.x[i] = (float)rh_rng_normal(&rng);
  for (int64_t i = 0; i < batch; i++)
    r.labels[i] = (int32_t)rh_rng_below(&rng, (uint32_t)model->classes);
  r.loss = naive_loss(model, exact, batch, r.x, r.labels);
  for (int64_t k = 0; k < checked; k++)
    r.derivative[k] = naive_derivative(model, exact, k * (p - 1) / (checked - 1), batch, r.x, r.labels);
  for (size_t b = 0; b < RH_COUNT(backends); b++)
    check_backend(model, backends[b], params, &r);
  free(params);
  free(exact);
  free(r.x);
  free(r.labels);
  free(r.derivative);
}

static void begin(rh_model *model, const char *name, rh_shape input, int64_t classes)
{
  assert_int_equal(rh_model_begin(model, name, input, classes), RH_OK);
}

static void dense(rh_model *model, const char *name, int64_t outputs)
{
  assert_int_equal(rh_model_add_dense(model, name, outputs), RH_OK);
}

static void conv(rh_model *model, const char *name, int64_t channels, int64_t kernel)
{
  assert_int_equal(rh_model_add_conv(model, name, channels, kernel), RH_OK);
}

static void end_and_check(rh_model *model, int64_t batch)
{
  assert_int_equal(rh_model_end(model), RH_OK);
  check_gradient(model, batch, model->parameters);
}

static void test_dense(void **state)
{
  (void)state;
  rh_model model;
  begin(&model, "dense", (rh_shape){2, 3, 5}, 7);
  dense(&model, "one", 7);
  end_and_check(&model, 5);
}

/* The lower layer's gradient comes through the upper one's input gradient. */
static void test_dense_over_dense(void **state)
{
  (void)state;
  rh_model model;
  begin(&model, "dense over dense", (rh_shape){1, 3, 3}, 4);
  dense(&model, "one", 6);
  dense(&model, "two", 4);
  end_and_check(&model, 3);
}

static void test_relu(void **state)
{
  (void)state;
  rh_model model;
  begin(&model, "relu", (rh_shape){1, 4, 3}, 3);
  dense(&model, "one", 9);
  assert_int_equal(rh_model_add_relu(&model), RH_OK);
  dense(&model, "two", 3);
  end_and_check(&model, 6);
}

static void test_conv(void **state)
{
  (void)state;
  rh_model model;
  begin(&model, "conv", (rh_shape){3, 7, 9}, 4);
  conv(&model, "one", 2, 3);
  dense(&model, "two", 4);
  end_and_check(&model, 3);
}

static void test_conv_over_conv(void **state)
{
  (void)state;
  rh_model model;
  begin(&model, "conv over conv", (rh_shape){2, 9, 8}, 3);
  conv(&model, "one", 3, 2);
  conv(&model, "two", 4, 3);
  dense(&model, "three", 3);
  end_and_check(&model, 2);
}

/* Height 11 and width 9 leave a row and a column that fill no square of two. */
static void test_pool(void **state)
{
  (void)state;
  for (int64_t side = 1; side <= 3; side++) {
    rh_model model;
    begin(&model, "pool", (rh_shape){2, 13, 11}, 3);
    conv(&model, "one", 2, 3);
    assert_int_equal(rh_model_add_pool(&model, side), RH_OK);
    dense(&model, "two", 3);
    end_and_check(&model, 2);
  }
}

/* Layers without parameters below the first ones with them, and a rectifier over pooling. */
static void test_layers_below_and_above(void **state)
{
  (void)state;
  rh_model model;
  begin(&model, "mixed", (rh_shape){2, 16, 16}, 3);
  assert_int_equal(rh_model_add_relu(&model), RH_OK);
  assert_int_equal(rh_model_add_pool(&model, 2), RH_OK);
  conv(&model, "one", 3, 3);
  assert_int_equal(rh_model_add_pool(&model, 2), RH_OK);
  assert_int_equal(rh_model_add_relu(&model), RH_OK);
  dense(&model, "two", 3);
  end_and_check(&model, 3);
}

static const rh_norm_kind norms[] = {RH_NORM_GROUP, RH_NORM_EVO_S0, RH_NORM_RANGE_EVO};

/* Between two convolutions: 6 channels in at most 4 groups are 3 groups of 2 x 11 x 7 = 154 values, which 16 chunks do
 * not divide. A group norm has its rectifier in place above it. The second time the batch is of one sample. */
static void test_norm(void **state)
{
  (void)state;
  for (size_t k = 0; k < RH_COUNT(norms); k++)
    for (int64_t batch = 3; batch > 0; batch -= 2) {
      rh_model model;
      begin(&model, "norm", (rh_shape){2, 13, 9}, 3);
      conv(&model, "one", 6, 3);
      assert_int_equal(rh_model_add_norm(&model, "norm1", norms[k], 4), RH_OK);
      assert_int_equal(model.layers[1].groups, 3);
      if (norms[k] == RH_NORM_GROUP) assert_int_equal(rh_model_add_relu(&model), RH_OK);
      conv(&model, "two", 2, 3);
      dense(&model, "three", 3);
      end_and_check(&model, batch);
    }
}

/* The first layer, whose input's gradient is not computed; one group of 5 channels; over a flat vector, where a
 * channel has one place, 3 groups of 7 values, which have 3 chunks. */
static void test_norm_shapes(void **state)
{
  (void)state;
  for (size_t k = 0; k < RH_COUNT(norms); k++) {
    rh_model model;
    begin(&model, "norm first", (rh_shape){5, 4, 3}, 3);
    assert_int_equal(rh_model_add_norm(&model, "norm1", norms[k], 4), RH_OK);
    assert_int_equal(model.layers[0].groups, 1);
    dense(&model, "one", 3);
    end_and_check(&model, 4);
    begin(&model, "norm over dense", (rh_shape){1, 4, 3}, 3);
    dense(&model, "one", 21);
    assert_int_equal(rh_model_add_norm(&model, "norm1", norms[k], 5), RH_OK);
    assert_int_equal(model.layers[1].groups, 3);
    dense(&model, "two", 3);
    end_and_check(&model, 4);
    begin(&model, "wide row", (rh_shape){1, 19, 31}, 3); /* 589 places: two whole blocks of gates and a part */
    assert_int_equal(rh_model_add_norm(&model, "norm1", norms[k], 1), RH_OK);
    dense(&model, "one", 3);
    end_and_check(&model, 2);
  }
}

static void check_kind_with(const char *name, const rh_settings *settings, rh_shape input, int64_t batch,
                            int64_t checked)
{
  const rh_model_kind *kind = rh_model_find(name);
  int64_t options[8];
  rh_model model;
  assert_non_null(kind);
  assert_true(kind->options_size <= sizeof options);
  assert_int_equal(rh_option_read(kind->options, kind->option_count, "model", settings, options), RH_OK);
  assert_int_equal(kind->build(options, input, 10, &model), RH_OK);
  check_gradient(&model, batch, checked);
}

static void check_kind(const char *name, rh_shape input, int64_t batch, int64_t checked)
{
  check_kind_with(name, &(rh_settings){0}, input, batch, checked);
}

static void test_logreg(void **state)
{
  (void)state;
  check_kind("logreg", (rh_shape){1, 28, 28}, 4, 500);
}

static void test_mlp(void **state)
{
  (void)state;
  check_kind("mlp", (rh_shape){1, 28, 28}, 4, 300);
}

static void test_cnn(void **state)
{
  (void)state;
  check_kind("cnn", (rh_shape){1, 28, 28}, 2, 150);
  check_kind("cnn", (rh_shape){3, 17, 19}, 3, 150);
}

static void test_cnn_with_norms(void **state)
{
  (void)state;
  static const char *const names[] = {"group", "evonorm-s0", "range-evonorm"};
  for (size_t k = 0; k < RH_COUNT(names); k++) {
    rh_settings settings = {0};
    rh_settings_set(&settings, "model.norm", names[k], "test", NULL);
    check_kind_with("cnn", &settings, (rh_shape){3, 17, 19}, 2, 60);
    rh_settings_clear(&settings);
  }
}

/* The least image that it takes, so that the last convolution has one place; 16 channels, then 32 and 64. */
static void test_vgg(void **state)
{
  (void)state;
  check_kind("vgg", (rh_shape){3, 24, 24}, 1, 10);
  rh_settings settings = {0};
  rh_settings_set(&settings, "model.norm", "range-evonorm", "test", NULL);
  rh_settings_set(&settings, "model.width", "2", "test", NULL);
  rh_settings_set(&settings, "model.groups", "4", "test", NULL); /* two values each over one place */
  check_kind_with("vgg", &settings, (rh_shape){1, 24, 26}, 2, 80);
  rh_settings_clear(&settings);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_dense),
      cmocka_unit_test(test_dense_over_dense),
      cmocka_unit_test(test_relu),
      cmocka_unit_test(test_conv),
      cmocka_unit_test(test_conv_over_conv),
      cmocka_unit_test(test_pool),
      cmocka_unit_test(test_layers_below_and_above),
      cmocka_unit_test(test_norm),
      cmocka_unit_test(test_norm_shapes),
      cmocka_unit_test(test_logreg),
      cmocka_unit_test(test_mlp),
      cmocka_unit_test(test_cnn),
      cmocka_unit_test(test_cnn_with_norms),
      cmocka_unit_test(test_vgg),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
