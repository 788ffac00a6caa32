/* The cpu backend: OpenBLAS for products, vectorised loops for the rest, OpenMP over replicas.
 *
 * One replica is computed by one thread, with one BLAS thread and call shapes that depend on the model and batch alone:
 * OpenBLAS's bits depend on its thread count and on the shape of a call, so this is what makes a run repeatable.
 */
#include "backend_cpu.h"

#include <cblas.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "backend_host.h"

static char name_of_kernel[128];

/* The configuration reads "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ...": its first two words are name and version. */
static void find_kernel_name(void)
{
  const char *config = openblas_get_config();
  size_t name = strcspn(config, " ");
  size_t version = name + strspn(config + name, " ");
  size_t end = version + strcspn(config + version, " ");
  snprintf(name_of_kernel, sizeof name_of_kernel, "%.*s %s", (int)end, config, openblas_get_corename());
}

static const char *kernel_name(void)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, find_kernel_name);
  return name_of_kernel;
}

/* Runs when the program is loaded, so that no product can come before it. */
__attribute__((constructor)) static void use_one_blas_thread(void)
{
  openblas_set_num_threads(1);
}

static void dense_forward(const rh_dense *d, int64_t count, rh_tensor x, rh_tensor w, rh_tensor b, rh_tensor y)
{
  const int batch = (int)d->batch, inputs = (int)d->inputs, outputs = (int)d->outputs;
  const bool own = rh_cpu_dense_fits(d);
  for (int64_t r = 0; r < count; r++) {
    float *const out = y.data + r * y.stride;
    if (own) {
      rh_cpu_dense_forward(d, x.data + r * x.stride, w.data + r * w.stride, b.data + r * b.stride, out);
      continue;
    }
    for (int64_t n = 0; n < d->batch; n++)
      memcpy(out + n * d->outputs, b.data + r * b.stride, (size_t)d->outputs * sizeof *out);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, batch, outputs, inputs, 1, x.data + r * x.stride, inputs,
                w.data + r * w.stride, inputs, 1, out, outputs);
  }
}

/* sum[o] = sum over the rows of x [rows][columns], rows ascending */
RH_CLONES static void sum_rows(int64_t rows, int64_t columns, const float *restrict x, float *restrict sum)
{
  memset(sum, 0, (size_t)columns * sizeof *sum);
  for (int64_t n = 0; n < rows; n++)
    for (int64_t o = 0; o < columns; o++)
      sum[o] += x[n * columns + o];
}

static void dense_backward(const rh_dense *d, int64_t count, rh_tensor x, rh_tensor w, rh_tensor dy, rh_tensor dw,
                           rh_tensor db, rh_tensor dx)
{
  const int batch = (int)d->batch, inputs = (int)d->inputs, outputs = (int)d->outputs;
  const bool own = rh_cpu_dense_fits(d);
  for (int64_t r = 0; r < count; r++) {
    const float *const in = dy.data + r * dy.stride;
    if (own) {
      if (dw.data) rh_cpu_dense_biases(d, in, db.data + r * db.stride);
      if (dw.data) rh_cpu_dense_weights(d, x.data + r * x.stride, in, dw.data + r * dw.stride);
      if (dx.data) rh_cpu_dense_input(d, w.data + r * w.stride, in, dx.data + r * dx.stride);
      continue;
    }
    if (dw.data) sum_rows(d->batch, d->outputs, in, db.data + r * db.stride);
    if (dw.data)
      cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, outputs, inputs, batch, 1, in, outputs,
                  x.data + r * x.stride, inputs, 0, dw.data + r * dw.stride, inputs);
    if (dx.data)
      cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, batch, inputs, outputs, 1, in, outputs,
                  w.data + r * w.stride, inputs, 0, dx.data + r * dx.stride, inputs);
  }
}

/* What smoothing adds to a sample's loss, and to its gradient, which already holds softmax less the whole target. */
static double smoothing_loss(int64_t classes, const float *z, int32_t label, double smoothing, float weight, float *dz)
{
  const float share = (float)(smoothing / (double)classes) * weight;
  double sum = 0;
  for (int64_t k = 0; k < classes; k++) {
    sum += (double)z[label] - z[k];
    if (dz) dz[k] -= share;
  }
  if (dz) dz[label] += (float)smoothing * weight;
  return smoothing / (double)classes * sum;
}

static void product(const rh_product *p, int64_t count, rh_tensor a, rh_tensor b, rh_tensor c)
{
  const int m = (int)p->m, n = (int)p->n, k = (int)p->k;
  for (int64_t r = 0; r < count; r++)
    cblas_sgemm(CblasRowMajor, p->transpose_a ? CblasTrans : CblasNoTrans, p->transpose_b ? CblasTrans : CblasNoTrans,
                m, n, k, 1, a.data + r * a.stride, p->transpose_a ? m : k, b.data + r * b.stride,
                p->transpose_b ? k : n, 0, c.data + r * c.stride, n);
}

/* Loss of one sample with logits z; where dz is not NULL also its gradient times `weight`. */
static double sample_loss(int64_t classes, const float *z, int32_t label, float weight, float *dz, bool *correct)
{
  int64_t best = 0;
  for (int64_t k = 1; k < classes; k++)
    if (z[k] > z[best]) best = k;
  double sum = 0;
  for (int64_t k = 0; k < classes; k++) {
    const float e = expf(z[k] - z[best]);
    sum += e;
    if (dz) dz[k] = e;
  }
  if (dz) {
    const float factor = weight / (float)sum;
    for (int64_t k = 0; k < classes; k++)
      dz[k] *= factor;
    dz[label] -= weight;
  }
  *correct = best == label;
  return log(sum) + ((double)z[best] - z[label]);
}

/* Of one replica; returns the sum of its samples' losses. */
static double batch_loss(int64_t batch, int64_t classes, const float *z, const int32_t *labels, double smoothing,
                         float *dz, int64_t *correct)
{
  const bool own = rh_cpu_loss_fits(classes);
  const float weight = 1 / (float)batch;
  double losses[RH_CPU_LOSSES], sum = 0;
  *correct = 0;
  for (int64_t from = 0, n; from < batch; from += n) {
    const int64_t left = batch - from < RH_CPU_LOSSES ? batch - from : RH_CPU_LOSSES;
    float *const d = dz ? dz + from * classes : NULL;
    const float *const some = z + from * classes;
    n = own ? rh_cpu_losses(left, classes, some, labels + from, weight, d, losses, correct) : 0;
    if (n == 0) {
      bool hit;
      losses[n++] = sample_loss(classes, some, labels[from], weight, d, &hit);
      *correct += hit;
    }
    for (int64_t i = 0; i < n; i++) {
      sum += losses[i];
      if (smoothing > 0)
        sum += smoothing_loss(classes, some + i * classes, labels[from + i], smoothing, weight,
                              d ? d + i * classes : NULL);
    }
  }
  return sum;
}

static void softmax_cross_entropy(int64_t batch, int64_t classes, int64_t count, rh_tensor logits,
                                  const int32_t *labels, int64_t label_stride, double smoothing, rh_tensor dlogits,
                                  double *loss, int64_t *correct)
{
  for (int64_t r = 0; r < count; r++)
    loss[r] = batch_loss(batch, classes, logits.data + r * logits.stride, labels + r * label_stride, smoothing,
                         dlogits.data ? dlogits.data + r * dlogits.stride : NULL, &correct[r]) /
              (double)batch;
}

const rh_backend rh_backend_cpu = {
    .name = "cpu",
    .summary = "OpenBLAS with one thread a replica, OpenMP over replicas",
    .kernel = kernel_name,
    .tile = 1,
    .alloc = rh_host_alloc,
    .release = rh_host_release,
    .parallel = rh_cpu_parallel,
    .dense_forward = dense_forward,
    .dense_forward_pixels = rh_cpu_dense_forward_pixels,
    .dense_backward = dense_backward,
    .conv_scratch = rh_cpu_conv_scratch,
    .conv_forward = rh_cpu_conv_forward,
    .conv_backward = rh_cpu_conv_backward,
    .conv_pool_scratch = rh_cpu_block_scratch,
    .conv_pool_forward = rh_cpu_block_forward,
    .conv_pool_backward = rh_cpu_block_backward,
    .relu_forward = rh_cpu_relu_forward,
    .relu_backward = rh_cpu_relu_backward,
    .pool_forward = rh_cpu_pool_forward,
    .pool_backward = rh_cpu_pool_backward,
    .norm_forward = rh_cpu_norm_forward,
    .norm_backward = rh_cpu_norm_backward,
    .softmax_cross_entropy = softmax_cross_entropy,
    .sgd_step = rh_cpu_sgd_step,
    .adamw_step = rh_cpu_adamw_step,
    .add_scaled = rh_cpu_add_scaled,
    .scale = rh_cpu_scale,
    .combine = rh_cpu_combine,
    .divide = rh_cpu_divide,
    .product = product,
    .split = rh_cpu_split,
    .resize = rh_host_resize,
    .weighted_sum = rh_cpu_weighted_sum,
};
