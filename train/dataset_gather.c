/* Batches of samples: bytes to normalised values.
 *
 * There are 256 values, (byte / 255 - mean) / deviation in f32, so a table has them all. With AVX-512 calculating is
 * cheaper than looking up: x / d is x r + x s, where r + s is 1 / d to twice the digits, which gives the rounded
 * quotient but in rare cases. Whether this mean and deviation have one of them is seen beforehand, with all 256 bytes:
 * then the table is used.
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
/* 1 / d as a sum of two values. */
typedef struct reciprocal {
  __m512 high, low;
} reciprocal;

RH_AVX512_INLINE reciprocal reciprocal_of(float d)
{
  const float high = 1 / d;
  return (reciprocal){_mm512_set1_ps(high), _mm512_set1_ps((float)(1 / (double)d - (double)high))};
}

RH_AVX512_INLINE __m512 divide(__m512 x, reciprocal r)
{
  return _mm512_fmadd_ps(x, r.high, _mm512_mul_ps(x, r.low));
}

RH_AVX512_INLINE __m512 normalise(__m128i bytes, reciprocal most, __m512 mean, reciprocal deviation)
{
  const __m512 byte = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
  return divide(_mm512_sub_ps(divide(byte, most), mean), deviation);
}

/* One sample, while the pixels of a later one are fetched line by line. */
RH_AVX512 static void calculate(const rh_dataset *dataset, int64_t size, const uint8_t *pixels, const uint8_t *later,
                                float *row)
{
  const reciprocal most = reciprocal_of(255), deviation = reciprocal_of(dataset->deviation);
  const __m512 mean = _mm512_set1_ps(dataset->mean);
  int64_t k = 0;
  for (; k + LINE <= size; k += LINE) {
    __builtin_prefetch(later + k, 0, 2); /* to the second level: the first one waits for few lines at a time */
#pragma GCC unroll 4
    for (int64_t i = k; i < k + LINE; i += RH_LANES)
      _mm512_storeu_ps(row + i, normalise(_mm_loadu_si128((const void *)(pixels + i)), most, mean, deviation));
  }
  __builtin_prefetch(later + k, 0, 2);
  __builtin_prefetch(later + size - 1, 0, 2);
  for (; k < size; k += RH_LANES) {
    const __mmask16 mask = rh_first_lanes(size - k);
    _mm512_mask_storeu_ps(row + k, mask, normalise(_mm_maskz_loadu_epi8(mask, pixels + k), most, mean, deviation));
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
