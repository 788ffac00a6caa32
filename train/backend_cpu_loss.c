/* Softmax cross-entropy of a sample with at most 16 classes, for AVX-512: they are one vector.
 *
 * exp x = 2^n exp r, n = x / ln 2 rounded, |r| <= ln 2 / 2, by a polynomial of degree 6 whose error is 2 ulp.
 * Source of the coefficients: Moshier, Cephes, expf.
 */
#include <math.h>

#include "avx512.h"
#include "backend_cpu.h"
#include "blas_kernel.h"

#ifdef RH_HAS_AVX512

bool rh_cpu_loss_fits(int64_t classes)
{
  return classes <= RH_LANES && rh_blas_kernel_vector() == RH_VECTOR_AVX512;
}

/* exp of values that are not above 0; those below -200, which is below the smallest f32, become 0. */
RH_AVX512_INLINE __m512 exponential(__m512 x)
{
  static const float coefficients[] = {1.9875691500e-4F, 1.3981999507e-3F, 8.3334519073e-3F,
                                       4.1665795894e-2F, 1.6666665459e-1F, 5.0000001201e-1F};
  const __m512 bounded = _mm512_max_ps(_mm512_set1_ps(-200), x);
  const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(bounded, _mm512_set1_ps(1.44269504088896341F)),
                                        _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375F), bounded); /* ln 2 in two parts */
  r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4F), r);
  __m512 p = _mm512_set1_ps(coefficients[0]);
#pragma GCC unroll 5
  for (int i = 1; i < 6; i++)
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(coefficients[i]));
  p = _mm512_fmadd_ps(_mm512_mul_ps(r, r), p, _mm512_add_ps(r, _mm512_set1_ps(1)));
  return _mm512_scalef_ps(p, n);
}

/* Of one sample; false, and nothing is written, where a logit is NaN. loss: but for the logarithm of the sum of
 * exponentials, which comes beside it. */
RH_AVX512_INLINE bool sample_loss(__mmask16 classes, const float *z, int32_t label, float weight, float *dz,
                                  double *loss, double *sum, int64_t *correct)
{
  const __m512 logits = _mm512_maskz_loadu_ps(classes, z);
  if (_mm512_mask_cmp_ps_mask(classes, logits, logits, _CMP_UNORD_Q)) return false;
  const float most = _mm512_mask_reduce_max_ps(classes, logits);
  const __m512 largest = _mm512_set1_ps(most);
  const __mmask16 best = _mm512_mask_cmp_ps_mask(classes, logits, largest, _CMP_EQ_OQ);
  const __m512 e = _mm512_maskz_mov_ps(classes, exponential(_mm512_sub_ps(logits, largest)));
  *sum = _mm512_reduce_add_pd(
      _mm512_add_pd(_mm512_cvtps_pd(_mm512_castps512_ps256(e)), _mm512_cvtps_pd(_mm512_extractf32x8_ps(e, 1))));
  if (dz) {
    const __m512 share = _mm512_mul_ps(e, _mm512_set1_ps(weight / (float)*sum));
    const __mmask16 target = (__mmask16)(1U << label);
    _mm512_mask_storeu_ps(dz, classes, _mm512_mask_sub_ps(share, target, share, _mm512_set1_ps(weight)));
  }
  *correct += __builtin_ctz(best) == label;
  *loss = (double)most - z[label];
  return true;
}

RH_AVX512 int64_t rh_cpu_losses(int64_t samples, int64_t classes, const float *z, const int32_t *labels, float weight,
                                float *dz, double *losses, int64_t *correct)
{
  const __mmask16 mask = rh_first_lanes(classes);
  double sums[RH_CPU_LOSSES];
  int64_t n = 0;
  RH_ASSERT(samples <= RH_CPU_LOSSES);
  for (; n < samples; n++)
    if (!sample_loss(mask, z + n * classes, labels[n], weight, dz ? dz + n * classes : NULL, &losses[n], &sums[n],
                     correct))
      break;
  for (int64_t i = 0; i < n; i++) /* calls: constants would be loaded again after each of them */
    losses[i] = log(sums[i]) + losses[i];
  return n;
}
#else
bool rh_cpu_loss_fits(int64_t classes)
{
  (void)classes;
  return false;
}

int64_t rh_cpu_losses(int64_t samples, int64_t classes, const float *z, const int32_t *labels, float weight, float *dz,
                      double *losses, int64_t *correct)
{
  (void)samples, (void)classes, (void)z, (void)labels, (void)weight, (void)dz, (void)losses, (void)correct;
  return 0;
}
#endif
