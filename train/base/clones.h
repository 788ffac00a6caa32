/* One loop, compiled for several instruction sets; which one runs is chosen when the program starts. */
#ifndef RH_CLONES_H
#define RH_CLONES_H

/* For loops whose elements do not depend on each other, and for sums of integers: the results are the same on every
 * machine. Sums of floats that run over elements spell out their order instead. Sanitizers cannot run before the
 * choice is made, so their builds have one version. x86-64-v4 is AVX-512 with its byte, 64-bit and short-vector parts.
 */
#if defined(__x86_64__) && !defined(RH_SANITIZED)
#define RH_CLONES __attribute__((target_clones("arch=x86-64-v4", "avx2", "default")))
#else
#define RH_CLONES
#endif

/* Inlined into each clone of its caller, so that it is compiled for the same instruction set. */
#define RH_INLINE static inline __attribute__((always_inline))

#endif
