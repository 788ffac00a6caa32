/* Batches of samples: bytes to normalised values.
 *
 * There are 256 values, (byte / 255 - mean) / deviation in f32, so a table has them all. With AVX-512 calculating is
 * cheaper than looking up:
 *
 *   b / 255         in base 256 is .bbbb..., the byte again and again. Rounded to the nearest it is its first four
 *                   digits rounded up: of the 24 bits that stay, the rest begins with the byte's leading 1
 *   x / deviation   is x r + x s, where r + s is 1 / deviation to twice the digits, which gives the rounded quotient
 *                   but in rare cases
 *
 * Whether this mean and deviation have one of them is seen beforehand, with all 256 bytes: then the table is used.
 */
#include "avx512.h"
#include "blas_kernel.h"
#include "dataset.h"

enum { BYTES = 256, LINE = 64 /* bytes of a cache line */ };

static void look_up(const float value[BYTES], int64_t size, const uint8_t *pixels, float *row)
{
  for (int64_t k = 0; k < size; k++)
    row[k] = value[pixels[k]];
}

#ifdef RH_HAS_AVX512
/* What calculating a value takes. */
typedef struct normaliser {
  __m512i four_times; /* the places of 16 bytes, four times each */
  __m512 unit, mean;  /* 2^-32; the mean's negative */
  __m512 high, low;   /* 1 / deviation as a sum of two values */
} normaliser;

RH_AVX512_INLINE normaliser normaliser_of(const rh_dataset *dataset)
{
  const float high = 1 / dataset->deviation;
  return (normaliser){
      .four_times = _mm512_mullo_epi32(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
                                       _mm512_set1_epi32(0x01010101)),
      .unit = _mm512_set1_ps(0x1p-32F),
      .mean = _mm512_set1_ps(-dataset->mean),
      .high = _mm512_set1_ps(high),
      .low = _mm512_set1_ps((float)(1 / (double)dataset->deviation - (double)high)),
  };
}

RH_AVX512_INLINE __m512 normalise(__m128i bytes, const normaliser *n)
{
  const __m512i digits = _mm512_shuffle_epi8(_mm512_broadcast_i32x4(bytes), n->four_times);
  const __m512 quotient = _mm512_cvt_roundepu32_ps(digits, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC);
  const __m512 x = _mm512_fmadd_ps(quotient, n->unit, n->mean); /* the product is exact */
  return _mm512_fmadd_ps(x, n->high, _mm512_mul_ps(x, n->low));
}

/* One sample, while the pixels of a later one are fetched line by line. */
RH_AVX512 static void calculate(const rh_dataset *dataset, int64_t size, const uint8_t *pixels, const uint8_t *later,
                                float *row)
{
  const normaliser n = normaliser_of(dataset);
  int64_t k = 0;
  for (; k + LINE <= size; k += LINE) {
    __builtin_prefetch(later + k, 0, 2); /* to the second level: the first one waits for few lines at a time */
#pragma GCC unroll 4
    for (int64_t i = k; i < k + LINE; i += RH_LANES)
      _mm512_storeu_ps(row + i, normalise(_mm_loadu_si128((const void *)(pixels + i)), &n));
  }
  __builtin_prefetch(later + k, 0, 2);
  __builtin_prefetch(later + size - 1, 0, 2);
  for (; k < size; k += RH_LANES) {
    const __mmask16 mask = rh_first_lanes(size - k);
    _mm512_mask_storeu_ps(row + k, mask, normalise(_mm_maskz_loadu_epi8(mask, pixels + k), &n));
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
  calculate(dataset, BYTES, every, every, got);
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

static void calculate(const rh_dataset *dataset, int64_t size, const uint8_t *pixels, const uint8_t *later, float *row)
{
  (void)dataset, (void)size, (void)pixels, (void)later, (void)row;
  RH_ASSERT(false);
}
#endif

/* What bytes become with a mean and a deviation. */
typedef struct table {
  float mean, deviation;
  bool there, calculated; /* filled in; made by `calculate` as well */
  float value[BYTES];
} table;

/* A data set's table, which takes longer than two samples to make: a thread keeps the last one that it asked for. */
static const table *table_of(const rh_dataset *dataset)
{
  static _Thread_local table last;
  if (last.there && last.mean == dataset->mean && last.deviation == dataset->deviation) return &last;
  last = (table){.mean = dataset->mean, .deviation = dataset->deviation, .there = true};
  for (int byte = 0; byte < BYTES; byte++)
    last.value[byte] = ((float)byte / 255.0f - dataset->mean) / dataset->deviation;
  last.calculated = can_calculate(dataset, last.value);
  return &last;
}

/* Samples lie anywhere in memory: the next ones are fetched while one is worked on. */
static void fetch(int64_t size, const uint8_t *pixels)
{
  enum { MOST = 4096 };
  for (int64_t k = 0; k < size && k < MOST; k += LINE)
    __builtin_prefetch(pixels + k, 0, 2);
}

void rh_samples_gather(const rh_dataset *dataset, const rh_samples *samples, const int32_t *indices, int64_t n,
                       float *x, int32_t *labels)
{
  enum { AHEAD = 4 };
  const table *values = table_of(dataset);
  const int64_t size = rh_shape_count(dataset->shape);
  for (int64_t i = 0; i < n; i++)
    RH_ASSERT(indices[i] >= 0 && indices[i] < samples->count);
  for (int64_t i = 0; i < n && i < AHEAD; i++)
    fetch(size, samples->pixels + indices[i] * size);
  for (int64_t i = 0; i < n; i++) {
    const uint8_t *const pixels = samples->pixels + indices[i] * size;
    const uint8_t *const later = i + AHEAD < n ? samples->pixels + indices[i + AHEAD] * size : pixels;
    if (values->calculated) {
      calculate(dataset, size, pixels, later, x + i * size);
    } else {
      fetch(size, later);
      look_up(values->value, size, pixels, x + i * size);
    }
    labels[i] = samples->labels[indices[i]];
  }
}
