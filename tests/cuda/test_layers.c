/* Layers, norms, loss and optimisers of the device against `ref`: random shapes, odd sizes, poisoned outputs. */
#include "pair.h"

static void compare_dense(const rh_dense *d, int64_t count, bool with_input)
{
  const int64_t xn = d->batch * d->inputs, wn = d->outputs * d->inputs, yn = d->batch * d->outputs;
  pair x = pair_random(count, xn), w = pair_random(count, wn), b = pair_random(count, d->outputs);
  pair dy = pair_random(count, yn), y = pair_poison(count, yn), dw = pair_poison(count, wn);
  pair db = pair_poison(count, d->outputs), dx = pair_poison(count, xn);
  const rh_tensor none = {0};
  rh_backend_ref.dense_forward(d, count, x.host, w.host, b.host, y.host);
  gpu->dense_forward(d, count, x.device, w.device, b.device, y.device);
  rh_backend_ref.dense_backward(d, count, x.host, w.host, dy.host, dw.host, db.host, with_input ? dx.host : none);
  gpu->dense_backward(d, count, x.device, w.device, dy.device, dw.device, db.device, with_input ? dx.device : none);
  pair_agree("dense y", &y, sum_tolerance(d->inputs));
  pair_agree("dense dw", &dw, sum_tolerance(d->batch));
  pair_agree("dense db", &db, sum_tolerance(d->batch));
  pair_agree("dense dx", &dx, sum_tolerance(d->outputs));
  pair *const inputs[] = {&x, &w, &b, &dy};
  for (int i = 0; i < 4; i++)
    pair_drop(inputs[i]);
}

static void test_dense(void)
{
  compare_dense(&(rh_dense){32, 784, 128}, 2, true);
  for (int i = 0; i < shapes; i++)
    compare_dense(&(rh_dense){between(1, 33), between(1, 70), between(1, 40)}, between(1, 5), i % 2);
}

/* A replica's bits are the same whoever else is in the call. */
static void test_counts(void)
{
  static const rh_dense layers[] = {{32, 784, 128}, {32, 128, 10}, {32, 256, 64}, {5, 33, 7}};
  static const int64_t counts[] = {1, 2, 5, 64, 200};
  const int64_t most = shapes > 2 ? 200 : 5;
  for (size_t l = 0; l < sizeof layers / sizeof layers[0]; l++) {
    const rh_dense *const d = &layers[l];
    const int64_t xn = d->batch * d->inputs, wn = d->outputs * d->inputs, yn = d->batch * d->outputs;
    pair x = pair_random(most, xn), w = pair_random(most, wn), b = pair_random(most, d->outputs);
    pair dy = pair_random(most, yn), y = pair_poison(most, yn), dw = pair_poison(most, wn), dx = pair_poison(most, xn);
    pair db = pair_poison(most, d->outputs);
    pair *const outputs[] = {&y, &dw, &db, &dx}, *const inputs[] = {&x, &w, &b, &dy};
    for (int c = 4; c >= 0; c--) { /* the largest first; smaller ones then must leave what it wrote */
      if (counts[c] > most) continue;
      gpu->dense_forward(d, counts[c], x.device, w.device, b.device, y.device);
      gpu->dense_backward(d, counts[c], x.device, w.device, dy.device, dw.device, db.device, dx.device);
      for (int i = 0; i < 4; i++) {
        float *const got = checked(malloc(pair_bytes(outputs[i])));
        gpu->download(got, outputs[i]->device.data, pair_bytes(outputs[i]));
        if (counts[c] < most && memcmp(got, outputs[i]->host.data, pair_bytes(outputs[i])) != 0) {
          fprintf(stderr, "dense %lld x %lld x %lld: bits of output %d differ with %lld replicas in a call\n",
                  (long long)d->batch, (long long)d->inputs, (long long)d->outputs, i, (long long)counts[c]);
          exit(1);
        }
        free(outputs[i]->host.data);
        outputs[i]->host.data = got;
      }
    }
    for (int i = 0; i < 4; i++) {
      pair_drop(inputs[i]);
      pair_drop(outputs[i]);
    }
  }
}

static void test_product(void)
{
  for (int i = 0; i < 2 * shapes; i++) {
    const rh_product p = {between(1, 40), between(1, 70), between(1, 130), i & 1, i & 2};
    const int64_t count = between(1, 3);
    pair a = pair_random(count, p.m * p.k), b = pair_random(count, p.k * p.n), c = pair_poison(count, p.m * p.n);
    rh_backend_ref.product(&p, count, a.host, b.host, c.host);
    gpu->product(&p, count, a.device, b.device, c.device);
    pair_agree("product", &c, sum_tolerance(p.k));
    pair_drop(&a);
    pair_drop(&b);
  }
}

static void compare_conv(const rh_conv *c, int64_t count, bool with_input)
{
  const int64_t places = (c->height - c->kernel + 1) * (c->width - c->kernel + 1);
  const int64_t taps = c->in_channels * c->kernel * c->kernel;
  const int64_t xn = c->batch * c->in_channels * c->height * c->width;
  const int64_t wn = c->out_channels * taps, yn = c->batch * c->out_channels * places;
  const int64_t scratch = gpu->conv_scratch(c);
  pair x = pair_random(count, xn), w = pair_random(count, wn), b = pair_random(count, c->out_channels);
  pair dy = pair_random(count, yn), y = pair_poison(count, yn), dw = pair_poison(count, wn);
  pair db = pair_poison(count, c->out_channels), dx = pair_poison(count, xn), work = pair_poison(count, scratch + 1);
  const rh_tensor none = {0};
  rh_backend_ref.conv_forward(c, count, x.host, w.host, b.host, y.host, none);
  gpu->conv_forward(c, count, x.device, w.device, b.device, y.device, work.device);
  rh_backend_ref.conv_backward(c, count, x.host, w.host, dy.host, dw.host, db.host, with_input ? dx.host : none, none);
  gpu->conv_backward(c, count, x.device, w.device, dy.device, dw.device, db.device, with_input ? dx.device : none,
                     work.device);
  pair_agree("conv y", &y, sum_tolerance(taps));
  pair_agree("conv dw", &dw, sum_tolerance(c->batch * places));
  pair_agree("conv db", &db, sum_tolerance(c->batch * places));
  pair_agree("conv dx", &dx, sum_tolerance(c->out_channels * c->kernel * c->kernel));
  pair *const inputs[] = {&x, &w, &b, &dy, &work};
  for (int i = 0; i < 5; i++)
    pair_drop(inputs[i]);
}

/* The device's rows of `want` become what is expected of `got`. */
static void expect_rows(const pair *want, const pair *got)
{
  float *const rows = checked(malloc(pair_bytes(want)));
  gpu->download(rows, want->device.data, pair_bytes(want));
  for (int64_t r = 0; r < want->count; r++)
    memcpy(got->host.data + r * got->host.stride, rows + r * want->host.stride, (size_t)want->n * sizeof(float));
  free(rows);
}

/* A convolution, max(., 0) and pooling as one: the bits of the three operations, each of which is held to `ref`. */
static void compare_conv_pool(const rh_conv *c, int64_t count, bool with_input)
{
  const int64_t height = c->height - c->kernel + 1, width = c->width - c->kernel + 1;
  const rh_pool p = {c->batch, c->out_channels, height, width, 2};
  const int64_t xn = c->batch * c->in_channels * c->height * c->width, planes = c->batch * c->out_channels;
  const int64_t wn = c->out_channels * c->in_channels * c->kernel * c->kernel, yn = planes * height * width;
  const int64_t zn = planes * (height / 2) * (width / 2), scratch = gpu->conv_pool_scratch(c);
  if (scratch < 0) return;
  pair x = pair_random(count, xn), w = pair_random(count, wn), b = pair_random(count, c->out_channels);
  pair y = pair_poison(count, yn), dy = pair_poison(count, yn), dz = pair_random(count, zn), z = pair_poison(count, zn);
  pair z1 = pair_poison(count, zn), dw = pair_poison(count, wn), dw1 = pair_poison(count, wn);
  pair db = pair_poison(count, c->out_channels), db1 = pair_poison(count, c->out_channels), dx = pair_poison(count, xn);
  pair dx1 = pair_poison(count, xn), places = pair_poison(count, (zn + 3) / 4), work = pair_poison(count, scratch);
  const rh_tensor none = {0}, dx_wanted = with_input ? dx.device : none, dx1_wanted = with_input ? dx1.device : none;
  gpu->conv_forward(c, count, x.device, w.device, b.device, y.device, none);
  gpu->relu_forward(yn, count, y.device, y.device);
  gpu->pool_forward(&p, count, y.device, z.device);
  gpu->pool_backward(&p, count, y.device, dz.device, dy.device);
  gpu->relu_backward(yn, count, y.device, dy.device, dy.device);
  gpu->conv_backward(c, count, x.device, w.device, dy.device, dw.device, db.device, dx_wanted, none);
  gpu->conv_pool_forward(c, count, x.device, w.device, b.device, z1.device, places.device, work.device);
  gpu->conv_pool_backward(c, count, x.device, w.device, dz.device, places.device, dw1.device, db1.device, dx1_wanted,
                          work.device);
  pair *const want[] = {&z, &dw, &db, &dx}, *const got[] = {&z1, &dw1, &db1, &dx1};
  static const char *const names[] = {"conv_pool y", "conv_pool dw", "conv_pool db", "conv_pool dx"};
  for (int i = 0; i < 4; i++) {
    expect_rows(want[i], got[i]);
    for (int64_t k = 0; i == 0 && k < count; k++) /* values, and none below zero: not the poison that was there */
      if (!(got[i]->host.data[k * got[i]->host.stride] >= 0)) exit(1);
    pair_agree(names[i], got[i], 0);
    pair_drop(want[i]);
  }
  pair *const rest[] = {&x, &w, &b, &y, &dy, &dz, &places, &work};
  for (int i = 0; i < 8; i++)
    pair_drop(rest[i]);
}

static void test_conv_pool(void)
{
  if (!gpu->conv_pool_scratch) return;
  compare_conv_pool(&(rh_conv){3, 1, 28, 28, 8, 5}, 2, true);
  compare_conv_pool(&(rh_conv){3, 8, 12, 12, 16, 5}, 2, true);
  compare_conv_pool(&(rh_conv){2, 3, 9, 8, 35, 3}, 1, false); /* rows that fill no square, more channels than a tile */
  for (int i = 0; i < shapes; i++) {
    const int64_t kernel = between(1, 5);
    compare_conv_pool(
        &(rh_conv){between(1, 4), between(1, 10), between(kernel, 13), between(kernel, 15), between(1, 19), kernel},
        between(1, 3), i % 2);
  }
}

static void test_conv(void)
{
  compare_conv(&(rh_conv){3, 1, 28, 28, 8, 5}, 2, true);
  compare_conv(&(rh_conv){3, 8, 12, 12, 16, 5}, 2, true);
  compare_conv(&(rh_conv){2, 18, 9, 7, 35, 3}, 1, true); /* more channels than a tile has */
  for (int i = 0; i < shapes; i++) {
    const int64_t kernel = between(1, 5);
    compare_conv(
        &(rh_conv){between(1, 4), between(1, 10), between(kernel, 13), between(kernel, 15), between(1, 19), kernel},
        between(1, 3), i % 2);
  }
}

static void test_relu(void)
{
  for (int i = 0; i < shapes; i++) {
    const int64_t n = i % 2 ? 4 * between(1, 200) : between(1, 700), count = between(1, 4);
    pair x = pair_random(count, n), y = pair_poison(count, n), dy = pair_random(count, n), dx = pair_poison(count, n);
    x.host.data[0] = i % 2 ? 0 : NAN;
    pair_send(&x);
    rh_backend_ref.relu_forward(n, count, x.host, y.host);
    gpu->relu_forward(n, count, x.device, y.device);
    rh_backend_ref.relu_backward(n, count, y.host, dy.host, dx.host);
    gpu->relu_backward(n, count, y.device, dy.device, dx.device);
    rh_backend_ref.relu_forward(n, count, x.host, x.host);
    gpu->relu_forward(n, count, x.device, x.device);
    rh_backend_ref.relu_backward(n, count, y.host, dy.host, dy.host);
    gpu->relu_backward(n, count, y.device, dy.device, dy.device);
    pair_agree("relu y", &y, 0);
    pair_agree("relu dx", &dx, 0);
    pair_agree("relu in place", &x, 0);
    pair_agree("relu dx in place", &dy, 0);
  }
}

/* Few different values, for ties, and now and then a NaN, which must not be lost. */
static void test_pool(void)
{
  for (int i = 0; i < 2 * shapes; i++) {
    const int64_t side = between(1, 4), count = between(1, 3);
    const rh_pool p = {between(1, 3), between(1, 3), between(side, 20), between(side, 27), side};
    const int64_t planes = p.batch * p.channels, xn = planes * p.height * p.width;
    const int64_t yn = planes * (p.height / side) * (p.width / side);
    pair x = pair_random(count, xn), y = pair_poison(count, yn), dy = pair_random(count, yn);
    pair dx = pair_poison(count, xn);
    for (int64_t k = 0; i % 2 && k < count * x.host.stride; k++)
      x.host.data[k] = rintf(x.host.data[k]);
    if (i % 3 == 0) x.host.data[between(0, xn - 1)] = NAN;
    pair_send(&x);
    rh_backend_ref.pool_forward(&p, count, x.host, y.host);
    gpu->pool_forward(&p, count, x.device, y.device);
    rh_backend_ref.pool_backward(&p, count, x.host, dy.host, dx.host);
    gpu->pool_backward(&p, count, x.device, dy.device, dx.device);
    pair_agree("pool y", &y, 0);
    pair_agree("pool dx", &dx, 0);
    pair_drop(&x);
    pair_drop(&dy);
  }
}

/* Sums are in f64 on both sides; what is added up over samples is rounded to f32 in between: a few 6e-8 of the largest,
 * growing with the root of their number. */
static void compare_norm(const rh_norm *n, int64_t count, bool with_parameters, bool with_input)
{
  const int64_t values = n->batch * n->channels * n->places, c = n->channels;
  const bool has_v = n->kind != RH_NORM_GROUP;
  pair x = pair_random(count, values), gain = pair_random(count, c), bias = pair_random(count, c);
  pair v = pair_random(count, c), y = pair_poison(count, values), dy = pair_random(count, values);
  pair dgain = pair_poison(count, c), dbias = pair_poison(count, c), dv = pair_poison(count, c);
  pair dx = pair_poison(count, values);
  const rh_tensor none = {0};
  rh_backend_ref.norm_forward(n, count, x.host, gain.host, bias.host, has_v ? v.host : none, y.host);
  gpu->norm_forward(n, count, x.device, gain.device, bias.device, has_v ? v.device : none, y.device);
  rh_backend_ref.norm_backward(n, count, x.host, gain.host, has_v ? v.host : none, dy.host,
                               with_parameters ? dgain.host : none, with_parameters ? dbias.host : none,
                               with_parameters && has_v ? dv.host : none, with_input ? dx.host : none);
  gpu->norm_backward(n, count, x.device, gain.device, has_v ? v.device : none, dy.device,
                     with_parameters ? dgain.device : none, with_parameters ? dbias.device : none,
                     with_parameters && has_v ? dv.device : none, with_input ? dx.device : none);
  const double tolerance = 2.4e-7 * sqrt((double)n->batch);
  pair_agree("norm y", &y, tolerance);
  pair_agree("norm dgain", &dgain, tolerance);
  pair_agree("norm dbias", &dbias, tolerance);
  pair_agree("norm dv", &dv, tolerance);
  pair_agree("norm dx", &dx, tolerance);
  pair *const inputs[] = {&x, &gain, &bias, &v, &dy};
  for (int i = 0; i < 5; i++)
    pair_drop(inputs[i]);
}

static void test_norm(void)
{
  static const rh_norm_kind kinds[] = {RH_NORM_GROUP, RH_NORM_EVO_S0, RH_NORM_RANGE_EVO};
  for (int k = 0; k < 3; k++)
    for (int i = 0; i < shapes; i++) {
      const int64_t groups = between(1, 4), in_group = between(1, 4);
      compare_norm(&(rh_norm){kinds[k], between(1, 5), groups * in_group, between(2, i % 3 ? 40 : 400), groups},
                   between(1, 3), i % 4 != 1, i % 4 != 2);
    }
}

/* Exponentials and sums are in f64 on both sides. */
static void test_loss(void)
{
  for (int i = 0; i < 2 * shapes; i++) {
    const int64_t batch = between(1, 150), classes = between(2, 30), count = between(1, 4), label_stride = batch + 3;
    const double smoothing = i % 3 ? 0 : 0.1;
    pair z = pair_random(count, batch * classes), dz = pair_poison(count, batch * classes);
    int32_t *labels = checked(calloc((size_t)(count * label_stride), sizeof *labels));
    for (int64_t k = 0; k < count * label_stride; k++)
      labels[k] = (int32_t)between(0, classes - 1);
    const size_t label_bytes = (size_t)(count * label_stride) * sizeof *labels, results = (size_t)count;
    int32_t *device_labels = checked(gpu->alloc(label_bytes));
    double *device_loss = checked(gpu->alloc(results * sizeof(double))), loss[2][4];
    int64_t *device_correct = checked(gpu->alloc(results * sizeof(int64_t))), correct[2][4];
    gpu->upload(device_labels, labels, label_bytes);
    const rh_tensor none = {0};
    rh_backend_ref.softmax_cross_entropy(batch, classes, count, z.host, labels, label_stride, smoothing,
                                         i % 4 ? dz.host : none, loss[0], correct[0]);
    gpu->softmax_cross_entropy(batch, classes, count, z.device, device_labels, label_stride, smoothing,
                               i % 4 ? dz.device : none, device_loss, device_correct);
    gpu->download(loss[1], device_loss, results * sizeof(double));
    gpu->download(correct[1], device_correct, results * sizeof(int64_t));
    for (int64_t r = 0; r < count; r++)
      if (!(fabs(loss[1][r] - loss[0][r]) <= 1e-12 * (1 + loss[0][r])) || correct[0][r] != correct[1][r]) {
        fprintf(stderr, "loss of replica %lld: %.17g, %lld right; expected %.17g, %lld\n", (long long)r, loss[1][r],
                (long long)correct[1][r], loss[0][r], (long long)correct[0][r]);
        exit(1);
      }
    pair_agree("loss gradient", &dz, 1.2e-7);
    pair_drop(&z);
    free(labels);
    gpu->release(device_labels);
    gpu->release(device_loss);
    gpu->release(device_correct);
  }
}

static void test_optimisers(void)
{
  for (int i = 0; i < shapes; i++) {
    const int64_t n = i % 2 ? 4 * between(1, 200) : between(1, 700), count = between(1, 4);
    pair x = pair_random(count, n), u = pair_random(count, n), g = pair_random(count, n);
    const rh_sgd sgd = {.lr = 0.05, .momentum = 0.9, .decay = 1e-2, .nesterov = i % 2};
    rh_backend_ref.sgd_step(&sgd, n, count, x.host, u.host, g.host);
    gpu->sgd_step(&sgd, n, count, x.device, u.device, g.device);
    pair_agree("sgd x", &x, 0);
    pair_agree("sgd u", &u, 0);
    pair m = pair_random(count, n), v = pair_poison(count, n);
    x = pair_random(count, n);
    for (int64_t k = 0; k < count * v.host.stride; k++)
      v.host.data[k] = k % v.host.stride < n ? rh_rng_f32(&rng) : NAN;
    pair_send(&v);
    const rh_adamw adamw = {.lr = 0.01, .beta1 = 0.9, .beta2 = 0.99, .epsilon = 1e-8, .decay = 0.1, .step = 1 + i};
    rh_backend_ref.adamw_step(&adamw, n, count, x.host, m.host, v.host, g.host);
    gpu->adamw_step(&adamw, n, count, x.device, m.device, v.device, g.device);
    pair_agree("adamw x", &x, 0);
    pair_agree("adamw m", &m, 0);
    pair_agree("adamw v", &v, 0);
    pair_drop(&g);
  }
}

void test_layers(void)
{
  test_dense();
  test_counts();
  test_product();
  test_conv();
  test_conv_pool();
  test_relu();
  test_pool();
  test_norm();
  test_loss();
  test_optimisers();
}
