/* Which of OpenBLAS's kernels runs. The library picks one when it is loaded, by a list of the processors of its own
 * day: on newer ones it falls back to AVX2 kernels, at half the speed of the AVX-512 kernels that it has as well. */
#ifndef RH_BLAS_KERNEL_H
#define RH_BLAS_KERNEL_H

/* Vector instructions of a processor, weakest first. */
typedef enum rh_vector { RH_VECTOR_NONE, RH_VECTOR_AVX2, RH_VECTOR_AVX512 } rh_vector;

/* What the processor that this program runs on has: AVX2 with FMA; AVX-512 with F, CD, BW, DQ and VL. */
rh_vector rh_vector_of_processor(void);

/* The kernel to ask for instead of `taken` (the library's name of it: "Haswell") on a processor with `vector`; NULL:
 * none is better, or the name is not known to be a weaker one. Static. */
const char *rh_blas_kernel_better(const char *taken, rh_vector vector);

/* Of the kernel that runs: what of the processor's it uses. RH_VECTOR_NONE for kernels that are not known. */
rh_vector rh_blas_kernel_vector(void);

/* Starts this program again with OPENBLAS_CORETYPE set where a better kernel than the one taken exists, since the
 * variable must be there before the library is loaded. Returns where nothing is to be gained, the variable is set
 * already (by the user, or by the first call) or the program cannot be started again. To be called first in main,
 * before any thread. */
void rh_blas_kernel_choose(char **argv);

/* The kernel that the library took by itself before rh_blas_kernel_choose asked for another; NULL: it was
 * left alone. */
const char *rh_blas_kernel_replaced(void);
#endif
