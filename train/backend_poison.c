/* poison: the operations of `ref` on guarded memory (poison.h).
 *
 * Each call first looks at its tensors: one that lies in a block must lie in it as a whole, and in a live one. Outputs
 * are NaN before `ref` writes them, and so is scratch: a value that nobody wrote shows as soon as it is used. What is
 * both input and output stays.
 */
#include <math.h>

#include "backend.h"
#include "poison.h"

enum { CHUNK = 4 }; /* bytes of an f32 or a label */

/* What a call says of one of its tensors. */
typedef struct argument {
  const char *name;
  rh_tensor tensor;
  int64_t n;      /* elements of a replica */
  bool is_output; /* nothing of it is read */
} argument;

/* Bytes from the first replica's first element to the last one's last. */
static int64_t span(rh_tensor t, int64_t count, int64_t n)
{
  return CHUNK * (n > 0 && count > 0 ? (count - 1) * t.stride + n : 0);
}

static bool overlap(rh_tensor a, rh_tensor b, int64_t bytes_a, int64_t bytes_b)
{
  const char *x = (const char *)a.data, *y = (const char *)b.data;
  return x < y + bytes_b && y < x + bytes_a;
}

/* Whether an output shares memory with something that is read. */
static bool is_in_place(const argument *list, int arguments, const argument *out, int64_t count)
{
  for (int i = 0; i < arguments; i++)
    if (!list[i].is_output && list[i].tensor.data &&
        overlap(list[i].tensor, out->tensor, span(list[i].tensor, count, list[i].n), span(out->tensor, count, out->n)))
      return true;
  return false;
}

static void begin(const char *operation, int64_t count, const argument *list, int arguments)
{
  for (int i = 0; i < arguments; i++)
    if (list[i].tensor.data)
      rh_poison_check(operation, list[i].name, list[i].tensor.data, span(list[i].tensor, count, list[i].n));
  for (int i = 0; i < arguments; i++) {
    const argument *a = &list[i];
    if (!a->is_output || !a->tensor.data || is_in_place(list, arguments, a, count)) continue;
    for (int64_t r = 0; r < count; r++)
      for (int64_t k = 0; k < a->n; k++)
        a->tensor.data[r * a->tensor.stride + k] = NAN;
  }
}

#define BEGIN(operation, ...)                                                                                          \
  do {                                                                                                                 \
    const argument list[] = {__VA_ARGS__};                                                                             \
    begin(operation, count, list, (int)(sizeof list / sizeof list[0]));                                                \
  } while (0)
#define IN(t, n)                                                                                                       \
  {                                                                                                                    \
#t, t, n, false                                                                                                    \
  }
#define OUT(t, n)                                                                                                      \
  {                                                                                                                    \
#t, t, n, true                                                                                                     \
  }

static const char *kernel(void)
{
  return "naive loops on guarded memory";
}

static void dense_forward(const rh_dense *d, int64_t count, rh_tensor x, rh_tensor w, rh_tensor b, rh_tensor y)
{
  BEGIN("dense_forward", IN(x, d->batch * d->inputs), IN(w, d->outputs * d->inputs), IN(b, d->outputs),
        OUT(y, d->batch * d->outputs));
  rh_backend_ref.dense_forward(d, count, x, w, b, y);
}

static void dense_backward(const rh_dense *d, int64_t count, rh_tensor x, rh_tensor w, rh_tensor dy, rh_tensor dw,
                           rh_tensor db, rh_tensor dx)
{
  BEGIN("dense_backward", IN(x, d->batch * d->inputs), IN(w, d->outputs * d->inputs), IN(dy, d->batch * d->outputs),
        OUT(dw, d->outputs * d->inputs), OUT(db, d->outputs), OUT(dx, d->batch * d->inputs));
  rh_backend_ref.dense_backward(d, count, x, w, dy, dw, db, dx);
}

/* Sizes of a convolution's tensors. */
typedef struct conv_sizes {
  int64_t x, w, y, scratch;
} conv_sizes;

/* As much scratch as the output takes, though `ref` needs none: callers have to provide it, and nobody may rely
 * on it. */
static int64_t conv_scratch(const rh_conv *c)
{
  return c->batch * c->out_channels * (c->height - c->kernel + 1) * (c->width - c->kernel + 1);
}

static conv_sizes sizes_of(const rh_conv *c)
{
  return (conv_sizes){.x = c->batch * c->in_channels * c->height * c->width,
                      .w = c->out_channels * c->in_channels * c->kernel * c->kernel,
                      .y = conv_scratch(c),
                      .scratch = conv_scratch(c)};
}

static void conv_forward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor b, rh_tensor y,
                         rh_tensor scratch)
{
  const conv_sizes n = sizes_of(c);
  BEGIN("conv_forward", IN(x, n.x), IN(w, n.w), IN(b, c->out_channels), OUT(y, n.y), OUT(scratch, n.scratch));
  rh_backend_ref.conv_forward(c, count, x, w, b, y, scratch);
}

static void conv_backward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor dy, rh_tensor dw,
                          rh_tensor db, rh_tensor dx, rh_tensor scratch)
{
  const conv_sizes n = sizes_of(c);
  BEGIN("conv_backward", IN(x, n.x), IN(w, n.w), IN(dy, n.y), OUT(dw, n.w), OUT(db, c->out_channels), OUT(dx, n.x),
        OUT(scratch, n.scratch));
  rh_backend_ref.conv_backward(c, count, x, w, dy, dw, db, dx, scratch);
}

static void relu_forward(int64_t n, int64_t count, rh_tensor x, rh_tensor y)
{
  BEGIN("relu_forward", IN(x, n), OUT(y, n));
  rh_backend_ref.relu_forward(n, count, x, y);
}

static void relu_backward(int64_t n, int64_t count, rh_tensor y, rh_tensor dy, rh_tensor dx)
{
  BEGIN("relu_backward", IN(y, n), IN(dy, n), OUT(dx, n));
  rh_backend_ref.relu_backward(n, count, y, dy, dx);
}

static int64_t pooled(const rh_pool *p)
{
  return p->batch * p->channels * (p->height / p->side) * (p->width / p->side);
}

static void pool_forward(const rh_pool *p, int64_t count, rh_tensor x, rh_tensor y)
{
  BEGIN("pool_forward", IN(x, p->batch * p->channels * p->height * p->width), OUT(y, pooled(p)));
  rh_backend_ref.pool_forward(p, count, x, y);
}

static void pool_backward(const rh_pool *p, int64_t count, rh_tensor x, rh_tensor dy, rh_tensor dx)
{
  const int64_t n = p->batch * p->channels * p->height * p->width;
  BEGIN("pool_backward", IN(x, n), IN(dy, pooled(p)), OUT(dx, n));
  rh_backend_ref.pool_backward(p, count, x, dy, dx);
}

static void norm_forward(const rh_norm *n, int64_t count, rh_tensor x, rh_tensor gain, rh_tensor bias, rh_tensor v,
                         rh_tensor y)
{
  const int64_t values = n->batch * n->channels * n->places;
  BEGIN("norm_forward", IN(x, values), IN(gain, n->channels), IN(bias, n->channels), IN(v, n->channels),
        OUT(y, values));
  rh_backend_ref.norm_forward(n, count, x, gain, bias, v, y);
}

static void norm_backward(const rh_norm *n, int64_t count, rh_tensor x, rh_tensor gain, rh_tensor v, rh_tensor dy,
                          rh_tensor dgain, rh_tensor dbias, rh_tensor dv, rh_tensor dx)
{
  const int64_t values = n->batch * n->channels * n->places;
  BEGIN("norm_backward", IN(x, values), IN(gain, n->channels), IN(v, n->channels), IN(dy, values),
        OUT(dgain, n->channels), OUT(dbias, n->channels), OUT(dv, n->channels), OUT(dx, values));
  rh_backend_ref.norm_backward(n, count, x, gain, v, dy, dgain, dbias, dv, dx);
}

static void softmax_cross_entropy(int64_t batch, int64_t classes, int64_t count, rh_tensor logits,
                                  const int32_t *labels, int64_t label_stride, double smoothing, rh_tensor dlogits,
                                  double *loss, int64_t *correct)
{
  static const char name[] = "softmax_cross_entropy";
  rh_poison_check(name, "labels", labels, CHUNK * ((count - 1) * label_stride + batch));
  rh_poison_check(name, "loss", loss, count * (int64_t)sizeof *loss);
  rh_poison_check(name, "correct", correct, count * (int64_t)sizeof *correct);
  BEGIN(name, IN(logits, batch * classes), OUT(dlogits, batch * classes));
  rh_backend_ref.softmax_cross_entropy(batch, classes, count, logits, labels, label_stride, smoothing, dlogits, loss,
                                       correct);
}

static void sgd_step(const rh_sgd *s, int64_t n, int64_t count, rh_tensor x, rh_tensor u, rh_tensor g)
{
  BEGIN("sgd_step", IN(x, n), IN(u, n), IN(g, n));
  rh_backend_ref.sgd_step(s, n, count, x, u, g);
}

static void adamw_step(const rh_adamw *a, int64_t n, int64_t count, rh_tensor x, rh_tensor m, rh_tensor v, rh_tensor g)
{
  BEGIN("adamw_step", IN(x, n), IN(m, n), IN(v, n), IN(g, n));
  rh_backend_ref.adamw_step(a, n, count, x, m, v, g);
}

static void add_scaled(int64_t n, int64_t count, double a, rh_tensor x, rh_tensor y)
{
  BEGIN("add_scaled", IN(x, n), IN(y, n));
  rh_backend_ref.add_scaled(n, count, a, x, y);
}

static void scale(int64_t n, int64_t count, double a, rh_tensor x, rh_tensor y)
{
  BEGIN("scale", IN(x, n), OUT(y, n));
  rh_backend_ref.scale(n, count, a, x, y);
}

static void combine(int64_t n, int64_t count, double a, rh_tensor x, double b, rh_tensor y, rh_tensor z)
{
  BEGIN("combine", IN(x, n), IN(y, n), OUT(z, n));
  rh_backend_ref.combine(n, count, a, x, b, y, z);
}

static void divide(int64_t n, int64_t count, const float *divisors, rh_tensor x, rh_tensor y)
{
  BEGIN("divide", IN(x, n), OUT(y, n));
  rh_backend_ref.divide(n, count, divisors, x, y);
}

static void product(const rh_product *p, int64_t count, rh_tensor a, rh_tensor b, rh_tensor c)
{
  BEGIN("product", IN(a, p->m * p->k), IN(b, p->k * p->n), OUT(c, p->m * p->n));
  rh_backend_ref.product(p, count, a, b, c);
}

static void split(const rh_svd *p, int64_t count, rh_tensor x, rh_tensor a, rh_tensor b, rh_tensor s, int32_t *result)
{
  rh_poison_check("split", "result", result, CHUNK * count);
  BEGIN("split", IN(x, p->m * p->n), OUT(a, p->m * p->n), OUT(b, p->n * p->n), OUT(s, p->n));
  rh_backend_ref.split(p, count, x, a, b, s, result);
}

static void resize(int64_t rows, int64_t from, int64_t to, int64_t count, rh_tensor x, rh_tensor y)
{
  BEGIN("resize", IN(x, rows * from), OUT(y, rows * to));
  rh_backend_ref.resize(rows, from, to, count, x, y);
}

static void weighted_sum(int64_t n, int64_t terms, const double *weights, const float *const *rows, float *y)
{
  const int64_t count = 1;
  for (int64_t k = 0; k < terms; k++)
    rh_poison_check("weighted_sum", "rows", rows[k], CHUNK * n);
  const rh_tensor out = {y, 0};
  BEGIN("weighted_sum", OUT(out, n));
  rh_backend_ref.weighted_sum(n, terms, weights, rows, y);
}

/* Items one after the other, on one thread. */
static void parallel(int64_t items, int threads, bool (*body)(void *context, int64_t item, int thread), void *context)
{
  rh_backend_ref.parallel(items, threads, body, context);
}

const rh_backend rh_backend_poison = {
    .name = "poison",
    .summary = "ref on guarded memory: for tests, it ends the program where memory is misused",
    .kernel = kernel,
    .tile = 3, /* calls take several replicas, as on a device: strides and counts are looked at */
    .alloc = rh_poison_alloc,
    .release = rh_poison_release,
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
};
