/* Batches of samples: bytes to normalised values.
 *
 * There are 256 values, (byte / 255 - mean) / deviation in f32, so a table has them all. With AVX-512 calculating is
 * cheaper than looking up: a division by d is a product with 1 / d, its error and one correction, which gives the
 * rounded quotient but in rare cases (Markstein, Computation of elementary functions on the IBM RISC System/6000,
 * 1990). Whether this d is one of them is seen beforehand, with all 256 bytes: then the table is used.
 */
#include "avx512.h"
#include "blas_kernel.h"
#include "dataset.h"

enum { BYTES = 256 };

static void look_up(const float value[BYTES], int64_t size, const uint8_t *pixels, float *row)
{
  for (int64_t k = 0; k < size; k++)
    row[k] = value[pixels[k]];
}

#ifdef RH_HAS_AVX512
/* x / d, with r = 1 / d rounded. */
RH_AVX512_INLINE __m512 quotient(__m512 x, __m512 d, __m512 r)
{
  const __m512 q = _mm512_mul_ps(x, r);
  return _mm512_fmadd_ps(_mm512_fnmadd_ps(q, d, x), r, q);
}

RH_AVX512 static void calculate(const rh_dataset *dataset, int64_t size, const uint8_t *pixels, float *row)
{
  const __m512 most = _mm512_set1_ps(255), of_most = _mm512_set1_ps(1 / 255.0F), mean = _mm512_set1_ps(dataset->mean);
  const __m512 deviation = _mm512_set1_ps(dataset->deviation), of_deviation = _mm512_set1_ps(1 / dataset->deviation);
  for (int64_t k = 0; k < size; k += RH_LANES) {
    const __mmask16 mask = rh_first_lanes(size - k);
    const __m512 byte = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(mask, pixels + k)));
    const __m512 centred = _mm512_sub_ps(quotient(byte, most, of_most), mean);
    _mm512_mask_storeu_ps(row + k, mask, quotient(centred, deviation, of_deviation));
  }
}

/* Whether calculating gives the table's bits. */
static bool can_calculate(const rh_dataset *dataset, const float value[BYTES])
{
  uint8_t every[BYTES];
  float got[BYTES];
  if (rh_vector_of_processor() != RH_VECTOR_AVX512) return false;
  for (int i = 0; i < BYTES; i++)
    every[i] = (uint8_t)i;
  calculate(dataset, BYTES, every, got);
  for (int i = 0; i < BYTES; i++)
    if (got[i] != value[i]) return false;
  return true;
}
#else
static bool can_calculate(const rh_dataset *dataset, const float value[BYTES])
{
  (void)dataset, (void)value;
  return false;
}

static void calculate(const rh_dataset *dataset, int64_t size, const uint8_t *pixels, float *row)
{
  (void)dataset, (void)size, (void)pixels, (void)row;
  RH_ASSERT(false);
}
#endif

/* Samples lie anywhere in memory: the next ones are fetched while one is worked on. */
static void fetch(int64_t size, const uint8_t *pixels)
{
  enum { LINE = 64, MOST = 4096 };
  for (int64_t k = 0; k < size && k < MOST; k += LINE)
    __builtin_prefetch(pixels + k, 0, 2); /* to the second level: the first one waits for few lines at a time */
}

void rh_samples_gather(const rh_dataset *dataset, const rh_samples *samples, const int32_t *indices, int64_t n,
                       float *x, int32_t *labels)
{
  enum { AHEAD = 4 };
  float value[BYTES]; /* of each pixel byte */
  for (int pixel = 0; pixel < BYTES; pixel++)
    value[pixel] = ((float)pixel / 255.0f - dataset->mean) / dataset->deviation;
  const bool calculated = can_calculate(dataset, value);
  const int64_t size = rh_shape_count(dataset->shape);
  for (int64_t i = 0; i < n; i++)
    RH_ASSERT(indices[i] >= 0 && indices[i] < samples->count);
  for (int64_t i = 0; i < n; i++) {
    const uint8_t *pixels = samples->pixels + indices[i] * size;
    if (i + AHEAD < n) fetch(size, samples->pixels + indices[i + AHEAD] * size);
    if (calculated)
      calculate(dataset, size, pixels, x + i * size);
    else
      look_up(value, size, pixels, x + i * size);
    labels[i] = samples->labels[indices[i]];
  }
}
