/* poison-device: a device that is none. Its memory lies at addresses that nobody may touch, with guarded memory
 * behind them (poison.h), so that whoever mixes up the program's memory with the device's is caught: the program, at
 * the instruction; an operation that is given the program's memory, by name. Operations are `poison`'s on what lies
 * behind.
 *
 * What a device offers beside those is computed here in plain loops, in the order that backend.h asks for.
 */
#include <math.h>
#include <string.h>

#include "backend.h"
#include "fold.h"
#include "optim.h"
#include "poison.h"
#include "thin.h"

enum { F32 = 4 };

/* What lies behind the argument of an operation: of `count` replicas with n elements each. */
static rh_tensor behind(const char *operation, const char *name, rh_tensor t, int64_t count, int64_t n)
{
  if (!t.data) return t;
  const int64_t bytes = n > 0 && count > 0 ? F32 * ((count - 1) * t.stride + n) : 0;
  return (rh_tensor){rh_poison_device_memory(operation, name, t.data, bytes), t.stride};
}

#define AT(t, n)       behind(__func__, #t, t, count, n)
#define AT_ARRAY(p, n) rh_poison_device_memory(__func__, #p, p, (n) * (int64_t)sizeof *(p))

static const char *kernel(void)
{
  return "naive loops on a device that is none";
}

static void upload(void *to, const void *from, size_t bytes)
{
  rh_poison_check_of_program("upload", "from", from);
  memcpy(rh_poison_device_memory("upload", "to", to, (int64_t)bytes), from, bytes);
}

static void download(void *to, const void *from, size_t bytes)
{
  rh_poison_check_of_program("download", "to", to);
  memcpy(to, rh_poison_device_memory("download", "from", from, (int64_t)bytes), bytes);
}

static void copy(void *to, const void *from, size_t bytes)
{
  memcpy(rh_poison_device_memory("copy", "to", to, (int64_t)bytes),
         rh_poison_device_memory("copy", "from", from, (int64_t)bytes), bytes);
}

static void wait_for_all(void)
{
}

static const char *failure(void)
{
  return NULL;
}

static int64_t free_bytes(void)
{
  return (int64_t)1 << 40;
}

static void parallel(int64_t items, int threads, bool (*body)(void *context, int64_t item, int thread), void *context)
{
  rh_backend_poison.parallel(items, threads, body, context);
}

static void dense_forward(const rh_dense *d, int64_t count, rh_tensor x, rh_tensor w, rh_tensor b, rh_tensor y)
{
  rh_backend_poison.dense_forward(d, count, AT(x, d->batch * d->inputs), AT(w, d->outputs * d->inputs),
                                  AT(b, d->outputs), AT(y, d->batch * d->outputs));
}

static void dense_backward(const rh_dense *d, int64_t count, rh_tensor x, rh_tensor w, rh_tensor dy, rh_tensor dw,
                           rh_tensor db, rh_tensor dx)
{
  rh_backend_poison.dense_backward(d, count, AT(x, d->batch * d->inputs), AT(w, d->outputs * d->inputs),
                                   AT(dy, d->batch * d->outputs), AT(dw, d->outputs * d->inputs), AT(db, d->outputs),
                                   AT(dx, d->batch * d->inputs));
}

static int64_t conv_scratch(const rh_conv *c)
{
  return rh_backend_poison.conv_scratch(c);
}

/* Elements of a convolution's input, weights and output. */
static int64_t conv_x(const rh_conv *c)
{
  return c->batch * c->in_channels * c->height * c->width;
}

static int64_t conv_w(const rh_conv *c)
{
  return c->out_channels * c->in_channels * c->kernel * c->kernel;
}

static int64_t conv_y(const rh_conv *c)
{
  return c->batch * c->out_channels * (c->height - c->kernel + 1) * (c->width - c->kernel + 1);
}

static void conv_forward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor b, rh_tensor y,
                         rh_tensor scratch)
{
  rh_backend_poison.conv_forward(c, count, AT(x, conv_x(c)), AT(w, conv_w(c)), AT(b, c->out_channels), AT(y, conv_y(c)),
                                 AT(scratch, conv_scratch(c)));
}

static void conv_backward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor dy, rh_tensor dw,
                          rh_tensor db, rh_tensor dx, rh_tensor scratch)
{
  rh_backend_poison.conv_backward(c, count, AT(x, conv_x(c)), AT(w, conv_w(c)), AT(dy, conv_y(c)), AT(dw, conv_w(c)),
                                  AT(db, c->out_channels), AT(dx, conv_x(c)), AT(scratch, conv_scratch(c)));
}

static void relu_forward(int64_t n, int64_t count, rh_tensor x, rh_tensor y)
{
  rh_backend_poison.relu_forward(n, count, AT(x, n), AT(y, n));
}

static void relu_backward(int64_t n, int64_t count, rh_tensor y, rh_tensor dy, rh_tensor dx)
{
  rh_backend_poison.relu_backward(n, count, AT(y, n), AT(dy, n), AT(dx, n));
}

static int64_t pool_x(const rh_pool *p)
{
  return p->batch * p->channels * p->height * p->width;
}

static int64_t pool_y(const rh_pool *p)
{
  return p->batch * p->channels * (p->height / p->side) * (p->width / p->side);
}

static void pool_forward(const rh_pool *p, int64_t count, rh_tensor x, rh_tensor y)
{
  rh_backend_poison.pool_forward(p, count, AT(x, pool_x(p)), AT(y, pool_y(p)));
}

static void pool_backward(const rh_pool *p, int64_t count, rh_tensor x, rh_tensor dy, rh_tensor dx)
{
  rh_backend_poison.pool_backward(p, count, AT(x, pool_x(p)), AT(dy, pool_y(p)), AT(dx, pool_x(p)));
}

static void norm_forward(const rh_norm *n, int64_t count, rh_tensor x, rh_tensor gain, rh_tensor bias, rh_tensor v,
                         rh_tensor y)
{
  const int64_t values = n->batch * n->channels * n->places;
  rh_backend_poison.norm_forward(n, count, AT(x, values), AT(gain, n->channels), AT(bias, n->channels),
                                 AT(v, n->channels), AT(y, values));
}

static void norm_backward(const rh_norm *n, int64_t count, rh_tensor x, rh_tensor gain, rh_tensor v, rh_tensor dy,
                          rh_tensor dgain, rh_tensor dbias, rh_tensor dv, rh_tensor dx)
{
  const int64_t values = n->batch * n->channels * n->places;
  rh_backend_poison.norm_backward(n, count, AT(x, values), AT(gain, n->channels), AT(v, n->channels), AT(dy, values),
                                  AT(dgain, n->channels), AT(dbias, n->channels), AT(dv, n->channels), AT(dx, values));
}

static void softmax_cross_entropy(int64_t batch, int64_t classes, int64_t count, rh_tensor logits,
                                  const int32_t *labels, int64_t label_stride, double smoothing, rh_tensor dlogits,
                                  double *loss, int64_t *correct)
{
  rh_backend_poison.softmax_cross_entropy(
      batch, classes, count, AT(logits, batch * classes), AT_ARRAY(labels, (count - 1) * label_stride + batch),
      label_stride, smoothing, AT(dlogits, batch * classes), AT_ARRAY(loss, count), AT_ARRAY(correct, count));
}

static void sgd_step(const rh_sgd *s, int64_t n, int64_t count, rh_tensor x, rh_tensor u, rh_tensor g)
{
  rh_backend_poison.sgd_step(s, n, count, AT(x, n), AT(u, n), AT(g, n));
}

static void adamw_step(const rh_adamw *a, int64_t n, int64_t count, rh_tensor x, rh_tensor m, rh_tensor v, rh_tensor g)
{
  rh_backend_poison.adamw_step(a, n, count, AT(x, n), AT(m, n), AT(v, n), AT(g, n));
}

static void add_scaled(int64_t n, int64_t count, double a, rh_tensor x, rh_tensor y)
{
  rh_backend_poison.add_scaled(n, count, a, AT(x, n), AT(y, n));
}

static void scale(int64_t n, int64_t count, double a, rh_tensor x, rh_tensor y)
{
  rh_backend_poison.scale(n, count, a, AT(x, n), AT(y, n));
}

static void combine(int64_t n, int64_t count, double a, rh_tensor x, double b, rh_tensor y, rh_tensor z)
{
  rh_backend_poison.combine(n, count, a, AT(x, n), b, AT(y, n), AT(z, n));
}

static void divide(int64_t n, int64_t count, const float *divisors, rh_tensor x, rh_tensor y)
{
  rh_poison_check_of_program("divide", "divisors", divisors);
  rh_backend_poison.divide(n, count, divisors, AT(x, n), AT(y, n));
}

static void product(const rh_product *p, int64_t count, rh_tensor a, rh_tensor b, rh_tensor c)
{
  rh_backend_poison.product(p, count, AT(a, p->m * p->k), AT(b, p->k * p->n), AT(c, p->m * p->n));
}

static void split(const rh_svd *p, int64_t count, rh_tensor x, rh_tensor a, rh_tensor b, rh_tensor s, int32_t *result)
{
  rh_backend_poison.split(p, count, AT(x, p->m * p->n), AT(a, p->m * p->n), AT(b, p->n * p->n), AT(s, p->n),
                          AT_ARRAY(result, count));
}

static void resize(int64_t rows, int64_t from, int64_t to, int64_t count, rh_tensor x, rh_tensor y)
{
  rh_backend_poison.resize(rows, from, to, count, AT(x, rows * from), AT(y, rows * to));
}

/* y += weight x, or y = weight x, of n values behind the device's addresses. */
static void add_weighted(int64_t n, double weight, const float *x, bool first, float *y)
{
  const rh_tensor from = {(float *)(uintptr_t)x, n}, to = {y, n};
  if (first)
    rh_backend_ref.scale(n, 1, weight, from, to);
  else
    rh_backend_ref.add_scaled(n, 1, weight, from, to);
}

static void weighted_sum(int64_t n, int64_t terms, const double *weights, const float *const *rows, float *y)
{
  float *const out = AT_ARRAY(y, n);
  for (int64_t k = 0; k < terms; k++)
    add_weighted(n, weights[k], rh_poison_device_memory(__func__, "rows", rows[k], F32 * n), k == 0, out);
}

static void gather(int64_t n, int64_t size, const uint8_t *pixels, const int32_t *labels, const int32_t *indices,
                   float mean, float deviation, float *x, int32_t *picked)
{
  const int32_t *const index = AT_ARRAY(indices, n);
  float *const to = AT_ARRAY(x, n * size);
  int32_t *const label = AT_ARRAY(picked, n);
  for (int64_t i = 0; i < n; i++) {
    const uint8_t *const from = AT_ARRAY(pixels, (index[i] + 1) * size);
    label[i] = ((const int32_t *)AT_ARRAY(labels, index[i] + 1))[index[i]];
    for (int64_t k = 0; k < size; k++)
      to[i * size + k] = ((float)from[index[i] * size + k] / 255.0f - mean) / deviation;
  }
}

static void copy_row(void *context, const void *from, void *to)
{
  memcpy(to, from, (size_t)(*(const int64_t *)context) * sizeof(float));
}

static void add_row(void *context, const void *from, void *to)
{
  add_weighted(*(const int64_t *)context, 1, from, false, to);
}

static void fold_rows(int64_t n, int64_t count, rh_tensor x, uint64_t before, float *levels)
{
  const rh_tensor rows = AT(x, n);
  int64_t filled = 0;
  while ((before + (uint64_t)count) >> filled)
    filled++;
  rh_fold fold = {.levels = AT_ARRAY(levels, filled * n),
                  .row_bytes = F32 * n,
                  .context = &n,
                  .copy = copy_row,
                  .add = add_row,
                  .rows = before};
  for (int64_t r = 0; r < count; r++)
    rh_fold_add(&fold, rows.data + r * rows.stride);
}

static void squared_distances(int64_t n, int64_t count, rh_tensor x, const float *y, double *out)
{
  enum { LANES = 16 };
  const rh_tensor rows = AT(x, n);
  const float *const from = y ? AT_ARRAY(y, n) : NULL;
  double *const squares = AT_ARRAY(out, count);
  for (int64_t r = 0; r < count; r++) {
    double lane[LANES] = {0};
    for (int64_t k = 0; k < n; k++) {
      const double d = (double)rows.data[r * rows.stride + k] - (from ? from[k] : 0);
      lane[k % LANES] += d * d;
    }
    squares[r] = 0;
    for (int64_t k = 0; k < LANES; k++)
      squares[r] += lane[k];
  }
}

static void add_doubles(int64_t count, const double *terms, double *sums)
{
  const double *const from = AT_ARRAY(terms, count);
  double *const to = AT_ARRAY(sums, count);
  for (int64_t r = 0; r < count; r++)
    to[r] += from[r];
}

static void thin_right(const rh_thin *t, int64_t count, rh_tensor m, rh_tensor q, rh_tensor p)
{
  const rh_tensor from = AT(m, t->rows * t->columns), by = AT(q, t->rank * t->columns), to = AT(p, t->rank * t->rows);
  for (int64_t r = 0; r < count; r++)
    rh_thin_right(t, from.data + r * from.stride, by.data + r * by.stride, to.data + r * to.stride);
}

static void thin_left(const rh_thin *t, int64_t count, rh_tensor m, rh_tensor p, rh_tensor q)
{
  const rh_tensor from = AT(m, t->rows * t->columns), by = AT(p, t->rank * t->rows);
  const rh_tensor to = AT(q, rh_thin_right_values(t));
  for (int64_t r = 0; r < count; r++)
    rh_thin_left(t, from.data + r * from.stride, by.data + r * by.stride, to.data + r * to.stride);
}

static void thin_expand(const rh_thin *t, int64_t count, double factor, rh_tensor p, rh_tensor q, rh_tensor m)
{
  const rh_tensor left = AT(p, t->rank * t->rows), right = AT(q, rh_thin_right_values(t));
  const rh_tensor to = AT(m, t->rows * t->columns);
  for (int64_t r = 0; r < count; r++)
    rh_thin_expand(t, left.data + r * left.stride, right.data + r * right.stride, factor, to.data + r * to.stride);
}

static void thin_orthonormalise(int64_t n, int64_t columns, int64_t count, const struct rh_rng *stream, int64_t *drawn,
                                rh_tensor x)
{
  const rh_tensor rows = AT(x, n * columns);
  int64_t *const so_far = stream ? AT_ARRAY(drawn, count) : NULL;
  for (int64_t r = 0; r < count; r++) {
    rh_rng rng = stream ? *stream : (rh_rng){0};
    if (stream) rng.counter[0] += (uint32_t)so_far[r];
    rng.counter[2] += (uint32_t)r;
    rh_thin_orthonormalise(rows.data + r * rows.stride, n, columns, stream ? &rng : NULL);
    if (stream) so_far[r] = (int64_t)(rng.counter[0] - stream->counter[0]);
  }
}

static void clip(int64_t n, int64_t count, double most, const double *squares, rh_tensor x)
{
  const rh_tensor rows = AT(x, n);
  const double *const length = AT_ARRAY(squares, count);
  for (int64_t r = 0; r < count; r++) {
    const double factor = rh_optimiser_clip(&(rh_optimiser){.clip = most}, length[r]);
    float *const row = rows.data + r * rows.stride;
    if (factor != 1) add_weighted(n, factor, row, true, row);
  }
}

static void mix(int64_t n, int64_t count, const int32_t *offset, const int32_t *column, const double *weights,
                rh_tensor own, rh_tensor x, rh_tensor y)
{
  const rh_tensor first = AT(own, n), from = AT(x, n), to = AT(y, n);
  for (int64_t i = 0; i < count; i++)
    for (int32_t k = offset[i]; k < offset[i + 1]; k++) {
      const bool begins = k == offset[i];
      const float *const row =
          begins && first.data ? first.data + i * first.stride : from.data + column[k] * from.stride;
      add_weighted(n, weights[k], row, begins, to.data + i * to.stride);
    }
}

static void pick(int64_t n, int64_t count, const int32_t *places, rh_tensor x, rh_tensor y)
{
  const int32_t *const place = AT_ARRAY(places, n);
  const rh_tensor from = AT(x, n), to = AT(y, n);
  for (int64_t r = 0; r < count; r++)
    for (int64_t i = 0; i < n; i++)
      to.data[r * to.stride + i] = place[i] < 0 ? 0 : from.data[r * from.stride + place[i]];
}

const rh_backend rh_backend_poison_device = {
    .name = "poison-device",
    .summary = "poison as a device: for tests, it ends the program where its memory and a device's are mixed up",
    .kernel = kernel,
    .tile = 3,
    .alloc = rh_poison_device_alloc,
    .release = rh_poison_device_release,
    .upload = upload,
    .download = download,
    .copy = copy,
    .wait = wait_for_all,
    .failure = failure,
    .free_bytes = free_bytes,
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
    .norm_forward = norm_forward,
    .norm_backward = norm_backward,
    .softmax_cross_entropy = softmax_cross_entropy,
    .sgd_step = sgd_step,
    .adamw_step = adamw_step,
    .add_scaled = add_scaled,
    .scale = scale,
    .combine = combine,
    .divide = divide,
    .product = product,
    .split = split,
    .resize = resize,
    .weighted_sum = weighted_sum,
    .gather = gather,
    .fold_rows = fold_rows,
    .squared_distances = squared_distances,
    .add_doubles = add_doubles,
    .clip = clip,
    .thin_right = thin_right,
    .thin_left = thin_left,
    .thin_expand = thin_expand,
    .thin_orthonormalise = thin_orthonormalise,
    .mix = mix,
    .pick = pick,
};
