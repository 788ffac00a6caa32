/* The oracle: every operation as its definition reads, in loops over scalars, sums in double. Never optimised. */
#include "backend_ref.h"

#include <math.h>

#include "backend_host.h"

static const char *kernel_name(void)
{
  return "naive loops";
}

static void parallel(int64_t items, int threads, bool (*body)(void *context, int64_t item, int thread), void *context)
{
  (void)threads;
  for (int64_t item = 0; item < items; item++)
    if (!body(context, item, 0)) return;
}

/* Values of replica r. */
static float *at(rh_tensor x, int64_t r)
{
  return x.data + r * x.stride;
}

static void dense_forward(const rh_dense *d, int64_t count, rh_tensor x, rh_tensor w, rh_tensor b, rh_tensor y)
{
  for (int64_t r = 0; r < count; r++)
    for (int64_t n = 0; n < d->batch; n++)
      for (int64_t o = 0; o < d->outputs; o++) {
        double sum = at(b, r)[o];
        for (int64_t i = 0; i < d->inputs; i++)
          sum += (double)at(x, r)[n * d->inputs + i] * at(w, r)[o * d->inputs + i];
        at(y, r)[n * d->outputs + o] = (float)sum;
      }
}

static void dense_backward(const rh_dense *d, int64_t count, rh_tensor x, rh_tensor w, rh_tensor dy, rh_tensor dw,
                           rh_tensor db, rh_tensor dx)
{
  for (int64_t r = 0; r < count; r++) {
    for (int64_t o = 0; dw.data && o < d->outputs; o++) {
      double bias = 0;
      for (int64_t n = 0; n < d->batch; n++)
        bias += at(dy, r)[n * d->outputs + o];
      at(db, r)[o] = (float)bias;
      for (int64_t i = 0; i < d->inputs; i++) {
        double sum = 0;
        for (int64_t n = 0; n < d->batch; n++)
          sum += (double)at(dy, r)[n * d->outputs + o] * at(x, r)[n * d->inputs + i];
        at(dw, r)[o * d->inputs + i] = (float)sum;
      }
    }
    for (int64_t n = 0; dx.data && n < d->batch; n++)
      for (int64_t i = 0; i < d->inputs; i++) {
        double sum = 0;
        for (int64_t o = 0; o < d->outputs; o++)
          sum += (double)at(dy, r)[n * d->outputs + o] * at(w, r)[o * d->inputs + i];
        at(dx, r)[n * d->inputs + i] = (float)sum;
      }
  }
}

static int64_t conv_scratch(const rh_conv *c)
{
  (void)c;
  return 0;
}

/* Offsets into x [B][C][H][W], w [O][C][K][K] and y [B][O][H-K+1][W-K+1]. */
static int64_t x_at(const rh_conv *c, int64_t n, int64_t i, int64_t row, int64_t column)
{
  return ((n * c->in_channels + i) * c->height + row) * c->width + column;
}

static int64_t w_at(const rh_conv *c, int64_t o, int64_t i, int64_t ky, int64_t kx)
{
  return ((o * c->in_channels + i) * c->kernel + ky) * c->kernel + kx;
}

static int64_t y_at(const rh_conv *c, int64_t n, int64_t o, int64_t row, int64_t column)
{
  return ((n * c->out_channels + o) * (c->height - c->kernel + 1) + row) * (c->width - c->kernel + 1) + column;
}

/* One output: the bias plus the sum over the window. */
static double conv_output(const rh_conv *c, const float *x, const float *w, double bias, int64_t n, int64_t o,
                          int64_t row, int64_t column)
{
  double sum = bias;
  for (int64_t i = 0; i < c->in_channels; i++)
    for (int64_t ky = 0; ky < c->kernel; ky++)
      for (int64_t kx = 0; kx < c->kernel; kx++)
        sum += (double)x[x_at(c, n, i, row + ky, column + kx)] * w[w_at(c, o, i, ky, kx)];
  return sum;
}

static void conv_forward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor b, rh_tensor y,
                         rh_tensor scratch)
{
  (void)scratch;
  const int64_t rows = c->height - c->kernel + 1, columns = c->width - c->kernel + 1;
  for (int64_t r = 0; r < count; r++)
    for (int64_t n = 0; n < c->batch; n++)
      for (int64_t o = 0; o < c->out_channels; o++)
        for (int64_t row = 0; row < rows; row++)
          for (int64_t column = 0; column < columns; column++)
            at(y, r)[y_at(c, n, o, row, column)] =
                (float)conv_output(c, at(x, r), at(w, r), at(b, r)[o], n, o, row, column);
}

/* dw[o][i][ky][kx]: every output saw this weight once, times the input under it. */
static double conv_weight_gradient(const rh_conv *c, const float *x, const float *dy, int64_t o, int64_t i, int64_t ky,
                                   int64_t kx)
{
  double sum = 0;
  for (int64_t n = 0; n < c->batch; n++)
    for (int64_t row = 0; row <= c->height - c->kernel; row++)
      for (int64_t column = 0; column <= c->width - c->kernel; column++)
        sum += (double)dy[y_at(c, n, o, row, column)] * x[x_at(c, n, i, row + ky, column + kx)];
  return sum;
}

/* dx[n][i][row][column]: the outputs whose window covers this input, times the weight that lay on it. */
static double conv_input_gradient(const rh_conv *c, const float *w, const float *dy, int64_t n, int64_t i, int64_t row,
                                  int64_t column)
{
  double sum = 0;
  for (int64_t o = 0; o < c->out_channels; o++)
    for (int64_t ky = 0; ky < c->kernel; ky++)
      for (int64_t kx = 0; kx < c->kernel; kx++) {
        int64_t y_row = row - ky, y_column = column - kx;
        if (y_row < 0 || y_row > c->height - c->kernel || y_column < 0 || y_column > c->width - c->kernel) continue;
        sum += (double)dy[y_at(c, n, o, y_row, y_column)] * w[w_at(c, o, i, ky, kx)];
      }
  return sum;
}

static void conv_backward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor dy, rh_tensor dw,
                          rh_tensor db, rh_tensor dx, rh_tensor scratch)
{
  (void)scratch;
  const int64_t places = (c->height - c->kernel + 1) * (c->width - c->kernel + 1);
  for (int64_t r = 0; r < count; r++) {
    for (int64_t o = 0; dw.data && o < c->out_channels; o++) {
      double bias = 0;
      for (int64_t n = 0; n < c->batch; n++)
        for (int64_t place = 0; place < places; place++)
          bias += at(dy, r)[y_at(c, n, o, 0, 0) + place];
      at(db, r)[o] = (float)bias;
      for (int64_t i = 0; i < c->in_channels; i++)
        for (int64_t ky = 0; ky < c->kernel; ky++)
          for (int64_t kx = 0; kx < c->kernel; kx++)
            at(dw, r)[w_at(c, o, i, ky, kx)] = (float)conv_weight_gradient(c, at(x, r), at(dy, r), o, i, ky, kx);
    }
    for (int64_t n = 0; dx.data && n < c->batch; n++)
      for (int64_t i = 0; i < c->in_channels; i++)
        for (int64_t row = 0; row < c->height; row++)
          for (int64_t column = 0; column < c->width; column++)
            at(dx, r)[x_at(c, n, i, row, column)] =
                (float)conv_input_gradient(c, at(w, r), at(dy, r), n, i, row, column);
  }
}

static void relu_forward(int64_t n, int64_t count, rh_tensor x, rh_tensor y)
{
  for (int64_t r = 0; r < count; r++)
    for (int64_t i = 0; i < n; i++)
      at(y, r)[i] = at(x, r)[i] < 0 ? 0 : at(x, r)[i]; /* a NaN stays one: a diverged training must show */
}

static void relu_backward(int64_t n, int64_t count, rh_tensor y, rh_tensor dy, rh_tensor dx)
{
  for (int64_t r = 0; r < count; r++)
    for (int64_t i = 0; i < n; i++)
      at(dx, r)[i] = at(y, r)[i] > 0 ? at(dy, r)[i] : 0;
}

/* Offset in x of the largest value of pool square (row, column) in the plane that starts at `plane`. */
static int64_t pool_place(const rh_pool *p, const float *x, int64_t plane, int64_t row, int64_t column)
{
  const int64_t first = plane + row * p->side * p->width + column * p->side;
  int64_t best = first;
  for (int64_t i = 0; i < p->side; i++)
    for (int64_t j = 0; j < p->side; j++) {
      int64_t place = first + i * p->width + j;
      if (x[place] > x[best] || isnan(x[place])) best = place;
    }
  return best;
}

static void pool_forward(const rh_pool *p, int64_t count, rh_tensor x, rh_tensor y)
{
  const int64_t rows = p->height / p->side, columns = p->width / p->side;
  for (int64_t r = 0; r < count; r++)
    for (int64_t plane = 0; plane < p->batch * p->channels; plane++)
      for (int64_t row = 0; row < rows; row++)
        for (int64_t column = 0; column < columns; column++)
          at(y, r)[(plane * rows + row) * columns + column] =
              at(x, r)[pool_place(p, at(x, r), plane * p->height * p->width, row, column)];
}

static void pool_backward(const rh_pool *p, int64_t count, rh_tensor x, rh_tensor dy, rh_tensor dx)
{
  const int64_t rows = p->height / p->side, columns = p->width / p->side;
  for (int64_t r = 0; r < count; r++) {
    for (int64_t i = 0; i < p->batch * p->channels * p->height * p->width; i++)
      at(dx, r)[i] = 0;
    for (int64_t plane = 0; plane < p->batch * p->channels; plane++)
      for (int64_t row = 0; row < rows; row++)
        for (int64_t column = 0; column < columns; column++)
          at(dx, r)[pool_place(p, at(x, r), plane * p->height * p->width, row, column)] =
              at(dy, r)[(plane * rows + row) * columns + column];
  }
}

/* loss = log sum_k exp(z_k) - sum_k target_k z_k, with z shifted by its maximum; target_k = (1 - smoothing) [k = label]
 * + smoothing / classes; d loss / d z_k = softmax(z)_k - target_k */
static void softmax_cross_entropy(int64_t batch, int64_t classes, int64_t count, rh_tensor logits,
                                  const int32_t *labels, int64_t label_stride, double smoothing, rh_tensor dlogits,
                                  double *loss, int64_t *correct)
{
  for (int64_t r = 0; r < count; r++) {
    loss[r] = 0;
    correct[r] = 0;
    for (int64_t n = 0; n < batch; n++) {
      const float *z = at(logits, r) + n * classes;
      const int32_t label = labels[r * label_stride + n];
      int64_t best = 0;
      for (int64_t k = 1; k < classes; k++)
        if (z[k] > z[best]) best = k;
      double sum = 0;
      for (int64_t k = 0; k < classes; k++)
        sum += exp((double)z[k] - z[best]);
      loss[r] += (log(sum) + z[best] - z[label]) / (double)batch;
      for (int64_t k = 0; smoothing > 0 && k < classes; k++)
        loss[r] += smoothing / (double)classes * ((double)z[label] - z[k]) / (double)batch;
      correct[r] += best == label;
      for (int64_t k = 0; dlogits.data && k < classes; k++) {
        const double target = (1 - smoothing) * (k == label) + smoothing / (double)classes;
        at(dlogits, r)[n * classes + k] = (float)((exp((double)z[k] - z[best]) / sum - target) / (double)batch);
      }
    }
  }
}

static void sgd_step(const rh_sgd *s, int64_t n, int64_t count, rh_tensor x, rh_tensor u, rh_tensor g)
{
  const float lr = (float)s->lr, momentum = (float)s->momentum, decay = (float)s->decay;
  for (int64_t r = 0; r < count; r++)
    for (int64_t i = 0; i < n; i++) {
      const float full = at(g, r)[i] + decay * at(x, r)[i];
      at(u, r)[i] = momentum * at(u, r)[i] + full;
      at(x, r)[i] -= lr * (s->nesterov ? full + momentum * at(u, r)[i] : at(u, r)[i]);
    }
}

static void adamw_step(const rh_adamw *a, int64_t n, int64_t count, rh_tensor x, rh_tensor m, rh_tensor v, rh_tensor g)
{
  const float lr = (float)a->lr, decay = (float)a->decay, epsilon = (float)a->epsilon;
  const float keep_m = (float)a->beta1, take_m = (float)(1 - a->beta1);
  const float keep_v = (float)a->beta2, take_v = (float)(1 - a->beta2);
  const float unbias_m = (float)(1 / (1 - pow(a->beta1, (double)a->step)));
  const float unbias_v = (float)(1 / (1 - pow(a->beta2, (double)a->step)));
  for (int64_t r = 0; r < count; r++)
    for (int64_t i = 0; i < n; i++) {
      const float gi = at(g, r)[i];
      at(m, r)[i] = keep_m * at(m, r)[i] + take_m * gi;
      at(v, r)[i] = keep_v * at(v, r)[i] + take_v * (gi * gi);
      const float move = unbias_m * at(m, r)[i] / (sqrtf(unbias_v * at(v, r)[i]) + epsilon);
      at(x, r)[i] -= lr * (decay * at(x, r)[i] + move);
    }
}

static void add_scaled(int64_t n, int64_t count, double a, rh_tensor x, rh_tensor y)
{
  for (int64_t r = 0; r < count; r++)
    for (int64_t i = 0; i < n; i++)
      at(y, r)[i] = (float)a * at(x, r)[i] + at(y, r)[i];
}

static void scale(int64_t n, int64_t count, double a, rh_tensor x, rh_tensor y)
{
  for (int64_t r = 0; r < count; r++)
    for (int64_t i = 0; i < n; i++)
      at(y, r)[i] = (float)a * at(x, r)[i];
}

static void combine(int64_t n, int64_t count, double a, rh_tensor x, double b, rh_tensor y, rh_tensor z)
{
  for (int64_t r = 0; r < count; r++)
    for (int64_t i = 0; i < n; i++)
      at(z, r)[i] = (float)a * at(x, r)[i] + (float)b * at(y, r)[i];
}

static void divide(int64_t n, int64_t count, const float *divisors, rh_tensor x, rh_tensor y)
{
  for (int64_t r = 0; r < count; r++)
    for (int64_t i = 0; i < n; i++)
      at(y, r)[i] = at(x, r)[i] / divisors[r];
}

static void product(const rh_product *p, int64_t count, rh_tensor a, rh_tensor b, rh_tensor c)
{
  for (int64_t r = 0; r < count; r++)
    for (int64_t i = 0; i < p->m; i++)
      for (int64_t j = 0; j < p->n; j++) {
        double sum = 0;
        for (int64_t l = 0; l < p->k; l++)
          sum += (double)at(a, r)[p->transpose_a ? l * p->m + i : i * p->k + l] *
                 at(b, r)[p->transpose_b ? j * p->k + l : l * p->n + j];
        at(c, r)[i * p->n + j] = (float)sum;
      }
}

static void weighted_sum(int64_t n, int64_t terms, const double *weights, const float *const *rows, float *y)
{
  for (int64_t i = 0; i < n; i++) {
    float sum = (float)weights[0] * rows[0][i];
    for (int64_t k = 1; k < terms; k++)
      sum += (float)weights[k] * rows[k][i];
    y[i] = sum;
  }
}

const rh_backend rh_backend_ref = {
    .name = "ref",
    .summary = "naive loops on one thread: slow, the oracle of the tests",
    .kernel = kernel_name,
    .tile = 1,
    .alloc = rh_host_alloc,
    .release = rh_host_release,
    .parallel = parallel,
    .dense_forward = dense_forward,
    .dense_backward = dense_backward,
    .conv_scratch = conv_scratch,
    .conv_forward = conv_forward,
    .conv_backward = conv_backward,
    .relu_forward = relu_forward,
    .relu_backward = relu_backward,
    .pool_forward = pool_forward,
    .pool_backward = pool_backward,
    .norm_forward = rh_ref_norm_forward,
    .norm_backward = rh_ref_norm_backward,
    .softmax_cross_entropy = softmax_cross_entropy,
    .sgd_step = sgd_step,
    .adamw_step = adamw_step,
    .add_scaled = add_scaled,
    .scale = scale,
    .combine = combine,
    .divide = divide,
    .product = product,
    .split = rh_ref_split,
    .resize = rh_host_resize,
    .weighted_sum = weighted_sum,
};
