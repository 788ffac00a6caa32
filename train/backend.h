/* The operation table: what a device must be able to do so that replicas can be trained on it.
 *
 * Every operation works on `count` replicas at once; the tensors of replica r start `stride` elements after those of
 * replica r-1. On the CPU a tile is one replica per thread, so that a whole step of it stays in cache; on a GPU a tile
 * is a whole chunk. A backend never knows simulated time.
 *
 * Symbols     R count of replicas in the call, B batch, C channels, H x W height and width, K kernel side,
 *             I inputs and O outputs of a dense layer
 * Layout      images NCHW, row-major matrices; all values f32, labels i32
 * bits        for a fixed backend and build, results depend on the arguments alone: not on R, not on threads
 */
#ifndef RH_BACKEND_H
#define RH_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "code.h"
#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A tensor of R replicas: replica r's values start at data + r * stride. Borrowed. stride 0: all share the values. */
typedef struct rh_tensor {
  float *data;
  int64_t stride; /* elements */
} rh_tensor;

typedef struct rh_dense {
  int64_t batch, inputs, outputs;
} rh_dense;

/* Valid convolution with square kernels and stride 1: out side = in side - kernel + 1. */
typedef struct rh_conv {
  int64_t batch, in_channels, height, width, out_channels, kernel;
} rh_conv;

/* Non-overlapping max pooling over side x side squares; rows and columns that do not fill a square are dropped. */
typedef struct rh_pool {
  int64_t batch, channels, height, width, side;
} rh_pool;

/* A product of row-major matrices: C [m][n] = op(A) op(B), where op(A) is m x k and op(B) is k x n. A matrix that is
 * read transposed lies in memory as [k][m], or [n][k]. */
typedef struct rh_product {
  int64_t m, n, k;
  bool transpose_a, transpose_b;
} rh_product;

/* Matrices M, m x n with m >= n, to be split into two factors; transposed: they lie in memory as [n][m]. */
typedef struct rh_svd {
  int64_t m, n;
  bool transposed;
} rh_svd;

typedef enum rh_split_result { RH_SPLIT_DONE, RH_SPLIT_ITERATES, RH_SPLIT_NO_MEMORY } rh_split_result;

/* Normalisation of each sample's groups of neighbouring channels, with a gate q that may take a rectifier's part:
 *
 *     y = gain q / s + bias,  gain, bias and v of a channel, s of a sample's group, e = 1e-5
 *     group           q = x - mean              s = sqrt(variance + e)    Wu & He, Group normalization, ECCV 2018
 *     evonorm-s0      q = x sigmoid(v x)        s = sqrt(variance + e)    Liu et al., EvoNorm, NeurIPS 2020
 *     range-evonorm   q = x clip(v x / 6 + .5)  s = sigma + e             Aketi et al., arXiv 2111.09389
 *
 * The variance is that of the group's n values (divided by n); clip is to [0, 1]. sigma = range x factor, where range
 * is the mean over chunks of a chunk's maximum less its minimum; norm.h has the chunks and the factor. Gradients flow
 * through maxima and minima, to the first where several are equal; at the two ends of the clip they are those
 * outside. */
typedef enum rh_norm_kind { RH_NORM_NONE, RH_NORM_GROUP, RH_NORM_EVO_S0, RH_NORM_RANGE_EVO } rh_norm_kind;

typedef struct rh_norm {
  rh_norm_kind kind;                       /* not RH_NORM_NONE */
  int64_t batch, channels, places, groups; /* places: H W; groups divides channels; n = C / groups * places >= 2 */
} rh_norm;

/* One step of an optimiser; optim.h has the formulas. */
typedef struct rh_sgd {
  double lr, momentum, decay;
  bool nesterov;
} rh_sgd;

typedef struct rh_adamw {
  double lr, beta1, beta2, epsilon, decay;
  int64_t step; /* t, from 1 */
} rh_adamw;

/* Quantising a tensor of each replica in 8 bits; int8.h says which, quantise.h how. */
typedef struct rh_quantising {
  bool stochastic;    /* rounds by chance, else to the nearest */
  bool nonzero;       /* zeros stay, and take no part in the range */
  bool evaluates;     /* over the running range, where there is one */
  int64_t samples, n; /* the range: mean over samples of the extremes of n values each */
  int64_t values;     /* that are quantised, from the same place on */
} rh_quantising;

struct rh_pixels;
struct rh_rng;
struct rh_range;
struct rh_thin;

typedef struct rh_backend {
  const char *name;    /* "ref", "cpu", "cuda" */
  const char *summary; /* one line for `rehearse doctor` */

  /* The library kernel that produces the bits ("OpenBLAS 0.3.21 Haswell"); valid for the program's life. */
  const char *(*kernel)(void);

  /* Largest number of replicas that one call of an operation should be given: 1 on the CPU. */
  int64_t tile;

  /* Zeroed memory of the device, 64-byte aligned; NULL when exhausted. */
  void *(*alloc)(size_t bytes);
  void (*release)(void *memory);

  /* Devices with memory of their own. All NULL: `alloc` gives the program's memory, which anybody may touch. Else
   * operations alone touch it, in the order in which they are called, and may return before they are done; all tensors,
   * labels and results of a call lie in it. rh_backend_upload and its neighbours below serve both kinds. */
  void (*upload)(void *to, const void *from, size_t bytes);   /* `from` may be changed at once */
  void (*download)(void *to, const void *from, size_t bytes); /* waits for what was called before */
  void (*copy)(void *to, const void *from, size_t bytes);     /* within the device; the two do not overlap */
  void (*wait)(void);                                         /* until all that was called is done */
  const char *(*failure)(void); /* the device's first failure, after which calls do nothing; NULL: none */
  int64_t (*free_bytes)(void);  /* that alloc can still give */
  /* (optional) Something that a user should know of how it computes, said once; NULL: nothing. */
  const char *(*note)(void);
  /* (optional) Work that is called again and again with the same arguments, those of `key`, which names all of them.
   * False:
   * it was done, and is not to be called. Else it is, without uploads or downloads, and ends with end_work: false
   * then, it
   * is to be called once more. */
  bool (*begin_work)(const void *key, size_t bytes);
  bool (*end_work)(void);

  /* Runs body(context, item, thread) for item in [0, items), each item on one thread of `threads`, any order.
   * body returns false to ask for an early end (an interrupt). Nested use is a contract violation. */
  void (*parallel)(int64_t items, int threads, bool (*body)(void *context, int64_t item, int thread), void *context);

  /* y = x w^T + b.       x [R][B][I], w [R][O][I], b [R][O], y [R][B][O] out */
  void (*dense_forward)(const rh_dense *d, int64_t count, rh_tensor x, rh_tensor w, rh_tensor b, rh_tensor y);
  /* dw = dy^T x, db = column sums of dy (both skipped when dw.data is NULL), dx = dy w (skipped when dx.data is NULL).
   * All overwritten. */
  void (*dense_backward)(const rh_dense *d, int64_t count, rh_tensor x, rh_tensor w, rh_tensor dy, rh_tensor dw,
                         rh_tensor db, rh_tensor dx);

  /* Scratch that a convolution needs per replica of a call, in elements; the caller provides it, aligned to 64 bytes.
   */
  int64_t (*conv_scratch)(const rh_conv *c);
  /* x [R][B][C][H][W], w [R][O][C][K][K], b [R][O], y [R][B][O][H-K+1][W-K+1] out */
  void (*conv_forward)(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor b, rh_tensor y,
                       rh_tensor scratch);
  /* dw, db, dx as in dense_backward. */
  void (*conv_backward)(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor dy, rh_tensor dw,
                        rh_tensor db, rh_tensor dx, rh_tensor scratch);

  /* y = max(x, 0), n elements a replica; y may be x. */
  void (*relu_forward)(int64_t n, int64_t count, rh_tensor x, rh_tensor y);
  /* dx = dy where y > 0, else 0; dx may be dy. */
  void (*relu_backward)(int64_t n, int64_t count, rh_tensor y, rh_tensor dy, rh_tensor dx);

  /* y [R][B][C][H/side][W/side]; ties go to the first in row-major order. */
  void (*pool_forward)(const rh_pool *p, int64_t count, rh_tensor x, rh_tensor y);
  /* dx [R][B][C][H][W] overwritten: dy at the place of each maximum (recomputed from x), 0 elsewhere. */
  void (*pool_backward)(const rh_pool *p, int64_t count, rh_tensor x, rh_tensor dy, rh_tensor dx);

  /* x [R][B][C][H][W], gain, bias and v [R][C] (v.data NULL for the group norm), y like x, out; y is not x */
  void (*norm_forward)(const rh_norm *n, int64_t count, rh_tensor x, rh_tensor gain, rh_tensor bias, rh_tensor v,
                       rh_tensor y);
  /* dgain, dbias, dv (NULL with v; all three skipped when dgain.data is NULL) and dx (likewise; not dy), overwritten.
   * */
  void (*norm_backward)(const rh_norm *n, int64_t count, rh_tensor x, rh_tensor gain, rh_tensor v, rh_tensor dy,
                        rh_tensor dgain, rh_tensor dbias, rh_tensor dv, rh_tensor dx);

  /* Mean softmax cross-entropy over the batch and its gradient, a share `smoothing` (0..1) of the target being spread
   * over all classes: loss = log sum_k exp z_k - (1 - smoothing) z_label - smoothing mean of z (Szegedy et al. 2016).
   * logits [R][B][classes], labels [R][B] (replica r at labels + r * label_stride), dlogits like logits or NULL data,
   * loss[r] f64 out (mean over B), correct[r] out (first largest logit equals the label) */
  void (*softmax_cross_entropy)(int64_t batch, int64_t classes, int64_t count, rh_tensor logits, const int32_t *labels,
                                int64_t label_stride, double smoothing, rh_tensor dlogits, double *loss,
                                int64_t *correct);

  /* x and its moments after a step with g; n elements a replica. The constants are rounded to f32 first. */
  void (*sgd_step)(const rh_sgd *s, int64_t n, int64_t count, rh_tensor x, rh_tensor u, rh_tensor g);
  void (*adamw_step)(const rh_adamw *a, int64_t n, int64_t count, rh_tensor x, rh_tensor m, rh_tensor v, rh_tensor g);

  /* y = a x + y, n elements a replica */
  void (*add_scaled)(int64_t n, int64_t count, double a, rh_tensor x, rh_tensor y);
  /* y = a x, n elements a replica; y may be x */
  void (*scale)(int64_t n, int64_t count, double a, rh_tensor x, rh_tensor y);
  /* z = a x + b y, n elements a replica; both products are rounded; z may be x or y. */
  void (*combine)(int64_t n, int64_t count, double a, rh_tensor x, double b, rh_tensor y, rh_tensor z);
  /* y_r = x_r / divisors[r]; divisors [count] are the program's; y may be x. */
  void (*divide)(int64_t n, int64_t count, const float *divisors, rh_tensor x, rh_tensor y);

  /* c = op(a) op(b), overwritten; c is neither a nor b. */
  void (*product)(const rh_product *p, int64_t count, rh_tensor a, rh_tensor b, rh_tensor c);

  /* (A device may have none: methods that factorise then keep their rows in the program's memory.)
   * Economy SVDs M = U S V^T, shared out: a = U sqrt(S), b = sqrt(S) V^T. Signs: the entry of largest modulus in each
   * column of U is positive (the first of equal ones), so that the split does not hang on the library's choice. Of
   * equal singular values the factors are any that span the same space.
   *
   * x [R][m][n] or, transposed, [R][n][m], its values finite; a [R][m][n], b [R][n][n], s [R][n] descending, out
   * result [R], out: enum rh_split_result; RH_SPLIT_ITERATES: the iteration did not end, and outputs mean nothing */
  void (*split)(const rh_svd *p, int64_t count, rh_tensor x, rh_tensor a, rh_tensor b, rh_tensor s, int32_t *result);
  /* (optional) Takes what splits of such matrices need beside their arguments, so that none of them takes memory.
   * False: there is not enough, or the device failed. */
  bool (*prepare_split)(const rh_svd *p);
  /* y [R][rows][to] = the first columns of x [R][rows][from], the rest of it 0. y does not overlap x. */
  void (*resize)(int64_t rows, int64_t from, int64_t to, int64_t count, rh_tensor x, rh_tensor y);

  /* One row of a mixing: y[n] = sum_k weights[k] * rows[k][n], k ascending, terms > 0; y is none of the rows. The two
   * arrays are the program's. */
  void (*weighted_sum)(int64_t n, int64_t terms, const double *weights, const float *const *rows, float *y);

  /* (optional, where the memory is the program's) dense_forward of samples that are bytes as yet, replica r's from r B
   * on (pixels.h), and their values to x [R][B][I]: the bits of rh_pixels_values and dense_forward. False, and nothing
   * was done: not for such a layer. */
  bool (*dense_forward_pixels)(const rh_dense *d, int64_t count, const struct rh_pixels *pixels, rh_tensor x,
                               rh_tensor w, rh_tensor b, rh_tensor y);

  /* Optional, all three or none: a convolution, max(., 0) and max pooling over squares of two as one operation, whose
   * results between are not kept (conv_pool.h composes them elsewhere). Elements of scratch per replica as of
   * conv_scratch, or -1: not for such a convolution. */
  int64_t (*conv_pool_scratch)(const rh_conv *c);
  /* x, w, b as in conv_forward, y [R][B][O][(H-K+1)/2][(W-K+1)/2] out; places: a byte for each value of y, out, in a
   * code of the backend's: which place of the square is the largest, and whether it is above 0 */
  void (*conv_pool_forward)(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor b, rh_tensor y,
                            rh_tensor places, rh_tensor scratch);
  /* dy like y; dw, db, dx as in dense_backward. */
  void (*conv_pool_backward)(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor dy, rh_tensor places,
                             rh_tensor dw, rh_tensor db, rh_tensor dx, rh_tensor scratch);

  /* The rest is optional: of devices whose memory the program cannot touch. */

  /* x [n][size] = (pixels[indices[i]] / 255 - mean) / deviation, picked[i] = labels[indices[i]] */
  void (*gather)(int64_t n, int64_t size, const uint8_t *pixels, const int32_t *labels, const int32_t *indices,
                 float mean, float deviation, float *x, int32_t *picked);
  /* Adds `count` rows of n values, `stride` apart, to a fold (fold.h) that holds `before` rows; levels [as many
   * bits as before + count has][n]. The same bits as one row after the other. */
  void (*fold_rows)(int64_t n, int64_t count, rh_tensor x, uint64_t before, float *levels);
  /* out[r] f64 = sum over n of (x_r - y)^2, or of x_r^2 where y is NULL, in 16 interleaved partial sums. */
  void (*squared_distances)(int64_t n, int64_t count, rh_tensor x, const float *y, double *out);
  /* sums[r] += terms[r], f64 */
  void (*add_doubles)(int64_t count, const double *terms, double *sums);
  /* x_r = factor x_r where factor = most / |x_r|, if |x_r|^2 = squares[r] is longer than most */
  void (*clip)(int64_t n, int64_t count, double most, const double *squares, rh_tensor x);
  /* y_i = sum over k in [offset[i], offset[i+1]) of weights[k] x_(column[k]), k ascending; offset [count + 1], column
   * and
   * weights are the program's; x and y do not overlap; no row of the matrix is empty. The first term of each row is
   * taken
   * from `own` where own.data is there. */
  void (*mix)(int64_t n, int64_t count, const int32_t *offset, const int32_t *column, const double *weights,
              rh_tensor own, rh_tensor x, rh_tensor y);
  /* y_r[i] = x_r[places[i]], or 0 where places[i] < 0; places [n] are the device's. y may be x if no value moves. */
  void (*pick)(int64_t n, int64_t count, const int32_t *places, rh_tensor x, rh_tensor y);

  /* y_r = x_r in 8 bits, the numbers being those of `stream`, replica r's of rank r more (NULL unless stochastic).
   * running
   * NULL, or replica r's at r * step: followed in training, used in an evaluation. NULL: the device does not step in 8
   * bits. y may be x. */
  void (*quantise)(const rh_quantising *q, const struct rh_rng *stream, int64_t count, rh_tensor x, rh_tensor y,
                   struct rh_range *running, int64_t step);

  /* Matrices and thin factors (thin.h), in its orders of sums: the same bits, but that a normal number may differ in
   * the last one. m [R][rows][columns], p [R][rank][rows], q [R][rank][columns]; of rank 0 q [R][rows][columns] */
  void (*thin_right)(const struct rh_thin *t, int64_t count, rh_tensor m, rh_tensor q, rh_tensor p);
  void (*thin_left)(const struct rh_thin *t, int64_t count, rh_tensor m, rh_tensor p, rh_tensor q);
  void (*thin_expand)(const struct rh_thin *t, int64_t count, double factor, rh_tensor p, rh_tensor q, rh_tensor m);
  /* x [R][columns][n]. Replica r draws from `stream` with a rank r more, after drawn[r] numbers, which are counted on;
   * both NULL: what depends on earlier columns becomes zero. */
  void (*thin_orthonormalise)(int64_t n, int64_t columns, int64_t count, const struct rh_rng *stream, int64_t *drawn,
                              rh_tensor x);

  /* Messages; all NULL, or none. Bytes that `encode` needs beside them for each message of a call, a multiple of 64. */
  int64_t (*code_scratch)(const rh_code *code);
  /* Message r of x_r [d] goes to wire + r * stride, its length to bytes[r]; stride is a multiple of 64 and fits the
   * longest.
   * Numbers are those of `stream`, message r's being of rank r more. scratch [count][code_scratch] */
  void (*encode)(const rh_code *code, const struct rh_rng *stream, int64_t count, rh_tensor x, uint8_t *wire,
                 int64_t stride, int64_t *bytes, void *scratch);
  /* x_r [d] = what message r says. */
  void (*decode)(const rh_code *code, int64_t count, const uint8_t *wire, int64_t stride, rh_tensor x);
  /* As fold_rows, of n 16-bit floats a row: rows `stride` bytes apart, levels [32][n]. */
  void (*fold_halves)(rh_code_kind kind, int64_t n, int64_t count, const uint8_t *rows, int64_t stride, uint64_t before,
                      uint16_t *levels);
  /* mean [d] of `workers` decoded messages of kind RH_CODE_SIGN becomes their majority's, ties by the stream's coins.
   * */
  void (*vote)(const rh_code *code, const struct rh_rng *stream, float *mean);
} rh_backend;

extern const rh_backend rh_backend_ref;           /* naive loops: the oracle */
extern const rh_backend rh_backend_poison;        /* ref on guarded memory (poison.h): for tests alone */
extern const rh_backend rh_backend_poison_device; /* the same as a device with memory of its own: likewise */
extern const rh_backend rh_backend_cpu;           /* OpenBLAS with one thread a replica, OpenMP over replicas */

/* The backend of that name, or NULL. */
const rh_backend *rh_backend_find(const char *name);

/* Whether the program may touch what the backend allocates. */
bool rh_backend_on_host(const rh_backend *backend);
/* As the operations of these names; where the memory is the program's, copies. */
void rh_backend_upload(const rh_backend *backend, void *to, const void *from, size_t bytes);
void rh_backend_download(const rh_backend *backend, void *to, const void *from, size_t bytes);
void rh_backend_copy(const rh_backend *backend, void *to, const void *from, size_t bytes);
void rh_backend_wait(const rh_backend *backend);
/* RH_EDEVICE with the device's own words if it failed. */
RH_CHECKED rh_status rh_backend_check(const rh_backend *backend);

#ifdef __cplusplus
}
#endif
#endif
