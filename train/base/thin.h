/* Matrices and thin factors: M Q, M^T P and P Q^T for factors of a few columns, and Gram-Schmidt. Every sum has one
 * order, which is the same on all machines and devices.
 *
 * Symbols     M m x n, row-major; P m x r and Q n x r, whose columns stand behind each other: [r][m], [r][n]
 */
#ifndef RH_THIN_H
#define RH_THIN_H

#include <stdint.h>

#include "rng.h"

typedef struct rh_thin {
  int64_t rows, columns; /* m, n */
  int64_t rank;          /* r; 0: the matrix has no factors, and what stands for Q holds its values as they are */
} rh_thin;

/* A segment of `length` values in `rows` rows, at most so many columns a factor: fewer where the matrix has fewer, 0
 * where factors would not be smaller than the matrix. */
rh_thin rh_thin_of(int64_t length, int64_t rows, int64_t rank);
/* Values of P; of Q, or of the matrix as it is. */
int64_t rh_thin_left_values(const rh_thin *t);
int64_t rh_thin_right_values(const rh_thin *t);

/* p = M q; dot products in 16 interleaved partial sums. Nothing of rank 0. */
void rh_thin_right(const rh_thin *t, const float *m, const float *q, float *p);
/* q = M^T p, four rows of M at a time; of rank 0: q = M. */
void rh_thin_left(const rh_thin *t, const float *m, const float *p, float *q);
/* M = factor p q^T, two columns at a time; of rank 0: M = factor q. */
void rh_thin_expand(const rh_thin *t, const float *p, const float *q, double factor, float *m);
/* Gram-Schmidt on `count` columns of length n, in their order, sums in f64 in eight interleaved parts. A column that
 * depends on the earlier ones is drawn afresh, normal numbers of rng, or without rng becomes zero. What is not finite
 * stays: it must be seen. */
void rh_thin_orthonormalise(float *a, int64_t n, int64_t count, rh_rng *rng);

#endif
