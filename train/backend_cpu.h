/* The pieces of the cpu backend; backend.h says what each operation does. */
#ifndef RH_BACKEND_CPU_H
#define RH_BACKEND_CPU_H

#include "backend.h"

/* Compiles a loop for several instruction sets and picks one when the program starts. Only for loops whose elements do
 * not depend on each other: each element is then rounded the same way on every machine. Sums that run over elements
 * spell out their order instead. Sanitizers cannot run before the choice is made, so their builds have one version. */
#if defined(__x86_64__) && !defined(RH_SANITIZED)
#define RH_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define RH_CLONES
#endif

/* Inlined into each clone of its caller, so that it is compiled for the same instruction set. */
#define RH_INLINE static inline __attribute__((always_inline))

/* backend_cpu_conv.c */
int64_t rh_cpu_conv_scratch(const rh_conv *c);
void rh_cpu_conv_forward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor b, rh_tensor y,
                         rh_tensor scratch);
void rh_cpu_conv_backward(const rh_conv *c, int64_t count, rh_tensor x, rh_tensor w, rh_tensor dy, rh_tensor dw,
                          rh_tensor db, rh_tensor dx, rh_tensor scratch);

/* backend_cpu_pool.c */
void rh_cpu_pool_forward(const rh_pool *p, int64_t count, rh_tensor x, rh_tensor y);
void rh_cpu_pool_backward(const rh_pool *p, int64_t count, rh_tensor x, rh_tensor dy, rh_tensor dx);

/* backend_cpu_loops.c */
void rh_cpu_relu_forward(int64_t n, int64_t count, rh_tensor x, rh_tensor y);
void rh_cpu_relu_backward(int64_t n, int64_t count, rh_tensor y, rh_tensor dy, rh_tensor dx);
void rh_cpu_sgd_step(int64_t n, int64_t count, rh_tensor x, rh_tensor u, rh_tensor g, double lr, double momentum,
                     double decay);
void rh_cpu_add_scaled(int64_t n, int64_t count, double a, rh_tensor x, rh_tensor y);
void rh_cpu_scale(int64_t n, int64_t count, double a, rh_tensor x, rh_tensor y);
void rh_cpu_weighted_sum(int64_t n, int64_t terms, const double *weights, const float *const *rows, float *y);

#endif
