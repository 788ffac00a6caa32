#include "blas_kernel.h"

#include <cblas.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Read by OpenBLAS; and ours, for the program that is started again. */
static const char asked_for[] = "OPENBLAS_CORETYPE", replaced[] = "REHEARSE_BLAS_REPLACED";

/* OpenBLAS's x86-64 kernels; those that are not listed are left alone. */
static const struct {
  const char *name;
  rh_vector vector;
} kernels[] = {
    {"SkylakeX", RH_VECTOR_AVX512},  {"Cooperlake", RH_VECTOR_AVX512}, {"SapphireRapids", RH_VECTOR_AVX512},
    {"Haswell", RH_VECTOR_AVX2},     {"Zen", RH_VECTOR_AVX2},          {"Excavator", RH_VECTOR_AVX2},
    {"Sandybridge", RH_VECTOR_NONE}, {"Nehalem", RH_VECTOR_NONE},      {"Penryn", RH_VECTOR_NONE},
    {"Dunnington", RH_VECTOR_NONE},  {"Core2", RH_VECTOR_NONE},        {"Prescott", RH_VECTOR_NONE},
    {"Katmai", RH_VECTOR_NONE},      {"Atom", RH_VECTOR_NONE},         {"Nano", RH_VECTOR_NONE},
    {"Opteron", RH_VECTOR_NONE},     {"Opteron_SSE3", RH_VECTOR_NONE}, {"Barcelona", RH_VECTOR_NONE},
    {"Bobcat", RH_VECTOR_NONE},      {"Bulldozer", RH_VECTOR_NONE},    {"Piledriver", RH_VECTOR_NONE},
    {"Steamroller", RH_VECTOR_NONE},
};

/* The vector instructions of a kernel; `unknown` for one that is not listed. */
static rh_vector vector_of(const char *kernel, rh_vector unknown)
{
  for (size_t i = 0; i < sizeof kernels / sizeof kernels[0]; i++)
    if (strcmp(kernel, kernels[i].name) == 0) return kernels[i].vector;
  return unknown;
}

const char *rh_blas_kernel_better(const char *taken, rh_vector vector)
{
  if (vector <= vector_of(taken, vector)) return NULL;
  return vector == RH_VECTOR_AVX512 ? "SkylakeX" : "Haswell";
}

rh_vector rh_blas_kernel_vector(void)
{
  return vector_of(openblas_get_corename(), RH_VECTOR_NONE);
}

void rh_blas_kernel_choose(char **argv)
{
  if (getenv(asked_for)) return;
  const char *taken = openblas_get_corename();
  const char *better = rh_blas_kernel_better(taken, rh_vector_of_processor());
  if (!better || setenv(replaced, taken, 1) != 0 || setenv(asked_for, better, 1) != 0) return;
  execv("/proc/self/exe", argv);
  unsetenv(asked_for); /* not started again: the slower kernel is the one that runs */
  unsetenv(replaced);
}

const char *rh_blas_kernel_replaced(void)
{
  return getenv(replaced);
}
