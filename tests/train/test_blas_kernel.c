/* Which kernel OpenBLAS is asked for: none that is not better, and what the user asked for stays. */
#include "blas_kernel.h"

#include <stdlib.h>
#include <string.h>

#include "backend.h"
#include "cmocka_all.h"

static void newer_processors_get_the_wider_kernel(void **state)
{
  (void)state;
  assert_string_equal(rh_blas_kernel_better("Haswell", RH_VECTOR_AVX512), "SkylakeX");
  assert_string_equal(rh_blas_kernel_better("Zen", RH_VECTOR_AVX512), "SkylakeX");
  assert_string_equal(rh_blas_kernel_better("Prescott", RH_VECTOR_AVX512), "SkylakeX");
  assert_string_equal(rh_blas_kernel_better("Prescott", RH_VECTOR_AVX2), "Haswell");
}

static void what_is_as_good_or_unknown_stays(void **state)
{
  (void)state;
  assert_null(rh_blas_kernel_better("Haswell", RH_VECTOR_AVX2));
  assert_null(rh_blas_kernel_better("Haswell", RH_VECTOR_NONE));
  assert_null(rh_blas_kernel_better("SkylakeX", RH_VECTOR_AVX512));
  assert_null(rh_blas_kernel_better("Cooperlake", RH_VECTOR_AVX512));
  assert_null(rh_blas_kernel_better("neoversen1", RH_VECTOR_NONE));
  assert_null(rh_blas_kernel_better("", RH_VECTOR_AVX512));
}

/* With the variable set the call returns, and so does one that cannot improve on a kernel for AVX-512. */
static void what_the_user_asked_for_stays(void **state)
{
  (void)state;
  char program[] = "/nonexistent", *argv[] = {program, NULL};
  assert_int_equal(setenv("OPENBLAS_CORETYPE", "Prescott", 1), 0);
  rh_blas_kernel_choose(argv);
  assert_string_equal(getenv("OPENBLAS_CORETYPE"), "Prescott");
  assert_null(rh_blas_kernel_replaced());
  assert_non_null(strstr(rh_backend_cpu.kernel(), "OpenBLAS"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(newer_processors_get_the_wider_kernel),
      cmocka_unit_test(what_is_as_good_or_unknown_stays),
      cmocka_unit_test(what_the_user_asked_for_stays),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
