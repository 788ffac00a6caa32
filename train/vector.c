/* Apart from blas_kernel.c, since this is of use without OpenBLAS. */
#include "blas_kernel.h"

rh_vector rh_vector_of_processor(void)
{
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
    return RH_VECTOR_AVX512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return RH_VECTOR_AVX2;
#endif
  return RH_VECTOR_NONE;
}
