/* The pieces of the cpu backend; backend.h says what each operation does. */
#ifndef RH_BACKEND_CPU_H
#define RH_BACKEND_CPU_H

#include "backend.h"
#include "clones.h"
#include "pixels.h"

/* backend_cpu_parallel.c */
void rh_cpu_parallel(int64_t items, int threads, bool (*body)(void *context, int64_t item, int thread), void *context);

/* backend_cpu_conv.c */
int64_t rh_cpu_conv_scratch(const rh_conv *c);
void rh_cpu_conv_forward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor b, rh_tensor y,
                         rh_tensor scratch);
void rh_cpu_conv_backward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor dy, rh_tensor dw,
                          rh_tensor db, rh_tensor dx, rh_tensor scratch);

/* backend_cpu_direct.c: convolutions of one replica, without unrolling. They fit where the kernel is 5 x 5, there are
 * at most 64 output channels and OpenBLAS's kernel is one for AVX-512, too: its name then stands for these bits as
 * well. Tensors as in backend.h; scratch as many elements as rh_cpu_direct_scratch says, aligned to 64 bytes. */
bool rh_cpu_direct_fits(const rh_conv *c);
int64_t rh_cpu_direct_scratch(const rh_conv *c);
void rh_cpu_direct_forward(const rh_conv *c, const float *x, const float *w, const float *b, float *y, float *scratch);
void rh_cpu_direct_weights(const rh_conv *c, const float *x, const float *dy, float *dw, float *db, float *scratch);
void rh_cpu_direct_input(const rh_conv *c, const float *w, const float *dy, float *dx, float *scratch);

/* backend_cpu_block.c, backend_cpu_block_back.c: a convolution with its rectifier and pooling; likewise where
 * OpenBLAS's kernel is one for AVX-512, and channels are at most 64. */
int64_t rh_cpu_block_scratch(const rh_conv *c);
void rh_cpu_block_forward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor b, rh_tensor y,
                          rh_tensor places, rh_tensor scratch);
void rh_cpu_block_backward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor dy, rh_tensor places,
                           rh_tensor dw, rh_tensor db, rh_tensor dx, rh_tensor scratch);

/* backend_cpu_dense.c: dense layers of one replica, likewise where OpenBLAS's kernel is one for AVX-512, and matrices
 * have at most 2^18 elements. Tensors as in backend.h. */
bool rh_cpu_dense_fits(const rh_dense *d);
void rh_cpu_dense_forward(const rh_dense *d, const float *x, const float *w, const float *b, float *y);
bool rh_cpu_dense_forward_pixels(const rh_dense *d, int64_t count, const rh_pixels *pixels, rh_tensor x, rh_tensor w,
                                 rh_tensor b, rh_tensor y);              /* of backend.h; false where it does not fit */
void rh_cpu_dense_biases(const rh_dense *d, const float *dy, float *db); /* db = column sums of dy, rows ascending */
void rh_cpu_dense_weights(const rh_dense *d, const float *x, const float *dy, float *dw); /* dw = dy^T x */
void rh_cpu_dense_input(const rh_dense *d, const float *w, const float *dy, float *dx);   /* dx = dy w */

/* backend_cpu_loss.c: of samples with few classes, likewise, at most RH_CPU_LOSSES at once. dz (NULL: not wanted) is
 * the gradient times `weight`; correct counts on. Returns how many were done: all, or those before one that has a NaN
 * among its logits. */
enum { RH_CPU_LOSSES = 32 };
bool rh_cpu_loss_fits(int64_t classes);
int64_t rh_cpu_losses(int64_t samples, int64_t classes, const float *z, const int32_t *labels, float weight, float *dz,
                      double *losses, int64_t *correct);

/* backend_cpu_pool.c */
void rh_cpu_pool_forward(const rh_pool *p, int64_t count, rh_tensor x, rh_tensor y);
void rh_cpu_pool_backward(const rh_pool *p, int64_t count, rh_tensor x, rh_tensor dy, rh_tensor dx);

/* backend_cpu_norm.c */
void rh_cpu_norm_forward(const rh_norm *n, int64_t count, rh_tensor x, rh_tensor gain, rh_tensor bias, rh_tensor v,
                         rh_tensor y);
void rh_cpu_norm_backward(const rh_norm *n, int64_t count, rh_tensor x, rh_tensor gain, rh_tensor v, rh_tensor dy,
                          rh_tensor dgain, rh_tensor dbias, rh_tensor dv, rh_tensor dx);

/* backend_cpu_split.c */
void rh_cpu_split(const rh_svd *p, int64_t count, rh_tensor x, rh_tensor a, rh_tensor b, rh_tensor s, int32_t *result);

/* backend_cpu_loops.c */
void rh_cpu_relu_forward(int64_t n, int64_t count, rh_tensor x, rh_tensor y);
void rh_cpu_relu_backward(int64_t n, int64_t count, rh_tensor y, rh_tensor dy, rh_tensor dx);
void rh_cpu_sgd_step(const rh_sgd *s, int64_t n, int64_t count, rh_tensor x, rh_tensor u, rh_tensor g);
void rh_cpu_adamw_step(const rh_adamw *a, int64_t n, int64_t count, rh_tensor x, rh_tensor m, rh_tensor v, rh_tensor g);
void rh_cpu_add_scaled(int64_t n, int64_t count, double a, rh_tensor x, rh_tensor y);
void rh_cpu_scale(int64_t n, int64_t count, double a, rh_tensor x, rh_tensor y);
void rh_cpu_combine(int64_t n, int64_t count, double a, rh_tensor x, double b, rh_tensor y, rh_tensor z);
void rh_cpu_divide(int64_t n, int64_t count, const float *divisors, rh_tensor x, rh_tensor y);
void rh_cpu_weighted_sum(int64_t n, int64_t terms, const double *weights, const float *const *rows, float *y);

#endif
