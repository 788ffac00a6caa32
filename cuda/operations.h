/* The operations of the cuda backend, one file for each concept; backend.h says what each does. C and C++. */
#ifndef RH_CUDA_OPERATIONS_H
#define RH_CUDA_OPERATIONS_H

#include "backend.h"

#ifdef __cplusplus
extern "C" {
#endif

/* device.cu */
const char *rh_cuda_kernel(void);
void *rh_cuda_alloc(size_t bytes);
void rh_cuda_release(void *memory);
void rh_cuda_download(void *to, const void *from, size_t bytes);
void rh_cuda_copy(void *to, const void *from, size_t bytes);
void rh_cuda_wait(void);
const char *rh_cuda_failure(void);
int64_t rh_cuda_free_bytes(void);

const char *rh_cuda_take_note(void);

/* upload.cu */
void rh_cuda_upload(void *to, const void *from, size_t bytes);

/* graph.cu */
bool rh_cuda_begin_work(const void *key, size_t bytes);
bool rh_cuda_end_work(void);
void rh_cuda_forget_work(void); /* all records */

/* dense.cu, product.cu */
void rh_cuda_dense_forward(const rh_dense *d, int64_t count, rh_tensor x, rh_tensor w, rh_tensor b, rh_tensor y);
void rh_cuda_dense_backward(const rh_dense *d, int64_t count, rh_tensor x, rh_tensor w, rh_tensor dy, rh_tensor dw,
                            rh_tensor db, rh_tensor dx);
void rh_cuda_product(const rh_product *p, int64_t count, rh_tensor a, rh_tensor b, rh_tensor c);

/* split.cu */
bool rh_cuda_prepare_split(const rh_svd *p);
void rh_cuda_split(const rh_svd *p, int64_t count, rh_tensor x, rh_tensor a, rh_tensor b, rh_tensor s, int32_t *result);
void rh_cuda_resize(int64_t rows, int64_t from, int64_t to, int64_t count, rh_tensor x, rh_tensor y);

/* thin.cu */
void rh_cuda_thin_right(const struct rh_thin *t, int64_t count, rh_tensor m, rh_tensor q, rh_tensor p);
void rh_cuda_thin_left(const struct rh_thin *t, int64_t count, rh_tensor m, rh_tensor p, rh_tensor q);
void rh_cuda_thin_expand(const struct rh_thin *t, int64_t count, double factor, rh_tensor p, rh_tensor q, rh_tensor m);
void rh_cuda_thin_orthonormalise(int64_t n, int64_t columns, int64_t count, const struct rh_rng *stream, int64_t *drawn,
                                 rh_tensor x);

/* conv.cu, conv_weights.cu */
int64_t rh_cuda_conv_scratch(const rh_conv *c);
void rh_cuda_conv_forward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor b, rh_tensor y,
                          rh_tensor scratch);
void rh_cuda_conv_backward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor dy, rh_tensor dw,
                           rh_tensor db, rh_tensor dx, rh_tensor scratch);
int64_t rh_cuda_conv_pool_scratch(const rh_conv *c);
void rh_cuda_conv_pool_forward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor b, rh_tensor y,
                               rh_tensor places, rh_tensor scratch);
void rh_cuda_conv_pool_backward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor dy,
                                rh_tensor places, rh_tensor dw, rh_tensor db, rh_tensor dx, rh_tensor scratch);
void rh_cuda_conv_weights(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor dy, rh_tensor dw, rh_tensor db);

/* pool.cu */
void rh_cuda_pool_forward(const rh_pool *p, int64_t count, rh_tensor x, rh_tensor y);
void rh_cuda_pool_backward(const rh_pool *p, int64_t count, rh_tensor x, rh_tensor dy, rh_tensor dx);

/* norm_forward.cu, norm_backward.cu */
void rh_cuda_norm_forward(const rh_norm *n, int64_t count, rh_tensor x, rh_tensor gain, rh_tensor bias, rh_tensor v,
                          rh_tensor y);
void rh_cuda_norm_backward(const rh_norm *n, int64_t count, rh_tensor x, rh_tensor gain, rh_tensor v, rh_tensor dy,
                           rh_tensor dgain, rh_tensor dbias, rh_tensor dv, rh_tensor dx);

/* loss.cu */
void rh_cuda_softmax_cross_entropy(int64_t batch, int64_t classes, int64_t count, rh_tensor logits,
                                   const int32_t *labels, int64_t label_stride, double smoothing, rh_tensor dlogits,
                                   double *loss, int64_t *correct);

/* elementwise.cu */
void rh_cuda_relu_forward(int64_t n, int64_t count, rh_tensor x, rh_tensor y);
void rh_cuda_relu_backward(int64_t n, int64_t count, rh_tensor y, rh_tensor dy, rh_tensor dx);
void rh_cuda_add_scaled(int64_t n, int64_t count, double a, rh_tensor x, rh_tensor y);
void rh_cuda_scale(int64_t n, int64_t count, double a, rh_tensor x, rh_tensor y);
void rh_cuda_combine(int64_t n, int64_t count, double a, rh_tensor x, double b, rh_tensor y, rh_tensor z);
void rh_cuda_gather(int64_t n, int64_t size, const uint8_t *pixels, const int32_t *labels, const int32_t *indices,
                    float mean, float deviation, float *x, int32_t *picked);

/* optimiser.cu */
void rh_cuda_sgd_step(const rh_sgd *s, int64_t n, int64_t count, rh_tensor x, rh_tensor u, rh_tensor g);
void rh_cuda_adamw_step(const rh_adamw *a, int64_t n, int64_t count, rh_tensor x, rh_tensor m, rh_tensor v,
                        rh_tensor g);
void rh_cuda_clip(int64_t n, int64_t count, double most, const double *squares, rh_tensor x);

/* rows.cu, mix.cu */
void rh_cuda_fold_rows(int64_t n, int64_t count, rh_tensor x, uint64_t before, float *levels);
void rh_cuda_squared_distances(int64_t n, int64_t count, rh_tensor x, const float *y, double *out);
void rh_cuda_add_doubles(int64_t count, const double *terms, double *sums);
void rh_cuda_weighted_sum(int64_t n, int64_t terms, const double *weights, const float *const *rows, float *y);
void rh_cuda_mix(int64_t n, int64_t count, const int32_t *offset, const int32_t *column, const double *weights,
                 rh_tensor own, rh_tensor x, rh_tensor y);
void rh_cuda_pick(int64_t n, int64_t count, const int32_t *places, rh_tensor x, rh_tensor y);
void rh_cuda_divide(int64_t n, int64_t count, const float *divisors, rh_tensor x, rh_tensor y);

/* quantise.cu */
void rh_cuda_quantise(const rh_quantising *q, const struct rh_rng *stream, int64_t count, rh_tensor x, rh_tensor y,
                      struct rh_range *running, int64_t step);

/* code.cu, code_half.cu */
int64_t rh_cuda_code_scratch(const rh_code *code);
void rh_cuda_encode(const rh_code *code, const struct rh_rng *stream, int64_t count, rh_tensor x, uint8_t *wire,
                    int64_t stride, int64_t *bytes, void *scratch);
void rh_cuda_decode(const rh_code *code, int64_t count, const uint8_t *wire, int64_t stride, rh_tensor x);
void rh_cuda_fold_halves(rh_code_kind kind, int64_t n, int64_t count, const uint8_t *rows, int64_t stride,
                         uint64_t before, uint16_t *levels);
void rh_cuda_vote(const rh_code *code, const struct rh_rng *stream, float *mean);

#ifdef __cplusplus
}
#endif
#endif
