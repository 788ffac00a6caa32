/* One conformance test for all backends and all operations: known values, then random shapes against `ref`.
 */
#include "cmocka_all.h"

#include <stdlib.h>

#include "tensors.h"

static const rh_backend *const backends[] = {&rh_backend_ref, &rh_backend_cpu, &rh_backend_poison};
enum { SHAPES = 25 };

static void compare_dense(const rh_backend *b, const rh_dense *d, int64_t count, bool with_input)
{
  const int64_t xn = d->batch * d->inputs, wn = d->outputs * d->inputs, yn = d->batch * d->outputs;
  rh_tensor x = new_random(count, xn), w = new_random(count, wn), bias = new_random(count, d->outputs);
  rh_tensor dy = new_random(count, yn), y0 = new_poison(count, yn), y1 = new_copy(y0, count);
  rh_tensor dw0 = new_poison(count, wn), dw1 = new_copy(dw0, count);
  rh_tensor db0 = new_poison(count, d->outputs), db1 = new_copy(db0, count);
  rh_tensor dx0 = new_poison(count, xn), dx1 = new_copy(dx0, count);
  const rh_tensor none = {0};
  rh_backend_ref.dense_forward(d, count, x, w, bias, y0);
  b->dense_forward(d, count, x, w, bias, y1);
  check("dense y", count, yn, y0, y1, sum_tolerance(d->inputs));
  rh_backend_ref.dense_backward(d, count, x, w, dy, dw0, db0, with_input ? dx0 : none);
  b->dense_backward(d, count, x, w, dy, dw1, db1, with_input ? dx1 : none);
  check("dense dw", count, wn, dw0, dw1, sum_tolerance(d->batch));
  check("dense db", count, d->outputs, db0, db1, sum_tolerance(d->batch));
  if (with_input) {
    check("dense dx", count, xn, dx0, dx1, sum_tolerance(d->outputs));
  } else {
    drop(dx0);
    drop(dx1);
  }
  drop(x);
  drop(w);
  drop(bias);
  drop(dy);
}

static void test_dense(void **state)
{
  (void)state;
  rng = rh_rng_stream(1, RH_PURPOSE_TEST, 0, 0);
  for (int64_t b = 0; b < COUNT_OF(backends); b++) {
    compare_dense(backends[b], &(rh_dense){32, 784, 128}, 1, true);
    compare_dense(backends[b], &(rh_dense){33, 300, 130}, 2, true); /* beyond what is turned, and kept, at a time */
    compare_dense(backends[b], &(rh_dense){7, 790, 10}, 2, true);   /* few outputs, a sample without a partner */
    for (int i = 0; i < SHAPES; i++)
      compare_dense(backends[b], &(rh_dense){between(1, 33), between(1, 70), between(1, 40)}, between(1, 4), i % 2);
  }
}

static void compare_conv(const rh_backend *b, const rh_conv *c, int64_t count, bool with_input)
{
  const int64_t places = (c->height - c->kernel + 1) * (c->width - c->kernel + 1);
  const int64_t taps = c->in_channels * c->kernel * c->kernel;
  const int64_t xn = c->batch * c->in_channels * c->height * c->width;
  const int64_t wn = c->out_channels * taps, yn = c->batch * c->out_channels * places;
  const int64_t scratch_n = (b->conv_scratch(c) + 15) / 16 * 16;
  rh_tensor x = new_random(count, xn), w = new_random(count, wn), bias = new_random(count, c->out_channels);
  rh_tensor dy = new_random(count, yn), y0 = new_poison(count, yn), y1 = new_copy(y0, count);
  rh_tensor dw0 = new_poison(count, wn), dw1 = new_copy(dw0, count);
  rh_tensor db0 = new_poison(count, c->out_channels), db1 = new_copy(db0, count);
  rh_tensor dx0 = new_poison(count, xn), dx1 = new_copy(dx0, count);
  rh_tensor scratch = new_poison(1, count * scratch_n + 64);
  const rh_tensor none = {0}, work = {scratch.data, scratch_n};
  rh_backend_ref.conv_forward(c, count, x, w, bias, y0, none);
  b->conv_forward(c, count, x, w, bias, y1, work);
  check("conv y", count, yn, y0, y1, sum_tolerance(taps));
  for (int64_t i = 0; i < count * scratch_n; i++)
    work.data[i] = NAN;
  rh_backend_ref.conv_backward(c, count, x, w, dy, dw0, db0, with_input ? dx0 : none, none);
  b->conv_backward(c, count, x, w, dy, dw1, db1, with_input ? dx1 : none, work);
  for (int64_t i = count * scratch_n; i < scratch.stride; i++)
    assert_true(isnan(scratch.data[i]));
  check("conv dw", count, wn, dw0, dw1, sum_tolerance(c->batch * places));
  check("conv db", count, c->out_channels, db0, db1, sum_tolerance(c->batch * places));
  if (with_input) {
    check("conv dx", count, xn, dx0, dx1, sum_tolerance(c->out_channels * c->kernel * c->kernel));
  } else {
    drop(dx0);
    drop(dx1);
  }
  drop(x);
  drop(w);
  drop(bias);
  drop(dy);
  drop(scratch);
}

static void test_conv(void **state)
{
  (void)state;
  rng = rh_rng_stream(2, RH_PURPOSE_TEST, 0, 0);
  for (int64_t b = 0; b < COUNT_OF(backends); b++) {
    compare_conv(backends[b], &(rh_conv){3, 1, 28, 28, 8, 5}, 2, true);
    compare_conv(backends[b], &(rh_conv){3, 8, 12, 12, 16, 5}, 2, true);
    for (int i = 0; i < SHAPES; i++) {
      const int64_t kernel = between(1, 5);
      compare_conv(
          backends[b],
          &(rh_conv){between(1, 4), between(1, 4), between(kernel, 19), between(kernel, 21), between(1, 9), kernel},
          between(1, 3), i % 2);
    }
  }
}

static void test_relu(void **state)
{
  (void)state;
  rng = rh_rng_stream(3, RH_PURPOSE_TEST, 0, 0);
  for (int64_t b = 0; b < COUNT_OF(backends); b++)
    for (int i = 0; i < SHAPES; i++) {
      const int64_t n = between(1, 300), count = between(1, 4);
      rh_tensor x = new_random(count, n), y0 = new_poison(count, n), y1 = new_copy(y0, count);
      rh_tensor place = new_copy(x, count), dy = new_random(count, n), dx0 = new_poison(count, n);
      x.data[0] = place.data[0] = 0;
      rh_backend_ref.relu_forward(n, count, x, y0);
      backends[b]->relu_forward(n, count, x, y1);
      backends[b]->relu_forward(n, count, place, place);
      rh_backend_ref.relu_backward(n, count, y0, dy, dx0);
      rh_tensor dx1 = new_copy(dy, count);
      backends[b]->relu_backward(n, count, y1, dx1, dx1);
      check("relu in place", count, n, new_copy(y0, count), place, 0);
      check("relu y", count, n, y0, y1, 0);
      check("relu dx in place", count, n, dx0, dx1, 0);
      drop(x);
      drop(dy);
    }
}

static void test_softmax_cross_entropy(void **state)
{
  (void)state;
  rng = rh_rng_stream(5, RH_PURPOSE_TEST, 0, 0);
  for (int64_t b = 0; b < COUNT_OF(backends); b++)
    for (int i = 0; i < SHAPES; i++) {
      const int64_t batch = between(1, 40), classes = between(2, 30), count = between(1, 4), n = batch * classes;
      const int64_t label_stride = batch + 3;
      rh_tensor z = new_random(count, n), dz0 = new_poison(count, n), dz1 = new_copy(dz0, count);
      int32_t labels[4 * 43];
      double loss0[4], loss1[4], loss2[4];
      int64_t correct0[4], correct1[4], correct2[4];
      for (int64_t k = 0; k < COUNT_OF(labels); k++)
        labels[k] = (int32_t)between(0, classes - 1);
      rh_backend_ref.softmax_cross_entropy(batch, classes, count, z, labels, label_stride, 0, dz0, loss0, correct0);
      backends[b]->softmax_cross_entropy(batch, classes, count, z, labels, label_stride, 0, dz1, loss1, correct1);
      backends[b]->softmax_cross_entropy(batch, classes, count, z, labels, label_stride, 0, (rh_tensor){0}, loss2,
                                         correct2);
      for (int64_t r = 0; r < count; r++) {
        assert_true(fabs(loss1[r] - loss0[r]) <= 2e-7 * (1 + loss0[r])); /* exponentials in f32 */
        assert_true(loss1[r] == loss2[r] && correct1[r] == correct2[r]);
        assert_int_equal(correct1[r], correct0[r]);
      }
      check("softmax dlogits", count, n, dz0, dz1, 4e-7);
      drop(z);
    }
}

/* Equal logits: loss ln(classes), gradient (1/classes - [label]) / batch, the first class wins. Huge logits: no
 * overflow. */
static void test_softmax_known_values(void **state)
{
  (void)state;
  for (int64_t b = 0; b < COUNT_OF(backends); b++) {
    float equal[8] = {3, 3, 3, 3, -7, -7, -7, -7}, huge[3] = {1000, 0, -1000}, d[8];
    double loss;
    int64_t correct;
    backends[b]->softmax_cross_entropy(2, 4, 1, (rh_tensor){equal, 0}, (const int32_t[]){0, 2}, 0, 0, (rh_tensor){d, 0},
                                       &loss, &correct);
    assert_true(fabs(loss - 1.3862943611198906) < 1e-7);
    assert_int_equal(correct, 1);
    const float want[8] = {-.375F, .125F, .125F, .125F, .125F, .125F, -.375F, .125F};
    assert_memory_equal(d, want, sizeof d);
    backends[b]->softmax_cross_entropy(1, 3, 1, (rh_tensor){huge, 0}, (const int32_t[]){1}, 0, 0, (rh_tensor){d, 0},
                                       &loss, &correct);
    assert_true(loss == 1000 && correct == 0 && d[0] == 1 && d[1] == -1 && d[2] == 0);
  }
}

static void test_sgd_step(void **state)
{
  (void)state;
  rng = rh_rng_stream(6, RH_PURPOSE_TEST, 0, 0);
  /* x 1, u 2, g 3, momentum .5, decay 4, lr .25: u = .5 2 + (3 + 4 1) = 8, x = 1 - .25 8 = -1 */
  for (int64_t b = 0; b < COUNT_OF(backends); b++) {
    float x1 = 1, u1 = 2, g1 = 3;
    backends[b]->sgd_step(&(rh_sgd){.lr = 0.25, .momentum = 0.5, .decay = 4}, 1, 1, (rh_tensor){&x1, 0},
                          (rh_tensor){&u1, 0}, (rh_tensor){&g1, 0});
    assert_true(x1 == -1 && u1 == 8 && g1 == 3);
    for (int i = 0; i < SHAPES; i++) {
      const int64_t n = between(1, 300), count = between(1, 4);
      rh_tensor x = new_random(count, n), u = new_random(count, n), g = new_random(count, n);
      rh_tensor x0 = new_copy(x, count), u0 = new_copy(u, count);
      const rh_sgd sgd = {.lr = 0.05, .momentum = 0.9, .decay = 1e-4};
      rh_backend_ref.sgd_step(&sgd, n, count, x0, u0, g);
      backends[b]->sgd_step(&sgd, n, count, x, u, g);
      check("sgd x", count, n, x0, x, 0);
      check("sgd u", count, n, u0, u, 0);
      drop(g);
    }
  }
}

static void test_add_scaled_and_scale(void **state)
{
  (void)state;
  rng = rh_rng_stream(7, RH_PURPOSE_TEST, 0, 0);
  for (int64_t b = 0; b < COUNT_OF(backends); b++)
    for (int i = 0; i < SHAPES; i++) {
      const int64_t n = between(1, 300), count = between(1, 4);
      rh_tensor x = new_random(count, n), y0 = new_random(count, n), y1 = new_copy(y0, count);
      rh_backend_ref.add_scaled(n, count, -0.3, x, y0);
      backends[b]->add_scaled(n, count, -0.3, x, y1);
      check("add_scaled", count, n, y0, y1, 0);
      y0 = new_poison(count, n);
      y1 = new_copy(x, count);
      rh_backend_ref.scale(n, count, 1.7, x, y0);
      backends[b]->scale(n, count, 1.7, y1, y1);
      check("scale in place", count, n, y0, y1, 0);
      drop(x);
    }
}

static void test_combine_and_divide(void **state)
{
  (void)state;
  rng = rh_rng_stream(7, RH_PURPOSE_TEST, 1, 0);
  for (int64_t b = 0; b < COUNT_OF(backends); b++)
    for (int i = 0; i < SHAPES; i++) {
      const int64_t n = between(1, 300), count = between(1, 4);
      const float divisors[] = {0.3F, -7, 1, 1e-3F};
      rh_tensor x = new_random(count, n), y = new_random(count, n), z0 = new_poison(count, n);
      rh_tensor z1 = new_poison(count, n), x1 = new_copy(x, count), y1 = new_copy(y, count);
      rh_backend_ref.combine(n, count, -0.3, x, 1.7, y, z0);
      assert_true(z0.data[0] == -0.3F * x.data[0] + 1.7F * y.data[0]);
      backends[b]->combine(n, count, -0.3, x, 1.7, y, z1);
      backends[b]->combine(n, count, -0.3, x, 1.7, y1, y1);
      backends[b]->combine(n, count, -0.3, x1, 1.7, y, x1);
      check("combine in place of the second", count, n, new_copy(z0, count), y1, 0);
      check("combine in place of the first", count, n, new_copy(z0, count), x1, 0);
      check("combine", count, n, z0, z1, 0);
      z0 = new_poison(count, n);
      rh_backend_ref.divide(n, count, divisors, x, z0);
      assert_true(z0.data[0] == x.data[0] / 0.3F);
      backends[b]->divide(n, count, divisors, x, x);
      check("divide", count, n, z0, x, 0);
      drop(y);
    }
}

static void test_product(void **state)
{
  (void)state;
  rng = rh_rng_stream(9, RH_PURPOSE_TEST, 0, 0);
  for (int64_t b = 0; b < COUNT_OF(backends); b++)
    for (int i = 0; i < 4 * SHAPES; i++) {
      const rh_product p = {between(1, 40), between(1, 70), between(1, 130), i & 1, i & 2};
      const int64_t count = between(1, 3);
      rh_tensor x = new_random(count, p.m * p.k), y = new_random(count, p.k * p.n);
      rh_tensor z0 = new_poison(count, p.m * p.n), z1 = new_copy(z0, count);
      rh_backend_ref.product(&p, count, x, y, z0);
      backends[b]->product(&p, count, x, y, z1);
      check("product", count, p.m * p.n, z0, z1, sum_tolerance(p.k));
      drop(x);
      drop(y);
    }
}

/* [1 2 3; 4 5 6] [1 0; 2 1; 0 3] = [5 11; 14 23], each matrix as it reads and transposed in memory. */
static void test_product_known_values(void **state)
{
  (void)state;
  float a[2][6] = {{1, 2, 3, 4, 5, 6}, {1, 4, 2, 5, 3, 6}}, b[2][6] = {{1, 0, 2, 1, 0, 3}, {1, 2, 0, 0, 1, 3}};
  const float want[4] = {5, 11, 14, 23};
  for (int64_t k = 0; k < COUNT_OF(backends); k++)
    for (int i = 0; i < 4; i++) {
      float c[4];
      backends[k]->product(&(rh_product){2, 2, 3, i & 1, i / 2}, 1, (rh_tensor){a[i & 1], 0}, (rh_tensor){b[i / 2], 0},
                           (rh_tensor){c, 0});
      assert_memory_equal(c, want, sizeof c);
    }
}

static void test_weighted_sum(void **state)
{
  (void)state;
  rng = rh_rng_stream(8, RH_PURPOSE_TEST, 0, 0);
  enum { MOST = 6 };
  for (int64_t b = 0; b < COUNT_OF(backends); b++)
    for (int i = 0; i < SHAPES; i++) {
      const int64_t n = between(1, i % 2 ? 300 : 5000), terms = between(1, MOST);
      rh_tensor x = new_random(terms, n), y0 = new_poison(1, n), y1 = new_copy(y0, 1);
      const float *rows[MOST];
      double weights[MOST];
      for (int64_t k = 0; k < terms; k++) {
        rows[k] = x.data + k * x.stride;
        weights[k] = rh_rng_f64(&rng);
      }
      rh_backend_ref.weighted_sum(n, terms, weights, rows, y0.data);
      backends[b]->weighted_sum(n, terms, weights, rows, y1.data);
      double sum = 0;
      for (int64_t k = 0; k < terms; k++)
        sum += weights[k] * rows[k][n / 2];
      assert_true(fabs(y0.data[n / 2] - sum) < 1e-6 * (1 + fabs(sum)));
      check("weighted_sum", 1, n, y0, y1, 0);
      drop(x);
    }
}

enum { ITEMS = 100, THREADS = 3, MANY_THREADS = 70 }; /* more than the cpu backend cuts items into runs */

typedef struct counts {
  int times[ITEMS], wrong_threads, until;
} counts;

static bool count_item(void *context, int64_t item, int thread)
{
  counts *c = context;
  __atomic_fetch_add(&c->times[item], 1, __ATOMIC_RELAXED);
  if (thread < 0 || thread >= THREADS) __atomic_fetch_add(&c->wrong_threads, 1, __ATOMIC_RELAXED);
  return item < c->until;
}

static void test_parallel(void **state)
{
  (void)state;
  for (int64_t b = 0; b < COUNT_OF(backends); b++)
    for (int threads = 1; threads <= THREADS; threads++) {
      counts all = {.until = ITEMS}, ended = {.until = 0};
      backends[b]->parallel(ITEMS, threads, count_item, &all);
      for (int i = 0; i < ITEMS; i++)
        assert_int_equal(all.times[i], 1);
      assert_int_equal(all.wrong_threads, 0);
      backends[b]->parallel(0, threads, count_item, &all);
      backends[b]->parallel(ITEMS, threads, count_item, &ended);
      int done = 0;
      for (int i = 0; i < ITEMS; i++)
        done += ended.times[i];
      assert_true(done >= 1 && done <= THREADS); /* each thread may have begun one item */
    }
}

/* Of the cpu backend: more threads than runs that it cuts items into; as many threads as items, one fewer, one more. */
static void test_parallel_many_threads(void **state)
{
  (void)state;
  const int threads[] = {MANY_THREADS, ITEMS - 1, ITEMS, ITEMS + 1};
  for (int64_t k = 0; k < COUNT_OF(threads); k++) {
    counts all = {.until = ITEMS};
    rh_backend_cpu.parallel(ITEMS, threads[k], count_item, &all);
    for (int i = 0; i < ITEMS; i++)
      assert_int_equal(all.times[i], 1);
  }
}

static void test_memory_and_names(void **state)
{
  (void)state;
  for (int64_t b = 0; b < COUNT_OF(backends); b++) {
    assert_ptr_equal(rh_backend_find(backends[b]->name), backends[b]);
    assert_true(strlen(backends[b]->kernel()) > 0);
    assert_true(backends[b]->tile >= 1);
    for (size_t bytes = 1; bytes < 1 << 24; bytes = bytes * 3 + 1) {
      unsigned char *memory = backends[b]->alloc(bytes);
      assert_non_null(memory);
      assert_int_equal((uintptr_t)memory % 64, 0);
      for (size_t i = 0; i < bytes; i++)
        if (memory[i] != 0) fail_msg("byte %zu of %zu is not zero", i, bytes);
      memset(memory, 255, bytes); /* dirties what the next allocation may be given */
      backends[b]->release(memory);
    }
    backends[b]->release(NULL);
    assert_null(backends[b]->alloc(SIZE_MAX - 100));
    assert_null(backends[b]->alloc(SIZE_MAX));
  }
  assert_null(rh_backend_find("abacus"));
  assert_true(strncmp(rh_backend_cpu.kernel(), "OpenBLAS ", 9) == 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_dense),
      cmocka_unit_test(test_conv),
      cmocka_unit_test(test_relu),
      cmocka_unit_test(test_softmax_cross_entropy),
      cmocka_unit_test(test_softmax_known_values),
      cmocka_unit_test(test_sgd_step),
      cmocka_unit_test(test_add_scaled_and_scale),
      cmocka_unit_test(test_combine_and_divide),
      cmocka_unit_test(test_product),
      cmocka_unit_test(test_product_known_values),
      cmocka_unit_test(test_weighted_sum),
      cmocka_unit_test(test_parallel),
      cmocka_unit_test(test_parallel_many_threads),
      cmocka_unit_test(test_memory_and_names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
