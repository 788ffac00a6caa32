/* Batches that stay bytes until a layer wants values: the same bits as when values are made first. */
#include "pixels.h"

#include "cmocka_all.h"

#include <stdlib.h>

#include "blas_kernel.h"
#include "model_build.h"
#include "tensors.h"

enum { SAMPLES = 70, REPLICAS = 2 };

static const rh_backend *const backends[] = {&rh_backend_ref, &rh_backend_cpu, &rh_backend_poison};

/* Random bytes, every one of the 256 among them, and an order of samples in which some come twice. */
static uint8_t *new_bytes(int64_t size, int32_t *indices, int64_t count)
{
  uint8_t *const bytes = malloc((size_t)(SAMPLES * size));
  assert_non_null(bytes);
  for (int64_t i = 0; i < SAMPLES * size; i++)
    bytes[i] = (uint8_t)(i < 256 ? i : between(0, 255));
  for (int64_t i = 0; i < count; i++)
    indices[i] = (int32_t)between(0, SAMPLES - 1);
  return bytes;
}

/* The operation, where a backend has it, against making values and dense_forward. Returns whether it took the layer. */
static bool compare_dense(const rh_backend *b, const rh_dense *d, const rh_pixels *pixels, int64_t count)
{
  const int64_t xn = d->batch * d->inputs, yn = d->batch * d->outputs;
  rh_tensor w = new_random(count, d->outputs * d->inputs), bias = new_random(count, d->outputs);
  rh_tensor x0 = new_poison(count, xn), x1 = new_copy(x0, count), y0 = new_poison(count, yn), y1 = new_copy(y0, count);
  const bool taken = b->dense_forward_pixels && b->dense_forward_pixels(d, count, pixels, x1, w, bias, y1);
  if (taken) {
    for (int64_t r = 0; r < count; r++) {
      rh_pixels of_replica = *pixels;
      of_replica.indices += r * d->batch;
      rh_pixels_values(&of_replica, d->batch, x0.data + r * x0.stride);
    }
    b->dense_forward(d, count, x0, w, bias, y0);
    check("values", count, xn, x0, x1, 0);
    check("dense y of pixels", count, yn, y0, y1, 0);
  } else { /* all is as it was: NaN, gaps and all */
    check("values not made", count, 0, x0, x1, 0);
    check("outputs not made", count, 0, y0, y1, 0);
  }
  drop(w);
  drop(bias);
  return taken;
}

static void dense_of_pixels(void **state)
{
  (void)state;
  rng = rh_rng_stream(41, RH_PURPOSE_TEST, 0, 0);
  const rh_dense shapes[] = {{32, 784, 10}, {7, 790, 10}, {1, 3, 10}, {5, 1024, 10}, {6, 1025, 10}, {8, 784, 128}};
  for (int64_t b = 0; b < COUNT_OF(backends); b++)
    for (int64_t i = 0; i < COUNT_OF(shapes); i++) {
      const rh_dense *const d = &shapes[i];
      int32_t indices[REPLICAS * 32];
      uint8_t *const bytes = new_bytes(d->inputs, indices, REPLICAS * d->batch);
      const rh_pixels pixels = {bytes, indices, d->inputs, 0.13F, 0.31F};
      const bool narrow = d->outputs == 10 && d->inputs <= 1024; /* whose weights stay in the first-level cache */
      const bool has_kernel = backends[b] == &rh_backend_cpu && rh_blas_kernel_vector() == RH_VECTOR_AVX512;
      assert_true(compare_dense(backends[b], d, &pixels, REPLICAS) == (narrow && has_kernel));
      free(bytes);
    }
}

/* Where calculating does not give every value's bits, no layer is taken, and the values are the quotients: here the
 * deviation has no reciprocal in f32. */
static void deviation_that_is_not_calculated(void **state)
{
  (void)state;
  rng = rh_rng_stream(42, RH_PURPOSE_TEST, 0, 0);
  const rh_dense d = {4, 256, 10};
  int32_t indices[4];
  float x[4 * 256];
  uint8_t *const bytes = new_bytes(d.inputs, indices, d.batch);
  const rh_pixels pixels = {bytes, indices, d.inputs, 0.5F, 1e-39F};
  assert_false(rh_pixels_calculated(&pixels));
  assert_false(compare_dense(&rh_backend_cpu, &d, &pixels, 1));
  rh_pixels_values(&pixels, d.batch, x);
  for (int64_t i = 0; i < d.batch * d.inputs; i++) {
    const uint8_t byte = rh_pixels_row(&pixels, i / d.inputs)[i % d.inputs];
    assert_true(x[i] == ((float)byte / 255.0F - pixels.mean) / pixels.deviation);
  }
  free(bytes);
}

/* A gradient of pixels twice, then one of the values that the last one left: pixels are for one pass. */
static void compare_gradients(const rh_model *model, const rh_backend *backend, const rh_pixels *pixels, int64_t batch)
{
  const size_t bytes = (size_t)model->stride * sizeof(float);
  const size_t values = (size_t)(batch * rh_shape_count(model->input));
  float *const params = backend->alloc(bytes), *const grads = backend->alloc(bytes);
  float *const first = malloc(bytes), *const x = malloc(values * sizeof *x);
  double loss, loss_of_first = 0;
  int64_t correct;
  rh_workspace *ws;
  assert_true(params && grads && first && x);
  assert_int_equal(rh_workspace_new(model, backend, batch, 1, &ws), RH_OK);
  rh_model_init_parameters(model, 3, params);
  rh_pixels_values(pixels, batch, x);
  for (int64_t i = 0; i < batch; i++)
    rh_workspace_labels(ws)[i] = (int32_t)(i % model->classes);
  for (int pass = 0; pass < 3; pass++) {
    for (size_t i = 0; pass == 0 && i < values; i++)
      rh_workspace_input(ws)[i] = NAN;
    if (pass < 2) rh_workspace_set_pixels(ws, pixels);
    rh_model_gradient(model, ws, 1, (rh_tensor){params, 0}, (rh_tensor){grads, 0}, &loss, &correct);
    assert_memory_equal(rh_workspace_input(ws), x, values * sizeof *x);
    if (pass == 0) {
      memcpy(first, grads, bytes);
      loss_of_first = loss;
    }
    assert_memory_equal(grads, first, bytes);
    assert_true(loss == loss_of_first && isfinite(loss));
  }
  rh_workspace_free(ws);
  backend->release(params);
  backend->release(grads);
  free(first);
  free(x);
}

static void gradients_of_pixels(void **state)
{
  (void)state;
  enum { BATCH = 5, SIDE = 28 };
  static const char *const names[] = {"logreg", "mlp", "cnn"};
  rng = rh_rng_stream(43, RH_PURPOSE_TEST, 0, 0);
  int32_t indices[BATCH];
  uint8_t *const bytes = new_bytes(SIDE * SIDE, indices, BATCH);
  const rh_pixels pixels = {bytes, indices, SIDE * SIDE, 0.13F, 0.31F};
  for (int64_t m = 0; m < COUNT_OF(names); m++) {
    rh_model model;
    build(&model, names[m], (rh_shape){1, SIDE, SIDE}, NULL);
    for (int64_t b = 0; b < COUNT_OF(backends); b++)
      for (int arithmetic = RH_FP32; arithmetic <= RH_INT8; arithmetic++) {
        model.arithmetic = (rh_arithmetic)arithmetic;
        compare_gradients(&model, backends[b], &pixels, BATCH);
      }
  }
  free(bytes);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(dense_of_pixels),
      cmocka_unit_test(deviation_that_is_not_calculated),
      cmocka_unit_test(gradients_of_pixels),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
