/* Pooling of all backends, alone and behind a convolution: random shapes against `ref`, ties and NaN. */
#include "cmocka_all.h"

#include <stdlib.h>

#include "tensors.h"

static const rh_backend *const backends[] = {&rh_backend_ref, &rh_backend_cpu, &rh_backend_poison};
enum { SHAPES = 25 };

static void compare_pool(const rh_backend *b, const rh_pool *p, int64_t count, bool coarse)
{
  const int64_t planes = p->batch * p->channels, xn = planes * p->height * p->width;
  const int64_t yn = planes * (p->height / p->side) * (p->width / p->side);
  rh_tensor x = new_random(count, xn), y0 = new_poison(count, yn), y1 = new_copy(y0, count);
  rh_tensor dy = new_random(count, yn), dx0 = new_poison(count, xn), dx1 = new_copy(dx0, count);
  for (int64_t r = 0; coarse && r < count; r++) /* few different values: many ties */
    for (int64_t i = 0; i < xn; i++)
      x.data[r * x.stride + i] = rintf(x.data[r * x.stride + i]);
  rh_backend_ref.pool_forward(p, count, x, y0);
  b->pool_forward(p, count, x, y1);
  rh_backend_ref.pool_backward(p, count, x, dy, dx0);
  b->pool_backward(p, count, x, dy, dx1);
  check("pool y", count, yn, y0, y1, 0);
  check("pool dx", count, xn, dx0, dx1, 0);
  drop(x);
  drop(dy);
}

static void test_pool(void **state)
{
  (void)state;
  rng = rh_rng_stream(4, RH_PURPOSE_TEST, 0, 0);
  for (int64_t b = 0; b < COUNT_OF(backends); b++)
    for (int i = 0; i < 2 * SHAPES; i++) {
      const int64_t side = between(1, 4);
      compare_pool(backends[b], &(rh_pool){between(1, 3), between(1, 3), between(side, 20), between(side, 27), side},
                   between(1, 3), i % 2);
    }
}

/* Two squares side by side: a tie, which goes to the first in row-major order, and a NaN, which is not lost. */
static void test_pool_ties_and_nan(void **state)
{
  (void)state;
  float x[2][8] = {{1, 2, 5, 5, 1, 2, 5, 5}, {2, 0, 1, 3, 0, 9, 1, 3}};
  const float dy[4] = {10, 20, 30, 40};
  const float y_want[4] = {2, 5, 9, 5};
  const float dx_want[16] = {0, 10, 20, 0, 0, 0, 40, 0, 0, 0, 0, 0, 0, 30, 0, 0};
  const rh_pool p = {1, 1, 2, 8, 2};
  for (int64_t b = 0; b < COUNT_OF(backends); b++) {
    float y[4], dx[16];
    backends[b]->pool_forward(&p, 1, (rh_tensor){x[0], 0}, (rh_tensor){y, 0});
    backends[b]->pool_backward(&p, 1, (rh_tensor){x[0], 0}, (rh_tensor){(float *)dy, 0}, (rh_tensor){dx, 0});
    assert_memory_equal(y, y_want, sizeof y);
    assert_memory_equal(dx, dx_want, sizeof dx);
    for (int place = 0; place < 4; place++) {
      float with_nan[16];
      memcpy(with_nan, x, sizeof with_nan);
      with_nan[place / 2 * 8 + place % 2] = NAN;
      backends[b]->pool_forward(&p, 1, (rh_tensor){with_nan, 0}, (rh_tensor){y, 0});
      backends[b]->pool_backward(&p, 1, (rh_tensor){with_nan, 0}, (rh_tensor){(float *)dy, 0}, (rh_tensor){dx, 0});
      assert_true(isnan(y[0]) && y[1] == 5);
      assert_true(dx[place / 2 * 8 + place % 2] == 10);
    }
    float nan_and_more[2] = {NAN, -1};
    backends[b]->relu_forward(2, 1, (rh_tensor){nan_and_more, 0}, (rh_tensor){nan_and_more, 0});
    assert_true(isnan(nan_and_more[0]) && nan_and_more[1] == 0);
  }
}

/* One operation against three of ref's. Values are few, so that there are ties, or one is NaN. Sums are of integers, so
 * that a tie here is one there. */
static void compare_conv_pool(const rh_backend *b, const rh_conv *c, int64_t count, bool with_input, bool with_nan)
{
  const int64_t height = c->height - c->kernel + 1, width = c->width - c->kernel + 1;
  const rh_pool p = {c->batch, c->out_channels, height, width, 2};
  const int64_t taps = c->in_channels * c->kernel * c->kernel, planes = c->batch * c->out_channels;
  const int64_t xn = c->batch * c->in_channels * c->height * c->width, wn = c->out_channels * taps;
  const int64_t yn = planes * height * width, zn = planes * (height / 2) * (width / 2),
                scratch_n = b->conv_pool_scratch(c);
  if (scratch_n < 0) return;
  rh_tensor x = new_random(count, xn), w = new_random(count, wn), bias = new_random(count, c->out_channels);
  rh_tensor y = new_poison(count, yn), dy = new_poison(count, yn), dz = new_random(count, zn);
  rh_tensor z0 = new_poison(count, zn), z1 = new_copy(z0, count), dw0 = new_poison(count, wn),
            dw1 = new_copy(dw0, count);
  rh_tensor db0 = new_poison(count, c->out_channels), db1 = new_copy(db0, count);
  rh_tensor dx0 = new_poison(count, xn), dx1 = new_copy(dx0, count), places = new_poison(count, (zn + 3) / 4);
  rh_tensor scratch = new_poison(1, count * ((scratch_n + 15) / 16 * 16));
  const rh_tensor none = {0}, work = {scratch.data, (scratch_n + 15) / 16 * 16};
  for (int64_t r = 0; r < count; r++) {
    for (int64_t i = 0; i < xn; i++)
      x.data[r * x.stride + i] = rintf(x.data[r * x.stride + i]);
    for (int64_t i = 0; i < wn; i++)
      w.data[r * w.stride + i] = rintf(w.data[r * w.stride + i]);
    for (int64_t i = 0; i < c->out_channels; i++)
      bias.data[r * bias.stride + i] = rintf(bias.data[r * bias.stride + i]);
  }
  if (with_nan) bias.data[0] = NAN;
  rh_backend_ref.conv_forward(c, count, x, w, bias, y, none);
  rh_backend_ref.relu_forward(yn, count, y, y);
  rh_backend_ref.pool_forward(&p, count, y, z0);
  rh_backend_ref.pool_backward(&p, count, y, dz, dy);
  rh_backend_ref.relu_backward(yn, count, y, dy, dy);
  rh_backend_ref.conv_backward(c, count, x, w, dy, dw0, db0, with_input ? dx0 : none, none);
  b->conv_pool_forward(c, count, x, w, bias, z1, places, work);
  for (int64_t i = 0; i < count * work.stride; i++)
    work.data[i] = NAN;
  b->conv_pool_backward(c, count, x, w, dz, places, dw1, db1, with_input ? dx1 : none, work);
  for (int64_t i = count * work.stride; i < scratch.stride; i++)
    assert_true(isnan(scratch.data[i]));
  for (int64_t i = 0; i < zn && with_nan; i++) { /* the first channel's are all NaN, no others */
    const bool first = i / (zn / planes) % c->out_channels == 0;
    assert_true(isnan(z0.data[i]) == first && isnan(z1.data[i]) == first);
    if (first) z0.data[i] = z1.data[i] = 0;
  }
  check("conv_pool y", count, zn, z0, z1, 0);
  check("conv_pool dw", count, wn, dw0, dw1, sum_tolerance(c->batch * height * width));
  check("conv_pool db", count, c->out_channels, db0, db1, sum_tolerance(c->batch * height * width));
  if (with_input) {
    check("conv_pool dx", count, xn, dx0, dx1, sum_tolerance(c->out_channels * c->kernel * c->kernel));
  } else {
    drop(dx0);
    drop(dx1);
  }
  const rh_tensor rest[] = {x, w, bias, y, dy, dz, places, scratch};
  for (int64_t i = 0; i < COUNT_OF(rest); i++)
    drop(rest[i]);
}

static void test_conv_pool(void **state)
{
  (void)state;
  rng = rh_rng_stream(12, RH_PURPOSE_TEST, 0, 0);
  for (int64_t b = 0; b < COUNT_OF(backends); b++) {
    if (!backends[b]->conv_pool_scratch) continue;
    compare_conv_pool(backends[b], &(rh_conv){3, 1, 28, 28, 8, 5}, 2, true, false);
    compare_conv_pool(backends[b], &(rh_conv){3, 8, 12, 12, 16, 5}, 2, true, true);
    for (int i = 0; i < 2 * SHAPES; i++)
      compare_conv_pool(backends[b],
                        &(rh_conv){between(1, 3), between(1, 18), between(6, 19), between(6, 21), between(1, 20), 5},
                        between(1, 3), i % 2, i % 3 == 0);
    assert_true(backends[b]->conv_pool_scratch(&(rh_conv){1, 1, 28, 28, 8, 3}) < 0);
    assert_true(backends[b]->conv_pool_scratch(&(rh_conv){1, 1, 5, 28, 8, 5}) < 0); /* not a square of two */
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pool),
      cmocka_unit_test(test_pool_ties_and_nan),
      cmocka_unit_test(test_conv_pool),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
